"""Streamed replies for chat clients."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import OpaqueBlock, TextBlock, ThinkingBlock, ToolUseBlock, Usage
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Done,
    Finish,
    InputDelta,
    OpaqueDelta,
    Ping,
    Start,
    StreamError,
    TextDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import Broken, Draining, Rejected, StreamCut, TimedOut
from tests.unit.dialects.openai_chat.replies import CITATION, FOUND, REPLIES, reply, stream_of, text, use
from tests.unit.dialects.openai_chat.samples import assemble, deltas, events, listen, raw, shape, speak, view


def test_a_text_stream_byte_for_byte():
    chunks = [
        Start("msg_1", "claude-x", Usage(input=3)),
        BlockStart(0, TextBlock(text="")),
        TextDelta(0, 'Hi "you"\n'),
        BlockStop(0),
        Finish("end_turn", usage=Usage(output=2)),
        Done(),
    ]
    head = (
        '{"id":"msg_1","object":"chat.completion.chunk","created":1767225600,"model":"claude-x","provider":"anthropic",'
    )
    tail = ',"logprobs":null,"finish_reason":null}]}'
    assert speak(chunks).decode() == (
        f'data: {head}"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}}{tail}\n\n'
        f'data: {head}"choices":[{{"index":0,"delta":{{"content":"Hi \\"you\\"\\n"}}{tail}\n\n'
        f'data: {head}"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}],'
        '"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0}}}\n\n'
        "data: [DONE]\n\n"
    )


def call(number, call_id="toolu_01", name="get_weather"):
    return {
        "tool_calls": [
            {"index": number, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        ]
    }


def arguments(number, fragment):
    return {"tool_calls": [{"index": number, "function": {"arguments": fragment}}]}


def block(index, **delta):
    return {"content_blocks": [{"index": index, "delta": delta}]}


ROLE = {"role": "assistant", "content": ""}


def test_the_example_of_a_thinking_call():
    chunks = stream_of(REPLIES["thinking, then a call"])
    calls = [call(0), arguments(0, '{"cit'), arguments(0, 'y":"Oslo"}'), {}]
    assert deltas(speak(chunks)) == [ROLE, *calls]
    assert deltas(speak(chunks, strict=False)) == [
        ROLE,
        block(0, thinking="", signature=""),
        block(0, thinking="I need\u2028the forecast."),
        block(0, signature="EqQB"),
        *calls,
    ]


def test_the_example_of_a_search_with_citations():
    assert deltas(speak(stream_of(REPLIES["search with citations"]), strict=False)) == [
        ROLE,
        block(0, text=""),
        {"content": "I w", **block(0, text="I w")},
        {"content": "ill check. ", **block(0, text="ill check. ")},
        block(1, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        block(1, partial_json='{"query":"height"}'),
        block(2, **FOUND),
        block(3, text=""),
        {"content": "It ", **block(3, text="It ")},
        {"content": "is 2,469 m.", **block(3, text="is 2,469 m.")},
        block(3, citation=CITATION),
        block(3, citation=CITATION),
        {},
    ]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", REPLIES)
def test_a_stream_keeps_the_promises_of_the_format(name, strict):
    stream = speak(stream_of(REPLIES[name]), strict=strict)
    found = events(stream)
    assert stream.isascii()
    assert found[-1] == "[DONE]"
    assert found.count("[DONE]") == 1
    chunks = found[:-1]
    assert {item["id"] for item in chunks} == {"msg_1"}
    assert [item["choices"][0]["finish_reason"] is None for item in chunks] == [True] * (len(chunks) - 1) + [False]
    assert ["usage" in item for item in chunks] == [False] * (len(chunks) - 1) + [True]
    assert_calls_are_whole([item["choices"][0]["delta"] for item in chunks], REPLIES[name])


def assert_calls_are_whole(found, whole):
    calls = {}
    for delta in found:
        for entry in delta.get("tool_calls", ()):
            assert "content_blocks" not in delta
            if entry["index"] not in calls:
                assert entry["index"] == len(calls)
                calls[entry["index"]] = [entry["id"], entry["function"]["name"], ""]
            else:
                assert entry.keys() == {"index", "function"}
            calls[entry["index"]][2] += entry["function"]["arguments"]
    used = [block for block in whole.content if isinstance(block, ToolUseBlock)]
    assert [(found[0], found[1], json.loads(found[2])) for found in calls.values()] == [
        (block.id, block.name, json.loads(bytes(block.input))) for block in used
    ]


@pytest.mark.parametrize("strict", [True, False])
def test_usage_has_a_chunk_of_its_own_when_the_client_asks(strict):
    found = events(speak(stream_of(REPLIES["text"]), include_usage=True, strict=strict))
    assert found[-3]["choices"][0]["finish_reason"] is not None
    assert "usage" not in found[-3]
    assert found[-2]["choices"] == []
    assert found[-2]["usage"]["prompt_tokens"] == 531
    assert sum("usage" in item for item in found[:-1]) == 1


def test_usage_of_the_stream_equals_usage_of_the_whole():
    whole = json.loads(DIALECT.write_reply(REPLIES["text"], view()))
    assert events(speak(stream_of(REPLIES["text"])))[-2]["usage"] == whole["usage"]


def test_a_later_count_replaces_an_earlier_one():
    chunks = [Start("m", "m", Usage(input=10, output=1)), Finish("end_turn", usage=Usage(output=5)), Done()]
    assert events(speak(chunks))[-2]["usage"]["total_tokens"] == 15


def test_unknown_usage_is_not_invented():
    chunks = [Start("m", "m"), Finish("end_turn"), Done()]
    for include_usage in (True, False):
        assert all("usage" not in item for item in events(speak(chunks, include_usage=include_usage))[:-1])


def test_the_tier_stands_beside_the_usage():
    chunks = [Start("m", "m", Usage(input=1, output=1, service_tier="priority")), Finish("end_turn"), Done()]
    assert events(speak(chunks))[-2]["service_tier"] == "priority"


def test_input_of_the_start_is_sent_as_arguments():
    start = BlockStart(0, ToolUseBlock(id="t", name="f", input=raw({"a": 1})))
    assert deltas(speak([Start("m", "m"), start, BlockStop(0)])) == [ROLE, call(0, "t", "f"), arguments(0, '{"a":1}')]


def test_text_of_the_start_is_sent_as_content():
    start = BlockStart(0, TextBlock(text="Hi", citations=raw([CITATION])))
    assert deltas(speak([start])) == [{"content": "Hi"}]
    assert deltas(speak([start], strict=False)) == [
        block(0, text=""),
        block(0, citation=CITATION),
        {"content": "Hi", **block(0, text="Hi")},
    ]


def test_a_call_without_arguments_ends_with_an_empty_object():
    start = BlockStart(2, ToolUseBlock(id="t", name="f", input=EMPTY_OBJECT))
    assert deltas(speak([start, BlockStop(2)])) == [call(0, "t", "f"), arguments(0, "{}")]
    assert deltas(speak([start, InputDelta(2, '{"a'), BlockStop(2)])) == [call(0, "t", "f"), arguments(0, '{"a')]


def test_input_of_a_servers_tool_is_never_an_argument():
    chunks = [BlockStart(0, OpaqueBlock(type="mcp_tool_use", raw=raw({"type": "mcp_tool_use"}))), InputDelta(0, "{}")]
    assert speak([*chunks, BlockStop(0)]) == b""
    assert deltas(speak(chunks, strict=False)) == [block(0, type="mcp_tool_use"), block(0, partial_json="{}")]


def test_a_delta_that_nobody_knows_goes_along_without_its_type():
    delta = OpaqueDelta(0, "compaction_delta", raw({"type": "compaction_delta", "content": "é"}))
    assert speak([delta]) == b""
    assert deltas(speak([delta], strict=False)) == [block(0, content="é")]


def test_a_block_that_starts_with_its_thoughts_shows_them():
    start = BlockStart(0, ThinkingBlock(text="hm", signature="s"))
    assert deltas(speak([start], strict=False)) == [block(0, thinking="hm", signature="s")]


def test_line_breaks_within_a_carried_block_do_not_break_the_event():
    pretty = OpaqueBlock(type="x", raw=raw({}).__class__(b'{\n  "type": "x",\r\n  "a": "\xc2\x85"\n}'))
    stream = speak([BlockStart(0, pretty)], strict=False)
    assert stream.count(b"\n") == 2
    assert deltas(stream) == [block(0, type="x", a="\x85")]


def test_a_toolset_is_named_for_clients_beyond_openais_fields():
    used = ToolUseBlock(id="t", name="click", input=EMPTY_OBJECT, raw=raw({"toolset_name": "computer"}))
    assert deltas(speak([BlockStart(0, used)], strict=False))[0]["tool_calls"][0]["toolset_name"] == "computer"
    assert "toolset_name" not in deltas(speak([BlockStart(0, used)]))[0]["tool_calls"][0]


def test_who_made_a_call_goes_along_in_one_line():
    caller = {"type": "code_execution_20260120", "tool_id": "é☂"}
    used = ToolUseBlock(
        id="t",
        name="n",
        input=EMPTY_OBJECT,
        raw=msgspec.Raw(b'{"caller":\n' + json.dumps(caller, indent=1).encode() + b"}"),
    )
    assert deltas(speak([BlockStart(0, used)], strict=False))[0]["tool_calls"][0]["caller"] == caller


def test_the_last_chunk_shows_further_keys_to_clients_beyond_openais_fields():
    finish = Finish(
        "refusal",
        "END",
        Usage(output=1),
        {"container": raw({"id": "c"}), "stop_details": raw({"explanation": "nö"}), "id": raw("x")},
    )
    [strict] = events(speak([finish]))
    assert strict["choices"][0]["delta"] == {"refusal": "nö"}
    assert "container" not in strict
    [further] = events(speak([finish], strict=False))
    assert further["choices"][0]["delta"] == {"refusal": "nö", "stop_details": {"explanation": "nö"}}
    assert further["choices"][0]["stop_sequence"] == "END"
    assert further["container"] == {"id": "c"}
    assert further["id"] == "anthropic-1767225600000"


def test_a_reply_without_an_id_gets_one_for_all_chunks():
    found = events(speak([Start("", "m"), TextDelta(0, "x"), Finish("end_turn")]))
    assert {item["id"] for item in found} == {"anthropic-1767225600000"}


def test_pings_and_empty_deltas_are_not_shown():
    assert speak([Ping(), TextDelta(0, ""), InputDelta(0, "")]) == b""
    assert speak([TextDelta(0, "")], strict=False) == b""
    assert DIALECT.stream_writer(view()).ping() == b""


def test_a_providers_error_ends_the_stream_without_a_terminator():
    chunks = [
        Start("m", "m"),
        TextDelta(0, "x"),
        StreamError("overloaded_error", "Overloaded"),
        Finish("end_turn"),
        Done(),
    ]
    stream = speak(chunks)
    assert events(stream)[-1] == {
        "error": {"message": "anthropic error: Overloaded", "type": "overloaded_error", "param": None, "code": None},
        "provider": "anthropic",
    }
    assert b"[DONE]" not in stream


ERRORS = {
    "cut": (StreamCut("The provider's stream ended"), "stream_incomplete", "The provider's stream ended"),
    "broken": (Broken("connection lost"), "api_error", "connection lost"),
    "too slow": (TimedOut("no data for 300 s", phase="idle"), "timeout_error", "no data for 300 s"),
    "ours": (Draining("shutting down"), "overloaded_error", "shutting down"),
    "theirs": (Rejected("no", status=502, kind="api_error", wire_code="x"), "api_error", "anthropic error: no"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_written_once_and_nothing_follows(name):
    error, kind, message = ERRORS[name]
    writer = DIALECT.stream_writer(view())
    writer.write([Start("m", "m")])
    [event] = events(writer.error(error))
    assert event["error"]["type"] == kind
    assert event["error"]["message"] == message
    assert event["error"]["code"] == error.wire_code
    assert event["provider"] == "anthropic"
    assert writer.error(error) == b""
    assert writer.write([TextDelta(0, "x"), Done()]) == b""


def test_the_terminator_is_said_once():
    writer = DIALECT.stream_writer(view())
    assert writer.write([Finish("end_turn"), Finish("end_turn"), Done(), Done()]).count(b"data:") == 2
    assert writer.write([Done()]) == b""


@given(st.lists(st.text(max_size=8), max_size=8), st.booleans())
def test_text_arrives_as_it_was_however_it_is_cut(pieces, strict):
    chunks = [Start("m", "m"), BlockStart(0, TextBlock(text="")), *(TextDelta(0, piece) for piece in pieces)]
    stream = speak(chunks, strict=strict)
    assert stream.isascii()
    assert "".join(delta.get("content", "") for delta in deltas(stream)) == "".join(pieces)


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("name", REPLIES)
def test_what_is_written_for_others_can_be_read_back(name, include_usage):
    stream = speak(stream_of(REPLIES[name]), strict=False, include_usage=include_usage)
    assert shape(assemble(listen(stream))) == shape(REPLIES[name])


def test_chunks_written_one_by_one_or_at_once_are_the_same():
    chunks = stream_of(reply(text("abcdef"), use()))
    writer = DIALECT.stream_writer(view())
    assert b"".join(writer.write([item]) for item in chunks) == speak(chunks)
