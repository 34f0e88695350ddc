"""What operators write about prices, read into cards and multipliers, and written back.

Three spellings, one meaning: Portkey's ``pricing_config`` of an integration's model (cents per unit, or dollars per
million tokens when ``unit`` says so), its ``pricing_adjustments``, and ``[prices]`` of our configuration (dollars per
million tokens, dollars per use). Errors are ValueError with the path into the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from lockgate.catalog.prices import PARTS, WIRE_NAMES, Multipliers, RateCard
from lockgate.catalog.prices_book import LIST_TERMS, ModelTerms, PriceTable, PriceTerms
from lockgate.core.money import (
    exact,
    rate_as_cents,
    rate_as_per_million,
    rate_in_cents,
    rate_in_dollars,
    rate_per_million,
)

PER_MILLION = "usd_per_million_tokens"
CENTS = "cents_per_token"
DEAR_CENTS = Decimal("0.1")
"""A thousand dollars per million tokens: more is most often dollars taken for cents."""
MAX_FACTOR = 1000
_FACTOR_DIGITS = 9

_PART_OF = {wire: part for part, wire in WIRE_NAMES.items()} | {"request": "input", "response": "output"}
_HOUR_WRITE = WIRE_NAMES["cache_write_1h"]


class _Price(Struct):
    price: Raw = Raw(b"")


class _PricingConfig(Struct):
    type: str = "static"
    unit: str = CENTS
    pay_as_you_go: dict[str, Raw] = {}
    batch_config: dict[str, Raw] = {}
    currency: str = "USD"


class _Adjustments(Struct):
    multiplier: dict[str, Raw] = {}


class StatedPrice(Struct, frozen=True, kw_only=True):
    """A price that an operator wrote: cards by mode, and what looks wrong about them."""

    terms: ModelTerms
    warnings: tuple[str, ...] = ()


_read_config = msgspec.json.Decoder(_PricingConfig).decode
_read_price = msgspec.json.Decoder(_Price).decode
_read_members = msgspec.json.Decoder(dict[str, Raw]).decode
_read_adjustments = msgspec.json.Decoder(_Adjustments).decode


def read_pricing_config(raw: bytes) -> StatedPrice:
    """Read a ``pricing_config``. Raises ValueError."""
    try:
        config = _read_config(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"pricing_config: {error}") from None
    if config.type != "static":
        raise ValueError("pricing_config.type: only static prices can be set")
    if config.currency.upper() != "USD":
        raise ValueError("pricing_config.currency: prices are in USD")
    if config.unit not in (CENTS, PER_MILLION):
        raise ValueError(f"pricing_config.unit: expected {CENTS} or {PER_MILLION}")
    card = _card(config.pay_as_you_go, "pricing_config.pay_as_you_go", config.unit)
    if card.input is None and card.output is None:
        raise ValueError("pricing_config.pay_as_you_go: give request_token and response_token")
    batch = _card(config.batch_config, "pricing_config.batch_config", config.unit) if config.batch_config else None
    return StatedPrice(terms=ModelTerms(card=card, batch=batch), warnings=tuple(_warnings(card)))


def _card(members: Mapping[str, Raw], where: str, unit: str) -> RateCard:
    rates: dict[str, int] = {}
    units: dict[str, int] = {}
    for name, raw in members.items():
        if name == "additional_units":
            for inner, value in _members(raw, f"{where}.{name}").items():
                rate = _rate(value, f"{where}.{name}.{inner}", unit if inner == _HOUR_WRITE else CENTS)
                (rates if inner == _HOUR_WRITE else units)[inner] = rate
        elif name in _PART_OF:
            rates[_PART_OF[name]] = _rate(raw, f"{where}.{name}", unit)
        elif name != "image":
            raise ValueError(f"{where}.{name}: not a price that can be set")
    return RateCard(units=units, **rates)


def _members(raw: Raw, where: str) -> dict[str, Raw]:
    try:
        return _read_members(raw)
    except msgspec.MsgspecError:
        raise ValueError(f"{where}: expected an object") from None


def _rate(raw: Raw, where: str, unit: str) -> int:
    """Read ``{"price": n}``. The number is taken as it is written, never through a float."""
    try:
        text = bytes(_read_price(raw).price).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = ""
    try:
        return rate_per_million(text) if unit == PER_MILLION else rate_in_cents(text)
    except ValueError as error:
        raise ValueError(f"{where}.price: {error}") from None


def _warnings(card: RateCard) -> Iterator[str]:
    for part in PARTS:
        rate = getattr(card, part)
        if rate is not None and rate_as_cents(rate) > DEAR_CENTS:
            dollars = rate_as_per_million(rate)
            yield f"{WIRE_NAMES[part]}: {plain(dollars)} dollars per million tokens; the unit is cents per token"


def read_multipliers(raw: bytes) -> Multipliers:
    """Read ``pricing_adjustments``. ``null`` clears a factor. Raises ValueError."""
    try:
        members = _read_adjustments(raw).multiplier
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"pricing_adjustments: {error}") from None
    default = Decimal(1)
    parts: dict[str, Decimal] = {}
    for name, value in members.items():
        where = f"pricing_adjustments.multiplier.{name}"
        if bytes(value) == b"null":
            continue
        if name == "default":
            default = _factor(value, where)
        elif name == "additional_units":
            for unit, inner in _members(value, where).items():
                if bytes(inner) != b"null":
                    key = "cache_write_1h" if unit == _HOUR_WRITE else unit
                    parts[key] = _factor(inner, f"{where}.{unit}")
        elif name in _PART_OF:
            parts[_PART_OF[name]] = _factor(value, where)
        elif name != "image":
            raise ValueError(f"{where}: there is no such price")
    return Multipliers(default=default, parts=parts)


def _factor(raw: Raw, where: str) -> Decimal:
    try:
        factor = exact(bytes(raw).decode())
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"{where}: expected a number") from None
    if not 0 <= factor <= MAX_FACTOR:
        raise ValueError(f"{where}: expected a number from 0 to {MAX_FACTOR}")
    if factor != round(factor, _FACTOR_DIGITS):
        raise ValueError(f"{where}: at most {_FACTOR_DIGITS} digits behind the point")
    return factor


def card_of(rates: Mapping[str, float | str], units: Mapping[str, float | str]) -> RateCard:
    """Return a card from dollars per million tokens by part, and dollars per use by unit. Raises ValueError."""
    found = {}
    for name, dollars in rates.items():
        try:
            found[name] = rate_per_million(dollars)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    try:
        uses = {name: rate_in_dollars(dollars) for name, dollars in units.items()}
    except ValueError as error:
        raise ValueError(f"units: {error}") from None
    return RateCard(units=uses, **found)


def plain(number: Decimal) -> str:
    """Return a number without exponent and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def pricing_answer(
    table: PriceTable, provider: str, model: str, at_s: float, terms: PriceTerms = LIST_TERMS
) -> dict[str, object] | None:
    """Return what ``GET /model-configs/pricing/{provider}/{model}`` answers; None for a model without a price.

    Shape: ``{"pay_as_you_go": {"request_token": {"price": cents}, ...}, "batch_config": {...}, "currency": "USD",
    "lockgate": {...}}`` with numbers that are exact in decimals; ``lockgate`` adds the version, the source, the name
    under which the price was found and the same rates in dollars per million tokens.
    """
    rates = table.find(provider, model, at_s, terms)
    card = rates.card() if rates is not None else None
    if rates is None or card is None:
        return None
    batch = rates.card("batch")
    answer: dict[str, object] = {"pay_as_you_go": in_cents(card), "currency": "USD"}
    if batch is not None:
        answer["batch_config"] = in_cents(batch)
    answer["lockgate"] = {
        "model": rates.model,
        "source": rates.source,
        "price_book_version": rates.version,
        PER_MILLION: in_dollars_per_million(card),
    }
    return answer


def in_cents(card: RateCard) -> dict[str, object]:
    """Return a card as Portkey's price files have it, in cents per token or use."""
    found: dict[str, object] = {}
    units: dict[str, object] = {}
    for part in PARTS:
        rate = getattr(card, part)
        if rate is not None:
            (units if part == "cache_write_1h" else found)[WIRE_NAMES[part]] = {"price": _number(rate_as_cents(rate))}
    units |= {name: {"price": _number(rate_as_cents(rate))} for name, rate in card.units.items()}
    return {**found, "additional_units": units} if units else found


def in_dollars_per_million(card: RateCard) -> dict[str, object]:
    """Return a card's token rates in dollars per million."""
    return {
        WIRE_NAMES[part]: _number(rate_as_per_million(rate))
        for part in PARTS
        if (rate := getattr(card, part)) is not None
    }


def _number(value: Decimal) -> Raw:
    """Return a number as JSON text, digit for digit."""
    return Raw(plain(value).encode())
