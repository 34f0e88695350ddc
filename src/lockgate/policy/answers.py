"""What counters say: refusals, usages and events, from the numbers that an implementation found."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lockgate.core.limits import Budget, Hold, Limit, LimitEvent, Rate, Reason, Refusal, Usage
from lockgate.policy import windows
from lockgate.policy.holds import Place, judge
from lockgate.policy.periods import Calendar

RETRY_RESERVED_S = 1.0
"""When to ask again where only reservations are in the way."""
LASTING_S = 900.0
"""Reservations whose lease ends later than in this time are no running request's, which renews a short one."""

Listener = Callable[[LimitEvent], None]


def place_of(calendar: Calendar, limit: Limit, now_s: float) -> Place:
    """Return where a limit counts at a moment: start and end of its period or window."""
    if type(limit) is Budget:
        return calendar.bounds(limit.id, limit.period, now_s)
    assert isinstance(limit, Rate)
    if limit.unit == "concurrency":
        return 0, None
    start = windows.start_of(limit, now_s)
    return start, start + limit.window_s


def budget_refusal(hold: Hold, reason: Reason, used: int, others: int, now_s: float, *, lasting: int = 0) -> Refusal:
    """Describe a budget that refuses; ``others`` is what others reserve, and ``lasting`` what of it stays for hours."""
    assert isinstance(hold.limit, Budget)
    if reason == "reserved":
        waits = None if lasting and judge(hold.limit, hold, used, lasting) is not None else RETRY_RESERVED_S
    else:
        waits = None if hold.end is None or hold.amount > hold.limit.cap else max(0.0, hold.end - now_s)
    return Refusal(
        limit=hold.limit,
        group=hold.group,
        reason=reason,
        asked=hold.amount - hold.before,
        used=used + hold.before,
        reserved=others,
        resets_at=hold.end,
        retry_after_s=waits,
    )


def rate_refusal(
    rate: Rate, group: str, asked: int, start: int, current: int, previous: int, elapsed_ms: int
) -> Refusal:
    """Describe a rate that refuses."""
    wait_ms = windows.wait_ms(rate, current, previous, elapsed_ms, asked)
    return Refusal(
        limit=rate,
        group=group,
        reason="rate",
        asked=asked,
        used=windows.used(rate, current, previous, elapsed_ms),
        reserved=0,
        resets_at=windows.whole_at(rate, start, current, previous),
        retry_after_s=None if wait_ms is None else wait_ms / 1000,
    )


def concurrency_refusal(rate: Rate, group: str, at_once: int) -> Refusal:
    """Describe a limit of requests at a time that refuses."""
    return Refusal(
        limit=rate,
        group=group,
        reason="rate",
        asked=1,
        used=0,
        reserved=at_once,
        resets_at=None,
        retry_after_s=RETRY_RESERVED_S if rate.cap else None,
    )


def outage_refusal(limits: Iterable[tuple[Limit, str]]) -> Refusal | None:
    """Return the refusal of the first limit that wants one when the counters cannot be reached."""
    for limit, group in limits:
        if limit.on_outage == "deny":
            return Refusal(
                limit=limit,
                group=group,
                reason="outage",
                asked=0,
                used=0,
                reserved=0,
                resets_at=None,
                retry_after_s=RETRY_RESERVED_S,
            )
    return None


def budget_usage(budget: Budget, start: int, end: int | None, used: int, reserved: int) -> Usage:
    """Describe a budget's counter."""
    return Usage(
        used=used, reserved=reserved, remaining=max(0, budget.cap - used - reserved), start=start, resets_at=end
    )


def rate_usage(rate: Rate, start: int, current: int, previous: int, elapsed_ms: int) -> Usage:
    """Describe a rate's window."""
    counts = windows.level(rate, current, previous, elapsed_ms)
    window_ms = rate.window_s * 1000
    return Usage(
        used=windows.used(rate, current, previous, elapsed_ms),
        reserved=0,
        remaining=max(0, (rate.cap * window_ms - counts) // window_ms),
        start=start,
        resets_at=windows.whole_at(rate, start, current, previous),
    )


def concurrency_usage(rate: Rate, at_once: int) -> Usage:
    """Describe how many requests are under way."""
    return Usage(used=0, reserved=at_once, remaining=max(0, rate.cap - at_once), start=0, resets_at=None)


def threshold_event(budget: Budget, group: str, threshold: int, used: int, start: int, end: int | None) -> LimitEvent:
    """Describe a threshold that was reached."""
    return LimitEvent(
        kind="exhausted" if threshold == budget.cap else "threshold",
        limit=budget,
        group=group,
        threshold=threshold,
        used=used,
        start=start,
        resets_at=end,
    )


def reset_event(budget: Budget, group: str, start: int, end: int | None) -> LimitEvent:
    """Describe a counter that was set to zero."""
    return LimitEvent(kind="reset", limit=budget, group=group, threshold=0, used=0, start=start, resets_at=end)
