"""The price book, and who overrides it: ``PriceTable.find`` says what a target charges for a model.

The book is ``price_book.json`` beside this file, written by ``tools/price_book.py``; it is read when the first price is
asked for, and a provider's part when its first model is. Order of sources, a whole card from the first that has one:
the integration's price for the model, the price of the model that a custom one is based on, the operator's, the book.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from functools import cache
from importlib.resources import files
from math import inf
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from lockgate.catalog.prices import LIST_PRICE, STANDARD, ModelPrices, ModelRates, Multipliers, Period, RateCard, Steps
from lockgate.catalog.prices_names import names_of, split_place

MAX_CACHED = 4096
"""Clients choose the names, so the memory for answers has an end."""


class Book(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. Providers are decoded one at a time."""

    version: str
    """Date of the newest input and a hash of what the book says."""
    providers: dict[str, Raw]
    same_as: dict[str, str] = {}
    """Providers that charge what another one does."""


class BookProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider's models by their name, and other documented names of the same models."""

    models: dict[str, ModelPrices]
    aliases: dict[str, str] = {}


class ModelTerms(Struct, frozen=True, kw_only=True):
    """What an integration says about one model's price."""

    card: RateCard | None = None
    batch: RateCard | None = None
    base_model: str | None = None
    """The model whose price counts, for a custom model that inherits it."""
    is_custom: bool = False
    """Whether the name is the operator's own, so that the book must not be asked for it."""


class PriceTerms(Struct, frozen=True, kw_only=True, eq=False):
    """An integration's terms. One object per target; two are never equal."""

    models: Mapping[str, ModelTerms] = {}
    multipliers: Multipliers = LIST_PRICE
    place: str | None = None
    """The region or data zone of the target, where list prices differ by it."""


LIST_TERMS = PriceTerms()


class PriceTable:
    """Looks prices up. Safe to share; answers are cached."""

    def __init__(
        self, read_book: Callable[[], bytes], operator: Mapping[tuple[str, str], RateCard] | None = None
    ) -> None:
        self._read_book = read_book
        self._book: Book | None = None
        self._providers: dict[str, BookProvider | None] = {}
        self._operator = dict(operator or {})
        self._found: dict[tuple[str, str, PriceTerms], ModelRates | None] = {}

    @property
    def version(self) -> str:
        """The version of the price book."""
        return self._opened().version

    def find(self, provider: str, model: str, at_s: float, terms: PriceTerms = LIST_TERMS) -> ModelRates | None:
        """Return what a target of ``provider`` charges for a model at a moment (seconds since 1970).

        None: unpriced. ``model`` is the upstream's id; for Azure the slug of the deployment's model.
        """
        key = (provider, model, terms)
        try:
            found = self._found[key]
        except KeyError:
            found = self._keep(key, at_s)
        if found is not None and not found.valid_from_s <= at_s < found.valid_until_s:
            found = self._keep(key, at_s)
        return found

    def prices_of(self, provider: str, model: str) -> ModelPrices | None:
        """Return the book's row for a model."""
        return self._in_book(provider, model)[1]

    def models_of(self, provider: str) -> Mapping[str, ModelPrices]:
        """Return all rows of a provider."""
        part = self._provider(provider)
        return part.models if part else {}

    def providers(self) -> tuple[str, ...]:
        """Return the names of the providers that the book knows."""
        book = self._opened()
        return tuple(sorted({*book.providers, *book.same_as}))

    def _keep(self, key: tuple[str, str, PriceTerms], at_s: float) -> ModelRates | None:
        if len(self._found) >= MAX_CACHED:
            self._found.clear()
        found = self._found[key] = self._look_up(*key, at_s)
        return found

    def _look_up(self, provider: str, model: str, terms: PriceTerms, at_s: float) -> ModelRates | None:
        own = terms.models.get(model)
        if own is not None and own.card is not None:
            return self._stated(own.card, own.batch, model, "integration", terms)
        name, source = model, ""
        if own is not None and own.base_model is not None:
            name, source = own.base_model, "base_model"
        elif own is not None and own.is_custom:
            return None
        for candidate in names_of(name):
            card = self._operator.get((provider, candidate))
            if card is not None:
                return self._stated(card, None, candidate, source or "operator", terms)
        found, row = self._in_book(provider, name)
        if row is None:
            return None
        period, since_s, until_s = _period_at(row, at_s)
        return ModelRates(
            period,
            model=found,
            source=source or "book",
            version=self._opened().version,
            multipliers=terms.multipliers,
            place=split_place(name)[1] or terms.place,
            window=row.window,
            valid_from_s=since_s,
            valid_until_s=until_s,
        )

    def _stated(self, card: RateCard, batch: RateCard | None, model: str, source: str, terms: PriceTerms) -> ModelRates:
        modes: dict[str, Steps] = {STANDARD: (card,)}
        if batch is not None:
            modes["batch"] = (batch,)
        return ModelRates(
            Period(modes=modes),
            model=model,
            source=source,
            version=stated_version(card),
            multipliers=terms.multipliers,
        )

    def _in_book(self, provider: str, model: str) -> tuple[str, ModelPrices | None]:
        part = self._provider(provider)
        if part is not None:
            for name in names_of(model):
                row = part.models.get(name)
                if row is not None:
                    return name, row
                alias = part.aliases.get(name)
                if alias is not None:
                    return alias, part.models[alias]
        return model, None

    def _provider(self, provider: str) -> BookProvider | None:
        if provider not in self._providers:
            book = self._opened()
            raw = book.providers.get(book.same_as.get(provider, provider))
            if raw is None:
                return None
            self._providers[provider] = msgspec.json.decode(raw, type=BookProvider)
        return self._providers[provider]

    def _opened(self) -> Book:
        if self._book is None:
            self._book = msgspec.json.decode(self._read_book(), type=Book)
        return self._book


def stated_version(card: RateCard) -> str:
    """Return a version for prices that are in no book: it changes when a rate does."""
    return f"stated-{crc32(msgspec.json.encode(card)):08x}"


def _period_at(row: ModelPrices, at_s: float) -> tuple[Period, float, float]:
    """Return the period that a moment lies in, when it began and when the next one begins."""
    found, since_s = row.periods[0], -inf
    for period in row.periods[1:]:
        begins_s = _begin_s(period)
        if begins_s > at_s:
            return found, since_s, begins_s
        found, since_s = period, begins_s
    return found, since_s, inf


def _begin_s(period: Period) -> float:
    assert period.since is not None
    return datetime.combine(period.since, time(), UTC).timestamp()


def _packaged_bytes() -> bytes:
    return files("lockgate.catalog").joinpath("price_book.json").read_bytes()


@cache
def packaged_prices() -> PriceTable:
    """Return the table of the packaged book alone."""
    return PriceTable(_packaged_bytes)


def load_prices(operator: Mapping[tuple[str, str], RateCard]) -> PriceTable:
    """Return the packaged book with an operator's cards, by provider and model, on top of it."""
    return PriceTable(_packaged_bytes, operator) if operator else packaged_prices()
