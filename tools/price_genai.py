"""Prices as genai-prices knows them, turned into our rows. Its own rules decide: periods, request variants, tiers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from lockgate.catalog.prices import STANDARD, ModelPrices, Period, RateCard, Steps
from lockgate.core.money import rate_in_dollars, rate_per_million

PROVIDERS = {
    "anthropic": "anthropic",
    "openai": "openai",
    "bedrock": "aws",
    "vertex-ai": "google",
    "google": "google",
    "azure-openai": "azure",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks-ai": "fireworks",
    "groq": "groq",
    "minimax": "minimax",
    "mistral-ai": "mistral",
    "moonshot": "moonshotai",
    "novita-ai": "novita",
    "openrouter": "openrouter",
    "perplexity-ai": "perplexity",
    "together-ai": "together",
    "workers-ai": "cloudflare",
    "x-ai": "x-ai",
    "z-ai": "zai",
    "zhipu": "zhipuai",
}
"""Our names of providers, and theirs."""

TOKENS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
}
UNITS = {"web_search": "web_searches_kcount", "file_search": "storage_searches_kcount", "request": "requests_kcount"}
CONTEXTS = {
    "batch": ({"processing": "batch"},),
    "flex": ({"service_tier": "flex"},),
    "priority": ({"service_tier": "priority"},),
    "fast": ({"speed": "fast"}, {"service_tier": "fast"}),
}
CLAUDE_WINDOW = 1_000_000
"""Most that a beta flag gives a model whose documented window is smaller."""
_FIRST = date(2000, 1, 1)
_NAME = re.compile(r"^[A-Za-z0-9._:/@-]*(?<!-20\d\d)(?<![-@:./])$")


class Source:
    """The models of one provider."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.rows: dict[str, ModelPrices] = {}
        self.aliases: dict[str, str] = {}
        for model in provider.models:
            row = row_of(model)
            if row is not None:
                self.rows[model.id] = row
        for model in provider.models:
            for name in names_in(model.match):
                if model.id in self.rows and name not in self.rows and self.id_of(name) == model.id:
                    self.aliases[name] = model.id

    def id_of(self, name: str) -> str | None:
        """Return the id of the model that genai-prices takes a name for."""
        found = next((model for model in self._provider.models if model.is_match(name)), None)
        return found.id if found is not None else None


def read_source(ours: str) -> Source | None:
    """Return what genai-prices knows of one of our providers."""
    from genai_prices.data import providers

    theirs = PROVIDERS.get(ours)
    found = next((provider for provider in providers if provider.id == theirs), None)
    return Source(found) if found is not None else None


def names_in(match: Any) -> Iterator[str]:
    """Yield the whole names that a match speaks of; what is a pattern is not a name."""
    for clause in getattr(match, "or_", None) or getattr(match, "and_", None) or (match,):
        if clause is not match:
            yield from names_in(clause)
            continue
        for kind in ("equals", "starts_with", "contains", "ends_with"):
            text = getattr(clause, kind, None)
            if isinstance(text, str) and _NAME.match(text):
                yield text


def row_of(model: Any) -> ModelPrices | None:
    """Return a model's row; None when it has no price for text."""
    periods: list[Period] = []
    for since in days_of(model):
        modes = modes_at(model, since or _FIRST)
        if modes is None:
            continue
        if periods and periods[-1].modes == modes:
            continue
        periods.append(Period(since=since if periods else None, modes=modes))
    if not periods:
        return None
    window = model.context_window
    if window is not None and "claude" in model.id:
        window = max(window, CLAUDE_WINDOW)
    longest = max(step.above for period in periods for steps in period.modes.values() for step in steps)
    return ModelPrices(periods=tuple(periods), window=window if window and window > longest else None)


def days_of(model: Any) -> list[date | None]:
    """Return the days on which a model's prices change, None for the beginning."""
    holders = model.prices if isinstance(model.prices, list) else []
    starts = (getattr(holder.constraint, "start_date", None) for holder in (*holders, *(model.price_variants or ())))
    return [None, *sorted({start for start in starts if start is not None})]


def modes_at(model: Any, day: date) -> dict[str, Steps] | None:
    """Return a day's prices by mode. Where the hour matters, the dearest one counts."""
    moments = [datetime.combine(day, time(hour), UTC) for hour in (0, 4, 8, 12, 16, 20)]
    standard = dearest(model.get_prices(moment) for moment in moments)
    steps = steps_of(standard)
    if steps is None:
        return None
    modes = {STANDARD: steps}
    for mode, contexts in CONTEXTS.items():
        for context in contexts:
            if any(is_active(variant, context, moments[3]) for variant in model.price_variants or ()):
                found = steps_of(dearest(model.get_prices(moment, context) for moment in moments))
                if found is not None:
                    modes[mode] = found
                break
    return modes


def is_active(variant: Any, context: dict[str, str], moment: datetime) -> bool:
    """Tell whether a variant is for a context and in force."""
    return variant.when == context and (variant.constraint is None or variant.constraint.active(moment))


def dearest(prices: Iterable[Any]) -> Any:
    """Return the price list with the highest price for input."""
    return max(prices, key=lambda one: base_of(one.input_mtok))


def base_of(price: Any) -> Decimal:
    """Return the price of a short prompt."""
    return Decimal(0) if price is None else price if isinstance(price, Decimal) else price.base


def steps_of(prices: Any) -> Steps | None:
    """Return cards by length of prompt; None when text has no price."""
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    if base_of(prices.input_mtok) == 0 and base_of(prices.output_mtok) == 0:
        return None
    starts = {0}
    for name in TOKENS.values():
        starts |= {tier.start for tier in getattr(getattr(prices, name, None), "tiers", ())}
    return tuple(card_at(prices, start) for start in sorted(starts))


def card_at(prices: Any, above: int) -> RateCard:
    """Return the card for prompts longer than ``above``."""
    units = {
        ours: rate_in_dollars(price_at(price, above) / 1000)
        for ours, theirs in UNITS.items()
        if (price := getattr(prices, theirs, None)) is not None
    }
    rates = {
        ours: rate_per_million(price_at(price, above))
        for ours, theirs in TOKENS.items()
        if (price := getattr(prices, theirs, None)) is not None
    }
    return RateCard(above=above, units=units, **rates)


def price_at(price: Any, above: int) -> Decimal:
    """Return the price of a prompt longer than ``above``."""
    if isinstance(price, Decimal):
        return price
    found: Decimal = price.base
    for tier in price.tiers:
        if above >= tier.start:
            found = tier.price
    return found
