"""Bodies at rest: a folder for each day, with segments of compressed blocks and an index of what lies where.

    bodies/2026-11-22/index.db        which parts a body is made of, in which block a part lies
    bodies/2026-11-22/seg-000001.zst  blocks, one after the other

Parts are kept once for each workspace and day, so that a day can be dropped whole and workspaces share nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from lockgate.core.capture import VIEWS, ViewName
from lockgate.records.bodies import blocks
from lockgate.records.bodies.assembly import Timeline
from lockgate.records.bodies.blocks import COMPRESSED, Member, PartReader, compress, decompress
from lockgate.records.bodies.kept import Kept, View, attempt_of
from lockgate.records.bodies.parts import Part, split
from lockgate.records.embedded.layout import Layout, day_of_name
from lockgate.records.embedded.manifest import DAY_US, day_of
from lockgate.records.embedded.sqlite import is_damage, put_aside, reading, salvaged, transaction, writing
from lockgate.records.store import Restored

_log = logging.getLogger("lockgate.records")
_READ_S = 10.0
_OPEN_DAYS = 3
_MIN_COMPRESSED = 1024
"""Smaller skeletons, which are mostly hashes, stay as they are."""

ASIDE = "bodies-"
_TABLES: Mapping[str, Sequence[str]] = {
    "blocks": ("block",), "parts": ("workspace", "hash"), "headers": ("record_id",), "bodies": ("record_id", "view"),
}  # fmt: skip
"""With their keys."""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS bodies (
  record_id TEXT NOT NULL, view TEXT NOT NULL, workspace TEXT NOT NULL, skeleton BLOB NOT NULL,
  size_bytes INTEGER NOT NULL, is_truncated INTEGER NOT NULL, PRIMARY KEY (record_id, view)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS headers (record_id TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
{blocks.SCHEMA}
"""


class Ref(Struct, frozen=True, array_like=True, tag=True):
    """A part, by its hash."""

    hash: bytes


class Plain(Struct, frozen=True, array_like=True, tag=True):
    """Bytes as they are."""

    data: bytes


class _Headers(Struct, frozen=True, array_like=True):
    request: Sequence[tuple[str, str]]
    response: Sequence[tuple[str, str]]
    redactions: Mapping[str, int]
    timeline: Timeline | None = None


class FailedBodies(Struct, frozen=True, kw_only=True):
    """What is kept of an attempt that failed; None: nothing, or of the request that another one was the same."""

    number: int
    """Its place among the record's attempts, from 0 on."""
    request: View | None = None
    response: View | None = None


class Bodies(Struct, frozen=True):
    """What is kept of a request: its views by name, its headers, what was taken out."""

    views: Mapping[ViewName, View]
    request_headers: Sequence[tuple[str, str]]
    response_headers: Sequence[tuple[str, str]]
    redactions: Mapping[str, int]
    timeline: Timeline | None = None
    """Of a streamed answer."""
    failed: Sequence[FailedBodies] = ()
    """Attempts that failed before another one was made."""


_encode = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode
_read_skeleton = msgspec.msgpack.Decoder(list[Ref | Plain]).decode
_read_headers = msgspec.msgpack.Decoder(_Headers).decode


