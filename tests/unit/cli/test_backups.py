import sys

import pytest

from tests.unit.cli.kept import capture, record, write_records
from tests.unit.cli.test_progress import Terminal


@pytest.fixture
def home(tmp_path):
    first = record(1)
    write_records(tmp_path / "home", [first, record(2)], [capture(first, b'{"question":"where?"}')])
    return tmp_path / "home"


def test_a_copy_can_be_restored_and_has_everything(run, ask, home, tmp_path, monkeypatch):
    made = ask("backup", tmp_path / "copy")
    assert made["files"] >= 3
    before = ask("logs", "show", record(1)["id"])
    assert before["bodies"]["request"]["data"] == {"question": "where?"}
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "other"))
    assert f"is restored into {tmp_path / 'other'}: " in run("restore", tmp_path / "copy")
    assert ask("logs", "show", record(1)["id"]) == before
    assert len(ask("logs", "search")["data"]) == 2


def test_nothing_is_written_over(run, home, tmp_path):
    run("backup", tmp_path / "copy")
    assert "is not empty" in run("backup", tmp_path / "copy", status=1)
    assert "holds records already" in run("restore", tmp_path / "copy", status=1)


def test_what_is_no_copy_is_told(run, home, tmp_path):
    assert "is not a complete copy" in run("restore", tmp_path / "nothing", status=1)
    run("backup", tmp_path / "copy")
    (tmp_path / "copy" / "complete").unlink()
    assert "is not a complete copy" in run("restore", tmp_path / "copy", status=1)


def test_a_copy_that_fails_leaves_nothing(run, home, tmp_path):
    run("logs", "search")
    next((home / "records").rglob("index.db")).write_bytes(b"damaged" * 1000)
    assert "cannot copy " in run("backup", tmp_path / "copy", status=1)
    assert not (tmp_path / "copy").exists()


def test_where_there_are_no_records_there_is_no_copy(run, tmp_path):
    assert "There are no records" in run("backup", tmp_path / "copy", status=1)
    assert not (tmp_path / "copy").exists()


def test_a_terminal_sees_how_far_it_is(home, tmp_path, monkeypatch):
    from lockgate.cli.backups import backup

    monkeypatch.setenv("LOCKGATE_HOME", str(home))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    backup(tmp_path / "copy")
    assert "copying" in terminal.getvalue()
