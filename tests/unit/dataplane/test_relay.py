import asyncio
import gzip
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.dataplane import relay
from lockgate.dataplane.client import ClientConnection
from lockgate.errors import Broken, TimedOut
from tests.unit.dataplane.fakes import SSE, FakeResponse, World

ASK = {"model": "@anthropic/claude-x", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
ASK_OPENAI = {**ASK, "model": "@openai/gpt-x"}
ASK_USAGE = {**ASK_OPENAI, "stream_options": {"include_usage": True}}
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
    answer = world.call("/v1/chat/completions", ASK_USAGE)
    assert answer.body == CHAT_STREAM
    assert json.loads(world.sent.body) == {**ASK_USAGE, "model": "gpt-x"}
    assert (world.record.tokens.input, world.record.tokens.output) == (3, 2)


@pytest.mark.parametrize("size", [len(CHAT_STREAM), 7, 1])
@pytest.mark.parametrize("asked", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
def test_usage_is_asked_for_and_kept_from_a_client_that_did_not_ask(world, size, asked):
    world.upstream.will(stream(*[CHAT_STREAM[i : i + size] for i in range(0, len(CHAT_STREAM), size)]))
    answer = world.call("/v1/chat/completions", {**ASK_OPENAI, **asked})
    parts = CHAT_STREAM.split(b"\n\n")
    assert answer.body == b"\n\n".join([*parts[:3], *parts[4:]])
    assert answer.is_complete
    assert json.loads(world.sent.body)["stream_options"] == {"include_usage": True}
    assert (world.record.tokens.input, world.record.tokens.output) == (3, 2)
    assert world.record.bytes_out == len(answer.body)


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b""])
def test_an_openai_stream_may_end_carelessly_once_it_has_finished(world, tail):
    body = CHAT_STREAM.removesuffix(b"data: [DONE]\n\n")
    world.upstream.will(stream(body + tail))
    answer = world.call("/v1/chat/completions", ASK_USAGE)
    assert answer.body.rstrip() == body + b"data: [DONE]"
    assert answer.body.endswith(b"\n\n")
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


FIRST_CHUNKS = b"\n\n".join(CHAT_STREAM.split(b"\n\n")[:2]) + b"\n\n"


def deadline_passes(world):
    """What the server does to a request that still runs at the end of ``server.drain_s``."""

    async def cancel():
        world.plane.is_draining = True
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    return cancel


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("ask, before", [(ASK, HEAD + BODY), (ASK_OPENAI, FIRST_CHUNKS)])
def test_a_stream_that_the_drain_deadline_cuts_ends_in_an_error(world, path, ask, before):
    response = stream(before, deadline_passes(world))
    world.upstream.will(response)
    answer = world.call(path, ask)
    assert answer.is_complete
    assert response.is_closed
    *_, last = answer.events()
    if path == "/v1/messages":
        assert last.startswith("event: error\ndata: ")
    assert json.loads(last.split("data: ", 1)[1])["error"]["type"] == "overloaded_error"
    assert sum('"error"' in event for event in answer.events()) == 1
    assert b"[DONE]" not in answer.body
    assert b"message_stop" not in answer.body
    record = world.record
    assert (record.status, record.error, record.error_origin) == (200, "draining", "gateway")
    assert record.bytes_out == len(answer.body)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_half_event_is_not_sent_before_the_error_of_the_drain_deadline(world, path):
    world.upstream.will(stream(HEAD + BODY + TAIL[:30], deadline_passes(world)))
    answer = world.call(path, ASK)
    kinds = [event.split("\n")[0] for event in answer.events()]
    assert kinds[-1] == "event: error" if path == "/v1/messages" else kinds[-1].startswith('data: {"error"')
    assert b"content_block_stop" not in answer.body


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_the_drain_deadline_adds_nothing_to_a_complete_answer(world, path):
    world.upstream.will(stream(WHOLE, deadline_passes(world)))
    answer = world.call(path, ASK)
    assert answer.is_complete
    assert b'"error"' not in answer.body
    assert world.record.error is None


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_the_drain_deadline_before_the_first_event_is_a_status(world, path):
    world.upstream.will(stream(deadline_passes(world)))
    assert world.call(path, ASK).status == 503


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_client_that_does_not_read_does_not_hold_up_the_end(world, path, monkeypatch):
    monkeypatch.setattr(relay, "_LAST_WORDS_S", 0.01)
    world.upstream.will(stream(HEAD + BODY, deadline_passes(world)))
    end = relay_end_that_blocks(monkeypatch)
    world.call(path, ASK)
    assert end == ["blocked"]
    assert world.record.error == "draining"


def relay_end_that_blocks(monkeypatch):
    calls = []

    async def end(client, body=b""):
        calls.append("blocked")
        await asyncio.Event().wait()

    monkeypatch.setattr(ClientConnection, "end", end)
    return calls


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


