"""Short ways to say calls and to look at what is sent for them."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from lockgate.catalog import find_facts
from lockgate.core.chat import Call, FunctionTool, Message, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock
from lockgate.dialects import TargetInfo, Wishes
from lockgate.dialects.anthropic_messages import DIALECT

SONNET = "claude-sonnet-4-5-20250929"
EPHEMERAL = Raw(b'{"type":"ephemeral","ttl":"1h"}')


def raw(value):
    return Raw(msgspec.json.encode(value))


def text(words, **fields):
    return TextBlock(text=words, **fields)


def use(call_id="toolu_1", name="look", **arguments):
    return ToolUseBlock(id=call_id, name=name, input=raw(arguments))


def result(call_id="toolu_1", content="done", **fields):
    return ToolResultBlock(tool_use_id=call_id, content=content, **fields)


def think(words="hm", signature="EqQB"):
    return ThinkingBlock(text=words, signature=signature)


def say(role, *blocks):
    return Message(role=role, content=tuple(text(block) if isinstance(block, str) else block for block in blocks))


def tool(name="look", schema=None, **fields):
    return FunctionTool(name=name, schema=None if schema is None else raw(schema), **fields)


def call(*messages, **fields):
    return Call(model="asked-for", messages=messages or (say("user", "Hi"),), **fields)


def write(said, model=SONNET, *, strict=True, **wishes):
    info = TargetInfo(
        provider="anthropic", model=model, facts=find_facts(model), strict=strict, wishes=Wishes(**wishes)
    )
    return DIALECT.write_call(said, info)


def sent(said, model=SONNET, *, strict=True, **wishes):
    """Return the body that goes out, decoded."""
    return msgspec.json.decode(write(said, model, strict=strict, **wishes).body)


def headers(said, model=SONNET, **wishes):
    return {name.decode(): value.decode() for name, value in write(said, model, **wishes).headers}
