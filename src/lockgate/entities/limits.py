"""Budgets and rate limits as an operator sets them. ``core.limits`` holds what the hot path makes of them.

Money is integer nano-dollars. Source: control-plane specification, section 3.2.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

NANOS_PER_DOLLAR = 1_000_000_000

UsageUnit: TypeAlias = Literal["cost", "tokens", "requests"]
RateUnit: TypeAlias = Literal["requests", "tokens", "concurrency"]
Outage: TypeAlias = Literal["allow", "deny"]


class ResetAnchor(Struct, frozen=True, kw_only=True):
    """Where periods begin when it is not the entity's custom: a weekday, a day of the month, a time zone."""

    weekday: int | None = None
    """Of weekly periods: 0 is Monday, 6 is Sunday."""
    day_of_month: int | None = None
    """Of monthly periods, 1 to 31; in shorter months their last day."""
    timezone: str = "UTC"
    """Name in the time zone database."""


class UsageLimit(Struct, frozen=True, kw_only=True):
    """How much may be used in a period."""

    id: str = ""
    """What its counter is known by. Given by the store where it is empty."""
    unit: UsageUnit = "cost"
    cap: int
    """Nano-dollars for cost; else a count."""
    alert_at: int | None = None
    """The amount at which somebody is told; below the cap."""
    alert_permille: tuple[int, ...] = ()
    """Further alerts, in thousandths of the cap."""
    reset: Literal["weekly", "monthly", "days"] | None = None
    """When it starts again; None: never."""
    reset_days: int | None = None
    """Of ``days``: 1 to 365."""
    reset_on: date | None = None
    """Of ``days``: a day on which a period begins; the day of creation when left out."""
    anchor: ResetAnchor | None = None
    """None: the entity's custom, which is Sunday or Monday, the 1st, UTC."""
    effective_from: datetime | None = None
    """Does not hold before this time."""
    mode: Literal["hard", "soft"] = "hard"
    """soft: it warns and refuses nothing."""
    admission: Literal["strict", "open"] = "strict"
    """strict: the worst case must fit; open: admitted while anything is left."""
    on_unpriced: Literal["allow", "block", "fallback_price"] = "allow"
    """What becomes of a request whose model has no price."""
    on_outage: Outage = "allow"
    """What becomes of a request while the counters cannot be reached."""
    note: str | None = None
    last_reset_at: datetime | None = None
    """When somebody set its counter to zero by hand."""


class RateLimit(Struct, frozen=True, kw_only=True):
    """How much may be used in a window of time, or at once. A cap of 0 blocks."""

    id: str = ""
    """What its counter is known by. Given by the store where it is empty."""
    unit: RateUnit = "requests"
    cap: int
    window_s: int = 60
    """1, 60, 3600, 86400 or 604800; without meaning for concurrency."""
    on_outage: Outage = "allow"


def succeed_usage(old: UsageLimit | None, new: UsageLimit) -> UsageLimit:
    """Return the limit that takes an older one's place, with its counter where unit and period stay the same.

    A cap, an alert or a mode can change without a new start; a counter of other units or periods cannot be gone on
    with, so such a limit loses its id and the store gives it a new one.
    """
    if old is None or _counting(old) != _counting(new):
        return msgspec.structs.replace(new, id="")
    return msgspec.structs.replace(new, id=old.id, last_reset_at=new.last_reset_at or old.last_reset_at)


def succeed_rate(old: RateLimit | None, new: RateLimit) -> RateLimit:
    """Return the limit that takes an older one's place; the same unit and window go on with the same counter."""
    same = old is not None and (old.unit, old.window_s) == (new.unit, new.window_s)
    return msgspec.structs.replace(new, id=old.id if old is not None and same else "")


def restart(limit: UsageLimit, now: datetime) -> UsageLimit:
    """Return the limit with its counter at zero: a new id, as the old counter stays for history."""
    return msgspec.structs.replace(limit, id="", last_reset_at=now)


def _counting(limit: UsageLimit) -> tuple[object, ...]:
    return limit.unit, limit.reset, limit.reset_days, limit.reset_on, limit.anchor
