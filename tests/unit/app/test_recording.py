"""The process beside the gateway is fed, watched, started again, and ended; a gateway without one serves on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from lockgate.app import recording
from lockgate.app.recording import RecorderProcess
from lockgate.core.capture import Capture
from lockgate.records.bodies.store import BodyReader
from lockgate.records.embedded.layout import Layout
from lockgate.records.shipping.body_journal import BodyLimits
from lockgate.records.tending import Task


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(recording, "_FIRST_PAUSE_S", 0.01)


def capture(number, size=2):
    return Capture(record_id=f"rec_{number}", started_at=1.0, request=b"x" * size)


def recorder_in(tmp_path, **more):
    Layout(tmp_path / "records").create()
    limits = BodyLimits(queue_bytes=more.pop("queue_bytes", 64 << 20))
    task = Task(records=str(tmp_path / "records"), journal=str(tmp_path / "journal"), bodies=limits)
    return RecorderProcess(task, ("openai_chat",), **more)


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def kept(tmp_path, number):
    return BodyReader(Layout(tmp_path / "records")).get(f"rec_{number}", 1_000_000)


def test_bodies_arrive_and_all_of_them_when_it_is_closed(tmp_path):
    async def run():
        one = recorder_in(tmp_path)
        one.start()
        one.offer(capture(1))
        await until(lambda: one.status.bodies == 1)
        for number in range(2, 300):
            one.offer(capture(number, 10_000))
        one.close()
        assert one.shed == 0

    asyncio.run(run())
    assert kept(tmp_path, 1) is not None
    assert kept(tmp_path, 299) is not None


def test_a_process_that_dies_is_started_again_and_what_it_had_is_counted(tmp_path, caplog):
    async def run():
        one = recorder_in(tmp_path)
        one.start()
        one.offer(capture(1))
        await until(lambda: one.status.bodies == 1)
        first = one.pid
        os.kill(first, signal.SIGKILL)
        one.offer(capture(2))
        await until(lambda: one.pid not in (None, first) and one.status.blocked is None)
        one.offer(capture(3))
        await until(lambda: one.status.bodies >= 1)
        one.close()
        return one.shed

    shed = asyncio.run(run())
    assert (kept(tmp_path, 2) is None) is (shed == 1)
    assert kept(tmp_path, 3) is not None
    assert "it is started again" in caplog.text


def test_what_cannot_be_handed_over_is_shed_and_counted(tmp_path):
    async def run():
        one = recorder_in(tmp_path, queue_bytes=1000, command=(sys.executable, "-c", "import time; time.sleep(60)"))
        one.start()
        for number in range(5):
            one.offer(capture(number, 400))
        await until(lambda: one.pid is not None)
        os.kill(one.pid, signal.SIGKILL)
        one.close()
        return one.shed

    assert asyncio.run(run()) >= 3


@pytest.mark.parametrize(
    "command", [("/nonexistent/program",), (sys.executable, "-c", "raise SystemExit(1)")], ids=["none", "ends at once"]
)
def test_a_process_that_cannot_be_is_tried_again_and_stops_nothing(tmp_path, command, monkeypatch):
    starts = []
    start = RecorderProcess._start

    def counted(self):
        starts.append(1)
        start(self)

    monkeypatch.setattr(RecorderProcess, "_start", counted)

    async def run():
        one = recorder_in(tmp_path, command=command)
        one.start()
        one.offer(capture(1))
        await until(lambda: len(starts) >= 3)
        one.close()

    asyncio.run(run())


def test_what_counters_need_of_the_journal_is_told(tmp_path):
    told = []

    def first_needed():
        told.append(1)
        raise OSError("not readable now")

    async def run():
        one = recorder_in(tmp_path, first_needed=first_needed)
        one.start()
        one.offer(capture(1))
        await until(lambda: one.status.bodies == 1)
        one.close()

    asyncio.run(run())
    assert told == [1]


def test_what_came_before_the_process_did_is_kept_when_all_is_over_at_once(tmp_path):
    async def run():
        one = recorder_in(tmp_path)
        one.start()
        one.offer(capture(1))
        one.close()
        assert one.shed == 0

    asyncio.run(run())
    assert kept(tmp_path, 1) is not None
