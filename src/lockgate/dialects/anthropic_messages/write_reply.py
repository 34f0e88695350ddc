"""Writes a whole message for a client. Blocks that came from Anthropic keep their bytes."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from lockgate.core.chat import Block, Reply, TextBlock, ThinkingBlock, ToolResultBlock
from lockgate.core.json_text import write_json
from lockgate.dialects import View
from lockgate.dialects.anthropic_messages.blocks import write_block
from lockgate.dialects.anthropic_messages.identifiers import made_id
from lockgate.dialects.anthropic_messages.usage import write_usage


def write_reply(reply: Reply, view: View) -> bytes:
    """Write a whole reply."""
    content = [written for block in reply.content if (written := _write(block)) is not None]
    message: dict[str, object] = {
        "id": message_id(reply.id, view),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": reply.stop_reason or "end_turn",
        "stop_sequence": reply.stop_sequence,
        "usage": write_usage(reply.usage),
    }
    message.update((name, value) for name, value in reply.extra.items() if name not in message)
    return write_json(message)


def message_id(reply_id: str, view: View) -> str:
    """Return an id as Anthropic's look; another provider's is replaced by one made from it."""
    return reply_id if reply_id.startswith("msg_") else made_id("msg_", reply_id or view.request_id)


def _write(block: Block) -> msgspec.Struct | Raw | None:
    """Write a block, None for one that says nothing."""
    if block.raw is not None:
        return block.raw
    if isinstance(block, ToolResultBlock) or (isinstance(block, TextBlock) and not block.text):
        return None
    if isinstance(block, ThinkingBlock) and not block.text and not block.signature:
        return None
    return write_block(block)
