"""Documents by URL for providers that take none: fetched within bounds, guarded, once; refused with their path."""

import asyncio
import base64
import json

import pytest
from msgspec import structs

from lockgate.dataplane import documents
from lockgate.errors import Broken, Malformed, TimedOut, Unreachable
from tests.unit.dataplane.fakes import JSON, FakeResponse, World

URL = "https://papers.example/a%20b.pdf?v=1"
PDF = b"%PDF-1.7 a document"
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "read"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
WHERE = "messages[0].content[1].source.url"


def page(data=PDF, content_type=b"application/pdf", status=200, *more):
    return lambda: FakeResponse(status, [(b"content-type", content_type), *more], data)


def paper(url=URL, **more):
    return {"type": "document", "source": {"type": "url", "url": url}, **more}


def ask_of(*blocks, model="@openai/gpt-x"):
    content = [{"type": "text", "text": "Read"}, *blocks]
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}


def answer(status=200):
    return FakeResponse(status, JSON, json.dumps(CHAT if status == 200 else {"error": {"message": "no"}}).encode())


@pytest.fixture
def world():
    world = World()
    world.upstream.pages[URL] = page()
    return world


def at_most(world, size_bytes):
    snapshot = world.plane.snapshot
    limits = structs.replace(snapshot.limits, document_bytes=size_bytes)
    world.plane.snapshot = structs.replace(snapshot, limits=limits)


def parts_of(world, at=0):
    return json.loads(world.upstream.sent[at].body)["messages"][0]["content"]


def test_a_document_is_fetched_and_sent_along_and_the_answer_says_so(world):
    world.upstream.will(answer())
    got = world.call("/v1/messages", ask_of(paper(title="Paper")), x_secret="mine", user_agent="client/1")
    assert got.status == 200, got.body
    data = base64.b64encode(PDF).decode()
    assert parts_of(world)[1] == {
        "type": "file",
        "file": {"filename": "Paper", "file_data": f"data:application/pdf;base64,{data}"},
    }
    (fetch,) = world.upstream.fetched
    assert (fetch.method, fetch.body, fetch.origin.guarded) == ("GET", b"", True)
    names = {name for name, _ in fetch.headers}
    assert names == {b"accept", b"accept-encoding", b"user-agent"}, "nothing of the client's or ours goes along"
    assert dict(fetch.headers)[b"user-agent"] == b"lockgate"
    note = f"{WHERE}: fetched and sent along, openai takes no URLs of documents"
    assert got.headers["x-lockgate-adjusted"] == note
    assert world.record.adjusted == (note,)


def test_a_document_in_a_tools_result_is_fetched_too(world):
    world.upstream.will(answer())
    body = ask_of()
    body["messages"] += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [paper()]}]},
    ]
    assert world.call("/v1/messages", body).status == 200
    assert base64.b64encode(PDF) in world.sent.body


@pytest.mark.parametrize(
    "content_type, data, text",
    [
        (b"text/plain; charset=utf-8", "caf\u00e9".encode(), "caf\u00e9"),
        (b'text/markdown; charset="iso-8859-1"', "caf\u00e9".encode("latin-1"), "caf\u00e9"),
        (b"TEXT/CSV", b"a,b", "a,b"),
    ],
)
def test_plain_text_stays_text(world, content_type, data, text):
    world.upstream.pages[URL] = page(data, content_type)
    world.upstream.will(answer())
    assert world.call("/v1/messages", ask_of(paper())).status == 200
    assert text in json.dumps(parts_of(world), ensure_ascii=False)


def test_a_pdf_is_known_by_its_first_bytes(world):
    world.upstream.pages[URL] = page(PDF, b"application/octet-stream")
    world.upstream.will(answer())
    assert world.call("/v1/messages", ask_of(paper())).status == 200
    assert parts_of(world)[1]["type"] == "file"


def test_each_is_fetched_once_however_often_it_stands_there_and_is_sent(world):
    world.upstream.will(answer(500), answer())
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@openai"}, {"provider": "@openai"}]}
    got = world.call("/v1/messages", ask_of(paper(), paper(), model="gpt-x"), x_portkey_config=json.dumps(config))
    assert got.status == 200
    assert len(world.upstream.fetched) == 1
    assert [len(parts_of(world, at)) for at in (0, 1)] == [3, 3]


