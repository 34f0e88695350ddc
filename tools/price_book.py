"""Compiles the price book: python -m tools.price_book [--check] [--extract GIT_DIR DATE] [--report]

Inputs: genai-prices at its pinned version, our extract of Portkey's models repository, our own overlay. Where both
know a model, genai-prices decides, which knows more modes, dates and changes; the extract adds what it lacks, unless
the two disagree about the model's plain price. The overlay has the last word.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lockgate.catalog.prices import STANDARD, ModelPrices, Period, RateCard, Steps
from lockgate.catalog.prices_names import names_of
from lockgate.core.money import divide, rate_in_dollars, rate_per_million
from tools.files import ROOT
from tools.price_genai import PROVIDERS as GENAI_PROVIDERS
from tools.price_genai import Source, read_source
from tools.price_portkey import Extract, read_extract, write_extract

BOOK = ROOT / "src" / "lockgate" / "catalog" / "price_book.json"
OVERLAY = ROOT / "tools" / "price_sources" / "overlay.toml"
TOLERANCE = Decimal("0.005")
DEARER_PLACE = "us-gov."
"""Where the extract knows a price of its own, and genai-prices takes the place for any other."""


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the overlay."""

    providers: tuple[str, ...]
    models: tuple[str, ...]
    source: str
    read_on: date
    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    units: dict[str, float] = {}
    places: dict[str, float] = {}
    hour_write: int | None = None
    """An hour's cache write, as a multiple of the input."""
    does_cache_stack: bool = False
    """Whether modes change cache rates as they change the input, where a source gives only the input's."""


class BookHead(Struct, frozen=True, forbid_unknown_fields=True):
    """``[book]`` of the overlay."""

    date: date


class Overlay(Struct, frozen=True, forbid_unknown_fields=True):
    """``overlay.toml``."""

    book: BookHead
    rows: tuple[Row, ...]
    same_as: dict[str, str] = {}


class Part:
    """One provider's models while they are put together."""

    def __init__(self, name: str, genai: Source | None) -> None:
        self.name = name
        self.rows: dict[str, ModelPrices] = dict(genai.rows) if genai else {}
        self.aliases: dict[str, str] = dict(genai.aliases) if genai else {}
        self._genai = genai
        self.disputes: list[str] = []

    def row_for(self, model: str) -> str | None:
        """Return the id of the row that a name leads to, as the gateway looks it up."""
        for name in names_of(model):
            if name in self.rows:
                return name
            if name in self.aliases:
                return self.aliases[name]
        return None

    def take(self, model: str, other: ModelPrices) -> None:
        """Take what the extract knows of a model."""
        meant = self._genai.id_of(model) if self._genai and not model.startswith(DEARER_PLACE) else None
        known = self.row_for(model)
        if meant is not None and meant in self.rows:
            if known != meant:
                self.aliases[model] = meant
            known = meant
        if known is None:
            self.rows[model] = other
            self.aliases.pop(model, None)
        elif is_same(self.rows[known], other):
            self.rows[known] = joined(self.rows[known], other)
        elif meant is None:
            self.rows[model] = other
            self.aliases.pop(model, None)
        else:
            self.disputes.append(f"{self.name}/{model}: {said(self.rows[known])} here, {said(other)} there")


def said(row: ModelPrices) -> str:
    """Return a row's plain price in dollars per million."""
    card = row.periods[-1].modes[STANDARD][0]
    return f"{(card.input or 0) / 1e6:g}/{(card.output or 0) / 1e6:g}"


def is_same(one: ModelPrices, other: ModelPrices) -> bool:
    """Tell whether two rows agree about the plain price of a short prompt."""
    mine, theirs = (row.periods[-1].modes[STANDARD][0] for row in (one, other))
    return all(
        abs(Decimal(a or 0) - Decimal(b or 0)) <= TOLERANCE * Decimal(a or 0)
        for a, b in ((mine.input, theirs.input), (mine.output, theirs.output))
    )


def joined(row: ModelPrices, other: ModelPrices) -> ModelPrices:
    """Add modes, places, units and missing rates to the newest period. Modes keep the row's own number of steps."""
    last, more = row.periods[-1], other.periods[-1]
    modes = dict(last.modes)
    modes[STANDARD] = (filled(modes[STANDARD][0], more.modes[STANDARD][0]), *modes[STANDARD][1:])
    for mode, steps in more.modes.items():
        if mode not in modes:
            modes[mode] = tuple(filled(step, modes[STANDARD][0]) for step in steps)
    return replace(row, periods=(*row.periods[:-1], replace(last, modes=modes, places=last.places or more.places)))


def filled(card: RateCard, other: RateCard) -> RateCard:
    """Return a card with the rates that only the other one has."""
    missing = {
        name: value
        for name in RateCard.__struct_fields__
        if name not in ("above", "units")
        and getattr(card, name) is None
        and (value := getattr(other, name)) is not None
    }
    return replace(card, units={**other.units, **card.units}, **missing)


def overlaid(name: str, model: str, row: ModelPrices, overlay: Overlay) -> ModelPrices:
    """Return a row with what the overlay says about it."""
    for extra in overlay.rows:
        if name in extra.providers and any(fnmatchcase(model, pattern) for pattern in extra.models):
            row = replace(row, periods=tuple(changed(period, extra) for period in row.periods))
    return row


