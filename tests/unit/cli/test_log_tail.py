"""The loop itself is shown in ``test_archive``, the command as a process in ``tests/e2e/test_logs_command.py``."""

import json

from lockgate.cli.log_cells import columns_of
from lockgate.cli.log_tail import Lines
from lockgate.records.store import Entry
from tests.unit.cli.kept import record, write_records
from tests.unit.records.rows import row


class Interrupted:
    """Stands for an event that nobody sets; somebody presses Ctrl-C while it is waited for."""

    def wait(self, _seconds):
        raise KeyboardInterrupt


def test_columns_stay_below_each_other_and_grow():
    lines = Lines(columns_of("id,status,user"))
    assert lines.head() == "id  status  user"
    assert lines.line(Entry(row(1))) == "rec_1  200     -"
    assert lines.line(Entry(row(2, end_user="a\x1b[1m"))) == "rec_2  200     a [1m"


def test_the_last_records_come_first_and_ctrl_c_is_no_error(run, tmp_path, monkeypatch):
    write_records(tmp_path / "home", [record(1), record(2), record(3, status=500)])
    monkeypatch.setattr("lockgate.cli.log_tail.threading.Event", Interrupted)
    said = run("logs", "tail", "status:200", "--columns", "trace,status")
    assert [line.split() for line in said.splitlines()] == [["trace", "status"], ["trace-1", "200"], ["trace-2", "200"]]
    assert [json.loads(line)["trace_id"] for line in run("logs", "tail", "--json", "-n", 1).splitlines()] == ["trace-3"]
    assert run("logs", "tail", "--json", "-n", 0) == ""


def test_a_query_that_is_wrong_is_refused(run, tmp_path):
    write_records(tmp_path / "home", [record(1)])
    assert "There is no field 'bad'" in run("logs", "tail", "bad:1", status=1)
