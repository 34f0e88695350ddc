"""Slots of time for charts: sixty to a hundred and twenty of a natural length, aligned to a time zone's days.

On the days on which clocks change a slot is an hour shorter or longer. Slots are given by their boundaries; ``unit_us``
is a step that divides all of them, by which rows can be grouped before they are put into slots.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from lockgate.errors import InvalidRequest

MAX_SLOTS = 120
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_HOURS = (1, 2, 3, 6, 12)
_DAYS = (1, 7)


class Slots(Struct, frozen=True):
    """Boundaries, the end of the last slot included."""

    boundaries: Sequence[int]
    unit_us: int

    def number_of(self, us: int) -> int:
        """Return in which slot a moment lies."""
        return min(max(0, bisect.bisect_right(self.boundaries, us) - 1), len(self) - 1)

    def __len__(self) -> int:
        return len(self.boundaries) - 1


def choose(from_us: int, to_us: int, zone: str = "UTC") -> Slots:
    """Return the slots of a range, of which the first and the last may reach beyond it. Raises InvalidRequest."""
    if to_us <= from_us:
        raise InvalidRequest("The range of time is empty", path="time_of_generation_max")
    for seconds in _SHORT_S:
        step = seconds * SECOND_US
        if _count(from_us, to_us, step) <= MAX_SLOTS:
            start = from_us // step * step
            return Slots(range(start, start + (_count(from_us, to_us, step) + 1) * step, step), step)
    return _local(from_us, to_us, read_zone(zone))


def read_zone(name: str) -> ZoneInfo:
    """Return a time zone. Raises InvalidRequest when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(f"There is no time zone {name!r}", path="timezone") from None


def moment(us: int) -> datetime:
    """Return a moment in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def _count(from_us: int, to_us: int, step: int) -> int:
    return -(-to_us // step) - from_us // step


def _local(from_us: int, to_us: int, zone: ZoneInfo) -> Slots:
    span = to_us - from_us
    for hours in _HOURS:
        if span / (hours * HOUR_US) <= MAX_SLOTS - 2:
            return _within(_hours(from_us, zone, hours), from_us, to_us)
    for days in _DAYS:
        if span / (days * DAY_US) <= MAX_SLOTS - 2:
            return _within(_days(from_us, zone, days), from_us, to_us)
    return _within(_months(from_us, zone), from_us, to_us)


def _within(boundaries: Iterator[int], from_us: int, to_us: int) -> Slots:
    """Keep the boundaries around a range."""
    found: list[int] = []
    for boundary in boundaries:
        if boundary <= from_us:
            found = [boundary]
            continue
        found.append(boundary)
        if boundary >= to_us:
            break
    unit = math.gcd(*(boundary // SECOND_US for boundary in found)) * SECOND_US
    return Slots(found, math.gcd(unit, HOUR_US))


def _hours(from_us: int, zone: ZoneInfo, hours: int) -> Iterator[int]:
    for day in _dates(from_us, zone, 1):
        for hour in range(0, 24, hours):
            yield _us(datetime(day.year, day.month, day.day, hour, tzinfo=zone))


def _days(from_us: int, zone: ZoneInfo, days: int) -> Iterator[int]:
    for day in _dates(from_us, zone, days):
        yield _us(datetime(day.year, day.month, day.day, tzinfo=zone))


def _months(from_us: int, zone: ZoneInfo) -> Iterator[int]:
    first = moment(from_us).astimezone(zone).date().replace(day=1)
    year, month = first.year, first.month
    while True:
        yield _us(datetime(year, month, 1, tzinfo=zone))
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def _dates(from_us: int, zone: ZoneInfo, step: int) -> Iterator[date]:
    """Yield days from the one of a moment on; weeks begin on Mondays."""
    day = moment(from_us).astimezone(zone).date()
    day -= timedelta(days=day.weekday() if step == 7 else 1)
    while True:
        yield day
        day += timedelta(days=step)


def _us(at: datetime) -> int:
    since = at.astimezone(UTC) - _EPOCH
    return (since.days * 86400 + since.seconds) * SECOND_US + since.microseconds
