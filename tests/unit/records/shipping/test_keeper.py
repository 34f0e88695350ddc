"""One writer among the keepers of a folder, and another when it is gone."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from lockgate.core.capture import Capture
from lockgate.core.record import Record
from lockgate.errors import Unavailable
from lockgate.records.embedded import sqlite
from lockgate.records.embedded.deleting import bury
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.manifest import Manifest
from lockgate.records.query.language import parse
from lockgate.records.redaction import Rules
from lockgate.records.retention import Retention
from lockgate.records.shipping.body_journal import BodyJournal
from lockgate.records.shipping.keeper import Keeper, KeeperSettings
from lockgate.records.shipping.shipper import Shipper, ShipPolicy
from lockgate.records.store import ALL, PageQuery
from lockgate.telemetry.journal import Journal
from tests.unit.records.rows import START

NOW_US = START + 1_000_000


def settings(**changes):
    values = {"poll_s": 0.01, "retry_s": 0.01, "maintain_s": 0.01, "look_s": 0.01, "ship": ShipPolicy(keep_s=0.0)}
    return KeeperSettings(**(values | changes))


def record(number):
    return Record(
        schema_version=1, id=f"rec_{number}", trace_id=f"t{number}", started_at=START / 1e6 + number / 1000, method="POST", route="chat",
        dialect="openai_chat", status=200,
    )  # fmt: skip


class Gateway:
    """What writes: a journal of records and one of bodies."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.records = Journal(folder, fsync="off", segment_bytes=2000)
        self.bodies = BodyJournal(folder / "bodies", lambda _: Rules())

    def serve(self, numbers):
        for number in numbers:
            self.records.write(record(number))
            body = f'{{"messages":[{{"role":"user","content":"question {number}"}}]}}'.encode()
            self.bodies.offer(Capture(record_id=f"rec_{number}", started_at=START / 1e6 + number / 1000, request=body))
        assert self.bodies.flush(30)

    def close(self):
        self.records.close()
        self.bodies.close()


@pytest.fixture
def gateway(tmp_path):
    found = Gateway(tmp_path / "journal")
    yield found
    found.close()


def keeper(tmp_path, **changes):
    return Keeper(tmp_path / "records", tmp_path / "journal", settings(**changes), now_us=lambda: NOW_US)


def test_what_is_written_can_be_read(tmp_path, gateway):
    gateway.serve(range(50))
    found = keeper(tmp_path)
    found.start()
    assert found.shipped(60)
    assert found.reader.count(PageQuery(scope=ALL)) == 50
    entry = found.reader.get("rec_7", ALL)
    assert entry.preview.request_preview == "question 7"
    assert b"question 7" in found.bodies.get("rec_7", entry.row.started_us).views["request"].data
    gateway.serve(range(50, 60))
    assert found.shipped(60)
    assert found.reader.count(PageQuery(scope=ALL)) == 60
    assert found.shipper.status.damaged == 0
    found.stop(60)


def test_a_second_keeper_reads_and_takes_over(tmp_path, gateway):
    first, second = keeper(tmp_path), keeper(tmp_path)
    first.start()
    assert first.shipped(60)
    second.start()
    gateway.serve(range(10))
    assert first.shipped(60)
    assert second.reader.count(PageQuery(scope=ALL)) == 10
    assert second.store is None
    first.stop(60)
    gateway.serve(range(10, 20))
    assert second.shipped(60)
    assert second.reader.count(PageQuery(scope=ALL)) == 20
    second.stop(60)


def test_stopping_ships_what_is_there(tmp_path, gateway):
    found = keeper(tmp_path, poll_s=3600.0)
    found.start()
    gateway.serve(range(5))
    found.stop(60)
    again = keeper(tmp_path)
    assert again.reader.count(PageQuery(scope=ALL)) == 5
    again.stop()


def test_a_damaged_day_costs_no_record(tmp_path, gateway, caplog):
    first = keeper(tmp_path, ship=ShipPolicy())
    first.start()
    gateway.serve(range(50))
    assert first.shipped(60)
    first.stop(60)
    (day,) = (tmp_path / "records" / "hot").glob("*.db")
    with day.open("r+b") as file:
        file.write(bytes(8192))
    with pytest.raises(Unavailable, match="damaged"):
        first.reader.count(PageQuery(scope=ALL))
    gateway.serve(range(50, 60))
    found = keeper(tmp_path, ship=ShipPolicy())
    found.start()
    assert found.shipped(60)
    assert found.reader.count(PageQuery(scope=ALL)) == 60
    assert found.reader.get("rec_7", ALL).preview.request_preview == "question 7"
    assert (found.status.restored, found.status.blocked) == (1, None)
    assert "damaged" in caplog.text
    found.stop(60)


