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


def test_a_full_disk_is_counted_and_never_raises(tmp_path, monkeypatch):
    journal = Journal(tmp_path, fsync="off", segment_bytes=10_000)

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        journal.write(record(1))
    assert journal.lost == 1
    journal.write(record(2))
    journal.close()
    assert [r.id for r in read_journal(tmp_path)] == ["rec_2"]


def test_a_folder_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="cannot write the journal"):
        Journal(tmp_path / "missing", fsync="off", segment_bytes=1)
