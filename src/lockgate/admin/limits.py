"""Budgets and rate limits on the wire: read into what is stored, written from it with how far they are used.

Money is dollars here and integer nano-dollars inside. Source: control-plane specification, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Protocol, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.changes import given
from lockgate.admin.times import write_time
from lockgate.core.limits import MAX_RATE, Claim, Usage
from lockgate.entities import NANOS_PER_DOLLAR, RateLimit, ResetAnchor, UsageLimit
from lockgate.entities.limits import restart, succeed_rate, succeed_usage
from lockgate.errors import InvalidRequest
from lockgate.plan.limit_input import PERMILLE, WEEKDAYS, WINDOWS, Weekday, read_rate_limit, read_usage_limit
from lockgate.plan.limits import budget_of
from lockgate.policy.periods import bounds

Amount: TypeAlias = int | Decimal
"""Of money or a count, exact."""

MAX_LIMITS = 20
_LETTERS = {window: letter for letter, window in WINDOWS.items()}


class AnchorBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where periods begin."""

    ignorable: ClassVar[frozenset[str]] = frozenset()
    weekday: Weekday | None = None
    day_of_month: Annotated[int, Meta(ge=1, le=31)] | None = None
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"


class UsageLimitBody(Struct, frozen=True, kw_only=True):
    """A budget as a client writes it. An unknown field is refused: a misspelt one would spend money."""

    ignorable: ClassVar[frozenset[str]] = frozenset(
        "id status current_usage is_exhausted_alerts_sent is_threshold_alerts_sent".split()
    )
    """What answers hold, ours and Portkey's, and callers send back."""
    type: Literal["cost", "tokens", "requests"] = "cost"
    """What is counted. ``requests`` is ours, and Portkey's in policies."""
    credit_limit: Amount
    """Dollars for cost, else a count: at least 0.01 dollars, 100 tokens or 1 request."""
    alert_threshold: Amount | None = None
    """In the unit of the limit, and below it."""
    periodic_reset: Literal["weekly", "monthly"] | None = None
    """When it starts again: on Sunday (policies: on Monday) or on the first of the month, at 00:00 UTC; null: never."""
    periodic_reset_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    """Or each so many days. Give one of the two."""
    next_usage_reset_at: datetime | None = None
    """With ``periodic_reset_days``: a day from which they are counted."""
    mode: Literal["hard", "soft"] = "hard"
    """soft: it warns and refuses nothing."""
    admission: Literal["strict", "open"] = "strict"
    """strict: what a request may cost at worst must fit; open: requests are admitted while anything is left."""
    alert_thresholds: Annotated[list[Annotated[float, Meta(gt=0, le=1)]], Meta(max_length=20)] = []
    """Shares of the limit."""
    reset_anchor: AnchorBody | None = None
    """Where periods begin, when not as above."""
    effective_from: datetime | None = None
    """Before this time it does not hold."""
    on_unpriced: Literal["allow", "block", "fallback_price"] = "allow"
    """What becomes of a request whose model has no price: ``allow`` serves it and counts nothing, ``block`` refuses it;
    ``fallback_price`` is refused, it is not supported yet."""
    on_outage: Literal["allow", "deny"] = "allow"
    """What becomes of a request while the counters cannot be reached."""
    note: Annotated[str, Meta(max_length=500)] | None = None


class RateLimitBody(Struct, frozen=True, kw_only=True):
    """A rate limit as a client writes it. An unknown field is refused."""

    ignorable: ClassVar[frozenset[str]] = frozenset({"id", "status"})
    """What answers hold, and callers send back."""
    type: Literal["requests", "tokens", "concurrency"] = "requests"
    """What is counted; ``concurrency``: requests at once."""
    unit: Literal["rps", "rpm", "rph", "rpd", "rpw", "tps", "tpm", "tph", "tpd", "tpw", "max"] = "rpm"
    """For each second, minute, hour, day or week; ``tpm`` with type tokens is ``rpm``; ``max`` is concurrency's."""
    value: Annotated[int, Meta(ge=0, le=MAX_RATE)]
    """0 blocks."""
    on_outage: Literal["allow", "deny"] = "allow"
    """What becomes of a request while the counters cannot be reached."""


UsageLimitsBody: TypeAlias = Annotated[list[UsageLimitBody], Meta(max_length=MAX_LIMITS)]
RateLimitsBody: TypeAlias = Annotated[list[RateLimitBody], Meta(max_length=MAX_LIMITS)]


