"""A process beside the gateway that tends records: started, fed, watched, started again, and ended with it.

Handing a capture over costs the gateway an append now and a share of one write later. While the process is away or
behind, bodies wait up to a limit and are then dropped, which is counted; records lie in the journal and only wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from lockgate.core.capture import Capture, shortened
from lockgate.records.messages import Begin, Captures, Message, Needed, ReportReader, write_message
from lockgate.records.shipping.shipper import ShipperStatus
from lockgate.records.tending import CLOSE_S, Task

_log = logging.getLogger("lockgate.records")

_GATHER_S = 0.02
"""How long what came first waits for more."""
_BATCH_BYTES, _BATCH_ITEMS = 1 << 20, 100
_NEEDED_S = 30.0
_AFTER_S = 0.3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_HEALTHY_S = 60.0
"""A process that lived this long is started again at once."""
_READ_BYTES = 65536
_AWAY = "the process that tends records has ended; it is started again"


class RecorderProcess:
    """Implements ``ports.CaptureSink``. To be used on one event loop."""

    def __init__(
        self,
        task: Task,
        dialects: Sequence[str],
        *,
        first_needed: Callable[[], int | None] = lambda: None,
        command: Sequence[str] = (sys.executable, "-m", "lockgate.recorder"),
    ) -> None:
        """``dialects``: names of modules. ``first_needed`` as in ``Tending``."""
        self._begin = Begin(
            task=task,
            dialects=tuple(dialects),
            level=logging.getLevelName(logging.getLogger().level).lower(),
        )
        self._limit_bytes, self._body_bytes = task.bodies.queue_bytes, task.bodies.body_bytes
        self._first_needed = first_needed
        self._command = tuple(command)
        self._captures: deque[Capture] = deque()
        self._out: deque[memoryview] = deque()
        self._waiting_bytes = 0
        """Of captures that are not written yet, and of messages that the socket has not taken."""
        self._sent = self._taken = 0
        """Captures that this process was given, and those that it said it has."""
        self._shed = self._shed_there = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._reports = ReportReader()
        self._status = ShipperStatus()
        self._is_flushing = self._is_writing = self._is_closing = self._has_started = False
        self._started_s = 0.0
        self._pause_s = _FIRST_PAUSE_S

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def shed(self) -> int:
        """Requests whose bodies were not kept for want of room, or because the process ended; then at most so many."""
        return self._shed + self._shed_there

    @property
    def status(self) -> ShipperStatus:
        """What the process last said of itself."""
        return self._status

    def start(self) -> None:
        """Start the process; to be called on the loop. One that cannot be started is tried again later."""
        self._loop = asyncio.get_running_loop()
        # the first answer is not to wait for the import of what nobody waits for
        self._loop.call_later(_AFTER_S, self._restart)
        self._loop.call_later(2 * _AFTER_S, self._tell_needed)

    def offer(self, capture: Capture) -> None:
        """Hand bodies over if there is room for them."""
        capture = shortened(capture, self._body_bytes)
        size = capture.size_bytes
        if self._waiting_bytes + size > self._limit_bytes:
            self._shed += 1
            return
        self._waiting_bytes += size
        self._captures.append(capture)
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_later(_GATHER_S, self._flush)

    def close(self) -> None:
        """Hand over what waits, and let the process finish; it is ended when it takes too long."""
        if self._line is None and (self._captures or not self._has_started):
            self._start()
        self._is_closing = True
        line, process = self._line, self._process
        if line is None or process is None:
            return
        self._loop.remove_reader(line)
        self._loop.remove_writer(line)
        try:
            line.settimeout(CLOSE_S)
            while self._captures:
                self._out.append(memoryview(self._batch()))
            for data in self._out:
                line.sendall(data)
            line.shutdown(socket.SHUT_WR)
        except OSError as error:
            _log.error("bodies that waited are lost: %s", error)
        try:
            process.wait(2 * CLOSE_S)
        except subprocess.TimeoutExpired:
            _log.error("the process that tends records does not end and is killed; records lie in the journal")
            process.kill()
            process.wait()
        line.close()

    # ---- the process

    def _start(self) -> None:
        self._has_started = True
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [*self._command, str(theirs.fileno())], pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL
            )
        except OSError as error:
            ours.close()
            _log.error("the process that tends records cannot be started: %s", error)
            self._again()
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._line, self._reports, self._started_s = ours, ReportReader(), time.monotonic()
        self._sent = self._taken = 0
        begin = write_message(self._begin)
        self._waiting_bytes += len(begin)
        self._out.append(memoryview(begin))
        self._loop.add_reader(ours, self._hear)
        self._write()

    def _again(self) -> None:
        """Start another process after a pause, a longer one each time."""
        if time.monotonic() - self._started_s > _HEALTHY_S:
            self._pause_s = _FIRST_PAUSE_S
        self._loop.call_later(self._pause_s, self._restart)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _restart(self) -> None:
        if not self._is_closing and self._line is None:
            self._start()

    def _hear(self) -> None:
        line = self._line
        if line is None:
            return
        try:
            data = line.recv(_READ_BYTES)
            report = self._reports.feed(data) if data else None
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, report = b"", None
        if not data:
            self._bury(line)
        elif report is not None:
            self._taken, self._shed_there, self._status = report.taken, report.shed, report.status

    def _bury(self, line: socket.socket) -> None:
        """The process has ended."""
        self._loop.remove_reader(line)
        self._loop.remove_writer(line)
        line.close()
        process, self._line, self._process = self._process, None, None
        if process is not None:
            process.kill()
            process.wait()
        lost = self._sent - self._taken
        self._shed += self._shed_there + lost
        self._shed_there = 0
        # a message that was cut cannot be finished by another process
        self._waiting_bytes -= sum(map(len, self._out))
        self._out.clear()
        self._is_writing = False
        self._status.blocked = _AWAY
        _log.error("%s; bodies of up to %d requests are lost, no record is", _AWAY, lost)
        self._again()

    # ---- what goes there

    def _flush(self) -> None:
        self._is_flushing = False
        if self._line is None or self._out:
            # what waits goes when there is a process, and when it has taken what was written
            self._later()
            return
        self._out.append(memoryview(self._batch()))
        self._write()
        self._later()

    def _later(self) -> None:
        if self._captures and not self._is_flushing:
            self._is_flushing = True
            self._loop.call_later(_GATHER_S, self._flush)

    def _batch(self) -> bytes:
        """Take some captures, and return them as a message."""
        batch: list[Capture] = []
        size, captures = 0, self._captures
        while captures and len(batch) < _BATCH_ITEMS and size < _BATCH_BYTES:
            batch.append(captures.popleft())
            size += batch[-1].size_bytes
        data = write_message(Captures(batch))
        self._sent += len(batch)
        self._waiting_bytes += len(data) - size
        return data

    def _say(self, message: Message) -> None:
        data = write_message(message)
        self._waiting_bytes += len(data)
        self._out.append(memoryview(data))
        self._write()

    def _write(self) -> None:
        line, out = self._line, self._out
        if line is None:
            return
        try:
            while out:
                count = line.send(out[0])
                self._waiting_bytes -= count
                if count == len(out[0]):
                    out.popleft()
                else:
                    out[0] = out[0][count:]
        except BlockingIOError:
            if not self._is_writing:
                self._is_writing = True
                self._loop.add_writer(line, self._write)
            return
        except OSError:
            return  # it has ended, and the reader hears of it
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(line)

    def _tell_needed(self) -> None:
        """Say from time to time what the counters still need of the journal."""
        if self._is_closing:
            return
        if self._line is not None:
            with contextlib.suppress(Exception):  # what cannot be told is kept
                self._say(Needed(self._first_needed()))
        self._loop.call_later(_NEEDED_S, self._tell_needed)
