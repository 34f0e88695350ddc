"""Reads a provider's whole message."""

from __future__ import annotations

from msgspec import Raw

from lockgate.core.chat import Block, Reply
from lockgate.core.json_text import NULL, decode, object_keys
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages.blocks import read_block
from lockgate.dialects.anthropic_messages.faults import decode_upstream
from lockgate.dialects.anthropic_messages.undo import undo_reply
from lockgate.dialects.anthropic_messages.usage import read_usage
from lockgate.dialects.anthropic_messages.wire import ReplyIn, exact_reply_decoder, reply_decoder
from lockgate.errors import InvalidRequest, Malformed

_KNOWN = frozenset(ReplyIn.__struct_fields__)
_NO_RULES = ReplyRules()
_NO_EXTRA: dict[str, Raw] = {}


def read_reply(body: bytes, rules: ReplyRules) -> Reply:
    """Read a whole reply of status 200. Raises Malformed, nothing else."""
    wire, extra = read_envelope(body)
    reply = Reply(
        id=wire.id,
        model=wire.model,
        content=tuple([read_reply_block(raw) for raw in wire.content]),
        stop_reason=wire.stop_reason,
        stop_sequence=wire.stop_sequence,
        usage=read_usage(wire.usage),
        extra=extra,
    )
    return reply if rules == _NO_RULES else undo_reply(reply, rules)


def read_envelope(body: bytes | Raw) -> tuple[ReplyIn, dict[str, Raw]]:
    """Read a message's top level: what we know, and the other keys by name. Raises Malformed."""
    try:
        return decode(exact_reply_decoder, body), _NO_EXTRA
    except (ValueError, RecursionError):
        wire = decode_upstream(reply_decoder, body, "the message")
        return wire, {name: value for name, value in object_keys(body).items() if name not in _KNOWN and value != NULL}


def read_reply_block(raw: Raw) -> Block:
    """Read one block with its bytes. Raises Malformed."""
    try:
        return read_block(raw, "content", is_raw_kept=True)
    except InvalidRequest:
        raise Malformed("Invalid response received from the provider: a content block has the wrong shape") from None
