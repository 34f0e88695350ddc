"""From limits as operators set them to what the hot path claims: budgets with periods, rates with windows.

Weekly periods begin on Sunday, those of policies on Monday, unless an anchor says otherwise; days are counted from
the day of creation. Source: control-plane specification, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from lockgate.core.limits import Budget, Claim, Period, Rate
from lockgate.entities import RateLimit, UsageLimit

_SUNDAY, _MONDAY = 6, 0
_UNITS: dict[str, str] = {"cost": "nanos", "tokens": "tokens", "requests": "requests"}
_PERMILLE = 1000


def claims_of(
    usage: Iterable[UsageLimit],
    rates: Iterable[RateLimit],
    *,
    scope: str,
    name: str,
    created_at: datetime,
    now: datetime,
    per_attempt: bool = False,
) -> tuple[Claim, ...]:
    """Return the claims of one owner's limits, rates first. Limits that do not hold yet are left out."""
    claims = [Claim(rate_of(limit, scope=scope, name=name, per_attempt=per_attempt)) for limit in rates]
    for limit in usage:
        if holds(limit, now):
            budget = budget_of(limit, scope=scope, name=name, created_at=created_at, per_attempt=per_attempt)
            claims.append(Claim(budget))
    return tuple(claims)


def holds(limit: UsageLimit, now: datetime) -> bool:
    """Tell whether a budget is in force."""
    return limit.effective_from is None or limit.effective_from <= now


def budget_of(limit: UsageLimit, *, scope: str, name: str, created_at: datetime, per_attempt: bool = False) -> Budget:
    """Compile one budget."""
    alerts = {limit.cap * permille // _PERMILLE for permille in limit.alert_permille}
    if limit.alert_at is not None:
        alerts.add(limit.alert_at)
    return Budget(
        id=limit.id,
        scope=scope,
        name=name,
        unit=_UNITS[limit.unit],  # type: ignore[arg-type]  # the table holds nothing else
        cap=limit.cap,
        period=_period(limit, scope, created_at),
        admission=limit.admission,
        is_soft=limit.mode == "soft",
        alerts=tuple(sorted(alerts - {0, limit.cap})),
        per_attempt=per_attempt,
        on_outage=limit.on_outage,
        blocks_unpriced=limit.unit == "cost" and limit.on_unpriced == "block",
    )


def rate_of(limit: RateLimit, *, scope: str, name: str, per_attempt: bool = False) -> Rate:
    """Compile one rate limit."""
    return Rate(
        id=limit.id,
        scope=scope,
        name=name,
        unit=limit.unit,
        cap=limit.cap,
        window_s=limit.window_s,
        weekday=_MONDAY if scope == "policy" else _SUNDAY,
        per_attempt=per_attempt,
        on_outage=limit.on_outage,
    )


def _period(limit: UsageLimit, scope: str, created_at: datetime) -> Period:
    anchor = limit.anchor
    zone = anchor.timezone if anchor is not None else "UTC"
    match limit.reset:
        case None:
            return Period()
        case "weekly":
            custom = _MONDAY if scope == "policy" else _SUNDAY
            weekday = anchor.weekday if anchor is not None and anchor.weekday is not None else custom
            return Period(kind="weekly", weekday=weekday, timezone=zone)
        case "monthly":
            day = anchor.day_of_month if anchor is not None and anchor.day_of_month is not None else 1
            return Period(kind="monthly", day_of_month=day, timezone=zone)
        case "days":
            begins_on = limit.reset_on or created_at.astimezone(UTC).date()
            return Period(kind="days", days=limit.reset_days or 1, anchored_on=begins_on, timezone=zone)
