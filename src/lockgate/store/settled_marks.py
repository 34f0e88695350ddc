"""Up to where the journal is settled in shared counters: a small file beside each segment, ``NNNNNNNNNN.settled``.

A process writes the marks of its own segments. At the next start of any process of the state folder, what lies behind
a mark is settled again, which changes nothing where it was settled already; so a mark may be late, but never early.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from lockgate.core.journal import Position

_log = logging.getLogger("lockgate.counters")


class SettledMarks:
    """Keeps the marks of one journal folder. Settlements must be told in the order of their records."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reached: Position | None = None
        self._written: Position | None = None

    def reached(self, position: Position) -> None:
        """Take note that all records before the position are settled. The mark is written by ``write``."""
        if self._reached is not None and self._reached.segment != position.segment:
            self._write_whole(self._reached.segment)
        self._reached = position

    def write(self) -> None:
        """Write the mark when it has moved: once a second, and at the end. Does not raise."""
        if self._reached is None or self._reached == self._written:
            return
        self._written = self._reached
        self._replace(self._reached.segment, self._reached.offset)

    def unsettled(self) -> list[Position]:
        """Return from where each segment that is not settled to its end must be settled, oldest first."""
        found = []
        for path in sorted(self._folder.glob("*.log")):
            if path.stem.isdigit():
                offset = self.mark(int(path.stem))
                if offset < path.stat().st_size:
                    found.append(Position(segment=int(path.stem), offset=offset))
        return found

    def settle_whole(self, segment: int) -> None:
        """Mark a segment of an ended process as settled to its end."""
        self._write_whole(segment)

    def sweep(self) -> None:
        """Remove the marks of segments that are gone. Does not raise."""
        for path in self._folder.glob("*.settled"):
            if not path.with_suffix(".log").exists():
                with contextlib.suppress(OSError):
                    path.unlink()

    def _write_whole(self, segment: int) -> None:
        with contextlib.suppress(OSError):
            self._replace(segment, (self._folder / f"{segment:010d}.log").stat().st_size)

    def _replace(self, segment: int, offset: int) -> None:
        path = self._folder / f"{segment:010d}.settled"
        beside = path.with_suffix(f".settled-{os.getpid()}")
        try:
            beside.write_text(f"{offset}\n")
            os.replace(beside, path)
        except OSError as error:
            _log.error("cannot write %s: %s", path.name, error.strerror)

    def mark(self, segment: int) -> int:
        """Return a segment's mark; without one, or with a damaged one, nothing counts as settled."""
        try:
            return max(0, int((self._folder / f"{segment:010d}.settled").read_text()))
        except (OSError, ValueError):
            return 0
