import fcntl
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.record import SCHEMA_VERSION, Record
from lockgate.errors import ConfigError
from lockgate.telemetry import journal as journal_module
from lockgate.telemetry.journal import Journal, read_journal, read_line, write_line


def record(number=0, **more):
    fields = {
        "trace_id": "t",
        "started_at": 1.5,
        "method": "POST",
        "route": "chat",
        "dialect": "openai_chat",
        "status": 200,
    }
    return Record(schema_version=SCHEMA_VERSION, id=f"rec_{number}", **{**fields, **more})


def test_records_come_back_in_order_across_segments(tmp_path):
    journal = Journal(tmp_path, fsync="each", segment_bytes=600)
    records = [record(i) for i in range(20)]
    for item in records:
        journal.write(item)
    journal.close()
    assert list(read_journal(tmp_path)) == records
    assert len(list(tmp_path.glob("*.log"))) > 2


def test_each_process_has_a_file_of_its_own(tmp_path):
    first = Journal(tmp_path, fsync="off", segment_bytes=1000)
    second = Journal(tmp_path, fsync="off", segment_bytes=1000)
    first.write(record(1))
    second.write(record(2))
    first.close()
    second.close()
    assert [r.id for r in read_journal(tmp_path)] == ["rec_1", "rec_2"]


@given(st.data())
def test_a_damaged_line_is_noticed(data):
    line = write_line(record(7, model_asked="x" * 20))
    at = data.draw(st.integers(0, len(line) - 2))
    byte = data.draw(st.integers(0, 255))
    damaged = line[:at] + bytes([byte]) + line[at + 1 :]
    found = read_line(damaged)
    assert found is None or found == record(7, model_asked="x" * 20)
    assert read_line(line) == record(7, model_asked="x" * 20)


def test_a_torn_end_is_skipped(tmp_path):
    journal = Journal(tmp_path, fsync="1s", segment_bytes=10_000)
    journal.write(record(1))
    journal.close()
    with next(tmp_path.glob("*.log")).open("ab") as out:
        out.write(write_line(record(2))[:30])
    assert [r.id for r in read_journal(tmp_path)] == ["rec_1"]


def test_a_killed_process_loses_nothing(tmp_path):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from lockgate.telemetry.journal import Journal\n"
        "from lockgate.core.record import Record\n"
        "j = Journal(Path(sys.argv[1]), fsync='off', segment_bytes=10**6)\n"
        "for i in range(50): j.write(Record(schema_version=1, id=f'rec_{i}', trace_id='t', started_at=0.0,"
        " method='POST', route='chat', dialect='d', status=200))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": "src"}, check=False
    )
    assert done.returncode == -9
    assert len(list(read_journal(tmp_path))) == 50


@pytest.mark.parametrize("policy, is_synced", [("1s", True), ("each", True), ("off", False)])
def test_records_are_forced_to_disk_as_the_policy_says(tmp_path, monkeypatch, policy, is_synced):
    synced = threading.Event()
    real = os.fsync
    monkeypatch.setattr(journal_module, "_FSYNC_PERIOD_S", 0.01)

    def fsync(fd):
        synced.set()
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal(tmp_path, fsync=policy, segment_bytes=10_000)
    journal.write(record(1))
    assert synced.wait(5 if is_synced else 0.2) is is_synced
    journal.close()


class Disk:
    """Takes so many bytes, then says that it is full."""

    def __init__(self, monkeypatch):
        self.room = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd, data):
        if not self.room:
            raise OSError(28, "No space left on device")
        written = self._write(fd, data[: self.room])
        self.room -= written
        return written


def ids(folder, after=None):
    return [r.id for r in read_journal(folder, after)]


