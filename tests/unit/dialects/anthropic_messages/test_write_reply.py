"""A canonical reply becomes Anthropic's message."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.chat import OpaqueBlock, Reply, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock, Usage
from lockgate.dialects import ReplyRules, View
from lockgate.dialects.anthropic_messages.read_reply import read_reply
from lockgate.dialects.anthropic_messages.write_reply import write_reply

VIEW = View(provider="openai", strict=True, created=1, request_id="req_1")


def written(**fields):
    reply = Reply(**{"id": "msg_1", "model": "m", "content": (), "stop_reason": "end_turn", **fields})
    return msgspec.json.decode(write_reply(reply, VIEW))


def test_a_reply_of_another_provider():
    usage = Usage(input=3, output=4, cache_read=2, reasoning=1)
    content = (
        ThinkingBlock(text="hm"),
        TextBlock(text="a"),
        ToolUseBlock(id="call_1", name="look", input=Raw(b'{"q":1}')),
    )
    message = written(id="chatcmpl-1", content=content, stop_reason="tool_use", usage=usage)
    assert message.pop("id").startswith("msg_")
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "call_1", "name": "look", "input": {"q": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 2,
            "output_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 1},
        },
    }


def test_ids_are_anthropics_and_depend_on_the_providers_alone():
    assert written(id="msg_1")["id"] == "msg_1"
    assert written(id="x")["id"] == written(id="x")["id"] != written(id="y")["id"]
    assert written(id="")["id"].startswith("msg_")


def test_blocks_with_bytes_keep_them():
    data = b'{"type":"tool_use", "id":"i","name":"n","input":{ "a": 1.0 },"caller":{"type":"direct"}}'
    block = ToolUseBlock(id="i", name="n", input=Raw(b'{ "a": 1.0 }'), raw=Raw(data))
    opaque = OpaqueBlock(type="compaction", raw=Raw(b'{"type":"compaction", "content":"\\u00e9"}'))
    body = write_reply(Reply(id="msg_1", model="m", content=(block, opaque), stop_reason="end_turn"), VIEW)
    assert b'"content":[%b,%b]' % (data, bytes(opaque.raw)) in body


@pytest.mark.parametrize("block", [TextBlock(text=""), ThinkingBlock(text=""), ToolResultBlock(tool_use_id="x")])
def test_a_block_that_says_nothing_is_left_out(block):
    assert written(content=(block,))["content"] == []


def test_hidden_thinking_with_a_signature_stays():
    block = ThinkingBlock(text="", signature="EuYB")
    assert written(content=(block,))["content"] == [{"type": "thinking", "thinking": "", "signature": "EuYB"}]


def test_further_fields_come_back_and_never_replace_ours():
    message = written(extra={"container": Raw(b'{"id":"c"}'), "role": Raw(b'"user"')})
    assert message["container"] == {"id": "c"}
    assert message["role"] == "assistant"


@pytest.mark.parametrize(
    "reason, expected", [(None, "end_turn"), ("refusal", "refusal"), ("of_tomorrow", "of_tomorrow")]
)
def test_the_stop_reason_is_never_null(reason, expected):
    assert written(stop_reason=reason)["stop_reason"] == expected


def test_what_is_written_reads_the_same():
    reply = Reply(
        id="msg_1",
        model="m",
        content=(TextBlock(text="é\u2028\U0001f600"),),
        stop_reason="stop_sequence",
        stop_sequence="END",
        usage=Usage(input=1, output=2, cache_read=3, cache_write=4, cache_write_1h=1),
        extra={"container": Raw(b'{"id":"c"}')},
    )
    again = read_reply(write_reply(reply, VIEW), ReplyRules())
    bare = tuple(msgspec.structs.replace(block, raw=None) for block in again.content)
    assert msgspec.structs.replace(again, content=bare) == reply
