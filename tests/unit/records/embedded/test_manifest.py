from __future__ import annotations

import sqlite3

import pytest

from lockgate.records.embedded.manifest import (
    DAY_US,
    HOUR_US,
    Manifest,
    Sealed,
    buried_path,
    day_of,
    days_of_hashes,
    hour_of,
    read_buried,
    read_contents,
    read_receipts,
)
from lockgate.records.store import Receipt


def file(name, day=5, kind="rows", hour=None):
    return Sealed(name=name, kind=kind, day=day, hour=hour, rows=1, min_us=1, max_us=2, checksum=3, size_bytes=4)


def test_files_are_listed_swapped_and_retired(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    manifest.set_state(5, "hot")
    manifest.swap(add=[file("a", kind="hour", hour=120)], now_us=10)
    manifest.swap(add=[file("b")], remove=["a"], now_us=20, cold=5)
    contents = read_contents(tmp_path / "m.db")
    assert contents.files == (file("b"),)
    assert contents.of("hour") == []
    assert contents.days == {5: "cold"}
    assert manifest.known_files() == {"a", "b"}
    assert manifest.retired_before(20) == []
    assert manifest.retired_before(21) == ["a"]
    manifest.unlinked(["a"])
    assert manifest.known_files() == {"b"}
    manifest.close()


def test_a_day_that_is_forgotten_leaves_retired_files_only(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    manifest.set_state(5, "hot")
    manifest.swap(add=[file("b"), file("c", day=6)], now_us=1)
    manifest.remember(5, [77])
    manifest.forget(5, 9)
    assert manifest.contents().days == {}
    assert manifest.contents().files == (file("c", day=6),)
    assert manifest.retired_before(10) == ["b"]
    assert days_of_hashes(manifest.path, [77]) == set()
    manifest.close()


def test_ids_are_looked_up_by_their_hash(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    manifest.remember(5, [1, 2, 2])
    manifest.remember(6, [2])
    assert days_of_hashes(manifest.path, [2]) == {5, 6}
    assert days_of_hashes(manifest.path, [1, 9]) == {5}
    assert days_of_hashes(manifest.path, []) == set()
    manifest.close()


def test_tombstones_stay_after_they_are_done(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    manifest.bury(b"{}", Receipt(id="del_1", reason="r", created_us=5), b"old")
    assert [stone.is_done for stone in manifest.contents().tombstones] == [False]
    manifest.finish_tombstone("del_1", b"new")
    assert manifest.contents().tombstones == ()
    assert [stone.is_done for stone in manifest.tombstones()] == [True]
    assert manifest.receipt("del_1") == b"new"
    assert read_receipts(manifest.path) == [b"new"]
    manifest.note_deleted([5, 5, 6])
    assert manifest.deleted_among([6, 7]) == {6}
    manifest.close()


def test_offsets_survive(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    manifest.acknowledge("a", 5)
    manifest.acknowledge("a", 9)
    manifest.acknowledge("b", 1)
    manifest.forget_ack("b")
    manifest.close()
    again = Manifest(tmp_path / "m.db")
    assert again.acks() == {"a": 9}
    again.close()


def test_old_sums_go_by_their_resolution(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    manifest.drop_sums_before(minutes_us=7, hours_us=3)
    assert manifest.contents().minutes_since_us == 7
    manifest.close()


def test_days_and_hours():
    assert (day_of(DAY_US - 1), day_of(DAY_US), hour_of(HOUR_US - 1), hour_of(HOUR_US)) == (0, 1, 0, 1)


def test_a_deletion_that_is_refused_leaves_no_copy_and_a_copy_that_failed_is_made_at_the_next_start(tmp_path):
    manifest = Manifest(tmp_path / "m.db")
    copies = buried_path(tmp_path / "m.db")
    manifest.bury(b"{}", Receipt(id="del_1", reason="r", created_us=5), b"old")
    with pytest.raises(sqlite3.IntegrityError):
        manifest.bury(b"{}", Receipt(id="del_1", reason="r", created_us=6), b"new")
    assert [stone.created_us for stone in read_buried(copies)] == [5]
    copies.unlink()
    copies.mkdir()
    with pytest.raises(OSError, match="directory"):
        manifest.bury(b"{}", Receipt(id="del_2", reason="r", created_us=7), b"old")
    copies.rmdir()
    manifest.copy_buried()
    assert [stone.id for stone in read_buried(copies)] == ["del_1", "del_2"]
    manifest.close()
