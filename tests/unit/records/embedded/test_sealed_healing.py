"""Sealed files that are damaged are made again of what can be read; what cannot is listed, and the rest can be asked."""

from __future__ import annotations

import os
import shutil

import pytest

from lockgate.errors import Unavailable
from lockgate.records.embedded import row_blocks
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.sealed import moment
from lockgate.records.embedded.sealed_healing import told
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.query.tree import Compare, Text
from lockgate.records.store import ALL, AggregateSpec, PageQuery, Restored
from tests.unit.records.rows import DAY, HOUR_US, START, preview, row

DAY_US = 24 * HOUR_US
COUNT = 400
COLD_DAYS = 2
NOW_US = START + 6 * DAY_US
ODD = {"metadata": {"team": "search", "k": "v" * 50}, "tool_names": ("x", "y"), "error_message": "e" * 80}
EVERYTHING = PageQuery(scope=ALL)


def rows_of(day):
    return [row(day * 1000 + n, at=day * DAY_US + n * DAY_US // COUNT, is_counted=True, **ODD) for n in range(COUNT)]


def everything():
    return {each.id for day in range(COLD_DAYS) for each in rows_of(day)} | {"rec_9000"}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A store with two sealed days and a fresh one."""
    folder = tmp_path_factory.mktemp("original") / "records"
    store = EmbeddedStore(folder, now_us=lambda: NOW_US)
    for day in range(COLD_DAYS):
        store.append(rows_of(day))
        store.append_previews(
            [
                preview(day * 1000 + n, at=day * DAY_US + n * DAY_US // COUNT, text=f"text{day}{n:05d}")
                for n in range(COUNT)
            ]
        )
    store.maintain()
    store.append([row(9000, at=6 * DAY_US - HOUR_US)])
    store.manifest.acknowledge("0000000001.log#00000000", 100)
    assert list(store.manifest.contents().days.values()) == ["cold", "cold", "hot"]
    store.close()
    return folder


@pytest.fixture
def folder(tmp_path, clock, original):
    clock.us = NOW_US
    shutil.copytree(original, tmp_path / "records")
    return tmp_path / "records"


@pytest.fixture
def store(folder, clock):
    found = EmbeddedStore(folder, now_us=clock)
    yield found
    found.close()


def sealed_path(folder, kind="rows", day=DAY, suffix=".parquet"):
    [path] = folder.glob(f"cold/{kind}-{day}-*{suffix}")
    return path


def write_at(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def damage_header(path):
    write_at(path, 0, b"not a file of ours, not at all" * 8)


def damage_middle(path):
    write_at(path, path.stat().st_size // 4, b"\xff" * (path.stat().st_size // 4))


def zero_middle(path):
    write_at(path, path.stat().st_size // 4, bytes(path.stat().st_size // 4))


def damage_footer(path):
    write_at(path, path.stat().st_size - 200, b"\xa5" * 150)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


DAMAGES = [damage_header, damage_middle, zero_middle, damage_footer, truncate, zero, empty, remove]
each_damage = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


def ids(store):
    found = [entry.row.id for entries in store.scan(EVERYTHING) for entry in entries]
    assert len(found) == len(set(found))
    return set(found)


def read_all(store):
    """Ask for all rows with all columns, in pages as in scans; raises what that brings about."""
    ids(store)
    store.page(PageQuery(scope=ALL, limit=200, is_ascending=True))
    store.aggregate(
        AggregateSpec(scope=ALL, from_us=START, to_us=NOW_US, measures=("requests",), dimensions=("error_message",))
    )
    store.page(PageQuery(scope=ALL, filter=Text("text0000")))


def healed(store, reader=None):
    """Read until the damage is met and healed."""
    try:
        read_all(reader or store)
    except Unavailable:
        assert store.heal()
    read_all(reader or store)
    return store


@each_damage
def test_columns_that_are_damaged_while_the_store_is_open_are_made_again_of_whole_rows(folder, store, damage):
    before = {entry.row.id: entry.row for batch in store.scan(EVERYTHING) for entry in batch}
    damage(sealed_path(folder))
    store._duck.close()
    reader = EmbeddedReader(folder)
    healed(store, reader)
    if not store.restored:
        # it lies where no query looked
        assert store._healing._sealed.heal_all()
    assert {entry.row.id: entry.row for batch in reader.scan(EVERYTHING) for entry in batch} == before
    assert (store.restored, store.missing(), store.manifest.acks()) == (1, [], {})
    assert sorted(path.suffix for path in (folder / "quarantine").iterdir())[-1:] == [".rows"]
    assert not list(folder.rglob("*.suspect"))
    store.maintain()
    read_all(reader)
    reader.close()


@each_damage
def test_columns_that_are_damaged_before_the_store_opens(folder, clock, damage):
    damage(sealed_path(folder))
    store = EmbeddedStore(folder, now_us=clock)
    healed(store)
    store._healing._sealed.heal_all()
    assert (ids(store), store.restored, store.missing()) == (everything(), 1, [])
    store.close()


@each_damage
def test_whole_rows_that_are_damaged_are_made_again_of_columns(folder, store, damage):
    damage(sealed_path(folder, suffix=".rows"))
    healed(store)
    store._healing._sealed.heal_all()
    assert (ids(store), store.restored, store.missing()) == (everything(), 1, [])
    assert row_blocks.is_whole(sealed_path(folder), COUNT)


def test_what_neither_has_is_missing_and_the_rest_is_there(folder, store, caplog):
    zero(sealed_path(folder))
    damage_middle(sealed_path(folder, suffix=".rows"))
    healed(store)
    found = ids(store)
    assert everything() - found
    assert len(found) > COUNT + 1
    [missing] = store.missing()
    assert (missing.rows, missing.kept) == (2 * COUNT + 1 - len(found), len(found) - COUNT - 1)
    assert (missing.from_us, missing.to_us) == (START, START + (COUNT - 1) * DAY_US // COUNT)
    assert told(missing) in caplog.text
    assert f"{missing.rows} records of {moment(START)} to 2026-02-16T23:56:24Z are missing" in caplog.text
    assert store.manifest.acks() == {}


def test_all_of_a_day_may_be_missing_and_come_back_by_the_journal(folder, store):
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + DAY_US, measures=("requests",))

    def counted():
        return [sums.values["requests"] for sums in store.aggregate(spec).groups.values()]

    before = counted()
    remove(sealed_path(folder))
    zero(sealed_path(folder, suffix=".rows"))
    with pytest.raises(Unavailable):
        read_all(store)
    assert store.heal()
    assert ids(store) == {each.id for each in rows_of(1)} | {"rec_9000"}
    assert [one.rows for one in store.missing()] == [COUNT]
    assert counted() == before == [COUNT], "sums stay"
    store.append(rows_of(0)[:100])
    assert [one.rows for one in store.missing()] == [COUNT - 100]
    store.maintain()
    store.append(rows_of(0))
    store.maintain()
    assert (ids(store), store.missing(), counted()) == (everything(), [], before)


def test_previews_that_are_damaged_are_missed_and_their_rows_are_not(folder, store, caplog):
    truncate(sealed_path(folder, "previews"))
    with pytest.raises(Unavailable):
        read_all(store)
    assert store.heal()
    read_all(store)
    assert ids(store) == everything()
    assert [(one.kind, one.rows) for one in store.missing()] == [("previews", COUNT)]
    assert f"{COUNT} previews and texts of" in caplog.text
    assert len(store.page(PageQuery(scope=ALL, filter=Text("text100"))).entries) == 50
    store.drop_previews_before(START + DAY_US)
    assert store.missing() == []


def test_a_sealed_hour_is_sealed_again(folder, store, clock):
    clock.us += HOUR_US
    store.maintain()
    [hour] = store.manifest.contents().of("hour")
    truncate(folder / "cold" / hour.name)
    reader = EmbeddedReader(folder)
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=NOW_US, measures=("requests",), dimensions=("error_message",))
    with pytest.raises(Unavailable):
        reader.aggregate(spec)
    assert store.heal()
    assert sum(sums.values["requests"] for sums in reader.aggregate(spec).groups.values()) == len(everything())
    store.maintain()
    assert [one.rows for one in store.manifest.contents().of("hour")] == [hour.rows]
    assert (store.missing(), store.restored) == ([], 1)
    reader.close()


def test_what_the_writer_itself_meets_is_healed(folder, store):
    zero(sealed_path(folder))
    store._duck.close()
    with pytest.raises(Restored):
        store.append([rows_of(0)[0]])
    assert store.append([rows_of(0)[0]]).known == 1
    store.delete_where(Compare("trace_id", "in", ("t1003",)), ALL, reason="r", now_us=NOW_US)
    damage_footer(sealed_path(folder, day=DAY + 1))
    store._duck.close()
    with pytest.raises(Restored):
        store.apply_deletions(NOW_US)
    assert store.apply_deletions(NOW_US)[0].rows_removed == 1
    assert ids(store) == everything() - {"rec_1003"}


def test_a_deletion_takes_what_was_put_aside(folder, store):
    zero(sealed_path(folder))
    healed(store)
    assert list((folder / "quarantine").iterdir())
    store.delete_where(Compare("trace_id", "in", ("t3",)), ALL, reason="r", now_us=NOW_US)
    assert store.apply_deletions(NOW_US)[0].rows_removed == 1
    assert list((folder / "quarantine").iterdir()) == []
    assert store.missing() == []


def test_old_days_are_not_missed(folder, store):
    remove(sealed_path(folder))
    remove(sealed_path(folder, suffix=".rows"))
    with pytest.raises(Unavailable):
        read_all(store)
    store.heal()
    assert store.missing()
    store.drop_before(START + DAY_US)
    assert store.missing() == []


def test_marks_beside_whole_files_go(folder, store):
    sealed_path(folder).with_suffix(".suspect").touch()
    (folder / "cold.suspect").touch()
    assert not store.heal()
    assert (store.restored, list(folder.rglob("*.suspect"))) == (0, [])


SPEC = AggregateSpec(scope=ALL, from_us=START, to_us=START + DAY_US, measures=("requests",))


def counted(store):
    return [sums.values["requests"] for sums in store.aggregate(SPEC).groups.values()]


def taken(folder, away, day=DAY, kinds=("rows", "previews")):
    """Move the sealed files of a day away; returns them and where they were."""
    away.mkdir(exist_ok=True)
    found = [path for kind in kinds for path in folder.glob(f"cold/{kind}-{day}-*")]
    return [(shutil.move(path, away), path) for path in found]


def bring_back(moved):
    for away, path in moved:
        shutil.move(away, path)


def test_a_folder_of_sealed_files_that_is_not_mounted_is_left_as_it_is(folder, tmp_path, clock, caplog):
    (folder / "cold").rename(tmp_path / "volume")
    store = EmbeddedStore(folder, now_us=clock)
    listed = store.manifest.contents().files
    assert len(listed) == 2 * COLD_DAYS
    assert "probably not mounted" in caplog.text
    with pytest.raises(Unavailable):
        read_all(store)
    assert not store.heal()
    assert (store.restored, store.manifest.missing()) == (0, [])
    assert store.manifest.acks()
    assert store.manifest.contents().files == listed
    (folder / "cold").rmdir()
    (tmp_path / "volume").rename(folder / "cold")
    read_all(store)
    assert ids(store) == everything()
    store.close()


@pytest.mark.parametrize("is_open", [True, False], ids=["while open", "while closed"])
def test_a_file_that_comes_back_is_listed_again(folder, tmp_path, clock, is_open):
    moved = taken(folder, tmp_path / "away")
    store = EmbeddedStore(folder, now_us=clock)
    assert sorted(one.kind for one in store.missing()) == ["previews", "rows"]
    if is_open:
        bring_back(moved)
        clock.us += HOUR_US
        store.maintain()
    else:
        store.close()
        bring_back(moved)
        store = EmbeddedStore(folder, now_us=clock)
    assert (ids(store), store.missing(), counted(store)) == (everything(), [], [COUNT])
    assert len(store.page(PageQuery(scope=ALL, filter=Text("text000"))).entries) == 50
    clock.us += HOUR_US
    store.maintain()
    store.close()
    again = EmbeddedStore(folder, now_us=clock)
    read_all(again)
    assert (ids(again), again.missing()) == (everything(), [])
    again.close()


@pytest.mark.parametrize("is_joined", [True, False], ids=["joined", "late"])
def test_a_file_that_comes_back_beside_rows_of_the_journal_is_taken_in(folder, tmp_path, clock, is_joined):
    moved = taken(folder, tmp_path / "away")
    store = EmbeddedStore(folder, now_us=clock)
    store.append(rows_of(0)[:100])
    if is_joined:
        store.maintain()
    bring_back(moved)
    for _ in range(2):
        clock.us += HOUR_US
        store.maintain()
    assert (ids(store), store.missing(), counted(store)) == (everything(), [], [COUNT])
    assert len(list(folder.glob(f"cold/rows-{DAY}-*.parquet"))) == 1
    store.close()


def test_what_was_deleted_does_not_come_back_with_its_file(folder, tmp_path, clock):
    moved = taken(folder, tmp_path / "away")
    store = EmbeddedStore(folder, now_us=clock)
    store.delete_where(Compare("trace_id", "in", ("t3",)), ALL, reason="r", now_us=NOW_US)
    store.apply_deletions(NOW_US)
    bring_back(moved)
    for _ in range(2):
        clock.us += HOUR_US
        store.maintain()
    assert (ids(store), store.missing()) == (everything() - {"rec_3"}, [])
    assert not any(away_to.exists() for _, away_to in moved)
    store.close()


def test_a_file_that_comes_back_damaged_stays_and_is_missed(folder, tmp_path, clock):
    moved = taken(folder, tmp_path / "away", kinds=("rows",))
    EmbeddedStore(folder, now_us=clock).close()
    bring_back(moved)
    truncate(sealed_path(folder))
    store = EmbeddedStore(folder, now_us=clock)
    clock.us += HOUR_US
    store.maintain()
    assert [one.rows for one in store.missing()] == [COUNT]
    assert sealed_path(folder).exists()
    store.drop_before(START + DAY_US)
    assert not any(path.exists() for _, path in moved)
    store.close()


def test_a_file_that_is_listed_and_missed_is_missed_no_more(folder, tmp_path, clock):
    moved = taken(folder, tmp_path / "away")
    store = EmbeddedStore(folder, now_us=clock)
    missing = store.manifest.missing()
    bring_back(moved)
    store._healing._sealed.list_again()
    listed = store.manifest.contents().files
    store.manifest.swap(now_us=NOW_US, missing=missing)
    clock.us += HOUR_US
    store.maintain()
    assert set(listed) <= set(store.manifest.contents().files)
    assert store.manifest.missing() == []
    assert ids(store) == everything()
    store.close()


def test_errors_of_reading_that_pass_heal_nothing(folder, store, monkeypatch, caplog):
    listed = store.manifest.contents().files
    damage_footer(sealed_path(folder))

    def failing(_path):
        raise FileNotFoundError("IO Error: Cannot open file: Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(store._folder.sealer, "summary", failing)
        (folder / "cold.suspect").touch()
        assert not store.heal()
        assert not store._healing._sealed.heal_all()
    assert store.manifest.contents().files == listed
    assert "is left as it is: IO Error" in caplog.text
    assert store.heal(), "the files are looked at again"
    assert (ids(store), store.missing(), store.restored) == (everything(), [], 1)
    assert not list(folder.rglob("*.suspect"))


def test_new_rows_of_a_day_that_misses_others_are_counted_beyond_these(folder, tmp_path, clock):
    taken(folder, tmp_path / "away", kinds=("rows",))
    store = EmbeddedStore(folder, now_us=clock)
    store.append([*rows_of(0)[:300], row(7000, at=DAY_US - 1, is_counted=True, **ODD)])
    store.maintain()
    assert counted(store) == [COUNT + 1], "it began after the last that is missing"
    assert [one.rows for one in store.manifest.missing()] == [COUNT - 300]
    store.append(rows_of(0)[300:])
    store.maintain()
    assert (counted(store), store.manifest.missing()) == ([COUNT + 1], [])
    store.append([row(7001, at=HOUR_US, is_counted=True, **ODD)])
    store.maintain()
    assert counted(store) == [COUNT + 2]
    store.close()