def test_a_provider_that_takes_urls_gets_the_url(world):
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": "end_turn",
    }
    world.upstream.will(FakeResponse(200, JSON, json.dumps({**message, "usage": {}}).encode()))
    world.call("/v1/messages", ask_of(paper(), model="@anthropic/claude-x"))
    assert not world.upstream.fetched
    assert URL.encode() in world.sent.body


def never():
    class Silent(FakeResponse):
        async def read(self, limit_bytes):
            await asyncio.Event().wait()

    return Silent(200, [])


def raising(error):
    def send():
        raise error

    return send


@pytest.mark.parametrize(
    "answers, reason",
    [
        (page(b"no", b"text/plain", 404), "the answer has status 404"),
        (page(b"", b"text/plain", 302, (b"location", b"http://10.0.0.1/")), "the answer has status 302"),
        (page(b"<html>", b"text/html"), "it is neither a PDF nor plain text"),
        (page(b"\xff\xfe", b"text/plain"), "it is neither a PDF nor plain text"),
        (page(b"x", b"text/plain; charset=nobody-knows"), "it is neither a PDF nor plain text"),
        (page(b"x", b"image/png"), "it is neither a PDF nor plain text"),
        (
            page(PDF, b"application/pdf", 200, (b"content-encoding", b"gzip")),
            "it is compressed, which was not asked for",
        ),
        (page(b"%PDF-" + b"x" * 2000), "it is larger than"),
        (raising(Unreachable("secret-host")), "there was no answer (upstream_unreachable)"),
        (raising(Broken("x")), "there was no answer (upstream_broken)"),
        (raising(TimedOut("x", phase="connect")), "there was no answer (upstream_timeout)"),
        (raising(Malformed("x")), "it is larger than"),
        (never, "it took longer than"),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_its_path_and_nothing_is_sent(world, monkeypatch, answers, reason):
    at_most(world, 1000)
    monkeypatch.setattr(documents, "LIMIT_S", 0.01 if answers is never else 60)
    world.upstream.pages[URL] = answers
    got = world.call("/v1/messages", ask_of(paper()))
    assert got.status == 400
    assert got.json()["error"]["type"] == "invalid_request_error"
    assert got.json()["error"]["message"].startswith(f"{WHERE}: the document could not be fetched: {reason}")
    assert got.headers["x-should-retry"] == "false"
    assert not world.upstream.sent
    assert "secret-host" not in got.body.decode()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/a.pdf", "http://169.254.169.254/latest", "file:///etc/passwd", "https://u:p@e.org/", "//e.org"],
)
def test_a_place_that_no_client_may_name_is_never_asked(world, url):
    got = world.call("/v1/messages", ask_of(paper(url)))
    assert got.status == 400
    assert got.json()["error"]["message"].startswith(f"{WHERE}: the document could not be fetched: ")
    assert not world.upstream.sent


def test_all_together_are_bounded(world):
    at_most(world, 1000)
    urls = [f"https://papers.example/{number}" for number in range(3)]
    world.upstream.pages.update({url: page(b"%PDF-" + b"x" * 895) for url in urls})
    got = world.call("/v1/messages", ask_of(*map(paper, urls)))
    assert got.status == 400
    assert "messages[0].content[3].source.url" in got.json()["error"]["message"]
    many = [paper(f"https://papers.example/{number}") for number in range(documents.MAX_DOCUMENTS + 1)]
    assert world.call("/v1/messages", ask_of(*many)).status == 400
    assert len(world.upstream.fetched) == 3


def test_an_operator_may_have_none_fetched(world):
    at_most(world, 0)
    got = world.call("/v1/messages", ask_of(paper()))
    assert (got.status, world.upstream.fetched) == (400, [])
    assert "this gateway fetches none (limits.document_bytes)" in got.json()["error"]["message"]


def test_a_document_that_cannot_be_fetched_leaves_the_next_target(world):
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": "end_turn",
    }
    world.upstream.pages[URL] = page(b"", b"text/plain", 500)
    world.upstream.will(FakeResponse(200, JSON, json.dumps({**message, "usage": {}}).encode()))
    config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@openai"}, {"provider": "@anthropic"}]}
    got = world.call("/v1/messages", ask_of(paper(), model="m"), x_portkey_config=json.dumps(config))
    assert (got.status, got.headers["x-portkey-last-used-option-index"]) == (200, "config.targets[1]")