class UsageLimitView(Struct, frozen=True, kw_only=True):
    """A budget as we write it. What is ours beyond the usual fields stands there only when it is set."""

    type: str
    credit_limit: Amount
    alert_threshold: Amount | None
    periodic_reset: str | None
    periodic_reset_days: int | None
    next_usage_reset_at: str | None
    id: str
    mode: str | UnsetType = UNSET
    admission: str | UnsetType = UNSET
    alert_thresholds: list[float] | UnsetType = UNSET
    reset_anchor: AnchorBody | UnsetType = UNSET
    effective_from: str | UnsetType = UNSET
    on_unpriced: str | UnsetType = UNSET
    on_outage: str | UnsetType = UNSET
    note: str | UnsetType = UNSET


class RateLimitView(Struct, frozen=True, kw_only=True):
    """A rate limit as we write it."""

    type: str
    unit: str
    value: int
    on_outage: str | UnsetType = UNSET


class UsageView(Struct, frozen=True, kw_only=True):
    """How far a budget is used, in its own unit."""

    type: str
    used: Amount
    reserved: Amount
    remaining: Amount
    as_of: str
    drift: Amount | UnsetType = UNSET
    """What of ``used`` the records in the ledger do not have, where the last hourly check found a difference."""


# ---- reading


def read_usage_limits(
    given: Sequence[UsageLimitBody] | None, old: Sequence[UsageLimit], *, path: str, today: date, most: int = MAX_LIMITS
) -> tuple[UsageLimit, ...]:
    """Return the limits to store. One that counts as an old one did goes on with its counter. Raises InvalidRequest."""
    bodies = given or ()
    if len(bodies) > most:
        raise InvalidRequest(f"{path}: at most {most} can be set here, not {len(bodies)}", path=path)
    found = []
    for i, (body, before) in enumerate(zip(bodies, _predecessors(bodies, old), strict=True)):
        where = f"{path}[{i}]" if most > 1 else path
        found.append(succeed_usage(before, read_usage_limit(body, before, where, today, body.effective_from)))
    return tuple(found)


def _predecessors(bodies: Sequence[UsageLimitBody], old: Sequence[UsageLimit]) -> list[UsageLimit | None]:
    """Return the limit that each one replaces: of the same period where there is one, else of the same unit."""
    left = list(old)
    found: list[UsageLimit | None] = [None] * len(bodies)
    for is_close in (True, False):
        for i, body in enumerate(bodies):
            if found[i] is not None:
                continue
            reset = "days" if body.periodic_reset_days is not None else body.periodic_reset
            for limit in left:
                same = (limit.reset, limit.reset_days) == (reset, body.periodic_reset_days)
                if limit.unit == body.type and (same or not is_close):
                    found[i] = limit
                    left.remove(limit)
                    break
    return found


class UsageLimitChange(Protocol):
    """What a partial update says of a limit: the fields of UsageLimitBody, each may be missing."""

    @property
    def credit_limit(self) -> Amount | UnsetType: ...
    @property
    def alert_threshold(self) -> Amount | UnsetType | None: ...
    @property
    def periodic_reset(self) -> Literal["weekly", "monthly"] | UnsetType | None: ...
    @property
    def periodic_reset_days(self) -> int | UnsetType | None: ...
    @property
    def next_usage_reset_at(self) -> datetime | UnsetType | None: ...
    @property
    def mode(self) -> Literal["hard", "soft"] | UnsetType: ...
    @property
    def admission(self) -> Literal["strict", "open"] | UnsetType: ...


def patched_usage_limit(old: UsageLimit, change: UsageLimitChange, today: date) -> UsageLimit:
    """Return a limit with what a partial update says; its counter goes on unless the period changes.

    Setting one kind of reset clears the other. Raises InvalidRequest.
    """
    reset, days = change.periodic_reset, change.periodic_reset_days
    old_reset = old.reset if old.reset != "days" else None
    if isinstance(reset, UnsetType):
        reset = None if isinstance(days, int) else old_reset
    if isinstance(days, UnsetType):
        days = None if reset is not None else old.reset_days
    at = change.next_usage_reset_at
    body = UsageLimitBody(
        type=old.unit,
        credit_limit=write_amount(old.cap, old.unit)
        if isinstance(change.credit_limit, UnsetType)
        else change.credit_limit,
        alert_threshold=_alert(old, change),
        periodic_reset=reset,
        periodic_reset_days=days,
        next_usage_reset_at=None if isinstance(at, UnsetType) else at,
        mode=given(change.mode, old.mode),
        admission=given(change.admission, old.admission),
        alert_thresholds=[permille / PERMILLE for permille in old.alert_permille],
        effective_from=old.effective_from,
        on_unpriced=old.on_unpriced,
        on_outage=old.on_outage,
        note=old.note,
    )
    limit = msgspec.structs.replace(read_usage_limit(body, old, "", today, body.effective_from), anchor=old.anchor)
    return succeed_usage(old, limit)


