"""What there is: days, sealed files, sums of old days, ids and where they lie, tombstones, acknowledged offsets.

One SQLite file, written by the one writer, read by all. A file that the manifest does not list does not exist: whatever
a crash leaves behind is swept at the next start. A day is ``hot`` while SQLite has all its rows, then ``cold``: Parquet
has them; it is ``late`` while SQLite has rows beside it that came after that.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Struct

from lockgate.records.embedded import rollup
from lockgate.records.embedded.sqlite import is_damage, mark, put_aside, reading, transaction, writing
from lockgate.records.store import Receipt

State: TypeAlias = Literal["hot", "cold", "late"]
FileKind: TypeAlias = Literal["hour", "rows", "previews"]
_M = TypeVar("_M", bound=Callable[..., object])
HOUR_US = rollup.HOUR_US
DAY_US = 24 * HOUR_US
_READ_S = 10.0
_encode = msgspec.json.Encoder().encode

SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS days (day INTEGER PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, day INTEGER NOT NULL, hour INTEGER, rows INTEGER NOT NULL,
  min_us INTEGER NOT NULL, max_us INTEGER NOT NULL, checksum INTEGER NOT NULL, size_bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_day ON files (day);
CREATE TABLE IF NOT EXISTS retired (name TEXT PRIMARY KEY, at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lookup (hash INTEGER NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (hash, day)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lookup_day ON lookup (day);
CREATE TABLE IF NOT EXISTS tombstones (
  id TEXT PRIMARY KEY, filter BLOB NOT NULL, created_us INTEGER NOT NULL, is_done INTEGER NOT NULL,
  receipt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deleted (hash INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS missing (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, day INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
  rows INTEGER NOT NULL, kept INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS acks (segment TEXT PRIMARY KEY, offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
    + rollup.SCHEMA
)


class Sealed(Struct, frozen=True, kw_only=True):
    """A sealed file. ``checksum``: the exclusive or of the ids' hashes, by which a copy is compared."""

    name: str
    kind: FileKind
    day: int
    hour: int | None
    rows: int
    min_us: int
    max_us: int
    checksum: int
    size_bytes: int


class Missing(Struct, frozen=True, kw_only=True):
    """What a damaged file had and nothing else has. ``kept``: how many of its rows there are."""

    name: str
    kind: FileKind
    day: int
    from_us: int
    to_us: int
    """The moment of the last of its rows."""
    rows: int
    kept: int


class Tombstone(Struct, frozen=True):
    """A deletion: rows that a filter selects and that began before it are not there."""

    id: str
    filter: bytes
    created_us: int
    is_done: bool


class Buried(Struct, frozen=True, kw_only=True):
    """A copy of a tombstone as it was put up."""

    id: str
    filter: bytes
    created_us: int
    receipt: bytes


_read_stone = msgspec.json.Decoder(Buried).decode


class Contents(Struct, frozen=True):
    """The manifest at one moment: what a query reads is decided from it alone."""

    days: dict[int, State]
    files: tuple[Sealed, ...]
    tombstones: tuple[Tombstone, ...]
    minutes_since_us: int = 0
    """Since when sums by minute are kept."""

    def of(self, kind: FileKind) -> Sequence[Sealed]:
        """Return the files of a kind, the oldest first."""
        return [file for file in self.files if file.kind == kind]


def day_of(us: int) -> int:
    """Return the day of a moment: days since 1970-01-01 UTC."""
    return us // DAY_US


def hour_of(us: int) -> int:
    """Return the hour of a moment: hours since 1970-01-01 UTC."""
    return us // HOUR_US


def has_tables(path: Path) -> bool:
    """Whether a file is a manifest at all: one that was emptied is a whole database of nothing."""
    with reading(path, _READ_S) as connection:
        return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'days'").fetchone() is not None


