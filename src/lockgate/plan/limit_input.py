"""From a budget or rate limit as somebody writes it, in a file or through the API, to what is stored.

Money is dollars there and integer nano-dollars here. Source: control-plane specification, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from lockgate.core.limits import MAX_AMOUNT
from lockgate.core.money import nanos_of
from lockgate.entities import NANOS_PER_DOLLAR, RateLimit, ResetAnchor, UsageLimit
from lockgate.errors import InvalidRequest

Amount: TypeAlias = int | Decimal | float
"""A float is taken as it is written."""
Weekday: TypeAlias = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WINDOWS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Seconds of a window by the last letter of its unit."""
PERMILLE = 1000
_LEAST = {"cost": NANOS_PER_DOLLAR // 100, "tokens": 100, "requests": 1}
_LEAST_TEXT = {"cost": "0.01 dollars", "tokens": "100 tokens", "requests": "1 request"}


class AnchorInput(Protocol):
    """Where periods begin."""

    @property
    def weekday(self) -> Weekday | None: ...
    @property
    def day_of_month(self) -> int | None: ...
    @property
    def timezone(self) -> str: ...


class UsageLimitInput(Protocol):
    """A budget as somebody writes it; the names are those of the API."""

    @property
    def type(self) -> Literal["cost", "tokens", "requests"]: ...
    @property
    def credit_limit(self) -> Amount: ...
    @property
    def alert_threshold(self) -> Amount | None: ...
    @property
    def periodic_reset(self) -> Literal["weekly", "monthly"] | None: ...
    @property
    def periodic_reset_days(self) -> int | None: ...
    @property
    def next_usage_reset_at(self) -> datetime | None: ...
    @property
    def mode(self) -> Literal["hard", "soft"]: ...
    @property
    def admission(self) -> Literal["strict", "open"]: ...
    @property
    def alert_thresholds(self) -> Sequence[float]: ...
    @property
    def reset_anchor(self) -> AnchorInput | None: ...
    @property
    def on_unpriced(self) -> Literal["allow", "block", "fallback_price"]: ...
    @property
    def on_outage(self) -> Literal["allow", "deny"]: ...
    @property
    def note(self) -> str | None: ...


class RateLimitInput(Protocol):
    """A rate limit as somebody writes it."""

    @property
    def type(self) -> Literal["requests", "tokens", "concurrency"]: ...
    @property
    def unit(self) -> str: ...
    @property
    def value(self) -> int: ...
    @property
    def on_outage(self) -> Literal["allow", "deny"]: ...


def read_usage_limit(
    body: UsageLimitInput, old: UsageLimit | None, path: str, today: date, effective_from: datetime | None = None
) -> UsageLimit:
    """Return a budget as it is stored, without an id. ``old`` is the one that it replaces. Raises InvalidRequest."""
    cap = _amount(body.credit_limit, body.type, below(path, "credit_limit"))
    if cap < _LEAST[body.type]:
        raise InvalidRequest(
            f"{below(path, 'credit_limit')}: must be at least {_LEAST_TEXT[body.type]}",
            path=below(path, "credit_limit"),
        )
    alert_at = None
    if body.alert_threshold is not None:
        alert_at = _amount(body.alert_threshold, body.type, below(path, "alert_threshold"))
        if not 0 <= alert_at < cap:
            where = below(path, "alert_threshold")
            raise InvalidRequest(f"{where}: an amount from 0 to below credit_limit", path=where)
    if body.on_unpriced == "fallback_price":
        where = below(path, "on_unpriced")
        raise InvalidRequest(
            f"{where}: fallback_price is not supported yet; use block, and give models without a price one", path=where
        )
    if body.periodic_reset is not None and body.periodic_reset_days is not None:
        where = below(path, "periodic_reset_days")
        raise InvalidRequest(f"{where}: give either periodic_reset or periodic_reset_days", path=where)
    return UsageLimit(
        unit=body.type,
        cap=cap,
        alert_at=alert_at,
        alert_permille=tuple(sorted({round(share * PERMILLE) for share in body.alert_thresholds})),
        reset="days" if body.periodic_reset_days is not None else body.periodic_reset,
        reset_days=body.periodic_reset_days,
        reset_on=_reset_on(body, old, today),
        anchor=_read_anchor(body.reset_anchor, body.periodic_reset, path),
        effective_from=effective_from,
        mode=body.mode,
        admission=body.admission,
        on_unpriced=body.on_unpriced,
        on_outage=body.on_outage,
        note=body.note,
    )


def _reset_on(body: UsageLimitInput, old: UsageLimit | None, today: date) -> date | None:
    """Return the day from which days are counted: the old one where it stays on the same days."""
    days = body.periodic_reset_days
    if days is None:
        return None
    before = old.reset_on if old is not None and old.reset_days == days else None
    asked = body.next_usage_reset_at.astimezone(UTC).date() if body.next_usage_reset_at is not None else None
    if before is not None and (asked is None or (asked - before).days % days == 0):
        return before
    return asked or today


def _read_anchor(
    body: AnchorInput | None, period: Literal["weekly", "monthly"] | None, path: str
) -> ResetAnchor | None:
    if body is None:
        return None
    if period == "monthly" and body.weekday is not None and body.day_of_month is None:
        where = below(path, "reset_anchor.weekday")
        raise InvalidRequest(f"{where}: months begin on a day of the month: give day_of_month", path=where)
    if period == "weekly" and body.day_of_month is not None and body.weekday is None:
        where = below(path, "reset_anchor.day_of_month")
        raise InvalidRequest(f"{where}: weeks begin on a day of the week: give weekday", path=where)
    try:
        ZoneInfo(body.timezone)
    except (KeyError, ValueError, OSError):
        where = below(path, "reset_anchor.timezone")
        raise InvalidRequest(f"{where}: no such time zone; write it as in Europe/Berlin", path=where) from None
    weekday = WEEKDAYS.index(body.weekday) if body.weekday is not None else None
    return ResetAnchor(weekday=weekday, day_of_month=body.day_of_month, timezone=body.timezone)


def below(path: str, name: str) -> str:
    """Return where a field of something is, which may stand at the top itself."""
    return f"{path}.{name}" if path else name


def _amount(value: Amount, unit: str, path: str) -> int:
    """Return an amount as it is stored: nano-dollars or a count."""
    if isinstance(value, float):
        value = Decimal(repr(value))
    try:
        number = nanos_of(value) if unit == "cost" else int(value)
    except (ValueError, OverflowError):
        number = MAX_AMOUNT + 1
    if unit != "cost" and number != value and number <= MAX_AMOUNT:
        raise InvalidRequest(f"{path}: must be a whole number of {unit}", path=path)
    if abs(number) > MAX_AMOUNT:
        raise InvalidRequest(f"{path}: must be at most a thousand million dollars, or 10^18", path=path)
    return number


def read_rate_limit(body: RateLimitInput, path: str) -> RateLimit:
    """Return a rate limit as it is stored, without an id. Raises InvalidRequest."""
    if body.type == "concurrency" or body.unit == "max":
        if (body.type, body.unit) not in (("concurrency", "max"), ("concurrency", "rpm")):
            raise InvalidRequest(
                f"{below(path, 'unit')}: max is the unit of concurrency, and of nothing else", path=below(path, "unit")
            )
        return RateLimit(unit="concurrency", cap=body.value, on_outage=body.on_outage)
    if body.unit.startswith("t") and body.type != "tokens":
        where = below(path, "unit")
        raise InvalidRequest(
            f"{where}: {body.unit} counts tokens; set type to tokens, or use r{body.unit[1:]}", path=where
        )
    return RateLimit(unit=body.type, cap=body.value, window_s=WINDOWS[body.unit[2]], on_outage=body.on_outage)
