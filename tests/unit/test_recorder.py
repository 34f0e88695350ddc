"""The process that tends records does what it is told until its socket ends, however that comes."""

from __future__ import annotations

import socket
import threading

import pytest

from lockgate import recorder
from lockgate.core.capture import Capture
from lockgate.recorder import Recorder
from lockgate.records.bodies.store import BodyReader
from lockgate.records.embedded.layout import Layout
from lockgate.records.messages import Begin, Captures, Needed, ReportReader, write_message
from lockgate.records.tending import Task


@pytest.fixture
def thread(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "start_logging", lambda _level: None)  # that of the tests goes on
    Layout(tmp_path / "records").create()
    return threading.Thread(name="none yet")


@pytest.fixture
def line(thread):
    ours, theirs = socket.socketpair()
    thread.run = Recorder(theirs).run
    thread.start()
    yield ours
    ours.close()
    thread.join(30)
    theirs.close()
    assert not thread.is_alive()


def begin(tmp_path):
    task = Task(records=str(tmp_path / "records"), journal=str(tmp_path / "journal"))
    return write_message(Begin(task=task, dialects=("openai_chat",), level="info"))


def reports(line):
    reader = ReportReader()
    while data := line.recv(65536):
        if (report := reader.feed(data)) is not None:
            yield report


def test_bodies_are_kept_and_it_says_so(line, tmp_path):
    captures = [Capture(record_id=f"rec_{n}", started_at=1.0, request=b"{}") for n in (1, 2)]
    line.sendall(begin(tmp_path) + write_message(Needed(None)) + write_message(Captures(captures)))
    for report in reports(line):
        if report.status.bodies == 2:
            assert (report.taken, report.shed) == (2, 0)
            break
    assert BodyReader(Layout(tmp_path / "records")).get("rec_2", 1_000_000) is not None


def test_what_has_arrived_is_kept_when_the_gateway_is_gone(line, thread, tmp_path):
    captures = [Capture(record_id="rec_1", started_at=1.0, request=b"{}")]
    # and a message that was cut in the middle
    line.sendall(begin(tmp_path) + write_message(Captures(captures)) + write_message(Captures(captures))[:20])
    line.close()
    thread.join(30)
    assert BodyReader(Layout(tmp_path / "records")).get("rec_1", 1_000_000) is not None


@pytest.mark.parametrize("data", [b"", b"\x00", write_message(Needed(1))], ids=["nothing", "a cut", "no beginning"])
def test_a_gateway_that_says_nothing_leaves_nothing_to_do(line, data):
    line.sendall(data)
    line.shutdown(socket.SHUT_WR)
