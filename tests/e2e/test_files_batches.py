"""Files and batches through the gateway, with the official SDKs as they are, against the simulator."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import portkey_ai
import pytest

from lockgate.core.record import Record
from lockgate.telemetry.journal import read_journal
from tests.e2e.clients import Client
from tests.e2e.gateway import GATEWAY_KEY, UPSTREAM_KEY, Server, clean_environment, running, running_simulator

HAIKU = "claude-haiku-4-5"
MODEL = f"@claude/{HAIKU}"
OLD_SHAPE = {"anthropic-beta": "files-api-2025-04-14"}
CLAUDE = {"x-portkey-provider": "@claude"}
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
MB = 1024 * 1024
GROWTH_BYTES = 40 * MB
CONFIG = """
[simulator]
enabled = true

[providers.claude]
type = "anthropic"
base_url = "{simulator}"
api_key = "{upstream_key}"

[limits]
file_bytes = {file_bytes}
"""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A simulator of our own: its memory is cleared between tests."""
    with running_simulator(tmp_path_factory.mktemp("simulator")) as server:
        yield server


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, upstream: Server) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gateway")
    config = folder / "lockgate.toml"
    config.write_text(CONFIG.format(simulator=upstream.url, upstream_key=UPSTREAM_KEY, file_bytes=150 * MB))
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    with running(arguments, folder=folder, environment=clean_environment(LOCKGATE_API_KEY=GATEWAY_KEY)) as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(upstream: Server) -> None:
    httpx.post(f"{upstream.url}/_simulator/reset", trust_env=False).raise_for_status()


@pytest.fixture
def claude(gate: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=GATEWAY_KEY, base_url=gate.url, max_retries=0, default_headers=CLAUDE) as client:
        yield client


@pytest.fixture
def gpt(gate: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=GATEWAY_KEY, base_url=f"{gate.url}/v1", max_retries=0, default_headers=CLAUDE) as client:
        yield client


def seen(upstream: Server) -> list[dict[str, Any]]:
    requests = httpx.get(f"{upstream.url}/_simulator/requests", trust_env=False).json()["requests"]
    return [entry | {"header": dict(entry["headers"])} for entry in requests]


def records(gate: Server) -> list[Record]:
    return list(read_journal(gate.home / "journal"))


def request(custom_id: str, text: str = "Hello", model: str = MODEL, **changes: object) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"custom_id": custom_id, "params": {"model": model, "max_tokens": 500, "messages": messages, **changes}}


def only_the_providers_key_was_seen(upstream: Server) -> bool:
    entries = seen(upstream)
    assert entries
    assert GATEWAY_KEY not in json.dumps(entries)
    return {entry["header"].get("x-api-key") for entry in entries} == {UPSTREAM_KEY}


# ---- batches


def test_trap_106_results_are_fetched_through_the_gateway(gate: Server, upstream: Server) -> None:
    with anthropic.Anthropic(api_key=GATEWAY_KEY, base_url=gate.url, max_retries=0) as client:
        batch = client.messages.batches.create(requests=[request("a"), request("b", "x [[sim: batch_polls=1]]")])
        lines = list(client.messages.batches.results(batch.id))
        url = client.messages.batches.retrieve(batch.id).results_url
    assert sorted(line.custom_id for line in lines) == ["a", "b"]
    assert url == f"{gate.url}/v1/messages/batches/{batch.id}/results"
    assert only_the_providers_key_was_seen(upstream)
    assert [entry["path"] for entry in seen(upstream)][-2:] == [
        f"/v1/messages/batches/{batch.id}/results",
        f"/v1/messages/batches/{batch.id}",
    ]
    routes = [record.route for record in records(gate)[-5:]]
    assert sorted(routes) == ["batch_results", *["batches"] * 4]
    (paid,) = [record for record in records(gate)[-5:] if record.route == "batch_results"]
    assert paid.cost is not None
    assert paid.cost.nanos > 0


ROUTED = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@gone"}, {"provider": "@claude"}]}


def test_a_config_says_who_keeps_batches_and_files_and_whose_models_are_listed(gate: Server, upstream: Server) -> None:
    by_config = {"x-portkey-config": json.dumps(ROUTED)}
    with anthropic.Anthropic(
        api_key=GATEWAY_KEY, base_url=gate.url, max_retries=0, default_headers=by_config
    ) as client:
        batch = client.messages.batches.create(requests=[request("a", "x [[sim: batch_polls=1]]", model=HAIKU)])
        assert [line.custom_id for line in client.messages.batches.results(batch.id)] == ["a"]
        file = client.beta.files.upload(file=("a.txt", b"words", "text/plain"))
        assert file.id in [one.id for one in client.beta.files.list()]
        assert any(HAIKU in model.id for model in client.models.list(limit=1000))
    assert only_the_providers_key_was_seen(upstream)
    paths = {record.path for record in records(gate)[-6:] if record.route != "batch_results"}
    assert paths == {"config.targets[1]"}