def changed(period: Period, extra: Row) -> Period:
    """Return a period with one row of the overlay worked in."""
    modes = {
        mode: tuple(changed_card(card, extra, is_plain=mode == STANDARD) for card in steps)
        for mode, steps in period.modes.items()
    }
    if extra.does_cache_stack:
        standard = modes[STANDARD]
        modes = {mode: tuple(map(stacked, steps, matching(standard, steps))) for mode, steps in modes.items()}
    places = {**period.places, **{place: str(factor) for place, factor in extra.places.items()}}
    return replace(period, modes=modes, places=places)


def matching(standard: Steps, steps: Steps) -> Steps:
    """Return the standard card that goes with each step."""
    return tuple(max((s for s in standard if s.above <= step.above), key=lambda s: s.above) for step in steps)


def stacked(card: RateCard, standard: RateCard) -> RateCard:
    """Return a card whose cache rates, if taken over from the standard one, change as the input does."""
    if not card.input or not standard.input or card.input == standard.input:
        return card
    rates = {
        name: divide(rate * card.input, standard.input)
        for name in ("cache_read", "cache_write", "cache_write_1h")
        if (rate := getattr(card, name)) is not None and rate == getattr(standard, name)
    }
    return replace(card, **rates)


def changed_card(card: RateCard, extra: Row, *, is_plain: bool) -> RateCard:
    """Return a card with one row of the overlay worked in; rates are for the standard mode."""
    rates: dict[str, Any] = {"units": {**card.units, **{u: rate_in_dollars(d) for u, d in extra.units.items()}}}
    if extra.hour_write is not None and card.cache_write_1h is None and card.cache_write is not None and card.input:
        rates["cache_write_1h"] = extra.hour_write * card.input
    if is_plain:
        for name in ("input", "output", "cache_read", "cache_write", "cache_write_1h"):
            if getattr(extra, name) is not None:
                rates[name] = rate_per_million(getattr(extra, name))
    return replace(card, **rates)


def added(parts: dict[str, Part], overlay: Overlay) -> None:
    """Make rows for models that only the overlay knows."""
    for extra in overlay.rows:
        if extra.input is None or extra.output is None:
            continue
        for name in extra.providers:
            for model in extra.models:
                if not set(model) & set("*?[") and model not in parts[name].rows:
                    parts[name].rows[model] = ModelPrices(periods=(Period(modes={STANDARD: (RateCard(),)}),))


def parts_of(extract: Extract, overlay: Overlay) -> dict[str, Part]:
    """Put all sources together."""
    names = sorted({*GENAI_PROVIDERS, *extract.providers})
    parts = {}
    for name in names:
        part = parts[name] = Part(name, read_source(name))
        for model, row in extract.providers.get(name, {}).items():
            part.take(model, row)
    added(parts, overlay)
    for part in parts.values():
        part.rows = {model: overlaid(part.name, model, row, overlay) for model, row in part.rows.items()}
        part.aliases = {a: m for a, m in part.aliases.items() if a not in part.rows and m in part.rows}
    return parts


def compile_book() -> tuple[bytes, list[str]]:
    """Return the file, and where the sources disagree."""
    overlay = msgspec.convert(tomllib.loads(OVERLAY.read_text()), Overlay)
    parts = parts_of(read_extract(), overlay)
    body = "\n".join(lines_of(parts))
    digest = hashlib.sha256(body.encode()).hexdigest()[:12]
    same = {name: target for name, target in overlay.same_as.items() if target}
    head = {"version": f"{overlay.book.date.isoformat()}-{digest}", "same_as": same}
    text = json.dumps(head)[:-1] + ',\n"providers":{\n' + body + "\n}}\n"
    return text.encode(), [line for part in parts.values() for line in part.disputes]


def lines_of(parts: dict[str, Part]) -> Iterator[str]:
    """Yield the providers with one model a line, so that a change of a price is a line of a diff."""
    for index, (name, part) in enumerate(parts.items()):
        yield f"{json.dumps(name)}:{{"
        yield f'"aliases":{json.dumps(dict(sorted(part.aliases.items())), separators=(",", ":"))},'
        yield '"models":{'
        rows = (f"{json.dumps(model)}:{msgspec.json.encode(row).decode()}" for model, row in sorted(part.rows.items()))
        yield ",\n".join(rows)
        yield "}}," if index + 1 < len(parts) else "}}"


def main(arguments: list[str]) -> int:
    """Write the book, or say whether it is stale."""
    if arguments[:1] == ["--extract"]:
        write_extract(Path(arguments[1]), arguments[2])
    book, disputes = compile_book()
    if "--report" in arguments:
        print("\n".join(disputes))
    if "--check" in arguments:
        if BOOK.exists() and BOOK.read_bytes() == book:
            return 0
        print(f"{BOOK.relative_to(ROOT)} is stale: run python -m tools.price_book")
        return 1
    BOOK.write_bytes(book)
    print(f"wrote {BOOK.relative_to(ROOT)}: {len(book)} bytes, {len(disputes)} disputes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
