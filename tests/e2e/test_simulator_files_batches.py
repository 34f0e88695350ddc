"""Files and batches of the official Anthropic SDK, pointed straight at the simulator over a socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import anthropic
import pytest

from lockgate.simulator.app import Simulator
from lockgate.simulator.serve import RunningSimulator, serving_in_thread

HAIKU = "claude-haiku-4-5"
OLD_SHAPE = {"anthropic-beta": "files-api-2025-04-14"}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def running() -> Iterator[RunningSimulator]:
    with serving_in_thread(Simulator()) as running:
        yield running


@pytest.fixture
def claude(running: RunningSimulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=running.url, max_retries=0) as client:
        yield client


def user(content):
    return [{"role": "user", "content": content}]


def request(custom_id, text="Hello", **changes):
    return {"custom_id": custom_id, "params": {"model": HAIKU, "max_tokens": 500, "messages": user(text), **changes}}


# --- files --------------------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_found_and_deleted(claude):
    made = claude.files.upload(file=("naïve ☕.txt", b"Grass is green.", "text/plain"), expires_in_seconds=3600)
    assert (made.filename, made.mime_type, made.size_bytes) == ("naïve ☕.txt", "text/plain", 15)
    assert (made.expires_at - made.created_at).total_seconds() == 3600
    assert claude.files.retrieve_metadata(made.id) == made
    with pytest.raises(anthropic.BadRequestError) as refused:
        claude.files.download(made.id)
    assert type(refused.value).__name__ == "FileNotDownloadableError"
    deleted = claude.files.delete(made.id)
    assert (deleted.id, deleted.type) == (made.id, "file_deleted")
    with pytest.raises(anthropic.NotFoundError):
        claude.files.retrieve_metadata(made.id)


def test_a_generated_file_is_downloaded_byte_for_byte(claude):
    data = bytes(range(256)) * 5000
    made = claude.files.upload(file=("generated-report.bin", data, "application/octet-stream"))
    answer = claude.files.download(made.id)
    assert answer.read() == data
    assert "generated-report.bin" in answer.headers["content-disposition"]


def test_an_expired_file_is_gone(claude):
    made = claude.files.upload(file=("expired-a.txt", b"x", "text/plain"))
    with pytest.raises(anthropic.NotFoundError) as gone:
        claude.files.download(made.id)
    assert gone.value.error_code == "file_expired"


def test_forty_files_are_listed_completely_in_both_shapes(claude, running):
    made = [claude.files.upload(file=(f"{number}.txt", b"x", "text/plain")).id for number in range(40)]
    assert [file.id for file in claude.files.list(limit=7)] == made[::-1]
    assert [file.id for file in claude.beta.files.list()] == made[::-1]
    assert {file.id for file in claude.files.list(ids=[made[0], made[3], "file_gone"])} == {made[0], made[3]}
    pages = [entry for entry in running.simulator.requests if entry.method == "GET"]
    assert all(entry.header("anthropic-beta") is None for entry in pages)
    assert len(pages) == 6 + 2 + 1
    old = claude.get("/v1/files", cast_to=object, options={"headers": OLD_SHAPE, "params": {"limit": 30}})
    assert ([file["id"] for file in old["data"]], old["has_more"]) == (made[:9:-1], True)
    assert old["last_id"] == made[10]


def test_a_large_upload_is_measured_but_not_kept(claude, running):
    made = claude.files.upload(file=("big.bin", b"x" * (66 * 1024 * 1024), "application/octet-stream"))
    assert made.size_bytes == 66 * 1024 * 1024
    entry = running.simulator.requests[-1]
    assert (len(entry.body), entry.body_bytes > made.size_bytes) == (1024 * 1024, True)
    stored = claude.get("/_simulator/files", cast_to=object)["files"]
    assert [file["is_kept"] for file in stored] == [False]


@pytest.mark.parametrize(
    "name, data, kind, block",
    [
        ("cat.png", PNG, "image/png", "image"),
        ("report.pdf", b"%PDF-1.7 nothing", "application/pdf", "document"),
        ("table.csv", b"a,b", "text/csv", "container_upload"),
    ],
)
def test_a_message_refers_to_a_file(claude, name, data, kind, block):
    file = claude.files.upload(file=(name, data, kind))
    source = {"source": {"type": "file", "file_id": file.id}}
    content = [{"type": block, **({"file_id": file.id} if block == "container_upload" else source)}]
    body = {"model": HAIKU, "max_tokens": 500, "messages": user([*content, {"type": "text", "text": "Look"}])}
    message = claude.messages.create(**body)
    assert name in message.content[0].text
    assert (
        claude.messages.count_tokens(model=HAIKU, messages=body["messages"]).input_tokens == message.usage.input_tokens
    )
    claude.files.delete(file.id)
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(**body)


def test_a_file_in_the_wrong_block_is_refused(claude):
    file = claude.files.upload(file=("a.txt", b"x", "text/plain"))
    image = {"type": "image", "source": {"type": "file", "file_id": file.id}}
    with pytest.raises(anthropic.BadRequestError, match="not supported in `image` blocks"):
        claude.messages.create(model=HAIKU, max_tokens=500, messages=user([image]))


# --- batches ------------------------------------------------------------------------------------------------------


def test_a_batch_runs_to_its_end(claude):
    requests = [
        request("good"),
        request("image", [{"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                                       "data": base64.b64encode(PNG).decode()}}]),
        request("bad", max_tokens=0.5),
        request("busy", "x [[sim: status=529]]"),
        request("late", "x [[sim: batch_result=expired]]"),
    ]  # fmt: skip
    batch = claude.messages.batches.create(requests=requests)
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 5)
    with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
        claude.messages.batches.results(batch.id)
    results = {line.custom_id: line.result for line in claude.messages.batches.results(batch.id)}
    assert results["good"].message.content[0].text.startswith("Simulated answer to: Hello.")
    assert results["good"].message.usage.service_tier == "batch"
    assert results["image"].type == "succeeded"
    assert results["bad"].error.error.type == "invalid_request_error"
    assert results["busy"].error.error.type == "overloaded_error"
    assert results["late"].type == "expired"
    ended = claude.messages.batches.retrieve(batch.id)
    assert ended.request_counts.to_dict() == {
        "processing": 0, "succeeded": 2, "errored": 2, "canceled": 0, "expired": 1,
    }  # fmt: skip
    assert ended.ended_at is not None


def test_a_batch_is_cancelled_and_deleted(claude):
    batch = claude.messages.batches.create(requests=[request("a"), request("b")])
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.batches.delete(batch.id)
    assert claude.messages.batches.cancel(batch.id).processing_status == "canceling"
    ended = claude.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, ended.request_counts.canceled) == ("ended", 2)
    assert [line.result.type for line in claude.messages.batches.results(batch.id)] == ["canceled", "canceled"]
    assert claude.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(batch.id)


def test_batches_are_listed_page_by_page(claude):
    made = [claude.messages.batches.create(requests=[request("a")]).id for _ in range(5)]
    assert [batch.id for batch in claude.messages.batches.list(limit=2)] == made[::-1]
    before = claude.messages.batches.list(before_id=made[0], limit=2)
    assert [batch.id for batch in before.data] == [made[2], made[1]]


def test_results_come_in_pieces(claude, running):
    with anthropic.Anthropic(
        api_key="k", base_url=running.url, max_retries=0, default_headers={"x-simulator": "batch_polls=1, split=11"}
    ) as torn:
        batch = torn.messages.batches.create(requests=[request(str(number)) for number in range(20)])
        assert sorted(int(line.custom_id) for line in torn.messages.batches.results(batch.id)) == list(range(20))


def test_the_asynchronous_client_does_the_same(running):
    async def use() -> tuple[bytes, list[str]]:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=running.url, max_retries=0) as claude:
            file = await claude.files.upload(file=("generated-a.txt", b"hello", "text/plain"))
            data = await (await claude.files.download(file.id)).read()
            assert [one.id async for one in claude.files.list()] == [file.id]
            batch = await claude.messages.batches.create(requests=[request("a", "x [[sim: batch_polls=1]]")])
            return data, [line.custom_id async for line in await claude.messages.batches.results(batch.id)]

    assert asyncio.run(use()) == (b"hello", ["a"])
