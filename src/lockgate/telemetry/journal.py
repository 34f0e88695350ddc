"""The journal: one line per record, appended with one write, so that a killed process loses nothing.

A line is the CRC-32 of the JSON text as eight hex digits, a space, the JSON text, a line feed. Files are named
``NNNNNNNNNN.log`` in the order of their creation; each process appends to a file of its own.
"""

from __future__ import annotations

import logging
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from lockgate.core.record import Record
from lockgate.errors import ConfigError

FsyncPolicy = Literal["off", "1s", "each"]

_log = logging.getLogger("lockgate.journal")
_encode_record = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(Record).decode
_CRC_LENGTH = 8
_FSYNC_PERIOD_S = 1.0


class Journal:
    """An append-only file of records. ``write`` never raises: what cannot be written is counted and logged."""

    def __init__(self, folder: Path, *, fsync: FsyncPolicy, segment_bytes: int) -> None:
        """Open a new file in the folder. Raises ConfigError when that is not possible."""
        self._folder = folder
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._is_dirty = False
        self._closed = threading.Event()
        self.lost = 0
        """Records that could not be written since the start."""
        try:
            self._open()
        except OSError as error:
            raise ConfigError(f"cannot write the journal in {folder}: {error.strerror}") from None
        if fsync == "1s":
            threading.Thread(target=self._sync_loop, name="journal-fsync", daemon=True).start()

    def write(self, record: Record) -> None:
        """Append one record. When this returns, the record survives the end of the process."""
        line = write_line(record)
        try:
            if self._size + len(line) > self._segment_bytes and self._size:
                self._rotate()
            self._append(line)
        except OSError as error:
            self.lost += 1
            _log.error("record %s is lost: %s", record.id, error.strerror)

    def close(self) -> None:
        """Force everything to disk and close the file."""
        self._closed.set()
        with self._lock:
            os.fsync(self._fd)
            os.close(self._fd)

    def _append(self, line: bytes) -> None:
        written = os.write(self._fd, line)
        if written != len(line):
            # a full disk can take a part: the torn line fails its checksum, the next one starts afresh
            os.write(self._fd, b"\n")
            raise OSError(0, "short write")
        self._size += written
        if self._fsync == "each":
            os.fsync(self._fd)
        self._is_dirty = True

    def _open(self) -> None:
        last = max((int(p.stem) for p in self._folder.glob("*.log") if p.stem.isdigit()), default=0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for number in range(last + 1, last + 1000):
            try:
                self._fd = os.open(self._folder / f"{number:010d}.log", flags, 0o600)
            except FileExistsError:
                continue
            self._size = 0
            return
        raise OSError(0, "no free file name")

    def _rotate(self) -> None:
        with self._lock:
            if self._fsync != "off":
                os.fsync(self._fd)
            old = self._fd
            self._open()
            os.close(old)

    def _sync_loop(self) -> None:
        while not self._closed.wait(_FSYNC_PERIOD_S):
            if not self._is_dirty:
                continue
            self._is_dirty = False
            with self._lock:
                if self._closed.is_set():
                    return
                try:
                    os.fsync(self._fd)
                except OSError as error:
                    _log.error("fsync of the journal failed: %s", error.strerror)


def write_line(record: Record) -> bytes:
    """Return the line of a record."""
    data = _encode_record(record)
    return b"%08x %b\n" % (zlib.crc32(data), data)


def read_line(line: bytes) -> Record | None:
    """Return the record of a line, None when the line is torn or damaged."""
    crc, space, data = line[:_CRC_LENGTH], line[_CRC_LENGTH : _CRC_LENGTH + 1], line[_CRC_LENGTH + 1 :].rstrip(b"\n")
    try:
        if space != b" " or int(crc, 16) != zlib.crc32(data):
            return None
        return _decode_record(data)
    except (ValueError, msgspec.MsgspecError):
        return None


def read_journal(folder: Path) -> Iterator[Record]:
    """Yield every whole record of a folder in the order it was written; damaged lines are skipped and logged."""
    for path in sorted(folder.glob("*.log")):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                record = read_line(line)
                if record is None:
                    _log.warning("%s:%d is damaged and was skipped", path.name, number)
                else:
                    yield record
