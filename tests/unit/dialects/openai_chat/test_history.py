"""Assistant turns as clients replay them."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.samples import blocks, read

CACHE = {"type": "ephemeral", "ttl": "1h"}
PROGRAM = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "sig"}
REDACTED = {"type": "redacted_thinking", "data": "enc"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"encrypted_content": "Eo8C"}]}


def call(call_id="t1", name="f", args='{"a": 1}', **fields):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": args}, **fields}


def use(call_id="t1", name="f", found=None, **fields):
    return {"_": "ToolUseBlock", "id": call_id, "name": name, "input": {"a": 1} if found is None else found, **fields}


def text(words, **fields):
    return {"_": "TextBlock", "text": words, **fields}


def thought(words="hm", signature="sig"):
    return {"_": "ThinkingBlock", "text": words, "signature": signature}


def opaque(block):
    return {"_": "OpaqueBlock", "type": block["type"], "raw": block}


CASES = {
    "text": ({"content": "x"}, [text("x")]),
    "nothing": ({"content": None}, []),
    "nothing but a call": ({"content": None, "tool_calls": [call()]}, [use()]),
    "empty text and a call": ({"content": "", "tool_calls": [call()]}, [use()]),
    "text, then calls": (
        {"content": "x", "tool_calls": [call("a"), call("b")]},
        [text("x"), use("a"), use("b")],
    ),
    "a refusal": ({"content": None, "refusal": "no"}, [text("no")]),
    "a refusal among parts": ({"content": [{"type": "refusal", "refusal": "no"}]}, [text("no")]),
    "an empty refusal": ({"content": [{"type": "refusal", "refusal": ""}]}, []),
    "a call with a marker": ({"tool_calls": [call(cache_control=CACHE)]}, [use(cache=CACHE)]),
    "blocks before content": (
        {"content": "ignored", "content_blocks": [THINKING, {"type": "text", "text": "x"}]},
        [thought(), text("x")],
    ),
    "no blocks": ({"content": "x", "content_blocks": []}, [text("x")]),
    "blocks in content": ({"content": [THINKING, {"type": "text", "text": "x"}]}, [thought(), text("x")]),
    "blocks, then calls": ({"content_blocks": [THINKING], "tool_calls": [call()]}, [thought(), use()]),
    "thinking without words": (
        {"content_blocks": [{"type": "thinking", "thinking": "", "signature": "sig"}]},
        [thought("")],
    ),
    "redacted thinking": ({"content_blocks": [REDACTED]}, [{"_": "RedactedThinkingBlock", "data": "enc"}]),
    "what a server did": ({"content_blocks": [SEARCH, FOUND]}, [opaque(SEARCH), opaque(FOUND)]),
    "a block of next year": (
        {"content_blocks": [{"type": "hologram", "z": 1}]},
        [opaque({"type": "hologram", "z": 1})],
    ),
    "empty text among blocks": ({"content_blocks": [{"type": "text", "text": ""}, THINKING]}, [thought()]),
    "text with citations": (
        {"content_blocks": [{"type": "text", "text": "x", "citations": [{"type": "c"}]}]},
        [text("x", citations=[{"type": "c"}])],
    ),
    "a call at its place": (
        {
            "content_blocks": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}},
                {"type": "text", "text": "x"},
                {"type": "tool_use", "id": "b", "name": "f", "input": {"a": 1}},
            ],
            "tool_calls": [call("a"), call("b")],
        },
        [use("a"), text("x"), use("b")],
    ),
    "tool_calls has the last word on the input": (
        {
            "content_blocks": [{"type": "tool_use", "id": "a", "name": "old", "input": {"old": 1}}, THINKING],
            "tool_calls": [call("a")],
        },
        [use("a"), thought()],
    ),
    "a call that tool_calls does not know": (
        {"content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}}]},
        [use("a")],
    ),
    "a call of a toolset at its place": (
        {
            "content_blocks": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {}, "toolset_name": "computer"},
                THINKING,
            ],
            "tool_calls": [call("a")],
        },
        [
            use(
                "a",
                raw={"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}, "toolset_name": "computer"},
            ),
            thought(),
        ],
    ),
    "a call of a toolset": (
        {"tool_calls": [call("a", toolset_name="computer", cache_control=CACHE)]},
        [
            use(
                "a",
                cache=CACHE,
                raw={
                    "type": "tool_use",
                    "id": "a",
                    "name": "f",
                    "input": {"a": 1},
                    "toolset_name": "computer",
                    "cache_control": CACHE,
                },
            )
        ],
    ),
    "a call of a program": (
        {"tool_calls": [call("a", caller=PROGRAM)]},
        [use("a", raw={"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}, "caller": PROGRAM})],
    ),
    "a call of nobody": ({"tool_calls": [call("a", caller=None)]}, [use("a")]),
    "the same id twice": ({"tool_calls": [call("a"), call("a")]}, [use("a"), use("a")]),
    "reasoning of others": ({"content": "x", "reasoning_content": "secret", "reasoning": "secret"}, [text("x")]),
    "LiteLLM's thinking": (
        {"content": "x", "thinking_blocks": [THINKING, REDACTED]},
        [thought(), {"_": "RedactedThinkingBlock", "data": "enc"}, text("x")],
    ),
    "LiteLLM's thinking beside blocks of thinking": (
        {"content_blocks": [THINKING], "thinking_blocks": [{**THINKING, "thinking": "again"}]},
        [thought()],
    ),
    "LiteLLM's thinking beside a list": (
        {"content": [{"type": "text", "text": "x"}], "thinking_blocks": [THINKING]},
        [thought(), text("x")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_turn_is_read(name):
    message, found = CASES[name]
    assert blocks({"role": "assistant", **message}) == found


GLUED = {
    "blocks without a type": (
        {
            "content_blocks": [
                {"index": 0, "thinking": "hm", "signature": "sig"},
                {"index": 1, "data": "enc"},
                {"index": 2, "text": "x"},
            ]
        },
        [thought(), {"_": "RedactedThinkingBlock", "data": "enc"}, text("x")],
    ),
    "blocks out of order": (
        {"content_blocks": [{"index": 1, "text": "x"}, {"index": 0, "thinking": "hm", "signature": "sig"}]},
        [thought(), text("x")],
    ),
    "calls in the gaps": (
        {
            "content_blocks": [
                {"index": 0, "thinking": "hm", "signature": "sig"},
                {"index": 2, "text": "x"},
            ],
            "tool_calls": [call("a"), call("b"), call("c")],
        },
        [thought(), use("a"), text("x"), use("b"), use("c")],
    ),
    "a call in the first gap": (
        {"content_blocks": [{"index": 1, "text": "x"}], "tool_calls": [call("a")]},
        [use("a"), text("x")],
    ),
    "raw stream fragments": (
        {
            "content_blocks": [
                {"index": 0, "delta": {"thinking": "", "signature": ""}},
                {"index": 0, "delta": {"thinking": "h"}},
                {"index": 0, "delta": {"thinking": "m"}},
                {"index": 0, "delta": {"signature": "sig"}},
                {"index": 1, "delta": {"text": ""}},
                {"index": 1, "delta": {"text": "x"}},
                {"index": 1, "delta": {"citation": {"n": 1}}},
                {"index": 1, "delta": {"citation": {"n": 2}}},
            ]
        },
        [thought(), text("x", citations=[{"n": 1}, {"n": 2}])],
    ),
    "a server's tool with its JSON in fragments": (
        {
            "content_blocks": [
                {"index": 0, "delta": {**SEARCH, "input": {}}},
                {"index": 0, "delta": {"partial_json": '{"query":'}},
                {"index": 0, "delta": {"partial_json": ' "x"}'}},
                {"index": 1, **FOUND},
            ]
        },
        [opaque(SEARCH), opaque(FOUND)],
    ),
    "fragments of a call's input": (
        {
            "content": [
                {"type": "text", "text": "x", "index": 0},
                {"type": "input_json_delta", "index": 1, "input": '{"a": 1}'},
            ],
            "tool_calls": [call("a")],
        },
        [text("x"), use("a")],
    ),
    "a call with its input in fragments": (
        {"content": [{"index": 0, "type": "tool_use", "id": "a", "name": "f", "input": {}, "partial_json": '{"a":1}'}]},
        [use("a")],
    ),
    "a call without a type": (
        {"content": [{"index": 0, "id": "a", "name": "f", "partial_json": '{"a": 1'}]},
        [use("a", found={"_raw_arguments": '{"a": 1'})],
    ),
    "an index that is no number": (
        {"content_blocks": [{"index": "x", "text": "x"}, {"index": 1.5, "text": "y"}, {"index": None, "text": "z"}]},
        [text("x"), text("y"), text("z")],
    ),
    "a result without a type": (
        {"content_blocks": [{"index": 0, "tool_use_id": "srvtoolu_1", "content": []}]},
        [opaque({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []})],
    ),
    "an index on some blocks only": (
        {"content_blocks": [{"index": 5, "text": "x"}, {"type": "text", "text": "y"}]},
        [text("x"), text("y")],
    ),
}


@pytest.mark.parametrize("name", GLUED)
def test_a_turn_glued_together_from_a_stream_is_put_right(name):
    message, found = GLUED[name]
    assert blocks({"role": "assistant", **message}) == found


ARGUMENTS = {
    "": {},
    "  \n": {},
    "{}": {},
    ' {"a":1} ': {"a": 1},
    '{"path": "/tmp/a", "content": "': {"_raw_arguments": '{"path": "/tmp/a", "content": "'},
    "[1]": {"_raw_arguments": "[1]"},
    "null": {"_raw_arguments": "null"},
    '{"a":1}{"b":2}': {"_raw_arguments": '{"a":1}{"b":2}'},
}


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments_are_an_object_or_kept_as_text(arguments):
    [found] = blocks({"role": "assistant", "tool_calls": [call(args=arguments)]})
    assert found["input"] == ARGUMENTS[arguments]


def test_arguments_keep_their_bytes():
    message = {"role": "assistant", "tool_calls": [call(args='{"n":1.0,"big":12345678901234567890123,"s":"\\u00e9"}')]}
    block = read(message).messages[0].content[0]
    assert bytes(block.input) == b'{"n":1.0,"big":12345678901234567890123,"s":"\\u00e9"}'


REFUSED = {
    "a call without a function": ({"tool_calls": [{"id": "a"}]}, "tool_calls[0].function"),
    "a call without a name": ({"tool_calls": [call(), {"id": "b", "function": {}}]}, "tool_calls[1].function.name"),
    "arguments that are no text": ({"tool_calls": [call(args={"a": 1})]}, "tool_calls[0].function.arguments"),
    "a block that is no object": ({"content_blocks": [THINKING, "x"]}, "content_blocks[1]"),
    "a block without a type": ({"content_blocks": [{"type": 5, "x": 1}]}, "content_blocks[0].type"),
    "a block with a bad key": ({"content_blocks": [{"type": "thinking", "thinking": 1}]}, "content_blocks[0].thinking"),
    "a part that cannot be read": ({"content": [{"type": "input_audio"}]}, "content[0].type"),
    "LiteLLM's thinking": (
        {"content": "x", "thinking_blocks": [{"type": "thinking", "thinking": 1}]},
        "thinking_blocks[0].thinking",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_turn_that_cannot_be_read_is_refused_with_its_path(name):
    message, path = REFUSED[name]
    with pytest.raises(InvalidRequest) as caught:
        read({"role": "assistant", **message})
    assert caught.value.path == f"messages[0].{path}"
