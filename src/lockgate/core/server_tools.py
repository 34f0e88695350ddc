"""What a request allows the provider to do on its own account: searches, further rounds of sampling, compaction.

A provider's tools add input that the request does not hold: each use brings its result, and each round reads the whole
prompt again. Nobody can bound that exactly before; ``looped_input`` reserves for the uses that the request allows, with
results of an ordinary size. Source: Anthropic, "Web search tool" and "Compaction", read 2026-11-28.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from lockgate.core.body import NOTHING, Peek

DEFAULT_USES = 5
"""Uses of a tool that names no limit."""
MOST_USES = 1_000_000
"""Uses of a tool whose limit is none, or cannot be read."""
MAX_ROUNDS = 10
"""Rounds after which the provider pauses the turn."""
RESULT_TOKENS = 8_000
"""What one result brings into the prompt."""
SUMMARY_TOKENS = 8_192
"""What a compaction writes."""

_UNIT_OF = {"web_search": "web_search", "web_fetch": "web_fetch", "code_execution": "code_execution"}


class _Tool(Struct):
    type: object = None
    max_uses: object = None


_read_tools = msgspec.json.Decoder(list[Raw]).decode
_read_tool = msgspec.json.Decoder(_Tool).decode


class ServerWork(Struct, frozen=True, kw_only=True):
    """What the provider may do. ``units`` are the uses of each tool, by the names that prices have."""

    units: Mapping[str, int] = {}
    has_compaction: bool = False

    def looped_input(self, input_tokens: int) -> int:
        """Return the input tokens of all rounds, from those of the first one."""
        rounds = min(sum(self.units.values()), MAX_ROUNDS - 1) if self.units else 0
        looped = input_tokens * (rounds + 1) + RESULT_TOKENS * rounds * (rounds + 1) // 2
        return looped + input_tokens if self.has_compaction else looped

    def looped_output(self, max_output_tokens: int) -> int:
        """Return the output tokens of all rounds: a turn's limit holds for all of it, a summary comes on top."""
        return max_output_tokens + SUMMARY_TOKENS if self.has_compaction else max_output_tokens


NO_SERVER_WORK = ServerWork()


def read_server_work(seen: Peek) -> ServerWork:
    """Return what a request allows. Never raises: tools of a shape that nobody knows do nothing here."""
    if seen.tools is NOTHING and seen.context_management is NOTHING:
        return NO_SERVER_WORK
    has_compaction = b"compact_" in bytes(seen.context_management)
    tools = bytes(seen.tools)
    units = _units(seen.tools) if b"_20" in tools or b"\\u00" in tools else {}
    return ServerWork(units=units, has_compaction=has_compaction) if units or has_compaction else NO_SERVER_WORK


def _units(raw: Raw) -> dict[str, int]:
    try:
        tools = _read_tools(raw)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    units: dict[str, int] = {}
    for item in tools:
        if bytes(item)[:1] != b"{":
            continue
        tool = _read_tool(item)
        unit = _UNIT_OF.get(tool.type.rpartition("_")[0]) if isinstance(tool.type, str) else None
        if unit is not None:
            units[unit] = units.get(unit, 0) + _uses(tool.max_uses)
    return units


def _uses(stated: object) -> int:
    """Return how often a tool may be used at most, by anything that a lenient server may read as a number."""
    if stated is None:
        return DEFAULT_USES
    if isinstance(stated, int | float) and 0 <= stated <= MOST_USES:
        return math.ceil(stated)
    return MOST_USES
