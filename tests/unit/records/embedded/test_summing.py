"""Which source answers which part of a range."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.embedded import summing
from lockgate.records.embedded.summing import Summing, check
from lockgate.records.query.language import parse
from lockgate.records.store import ALL, AggregateSpec
from tests.unit.records.rows import HOUR_US, START, row


@pytest.fixture
def parts(monkeypatch):
    """What was read: (source, start and end in hours of the day)."""
    found = []
    rows, rollups = Summing._add_rows, Summing._add_rollups

    def see_rows(self, spec, where, low, high, adder):
        if low < high:
            found.append(("rows", (low - START) / HOUR_US, (high - START) / HOUR_US))
        rows(self, spec, where, low, high, adder)

    def see_rollups(self, spec, where, how, bounds, adder):
        found.append(("sums", *((us - START) / HOUR_US for us in bounds)))
        rollups(self, spec, where, how, bounds, adder)

    monkeypatch.setattr(Summing, "_add_rows", see_rows)
    monkeypatch.setattr(Summing, "_add_rollups", see_rollups)
    return found


def ask(store, low, high, text="", **changes):
    spec = AggregateSpec(
        scope=ALL, filter=parse(text), from_us=START + int(low * HOUR_US), to_us=START + int(high * HOUR_US), **changes
    )
    return sum(s.values["requests"] for s in store.aggregate(spec).groups.values())


@pytest.mark.parametrize(
    "low, high, text, changes, expected",
    [
        (1, 5, "", {}, [("sums", 1, 5)]),
        (0.5, 5.25, "", {}, [("rows", 0.5, 1), ("sums", 1, 5), ("rows", 5, 5.25)]),
        (0.25, 0.75, "", {}, [("rows", 0.25, 0.75)]),
        (0.25, 0.75, "", {"step_us": 60_000_000}, [("sums", 0.25, 0.75)]),
        (1, 5, "meta.team:x", {}, [("rows", 1, 5)]),
    ],
)
def test_the_inside_comes_from_sums_and_the_ends_from_rows(store, parts, low, high, text, changes, expected):
    store.append([row(n, at=n * (HOUR_US // 4), metadata={"team": "x"}) for n in range(24)])
    assert ask(store, low, high, text, **changes) == (high - low) * 4
    assert parts == expected


def test_sealed_hours_are_read_by_one_engine_and_open_ones_by_the_other(store, clock):
    store.append([row(n, at=n * (HOUR_US // 4)) for n in range(24)])
    clock.us = START + 4 * HOUR_US
    store.maintain()
    contents = store.manifest.contents()
    found = Summing(store.layout, store._duck, contents, 5.0)
    ranges = list(found._fresh_ranges(START + HOUR_US // 2, START + 6 * HOUR_US, has_text=False))
    assert [((s - START) / HOUR_US, (e - START) / HOUR_US) for _, s, e in ranges] == [(3, 6)]
    ranges = list(found._fresh_ranges(START + HOUR_US // 2, START + 6 * HOUR_US, has_text=True))
    assert [((s - START) / HOUR_US, (e - START) / HOUR_US) for _, s, e in ranges] == [(0.5, 6)]
    assert ask(store, 0, 6, "meta.x:* OR status:200") == 24


def test_too_many_slots_are_refused(monkeypatch):
    monkeypatch.setattr(summing, "MAX_SLOTS", 10)
    with pytest.raises(InvalidRequest):
        check(AggregateSpec(scope=ALL, from_us=0, to_us=1200, step_us=100))
