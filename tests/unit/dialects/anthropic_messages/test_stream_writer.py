"""Chunks become Messages events that the official SDK's reader would take."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.chat import OpaqueBlock, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock, Usage
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    CitationDelta,
    Done,
    Finish,
    InputDelta,
    OpaqueDelta,
    Ping,
    SignatureDelta,
    Start,
    StreamError,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.sse import split_events
from lockgate.dialects import View
from lockgate.dialects.anthropic_messages.stream_writer import StreamWriter
from lockgate.errors import Broken, InvalidRequest, Rejected

VIEW = View(provider="openai", strict=True, created=1, request_id="req_1", input_estimate=58)


def write(*chunks):
    return events(StreamWriter(VIEW).write(chunks))


def events(data):
    assert data.isascii()
    assert data == b"" or data.endswith(b"\n\n")
    found = [(event.kind, msgspec.json.decode(event.data)) for event in split_events(data)]
    assert all(kind == body["type"] for kind, body in found)
    return [body for _, body in found]


def test_an_estimate_stands_where_the_provider_counts_nothing():
    [silent] = write(Finish("end_turn", None))
    assert silent["usage"] == {"output_tokens": 0}, "what began the message is not overwritten by zeros"
    [counted] = write(Finish("end_turn", None, Usage(input=0, output=3)))
    assert counted["usage"]["input_tokens"] == 0


def test_a_reply_of_another_provider_begins_with_an_estimate_and_a_ping():
    message, ping = write(Start("chatcmpl-1", "gpt"))
    assert ping == {"type": "ping"}
    assert message["message"].pop("id").startswith("msg_")
    assert message["message"] == {
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 58,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_a_known_count_wins_over_the_estimate():
    (message, _) = write(Start("msg_1", "m", Usage(input=5, output=1)))
    assert message["message"]["id"] == "msg_1"
    assert message["message"]["usage"]["input_tokens"] == 5


@pytest.mark.parametrize(
    "chunk, block, delta",
    [
        (BlockStart(0, TextBlock(text="")), {"type": "text", "text": ""}, None),
        (BlockStart(0, TextBlock(text="a")), {"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}),
        (BlockStart(0, ThinkingBlock(text="")), {"type": "thinking", "thinking": "", "signature": ""}, None),
        (
            BlockStart(0, ThinkingBlock(text="", signature="s")),
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "signature_delta", "signature": "s"},
        ),
        (BlockStart(0, RedactedThinkingBlock(data="d")), {"type": "redacted_thinking", "data": "d"}, None),
        (
            BlockStart(0, ToolUseBlock(id="i", name="n", input=Raw(b"{}"))),
            {"type": "tool_use", "id": "i", "name": "n", "input": {}},
            None,
        ),
        (
            BlockStart(0, ToolUseBlock(id="i", name="n", input=Raw(b'{"a":1}'), raw=Raw(b'{"caller":{}}'))),
            {"type": "tool_use", "id": "i", "name": "n", "input": {}, "caller": {}},
            {"type": "input_json_delta", "partial_json": '{"a":1}'},
        ),
        (
            BlockStart(0, OpaqueBlock(type="x", raw=Raw(b'{"type":"x",\n "k":1}'))),
            {"type": "x", "k": 1},
            None,
        ),
    ],
)
def test_a_block_begins_empty_and_flat(chunk, block, delta):
    first, *rest = write(chunk)
    assert first == {"type": "content_block_start", "index": 0, "content_block": block}
    assert [event["delta"] for event in rest] == ([delta] if delta else [])


@pytest.mark.parametrize(
    "chunk, delta",
    [
        (TextDelta(2, 'a"\u2028é'), {"type": "text_delta", "text": 'a"\u2028é'}),
        (ThinkingDelta(2, "t"), {"type": "thinking_delta", "thinking": "t"}),
        (SignatureDelta(2, "s"), {"type": "signature_delta", "signature": "s"}),
        (InputDelta(2, '{"a'), {"type": "input_json_delta", "partial_json": '{"a'}),
        (CitationDelta(2, Raw('{"t":"\u2028"}'.encode())), {"type": "citations_delta", "citation": {"t": "\u2028"}}),
        (OpaqueDelta(2, "x_delta", Raw(b'{"type":"x_delta","k":1}')), {"type": "x_delta", "k": 1}),
    ],
)
def test_deltas(chunk, delta):
    assert write(chunk) == [{"type": "content_block_delta", "index": 2, "delta": delta}]


def test_the_end():
    usage = Usage(input=60, output=30, cache_read=1)
    extra = {"container": Raw(b'{"id":"c"}'), "context_management": Raw(b"{}"), "type": Raw(b"1")}
    assert write(BlockStop(1), Finish("tool_use", None, usage, extra), Done()) == [
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None, "container": {"id": "c"}},
            "usage": {
                "input_tokens": 60,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 1,
                "output_tokens": 30,
            },
            "context_management": {},
        },
        {"type": "message_stop"},
    ]


def test_pings():
    assert write(Ping()) == events(StreamWriter(VIEW).ping()) == [{"type": "ping"}]


def test_nothing_to_say_is_nothing():
    assert StreamWriter(VIEW).write([]) == b""


@pytest.mark.parametrize(
    "error, expected",
    [
        (Broken("The connection broke"), {"type": "api_error", "message": "The connection broke"}),
        (
            Rejected("Overloaded", status=529, kind="overloaded_error"),
            {"type": "overloaded_error", "message": "openai error: Overloaded"},
        ),
        (
            InvalidRequest("No", wire_code="thread_not_found"),
            {"type": "invalid_request_error", "message": "No", "details": {"error_code": "thread_not_found"}},
        ),
    ],
)
def test_an_error_is_an_event(error, expected):
    assert events(StreamWriter(VIEW).error(error)) == [{"type": "error", "error": expected, "request_id": "req_1"}]


def test_a_providers_error_chunk_is_said_in_its_words():
    (event,) = write(StreamError("overloaded_error", "Overloaded"))
    assert event["error"] == {"type": "overloaded_error", "message": "Overloaded"}
