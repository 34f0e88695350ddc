"""Sealing at each moment at which it may be cut off: no row is lost, none is there twice."""

from __future__ import annotations

import pytest

from lockgate.records.embedded import sealing
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.store import ALL, AggregateSpec, PageQuery
from tests.unit.records.rows import DAY, HOUR_US, START, preview, row

ROWS = [row(n, at=n * (HOUR_US // 4)) for n in range(24)]


class Cut(Exception):
    """The process ends here."""


def state(store):
    return store.manifest.contents().days.get(DAY)


def count(store):
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + 24 * HOUR_US, step_us=HOUR_US)
    sums = sum(s.values["requests"] for s in store.aggregate(spec).groups.values())
    listed = store.page(PageQuery(scope=ALL, limit=1000)).entries
    assert len({entry.row.id for entry in listed}) == len(listed)
    return sums, len(listed), store.count(PageQuery(scope=ALL))


def filled(store):
    store.append(ROWS)
    store.append_previews([preview(n, at=n * (HOUR_US // 4)) for n in range(24)])


def test_hours_are_sealed_when_they_are_over_and_a_while_has_passed(store, clock):
    filled(store)
    clock.us = START + 3 * HOUR_US + 299_000_000
    store.maintain()
    assert [f.hour - DAY * 24 for f in store.manifest.contents().of("hour")] == [0, 1]
    clock.us += 2_000_000
    store.maintain()
    assert [f.hour - DAY * 24 for f in store.manifest.contents().of("hour")] == [0, 1, 2]
    assert count(store) == (24, 24, 24)


def test_a_row_for_a_sealed_hour_opens_it_and_it_is_sealed_anew(store, clock):
    filled(store)
    store.maintain()
    before = {f.hour: f.name for f in store.manifest.contents().of("hour")}
    store.append([row(99, at=5)])
    assert DAY * 24 not in {f.hour for f in store.manifest.contents().of("hour")}
    assert count(store) == (25, 25, 25)
    store.maintain()
    after = {f.hour: f.name for f in store.manifest.contents().of("hour")}
    assert after.keys() == before.keys()
    assert {hour for hour in after if after[hour] != before[hour]} == {DAY * 24}
    assert count(store) == (25, 25, 25)


def test_a_day_that_leaves_the_window_becomes_one_file(store, clock):
    filled(store)
    clock.us = START + 3 * 24 * HOUR_US + 1
    store.maintain()
    contents = store.manifest.contents()
    assert contents.days == {DAY: "cold"}
    assert sorted((f.kind, f.rows) for f in contents.files) == [("previews", 24), ("rows", 24)]
    assert not store.layout.day(DAY).exists()
    assert count(store) == (24, 24, 24)


STEPS = ["write_rows", "write_previews", "join", "remember", "copy", "drop_writer", "swap_within"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("late", [False, True])
def test_a_process_that_ends_at_any_step_loses_and_doubles_nothing(tmp_path, clock, monkeypatch, step, late):
    store = EmbeddedStore(tmp_path / "records", now_us=clock)
    filled(store)
    total = 24
    if late:
        clock.us = START + 10 * 24 * HOUR_US
        store.maintain()
        store.append([row(99, at=7)])
        total = 25
    clock.us = START + 10 * 24 * HOUR_US

    def cut(*_args, **_kwargs):
        raise Cut

    folder = store._folder
    for target in (folder.sealer, folder.manifest, folder, sealing.rollup):
        if hasattr(target, step):
            monkeypatch.setattr(target, step, cut)
    if step == "copy":
        monkeypatch.setattr(sealing.rollup, "add_written", cut)
    try:
        store.maintain()
    except Cut:
        pass
    monkeypatch.undo()
    store.close()
    again = EmbeddedStore(tmp_path / "records", now_us=clock)
    assert count(again) == (total, total, total)
    assert again.append(ROWS).new == 0
    again.maintain()
    assert count(again) == (total, total, total)
    assert again.manifest.contents().days == {DAY: "cold"}
    again.close()


def test_rows_that_come_while_a_day_is_sealed_keep_it_fresh(store, clock, monkeypatch):
    filled(store)
    clock.us = START + 10 * 24 * HOUR_US
    join = store._folder.sealer.join

    def slow_join(*args, **kwargs):
        made = join(*args, **kwargs)
        if not store.count(PageQuery(scope=ALL, from_us=START + 8, to_us=START + 10)):
            store.append([row(99, at=9)])
        return made

    monkeypatch.setattr(store._folder.sealer, "join", slow_join)
    store.maintain()
    assert state(store) == "hot"
    assert count(store) == (25, 25, 25)
    store.maintain()
    assert state(store) == "cold"
    assert count(store) == (25, 25, 25)


def test_sums_by_minute_go_before_sums_by_hour(store, clock):
    filled(store)
    clock.us = START + 20 * 24 * HOUR_US
    store.maintain()
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + 24 * HOUR_US, step_us=900_000_000)
    assert len(store.aggregate(spec).groups) == 24
    store.drop_before(START + 5 * 24 * HOUR_US)
    assert store.aggregate(spec).groups == {}
    hourly = AggregateSpec(scope=ALL, from_us=START, to_us=START + 24 * HOUR_US, step_us=HOUR_US)
    assert sum(s.values["requests"] for s in store.aggregate(hourly).groups.values()) == 24
    clock.us = START + 500 * 24 * HOUR_US
    store.maintain()
    assert store.aggregate(hourly).groups == {}