def test_what_a_full_disk_does_not_take_is_written_in_order_once_it_does(tmp_path, monkeypatch, caplog):
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path, fsync="each", segment_bytes=10_000)
    for number in range(3):
        journal.write(record(number))
    journal.retry()
    assert (journal.held, journal.lost, ids(tmp_path)) == (3, 0, [])
    disk.room = 10**6
    journal.retry(1)
    assert (journal.held, ids(tmp_path)) == (2, ["rec_0"])
    journal.write(record(3))
    assert (journal.held, journal.lost) == (0, 0)
    journal.write(record(4))
    journal.close()
    assert ids(tmp_path) == [f"rec_{number}" for number in range(5)]
    said = [entry.message for entry in caplog.records]
    assert len(said) == 2, said
    assert "held in memory" in said[0]


def test_beyond_its_room_records_are_lost_and_counted(tmp_path, monkeypatch, caplog):
    Disk(monkeypatch)
    line = len(write_line(record(1)))
    journal = Journal(tmp_path, fsync="off", segment_bytes=10_000, held_bytes=2 * line + 1)
    for number in range(4):
        journal.write(record(number))
    assert (journal.held, journal.lost) == (2, 2)
    journal.close()
    assert (journal.held, journal.lost) == (0, 4)
    assert [number for number in range(4) if f"record rec_{number} is lost" in caplog.text] == [0, 1, 2, 3]


@pytest.mark.parametrize("taken", [1, 50, 51])
def test_a_line_that_a_full_disk_tore_costs_no_other_record(tmp_path, monkeypatch, taken):
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path, fsync="off", segment_bytes=100_000)
    disk.room = taken
    journal.write(record(1))
    position = journal.position
    disk.room = 10**6
    for number in (2, 3):
        journal.write(record(number))
    journal.close()
    assert (journal.lost, position.offset) == (0, taken)
    assert ids(tmp_path) == ids(tmp_path, position) == ["rec_1", "rec_2", "rec_3"]


def test_a_segment_that_cannot_be_begun_leaves_the_old_one_in_use(tmp_path, monkeypatch):
    journal = Journal(tmp_path, fsync="off", segment_bytes=600)

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail)
        for number in range(5):
            journal.write(record(number))
        assert len(list(tmp_path.glob("*.log"))) == 1
    journal.write(record(5))
    journal.close()
    assert (journal.lost, journal.held) == (0, 0)
    assert ids(tmp_path) == [f"rec_{number}" for number in range(6)]
    assert len(list(tmp_path.glob("*.log"))) == 2


def test_a_disk_that_cannot_be_forced_does_not_double_a_record(tmp_path, monkeypatch, caplog):
    journal = Journal(tmp_path, fsync="each", segment_bytes=10_000)

    def fail(fd):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    journal.write(record(1))
    journal.close()
    assert ids(tmp_path) == ["rec_1"]
    assert "fsync of the journal failed" in caplog.text


def test_a_folder_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="cannot write the journal"):
        Journal(tmp_path / "missing", fsync="off", segment_bytes=1)


def test_the_rest_of_a_journal_is_read_from_a_position(tmp_path):
    journal = Journal(tmp_path, fsync="off", segment_bytes=600)
    positions = [journal.position]
    for number in range(10):
        journal.write(record(number))
        positions.append(journal.position)
    journal.close()
    for number, position in enumerate(positions):
        assert [found.id for found in read_journal(tmp_path, position)] == [f"rec_{n}" for n in range(number, 10)]


def test_a_file_is_never_seen_without_its_lock(tmp_path, monkeypatch):
    seen = []

    def looking(*arguments):
        for path in (path for path in tmp_path.iterdir() if path.suffix == ".log"):
            with path.open("rb") as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            seen.append(path.name)

    def after(function):
        def call(*arguments, **more):
            result = function(*arguments, **more)
            looking()
            return result

        return call

    for name in ("open", "link", "unlink"):
        monkeypatch.setattr(os, name, after(getattr(os, name)))
    Journal(tmp_path, fsync="off", segment_bytes=1).close()
    assert set(seen) == {"0000000001.log"}
    assert [path.name for path in tmp_path.iterdir()] == ["0000000001.log"]
