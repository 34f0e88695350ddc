"""Slots cover their range without gaps, in sane numbers, on days of any length."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidRequest
from lockgate.records.slots import DAY_US, HOUR_US, MAX_SLOTS, SECOND_US, choose, moment, read_zone

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]


def us(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_US


@given(st.integers(us("2020-01-01"), us("2030-01-01")), st.integers(1, 800 * DAY_US), st.sampled_from(ZONES))
def test_slots_cover_their_range_without_gaps(start, length, zone):
    slots = choose(start, start + length, zone)
    edges = list(slots.boundaries)
    assert edges == sorted(set(edges))
    assert edges[0] <= start < edges[1]
    assert edges[-2] < start + length <= edges[-1]
    assert 1 <= len(slots) <= MAX_SLOTS + 1
    assert all(edge % slots.unit_us == 0 for edge in edges)
    assert slots.unit_us in (HOUR_US, HOUR_US // 2, HOUR_US // 4) or slots.unit_us < HOUR_US


@given(st.integers(us("2024-01-01"), us("2026-01-01")), st.integers(DAY_US, 60 * DAY_US), st.data())
def test_each_moment_lies_in_its_slot(start, length, data):
    slots = choose(start, start + length, "Europe/Berlin")
    at = data.draw(st.integers(start, start + length - 1))
    number = slots.number_of(at)
    assert slots.boundaries[number] <= at < slots.boundaries[number + 1]
    # what is grouped by the unit first lands in the same slot
    assert (
        slots.number_of(at // slots.unit_us * slots.unit_us) == number
        or at // slots.unit_us * slots.unit_us < slots.boundaries[0]
    )


@pytest.mark.parametrize(
    "length, step",
    [
        (60 * SECOND_US, SECOND_US),
        (HOUR_US, 30 * SECOND_US),
        (6 * HOUR_US, 300 * SECOND_US),
        (DAY_US, 900 * SECOND_US),
        (30 * DAY_US, 12 * HOUR_US),
    ],
)
def test_steps_are_natural(length, step):
    start = us("2026-11-02")
    edges = list(choose(start, start + length).boundaries)
    assert {b - a for a, b in zip(edges, edges[1:], strict=False)} == {step}


@pytest.mark.parametrize("day, hours", [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_on_which_clocks_change_are_shorter_or_longer(day, hours):
    start = us(day)
    edges = [
        moment(edge).astimezone(read_zone("Europe/Berlin"))
        for edge in choose(start - 50 * DAY_US, start + 50 * DAY_US, "Europe/Berlin").boundaries
    ]
    assert {(edge.hour, edge.minute) for edge in edges} == {(0, 0)}
    lengths = {
        a.date().isoformat(): (b.astimezone(UTC) - a.astimezone(UTC)).total_seconds() / 3600
        for a, b in zip(edges, edges[1:], strict=False)
    }
    assert lengths[day] == hours
    assert sorted(set(lengths.values())) in ([23.0, 24.0], [24.0, 25.0])


def test_a_year_of_months_and_half_a_year_of_weeks():
    weeks = choose(us("2026-01-01"), us("2026-07-01"), "America/New_York")
    assert {moment(edge).astimezone(read_zone("America/New_York")).weekday() for edge in weeks.boundaries} == {0}
    months = choose(us("2020-01-15"), us("2026-01-15"), "Asia/Kathmandu")
    assert {moment(edge).astimezone(read_zone("Asia/Kathmandu")).day for edge in months.boundaries} == {1}
    assert months.unit_us == HOUR_US // 4


@pytest.mark.parametrize(
    "low, high, zone",
    [(5, 5, "UTC"), (6, 5, "UTC"), (0, 90 * DAY_US, "Mars/Olympus"), (0, 90 * DAY_US, "../x"), (0, 90 * DAY_US, "")],
)
def test_what_is_no_range_or_zone_is_refused(low, high, zone):
    with pytest.raises(InvalidRequest):
        choose(low, high, zone)
