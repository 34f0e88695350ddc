"""A manifest that is damaged or gone is made again: the same rows, sums and ids, and the journal once more."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from lockgate.errors import Unavailable
from lockgate.records.embedded.manifest import Manifest
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.query.tree import Compare, Text
from lockgate.records.store import ALL, AggregateSpec, PageQuery, Restored
from tests.unit.records.rows import DAY, HOUR_US, START, preview, row

DAY_US = 24 * HOUR_US
COUNT = 300
ALL_THERE = 2 * COUNT + 60 + 1 - 2
NOW_US = START + 6 * DAY_US + 5 * HOUR_US
SPEC = AggregateSpec(
    scope=ALL, from_us=START, to_us=START + 7 * DAY_US, step_us=HOUR_US, measures=("requests", "cost_nano"),
    dimensions=("model",), sketches=("duration",),
)  # fmt: skip


def rows_of(day, count=COUNT):
    step = DAY_US // COUNT  # the one that was deleted is in no sum, for those that are made again cannot have it
    return [row(day * 1000 + n, at=day * DAY_US + n * step, is_counted=n != 7, model=f"m{n % 3}") for n in range(count)]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A store with a sealed day, one with late rows, a fresh one with sealed hours, and a deletion."""
    now = [NOW_US]
    folder = tmp_path_factory.mktemp("original") / "records"
    store = EmbeddedStore(folder, now_us=lambda: now[0])
    for day in (0, 1):
        store.append(rows_of(day))
        store.append_previews(
            [preview(day * 1000 + n, at=day * DAY_US + n, text=f"text{day}{n:05d}") for n in range(50)]
        )
    store.append(rows_of(6, count=60))
    store.maintain()
    store.delete_where(Compare("trace_id", "in", ("t7",)), ALL, reason="done", now_us=NOW_US)
    store.apply_deletions(NOW_US)
    store.append([row(1900, at=DAY_US + 5, is_counted=True, model="m0")])
    store.delete_where(Compare("trace_id", "in", ("t9",)), ALL, reason="asked", now_us=NOW_US)
    store.manifest.acknowledge("0000000001.log#00000000", 100)
    assert list(store.manifest.contents().days.values()) == ["cold", "late", "hot"]
    assert len(store.manifest.contents().of("hour")) > 2
    store.close()
    return folder


@pytest.fixture
def folder(tmp_path, clock, original):
    clock.us = NOW_US
    shutil.copytree(original, tmp_path / "records")
    return tmp_path / "records"


@pytest.fixture
def path(folder):
    return folder / "manifest.db"


