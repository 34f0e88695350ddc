"""Streams of providers, read into canonical chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import TextBlock, ToolUseBlock, Usage
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Done,
    Finish,
    InputDelta,
    Start,
    StreamError,
    TextDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT
from lockgate.dialects import ReplyRules
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import Malformed
from tests.unit.dialects.openai_chat.replies import REPLIES, stream_of
from tests.unit.dialects.openai_chat.samples import assemble, call_delta, chunk, data, encode, listen, raw, shape, speak

ROLE = {"role": "assistant", "content": "", "refusal": None}
USAGE = {
    "prompt_tokens": 60,
    "completion_tokens": 30,
    "total_tokens": 90,
    "prompt_tokens_details": {"cached_tokens": 0},
}
END = chunk(finish="stop")


def reply(*objects, rules=None):
    return shape(assemble(listen(data(*objects), rules)))


def content(*deltas, finish="stop", **fields):
    found = reply(*(chunk(delta) for delta in deltas), chunk(finish=finish), "[DONE]")
    return found.get("content", [])


def test_the_example_of_the_specification():
    stream = data(
        chunk(ROLE),
        chunk({"content": "Checking"}),
        chunk(call_delta(0, id="call_a", name="w", args="")),
        chunk(call_delta(0, args='{"c":"Rome"}')),
        chunk(call_delta(1, id="call_b", name="w", args='{"c":')),
        chunk(call_delta(1, args='"Oslo"}')),
        chunk(finish="tool_calls"),
        chunk(choices=[], usage=USAGE),
        "[DONE]",
    )
    assert listen(stream) == [
        Start("chatcmpl-1", "gpt-5"),
        BlockStart(0, TextBlock(text="")),
        TextDelta(0, "Checking"),
        BlockStop(0),
        BlockStart(1, ToolUseBlock(id="call_a", name="w", input=EMPTY_OBJECT)),
        InputDelta(1, '{"c":"Rome"}'),
        BlockStop(1),
        BlockStart(2, ToolUseBlock(id="call_b", name="w", input=EMPTY_OBJECT)),
        InputDelta(2, '{"c":'),
        InputDelta(2, '"Oslo"}'),
        BlockStop(2),
        Finish("tool_use", usage=Usage(input=60, output=30, cache_read=0)),
        Done(),
    ]


def test_content_is_passed_on_as_it_comes():
    reader = DIALECT.stream_reader(ReplyRules())
    assert [type(item) for item in reader.feed(data(chunk(ROLE)))] == [Start]
    assert reader.feed(data(chunk({"content": "a"})))[-1] == TextDelta(0, "a")
    assert reader.feed(data(chunk({"content": "b"}))) == [TextDelta(0, "b")]
    assert not reader.is_complete
    reader.feed(data(END, "[DONE]"))
    assert reader.is_complete


CONTENTS = {
    "text": ([{"content": "a"}, {"content": None}, {"content": "b"}], [{"_": "TextBlock", "text": "ab"}]),
    "empty text alone": ([ROLE, {"content": ""}], []),
    "reasoning_content": (
        [{"reasoning_content": "hm"}, {"reasoning_content": None, "content": "x"}],
        [{"_": "ThinkingBlock", "text": "hm"}, {"_": "TextBlock", "text": "x"}],
    ),
    "reasoning": ([{"reasoning": "hm", "content": ""}], [{"_": "ThinkingBlock", "text": "hm"}]),
    "reasoning with a signature": (
        [{"reasoning_details": [{"text": "hm"}]}, {"reasoning_details": [{"signature": "s"}]}],
        [{"_": "ThinkingBlock", "text": "hm", "signature": "s"}],
    ),
    "reasoning and text in one chunk": (
        [{"reasoning_content": "hm", "content": "x"}],
        [{"_": "ThinkingBlock", "text": "hm"}, {"_": "TextBlock", "text": "x"}],
    ),
    "parts": ([{"content": [{"type": "text", "text": "x"}]}], [{"_": "TextBlock", "text": "x"}]),
    "empty list of calls": ([{"content": "x", "tool_calls": []}], [{"_": "TextBlock", "text": "x"}]),
    "call without a function": (
        [{"tool_calls": [{"index": 0, "id": "a"}]}, call_delta(0, name="f", args="{}")],
        [{"_": "ToolUseBlock", "id": "a", "name": "f", "input": {}}],
    ),
    "legacy function call": (
        [{"function_call": {"name": "f", "arguments": '{"n"'}}, {"function_call": {"arguments": ":1}"}}],
        [{"_": "ToolUseBlock", "name": "f", "input": {"n": 1}}],
    ),
    "content blocks of another gateway": (
        [
            {"content_blocks": [{"index": 0, "delta": {"thinking": "", "signature": ""}}]},
            {"content_blocks": [{"index": 0, "delta": {"thinking": "hm"}}]},
            {"content_blocks": [{"index": 0, "delta": {"signature": "s"}}]},
            {"content_blocks": [{"index": 1, "delta": {"data": "enc"}}]},
            {"content_blocks": [{"index": 2, "delta": {"type": "redacted_thinking", "data": "enc"}}]},
            {"content": "x", "content_blocks": [{"index": 3, "delta": {"text": "x"}}]},
            {"content_blocks": [{"index": 4, "delta": {"type": "hologram", "z": 1}}]},
            {"content_blocks": [{"index": 4, "delta": {"y": 2}}]},
        ],
        [
            {"_": "ThinkingBlock", "text": "hm", "signature": "s"},
            {"_": "RedactedThinkingBlock", "data": "enc"},
            {"_": "RedactedThinkingBlock", "data": "enc"},
            {"_": "TextBlock", "text": "x"},
            {"_": "OpaqueBlock", "type": "hologram", "raw": {"type": "hologram", "z": 1, "y": 2}},
        ],
    ),
    "content blocks that cannot be read": (
        [{"content_blocks": [1, {"index": "x"}, {"delta": 3}, {"index": 10**30, "text": ""}], "content": "x"}],
        [{"_": "TextBlock", "text": "x"}],
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_of_every_spelling_is_read(name):
    deltas, blocks = CONTENTS[name]
    found = content(*deltas)
    if name == "legacy function call":
        assert found[0].pop("id").startswith("toolu_")
    assert found == blocks


def test_only_the_first_choice_counts():
    second = {"index": 1, "delta": {"content": "other"}, "finish_reason": None}
    assert (
        content({"content": "x"}) == reply(chunk({"content": "x"}), chunk(choices=[second]), END, "[DONE]")["content"]
    )


def test_usage_may_come_anywhere_and_the_last_counts():
    later = {**USAGE, "completion_tokens": 31}
    for stream in (
        [chunk({"content": "x"}, usage=USAGE), chunk(finish="stop", usage=later)],
        [chunk({"content": "x"}, usage=later), END],
        [chunk({"content": "x"}), END, chunk(choices=[], usage=later)],
        [chunk({"content": "x"}, usage=USAGE), END, chunk(choices=[], usage=later), chunk(choices=[], usage=None)],
    ):
        assert reply(*stream, "[DONE]")["usage"]["output"] == 31


def test_the_tier_is_part_of_usage():
    assert (
        reply(chunk({"content": "x"}, service_tier="priority"), chunk(finish="stop", usage=USAGE), "[DONE]")["usage"][
            "service_tier"
        ]
        == "priority"
    )


FINISHES = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
    "eos": "end_turn",
    "odd": "end_turn",
}


@pytest.mark.parametrize("finish", FINISHES)
def test_a_finish_reason_becomes_canonical(finish):
    assert reply(chunk({"content": "x"}), chunk(finish=finish), "[DONE]")["stop_reason"] == FINISHES[finish]


@pytest.mark.parametrize(
    ("finish", "stop"), [("stop", "tool_use"), ("length", "max_tokens"), ("tool_calls", "tool_use")]
)
def test_a_call_counts_whatever_the_provider_says(finish, stop):
    assert reply(chunk(call_delta(0, id="a", name="f")), chunk(finish=finish), "[DONE]")["stop_reason"] == stop


def test_a_refusal_is_text_and_a_reason():
    found = reply(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), END, "[DONE]")
    assert found["content"] == [{"_": "TextBlock", "text": "I cannot."}]
    assert found["stop_reason"] == "refusal"


def test_names_that_were_mapped_are_restored():
    rules = ReplyRules(tool_names={"my_tool": "my tool"})
    found = reply(chunk(call_delta(0, id="a", name="my_tool")), chunk(finish="tool_calls"), "[DONE]", rules=rules)
    assert found["content"][0]["name"] == "my tool"


ENDINGS = {
    "with a terminator": b"data: [DONE]\n\n",
    "without": b"",
    "with two": b"data: [DONE]\n\ndata: [DONE]\n\n",
    "without the blank line": b"data: [DONE]",
    "with more behind it": b'data: [DONE]\n\ndata: {"choices":[{"delta":{"content":"late"}}]}\n\ndata: garbage\n\n',
    "with comments": b": ping\n\ndata: [DONE]\n\n: bye\n\n",
    "with spaces": b"data:[DONE] \n\n",
    "with CRLF": b"data: [DONE]\r\n\r\n",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_stream_may_end_in_many_ways(name):
    stream = data(chunk({"content": "x"}), END) + ENDINGS[name]
    for size in (None, 1):
        found = listen(stream, size=size)
        assert found[-2:] == [Finish("end_turn"), Done()]
        assert found.count(Done()) == 1
        assert shape(assemble(found))["content"] == [{"_": "TextBlock", "text": "x"}]


def test_a_terminator_without_a_finish_reason_is_an_end():
    assert listen(data(chunk({"content": "x"}), "[DONE]"))[-2:] == [Finish("end_turn"), Done()]


CUTS = {
    "nothing": b"",
    "comments": b": ping\n\n",
    "a terminator alone": b"data: [DONE]\n\n",
    "no finish reason": data(chunk(ROLE), chunk({"content": "x"})),
    "an event cut short": data(chunk(ROLE), chunk({"content": "x"})) + b'data: {"id":"chatcmpl-1","cho',
    "a page": b"<html>502</html>\n\n",
}


@pytest.mark.parametrize("name", CUTS)
def test_a_stream_that_was_cut_short_is_malformed(name):
    with pytest.raises(Malformed):
        listen(CUTS[name])


@pytest.mark.parametrize("line", ["{", "[]", '"x"', '{"choices":{}}', '{"choices":[{"delta":{"content":1}}]}', "x" * 9])
def test_a_chunk_that_cannot_be_read_is_malformed(line):
    with pytest.raises(Malformed):
        listen(data(chunk(ROLE), line, END))


@given(st.binary(max_size=60).filter(lambda garbage: b"[DONE]" not in garbage))
def test_garbage_is_malformed_and_nothing_else(garbage):
    for stream in (garbage, b"data: " + garbage + b"\n\n", data(chunk(ROLE)) + garbage):
        with pytest.raises(Malformed):
            listen(stream)


ERRORS = {
    "OpenAI": data({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}),
    "by the event's kind": b'event: error\ndata: {"message":"slow down","code":429}\n\n',
    "by the object's kind": data({"object": "error", "message": "slow down", "code": 429}),
    "Anthropic": data({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}),
    "beside choices": data({"id": "x", "choices": [], "error": {"message": "slow down", "code": 429}}),
}


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_in_the_stream_ends_it(name, begun):
    start = data(chunk(ROLE), chunk({"content": "x"})) if begun else b""
    found = listen(start + ERRORS[name] + data(chunk({"content": "y"}), END, "[DONE]"))
    error = found[-1]
    assert isinstance(error, StreamError)
    assert (error.kind, error.message) == ("rate_limit_error", "slow down")
    assert not any(isinstance(item, Finish | Done) for item in found)


def test_a_null_error_is_none():
    assert reply(chunk({"content": "x"}, error=None), END, "[DONE]")["content"]


def test_filter_results_before_the_first_chunk_do_not_start_the_reply():
    azure = {"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": []}
    assert listen(data(azure, chunk(ROLE), END, "[DONE]"))[0] == Start("chatcmpl-1", "gpt-5")


def test_a_late_fragment_after_the_finish_reason_is_not_lost():
    found = reply(
        chunk(call_delta(0, id="a", name="f", args='{"n"')),
        chunk(finish="tool_calls"),
        chunk(call_delta(0, args=":1}")),
        "[DONE]",
    )
    assert found["content"][0]["input"] == {"n": 1}


def test_a_lone_surrogate_does_not_spoil_a_stream():
    line = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}'
    assert reply(line, END, "[DONE]")["content"] == [{"_": "TextBlock", "text": "a\ufffd"}]


STREAMS = [
    data(
        chunk(ROLE),
        chunk({"reasoning_content": "hm 🌍"}),
        chunk({"content": "Grüße"}),
        chunk(call_delta(0, id="a", name="f", args='{"x":')),
        chunk(call_delta(1, id="b", name="g", args='{"y": "é"}')),
        chunk(call_delta(0, args="1}")),
        chunk(finish="tool_calls"),
        chunk(choices=[], usage=USAGE),
        "[DONE]",
    ),
    *(speak(stream_of(whole), strict=False) for whole in REPLIES.values()),
]


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 4000), max_size=6), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_the_chunks_are_the_same_however_the_bytes_are_cut(stream, cuts, line_end):
    whole = listen(stream)
    stream = stream.replace(b"\n", line_end)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = DIALECT.stream_reader(ReplyRules())
    found = [item for start, end in zip(bounds, bounds[1:], strict=False) for item in reader.feed(stream[start:end])]
    assert [*found, *reader.close()] == whole


def test_the_chunks_are_the_same_byte_by_byte():
    for stream in STREAMS:
        assert listen(stream, size=1) == listen(stream)


def test_whole_and_streamed_replies_are_the_same():
    message = {
        "role": "assistant",
        "reasoning_content": "hm",
        "content": "x",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"n":1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
        ],
    }
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    whole = DIALECT.read_reply(
        encode({"id": "chatcmpl-1", "model": "gpt-5", "choices": choices, "usage": USAGE}), ReplyRules()
    )
    streamed = reply(
        chunk({"reasoning_content": "hm"}),
        chunk({"content": "x"}),
        chunk(call_delta(0, id="a", name="f", args='{"n":1}')),
        chunk(call_delta(1, id="b", name="g", args="")),
        chunk(finish="tool_calls", usage=USAGE),
        "[DONE]",
    )
    assert streamed == shape(whole)
    assert raw(shape(whole)["content"]) == raw(streamed["content"])


def test_what_no_other_format_can_say_of_a_stream_is_named_once():
    reader = DIALECT.stream_reader(ReplyRules())
    reader.feed(data(chunk(ROLE), chunk({"content": "x", "annotations": []})))
    assert reader.dropped == ()
    reader.feed(data(chunk({"annotations": [{"type": "url_citation"}]}), chunk({"audio": {"data": "AA"}})))
    reader.feed(data(chunk({"audio": {"data": "BB"}}), END, "[DONE]"))
    assert reader.dropped == ("choices.message.annotations", "choices.message.audio")
