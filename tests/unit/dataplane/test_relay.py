import asyncio
import gzip
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.dataplane import relay
from lockgate.errors import Broken, TimedOut
from tests.unit.dataplane.fakes import SSE, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
ASK_OPENAI = {**ASK, "model": "@openai/gpt-x"}
START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
}


def events(*items):
    return b"".join(f"event: {item['type']}\ndata: {json.dumps(item)}\n\n".encode() for item in items)


def text(value):
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": value}}


HEAD = events(START, {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
BODY = events({"type": "ping"}, text("Hé"), text("llo"))
TAIL = events(
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 4},
    },
    {"type": "message_stop"},
)
WHOLE = HEAD + BODY + TAIL
ERROR = events({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
CHAT_STREAM = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.fixture
def world():
    return World()


def stream(*pieces):
    return FakeResponse(200, SSE, *pieces)


def cut(data, points):
    edges = [0, *sorted(points), len(data)]
    return [piece for a, b in itertools.pairwise(edges) if (piece := data[a:b])]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_the_byte_path_relays_the_same_bytes_however_they_come(points):
    world = World()
    world.upstream.will(stream(*cut(WHOLE, points)))
    answer = world.call("/v1/messages", ASK)
    assert answer.body == WHOLE
    assert answer.is_complete
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"
    record = world.record
    assert (record.status, record.stop_reason, record.tokens.input, record.tokens.output) == (200, "end_turn", 3, 4)
    assert record.error is None
    assert record.bytes_out == len(WHOLE)
    assert 0 < record.first_event_ms <= record.duration_ms


@settings(deadline=None)
@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_a_translated_stream_is_the_same_however_it_comes(points):
    world = World()
    world.upstream.will(stream(*cut(WHOLE, points)))
    answer = world.call("/v1/chat/completions", ASK)
    chunks = [json.loads(e[6:]) for e in answer.events() if e != "data: [DONE]"]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]) == "Héllo"
    assert answer.events()[-1] == "data: [DONE]"
    assert answer.is_complete
    assert (world.record.stop_reason, world.record.tokens.input, world.record.tokens.output) == ("end_turn", 3, 4)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("at", range(len(HEAD) + 1, len(WHOLE) - 30, 13))
def test_a_stream_that_is_cut_ends_in_an_error(world, path, at):
    world.upstream.will(stream(HEAD, WHOLE[len(HEAD) : at]))
    answer = world.call(path, ASK)
    assert answer.status == 200
    assert answer.is_complete
    last = answer.events()[-1]
    assert "error" in last
    assert "[DONE]" not in answer.body.decode()
    assert "message_stop" not in answer.body.decode()
    if path == "/v1/messages":
        assert last.startswith("event: error\ndata: ")
        assert json.loads(last.split("data: ", 1)[1])["error"]["type"] == "api_error"
    else:
        assert json.loads(last[6:])["error"]["type"] == "stream_incomplete"
    assert (world.record.error, world.record.error_origin) == ("upstream_stream_cut", "provider")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize(
    "error, kinds, code",
    [
        (Broken("the connection broke"), ("stream_incomplete", "api_error"), "upstream_stream_cut"),
        (TimedOut("silent for 5 s", phase="idle"), ("timeout_error", "timeout_error"), "upstream_timeout"),
    ],
)
def test_a_connection_that_fails_in_the_middle_is_an_error_event(world, path, error, kinds, code):
    world.upstream.will(stream(HEAD + BODY, error))
    answer = world.call(path, ASK)
    assert answer.is_complete
    kind = json.loads(answer.events()[-1].split("data: ", 1)[1])["error"]["type"]
    assert kind == kinds[path == "/v1/messages"]
    assert world.record.error == code
    assert world.record.tokens.input == 3


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("error", [Broken("x"), TimedOut("x", phase="first_byte")])
def test_a_connection_that_fails_before_the_first_event_is_a_status(world, path, error):
    world.upstream.will(stream(b"event: mess", error))
    answer = world.call(path, ASK)
    assert answer.status == error.status
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_an_empty_stream_is_a_status(world, path):
    world.upstream.will(stream())
    assert world.call(path, ASK).status == 502


@pytest.mark.parametrize("before", [b"", HEAD, HEAD + BODY])
def test_an_error_event_of_the_provider_is_relayed_as_it_is_to_its_own_dialect(world, before):
    world.upstream.will(stream(before + ERROR))
    answer = world.call("/v1/messages", ASK)
    assert answer.body == before + ERROR
    assert (world.record.error, world.record.error_origin) == ("upstream_rejected", "provider")


@pytest.mark.parametrize("before", [HEAD, HEAD + BODY])
def test_an_error_event_of_the_provider_is_spoken_in_the_clients_dialect(world, before):
    world.upstream.will(stream(before, ERROR))
    answer = world.call("/v1/chat/completions", ASK)
    error = json.loads(answer.events()[-1][6:])
    assert error["error"]["type"] == "overloaded_error"
    assert error["provider"] == "anthropic"
    assert b"[DONE]" not in answer.body


CHAT_ERROR = b'data: {"error":{"message":"Overloaded","type":"server_error","code":null}}\n\n'


@pytest.mark.parametrize(
    "path, ask, before, error",
    [
        ("/v1/chat/completions", ASK, HEAD + BODY, ERROR),
        ("/v1/messages", ASK_OPENAI, CHAT_STREAM.split(b"\n\n")[0] + b"\n\n", CHAT_ERROR),
    ],
)
def test_a_translated_error_is_said_once(world, path, ask, before, error):
    world.upstream.will(stream(before, error))
    answer = world.call(path, ask)
    assert answer.status == 200
    assert answer.is_complete
    assert sum('"error"' in event for event in answer.events()) == 1
    assert '"error"' in answer.events()[-1]
    assert world.record.error == "upstream_rejected"


