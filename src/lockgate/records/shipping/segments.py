"""Segments of the journal as their reader sees them: lines by offset, what is damaged, which files are complete.

A writer holds a lock on its segment while it may write. So a line without an end is still being written in a locked
segment, and torn in any other.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from lockgate.core.journal_line import unframe
from lockgate.records.shipping.frames import HEAD_BYTES, MARK

_CHUNK = 1 << 20
MAX_LINE = 16 << 20
"""What is longer without an end is no line but damage."""
_IDENTITY_BYTES = 4096


class Line(Struct, frozen=True):
    """A line with its place; ``data`` is None when it is damaged, and ``raw`` what stands there."""

    start: int
    end: int
    data: bytes | None
    raw: bytes = b""


def segments(folder: Path, suffix: str) -> list[Path]:
    """Return the segments of a folder, the oldest first."""
    return sorted(path for path in folder.glob(f"*{suffix}") if path.stem.isdigit())


def is_closed(path: Path) -> bool:
    """Whether no process writes to a segment any more."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        # a shared lock: who else asks at the same moment must not take the reader for a writer
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def identity(path: Path) -> str | None:
    """Return what tells a segment from another that gets its name later; None while nothing whole is in it."""
    with path.open("rb") as file:
        head = file.read(_IDENTITY_BYTES)
    if head.startswith(MARK):
        first = head[:HEAD_BYTES] if len(head) >= HEAD_BYTES else b""
    else:
        first = head.partition(b"\n")[0] if b"\n" in head or len(head) == _IDENTITY_BYTES else b""
    if not first and head and is_closed(path):
        first = head
    return f"{path.name}#{zlib.crc32(first):08x}" if first or head[:1] == b"\n" else None


def read_lines(path: Path, offset: int, *, closed: bool) -> Iterator[Line]:
    """Yield the lines from an offset on. ``closed``: what has no end is damaged, not unfinished."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = b""
        while chunk := file.read(_CHUNK):
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            for text in lines:
                end = offset + len(text) + 1
                yield _line(text, offset, end)
                offset = end
            if len(rest) > MAX_LINE:
                yield Line(offset, offset + len(rest), None, rest)
                offset, rest = offset + len(rest), b""
        if rest and closed:
            yield Line(offset, offset + len(rest), None, rest)


def _line(text: bytes, start: int, end: int) -> Line:
    if not text:
        # what a short write left behind ends its own torn line
        return Line(start, end, b"")
    data = unframe(text)
    return Line(start, end, data, b"" if data is not None else text)
