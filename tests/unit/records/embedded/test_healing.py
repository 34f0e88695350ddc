"""A day's file that is damaged, however, is made again from its sealed hours and from what can still be read in it."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from lockgate.errors import Unavailable
from lockgate.records.embedded import sqlite
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.query.tree import Compare, Text
from lockgate.records.store import ALL, AggregateSpec, PageQuery, Restored
from tests.unit.records.rows import DAY, HOUR_US, START, preview, row

COUNT, AN_HOUR = 1500, 375
SEALED = 3 * AN_HOUR
NOW_US = START + 4 * HOUR_US
PAGE = 4096


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A store with a day of four hours in it, three of them sealed."""
    folder = tmp_path_factory.mktemp("original") / "records"
    store = EmbeddedStore(folder, now_us=lambda: NOW_US)
    store.append([row(n, at=n * HOUR_US // AN_HOUR) for n in range(COUNT)])
    store.append_previews([preview(n, at=n * HOUR_US // AN_HOUR, text=f"number{n:05d}") for n in range(COUNT)])
    store.maintain()
    store.manifest.acknowledge("0000000001.log#00000000", 100)
    assert len(store.manifest.contents().of("hour")) == 3
    store.close()
    return folder


@pytest.fixture
def folder(tmp_path, clock, original):
    clock.us = NOW_US
    shutil.copytree(original, tmp_path / "records")
    return tmp_path / "records"


@pytest.fixture
def day(folder):
    return folder / "hot" / "2026-02-16.db"


def write_at(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def damage_header(path):
    write_at(path, 0, b"not a database, not at all" * 10)


def damage_middle(path):
    write_at(path, path.stat().st_size // PAGE // 4 * PAGE, b"\xff" * PAGE * 4)


def damage_everything(path):
    path.write_bytes(b"\xa5" * 50_000)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


DAMAGES = [damage_header, damage_middle, damage_everything, empty, remove]


def more(number):
    """Rows that come later, of an hour that is not sealed."""
    return [row(number, at=3 * HOUR_US + HOUR_US // 2 + number)]


def ids(store):
    found = [entry.row.id for entries in store.scan(PageQuery(scope=ALL)) for entry in entries]
    assert len(found) == len(set(found))
    return set(found)


def append(store, rows):
    """Do as the shipper does: what was restored is asked for again."""
    try:
        store.append(rows)
    except Restored:
        store.append(rows)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_day_is_made_again_and_takes_rows(folder, day, clock, damage):
    damage(day)
    store = EmbeddedStore(folder, now_us=clock)
    append(store, more(9000))
    if not store.restored:
        # the damage lies where no new row goes: a reader meets it
        with pytest.raises(Unavailable):
            ids(store)
        assert store.heal()
        store.append(more(9000))
    assert store.restored == 1
    assert store.manifest.acks() == {}
    assert ids(store) == {f"rec_{n}" for n in range(SEALED)} | {"rec_9000"}
    counted = store.aggregate(
        AggregateSpec(scope=ALL, from_us=START, to_us=START + 24 * HOUR_US, measures=("requests",))
    )
    assert [sums.values["requests"] for sums in counted.groups.values()] == [len(ids(store))]
    assert not list(folder.glob("hot/*.suspect"))
    store.close()


def test_what_can_be_read_in_the_old_file_is_kept(folder, day, clock, caplog):
    damage_middle(day)
    store = EmbeddedStore(folder, now_us=clock)
    assert store._healing.heal()
    assert len(ids(store)) == SEALED
    store.append([row(1450, at=1450 * HOUR_US // AN_HOUR, cost_nano=77)])
    store.maintain()
    found = ids(store)
    assert len(found) > SEALED + 100
    assert store.get("rec_1450", ALL).row.cost_nano == 77  # what came by another way was first, and stays
    texts = list(store.page(PageQuery(scope=ALL, filter=Text("number00003"))).entries)
    assert [entry.row.id for entry in texts] == ["rec_3"]
    assert [path.name for path in (folder / "quarantine").iterdir()] == [f"day-2026-02-16-{clock.us}.db.read"]
    before = len(found)
    store.maintain()
    assert len(ids(store)) == before
    assert "damaged or gone" in caplog.text
    store.close()


def test_an_index_of_words_that_is_damaged_is_made_again_in_place(folder, day, clock):
    connection = sqlite3.connect(day)
    connection.execute("DELETE FROM words_data WHERE id > 10")
    connection.commit()
    connection.close()
    store = EmbeddedStore(folder, now_us=clock)
    assert not store._healing.heal()
    found = store.page(PageQuery(scope=ALL, filter=Text("number00003"))).entries
    assert [entry.row.id for entry in found] == ["rec_3"]
    assert store.restored == 0
    store.close()


def test_a_reader_marks_what_it_cannot_read_and_the_writer_looks(folder, day, clock):
    damage_header(day)
    reader = EmbeddedReader(folder)
    with pytest.raises(Unavailable, match="damaged"):
        reader.page(PageQuery(scope=ALL))
    with pytest.raises(Unavailable, match="damaged"):
        list(reader.scan(PageQuery(scope=ALL)))
    store = EmbeddedStore(folder, now_us=clock)
    assert store.restored == 1
    assert not store.heal()
    damage_header(day)
    with pytest.raises(Unavailable, match="damaged"):
        reader.page(PageQuery(scope=ALL))
    assert store.heal()
    assert not store.heal()
    assert len(reader.page(PageQuery(scope=ALL)).entries) == 50
    store.close()
    reader.close()


def test_a_mark_beside_a_whole_file_goes(folder, day, clock):
    day.with_suffix(".suspect").touch()
    (day.parent / "nonsense.suspect").touch()
    store = EmbeddedStore(folder, now_us=clock)
    assert list(day.parent.glob("*.suspect")) == []
    day.with_suffix(".suspect").touch()
    assert not store.heal()
    assert list(day.parent.glob("*.suspect")) == []
    assert store.restored == 0
    store.close()


def test_a_sealed_hour_that_cannot_be_read_is_left_out(folder, day, clock):
    first = sorted(path for path in (folder / "cold").iterdir() if path.suffix == ".parquet")[0]
    first.write_bytes(b"nothing")
    damage_everything(day)
    store = EmbeddedStore(folder, now_us=clock)
    append(store, more(9000))
    assert len(store.manifest.contents().of("hour")) == 2
    assert len(ids(store)) == SEALED - AN_HOUR + 1
    store.close()


def test_late_rows_that_are_damaged_leave_the_sealed_day(folder, clock):
    clock.us = START + 10 * 24 * HOUR_US
    store = EmbeddedStore(folder, now_us=clock)
    store.maintain()
    store.append(more(9000))
    assert store.manifest.contents().days[DAY] == "late"
    store.close()
    damage_header(store.layout.day(DAY))
    store = EmbeddedStore(folder, now_us=clock)
    append(store, more(9001))
    store.maintain()
    assert store.manifest.contents().days[DAY] == "cold"
    assert len(ids(store)) == COUNT + 1
    store.close()


def test_maintenance_and_deletions_meet_damage_too(folder, day, clock):
    store = EmbeddedStore(folder, now_us=clock)
    store.delete_where(Compare("trace_id", "in", ("t3",)), ALL, reason="r", now_us=clock.us)
    store.close()
    damage_header(day)
    store = EmbeddedStore(folder, now_us=clock)
    with pytest.raises(Restored):
        store.apply_deletions(clock.us)
    assert list((folder / "quarantine").iterdir())
    assert store.apply_deletions(clock.us)[0].rows_removed == 1
    # what was put aside cannot be rewritten: it goes
    assert list((folder / "quarantine").iterdir()) == []
    store.close()
    damage_header(day)
    store = EmbeddedStore(folder, now_us=clock)
    with pytest.raises(Restored):
        store.maintain()
    assert "rec_3" not in ids(store)
    store.drop_before(clock.us + 24 * HOUR_US)
    assert list((folder / "quarantine").iterdir()) == []
    store.close()


def test_damage_elsewhere_is_told_as_it_is(folder, clock, monkeypatch):
    store = EmbeddedStore(folder, now_us=clock)

    def fail(*_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store._folder, "writer", fail)
    with pytest.raises(sqlite3.OperationalError):
        store.append(more(1))
    assert store.restored == 0
    assert not sqlite.is_damage(ValueError())
    store.close()


def test_sealed_hours_that_come_back_give_their_rows_to_their_day(folder, day, clock, tmp_path):
    (tmp_path / "away").mkdir()
    moved = [(shutil.move(path, tmp_path / "away"), path) for path in folder.glob("cold/*")]
    day.unlink()
    store = EmbeddedStore(folder, now_us=clock)
    assert store.count(PageQuery(scope=ALL)) == 0
    assert sum(one.rows for one in store.missing()) == SEALED
    store.append([row(n, at=n * HOUR_US // AN_HOUR) for n in range(10)])
    for away, path in moved:
        shutil.move(away, path)
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=NOW_US, measures=("requests",))
    for _ in range(2):
        clock.us += HOUR_US
        store.maintain()
        assert store.count(PageQuery(scope=ALL)) == SEALED
        assert [sums.values["requests"] for sums in store.aggregate(spec).groups.values()] == [SEALED]
    assert store.missing() == []
    store.close()


def test_an_error_of_reading_that_passes_gives_up_no_sealed_hour(folder, clock, monkeypatch):
    store = EmbeddedStore(folder, now_us=clock)
    listed = store.manifest.contents().files

    def failing(_sql):
        raise FileNotFoundError("IO Error: Cannot open file: Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(store._folder.duck, "rows", failing)
        with pytest.raises(FileNotFoundError):
            store._healing._draft(DAY)
    assert store.manifest.contents().files == listed
    assert store.manifest.missing() == []
    store.close()
