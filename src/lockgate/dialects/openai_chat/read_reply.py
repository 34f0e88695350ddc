"""Reads a provider's whole reply, and what the record needs of one that is relayed as it is."""

from __future__ import annotations

from msgspec import Raw

from lockgate.core.assemble import read_input
from lockgate.core.chat import Block, Reply, TextBlock, ThinkingBlock, ToolUseBlock, Usage
from lockgate.core.chunk import StreamError
from lockgate.core.json_text import ABSENT, decode, decode_upstream, given
from lockgate.dialects import ReplyRules, Summary
from lockgate.dialects.openai_chat.errors import read_stream_error
from lockgate.dialects.openai_chat.history import merge_history
from lockgate.dialects.openai_chat.names import make_call_id
from lockgate.dialects.openai_chat.parts import Reading
from lockgate.dialects.openai_chat.reasoning import read_content, read_reasoning
from lockgate.dialects.openai_chat.vocabulary import read_usage, stop_reason
from lockgate.dialects.openai_chat.wire import Body, Delta, ToolCallDelta, read_body
from lockgate.errors import InvalidRequest, Malformed

_NOTHING = frozenset({b"", b"null", b"[]", b"{}"})


def read_reply(body: bytes, rules: ReplyRules) -> Reply:
    """Read a whole reply of status 200. Raises Malformed, nothing else."""
    wire = decode_upstream(read_body, body, "The provider's reply is not a chat completion")
    error = error_of(wire, body)
    if error is not None:
        raise Malformed(f"The provider answered with status 200 and an error: {error.message}")
    choice = next((choice for choice in wire.choices or () if not choice.index), None)
    if choice is None or choice.message is None:
        raise Malformed("The provider's reply holds no message")
    try:
        content = _content(choice.message, wire.id or "", rules)
    except InvalidRequest as fault:
        raise Malformed(f"The provider's reply cannot be read: {fault.path}") from None
    except (UnicodeDecodeError, RecursionError):
        raise Malformed("The provider's reply cannot be read: content_blocks") from None
    stop = stop_reason(choice.finish_reason, has_tool=any(isinstance(block, ToolUseBlock) for block in content))
    if choice.message.refusal and stop == "end_turn":
        stop = "refusal"
    return Reply(
        id=wire.id or "",
        model=wire.model or "",
        content=tuple(content),
        stop_reason=stop,
        usage=read_usage(wire.usage, wire.service_tier) or Usage(),
        dropped=lost_parts(choice.message),
    )


def lost_parts(message: Delta) -> tuple[str, ...]:
    """Return the paths of what a message or a delta holds beside its words and calls, and what nobody else can be told.

    Gateways that send Claude's own blocks beside say there what the annotations say.
    """
    if message.annotations is ABSENT and message.audio is ABSENT:
        return ()
    parts = {"annotations": b"" if message.content_blocks else message.annotations, "audio": message.audio}
    return tuple(f"choices.message.{name}" for name, part in parts.items() if bytes(part) not in _NOTHING)


def error_of(wire: Body, body: bytes) -> StreamError | None:
    """Return the error that a reply of status 200 is after all."""
    is_error = given(wire.error) is not None or wire.kind == "error"
    return read_stream_error(Raw(body)) if is_error else None


def _content(message: Delta, reply_id: str, rules: ReplyRules) -> list[Block]:
    calls = [_call(call, at, reply_id, rules) for at, call in enumerate(message.tool_calls or ())]
    function = message.function_call
    if function is not None and not calls:
        calls.append(_call(ToolCallDelta(function=function), 0, reply_id, rules))
    if message.content_blocks:
        found = merge_history(message.content_blocks, calls, Reading(), key="content_blocks")
        return [block for block in found if not isinstance(block, ThinkingBlock) or block.text or block.signature]
    reasoning = read_reasoning(message)
    text, thoughts = read_content(message.content)
    thinking = reasoning.text or thoughts
    blocks: list[Block] = []
    if thinking or reasoning.signature:
        blocks.append(ThinkingBlock(text=thinking, signature=reasoning.signature or None))
    visible = text + (message.refusal or "")
    if visible:
        blocks.append(TextBlock(text=visible))
    return [*blocks, *calls]


def _call(call: ToolCallDelta, number: int, reply_id: str, rules: ReplyRules) -> ToolUseBlock:
    function = call.function
    if function is None or not function.name:
        raise Malformed("The provider's reply holds a tool call without a name")
    return ToolUseBlock(
        id=call.id or make_call_id(reply_id, number),
        name=rules.tool_names.get(function.name, function.name),
        input=read_input(function.arguments or ""),
    )


def read_summary(body: bytes) -> Summary:
    """Read what the record needs from a whole reply. Never raises."""
    try:
        wire = decode(read_body, body)
    except (ValueError, RecursionError):
        return Summary()
    return summarise(wire, body, Summary())


def summarise(wire: Body, body: bytes, summary: Summary) -> Summary:
    """Add what a reply or a chunk says to a summary."""
    summary.id = summary.id or wire.id
    summary.model = summary.model or wire.model
    summary.usage = read_usage(wire.usage, wire.service_tier) or summary.usage
    summary.error = error_of(wire, body) or summary.error
    for choice in wire.choices or ():
        message = choice.message or choice.delta
        has_tool = message is not None and bool(message.tool_calls)
        if choice.finish_reason:
            summary.stop_reason = stop_reason(choice.finish_reason, has_tool=has_tool)
    return summary