def test_what_came_in_the_same_read_as_an_error_is_not_lost(world):
    world.upstream.will(stream(HEAD + BODY + ERROR))
    answer = world.call("/v1/chat/completions", ASK)
    assert answer.status == 200
    assert "llo" in answer.body.decode()
    assert sum('"error"' in event for event in answer.events()) == 1


@pytest.mark.parametrize(
    "path, ask, error, status",
    [("/v1/chat/completions", ASK, ERROR, 529), ("/v1/messages", ASK_OPENAI, CHAT_ERROR, 500)],
)
def test_a_translated_error_before_the_first_event_is_a_status(world, path, ask, error, status):
    world.upstream.will(stream(error))
    answer = world.call(path, ask)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert "Overloaded" in answer.json()["error"]["message"]


def test_nothing_follows_the_end_marker_and_the_connection_is_read_to_its_end(world):
    response = stream(WHOLE, b": a late comment\n\n")
    world.upstream.will(response)
    assert world.call("/v1/messages", ASK).body == WHOLE
    assert asyncio.run(response.next_chunk()) == b""


def test_a_provider_that_hangs_after_the_end_marker_does_not_hold_the_client(world, monkeypatch):
    monkeypatch.setattr(relay, "_DRAIN_S", 0.01)

    async def hang():
        await asyncio.sleep(60)

    world.upstream.will(stream(WHOLE, hang))
    assert world.call("/v1/messages", ASK).is_complete


def test_the_record_is_written_before_the_last_event_is_sent(world):
    order = []
    world.write = lambda record: order.append("record")
    world.plane.sink = world
    world.upstream.will(stream(HEAD, BODY, TAIL))

    async def main():
        async def send(message):
            if message["type"] == "http.response.body":
                order.append("end" if not message.get("more_body") else "part")

        inbox: asyncio.Queue = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": json.dumps(ASK).encode()})
        headers = [(b"x-api-key", b"operator-key")]
        scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "headers": headers}
        await world.plane(scope, inbox.get, send)

    asyncio.run(main())
    assert order == ["part", "part", "record", "end"]


def test_openai_streams_pass_byte_for_byte(world):
    world.upstream.will(stream(CHAT_STREAM[:50], CHAT_STREAM[50:]))
    answer = world.call("/v1/chat/completions", ASK_OPENAI)
    assert answer.body == CHAT_STREAM
    assert (world.record.tokens.input, world.record.tokens.output) == (3, 2)


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b""])
def test_an_openai_stream_may_end_carelessly_once_it_has_finished(world, tail):
    body = CHAT_STREAM.removesuffix(b"data: [DONE]\n\n")
    world.upstream.will(stream(body + tail))
    answer = world.call("/v1/chat/completions", ASK_OPENAI)
    assert answer.body.startswith(body)
    assert b"error" not in answer.body
    assert world.record.error is None


def test_openai_streams_become_messages(world):
    world.upstream.will(stream(*[CHAT_STREAM[i : i + 7] for i in range(0, len(CHAT_STREAM), 7)]))
    answer = world.call("/v1/messages", ASK_OPENAI)
    kinds = [e.split("\n")[0].removeprefix("event: ") for e in answer.events()]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    start = json.loads(answer.events()[0].split("data: ")[1])
    assert start["message"]["usage"]["input_tokens"] > 0
    assert json.loads(world.sent.body)["stream_options"] == {"include_usage": True}


def test_a_compressed_stream_is_read(world):
    data = gzip.compress(WHOLE)
    headers = [*SSE, (b"content-encoding", b"gzip")]
    world.upstream.will(FakeResponse(200, headers, data[:40], data[40:]))
    assert world.call("/v1/messages", ASK).body == WHOLE


@pytest.mark.parametrize("is_stream", [True, False])
def test_a_translated_answer_must_come_in_the_form_that_was_asked_for(world, is_stream):
    world.upstream.will(
        FakeResponse(200, [(b"content-type", b"application/json")], b"{}") if is_stream else stream(WHOLE)
    )
    assert world.call("/v1/chat/completions", {**ASK, "stream": is_stream}).status == 502


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_client_that_leaves_in_a_stream_is_noted_with_what_was_used(world, path):
    leaving = []

    async def leave_and_wait():
        leaving[0]()
        await asyncio.sleep(60)

    response = stream(HEAD + BODY, leave_and_wait)
    world.upstream.will(response)
    world.call(path, ASK, leave=leaving.append)
    assert response.is_closed
    record = world.record
    assert (record.status, record.is_client_gone, record.tokens.input) == (499, True, 3)


def test_silence_is_filled_with_pings_for_clients_of_messages(world, monkeypatch):
    monkeypatch.setattr(relay, "_PING_AFTER_S", 0.02)
    monkeypatch.setattr(relay, "_PING_CHECK_S", 0.01)

    async def pause():
        await asyncio.sleep(0.1)

    first, rest = CHAT_STREAM.split(b"\n\n", 1)
    world.upstream.will(stream(first + b"\n\n", pause, rest))
    answer = world.call("/v1/messages", ASK_OPENAI)
    assert answer.body.count(b"event: ping") > 2
    assert answer.events()[-1].startswith("event: message_stop")
