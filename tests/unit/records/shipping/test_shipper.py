"""From segments to a store: once, in order, past damage, through failures, and not a byte of the journal too early."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3

import msgspec
import pytest

from lockgate.core.capture import Capture
from lockgate.core.journal_line import frame
from lockgate.records.bodies.kept import keep, write_kept
from lockgate.records.redaction import Rules
from lockgate.records.shipping.frames import write_frame
from lockgate.records.shipping.shipper import Shipper, ShipPolicy
from lockgate.records.store import Appended, Restored

NOW = 2_000_000_000.0


class Store:
    """A store in memory, and the offsets."""

    def __init__(self):
        self.rows, self.previews, self.bodies, self.offsets, self.batches = {}, {}, {}, {}, []
        self.fail = None
        self.deleted = set()

    def append(self, rows):
        if self.fail:
            raise self.fail
        if any(row.id == "poison" for row in rows):
            raise OverflowError("too large")
        new = [row for row in rows if row.id not in self.rows]
        self.rows |= {row.id: row for row in rows}
        self.batches.append(len(rows))
        return Appended(len(new), len(rows) - len(new))

    def append_previews(self, previews):
        self.previews |= {preview.id: preview for preview in previews}

    def deleted_among(self, ids):
        return self.deleted & set(ids)

    def put(self, items):
        if self.fail:
            raise self.fail
        self.bodies |= {item.record_id: item for item in items}

    def acks(self):
        return dict(self.offsets)

    def acknowledge(self, segment, offset):
        self.offsets[segment] = offset

    def forget_ack(self, segment):
        self.offsets.pop(segment, None)


class Stage:
    def __init__(self, folder):
        self.folder = folder
        (folder / "bodies").mkdir()
        self.store = Store()
        self.level = "none"
        self.now_s = NOW
        self.shipper = self.make()

    def make(self, **policy):
        return Shipper(
            self.folder, self.store, self.store, self.store, self.folder / "quarantine", policy=ShipPolicy(**policy),
            level=lambda: self.level, now_s=lambda: self.now_s,
        )  # fmt: skip

    def write(self, name, data, *, mode="ab"):
        with (self.folder / name).open(mode) as file:
            file.write(data)
        os.utime(self.folder / name, (NOW - 10, NOW - 10))


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def line(number, **changes):
    return frame(msgspec.json.encode({"id": f"r{number}", "started_at": 1.0 + number} | changes))


def body(number):
    return write_frame(
        write_kept(keep(Capture(record_id=f"r{number}", started_at=1.0, request=b"{}"), Rules(), limit_bytes=1000))
    )


ONE, TWO, BODIES = "0000000001.log", "0000000002.log", "bodies/0000000001.bodies"


def test_rows_and_bodies_are_shipped_once(stage):
    stage.write(ONE, line(1) + line(2))
    stage.write(TWO, line(3))
    stage.write(BODIES, body(1) + body(2))
    assert stage.shipper.run_once() == 5
    assert stage.shipper.run_once() == 0
    assert list(stage.store.rows) == ["r1", "r2", "r3"]
    assert list(stage.store.bodies) == list(stage.store.previews) == ["r1", "r2"]
    stage.write(ONE, line(4))
    assert stage.shipper.run_once() == 1
    assert (stage.shipper.status.rows, stage.shipper.status.known, stage.shipper.status.damaged) == (4, 0, 0)


def test_batches_are_bounded_and_acknowledged_one_by_one(stage):
    stage.write(ONE, b"".join(line(n) for n in range(25)))
    shipper = stage.make(batch_rows=10)
    shipper.run_once()
    assert stage.store.batches == [10, 10, 5]


def test_a_failure_stops_the_round_and_loses_nothing(stage):
    stage.write(ONE, b"".join(line(n) for n in range(5)))
    stage.write(BODIES, body(1))
    stage.store.fail = sqlite3.OperationalError("disk I/O error")
    assert stage.shipper.run_once() == 0
    assert "disk I/O error" in stage.shipper.status.blocked
    assert stage.store.offsets == {}
    assert stage.shipper.status.waiting_row_bytes == len(b"".join(line(n) for n in range(5)))
    stage.store.fail = None
    assert stage.shipper.run_once() == 6
    assert stage.shipper.status.blocked is None


def test_a_crash_before_the_acknowledgement_doubles_nothing(stage):
    stage.write(ONE, line(1) + line(2))
    stage.shipper.run_once()
    stage.store.offsets.clear()
    again = stage.make()
    again.run_once()
    assert (again.status.rows, again.status.known) == (0, 2)
    assert len(stage.store.rows) == 2


def test_damage_is_put_aside_told_and_passed_by(stage, caplog):
    bad = line(2).replace(b"r2", b"rX")
    no_record = frame(b'{"id":5}')
    stage.write(ONE, line(1) + bad + no_record + line(3))
    stage.write(BODIES, body(1) + b"garbage" + body(2))
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r1", "r3"]
    assert list(stage.store.bodies) == ["r1", "r2"]
    assert stage.shipper.status.damaged == 3
    aside = {path.name: path.read_bytes() for path in (stage.folder / "quarantine").iterdir()}
    assert sorted(aside.values()) == sorted([bad[:-1], no_record[9:-1], b"garbage"])
    assert caplog.text.count("damaged") == 3
    stage.shipper.run_once()
    assert stage.shipper.status.damaged == 3


def test_a_segment_of_nothing_but_damage_is_passed_by(stage):
    stage.write(ONE, os.urandom(5000).replace(b"\n", b"x") + b"\n" + bytes(3000))
    stage.write(TWO, line(7))
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r7"]


def test_a_row_that_no_store_takes_is_put_aside_alone(stage):
    stage.write(ONE, line(1) + line(2, id="poison") + line(3))
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r1", "r3"]
    assert stage.shipper.status.damaged == 1


def test_the_last_line_of_an_open_segment_is_waited_for(stage):
    whole, rest = line(2)[:20], line(2)[20:]
    stage.write(ONE, line(1) + whole)
    handle = os.open(stage.folder / ONE, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r1"]
    stage.write(ONE, rest)
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r1", "r2"]
    assert stage.shipper.status.damaged == 0
    os.close(handle)


THREE = "0000000003.log"


def test_the_newest_segment_stays_so_that_numbers_never_begin_anew(stage):
    for name in (ONE, TWO):
        stage.write(name, line(int(name[:10])))
    stage.write(BODIES, body(1))
    stage.now_s = NOW + 10**6
    stage.shipper.run_once()
    assert [(stage.folder / name).exists() for name in (ONE, TWO, BODIES)] == [False, True, True]
    assert stage.shipper.purge() == 0


def test_segments_that_somebody_else_still_needs_stay(stage):
    for name in (ONE, TWO, THREE):
        stage.write(name, line(int(name[:10])))
    needed: list = [2]
    shipper = Shipper(
        stage.folder,
        stage.store,
        stage.store,
        stage.store,
        stage.folder / "q",
        now_s=lambda: NOW + 10**6,
        first_needed=lambda: needed[0],
    )
    shipper.run_once()
    assert [(stage.folder / name).exists() for name in (ONE, TWO, THREE)] == [False, True, True]
    needed[0] = None
    assert shipper.purge() == 1


def test_segments_go_when_they_are_shipped_closed_and_old_enough(stage):
    stage.write(ONE, line(1))
    stage.write(TWO, line(2))
    stage.write(THREE, line(3))
    stage.write(BODIES, body(1))
    stage.write("bodies/0000000002.bodies", body(2))
    handle = os.open(stage.folder / TWO, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    stage.shipper.run_once()
    assert (stage.folder / ONE).exists()
    stage.now_s = NOW + 3600
    stage.shipper.run_once()
    assert [(stage.folder / name).exists() for name in (ONE, TWO, BODIES)] == [True, True, False]
    stage.now_s = NOW + 7200
    stage.shipper.run_once()
    assert [(stage.folder / name).exists() for name in (ONE, TWO, BODIES)] == [False, True, False]
    assert [name.split("#")[0] for name in stage.store.offsets] == [TWO, THREE, "0000000002.bodies"]
    os.close(handle)
    assert stage.shipper.purge() == 1
    assert [name.split("#")[0] for name in stage.store.offsets] == [THREE, "0000000002.bodies"]


def test_what_is_not_shipped_is_never_unlinked(stage):
    stage.write(ONE, line(1))
    stage.store.fail = OSError(errno.EIO, "broken")
    stage.now_s = NOW + 10**6
    stage.shipper.run_once()
    assert stage.shipper.purge() == 0
    assert (stage.folder / ONE).exists()


def test_a_new_segment_with_an_old_name_is_shipped_from_its_start(stage):
    stage.write(ONE, line(1) + line(2) + line(3))
    stage.shipper.run_once()
    stage.write(ONE, line(8), mode="wb")
    stage.shipper.run_once()
    assert "r8" in stage.store.rows


def test_when_the_disk_fills_bodies_are_shed_first(stage):
    stage.level = "bodies"
    stage.write(ONE, line(1))
    stage.write(BODIES, body(1) + body(2))
    stage.shipper.run_once()
    assert (list(stage.store.rows), stage.store.bodies, stage.shipper.status.shed_bodies) == (["r1"], {}, 2)


def test_when_it_is_nearly_full_rows_wait_in_the_journal(stage):
    stage.level = "rows"
    stage.write(ONE, line(1))
    stage.write(BODIES, body(1))
    stage.shipper.run_once()
    assert stage.store.rows == {}
    assert "nearly full" in stage.shipper.status.blocked
    assert stage.shipper.status.shed_bodies == 1
    assert stage.shipper.status.waiting_row_bytes == len(line(1))
    stage.level = "none"
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r1"]


def test_when_the_disk_fills_what_is_shipped_goes_at_once_and_nothing_else(stage):
    for name in (ONE, TWO, THREE):
        stage.write(name, line(int(name[:10])))
    stage.shipper.run_once()
    stage.write(TWO, line(7))
    assert (stage.folder / ONE).exists()
    stage.level = "rows"
    stage.shipper.run_once()
    assert [(stage.folder / name).exists() for name in (ONE, TWO, THREE)] == [False, True, True]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")]
)
def test_bodies_that_find_no_room_are_shed_and_counted(stage, error):
    stage.write(BODIES, body(1))
    stage.store.fail = error
    stage.shipper.run_once()
    assert (stage.shipper.status.shed_bodies, stage.shipper.status.blocked) == (1, None)


def test_bodies_of_deleted_records_do_not_come(stage):
    stage.store.deleted = {"r1"}
    stage.write(BODIES, body(1) + body(2))
    stage.shipper.run_once()
    assert list(stage.store.bodies) == list(stage.store.previews) == ["r2"]


def test_the_journal_is_shipped_again_when_the_store_had_to_make_files_again(stage):
    stage.write(ONE, line(1) + line(2))
    stage.write(BODIES, body(1))
    stage.shipper.run_once()
    stage.write(TWO, line(3))
    lose = stage.store.append

    def append(rows):
        stage.store.append = lose
        stage.store.rows.clear()
        stage.store.previews.clear()
        stage.store.offsets.clear()
        raise Restored

    stage.store.append = append
    stage.shipper.run_once()
    assert list(stage.store.rows) == ["r1", "r2", "r3"]
    assert list(stage.store.previews) == ["r1"]
    assert stage.shipper.status.blocked is None
    assert stage.shipper.run_once() == 0


def test_a_store_that_cannot_be_restored_ends_the_round(stage):
    stage.write(ONE, line(1))
    asked = []

    def append(rows):
        asked.append(rows)
        raise Restored

    stage.store.append = append
    assert stage.shipper.run_once() == 0
    assert len(asked) == 3


def test_what_a_deletion_has_emptied_is_not_put_aside_again(stage, caplog):
    stage.write(ONE, line(1) + line(2).replace(b"r2", b"rX") + line(3))
    stage.write(BODIES, b"garbage" + body(2))
    stage.shipper.run_once()
    aside = list((stage.folder / "quarantine").iterdir())
    for path in aside:
        path.write_bytes(b"")
    stage.store.offsets.clear()
    stage.shipper.run_once()
    assert [path.stat().st_size for path in aside] == [0, 0]
    assert stage.shipper.status.damaged == 4
    assert "not kept since a deletion" in caplog.text
    stage.write(ONE, line(4).replace(b"r4", b"rY"))
    stage.shipper.run_once()
    assert len(list((stage.folder / "quarantine").iterdir())) == 3
