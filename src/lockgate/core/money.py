"""Money as integers: nano-dollars for amounts, pico-dollars per unit for rates. No float ever holds money.

A rate times a count, divided by its scale, is an amount; it is rounded half to even, once per part of a bill. Sums
are sums of integers. Amounts fit into 64 bits, which is 9.2 billion dollars.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

NANOS_PER_DOLLAR = 1_000_000_000
NANOS_PER_CENT = 10_000_000
PICOS_PER_NANO = 1_000
PICOS_PER_DOLLAR = 1_000_000_000_000
MAX_NANOS = 2**63 - 1

_PICOS_PER_CENT = 10_000_000_000
_PICOS_PER_USD_PER_MILLION = 1_000_000
_MAX_RATE_PICOS = 10**18
"""A million dollars for one unit; more is a slip of the pen."""


def divide(numerator: int, denominator: int) -> int:
    """Divide two integers, the lower one positive, and round half to even."""
    whole, rest = divmod(numerator, denominator)
    twice = rest * 2
    return whole + 1 if twice > denominator or (twice == denominator and whole & 1) else whole


def divide_up(numerator: int, denominator: int) -> int:
    """Divide two integers, the lower one positive, and round up."""
    return -(-numerator // denominator)


def total(amounts_nanos: Iterable[int]) -> int:
    """Add amounts. Raises OverflowError when the sum leaves 64 bits."""
    nanos = sum(amounts_nanos)
    if not -MAX_NANOS <= nanos <= MAX_NANOS:
        raise OverflowError("an amount of money beyond 9.2 billion dollars")
    return nanos


def exact(value: str | int | float | Decimal) -> Decimal:
    """Read a number as it was written: 0.3 is three tenths. Raises ValueError for what is no finite number."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    return number


def nanos_of(dollars: str | int | float | Decimal) -> int:
    """Return dollars as nano-dollars, rounded half to even. Raises ValueError beyond 64 bits."""
    scaled = exact(dollars) * NANOS_PER_DOLLAR
    if abs(scaled) > MAX_NANOS:
        raise ValueError("an amount of money beyond 9.2 billion dollars")
    numerator, denominator = scaled.as_integer_ratio()
    return divide(numerator, denominator)


def dollars_text(nanos: int) -> str:
    """Return an amount in dollars with all that it has behind the point: ``0.009012``."""
    return _text(nanos, NANOS_PER_DOLLAR, 9)


def cents_text(nanos: int) -> str:
    """Return an amount in cents with all that it has behind the point: ``0.9012``."""
    return _text(nanos, NANOS_PER_CENT, 7)


def _text(nanos: int, unit: int, digits: int) -> str:
    whole, rest = divmod(abs(nanos), unit)
    behind = f"{rest:0{digits}d}".rstrip("0")
    return f"{'-' if nanos < 0 else ''}{whole}{'.' if behind else ''}{behind}"


def rate_per_million(dollars: str | int | float | Decimal) -> int:
    """Return dollars per million units as pico-dollars per unit. Raises ValueError for what no price can be."""
    return _rate(exact(dollars) * _PICOS_PER_USD_PER_MILLION)


def rate_in_dollars(dollars: str | int | float | Decimal) -> int:
    """Return dollars per unit as pico-dollars per unit. Raises ValueError for what no price can be."""
    return _rate(exact(dollars) * PICOS_PER_DOLLAR)


def rate_in_cents(cents: str | int | float | Decimal) -> int:
    """Return cents per unit as pico-dollars per unit. Raises ValueError for what no price can be."""
    return _rate(exact(cents) * _PICOS_PER_CENT)


def _rate(picos: Decimal) -> int:
    if picos < 0:
        raise ValueError("a price below zero")
    if picos > _MAX_RATE_PICOS:
        raise ValueError("a price of more than a million dollars for one unit")
    numerator, denominator = picos.as_integer_ratio()
    return divide(numerator, denominator)


def rate_as_cents(picos: int) -> Decimal:
    """Return pico-dollars per unit as cents per unit."""
    return Decimal(picos) / _PICOS_PER_CENT


def rate_as_per_million(picos: int) -> Decimal:
    """Return pico-dollars per unit as dollars per million units."""
    return Decimal(picos) / _PICOS_PER_USD_PER_MILLION
