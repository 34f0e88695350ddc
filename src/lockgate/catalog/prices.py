"""What a model costs: rates as they are written down, and as arithmetic wants them.

A ``RateCard`` holds rates in pico-dollars per unit, those that somebody stated. ``ModelRates`` is what one target
charges for one model over one span of time; it turns cards into ``Rates``: complete, with the multipliers of a contract
worked in, for one mode, place and length of prompt. Source of the fallbacks: control-plane specification, section 8.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import inf, lcm
from typing import TypeAlias

from msgspec import Struct

from lockgate.core.money import PICOS_PER_NANO

STANDARD = "standard"
MODES = (STANDARD, "batch", "flex", "priority", "fast")
PARTS = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "input_audio",
    "output_audio",
)
"""The names of token rates, in our own files; units have names of their own."""

_SPELT = {
    "input": "request_token",
    "output": "response_token",
    "cache_read": "cache_read_input_token",
    "cache_write": "cache_write_input_token",
    "cache_write_1h": "cache_write_1h",
    "reasoning": "reasoning_token",
    "input_audio": "request_audio_token",
    "output_audio": "response_audio_token",
}
WIRE_NAMES: Mapping[str, str] = _SPELT
"""How the public price file names the same rates. Source: Portkey models repository, README, read 2026-11-28."""


class RateCard(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rates in pico-dollars per token or use; None where nobody stated one. Valid for prompts longer than ``above``."""

    above: int = 0
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    units: dict[str, int] = {}


Steps: TypeAlias = tuple[RateCard, ...]
"""Cards by length of prompt, ``above`` ascending from 0. The one that fits prices the whole request."""