def write_at(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def damage_header(path):
    write_at(path, 0, b"not a database, not at all" * 10)


def damage_middle(path):
    write_at(path, path.stat().st_size // 8192 * 4096, b"\xff" * 4096 * 3)


def damage_beginning(path):
    write_at(path, 4096, b"\xff" * 4096 * 8)


def truncate(path):
    os.truncate(path, path.stat().st_size // 8192 * 4096)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


DAMAGES = [damage_header, damage_beginning, damage_middle, truncate, zero, empty, remove]
each_damage = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


def ids(store):
    found = [entry.row.id for entries in store.scan(PageQuery(scope=ALL)) for entry in entries]
    assert len(found) == len(set(found))
    return set(found)


def everything(store):
    """Return all that a store answers, of which nothing may change."""
    counted = store.aggregate(SPEC).groups
    return (
        ids(store), store.count(PageQuery(scope=ALL, filter=Compare("id", "in", ("rec_8",)))),
        {key: (sums.values, sums.sketches) for key, sums in counted.items()},
        [one.id for one in store.trace("t1005", ALL)], [one.id for one in store.trace("t1900", ALL)],
        [entry.row.id for entry in store.page(PageQuery(scope=ALL, filter=Text("text100003"))).entries],
        {(file.kind, file.day, file.hour, file.rows) for file in store.manifest.contents().files},
        store.manifest.contents().days,
    )  # fmt: skip


@each_damage
def test_before_the_store_opens(folder, path, clock, damage, caplog):
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        before = everything(store)
    damage(path)
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        if not store.restored:
            # the damage lies where nothing looked: a reader or the shipper meets it
            store.manifest.forget_acks()
            assert store._folder.heal_manifest()
        assert everything(store) == before
        assert store.manifest.acks() == {}
        assert store.append(rows_of(0)[:8] + rows_of(6)[:5]).new in (0, 1)
        store.maintain()
        store.apply_deletions(clock.us)
        assert "the manifest of records is damaged or gone" in caplog.text
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        assert store.restored == 0


@each_damage
def test_while_the_store_is_open(folder, path, clock, damage):
    with closing(EmbeddedStore(folder, now_us=clock)) as store, closing(EmbeddedReader(folder)) as reader:
        before = everything(store)
        damage(path)
        met = 0
        for _ in range(20):
            try:
                store.append([row(1950, at=DAY_US + 5)])
                store.manifest.acks()
                everything(store)
                reader.count(PageQuery(scope=ALL))
                store.maintain()
                break
            except (Unavailable, Restored, sqlite3.DatabaseError):
                met += 1
                store.heal()
        assert ids(store) - {"rec_1950"} == before[0]
        if met:
            assert store.restored == 1
        assert ids(reader) - {"rec_1950"} == before[0]
        assert not list(folder.rglob("*.suspect"))


@each_damage
def test_deletions_are_known_in_any_case(folder, path, clock, damage):
    damage(path)
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        assert store._folder.heal_manifest() or store.restored
        assert {one.reason for one in store.receipts()} == {"done", "asked"}
        assert store.append(rows_of(0)[7:8]).deleted == 1
        assert sum(one.rows_removed for one in store.apply_deletions(clock.us)) == 1
        assert "rec_9" not in ids(store)


def test_of_two_files_of_a_day_the_newest_is_listed_and_the_other_put_aside(folder, path, clock):
    [old] = folder.glob(f"cold/rows-{DAY}-*.parquet")
    for suffix in (".parquet", ".rows"):
        source = old.with_suffix(suffix)
        copy = folder / "cold" / f"{old.stem[:-12]}{'0' * 12}{suffix}"
        shutil.copyfile(source, copy)
        os.utime(copy, (1, 1))
    remove(path)
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        assert old.name in {file.name for file in store.manifest.contents().files}
        assert len(ids(store)) == ALL_THERE
        assert sorted(one.suffix for one in folder.glob("quarantine/cold-rows-*")) == [".parquet", ".rows"]


def test_an_hour_that_has_more_rows_than_its_file_is_sealed_again(folder, path, clock):
    with closing(sqlite3.connect(folder / "hot" / "2026-02-22.db")) as connection, connection:
        connection.execute("DELETE FROM rows WHERE id = 'rec_6000'")
    remove(path)
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        hours = [file.hour for file in store.manifest.contents().of("hour")]
        assert (DAY + 6) * 24 not in hours
        assert hours
        assert "rec_6000" not in ids(store)
        store.maintain()
        assert (DAY + 6) * 24 in [file.hour for file in store.manifest.contents().of("hour")]


def test_rows_that_lie_in_a_sealed_file_and_as_late_ones_are_there_once(folder, path, clock):
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        before = everything(store)
        store._folder.writer(DAY + 1).append(rows_of(1)[:20])
    remove(path)
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        assert everything(store) == before


def test_the_rows_of_a_day_whose_file_is_damaged_as_well_come_from_beside_it(folder, path, clock):
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        before = everything(store)
    [sealed] = folder.glob(f"cold/rows-{DAY}-*.parquet")
    zero(sealed)
    remove(path)
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        store._healing._sealed.heal_all()
        assert everything(store) == before
        assert len(ids(store)) == ALL_THERE
        assert store.missing() == []


def test_a_crash_in_the_middle_of_it_changes_nothing(folder, path, clock):
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        before = everything(store)
    truncate(path)
    path.rename(folder / "quarantine" / "manifest-5.db")
    Manifest(path).close()
    with closing(EmbeddedStore(folder, now_us=clock)) as store:
        assert everything(store) == before
        assert {one.reason for one in store.receipts()} == {"done", "asked"}
        assert "manifest-5.db.read" in [one.name for one in folder.glob("quarantine/*")]


def test_an_empty_folder_gets_an_empty_manifest(tmp_path, clock):
    with closing(EmbeddedStore(tmp_path / "records", now_us=clock)) as store:
        assert store.restored == 0
        assert not store._folder.heal_manifest()
