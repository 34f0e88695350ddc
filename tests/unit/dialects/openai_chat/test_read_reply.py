"""Whole replies of providers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import Usage
from lockgate.dialects import ReplyRules
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import Malformed
from tests.unit.dialects.openai_chat.samples import encode, shape

USAGE = {"prompt_tokens": 60, "completion_tokens": 30, "total_tokens": 90}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"n":1}'}}


def body(message, finish="stop", **fields):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return encode({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5", "choices": [choice], **fields})


def read(message, finish="stop", rules=None, **fields):
    return shape(DIALECT.read_reply(body(message, finish, **fields), rules or ReplyRules()))


def text(words):
    return {"_": "TextBlock", "text": words}


def use(found=None, call_id="a", name="f"):
    return {"_": "ToolUseBlock", "id": call_id, "name": name, "input": {"n": 1} if found is None else found}


def test_a_reply_is_read():
    assert read({"content": "x"}, usage=USAGE, service_tier="default", system_fingerprint="fp") == {
        "_": "Reply",
        "id": "chatcmpl-1",
        "model": "gpt-5",
        "content": [text("x")],
        "stop_reason": "end_turn",
        "usage": {"_": "Usage", "input": 60, "output": 30, "service_tier": "standard"},
    }


CONTENTS = {
    "text": ({"content": "x"}, [text("x")]),
    "null": ({"content": None}, []),
    "empty": ({"content": ""}, []),
    "nothing": ({}, []),
    "parts": ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, [text("ab")]),
    "reasoning": ({"content": "x", "reasoning_content": "hm"}, [{"_": "ThinkingBlock", "text": "hm"}, text("x")]),
    "a call": ({"content": None, "tool_calls": [CALL]}, [use()]),
    "text and calls": (
        {"content": "x", "tool_calls": [CALL, {**CALL, "id": "b"}]},
        [text("x"), use(), use(call_id="b")],
    ),
    "null calls": ({"content": "x", "tool_calls": None}, [text("x")]),
    "a call without arguments": ({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": ""}}]}, [use({})]),
    "a call with broken arguments": (
        {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"n":'}}]},
        [use({"_raw_arguments": '{"n":'})],
    ),
    "content blocks of another gateway": (
        {
            "content": "x",
            "content_blocks": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "text", "text": "x"},
                {"type": "hologram", "z": 1},
            ],
            "tool_calls": [CALL],
        },
        [
            {"_": "ThinkingBlock", "text": "hm", "signature": "s"},
            text("x"),
            {"_": "OpaqueBlock", "type": "hologram", "raw": {"type": "hologram", "z": 1}},
            use(),
        ],
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_is_read(name):
    message, blocks = CONTENTS[name]
    assert read(message).get("content", []) == blocks


def test_a_call_without_an_id_gets_one_that_is_always_the_same():
    for message in ({"tool_calls": [{"function": {"name": "f"}}]}, {"function_call": {"name": "f", "arguments": "{}"}}):
        [first], [second] = read(message)["content"], read(message)["content"]
        assert first == second
        assert first["id"].startswith("toolu_")


def test_names_that_were_mapped_are_restored():
    assert read({"tool_calls": [CALL]}, rules=ReplyRules(tool_names={"f": "my tool"}))["content"] == [
        use(name="my tool")
    ]


STOPS = {
    "stop": "end_turn",
    None: "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "odd": "end_turn",
}


@pytest.mark.parametrize("finish", STOPS)
def test_a_finish_reason_becomes_canonical(finish):
    assert read({"content": "x"}, finish)["stop_reason"] == STOPS[finish]


@pytest.mark.parametrize(("finish", "stop"), [("stop", "tool_use"), ("length", "max_tokens")])
def test_a_call_counts_whatever_the_provider_says(finish, stop):
    assert read({"tool_calls": [CALL]}, finish)["stop_reason"] == stop


def test_a_refusal_is_text_and_a_reason():
    found = read({"content": None, "refusal": "no"})
    assert (found["content"], found["stop_reason"]) == ([text("no")], "refusal")


def test_only_the_first_choice_counts():
    choices = [
        {"index": 1, "message": {"content": "b"}, "finish_reason": "stop"},
        {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"},
    ]
    reply = DIALECT.read_reply(encode({"choices": choices}), ReplyRules())
    assert shape(reply.content) == [text("a")]
    assert (reply.id, reply.model, reply.usage) == ("", "", Usage())


MALFORMED = {
    "nothing": b"",
    "a page": b"<html>",
    "a list": b"[]",
    "an error": encode({"error": {"message": "overloaded"}}),
    "an error of vLLM": encode({"object": "error", "message": "overloaded"}),
    "no choices": encode({"id": "x"}),
    "empty choices": encode({"choices": []}),
    "no message": encode({"choices": [{"index": 0}]}),
    "a call without a name": body({"tool_calls": [{"id": "a", "function": {}}]}),
    "a call without a function": body({"tool_calls": [{"id": "a"}]}),
    "content that is a number": body({"content": 1}),
    "content blocks that cannot be read": body({"content_blocks": [{"type": "thinking", "thinking": 1}]}),
    "not UTF-8": b'{"choices":[{"message":{"content":"\xff"}}]}',
    "not UTF-8 within a block": (
        b'{"choices":[{"message":{"content_blocks":[{"type":"redacted_thinking","data":"\xff"}]}}]}'
    ),
    "too deep": b'{"choices":' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_reply_is_malformed(name):
    with pytest.raises(Malformed):
        DIALECT.read_reply(MALFORMED[name], ReplyRules())


@given(st.binary(max_size=60))
def test_garbage_is_malformed_and_nothing_else(garbage):
    with pytest.raises(Malformed):
        DIALECT.read_reply(garbage, ReplyRules())


def test_a_summary_holds_what_the_record_needs():
    summary = DIALECT.read_summary(body({"tool_calls": [CALL]}, usage=USAGE))
    assert (summary.id, summary.model, summary.stop_reason) == ("chatcmpl-1", "gpt-5", "tool_use")
    assert summary.usage == Usage(input=60, output=30)
    assert summary.error is None


def test_a_summary_of_an_error_says_so():
    error = DIALECT.read_summary(encode({"error": {"message": "slow", "code": 429}})).error
    assert (error.kind, error.message) == ("rate_limit_error", "slow")


@pytest.mark.parametrize("name", MALFORMED)
def test_a_summary_never_raises(name):
    assert DIALECT.read_summary(MALFORMED[name]).usage == Usage()


@given(st.binary(max_size=60))
def test_a_summary_of_garbage_is_empty(garbage):
    assert DIALECT.read_summary(garbage).id is None


LINK = {"type": "url_citation", "url_citation": {"url": "https://x.example", "title": "x"}}
SPOKEN = {"id": "audio_1", "data": "AAAA", "expires_at": 1, "transcript": "x"}


@pytest.mark.parametrize(
    ("message", "dropped"),
    [
        ({"annotations": [LINK]}, ("choices.message.annotations",)),
        ({"audio": SPOKEN}, ("choices.message.audio",)),
        ({"annotations": [LINK], "audio": SPOKEN}, ("choices.message.annotations", "choices.message.audio")),
        ({"annotations": [], "audio": None}, ()),
        ({"annotations": [LINK], "content_blocks": [{"type": "text", "text": "x"}]}, ()),
        ({}, ()),
    ],
)
def test_what_no_other_format_can_say_of_a_reply_is_named(message, dropped):
    assert DIALECT.read_reply(body({"content": "x", **message}), ReplyRules()).dropped == dropped