def read_contents(path: Path) -> Contents:
    """Return what there is."""
    with reading(path, _READ_S) as connection:
        connection.execute("BEGIN")
        days = dict(connection.execute("SELECT day, state FROM days"))
        rows = connection.execute(f"SELECT {', '.join(Sealed.__struct_fields__)} FROM files ORDER BY day, hour, name")
        files = tuple(Sealed(**dict(zip(Sealed.__struct_fields__, row, strict=True))) for row in rows)
        stones = connection.execute("SELECT id, filter, created_us, is_done FROM tombstones WHERE is_done = 0")
        found = tuple(Tombstone(row[0], row[1], row[2], bool(row[3])) for row in stones)
        since = connection.execute("SELECT value FROM notes WHERE name = 'minutes_since_us'").fetchone()
        return Contents(days, files, found, int(since[0]) if since else 0)


def buried_path(manifest: Path) -> Path:
    """Return where the copies of a manifest's tombstones lie."""
    return manifest.with_name("deletions.jsonl")


def read_buried(path: Path) -> list[Buried]:
    """Return the copies of tombstones that can be read."""
    found: list[Buried] = []
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        with contextlib.suppress(msgspec.MsgspecError):
            found.append(_read_stone(line))
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def days_of_hashes(path: Path, hashes: Sequence[int]) -> set[int]:
    """Return the sealed days on which something with one of these hashes lies."""
    query = "SELECT day FROM lookup WHERE hash IN (SELECT value FROM json_each(?))"
    with reading(path, _READ_S) as connection:
        return {row[0] for row in connection.execute(query, (_encode(hashes).decode(),))}


def read_receipts(path: Path) -> list[bytes]:
    """Return the receipts of all deletions as they were written, the newest first."""
    with reading(path, _READ_S) as connection:
        return [row[0] for row in connection.execute("SELECT receipt FROM tombstones ORDER BY created_us DESC")]


def read_missing(path: Path) -> list[Missing]:
    """Return what is missing, the oldest first."""
    names = ", ".join(Missing.__struct_fields__)
    with reading(path, _READ_S) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'missing'").fetchone():
            return []  # of a version before, until a writer opens it
        rows = connection.execute(f"SELECT {names} FROM missing ORDER BY from_us, name")
        return [Missing(**dict(zip(Missing.__struct_fields__, row, strict=True))) for row in rows]


def _marked(method: _M) -> _M:
    """Mark the file for its writer when a method meets damage: who calls it cannot make the file again."""

    @wraps(method)
    def marking(self: Manifest, *arguments: object) -> object:
        try:
            return method(self, *arguments)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                mark(self.path)
            raise

    return cast("_M", marking)


