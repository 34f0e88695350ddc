"""Ships the journal into the store: rows in batches, bodies after them, offsets acknowledged once both are on disk.

Shipping again is harmless, since rows and bodies are idempotent by record id; so a crash loses nothing and doubles
nothing. What is damaged is put aside, counted and passed by. A store that fails stops the round, and the journal grows.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from lockgate.records.bodies.kept import Kept, read_kept
from lockgate.records.embedded.layout import BAD
from lockgate.records.from_record import read_row
from lockgate.records.row import Preview, Row
from lockgate.records.shipping.body_journal import SUFFIX as BODIES
from lockgate.records.shipping.frames import read_frames
from lockgate.records.shipping.pressure import Level
from lockgate.records.shipping.segments import identity, is_closed, read_lines, segments
from lockgate.records.store import Appended, Restored

ROWS = ".log"
_log = logging.getLogger("lockgate.records")
_ROUNDS = 3
"""How often a round begins again because files of the store were damaged."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Acks(Protocol):
    """Keeps up to which byte each segment is acknowledged."""

    def acks(self) -> dict[str, int]:
        """Return all offsets by segment."""
        ...

    def acknowledge(self, segment: str, offset: int) -> None:
        """Note that everything before is in the store."""
        ...

    def forget_ack(self, segment: str) -> None:
        """The segment is gone."""
        ...


class RowTarget(Protocol):
    """Where rows go."""

    def append(self, rows: Sequence[Row]) -> Appended:
        """Keep rows; idempotent by id. Raises Restored when all offsets were forgotten, and nothing was kept."""
        ...

    def append_previews(self, previews: Sequence[Preview]) -> None:
        """Keep previews; idempotent by id."""
        ...

    def deleted_among(self, record_ids: Sequence[str]) -> set[str]:
        """Return which of these records were deleted, so that their bodies must not come."""
        ...


class BodyTarget(Protocol):
    """Where bodies go."""

    def put(self, items: Sequence[Kept]) -> None:
        """Keep bodies; idempotent by record id. Raises Restored."""
        ...


class ShipPolicy(Struct, frozen=True, kw_only=True):
    """How much is shipped at once, and how long the journal stays behind it."""

    batch_rows: int = 500
    batch_bodies: int = 500
    batch_body_bytes: int = 16 << 20
    keep_s: float = 7200.0
    """How long a segment that is shipped stays after its last record: until the hour of these is sealed, so that the
    file of a day can be made again."""
    keep_bodies_s: float = 3600.0


class ShipperStatus(Struct):
    """What happened since the start."""

    rows: int = 0
    known: int = 0
    bodies: int = 0
    damaged: int = 0
    """Lines and frames that were put aside."""
    shed_bodies: int = 0
    failures: int = 0
    restored: int = 0
    """Files of the store that were damaged, put aside and made again."""
    blocked: str | None = None
    """Why nothing is shipped now."""
    waiting_row_bytes: int = 0
    """What the journal held that was not shipped when the last round began."""
    waiting_body_bytes: int = 0


