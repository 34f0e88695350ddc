"""Periods of budgets: when the one that holds a moment began, and when it ends.

Time zone rules come from the time zone database, which is data; nothing here asks for the current time.
A period begins at the first instant of its first local day, also where a change of clocks removes or repeats midnight.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import assert_never
from zoneinfo import ZoneInfo

from lockgate.core.limits import Period

_DAY_S = 86400
_EPOCH = date(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH.toordinal()


def bounds(period: Period, now_s: float) -> tuple[int, int | None]:
    """Return start and end of the period that holds ``now_s``; (0, None) when it never ends.

    Raises ValueError or ZoneInfoNotFoundError for a time zone that the database does not know.
    """
    if period.kind == "none":
        return 0, None
    today = _local_day(now_s, period.timezone)
    first, after = _days(period, today)
    return _midnight(first, period.timezone), _midnight(after, period.timezone)


class Calendar:
    """Remembers the running period of each limit, so that the hot path asks for bounds once a period."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Period, int, int | None]] = {}

    def bounds(self, limit_id: str, period: Period, now_s: float) -> tuple[int, int | None]:
        """Return what ``bounds`` does."""
        if period.kind == "none":
            return 0, None
        known = self._known.get(limit_id)
        if known is not None:
            seen, start, end = known
            if seen is period and start <= now_s and (end is None or now_s < end):
                return start, end
        start, end = bounds(period, now_s)
        self._known[limit_id] = (period, start, end)
        return start, end


def _days(period: Period, today: date) -> tuple[date, date]:
    """Return the first day of the period that holds a day, and the first one of the next."""
    match period.kind:
        case "weekly":
            first = today - timedelta(days=(today.weekday() - period.weekday) % 7)
            return first, first + timedelta(days=7)
        case "monthly":
            first = _day_in_month(today.year, today.month, period.day_of_month)
            if first > today:
                return _day_in_month(*_month_before(today.year, today.month), period.day_of_month), first
            return first, _day_in_month(*_month_after(today.year, today.month), period.day_of_month)
        case "days":
            anchor = period.anchored_on or _EPOCH
            first = today - timedelta(days=(today - anchor).days % period.days)
            return first, first + timedelta(days=period.days)
        case "none":
            return date.min, date.max
        case _:
            assert_never(period.kind)


def _day_in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _month_before(year: int, month: int) -> tuple[int, int]:
    return (year, month - 1) if month > 1 else (year - 1, 12)


def _month_after(year: int, month: int) -> tuple[int, int]:
    return (year, month + 1) if month < 12 else (year + 1, 1)


def _local_day(now_s: float, timezone: str) -> date:
    if timezone == "UTC":
        return date.fromordinal(_EPOCH_ORDINAL + int(now_s // _DAY_S))
    return datetime.fromtimestamp(now_s, _zone(timezone)).date()


def _midnight(day: date, timezone: str) -> int:
    """Return the first instant of a local day: fold 0 is the earlier of two midnights, and the end of a gap."""
    if timezone == "UTC":
        return (day.toordinal() - _EPOCH_ORDINAL) * _DAY_S
    local = datetime(day.year, day.month, day.day, tzinfo=_zone(timezone))
    return int(local.astimezone(UTC).timestamp())


@lru_cache(maxsize=64)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)
