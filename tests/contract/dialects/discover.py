"""Finds every dialect, and says what each can express. A dialect without an entry is held to the least."""

from __future__ import annotations

import importlib
import pkgutil

from msgspec import Struct

import lockgate.dialects
from lockgate.dialects import Dialect


class Limits(Struct, frozen=True, kw_only=True):
    """What a dialect can express, both ways and without loss."""

    stop_reasons: tuple[str, ...] = ("end_turn", "max_tokens")
    """For replies without a tool call."""
    reply_blocks: frozenset[str] = frozenset({"text"})
    """Kinds of blocks that a reply may hold."""
    is_text_one_block: bool = True
    """All text of a reply is one block, before the tool calls."""
    has_stop_sequence: bool = False
    has_cache_writes: bool = False
    has_one_hour_writes: bool = False
    turn_blocks: frozenset[str] = frozenset()
    """Kinds of blocks beyond text that an assistant's turn of a call may hold."""
    max_system_blocks: int = 1
    max_stops: int = 1
    has_tools: bool = False
    has_top_k: bool = False
    has_cache_marks: bool = False
    has_file_ids: bool = False
    has_both_samplers: bool = False
    needs_max_tokens: bool = False


LIMITS = {
    "anthropic_messages": Limits(
        stop_reasons=(
            "end_turn",
            "max_tokens",
            "stop_sequence",
            "pause_turn",
            "refusal",
            "model_context_window_exceeded",
            "compaction",
            "of_tomorrow",
        ),
        reply_blocks=frozenset({"text", "thinking", "redacted", "tool", "opaque"}),
        is_text_one_block=False,
        has_stop_sequence=True,
        has_cache_writes=True,
        has_one_hour_writes=True,
        turn_blocks=frozenset({"thinking", "redacted", "tool", "opaque"}),
        max_system_blocks=3,
        max_stops=6,
        has_tools=True,
        has_top_k=True,
        has_cache_marks=True,
        has_file_ids=True,
        needs_max_tokens=True,
    ),
    "openai_chat": Limits(
        stop_reasons=("end_turn", "max_tokens", "refusal"),
        reply_blocks=frozenset({"text", "tool"}),
        has_cache_writes=True,
        turn_blocks=frozenset({"tool"}),
        max_stops=4,
        has_tools=True,
        has_both_samplers=True,
    ),
}


def find_dialects() -> dict[str, Dialect]:
    """Return every dialect by name."""
    found = {}
    for info in pkgutil.iter_modules(lockgate.dialects.__path__):
        dialect = importlib.import_module(f"lockgate.dialects.{info.name}").DIALECT
        found[dialect.name] = dialect
    return found


DIALECTS = find_dialects()


def limits_of(name: str) -> Limits:
    """Return what a dialect can express."""
    return LIMITS.get(name, Limits())