class Shipper:
    """One for a folder; who makes it holds the store's lock."""

    def __init__(
        self, journal: Path, rows: RowTarget, bodies: BodyTarget, acks: Acks, quarantine: Path, *,
        policy: ShipPolicy | None = None, level: Callable[[], Level] = lambda: "none",
        now_s: Callable[[], float] = time.time, first_needed: Callable[[], int | None] = lambda: None,
        status: ShipperStatus | None = None,
    ) -> None:  # fmt: skip
        """``status``: the counts of who shipped before."""
        self._journal = journal
        self._rows = rows
        self._bodies = bodies
        self._acks = acks
        self._quarantine = quarantine
        self._policy = policy or ShipPolicy()
        self._level = level
        self._now_s = now_s
        self._first_needed = first_needed
        """The first segment of records that somebody else still has to read."""
        self.status = status or ShipperStatus()

    @property
    def body_folder(self) -> Path:
        """Where segments of bodies lie."""
        return self._journal / "bodies"

    def run_once(self) -> int:
        """Ship what is there, and unlink what is shipped long enough; returns how many rows and bodies were new."""
        before = self.status.rows + self.status.bodies
        for _ in range(_ROUNDS):
            try:
                self._run()
                break
            except Restored:
                self.begin_again()
        return self.status.rows + self.status.bodies - before

    def begin_again(self) -> None:
        """Forget all offsets: what the store lost may be in the journal, which is shipped again."""
        for name in self._acks.acks():
            self._acks.forget_ack(name)

    def _run(self) -> None:
        level = self._level()
        self.status.blocked = None
        try:
            if level == "rows":
                self.status.blocked = "the disk is nearly full: rows stay in the journal"
                self._unacknowledged(self._journal, ROWS)  # counts what waits
            else:
                self._ship_rows()
            self._ship_bodies(is_shed=level != "none")
            # where room is short, what is shipped does not stay a while longer
            self._unlink(None if level == "none" else 0.0)
        except (OSError, sqlite3.Error) as error:
            self.status.failures += 1
            self.status.blocked = f"the store failed: {error}"
            _log.error("records wait in the journal: %s", error)

    def purge(self) -> int:
        """Unlink all closed segments that are shipped, however fresh; returns how many."""
        return self._unlink(keep_s=0.0)

    # ---- rows

    def _ship_rows(self) -> None:
        for path, key, offset in self._unacknowledged(self._journal, ROWS):
            batch: list[Row] = []
            end = offset
            for line in read_lines(path, offset, closed=is_closed(path)):
                end = line.end
                row = self._read(path, line.start, line.data, line.raw)
                if row is not None:
                    batch.append(row)
                if len(batch) >= self._policy.batch_rows:
                    self._append(batch, path)
                    self._acks.acknowledge(key, end)
                    batch = []
            if end > offset:
                self._append(batch, path)
                self._acks.acknowledge(key, end)

    def _read(self, path: Path, start: int, data: bytes | None, raw: bytes) -> Row | None:
        if data == b"":
            return None
        try:
            if data is None:
                raise ValueError("the checksum is wrong")
            return read_row(data)
        except ValueError as error:
            self._put_aside(path, start, raw or data or b"", str(error))
            return None

    def _append(self, batch: list[Row], path: Path) -> None:
        if not batch:
            return
        try:
            done = self._rows.append(batch)
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, TypeError, UnicodeError):
            self._append_singly(batch, path)
            return
        self.status.rows += done.new
        self.status.known += done.known

    def _append_singly(self, batch: list[Row], path: Path) -> None:
        """A batch holds a row that no store takes: that one is put aside, the others are kept."""
        for row in batch:
            try:
                self.status.rows += self._rows.append([row]).new
            except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, TypeError, UnicodeError) as error:
                self._put_aside(path, row.started_us, repr(row).encode("utf-8", "backslashreplace"), str(error))

    # ---- bodies

    def _ship_bodies(self, *, is_shed: bool) -> None:
        for path, key, offset in self._unacknowledged(self.body_folder, BODIES):
            batch: list[Kept] = []
            size, end = 0, offset
            for frame in read_frames(path, offset, closed=is_closed(path)):
                end = frame.end
                kept = self._read_kept(path, frame.start, frame.data, frame.end - frame.start)
                if kept is not None:
                    batch.append(kept)
                    size += frame.end - frame.start
                if len(batch) >= self._policy.batch_bodies or size >= self._policy.batch_body_bytes:
                    self._put(batch, is_shed=is_shed)
                    self._acks.acknowledge(key, end)
                    batch, size = [], 0
            if end > offset:
                self._put(batch, is_shed=is_shed)
                self._acks.acknowledge(key, end)

    def _read_kept(self, path: Path, start: int, data: bytes | None, size: int) -> Kept | None:
        try:
            if data is None:
                raise ValueError("the checksum is wrong")
            return read_kept(data)
        except ValueError as error:
            with path.open("rb") as file:
                file.seek(start)
                self._put_aside(path, start, file.read(size), str(error))
            return None

    def _put(self, batch: list[Kept], *, is_shed: bool) -> None:
        if not batch:
            return
        if is_shed:
            self.status.shed_bodies += len(batch)
            return
        gone = self._rows.deleted_among([kept.record_id for kept in batch])
        batch = [kept for kept in batch if kept.record_id not in gone]
        try:
            self._rows.append_previews([kept.preview for kept in batch])
            self._bodies.put(batch)
        except (OSError, sqlite3.OperationalError) as error:
            if not _is_full(error):
                raise
            self.status.shed_bodies += len(batch)
            _log.error("%d bodies were not kept, the disk is full", len(batch))
            return
        self.status.bodies += len(batch)

    # ---- segments

    def _unacknowledged(self, folder: Path, suffix: str) -> list[tuple[Path, str, int]]:
        acks = self._acks.acks()
        found: list[tuple[Path, str, int]] = []
        waiting = 0
        for path in segments(folder, suffix) if folder.exists() else ():
            try:
                name, size = identity(path), path.stat().st_size
            except FileNotFoundError:
                continue
            offset = acks.get(name, 0) if name is not None else 0
            if name is not None and size > offset:
                waiting += size - offset
                found.append((path, name, offset))
        if suffix == ROWS:
            self.status.waiting_row_bytes = waiting
        else:
            self.status.waiting_body_bytes = waiting
        return found

    def _unlink(self, keep_s: float | None = None) -> int:
        acks = self._acks.acks()
        known: set[str] = set()
        gone = 0
        for folder, suffix, usual_s in (
            (self._journal, ROWS, self._policy.keep_s),
            (self.body_folder, BODIES, min(self._policy.keep_s, self._policy.keep_bodies_s)),
        ):
            kept_s = usual_s if keep_s is None else keep_s
            paths = segments(folder, suffix) if folder.exists() else []
            for path in paths:
                name, stat = identity(path), path.stat()
                is_old = stat.st_mtime <= self._now_s() - kept_s
                is_done = name is not None and acks.get(name, 0) >= stat.st_size
                is_empty = name is None and stat.st_size == 0
                # numbers must never begin anew: others remember places in the journal by them
                is_free = is_old and path != paths[-1] and (suffix != ROWS or not self._is_needed(path))
                if is_free and (is_done or is_empty) and is_closed(path):
                    # first forgotten, then unlinked: between the two it would be shipped again, which does no harm
                    if name is not None:
                        self._acks.forget_ack(name)
                    path.unlink(missing_ok=True)
                    gone += 1
                elif name is not None:
                    known.add(name)
        for name in acks.keys() - known:
            self._acks.forget_ack(name)
        return gone

    def _is_needed(self, path: Path) -> bool:
        needed = self._first_needed()
        return needed is not None and int(path.stem) >= needed

    def _put_aside(self, path: Path, start: int, raw: bytes, why: str) -> None:
        self.status.damaged += 1
        target = self._quarantine / f"{path.name}-{start}{BAD}"
        if target.exists() and not target.stat().st_size:
            # a deletion has emptied it, for it may hold what was deleted
            _log.error("%s: bytes from %d on are damaged (%s), and not kept since a deletion", path.name, start, why)
            return
        _log.error("%s: bytes from %d on are damaged (%s); they are in %s", path.name, start, why, target.name)
        try:
            self._quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
            target.write_bytes(raw)
        except OSError as error:
            _log.error("%s could not be written: %s", target.name, error.strerror)


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return "full" in str(error)
