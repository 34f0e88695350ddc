"""Periods begin and end where people expect it, at every edge of clock and calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.core.limits import Period
from lockgate.policy.periods import Calendar, bounds

SUNDAY, MONDAY = 6, 0


def at(text, zone="UTC"):
    """Return the Unix time of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def utc(seconds):
    """Return a Unix time as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


WEEK_FROM_SUNDAY = Period(kind="weekly", weekday=SUNDAY)
WEEK_FROM_MONDAY = Period(kind="weekly", weekday=MONDAY)
MONTH = Period(kind="monthly")
MONTH_FROM_31 = Period(kind="monthly", day_of_month=31)
TEN_DAYS = Period(kind="days", days=10, anchored_on=date(2026, 3, 5))


@pytest.mark.parametrize(
    "period, now, start, end",
    [
        # 2026-08-02 is a Sunday
        (WEEK_FROM_SUNDAY, "2026-08-01T23:59:59.999", "2026-07-26", "2026-08-02"),
        (WEEK_FROM_SUNDAY, "2026-08-02T00:00:00", "2026-08-02", "2026-08-09"),
        (WEEK_FROM_MONDAY, "2026-08-02T23:59:59.999", "2026-07-27", "2026-08-03"),
        (WEEK_FROM_MONDAY, "2026-08-03T00:00:00", "2026-08-03", "2026-08-10"),
        (WEEK_FROM_MONDAY, "2026-12-31T12:00:00", "2026-12-28", "2027-01-04"),
        (MONTH, "2026-01-31T23:59:59.999", "2026-01-01", "2026-02-01"),
        (MONTH, "2026-02-01T00:00:00", "2026-02-01", "2026-03-01"),
        (MONTH, "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        (MONTH, "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        (MONTH_FROM_31, "2026-02-27T23:59:59", "2026-01-31", "2026-02-28"),
        (MONTH_FROM_31, "2026-02-28T00:00:00", "2026-02-28", "2026-03-31"),
        (MONTH_FROM_31, "2028-02-29T00:00:00", "2028-02-29", "2028-03-31"),
        (MONTH_FROM_31, "2026-01-01T00:00:00", "2025-12-31", "2026-01-31"),
        (TEN_DAYS, "2026-03-05T00:00:00", "2026-03-05", "2026-03-15"),
        (TEN_DAYS, "2026-03-14T23:59:59", "2026-03-05", "2026-03-15"),
        (TEN_DAYS, "2026-03-15T00:00:00", "2026-03-15", "2026-03-25"),
        (TEN_DAYS, "2026-03-04T23:59:59", "2026-02-23", "2026-03-05"),
        (Period(kind="days", days=1, anchored_on=date(2026, 1, 1)), "2026-06-15T13:00:00", "2026-06-15", "2026-06-16"),
        (
            Period(kind="days", days=365, anchored_on=date(2026, 1, 1)),
            "2026-12-31T23:59:59",
            "2026-01-01",
            "2027-01-01",
        ),
    ],
)
def test_periods_in_utc(period, now, start, end):
    found = bounds(period, at(now))
    assert [utc(found[0]), utc(found[1])] == [f"{start}T00:00:00Z", f"{end}T00:00:00Z"]


@pytest.mark.parametrize(
    "zone, period, now, start, end",
    [
        # Berlin: clocks go forward on 2026-03-29, back on 2026-10-25
        ("Europe/Berlin", MONTH, "2026-03-31T23:59:59", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("Europe/Berlin", MONTH, "2026-04-01T00:00:00", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"),
        ("Europe/Berlin", MONTH, "2026-10-15T00:00:00", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        ("Europe/Berlin", WEEK_FROM_MONDAY, "2026-03-29T12:00:00", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"),
        # one day of 23 hours, one of 25
        (
            "Europe/Berlin",
            Period(kind="days", days=1),
            "2026-03-29T03:30:00",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            "Europe/Berlin",
            Period(kind="days", days=1),
            "2026-10-25T12:00:00",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        # Cairo: midnight of 2026-04-24 does not exist, the day begins at 01:00
        (
            "Africa/Cairo",
            Period(kind="days", days=1),
            "2026-04-24T12:00:00",
            "2026-04-23T22:00:00Z",
            "2026-04-24T21:00:00Z",
        ),
        # Havana: 2026-11-01 has midnight twice, and the day begins with the first
        (
            "America/Havana",
            Period(kind="days", days=1),
            "2026-11-01T12:00:00",
            "2026-11-01T04:00:00Z",
            "2026-11-02T05:00:00Z",
        ),
        # a week of Monday in Kolkata begins on Sunday in UTC
        ("Asia/Kolkata", WEEK_FROM_MONDAY, "2026-08-03T00:00:00", "2026-08-02T18:30:00Z", "2026-08-09T18:30:00Z"),
    ],
)
def test_periods_in_a_time_zone(zone, period, now, start, end):
    local = Period(
        kind=period.kind,
        weekday=period.weekday,
        days=period.days,
        anchored_on=period.anchored_on,
        timezone=zone,
    )
    found = bounds(local, at(now, zone))
    assert [utc(found[0]), utc(found[1])] == [start, end]


def test_no_period_never_ends():
    assert bounds(Period(), 1_800_000_000.0) == (0, None)


def test_an_unknown_time_zone_is_an_error():
    with pytest.raises(ZoneInfoNotFoundError):
        bounds(Period(kind="monthly", timezone="Europe/Atlantis"), 0.0)


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "Africa/Cairo", "America/Havana", "Asia/Beirut", "Pacific/Apia", "Australia/Lord_Howe"]
)
PERIODS = st.one_of(
    st.builds(Period, kind=st.just("weekly"), weekday=st.integers(0, 6), timezone=ZONES),
    st.builds(Period, kind=st.just("monthly"), day_of_month=st.integers(1, 31), timezone=ZONES),
    st.builds(
        Period,
        kind=st.just("days"),
        days=st.integers(1, 365),
        anchored_on=st.dates(date(1990, 1, 1), date(2060, 1, 1)),
        timezone=ZONES,
    ),
)


@given(PERIODS, st.floats(0, 4e9))
@example(Period(kind="days", days=1, timezone="Pacific/Apia"), 1325239200.0)  # the day that Samoa left out
def test_a_period_holds_its_moment_and_the_next_one_begins_where_it_ends(period, now):
    start, end = bounds(period, now)
    assert start <= now < end
    assert bounds(period, float(start)) == (start, end)
    assert bounds(period, end - 0.5) == (start, end)
    assert bounds(period, float(end))[0] == end
    assert timedelta(seconds=end - start) <= timedelta(days=366, hours=2)


@given(PERIODS, st.lists(st.floats(0, 4e9), min_size=1, max_size=8))
def test_a_calendar_answers_as_the_arithmetic_does(period, moments):
    calendar = Calendar()
    assert [calendar.bounds("b", period, now) for now in moments] == [bounds(period, now) for now in moments]


def test_a_calendar_sees_that_a_limit_was_changed():
    calendar = Calendar()
    now = at("2026-08-05T12:00:00")
    assert calendar.bounds("b", MONTH, now) == bounds(MONTH, now)
    assert calendar.bounds("b", WEEK_FROM_MONDAY, now) == bounds(WEEK_FROM_MONDAY, now)