class BodyReader:
    """Reads bodies. Any number of processes may."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def get(self, record_id: str, started_us: int) -> Bodies | None:
        """Return what is kept of a request, None when nothing is. Raises OSError when a segment is damaged."""
        folder = self._layout.bodies_of(day_of(started_us))
        try:
            with reading(folder / "index.db", _READ_S) as index:
                index.execute("BEGIN")
                head = index.execute("SELECT data FROM headers WHERE record_id = ?", (record_id,)).fetchone()
                if head is None:
                    return None
                headers = _read_headers(head[0])
                views = _read_views(index, PartReader(folder, index), record_id)
        except FileNotFoundError:
            return None
        except sqlite3.DatabaseError as error:
            if "no such table" in str(error):
                # the writer is about to make the day
                return None
            raise OSError(f"the bodies of {folder.name} cannot be read: {error}") from None
        return Bodies(
            {name: views[name] for name in VIEWS if name in views},
            headers.request, headers.response, headers.redactions, headers.timeline, _failed(views),
        )  # fmt: skip


class BodyStore(BodyReader):
    """The one writer's side."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._indexes: dict[int, sqlite3.Connection] = {}
        self.restored = 0
        """Indexes that were damaged and made again since the start."""
        self._mutex = threading.Lock()

    def close(self) -> None:
        """Close all files."""
        with self._mutex:
            for day in list(self._indexes):
                self._close_day(day)

    def put(self, items: Sequence[Kept]) -> None:
        """Keep bodies; idempotent by record id. When this returns they are on disk. Raises OSError.

        Raises Restored when the index of a day was damaged and is made again: the journal may have what it lacks.
        """
        by_day: dict[int, list[Kept]] = {}
        for item in items:
            by_day.setdefault(day_of(item.started_us), []).append(item)
        with self._mutex:
            for day, members in by_day.items():
                with self._restoring(day):
                    self._put_day(day, members)

    @contextlib.contextmanager
    def _restoring(self, day: int) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._make_again(day)
            raise Restored from error

    def _make_again(self, day: int) -> None:
        """Put the index of a day aside, and make another one of what can be read in it."""
        self._close_day(day)
        folder = self._layout.bodies_of(day)
        old = self._layout.quarantine / f"{ASIDE}{folder.name}-{time.time_ns() // 1000}.db"
        _log.error(
            "the index of the bodies of %s is damaged and is made again; the old one is %s", folder.name, old.name
        )
        put_aside(folder / "index.db", old)
        index = self._index(day)
        with transaction(index):
            for table, key in _TABLES.items():
                for values in salvaged(old, f"SELECT * FROM {table}", key):
                    # damage may have the form of a row, and not fit
                    with contextlib.suppress(sqlite3.Error):
                        index.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(values))})", values)
            _drop_incomplete(index)
        self.restored += 1

    def days(self) -> list[int]:
        """Return the days that bodies are kept of."""
        return sorted(day_of_name(path.name) for path in self._layout.bodies.iterdir() if path.is_dir())

    def size_bytes(self) -> int:
        """Return how much disk bodies take."""
        return sum(path.stat().st_size for path in self._layout.bodies.rglob("*") if path.is_file())

    def drop_before(self, us: int) -> int:
        """Forget whole days that ended before, by unlinking their folders; returns the bytes that are free now."""
        return sum(self.drop_day(day) for day in self.days() if (day + 1) * DAY_US <= us)

    def drop_day(self, day: int) -> int:
        """Forget the bodies of a day; returns the bytes that are free now."""
        folder = self._layout.bodies_of(day)
        with self._mutex:
            self._close_day(day)
            freed = sum(path.stat().st_size for path in folder.iterdir())
            shutil.rmtree(folder)
        return freed

    def delete(self, day: int, record_ids: Sequence[str]) -> int:
        """Remove the bodies of records, and the parts that no other body has, from every file of a day."""
        folder = self._layout.bodies_of(day)
        if not (folder / "index.db").exists():
            return 0
        with self._mutex, self._restoring(day):
            index = self._index(day)
            gone = 0
            with transaction(index):
                for record_id in record_ids:
                    gone += index.execute("DELETE FROM bodies WHERE record_id = ?", (record_id,)).rowcount
                    index.execute("DELETE FROM headers WHERE record_id = ?", (record_id,))
            if gone:
                blocks.rewrite(folder, index, _live(index))
            return gone

    def _put_day(self, day: int, items: Sequence[Kept]) -> None:
        index = self._index(day)
        ids = _encode_json([item.record_id for item in items]).decode()
        query = "SELECT record_id FROM headers WHERE record_id IN (SELECT value FROM json_each(?))"
        known = {row[0] for row in index.execute(query, (ids,))}
        fresh = list({item.record_id: item for item in items if item.record_id not in known}.values())
        new: dict[str, dict[bytes, bytes]] = {}
        bodies: list[tuple[object, ...]] = []
        for item in fresh:
            workspace = item.workspace_id or ""
            parts = new.setdefault(workspace, {})
            for view in item.views:
                skeleton = _skeleton(view.data, parts)
                bodies.append((item.record_id, view.name, workspace, skeleton, view.size_bytes, view.is_truncated))
        for workspace, parts in new.items():
            for digest in blocks.known_parts(index, workspace, list(parts)):
                del parts[digest]
        made = [
            block
            for workspace, parts in new.items()
            for block in blocks.in_blocks(workspace, (Member(digest, data) for digest, data in parts.items()))
        ]
        places = blocks.append(self._layout.bodies_of(day), index, made)
        heads = [(item.record_id, _encode(_headers_of(item))) for item in fresh]
        with transaction(index):
            blocks.name_blocks(index, places)
            index.executemany("INSERT INTO headers VALUES (?, ?)", heads)
            index.executemany("INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)", bodies)

    def _index(self, day: int) -> sqlite3.Connection:
        index = self._indexes.get(day)
        if index is None:
            folder = self._layout.bodies_of(day)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for other in sorted(self._indexes)[: 1 - _OPEN_DAYS]:
                self._close_day(other)
            index = self._indexes[day] = writing(folder / "index.db", SCHEMA, is_durable=True)
        return index

    def _close_day(self, day: int) -> None:
        index = self._indexes.pop(day, None)
        if index is not None:
            index.close()


