"""From usage to money: what an answer cost, and what a call may cost at most.

Hot path: a handful of integer operations for each part that has tokens. Nothing here raises for what a provider says;
what cannot be priced is named by ``Cost.status``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from lockgate.catalog.prices import STANDARD, ModelRates, Rates
from lockgate.core.billable import NO_UNITS, Billable, billable, has_counts, rounds_of
from lockgate.core.chat import Usage
from lockgate.core.limits import MAX_AMOUNT
from lockgate.core.money import divide, divide_up

CostStatus: TypeAlias = Literal["priced", "partially_priced", "estimated", "unpriced", "free"]
"""priced: every part by a stated rate. partially_priced: some part by a stand-in, or not at all. estimated: the counts
are ours. unpriced: no price or no counts that make sense, ``nanos`` is 0. free: the stated rates come to nothing."""

_FREE_UNITS = frozenset({"web_fetch", "tool_search"})
"""Tools that cost only the tokens of what they find. Source: Anthropic, "Pricing", read 2026-11-28."""
_ROUNDING_SLACK = 16
"""Rounding half to even adds less than a nano-dollar to each part; there are eight and a few units."""


class Cost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What something cost. ``nanos`` is the sum of ``parts``, all in nano-dollars."""

    nanos: int = 0
    status: CostStatus = "unpriced"
    parts: dict[str, int] = {}
    """By name of the part (``in_uncached``, ``out_text``, ...) or unit (``web_search``, ...)."""
    version: str = ""
    """The version of the price book, or of what stood in for it."""
    source: str = ""
    """integration, base_model, operator or book."""
    mode: str = STANDARD
    multiplier: str | None = None
    """The contract's default factor, None for list price."""


UNPRICED = Cost()


FindRates: TypeAlias = Callable[[str], ModelRates | None]
"""Returns the rates of another model of the same target."""


def price(
    usage: Usage,
    rates: ModelRates | None,
    *,
    mode: str | None = None,
    is_estimated: bool = False,
    find_other: FindRates | None = None,
) -> Cost:
    """Price what a provider reported. ``mode`` overrides what the answer says (results of a batch).

    ``rates`` None: nobody knows the model's price. Pass the rates of the target and model that answered. ``find_other``
    is for rounds that another model made, an advisor; without it they are not priced, and the status says so.
    """
    if rates is None or not has_counts(usage):
        return UNPRICED
    counted = billable(usage, mode)
    if counted is None:
        return UNPRICED
    parts: dict[str, int] = {}
    is_whole = _add(parts, counted, rates)
    if "iterations" in usage.extra:
        is_whole = _add_rounds(parts, usage, counted, rates, find_other) and is_whole
    nanos = sum(parts.values())
    if nanos > MAX_AMOUNT:
        return UNPRICED
    default = rates.multipliers.default
    return Cost(
        nanos=nanos,
        status=_status(nanos, parts, is_whole=is_whole, is_estimated=is_estimated),
        parts=parts,
        version=rates.version,
        source=rates.source,
        mode=counted.mode,
        multiplier=None if default == 1 else str(default),
    )


def _add_rounds(
    parts: dict[str, int], usage: Usage, counted: Billable, rates: ModelRates, find_other: FindRates | None
) -> bool:
    """Add what was sampled on the side: compactions to the parts they are of, others under ``advisor``."""
    rounds = rounds_of(usage, counted.mode, counted.place)
    if rounds is None:
        return False
    is_whole = True
    for one in rounds:
        if one.model is None:
            is_whole = _add(parts, one.counted, rates) and is_whole
            continue
        others = find_other(one.model) if find_other is not None else None
        if others is None:
            is_whole = False
            continue
        said: dict[str, int] = {}
        is_whole = _add(said, one.counted, others) and is_whole
        parts["advisor"] = parts.get("advisor", 0) + sum(said.values())
    return is_whole


def _add(parts: dict[str, int], counted: Billable, rates: ModelRates) -> bool:
    """Add the cost of disjoint counts to the parts; tell whether each of them has a stated rate."""
    chosen = rates.rates(counted.mode, counted.place, counted.prompt)
    is_whole = chosen.is_mode_known
    scale, guessed = chosen.scale, chosen.guessed
    for name, count, rate, stated_as in (
        ("in_uncached", counted.in_uncached, chosen.input, "input"),
        ("in_cache_read", counted.in_cache_read, chosen.cache_read, "cache_read"),
        ("in_cache_write_5m", counted.in_cache_write_5m, chosen.cache_write, "cache_write"),
        ("in_cache_write_1h", counted.in_cache_write_1h, chosen.cache_write_1h, "cache_write_1h"),
        ("in_audio", counted.in_audio, chosen.input_audio, "input_audio"),
        ("out_text", counted.out_text, chosen.output, "output"),
        ("out_reasoning", counted.out_reasoning, chosen.reasoning, "reasoning"),
        ("out_audio", counted.out_audio, chosen.output_audio, "output_audio"),
    ):
        if not count:
            continue
        if rate is None:
            is_whole = False
            continue
        if stated_as in guessed:
            is_whole = False
        # divide(), inlined: this runs for each part of each answer
        whole, rest = divmod(count * rate, scale)
        twice = rest * 2
        nanos = whole + 1 if twice > scale or (twice == scale and whole & 1) else whole
        parts[name] = parts[name] + nanos if name in parts else nanos
    if counted.units and not _price_units(counted.units, chosen, parts):
        is_whole = False
    return is_whole


def _price_units(units: Mapping[str, int], chosen: Rates, parts: dict[str, int]) -> bool:
    """Add the cost of units; tell whether each of them has a price."""
    is_whole = True
    for name, count in units.items():
        rate = chosen.units.get(name)
        if rate is None:
            is_whole = is_whole and name in _FREE_UNITS
            continue
        parts[name] = parts.get(name, 0) + divide(count * rate, chosen.scale)
    return is_whole


def _status(nanos: int, parts: Mapping[str, int], *, is_whole: bool, is_estimated: bool) -> CostStatus:
    if is_estimated:
        return "estimated"
    if not is_whole:
        return "partially_priced" if parts else "unpriced"
    return "priced" if nanos else "free"


def worst_case(
    rates: ModelRates,
    *,
    input_tokens: int,
    max_output_tokens: int,
    has_cache_markers: bool = True,
    units: Mapping[str, int] = NO_UNITS,
    modes: Iterable[str] = (STANDARD,),
    place: str | None = None,
    has_audio: bool = False,
) -> int:
    """Return in nano-dollars the most that a call can cost, to be reserved before it is sent.

    Never below what ``price`` says later, as long as the bounds hold: ``input_tokens`` bounds the whole prompt with its
    cache parts, ``max_output_tokens`` the answer, ``units`` the uses of each of the provider's tools, ``modes`` names
    all modes in which the provider may answer, ``place`` where it computes if that is certain. A prompt longer than the
    model's window is refused by the provider, so the window bounds it too.
    """
    prompt = min(input_tokens, rates.window) if rates.window else input_tokens
    worst = 0
    for mode in modes:
        for found in rates.ceilings(mode, place, has_cache_markers=has_cache_markers, has_audio=has_audio):
            if found.above < max(prompt, 1):
                most = prompt * found.prompt + max_output_tokens * found.output
                if units:
                    most += sum([count * found.units.get(name, 0) for name, count in units.items()])
                worst = max(worst, divide_up(most, found.scale))
    return min(worst + _ROUNDING_SLACK + len(units), MAX_AMOUNT)