BILLED_START = {
    **START,
    "message": {
        **START["message"],
        "usage": {
            "input_tokens": 3,
            "output_tokens": 1,
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 4},
            "service_tier": "priority",
            "speed": "fast",
            "inference_geo": "us",
        },
    },
}
BILLED_END = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {
        "input_tokens": 30,
        "output_tokens": 40,
        "cache_creation_input_tokens": 5,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    },
}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_all_that_a_price_depends_on_survives_a_stream(world, path):
    world.upstream.will(stream(events(BILLED_START, BILLED_END, {"type": "message_stop"})))
    world.call(path, ASK)
    tokens = world.record.tokens
    assert (tokens.input, tokens.output, tokens.cache_write, tokens.cache_write_1h) == (30, 40, 5, 4)
    assert tokens.units == {"web_search": 2}
    assert (tokens.service_tier, tokens.speed, tokens.inference_geo) == ("priority", "fast", "us")


AUDIO = {
    "prompt_tokens": 30,
    "completion_tokens": 20,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 12},
    "completion_tokens_details": {"audio_tokens": 15},
}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_audio_and_tier_survive_a_stream_of_openai(world, path):
    usage = json.dumps(AUDIO).encode()
    plain = b'{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}'
    body = CHAT_STREAM.replace(plain, usage + b',"service_tier":"flex"')
    world.upstream.will(stream(body))
    world.call(path, ASK_OPENAI)
    tokens = world.record.tokens
    assert (tokens.input, tokens.cache_read, tokens.output) == (20, 10, 20)
    assert (tokens.input_audio, tokens.output_audio, tokens.service_tier) == (12, 15, "flex")


@pytest.mark.parametrize(
    "odd",
    [
        b'event: ping\ndata: {"type":\ndata: "ping"}\n\n',
        b'event: ping\r\ndata: {"type": "ping"}\r\n\r\n',
        b": a comment\n\n",
        b"event: ping\ndata:\n\n",
        b'event: soon\ndata:["x"]\n\n',
        rb'data: {"type":"ping","half":"\ud83d"}' + b"\n\n",
    ],
)
def test_odd_but_legal_events_pass_as_they_are(odd):
    world = World()
    world.upstream.will(FakeResponse(200, SSE, HEAD, odd, BODY + TAIL))
    assert world.call("/v1/messages", ASK).body == HEAD + odd + BODY + TAIL


@pytest.mark.parametrize(
    "bad", [b'event: ping\ndata: {"type": "ping",\n\n', b"data: oops\n\n", b"data: [1\n\ndata: {\n\n"]
)
def test_an_event_that_is_no_json_breaks_the_stream(bad):
    world = World()
    world.upstream.will(FakeResponse(200, SSE, HEAD, bad, BODY + TAIL))
    answer = world.call("/v1/messages", ASK)
    last = answer.events()[-1]
    assert answer.body.startswith(HEAD)
    assert last.startswith("event: error")
    assert json.loads(last.partition("data: ")[2])["error"]["type"]
    assert world.record.error == "upstream_malformed"


def told_by(captured):
    return b"".join(captured.pieces)


def test_a_relayed_stream_is_handed_over_as_the_client_got_it(world):
    world.upstream.will(stream(*cut(WHOLE, [10, 500])))
    answer = world.call("/v1/messages", ASK)
    found = world.capture
    assert told_by(found.response_stream) == answer.body == WHOLE
    assert (found.response_stream.dialect, found.upstream_stream, found.response) == ("anthropic_messages", None, b"")
    assert dict(found.response_headers)[b"content-type"] == b"text/event-stream; charset=utf-8"


def test_a_translated_stream_is_handed_over_in_both_forms(world):
    world.upstream.will(stream(*cut(WHOLE, [10, 500])))
    answer = world.call("/v1/chat/completions", ASK)
    found = world.capture
    assert (told_by(found.response_stream), told_by(found.upstream_stream)) == (answer.body, WHOLE)
    assert (found.response_stream.dialect, found.upstream_stream.dialect) == ("openai_chat", "anthropic_messages")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("end", [Broken("it broke"), ERROR, b""], ids=["broken", "error event", "cut"])
def test_a_stream_that_fails_is_handed_over_with_its_error(world, path, end):
    world.upstream.will(stream(HEAD + BODY, end))
    answer = world.call(path, ASK)
    assert told_by(world.capture.response_stream) == answer.body
    assert b"error" in answer.body


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_what_a_client_got_before_it_left_is_handed_over(world, path):
    leaving = []

    async def leave_and_wait():
        leaving[0]()
        await asyncio.sleep(60)

    world.upstream.will(stream(HEAD + BODY, leave_and_wait))
    answer = world.call(path, ASK, leave=leaving.append)
    assert told_by(world.capture.response_stream) == answer.body