class Period(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The prices of a model from one day on (00:00 UTC), until the next period begins."""

    since: date | None = None
    modes: dict[str, Steps]
    """By mode; ``standard`` is always there."""
    places: dict[str, str] = {}
    """Decimal multipliers by where the model runs."""


class ModelPrices(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A model's row of the price book. ``periods`` ascend."""

    periods: tuple[Period, ...]
    window: int | None = None
    """Most tokens that a prompt can have."""


class Multipliers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a contract makes of list prices: factors by the name of a rate or unit, else ``default``."""

    default: Decimal = Decimal(1)
    parts: dict[str, Decimal] = {}

    def of(self, name: str) -> Decimal:
        """Return the factor of a rate or unit."""
        return self.parts.get(name, self.default)


LIST_PRICE = Multipliers()


class Rates(Struct, frozen=True, kw_only=True):
    """Complete rates for one mode, place and length: an amount in nanos is count * rate / scale.

    None: nobody knows what such a token costs. ``guessed`` names rates that another one stands in for.
    """

    scale: int
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    cache_write_1h: int | None
    reasoning: int | None
    input_audio: int | None
    output_audio: int | None
    units: dict[str, int]
    guessed: frozenset[str]
    is_mode_known: bool
    writes_unasked: bool
    """Whether the model writes its cache without being told: it has one price for writes and none by life time."""


class Ceiling(Struct, frozen=True, gc=False):
    """The most that a token may cost where prompts are longer than ``above``; amounts as in Rates."""

    above: int
    prompt: int
    output: int
    units: dict[str, int]
    scale: int


class ModelRates:
    """What one target charges for one model over a span of time. Made by ``PriceTable.find``."""

    __slots__ = (
        "_ceilings",
        "_period",
        "_rates",
        "model",
        "multipliers",
        "place",
        "source",
        "valid_from_s",
        "valid_until_s",
        "version",
        "window",
    )

    def __init__(
        self,
        period: Period,
        *,
        model: str,
        source: str,
        version: str,
        multipliers: Multipliers = LIST_PRICE,
        place: str | None = None,
        window: int | None = None,
        valid_from_s: float = 0.0,
        valid_until_s: float = inf,
    ) -> None:
        self._period = period
        self._rates: dict[tuple[str, str | None, int], Rates] = {}
        self._ceilings: dict[tuple[str, str | None, bool, bool], tuple[Ceiling, ...]] = {}
        self.model = model
        """The name under which the price was found."""
        self.source = source
        """integration, base_model, operator or book."""
        self.version = version
        self.multipliers = multipliers
        self.place = place
        """Where the target runs, for prices that depend on it."""
        self.window = window
        self.valid_from_s = valid_from_s
        self.valid_until_s = valid_until_s
        """From when on and until when these prices hold, in seconds since 1970."""

    def rates(self, mode: str, place: str | None, prompt: int) -> Rates:
        """Return the rates for a mode, a place (the target's own if None) and a prompt of so many tokens."""
        place = place or self.place
        if place not in self._period.places:
            place = None
        steps = self._period.modes.get(mode) or self._period.modes[STANDARD]
        index = len(steps) - 1
        while index and prompt <= steps[index].above:
            index -= 1
        key = (mode if mode in MODES else STANDARD, place, index)
        found = self._rates.get(key)
        if found is None:
            found = self._rates[key] = self._compile(*key, steps[index])
        return found

    def ceilings(
        self, mode: str, place: str | None, *, has_cache_markers: bool, has_audio: bool
    ) -> tuple[Ceiling, ...]:
        """Return the dearest token of a prompt and of an answer, for each length and place that a prompt may meet."""
        key = (mode, place, has_cache_markers, has_audio)
        found = self._ceilings.get(key)
        if found is None:
            reachable = self._reachable(mode, place)
            found = tuple([_ceiling(above, rates, has_cache_markers, has_audio) for above, rates in reachable])
            self._ceilings[key] = found
        return found

    def _reachable(self, mode: str, place: str | None) -> list[tuple[int, Rates]]:
        """Return the rates that prompts may meet, and above which length; at any place if ``place`` is None."""
        steps = self._period.modes.get(mode) or self._period.modes[STANDARD]
        places = (place,) if place else (None, *self._period.places)
        return [(step.above, self.rates(mode, p, step.above + 1)) for p in places for step in steps]

    def card(self, mode: str = STANDARD) -> RateCard | None:
        """Return the stated rates of a mode for short prompts, before any multiplier."""
        steps = self._period.modes.get(mode)
        return steps[0] if steps else None

    def _compile(self, mode: str, place: str | None, index: int, card: RateCard) -> Rates:
        is_known = mode in self._period.modes
        given, guessed = _complete(card)
        factors = {name: self.multipliers.of(name) for name in (*given, *card.units)}
        at_place = Decimal(self._period.places[place]) if place is not None else Decimal(1)
        at_mode = Decimal("0.5") if mode == "batch" and not is_known else Decimal(1)
        factors |= {name: factors[name] * at_place * at_mode for name in given}
        ratios = {name: factor.as_integer_ratio() for name, factor in factors.items()}
        common = lcm(*(below for _, below in ratios.values()))
        scaled = {
            name: rate * ratios[name][0] * (common // ratios[name][1])
            for name, rate in (*given.items(), *card.units.items())
        }
        return Rates(
            scale=PICOS_PER_NANO * common,
            input=scaled.get("input"),
            output=scaled.get("output"),
            cache_read=scaled.get("cache_read"),
            cache_write=scaled.get("cache_write"),
            cache_write_1h=scaled.get("cache_write_1h"),
            reasoning=scaled.get("reasoning"),
            input_audio=scaled.get("input_audio"),
            output_audio=scaled.get("output_audio"),
            units={name: scaled[name] for name in card.units},
            guessed=guessed,
            is_mode_known=is_known,
            writes_unasked=card.cache_write is not None and card.cache_write_1h is None,
        )


def _ceiling(above: int, rates: Rates, has_cache_markers: bool, has_audio: bool) -> Ceiling:
    dearest = max(rates.input or 0, rates.cache_read or 0)
    if has_cache_markers:
        dearest = max(dearest, rates.cache_write or 0, rates.cache_write_1h or 0)
    elif rates.writes_unasked:
        dearest = max(dearest, rates.cache_write or 0)
    said = max(rates.output or 0, rates.reasoning or 0)
    if has_audio:
        dearest, said = max(dearest, rates.input_audio or 0), max(said, rates.output_audio or 0)
    return Ceiling(above, dearest, said, rates.units, rates.scale)


def _complete(card: RateCard) -> tuple[dict[str, int], frozenset[str]]:
    """Return all rates that are stated or follow from others, and the names of those that are only a guess.

    Reasoning without a price of its own is output by every provider's terms, so that is no guess.
    """
    given = {name: rate for name in PARTS if (rate := getattr(card, name)) is not None}
    stated = frozenset(given)
    if card.input is not None:
        write = given.setdefault("cache_write", card.input)
        is_flat = card.cache_write is not None and write <= card.input
        given.setdefault("cache_write_1h", write if is_flat else 2 * card.input)
        given.setdefault("cache_read", card.input)
        given.setdefault("input_audio", card.input)
    if card.output is not None:
        given.setdefault("reasoning", card.output)
        given.setdefault("output_audio", card.output)
    return given, frozenset(given) - stated - {"reasoning"}