class _OneWait(threading.Event):
    """Is set by the first wait for it."""

    def wait(self, timeout=None):
        self.set()
        return True


def test_each_round_is_followed_by_a_rest(tmp_path, gateway, monkeypatch):
    shipped, run_once = [], Shipper.run_once

    def counted(shipper):
        shipped.append(run_once(shipper))
        return shipped[-1]

    monkeypatch.setattr(Shipper, "run_once", counted)
    monkeypatch.setattr("lockgate.records.shipping.keeper.threading.Event", _OneWait)
    gateway.serve(range(5))
    found = keeper(tmp_path)
    found._thread.run()
    found.reader.close()
    assert shipped == [10, 0]  # rows and bodies, and what is left at the end


def test_deletions_and_retention_are_tended(tmp_path, gateway):
    found = keeper(tmp_path, retention=Retention(body_days=1, row_days=2))
    found.start()
    gateway.serve(range(5))
    assert found.shipped(60)
    found.stop(60)
    late = Keeper(tmp_path / "records", tmp_path / "journal", settings(retention=Retention(body_days=1, row_days=2)),
                  now_us=lambda: NOW_US + 3 * 86_400_000_000)  # fmt: skip
    late.start()
    assert late.shipped(60)
    assert late.shipped(60)
    late.stop(60)
    assert late.reader.count(PageQuery(scope=ALL)) == 0
    assert list((tmp_path / "records" / "bodies").iterdir()) == []
    assert list((tmp_path / "records" / "hot").iterdir()) == []


def test_a_store_that_is_locked_for_a_while_costs_nothing(tmp_path, gateway, monkeypatch):
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.01)
    found = keeper(tmp_path)
    found.start()
    gateway.serve(range(5))
    assert found.shipped(60)
    day = next((tmp_path / "records" / "hot").glob("*.db"))
    held = [sqlite3.connect(path, isolation_level=None) for path in (tmp_path / "records" / "manifest.db", day)]
    for connection in held:
        connection.execute("BEGIN IMMEDIATE")
    gateway.serve(range(5, 40))
    until = time.monotonic() + 60
    while not (found.shipper and found.shipper.status.blocked):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert found.reader.count(PageQuery(scope=ALL)) == 5
    for connection in held:
        connection.close()
    assert found.shipped(60)
    assert found.shipped(60)
    assert found.reader.count(PageQuery(scope=ALL)) == 40
    found.stop(60)


def test_no_fault_ends_the_shipping_for_good(tmp_path, gateway, monkeypatch, caplog):
    faults = [RuntimeError("a bug")]
    real = Shipper.run_once

    def run_once(self):
        if faults:
            raise faults.pop()
        return real(self)

    monkeypatch.setattr(Shipper, "run_once", run_once)
    found = keeper(tmp_path)
    found.start()
    gateway.serve(range(5))
    assert found.shipped(60)
    assert found.reader.count(PageQuery(scope=ALL)) == 5
    assert "RuntimeError: a bug" in caplog.text
    found.stop(60)


def test_what_another_process_asks_to_delete_is_done(tmp_path, gateway):
    gateway.serve(range(6))
    one = keeper(tmp_path)
    one.start()
    assert one.shipped(20)
    manifest = Manifest(one.reader.layout.manifest)
    feedback = FeedbackFile(one.reader.layout.feedback)
    now_us = time.time_ns() // 1000
    bury(manifest, feedback, parse("status:*"), ALL, reason="asked", now_us=now_us, hidden=6)
    manifest.close()
    deadline = time.monotonic() + 20
    while not (done := one.reader.receipts()[0]).is_done and time.monotonic() < deadline:
        one.shipped(1)
    assert (done.is_done, done.rows_removed) == (True, 6)
    one.stop()


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [zero, lambda path: path.write_bytes(b""), lambda path: path.unlink()],
                         ids=["zeroed", "emptied", "gone"])  # fmt: skip
@pytest.mark.parametrize("name", ["manifest.db", "feedback.db"])
def test_damage_to_what_lists_records_loses_none_while_they_arrive(tmp_path, gateway, damage, name):
    found = keeper(tmp_path, ship=ShipPolicy(keep_s=1e9))
    found.start()
    gateway.serve(range(20))
    assert found.shipped(60)
    damage(tmp_path / "records" / name)
    gateway.serve(range(20, 30))
    until = time.monotonic() + 60
    while True:
        try:
            count = found.reader.count(PageQuery(scope=ALL))
            found.reader.feedback(ALL)
        except (Unavailable, sqlite3.Error, FileNotFoundError):
            count = 0
        if count == 30:
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    assert found.shipped(60)
    assert found.status.blocked is None
    # what was not checkpointed yet may have covered all of it
    assert found.status.restored <= 1
    found.stop(60)