def _skeleton(body: bytes, parts: dict[bytes, bytes]) -> bytes:
    """Return what a body is made of; its parts are added by their hash."""
    skeleton: list[Ref | Plain] = []
    for piece in split(body):
        if isinstance(piece, Part):
            digest = hashlib.sha256(piece.data).digest()
            skeleton.append(Ref(digest))
            parts[digest] = piece.data
        else:
            skeleton.append(Plain(piece))
    data = _encode(skeleton)
    return data if len(data) < _MIN_COMPRESSED else compress(data)


def _read_pieces(skeleton: bytes) -> list[Ref | Plain]:
    return _read_skeleton(decompress(skeleton) if skeleton.startswith(COMPRESSED) else skeleton)


def _headers_of(item: Kept) -> _Headers:
    return _Headers(item.request_headers, item.response_headers, item.redactions, item.timeline)


def _failed(views: Mapping[str, View]) -> list[FailedBodies]:
    by_number: dict[int, dict[str, View]] = {}
    for name, view in views.items():
        place = attempt_of(name)
        if place is not None:
            by_number.setdefault(place[0], {})[place[1]] = view
    return [
        FailedBodies(number=number, request=sides.get("request"), response=sides.get("response"))
        for number, sides in sorted(by_number.items())
    ]


def _read_views(index: sqlite3.Connection, parts: PartReader, record_id: str) -> dict[str, View]:
    found: dict[str, View] = {}
    rows = index.execute(
        "SELECT view, workspace, skeleton, size_bytes, is_truncated FROM bodies WHERE record_id = ?", (record_id,)
    )
    for name, workspace, skeleton, size, is_truncated in rows.fetchall():
        data = b"".join(
            piece.data if isinstance(piece, Plain) else parts.read(workspace, piece.hash)
            for piece in _read_pieces(skeleton)
        )
        found[name] = View(name=name, data=data, size_bytes=size, is_truncated=bool(is_truncated))
    return found


def _drop_incomplete(index: sqlite3.Connection) -> None:
    """Forget parts whose block is not known, and bodies of which a part is not: they may come again."""
    index.execute("DELETE FROM parts WHERE block NOT IN (SELECT block FROM blocks)")
    index.execute("DELETE FROM bodies WHERE record_id NOT IN (SELECT record_id FROM headers)")
    parts = set(index.execute("SELECT workspace, hash FROM parts"))
    gone: set[str] = set()
    for record_id, workspace, skeleton in index.execute("SELECT record_id, workspace, skeleton FROM bodies"):
        try:
            pieces = _read_pieces(skeleton)
        except (msgspec.MsgspecError, OSError, TypeError):
            gone.add(record_id)
            continue
        if any(isinstance(piece, Ref) and (workspace, piece.hash) not in parts for piece in pieces):
            gone.add(record_id)
    for table in ("bodies", "headers"):
        index.executemany(f"DELETE FROM {table} WHERE record_id = ?", [(record_id,) for record_id in gone])


def _live(index: sqlite3.Connection) -> set[tuple[str, bytes]]:
    """Return the parts that some body has."""
    return {
        (workspace, piece.hash)
        for workspace, skeleton in index.execute("SELECT workspace, skeleton FROM bodies")
        for piece in _read_pieces(skeleton)
        if isinstance(piece, Ref)
    }
