"""Batches are kept once, in their order, and told of; a bad one holds nothing up."""

import os
import sqlite3
import time

import pytest

from lockgate.records.imports.items import Imported
from lockgate.records.shipping import inbox
from lockgate.records.store import Appended, Restored
from tests.unit.records.rows import preview, row


class Place:
    """Rows and bodies in lists."""

    def __init__(self, *, error=None, gone=()):
        self.ids, self.bodies, self.previews = [], [], []
        self.error, self.gone = error, set(gone)

    def append(self, rows):
        if self.error is not None:
            raise self.error
        fresh = [each.id for each in rows if each.id not in self.ids and each.id not in self.gone]
        self.ids += fresh
        deleted = sum(each.id in self.gone for each in rows)
        return Appended(len(fresh), len(rows) - len(fresh) - deleted, deleted)

    def append_previews(self, previews):
        self.previews += previews

    def deleted_among(self, record_ids):
        return self.gone & set(record_ids)

    def put(self, items):
        self.bodies += items


def batch(*numbers):
    return [Imported(row(number), preview(number)) for number in numbers]


def test_batches_are_taken_in_their_order_and_told_of_once(tmp_path):
    place = Place()
    first, second = inbox.put(tmp_path, batch(1, 2)), inbox.put(tmp_path, batch(2, 3))
    assert inbox.outcome(tmp_path, first) is None
    assert inbox.take(tmp_path, place, place, seconds=60) == 2
    assert place.ids == ["rec_1", "rec_2", "rec_3"]
    assert len(place.previews) == 4
    assert inbox.outcome(tmp_path, first) == inbox.Outcome(new=2)
    assert inbox.outcome(tmp_path, second) == inbox.Outcome(new=1, known=1)
    assert inbox.outcome(tmp_path, first) is None
    assert list(tmp_path.iterdir()) == []


def test_after_its_time_the_rest_waits(tmp_path):
    place = Place()
    inbox.put(tmp_path, batch(1))
    inbox.put(tmp_path, batch(2))
    assert inbox.take(tmp_path, place, place, seconds=0) == 1
    assert place.ids == ["rec_1"]


@pytest.mark.parametrize("error", [OSError(28, "full"), sqlite3.OperationalError("locked"), Restored()])
def test_what_could_not_be_kept_now_is_taken_again(tmp_path, error):
    place = Place(error=error)
    name = inbox.put(tmp_path, batch(1))
    with pytest.raises(type(error)):
        inbox.take(tmp_path, place, place)
    place.error = None
    assert inbox.take(tmp_path, place, place) == 1
    assert inbox.outcome(tmp_path, name) == inbox.Outcome(new=1)


@pytest.mark.parametrize("error", [ValueError("no"), OverflowError("no"), sqlite3.IntegrityError("no")])
def test_what_can_never_be_kept_is_told(tmp_path, error):
    place = Place(error=error)
    name = inbox.put(tmp_path, batch(1))
    assert inbox.take(tmp_path, place, place) == 1
    assert inbox.outcome(tmp_path, name).error == f"{type(error).__name__}: no"


def test_a_damaged_batch_is_told(tmp_path):
    place = Place()
    name = inbox.put(tmp_path, batch(1))
    (tmp_path / f"{name}.batch").write_bytes(b"nonsense")
    inbox.take(tmp_path, place, place)
    assert "ZstdError" in inbox.outcome(tmp_path, name).error


def test_what_nobody_asks_for_is_swept(tmp_path):
    place = Place()
    name = inbox.put(tmp_path, batch(1))
    inbox.take(tmp_path, place, place)
    os.utime(tmp_path / f"{name}.done", (0, time.time() - 7200))
    inbox.put(tmp_path, batch(2))
    inbox.take(tmp_path, place, place)
    assert len(list(tmp_path.iterdir())) == 1


def test_files_are_for_their_owner_alone(tmp_path):
    inbox.put(tmp_path, batch(1))
    [path] = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