def test_portkeys_sdk_with_a_config_keeps_files_and_lists_models(gate: Server, upstream: Server) -> None:
    client = portkey_ai.Portkey(base_url=f"{gate.url}/v1", api_key=GATEWAY_KEY, config=ROUTED)
    file = client.files.create(file=("a.txt", b"words"), purpose="user_data")
    assert file.id in [one.id for one in client.files.list().data]
    assert client.files.retrieve(file.id).id == file.id
    assert client.models.list().data
    client.close()
    client.openai_client.close()
    assert only_the_providers_key_was_seen(upstream)


def test_trap_107_an_address_elsewhere_is_not_fetched(gate: Server, upstream: Server) -> None:
    """The batch of a simulator says the simulator's address; neither it nor any other one is shown or followed."""
    with openai.OpenAI(api_key=GATEWAY_KEY, base_url=f"{gate.url}/v1", default_headers=CLAUDE) as client:
        made = client.post("/batches", cast_to=object, body={"requests": [request("a", "[[sim: batch_polls=0]]")]})
        output = client.get(f"/batches/{made['id']}/output", cast_to=httpx.Response)
    assert output.headers["content-type"] == "application/x-jsonl"
    assert [json.loads(line)["custom_id"] for line in output.text.splitlines()] == ["a"]
    assert only_the_providers_key_was_seen(upstream)


