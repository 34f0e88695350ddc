"""Cache markers: Anthropic's ``cache_control`` and OpenAI's ``prompt_cache_breakpoint``, wherever they stand.

A marker is carried as the client wrote it. OpenAI's form becomes Anthropic's; of those at most as many are kept as
Anthropic allows, the last ones, because a call with more is refused there.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from lockgate.core.chat import Block, OpaqueBlock, RedactedThinkingBlock, ThinkingBlock
from lockgate.core.json_text import ABSENT, given, object_keys, text_of, write_json

MAX_BREAKPOINTS = 4
"""How many cache breakpoints one call to Claude may have."""

_FIVE_MINUTES = Raw(b'{"type":"ephemeral","ttl":"5m"}')
_ONE_HOUR = Raw(b'{"type":"ephemeral","ttl":"1h"}')
_TTL = {"12h": _ONE_HOUR}


class Markers:
    """Takes the markers of one call in their order and counts them."""

    def __init__(self, skip: int = 0) -> None:
        self._skip = skip
        """So many of OpenAI's breakpoints are passed over."""
        self.explicit = 0
        self.converted = 0

    def take(self, *candidates: Raw) -> Raw | None:
        """Return the first ``cache_control`` that is there."""
        for raw in candidates:
            marker = given(raw)
            if marker is not None:
                self.explicit += 1
                return marker
        return None

    def take_part(self, cache_control: Raw, breakpoint_: Raw) -> Raw | None:
        """Return the marker of a content part, in Anthropic's form."""
        marker = self.take(cache_control)
        if marker is not None or breakpoint_ is ABSENT or given(breakpoint_) is None:
            return marker
        self.converted += 1
        if self.converted <= self._skip:
            return None
        ttl = text_of(object_keys(breakpoint_).get("ttl"))
        return _TTL.get(ttl or "", _FIVE_MINUTES)

    @property
    def excess(self) -> int:
        """How many of OpenAI's breakpoints are too many."""
        return max(0, self.converted - max(0, MAX_BREAKPOINTS - self.explicit))


def mark_last(blocks: list[Block], cache: Raw | None) -> list[Block]:
    """Put a message's own marker on its last block that may carry one; thinking may not."""
    if cache is None:
        return blocks
    for at in range(len(blocks) - 1, -1, -1):
        block = blocks[at]
        if not isinstance(block, ThinkingBlock | RedactedThinkingBlock):
            return [*blocks[:at], _marked(block, cache), *blocks[at + 1 :]]
    return blocks


def _marked(block: Block, cache: Raw) -> Block:
    if isinstance(block, OpaqueBlock):
        return msgspec.structs.replace(block, raw=_with_key(block.raw, cache))
    assert not isinstance(block, ThinkingBlock | RedactedThinkingBlock)
    raw = _with_key(block.raw, cache) if block.raw is not None else None
    return msgspec.structs.replace(block, cache=cache, raw=raw)


def _with_key(raw: Raw, cache: Raw) -> Raw:
    return Raw(write_json({**object_keys(raw), "cache_control": cache}))


def unmark_last(blocks: list[Block]) -> tuple[list[Block], Raw | None]:
    """Take the marker off the last block and return it, so that the block around it can carry it."""
    last = blocks[-1] if blocks else None
    if last is None or isinstance(last, ThinkingBlock | RedactedThinkingBlock | OpaqueBlock) or last.cache is None:
        return blocks, None
    raw = last.raw
    if raw is not None:
        raw = Raw(write_json({name: value for name, value in object_keys(raw).items() if name != "cache_control"}))
    return [*blocks[:-1], msgspec.structs.replace(last, cache=None, raw=raw)], last.cache
