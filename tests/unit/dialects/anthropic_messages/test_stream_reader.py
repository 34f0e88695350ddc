"""Events become chunks: cut anywhere, in order, closed properly, and never out of garbage."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages.stream_reader import StreamReader
from lockgate.errors import Malformed


def event(kind, **fields):
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


def start(**fields):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], **fields}
    return event("message_start", message=message)


def opened(index, **block):
    return event("content_block_start", index=index, content_block=block)


def delta(index, **fields):
    return event("content_block_delta", index=index, delta=fields)


def stopped(index):
    return event("content_block_stop", index=index)


def closing(usage=None, **fields):
    return event("message_delta", delta=fields, usage=usage or {}) + event("message_stop")


def read(*parts, rules=None):
    reader = StreamReader(rules or ReplyRules())
    chunks = [chunk for part in parts for chunk in reader.feed(part)]
    return [*chunks, *reader.close()]


FULL = b"".join(
    [
        start(usage={"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}),
        event("ping"),
        opened(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="EqQB"),
        stopped(0),
        opened(1, type="text", text=""),
        delta(1, type="text_delta", text="grüße "),
        delta(1, type="citations_delta", citation={"type": "char_location"}),
        stopped(1),
        opened(2, type="tool_use", id="toolu_1", name="look", input={}),
        delta(2, type="input_json_delta", partial_json=""),
        delta(2, type="input_json_delta", partial_json='{"q":'),
        delta(2, type="input_json_delta", partial_json="1}"),
        stopped(2),
        opened(3, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(3, type="input_json_delta", partial_json='{"query":"x"}'),
        stopped(3),
        opened(4, type="redacted_thinking", data="ZZ"),
        stopped(4),
        event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 9}),
        event("message_stop"),
    ]
)


def test_a_full_stream():
    server = Raw(b'{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}')
    usage = Usage(input=5, cache_read=2, output=9)
    chunks = read(FULL)
    assert [type(chunk) for chunk in chunks if isinstance(chunk, Ping)] == [Ping]
    redacted = RedactedThinkingBlock(data="ZZ", raw=Raw(b'{"type":"redacted_thinking","data":"ZZ"}'))
    assert [chunk for chunk in chunks if not isinstance(chunk, Ping)] == [
        Start("msg_1", "m", Usage(input=5, cache_read=2, output=1)),
        BlockStart(0, ThinkingBlock(text="")),
        ThinkingDelta(0, "hm"),
        SignatureDelta(0, "EqQB"),
        BlockStop(0),
        BlockStart(1, TextBlock(text="")),
        TextDelta(1, "grüße "),
        CitationDelta(1, Raw(b'{"type":"char_location"}')),
        BlockStop(1),
        BlockStart(2, ToolUseBlock(id="toolu_1", name="look", input=Raw(b"{}"))),
        InputDelta(2, '{"q":'),
        InputDelta(2, "1}"),
        BlockStop(2),
        BlockStart(3, OpaqueBlock(type="server_tool_use", raw=server)),
        OpaqueDelta(3, "input_json_delta", Raw(b'{"type":"input_json_delta","partial_json":"{\\"query\\":\\"x\\"}"}')),
        BlockStop(3),
        BlockStart(4, redacted),
        BlockStop(4),
        Finish("tool_use", None, usage, {}),
        Done(),
    ]


def test_a_cut_at_any_byte_gives_the_same_chunks():
    whole = read(FULL)
    for at in range(len(FULL)):
        assert read(FULL[:at], FULL[at:]) == whole
    assert read(*(FULL[at : at + 1] for at in range(len(FULL)))) == whole


def test_what_a_block_holds_from_the_start_is_said_in_deltas():
    chunks = read(
        start()
        + opened(0, type="text", text="a", citations=[{"c": 1}])
        + stopped(0)
        + opened(1, type="thinking", thinking="b", signature="s")
        + stopped(1)
        + opened(2, type="tool_use", id="i", name="n", input={"a": 1})
        + stopped(2)
        + closing()
    )
    assert chunks[1:-2] == [
        BlockStart(0, TextBlock(text="")),
        TextDelta(0, "a"),
        CitationDelta(0, Raw(b'{"c":1}')),
        BlockStop(0),
        BlockStart(1, ThinkingBlock(text="")),
        ThinkingDelta(1, "b"),
        SignatureDelta(1, "s"),
        BlockStop(1),
        BlockStart(2, ToolUseBlock(id="i", name="n", input=Raw(b"{}"))),
        InputDelta(2, '{"a":1}'),
        BlockStop(2),
    ]


def test_a_tool_call_keeps_the_keys_that_we_do_not_type():
    chunks = read(start() + opened(0, type="tool_use", id="i", name="n", input={}, toolset_name="computer") + closing())
    assert b'"toolset_name":"computer"' in bytes(chunks[1].block.raw)


def test_usage_is_replaced_and_never_added():
    usage = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 7, "service_tier": "standard"}
    later = {"output_tokens": 30, "cache_read_input_tokens": None, "server_tool_use": {"web_search_requests": 1}}
    finish = read(start(usage=usage) + closing(later, stop_reason="end_turn"))[-2]
    assert finish.usage == Usage(
        input=5,
        output=30,
        cache_read=7,
        service_tier="standard",
        extra={"server_tool_use": Raw(b'{"web_search_requests":1}')},
    )


def test_a_stop_reason_may_come_before_the_last_usage():
    parts = start() + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
    finish = read(parts + closing({"output_tokens": 2}))[-2]
    assert (finish.reason, finish.usage.output) == ("end_turn", 2)


def test_further_keys_of_the_message_and_its_end_are_kept():
    closing_event = event(
        "message_delta",
        delta={"stop_reason": "end_turn", "container": {"id": "c"}, "stop_details": None},
        usage={},
        context_management={"x": 1},
    )
    finish = read(start(diagnostics={"d": 1}, container=None) + closing_event + event("message_stop"))[-2]
    assert finish.extra == {
        "diagnostics": Raw(b'{"d":1}'),
        "container": Raw(b'{"id":"c"}'),
        "context_management": Raw(b'{"x":1}'),
    }


@pytest.mark.parametrize(
    "noise",
    [
        b"data: [DONE]\n\n",
        b": comment\n\n",
        b"event: vertex_event\ndata: {}\n\n",
        event("of_tomorrow", index=5),
        b"data: {}\n\n",
        b"\n\n",
    ],
)
def test_unknown_events_are_passed_over(noise):
    stream = start() + opened(0, type="text", text="") + stopped(0) + closing()
    assert read(noise + start() + noise + opened(0, type="text", text="") + stopped(0) + noise + closing()) == read(
        stream
    )


def test_the_kind_of_an_event_may_stand_on_its_event_line():
    chunks = read(start() + b'event: error\ndata: {"error":{"type":"overloaded_error","message":"Overloaded"}}\n\n')
    assert chunks[-1] == StreamError("overloaded_error", "Overloaded")


def test_the_last_event_may_lack_its_blank_line():
    assert read((start() + closing()).rstrip(b"\n")) == read(start() + closing())


def test_crlf_streams_are_read():
    assert read(FULL.replace(b"\n", b"\r\n")) == read(FULL)


def test_an_error_ends_the_stream():
    error = {"type": "rate_limit_error", "message": "Slow down", "details": {"error_code": "ramp_limit_exceeded"}}
    reader = StreamReader(ReplyRules())
    chunks = reader.feed(start() + event("error", error=error) + opened(0, type="text", text=""))
    assert chunks[1:] == [StreamError("rate_limit_error", "Slow down", "ramp_limit_exceeded")]
    assert list(reader.close()) == []
    assert reader.is_complete is False


def test_nothing_follows_the_end():
    reader = StreamReader(ReplyRules())
    reader.feed(start() + closing())
    assert reader.is_complete is True
    assert list(reader.feed(start() + b"data: [DONE]\n\n")) == []
    assert list(reader.close()) == []


@pytest.mark.parametrize("kept", [b"", start(), start() + opened(0, type="text", text=""), FULL[:-40]])
def test_a_stream_cut_short_is_malformed(kept):
    reader = StreamReader(ReplyRules())
    reader.feed(kept)
    with pytest.raises(Malformed):
        reader.close()


@pytest.mark.parametrize(
    "bad",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: <html>\n\n",
        b'data: {"type":5}\n\n',
        b'data: {"type":"message_start"}\n\n',
        b'data: {"type":"message_start","message":{"content":5}}\n\n',
        start() + delta(0, type="text_delta", text="a"),
        opened(0, type="text", text=""),
        start() + event("content_block_start", index=0),
        start() + opened(0, type="text"),
        start() + opened(0, type="text", text="") + event("content_block_delta", index=0),
        start() + opened(0, type="text", text="") + delta(0, type="text_delta", text=5),
        start() + closing({"output_tokens": "many"}),
        b'data: {"type":"ping","x":"\xff"}\n\n' + b'data: {"type":"\xff"}\n\n',
    ],
)
def test_garbage_is_malformed_and_not_quoted(bad):
    with pytest.raises(Malformed) as caught:
        StreamReader(ReplyRules()).feed(bad)
    assert "html" not in caught.value.message


@given(st.integers(0, len(FULL)), st.binary(max_size=30), st.integers(0, 60))
def test_damage_raises_nothing_else(at, noise, lost):
    reader = StreamReader(ReplyRules())
    try:
        reader.feed(FULL[:at] + noise + FULL[at + lost :])
        reader.close()
    except Malformed:
        pass


def test_an_unclosed_block_is_closed():
    chunks = read(start() + opened(0, type="text", text="") + opened(1, type="text", text="") + closing())
    assert [type(chunk) for chunk in chunks] == [Start, BlockStart, BlockStop, BlockStart, BlockStop, Finish, Done]