def test_trap_108_mixed_outcomes(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    requests = [
        request("good", "x [[sim: batch_polls=1]]"),
        request("bad", max_tokens=0.5),
        request("busy", "x [[sim: status=529]]"),
        request("late", "x [[sim: batch_result=expired]]"),
    ]
    batch = claude.messages.batches.create(requests=requests)
    assert gpt.batches.retrieve(batch.id).status == "completed"
    shown = gpt.batches.retrieve(batch.id)
    assert (shown.request_counts.total, shown.request_counts.completed, shown.request_counts.failed) == (4, 1, 2)
    results = {line.custom_id: line.result for line in claude.messages.batches.results(batch.id)}
    assert results["good"].message.content[0].text.startswith("Simulated answer to: x")
    assert results["bad"].error.error.type == "invalid_request_error"
    assert results["busy"].error.error.type == "overloaded_error"
    assert results["late"].type == "expired"
    assert claude.messages.batches.retrieve(batch.id).request_counts.errored == 2


def test_batches_are_listed_cancelled_and_deleted(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    made = [claude.messages.batches.create(requests=[request("a")]).id for _ in range(5)]
    assert [batch.id for batch in claude.messages.batches.list(limit=2)] == made[::-1]
    assert [batch.id for batch in gpt.batches.list(limit=2)] == made[::-1]
    assert claude.messages.batches.cancel(made[0]).processing_status == "canceling"
    assert gpt.batches.cancel(made[1]).status == "cancelling"
    assert gpt.batches.retrieve(made[1]).status == "cancelled"
    claude.messages.batches.retrieve(made[0])
    assert claude.messages.batches.delete(made[0]).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(made[0])
    with pytest.raises(openai.ConflictError):
        gpt.get(f"/batches/{made[2]}/output", cast_to=object)


# ---- files


def test_trap_109_uploads_in_both_shapes(claude: anthropic.Anthropic, gpt: openai.OpenAI, upstream: Server) -> None:
    name = "naïve ☕.pdf"
    native = claude.files.upload(file=(name, b"%PDF-1", "application/pdf"), expires_in_seconds=3600)
    assert (native.filename, native.size_bytes) == (name, 6)
    assert (native.expires_at - native.created_at).total_seconds() == 3600
    made = gpt.files.create(
        file=(name, b"%PDF-1"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 7200}
    )
    assert (made.filename, made.bytes, made.purpose, made.status) == (name, 6, "user_data", "processed")
    assert made.expires_at - made.created_at == 7200
    stored = httpx.get(f"{upstream.url}/_simulator/files", trust_env=False).json()["files"]
    assert {file["mime_type"] for file in stored} == {"application/pdf"}
    assert only_the_providers_key_was_seen(upstream)
    assert all("anthropic-beta" not in entry["header"] for entry in seen(upstream))
    assert gpt.files.retrieve(made.id).purpose == "assistants"
    assert gpt.files.delete(made.id).deleted
    assert claude.files.delete(native.id).type == "file_deleted"


def test_forty_files_are_listed_completely_by_everybody(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, gate: Server
) -> None:
    made = [claude.files.upload(file=(f"{number}.txt", b"x", "text/plain")).id for number in range(40)][::-1]
    assert [file.id for file in claude.files.list(limit=7)] == made
    assert [file.id for file in claude.beta.files.list()] == made
    assert [file.id for file in gpt.files.list(limit=7)] == made
    assert [file.id for file in gpt.files.list()] == made
    found: list[str] = []
    while True:
        query = {"limit": 15} | ({"after_id": found[-1]} if found else {})
        headers = OLD_SHAPE | CLAUDE | {"x-api-key": GATEWAY_KEY, "anthropic-version": "2023-06-01"}
        page = httpx.get(f"{gate.url}/v1/files", params=query, headers=headers, trust_env=False).json()
        found += [file["id"] for file in page["data"]]
        if not page["has_more"]:
            break
    assert found == made


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name, sends_dated_beta",
    [("python-newest", False), ("python-older", True), ("javascript-newest", False), ("javascript-previous", False)],
)
def test_forty_files_are_listed_completely_by_each_generation(
    name: str,
    sends_dated_beta: bool,
    client_named: Callable[[str], Client],
    claude: anthropic.Anthropic,
    gate: Server,
    upstream: Server,
) -> None:
    """The dated header decides the shape of Anthropic's list; we neither add nor take it away."""
    made = [claude.files.upload(file=(f"{number}.txt", b"x", "text/plain")).id for number in range(40)][::-1]
    common = {"origin": gate.url, "model": "", "action": "files", "api_key": GATEWAY_KEY, "headers": CLAUDE}
    calls = [common | {"id": sdk, "sdk": sdk} for sdk in ("anthropic", "openai")]
    outcomes = client_named(name).drive(calls)
    assert [outcome["error"] for outcome in outcomes] == [None, None]
    assert [outcome["files"] for outcome in outcomes] == [made, made]
    lists = [entry["header"].get("anthropic-beta") for entry in seen(upstream) if entry["method"] == "GET"]
    assert len(lists) > 4
    dated = [value is not None and "files-api-2025-04-14" in value for value in lists]
    assert dated[:3] == [sends_dated_beta] * 3, "three pages of the Anthropic SDK"
    assert not any(dated[3:]), "and those of the OpenAI SDK"


def test_trap_105_a_made_presentation_is_downloaded_byte_for_byte(
    claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    """The simulator gives out what is called as if Claude had made it."""
    data = b"PK\x03\x04" + bytes(range(256)) * 5000
    made = claude.files.upload(file=("generated-deck.pptx", data, PPTX))
    answer = claude.files.download(made.id)
    assert answer.read() == data
    assert answer.headers["content-type"] == PPTX
    assert "generated-deck.pptx" in answer.headers["content-disposition"]
    assert gpt.files.content(made.id).read() == data
    plain = claude.files.upload(file=("a.txt", b"x", "text/plain"))
    with pytest.raises(anthropic.BadRequestError):
        claude.files.download(plain.id)
    with pytest.raises(openai.BadRequestError):
        gpt.files.content(plain.id)


class Zeros(io.RawIOBase):
    """A large file that takes no room."""

    name = "big.bin"

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes

    def read(self, size: int = -1) -> bytes:
        size = min(self._left, 65536 if size < 0 else size)
        self._left -= size
        return bytes(size)


def form_of(size_bytes: int) -> Iterator[bytes]:
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n'
    yield b"Content-Type: application/octet-stream\r\n\r\n"
    source = Zeros(size_bytes)
    while block := source.read(65536):
        yield block
    yield b"\r\n--b--\r\n"


def memory_bytes(gate: Server, name: str) -> int:
    status = Path(f"/proc/{gate.process.pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


@pytest.mark.parametrize("shape", ["anthropic", "openai"])
def test_an_upload_of_100_mb_takes_no_memory(shape: str, gate: Server, upstream: Server) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("there is no /proc here")
    size = 100 * MB
    headers = CLAUDE | {"x-portkey-api-key": GATEWAY_KEY, "content-type": "multipart/form-data; boundary=b"}
    if shape == "anthropic":
        headers["anthropic-version"] = "2026-10-21"
    before = memory_bytes(gate, "VmRSS")
    answer = httpx.post(f"{gate.url}/v1/files", content=form_of(size), headers=headers, trust_env=False, timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.json()["size_bytes" if shape == "anthropic" else "bytes"] == size
    assert memory_bytes(gate, "VmHWM") - before < GROWTH_BYTES
    stored = httpx.get(f"{upstream.url}/_simulator/files", trust_env=False).json()["files"]
    assert stored[0]["sha256"] == hashlib.sha256(bytes(size)).hexdigest()
    record = records(gate)[-1]
    assert (record.route, record.status, record.bytes_in > size) == ("files", 200, True)


def test_an_upload_beyond_the_limit_is_cut_off(gate: Server) -> None:
    headers = CLAUDE | {"x-portkey-api-key": GATEWAY_KEY, "content-type": "multipart/form-data; boundary=b"}
    with httpx.Client(base_url=gate.url, headers=headers, trust_env=False, timeout=120) as client:
        answer = client.post("/v1/files", content=form_of(151 * MB))
    assert answer.status_code == 413
    assert "limits.file_bytes" in answer.json()["error"]["message"]