def _alert(old: UsageLimit, change: UsageLimitChange) -> Amount | None:
    if not isinstance(change.alert_threshold, UnsetType):
        return change.alert_threshold
    return write_amount(old.alert_at, old.unit) if old.alert_at is not None else None


def read_rate_limits(
    given: Sequence[RateLimitBody] | None, old: Sequence[RateLimit], *, path: str
) -> tuple[RateLimit, ...]:
    """Return the limits to store. One of the same unit and window goes on with its counter. Raises InvalidRequest."""
    left = list(old)
    found = []
    for i, body in enumerate(given or ()):
        limit = read_rate_limit(body, f"{path}[{i}]" if path else "")
        before = next((each for each in left if (each.unit, each.window_s) == (limit.unit, limit.window_s)), None)
        if before is not None:
            left.remove(before)
        found.append(succeed_rate(before, limit))
    return tuple(found)


def restarted(limits: Iterable[UsageLimit], now: datetime) -> tuple[UsageLimit, ...]:
    """Return the limits with their counters at zero."""
    return tuple(restart(limit, now) for limit in limits)


# ---- writing


def write_usage_limit(limit: UsageLimit, *, scope: str, created_at: datetime, now: datetime) -> UsageLimitView:
    """Return a budget for the wire; ``scope`` says whose it is, which decides where its weeks begin."""
    budget = budget_of(limit, scope=scope, name="", created_at=created_at)
    end = bounds(budget.period, now.timestamp())[1]
    alert_at = limit.alert_at
    return UsageLimitView(
        type=limit.unit,
        credit_limit=write_amount(limit.cap, limit.unit),
        alert_threshold=write_amount(alert_at, limit.unit) if alert_at is not None else None,
        periodic_reset=limit.reset if limit.reset != "days" else None,
        periodic_reset_days=limit.reset_days,
        next_usage_reset_at=write_time(datetime.fromtimestamp(end, UTC)) if end is not None else None,
        id=limit.id,
        mode=_unless(limit.mode, "hard"),
        admission=_unless(limit.admission, "strict"),
        alert_thresholds=[permille / PERMILLE for permille in limit.alert_permille] or UNSET,
        reset_anchor=_write_anchor(limit.anchor) if limit.anchor is not None else UNSET,
        effective_from=write_time(limit.effective_from) if limit.effective_from is not None else UNSET,
        on_unpriced=_unless(limit.on_unpriced, "allow"),
        on_outage=_unless(limit.on_outage, "allow"),
        note=limit.note if limit.note is not None else UNSET,
    )


def write_rate_limit(limit: RateLimit) -> RateLimitView:
    """Return a rate limit for the wire."""
    unit = "max" if limit.unit == "concurrency" else f"rp{_LETTERS[limit.window_s]}"
    return RateLimitView(type=limit.unit, unit=unit, value=limit.cap, on_outage=_unless(limit.on_outage, "allow"))


def write_usage(limit: UsageLimit, usage: Mapping[str, Usage], now: datetime) -> UsageView | None:
    """Return how far a budget is used, None while nobody knows."""
    found = usage.get(limit.id)
    if found is None:
        return None
    return UsageView(
        type=limit.unit,
        used=write_amount(found.used, limit.unit),
        reserved=write_amount(found.reserved, limit.unit),
        remaining=write_amount(found.remaining, limit.unit),
        as_of=write_time(now),
        drift=write_amount(found.extra, limit.unit) if found.extra else UNSET,
    )


def is_exhausted(limits: Iterable[UsageLimit], usage: Mapping[str, Usage]) -> bool:
    """Tell whether one of the limits that refuse is used up."""
    return any(
        limit.mode == "hard" and (found := usage.get(limit.id)) is not None and found.used >= limit.cap
        for limit in limits
    )


def budget_claims(limits: Iterable[UsageLimit], *, scope: str, created_at: datetime) -> list[Claim]:
    """Return what the counters are asked for."""
    return [Claim(budget_of(limit, scope=scope, name="", created_at=created_at)) for limit in limits]


def write_amount(amount: int, unit: str) -> Amount:
    """Return an amount for the wire: dollars for cost, a whole number where it is one."""
    if unit != "cost":
        return amount
    whole, rest = divmod(amount, NANOS_PER_DOLLAR)
    return whole if rest == 0 else Decimal(f"{whole}.{rest:09d}".rstrip("0"))


def _write_anchor(anchor: ResetAnchor) -> AnchorBody:
    weekday = WEEKDAYS[anchor.weekday] if anchor.weekday is not None else None
    return AnchorBody(weekday=weekday, day_of_month=anchor.day_of_month, timezone=anchor.timezone)


def _unless(value: str, usual: str) -> str | UnsetType:
    return UNSET if value == usual else value
