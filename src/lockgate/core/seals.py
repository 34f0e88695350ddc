"""Seals: what a provider signs or encrypts of a model's reasoning, and takes back from that model's conversation only.

A seal is the signature of a thinking block, or the data of a redacted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import structs

from lockgate.core.chat import Block, Call, Message, RedactedThinkingBlock, ThinkingBlock
from lockgate.core.chunk import BlockStart, Chunk, SignatureDelta

IsForeign = Callable[[str], bool]
"""Tells whether a seal belongs to another model."""

_REDACTED = "redacted_thinking"

FOREIGN = "left out, it belongs to another model"
"""What the record says of reasoning that was left out."""


def seals_of(blocks: Iterable[Block]) -> list[str]:
    """Return the seals of an answer's blocks."""
    return [seal for block in blocks if (seal := seal_of(block))]


def seals_in(chunks: Iterable[Chunk]) -> list[str]:
    """Return the seals that chunks of a stream bring."""
    found: list[str] = []
    for chunk in chunks:
        if type(chunk) is SignatureDelta:
            found.append(chunk.signature)
        elif type(chunk) is BlockStart:
            found += seals_of((chunk.block,))
    return found


def may_have_seals(text: bytes) -> bool:
    """Tell whether there may be seals in JSON, or in events; asked of every event of a stream."""
    return b'"signature"' in text or b'"data"' in text


def seals_in_json(text: bytes) -> list[str]:
    """Return the seals in a provider's JSON as it came, wherever they stand.

    It is looked into only when one could be in it: most events of a stream are words.
    """
    if not may_have_seals(text):
        return []
    try:
        value: object = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    _search(value, found)
    return found


def _search(value: object, found: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _search(item, found)
    elif isinstance(value, dict):
        # blocks in chunks of chat completions come without their type
        is_hidden = value.get("type", _REDACTED) == _REDACTED
        for name, inner in value.items():
            if type(inner) is not str:
                _search(inner, found)
            elif inner and (name == "signature" or (is_hidden and name == "data")):
                found.append(inner)


def seal_of(block: Block) -> str | None:
    """Return the seal of a block, None where it has none."""
    if type(block) is ThinkingBlock:
        return block.signature
    return block.data if type(block) is RedactedThinkingBlock else None


def without_foreign(call: Call, is_foreign: IsForeign) -> Call:
    """Return a call without the reasoning of other models; the same one when there is none."""
    messages: list[Message] = []
    for message in call.messages:
        kept = tuple(block for block in message.content if not ((seal := seal_of(block)) and is_foreign(seal)))
        if len(kept) == len(message.content):
            messages.append(message)
        elif kept:
            messages.append(structs.replace(message, content=kept))
    same = len(messages) == len(call.messages) and all(map(_is, messages, call.messages))
    return call if same else structs.replace(call, messages=tuple(messages))


def _is(one: object, other: object) -> bool:
    return one is other
