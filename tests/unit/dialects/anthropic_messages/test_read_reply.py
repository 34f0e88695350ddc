"""A provider's message becomes a canonical reply; every block keeps its bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.core.chat import (
    OpaqueBlock,
    RedactedThinkingBlock,
    Reply,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages.read_reply import read_reply
from lockgate.errors import Malformed

RULES = ReplyRules()
BLOCKS = [
    b'{"type":"thinking","thinking":"","signature":"EqQB"}',
    b'{"type":"redacted_thinking","data":"ZZ"}',
    b'{"type":"text","text":"a","citations":[{"type":"char_location"}]}',
    b'{"type":"tool_use","id":"toolu_1","name":"look","input":{ "q": 1.0 }}',
    b'{"type":"web_search_tool_result","tool_use_id":"s","content":[{"encrypted_content":"\\u00e9"}]}',
]
BODY = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":['
    + b",".join(BLOCKS)
    + b'],"stop_reason":"tool_use","stop_sequence":null,"container":{"id":"c"},"stop_details":null,'
    b'"usage":{"input_tokens":5,"output_tokens":7}}'
)


def test_a_message_is_read_with_the_bytes_of_its_blocks():
    raws = [Raw(block) for block in BLOCKS]
    assert read_reply(BODY, RULES) == Reply(
        id="msg_1",
        model="m",
        content=(
            ThinkingBlock(text="", signature="EqQB", raw=raws[0]),
            RedactedThinkingBlock(data="ZZ", raw=raws[1]),
            TextBlock(text="a", citations=Raw(b'[{"type":"char_location"}]'), raw=raws[2]),
            ToolUseBlock(id="toolu_1", name="look", input=Raw(b'{ "q": 1.0 }'), raw=raws[3]),
            OpaqueBlock(type="web_search_tool_result", raw=raws[4]),
        ),
        stop_reason="tool_use",
        usage=Usage(input=5, output=7),
        extra={"container": Raw(b'{"id":"c"}')},
    )


def test_rules_are_undone():
    reply = read_reply(BODY, ReplyRules(tool_names={"look": "fs.look"}))
    assert reply.content[3].name == "fs.look"


def test_a_sparse_message_is_read():
    assert read_reply(b'{"content":[]}', RULES) == Reply(id="", model="", content=(), stop_reason=None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"content":null}',
        b'{"content":"text"}',
        b'{"content":[5]}',
        b'{"content":[{"type":"text"}]}',
        b'{"content":[{"type":"text","text":5}]}',
        b'{"content":[],"usage":{"input_tokens":"many"}}',
        b'{"content":[],"stop_reason":5}',
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        b'{"content":[{"type":"text","text":"\xff"}]}',
        b'{"content":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
def test_anything_else_is_malformed_and_not_quoted(body):
    with pytest.raises(Malformed, match=r"^Invalid response received from the provider"):
        read_reply(body, RULES)


@given(st.binary(max_size=40), st.integers(0, len(BODY)))
def test_garbage_raises_nothing_else(noise, at):
    try:
        read_reply(BODY[:at] + noise + BODY[at:], RULES)
    except Malformed:
        pass


def test_lone_surrogates_do_not_lose_a_reply():
    (block,) = read_reply(rb'{"content":[{"type":"text","text":"a\ud83d"}]}', RULES).content
    assert block.text == "a�"


def test_further_fields_are_kept_as_they_are():
    body = msgspec.json.encode({"content": [], "id": "msg_1", "diagnostics": {"a": 1}, "none": None})
    assert read_reply(body, RULES).extra == {"diagnostics": Raw(b'{"a":1}')}
