"""The process that tends records, so that the one that serves requests need not: ``python -m lockgate.recorder FD``.

A gateway starts it, tells it by a socket what to do, and hands it bodies. When the socket ends, because the gateway
closed it or died, what has arrived is written and shipped, and the process ends.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import BinaryIO

from lockgate.dialects import Dialect
from lockgate.errors import ConfigError
from lockgate.records.messages import (
    LENGTH_BYTES,
    Begin,
    Captures,
    Message,
    Needed,
    Report,
    read_message,
    write_message,
)
from lockgate.records.tending import Tending
from lockgate.telemetry.logs import start_logging
from lockgate.transport.memory import settle_objects

REPORT_S = 1.0
_NICE = 5


class Recorder:
    """One gateway's records, tended until its socket ends."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._taken = 0
        self._needed: int | None = 0
        """Until the gateway has said what it needs, it is all."""
        self._is_over = threading.Event()

    def run(self) -> None:
        """Do what the gateway says until it is gone. Raises ConfigError when that cannot be done."""
        with self._line.makefile("rb") as incoming:
            begin = _next(incoming)
            if not isinstance(begin, Begin):
                return
            start_logging(begin.level)
            tending = Tending(begin.task, _load(begin.dialects), first_needed=lambda: self._needed)
            tending.start()
            settle_objects()
            reports = threading.Thread(target=self._report, args=(tending,), name="reports", daemon=True)
            reports.start()
            try:
                while (message := _next(incoming)) is not None:
                    self._take(message, tending)
            finally:
                self._is_over.set()
                tending.close()

    def _take(self, message: Message, tending: Tending) -> None:
        match message:
            case Captures(captures):
                for capture in captures:
                    tending.offer(capture)
                self._taken += len(captures)
            case Needed(first):
                self._needed = first
            case Begin():
                pass

    def _report(self, tending: Tending) -> None:
        while True:
            report = Report(taken=self._taken, shed=tending.shed, status=tending.status)
            try:
                self._line.sendall(write_message(report))
            except OSError:
                return
            if self._is_over.wait(REPORT_S):
                return


def _next(incoming: BinaryIO) -> Message | None:
    """Return the next message, None when the gateway is gone."""
    try:
        head = incoming.read(LENGTH_BYTES)
        size = int.from_bytes(head, "big")
        data = incoming.read(size) if len(head) == LENGTH_BYTES else b""
    except OSError:
        return None
    return read_message(data) if data and len(data) == size else None


def _load(names: tuple[str, ...]) -> Mapping[str, Dialect]:
    found = {}
    for name in names:
        dialect: Dialect = importlib.import_module(f"lockgate.dialects.{name}").DIALECT
        found[dialect.name] = dialect
    return found


def main() -> int:
    """Serve the gateway at the other end of the socket whose number is the argument."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # sent to the whole group by a terminal: the end is when the gateway ends
        signal.signal(number, signal.SIG_IGN)
    # requests go first where cores are few
    os.nice(_NICE)
    try:
        Recorder(socket.socket(fileno=int(sys.argv[1]))).run()
    except ConfigError as error:
        print(f"records are not tended: {error}", file=sys.stderr)  # noqa: T201  # logging may not have begun
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
