"""The journal: one line per record, appended with one write, so that a killed process loses nothing.

Lines are those of ``core.journal_line``. Files are named ``NNNNNNNNNN.log`` in the order of their creation; each
process appends to a file of its own, and holds a lock on it for as long as it may still write: whoever reads can tell
that a file without one is complete.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from lockgate.core.journal import Position
from lockgate.core.journal_line import frame, unframe
from lockgate.core.record import Record
from lockgate.errors import ConfigError

FsyncPolicy = Literal["off", "1s", "each"]

_log = logging.getLogger("lockgate.journal")
_encode_record = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(Record).decode
_FSYNC_PERIOD_S = 1.0
_HELD_BYTES = 64 << 20
_RETRY_AT_ONCE = 200


class Journal:
    """An append-only file of records. ``write`` never raises.

    What the disk does not take is held in memory and written, in order, once it does; only beyond ``held_bytes`` are
    records lost, counted and logged. All but ``close`` must be called by one thread.
    """

    def __init__(self, folder: Path, *, fsync: FsyncPolicy, segment_bytes: int, held_bytes: int = _HELD_BYTES) -> None:
        """Open a new file in the folder. Raises ConfigError when that is not possible."""
        self._folder = folder
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._is_dirty = False
        self._closed = threading.Event()
        self._held: deque[tuple[bytes, str]] = deque()
        """Lines, each with its record's id."""
        self._room = held_bytes
        self._is_torn = False
        """The file ends inside a line."""
        self.lost = 0
        """Records that could neither be written nor held since the start."""
        try:
            self._open()
        except OSError as error:
            raise ConfigError(f"cannot write the journal in {folder}: {error.strerror}") from None
        if fsync == "1s":
            threading.Thread(target=self._sync_loop, name="journal-fsync", daemon=True).start()

    def write(self, record: Record) -> None:
        """Append one record. When this returns, the record survives the end of the process."""
        self._write(write_line(record), record.id)

    def append(self, data: bytes, record_id: str) -> None:
        """The same for a record that is JSON text already, as one that somebody else took and hands in."""
        self._write(frame(data), record_id)

    @property
    def position(self) -> Position:
        """Where the next record goes."""
        return Position(segment=self._number, offset=self._size)

    @property
    def held(self) -> int:
        """Records that wait in memory for a disk that takes them; they will stand behind ``position``."""
        return len(self._held)

    def retry(self, most: int = _RETRY_AT_ONCE) -> None:
        """Write what is held, so many records at most. To be called every second or so."""
        if not self._held:
            return
        try:
            for _ in range(min(most, len(self._held))):
                self._put(self._held[0][0])
                self._room += len(self._held.popleft()[0])
        except OSError:
            return
        if not self._held:
            _log.warning("the journal can be written again, and has all records that were held in memory")

    def close(self) -> None:
        """Force everything to disk and close the file."""
        self.retry(len(self._held))
        self.lost += len(self._held)
        for _, record_id in self._held:
            _log.error("record %s is lost", record_id)
        self._held.clear()
        self._closed.set()
        with self._lock:
            self._sync()
            os.close(self._fd)

    def _write(self, line: bytes, record_id: str) -> None:
        if self._held:
            self._hold(line, record_id)
            self.retry()
            return
        try:
            self._put(line)
        except OSError as error:
            _log.error("the journal cannot be written (%s): records are held in memory", error.strerror)
            self._hold(line, record_id)

    def _hold(self, line: bytes, record_id: str) -> None:
        if len(line) > self._room:
            self.lost += 1
            _log.error("record %s is lost: the journal cannot be written, and too many records wait for it", record_id)
            return
        self._held.append((line, record_id))
        self._room -= len(line)

    def _put(self, line: bytes) -> None:
        if self._size + len(line) > self._segment_bytes and self._size:
            try:
                self._rotate()
            except OSError as error:
                _log.error("a new segment of the journal cannot be begun: %s", error.strerror)
        self._append(line)

    def _append(self, line: bytes) -> None:
        if self._is_torn:
            # what a full disk took of a line fails its checksum; the next one starts afresh
            line = b"\n" + line
        written = os.write(self._fd, line)
        self._size += written
        if written != len(line):
            self._is_torn = self._is_torn or written > 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._is_torn = False
        if self._fsync == "each":
            self._sync()
        self._is_dirty = True

    def _sync(self) -> None:
        """Force what is written to disk. A failure is only logged: the records are in the file, and must be so once."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            _log.error("fsync of the journal failed: %s", error.strerror)

    def _open(self) -> None:
        last = max((int(p.stem) for p in self._folder.glob("*.log") if p.stem.isdigit()), default=0)
        beside = self._folder / f".{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(beside, flags, 0o600)
        try:
            # whoever settles what ended processes left must know which ones have ended: under its name the file is
            # never seen without the lock
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for number in range(last + 1, last + 1000):
                try:
                    os.link(beside, self._folder / f"{number:010d}.log")
                except FileExistsError:
                    continue
                self._fd, self._number, self._size, self._is_torn = fd, number, 0, False
                return
            raise OSError(0, "no free file name")
        except BaseException:
            os.close(fd)
            raise
        finally:
            os.unlink(beside)

    def _rotate(self) -> None:
        with self._lock:
            if self._fsync != "off":
                self._sync()
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
                self._sync()


def write_line(record: Record) -> bytes:
    """Return the line of a record."""
    return frame(_encode_record(record))


def read_line(line: bytes) -> Record | None:
    """Return the record of a line, None when the line is torn or damaged."""
    data = unframe(line)
    if data is None:
        return None
    try:
        return _decode_record(data)
    except msgspec.MsgspecError:
        return None


def read_journal(folder: Path, after: Position | None = None) -> Iterator[Record]:
    """Yield every whole record in the order it was written, from a position on; what is damaged is skipped, logged."""
    for path in sorted(folder.glob("*.log")):
        number = int(path.stem) if path.stem.isdigit() else 0
        if after is None or number > after.segment:
            yield from read_segment(path)
        elif number == after.segment:
            yield from read_segment(path, after.offset)


def read_segment(path: Path, offset: int = 0) -> Iterator[Record]:
    """Yield the whole records of one file from an offset on, which is where a record begins."""
    with path.open("rb") as lines:
        lines.seek(offset)
        for number, line in enumerate(lines, 1):
            record = read_line(line)
            if record is None:
                _log.warning("%s: line %d after byte %d is damaged and was skipped", path.name, number, offset)
            else:
                yield record
