"""Usage as it is billed: disjoint counts, each of which has one price, and what the price depends on.

``core.chat.Usage`` keeps what a provider reported; this takes it apart so that nothing is counted twice. Modes and
places come from the answer, never from the request. Source: Anthropic API reference, "Messages", usage; OpenAI API
reference, "Chat completions", usage; both read 2026-11-28.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from lockgate.core.chat import Usage

MAX_COUNT = 10**11
"""A hundred billion of anything in one answer is a mistake of whoever counted."""
NO_UNITS: Mapping[str, int] = {}

_MODES = {"batch": "batch", "flex": "flex", "priority": "priority", "fast": "fast"}
_NO_PLACE = frozenset({"", "not_available", "global"})
_UNIT_OF = {
    "web_search_requests": "web_search",
    "web_fetch_requests": "web_fetch",
    "code_execution_requests": "code_execution",
    "tool_search_requests": "tool_search",
}
_read_text = msgspec.json.Decoder(str).decode
_read_members = msgspec.json.Decoder(dict[str, Raw]).decode
_read_count = msgspec.json.Decoder(int).decode


class _Split(Struct):
    ephemeral_1h_input_tokens: int | None = None


class _Iteration(Struct):
    type: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Split | None = None


_read_iterations = msgspec.json.Decoder(list[_Iteration]).decode
_APART = frozenset({"compaction", "advisor_message"})
"""Rounds that the totals leave out. Source: Anthropic API reference, "Messages", usage.iterations, read 2026-11-28."""


class Billable(Struct, frozen=True, kw_only=True):
    """Disjoint counts of one answer. ``mode`` and ``place`` choose the price."""

    in_uncached: int = 0
    in_cache_read: int = 0
    in_cache_write_5m: int = 0
    in_cache_write_1h: int = 0
    in_audio: int = 0
    out_text: int = 0
    out_reasoning: int = 0
    out_audio: int = 0
    units: Mapping[str, int] = NO_UNITS
    """Uses of tools that the provider runs: ``web_search``, ``web_fetch``, ..."""
    mode: str = "standard"
    """standard, batch, flex, priority or fast."""
    place: str | None = None
    """Where the provider says it computed, when that may change the price."""

    @property
    def tokens(self) -> int:
        """All tokens, of prompt and answer."""
        return self.prompt + self.out_text + self.out_reasoning + self.out_audio

    @property
    def prompt(self) -> int:
        """All tokens of the prompt: what tiers by length look at."""
        return self.in_uncached + self.in_cache_read + self.in_cache_write_5m + self.in_cache_write_1h + self.in_audio


class Round(Struct, frozen=True, kw_only=True):
    """A sampling that a provider made on the side and does not count in its totals."""

    model: str | None
    """Another model than the one that answered; None: the same one."""
    counted: Billable


def has_counts(usage: Usage) -> bool:
    """Tell whether a provider reported anything to bill."""
    return usage.input is not None or usage.output is not None


def billable(usage: Usage, mode: str | None = None) -> Billable | None:
    """Take usage apart; ``mode`` overrides what the answer says, as for results of a batch.

    None for counts that cannot be: below zero, or beyond MAX_COUNT. An audio part is capped at what the cache did not
    cover, reasoning and audio at what the answer has.
    """
    fresh, read, written = usage.input or 0, usage.cache_read or 0, usage.cache_write or 0
    hour, output = usage.cache_write_1h or 0, usage.output or 0
    audio, thought, spoken = usage.input_audio or 0, usage.reasoning or 0, usage.output_audio or 0
    if min(fresh, read, written, hour, output, audio, thought, spoken) < 0:
        return None
    if fresh + read + written + hour + output > MAX_COUNT:
        return None
    hour, audio, thought = min(hour, written), min(audio, fresh), min(thought, output)
    spoken = min(spoken, output - thought)
    speed, place, units = _of_extra(usage.extra) if usage.extra else (None, None, NO_UNITS)
    return Billable(
        in_uncached=fresh - audio,
        in_cache_read=read,
        in_cache_write_5m=written - hour,
        in_cache_write_1h=hour,
        in_audio=audio,
        out_text=output - thought - spoken,
        out_reasoning=thought,
        out_audio=spoken,
        units=units,
        mode=mode or _MODES.get(speed or "") or _MODES.get(usage.service_tier or "", "standard"),
        place=None if place in _NO_PLACE else place,
    )


def rounds_of(usage: Usage, mode: str = "standard", place: str | None = None) -> tuple[Round, ...] | None:
    """Return the rounds that the totals leave out: compactions, and what an advisor model said.

    None for a list that makes no sense: then something may be missing from the bill.
    """
    raw = usage.extra.get("iterations")
    if raw is None:
        return ()
    try:
        iterations = _read_iterations(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    found = []
    for one in iterations:
        if one.type in _APART:
            counted = billable(_usage_of(one), mode)
            if counted is None:
                return None
            found.append(Round(model=one.model, counted=msgspec.structs.replace(counted, place=place)))
    return tuple(found)


def _usage_of(one: _Iteration) -> Usage:
    return Usage(
        input=one.input_tokens,
        output=one.output_tokens,
        cache_read=one.cache_read_input_tokens,
        cache_write=one.cache_creation_input_tokens,
        cache_write_1h=one.cache_creation.ephemeral_1h_input_tokens if one.cache_creation is not None else None,
    )


def total_tokens(usage: Usage) -> int:
    """Return all tokens of an answer, rounds on the side included: what a budget of tokens counts.

    The sum of ``billable``'s parts, without taking them apart: parts of parts change nothing.
    """
    fresh, read, written = usage.input or 0, usage.cache_read or 0, usage.cache_write or 0
    output = usage.output or 0
    total = fresh + read + written + output
    long, heard, thought, said = usage.cache_write_1h, usage.input_audio, usage.reasoning, usage.output_audio
    if fresh < 0 or read < 0 or written < 0 or output < 0 or total + (long or 0) > MAX_COUNT:
        return 0
    if (long and long < 0) or (heard and heard < 0) or (thought and thought < 0) or (said and said < 0):
        return 0
    if "iterations" not in usage.extra:
        return total
    return total + sum([one.counted.tokens for one in rounds_of(usage) or ()])


def speed_of(usage: Usage) -> str | None:
    """Return the speed that the provider says it answered with."""
    return _text(usage.extra.get("speed"))


def place_of(usage: Usage) -> str | None:
    """Return where the provider says it computed."""
    return _text(usage.extra.get("inference_geo"))


def units_of(usage: Usage) -> Mapping[str, int]:
    """Return the uses of tools that the provider ran, by our names."""
    return _units(usage.extra.get("server_tool_use"))


def _of_extra(extra: Mapping[str, Raw]) -> tuple[str | None, str | None, Mapping[str, int]]:
    return _text(extra.get("speed")), _text(extra.get("inference_geo")), _units(extra.get("server_tool_use"))


def _text(raw: Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        return _read_text(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _units(raw: Raw | None) -> Mapping[str, int]:
    """Read ``server_tool_use``; a count that makes no sense is left out, the others stay."""
    if raw is None:
        return NO_UNITS
    try:
        members = _read_members(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NO_UNITS
    units = {}
    for name, value in members.items():
        try:
            count = _read_count(value)
        except msgspec.MsgspecError:
            continue
        if 0 < count <= MAX_COUNT:
            units[_UNIT_OF.get(name, name)] = count
    return units
