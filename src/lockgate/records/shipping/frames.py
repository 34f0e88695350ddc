"""Frames of the journal of bodies: a mark, length, CRC-32 and the bytes. After damage the next mark is looked for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

MARK = b"\xf5LGB"
_HEAD = struct.Struct(">4sII")
HEAD_BYTES = _HEAD.size
_MAX_FRAME = 512 << 20
_CHUNK = 1 << 20


class Frame(Struct, frozen=True):
    """A frame with its place; ``data`` is None where bytes are damaged."""

    start: int
    end: int
    data: bytes | None


def write_frame(data: bytes) -> bytes:
    """Return the frame of bytes."""
    return _HEAD.pack(MARK, len(data), zlib.crc32(data)) + data


def read_frames(path: Path, offset: int, *, closed: bool) -> Iterator[Frame]:
    """Yield the frames from an offset on. ``closed``: an unfinished frame at the end is damaged."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            head = file.read(_HEAD.size)
            whole = _read(head, file.read, size - offset)
            if whole is not None:
                yield Frame(offset, offset + _HEAD.size + len(whole), whole)
                offset += _HEAD.size + len(whole)
                continue
            if not closed and _is_unfinished(head, size - offset):
                return
            after = _next_mark(path, offset + 1)
            if after is None and not closed:
                return
            end = size if after is None else after
            yield Frame(offset, end, None)
            offset = end


def _read(head: bytes, read: Callable[[int], bytes], available: int) -> bytes | None:
    if len(head) < _HEAD.size:
        return None
    mark, length, crc = _HEAD.unpack(head)
    if mark != MARK or length > min(_MAX_FRAME, available - _HEAD.size):
        return None
    data = read(length)
    return data if zlib.crc32(data) == crc else None


def _is_unfinished(head: bytes, available: int) -> bool:
    if len(head) < _HEAD.size:
        return MARK.startswith(head[: len(MARK)])
    mark, length, _ = _HEAD.unpack(head)
    return bool(mark == MARK and length <= _MAX_FRAME and available < _HEAD.size + length)


def _next_mark(path: Path, offset: int) -> int | None:
    with path.open("rb") as file:
        file.seek(offset)
        before = b""
        while chunk := file.read(_CHUNK):
            at = (before + chunk).find(MARK)
            if at >= 0:
                return offset - len(before) + at
            offset += len(chunk)
            before = (before + chunk)[1 - len(MARK) :]
    return None