class Manifest:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """For what must be written together with the manifest."""
        return self._connection

    def contents(self) -> Contents:
        """Return what there is."""
        return read_contents(self.path)

    def state_of(self, day: int) -> State | None:
        """Return the state of a day, None when nothing is kept of it."""
        row = self._connection.execute("SELECT state FROM days WHERE day = ?", (day,)).fetchone()
        return row[0] if row else None

    def set_state(self, day: int, state: State) -> None:
        """Begin a day, or note that rows came late."""
        self._connection.execute("INSERT OR REPLACE INTO days VALUES (?, ?)", (day, state))

    def swap(
        self, *, add: Iterable[Sealed] = (), remove: Iterable[str] = (), now_us: int, cold: int | None = None,
        missing: Iterable[Missing] = (),
    ) -> None:  # fmt: skip
        """List files and retire others in one step; ``cold``: and a day becomes cold."""
        with transaction(self._connection):
            self.swap_within(add=add, remove=remove, now_us=now_us)
            marks = ", ".join("?" * len(Missing.__struct_fields__))
            self._connection.executemany(
                f"INSERT OR REPLACE INTO missing ({', '.join(Missing.__struct_fields__)}) VALUES ({marks})",
                map(msgspec.structs.astuple, missing),
            )
            if cold is not None:
                self._connection.execute("INSERT OR REPLACE INTO days VALUES (?, 'cold')", (cold,))

    def swap_within(self, *, add: Iterable[Sealed], remove: Iterable[str], now_us: int) -> None:
        """The same inside a transaction of the caller's."""
        for name in remove:
            self._connection.execute("DELETE FROM files WHERE name = ?", (name,))
            self._connection.execute("INSERT OR REPLACE INTO retired VALUES (?, ?)", (name, now_us))
        for file in add:
            values = tuple(getattr(file, name) for name in Sealed.__struct_fields__)
            marks = ", ".join("?" * len(values))
            columns = ", ".join(Sealed.__struct_fields__)
            self._connection.execute(f"INSERT OR REPLACE INTO files ({columns}) VALUES ({marks})", values)

    def remember(self, day: int, hashes: Iterable[int]) -> None:
        """Note which ids lie on a cold day, inside a transaction of the caller's."""
        self._connection.executemany("INSERT OR IGNORE INTO lookup VALUES (?, ?)", ((h, day) for h in hashes))

    def forget(self, day: int, now_us: int) -> None:
        """Drop a day with its files."""
        with transaction(self._connection):
            query = "SELECT name FROM files WHERE day = ?1 UNION SELECT name FROM missing WHERE day = ?1"
            names = [row[0] for row in self._connection.execute(query, (day,))]
            self.swap_within(add=(), remove=names, now_us=now_us)
            self._connection.execute("DELETE FROM lookup WHERE day = ?", (day,))
            self._connection.execute("DELETE FROM missing WHERE day = ?", (day,))
            self._connection.execute("DELETE FROM days WHERE day = ?", (day,))

    def missing(self) -> list[Missing]:
        """Return what is missing, the oldest first."""
        return read_missing(self.path)

    def found(self, name: str, add: Iterable[Sealed] = (), *, now_us: int) -> None:
        """Note that what a file had is there again: in that file, which is listed, or else in others."""
        listed = list(add)
        with transaction(self._connection):
            self.swap_within(add=listed, remove=() if listed else (name,), now_us=now_us)
            if listed:
                self._connection.execute("DELETE FROM retired WHERE name = ?", (name,))
            self._connection.execute("DELETE FROM missing WHERE name = ?", (name,))

    def returned(self, name: str, rows: int) -> None:
        """Note that so many rows of a file that is missing are there again, inside a transaction of the caller's."""
        self._connection.execute("UPDATE missing SET rows = rows - ?1, kept = kept + ?1 WHERE name = ?2", (rows, name))
        self._connection.execute("DELETE FROM missing WHERE rows <= 0")

    def forget_missing_previews(self, before_day: int) -> None:
        """Texts of old days are not missed any more."""
        self._connection.execute("DELETE FROM missing WHERE kind = 'previews' AND day < ?", (before_day,))

    def retire(self, names: Iterable[str], now_us: int) -> None:
        """Note files that are listed no more, and go soon."""
        self._connection.executemany("INSERT OR REPLACE INTO retired VALUES (?, ?)", ((name, now_us) for name in names))

    def replace(self, draft: Path, aside: Path) -> None:
        """Move the file away, and go on with a closed draft in its place."""
        self._connection.close()
        put_aside(self.path, aside)
        draft.rename(self.path)
        self._open()

    def _open(self) -> None:
        self._connection = writing(self.path, SCHEMA, is_durable=True)
        rollup.teach(self._connection)

    def retired_before(self, us: int) -> list[str]:
        """Return files that nobody was told of since then."""
        return [row[0] for row in self._connection.execute("SELECT name FROM retired WHERE at_us < ?", (us,))]

    def unlinked(self, names: Iterable[str]) -> None:
        """Note that retired files are gone."""
        self._connection.executemany("DELETE FROM retired WHERE name = ?", ((name,) for name in names))

    def known_files(self) -> set[str]:
        """Return every file that is listed or retired."""
        return {row[0] for row in self._connection.execute("SELECT name FROM files UNION SELECT name FROM retired")}

    def bury(self, where: bytes, receipt: Receipt, written: bytes) -> None:
        """Keep a tombstone, with a copy in a file of its own: nothing else in the folder would know of it."""
        # the copy last: one of a deletion that was refused would be carried out by a manifest that is made again
        self._connection.execute(
            "INSERT INTO tombstones VALUES (?, ?, ?, 0, ?)", (receipt.id, where, receipt.created_us, written)
        )
        copy = Buried(id=receipt.id, filter=where, created_us=receipt.created_us, receipt=written)
        with open(buried_path(self.path), "ab", opener=_private) as file:
            file.write(_encode(copy) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def copy_buried(self) -> None:
        """Write the copies of tombstones again where one is not among them, as after a version that kept none."""
        rows = self._connection.execute("SELECT id, filter, created_us, receipt FROM tombstones ORDER BY created_us")
        stones = [Buried(id=row[0], filter=row[1], created_us=row[2], receipt=row[3]) for row in rows]
        path = buried_path(self.path)
        known = {stone.id for stone in read_buried(path)}
        if all(stone.id in known for stone in stones):
            return
        with open(path, "ab", opener=_private) as file:
            file.writelines(_encode(stone) + b"\n" for stone in stones if stone.id not in known)
            file.flush()
            os.fsync(file.fileno())

    def finish_tombstone(self, id: str, receipt: bytes) -> None:
        """Note that a deletion is done."""
        self._connection.execute("UPDATE tombstones SET is_done = 1, receipt = ? WHERE id = ?", (receipt, id))

    def tombstones(self) -> list[Tombstone]:
        """Return all tombstones, those that are done too: rows that come late must not bring back the deleted."""
        rows = self._connection.execute("SELECT id, filter, created_us, is_done FROM tombstones")
        return [Tombstone(row[0], row[1], row[2], bool(row[3])) for row in rows]

    @_marked
    def has_work(self) -> bool:
        """Whether a deletion is still to be done."""
        return self._connection.execute("SELECT 1 FROM tombstones WHERE is_done = 0 LIMIT 1").fetchone() is not None

    def receipt(self, id: str) -> bytes:
        """Return the receipt of a tombstone as it was written."""
        row = self._connection.execute("SELECT receipt FROM tombstones WHERE id = ?", (id,)).fetchone()
        data: bytes = row[0]
        return data

    def drop_sums_before(self, *, minutes_us: int, hours_us: int) -> None:
        """Forget old sums: those by minute before one moment, those by hour before another."""
        with transaction(self._connection):
            for resolution, before in ((rollup.MINUTE_US, minutes_us), (rollup.HOUR_US, hours_us)):
                self._connection.execute(
                    "DELETE FROM rollup WHERE resolution_us = ? AND slot_us < ?", (resolution, before)
                )
            self._connection.execute("INSERT OR REPLACE INTO notes VALUES ('minutes_since_us', ?)", (str(minutes_us),))

    def note_deleted(self, hashes: Iterable[int]) -> None:
        """Note that records are deleted, by the hashes of their ids."""
        with transaction(self._connection):
            self._connection.executemany("INSERT OR IGNORE INTO deleted VALUES (?)", ((h,) for h in hashes))

    def deleted_among(self, hashes: Sequence[int]) -> set[int]:
        """Return which of these hashes belong to deleted records."""
        query = "SELECT hash FROM deleted WHERE hash IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._connection.execute(query, (_encode(hashes).decode(),))}

    @_marked
    def acks(self) -> dict[str, int]:
        """Return up to which byte each segment of the journal is acknowledged."""
        return dict(self._connection.execute("SELECT segment, offset FROM acks"))

    @_marked
    def acknowledge(self, segment: str, offset: int) -> None:
        """Note that everything before a byte of a segment is in the store."""
        self._connection.execute("INSERT OR REPLACE INTO acks VALUES (?, ?)", (segment, offset))

    def forget_acks(self) -> None:
        """Nothing is acknowledged any more: the whole journal is to be shipped again."""
        self._connection.execute("DELETE FROM acks")

    @_marked
    def forget_ack(self, segment: str) -> None:
        """The segment is gone."""
        self._connection.execute("DELETE FROM acks WHERE segment = ?", (segment,))
