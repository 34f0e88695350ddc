"""Blocks of a day's bodies: parts of one workspace put together and compressed, appended to segments.

A block is forced to the disk before the index names it; what a crash leaves behind in a segment is never read.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import zstandard
from msgspec import Struct

from lockgate.records.embedded.sqlite import transaction

BLOCK_BYTES = 256 * 1024
SEGMENT_BYTES = 64 << 20
_LEVEL = 3
_MAX_BLOCK = 256 << 20
_AT_ONCE = 500
COMPRESSED = b"\x28\xb5\x2f\xfd"
"""What ``compress`` begins its data with."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS parts (
  workspace TEXT NOT NULL, hash BLOB NOT NULL, block INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (workspace, hash)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parts_block ON parts (block);
CREATE TABLE IF NOT EXISTS blocks (
  block INTEGER PRIMARY KEY, segment TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL);
"""


class Member(Struct, frozen=True):
    """A part with its hash."""

    hash: bytes
    data: bytes


class Block(Struct, frozen=True):
    """Parts that are compressed together."""

    workspace: str
    members: Sequence[Member]


class Place(Struct, frozen=True):
    """Where a block lies, and which parts it has: hashes and sizes, in their order."""

    workspace: str
    segment: str
    start: int
    size: int
    parts: Sequence[tuple[bytes, int]]


_compress = zstandard.ZstdCompressor(level=_LEVEL).compress


def compress(data: bytes) -> bytes:
    """Return data compressed; a level that costs the gateway's cores little."""
    return _compress(data)


def decompress(data: bytes) -> bytes:
    """Return what was compressed. Raises OSError when it is damaged."""
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=_MAX_BLOCK)
    except zstandard.ZstdError as error:
        raise OSError(f"a block of bodies is damaged: {error}") from None


def in_blocks(workspace: str, members: Iterable[Member]) -> Iterator[Block]:
    """Put parts together until a block is large enough to compress well."""
    block: list[Member] = []
    size = 0
    for member in members:
        if block and size + len(member.data) > BLOCK_BYTES:
            yield Block(workspace, block)
            block, size = [], 0
        block.append(member)
        size += len(member.data)
    if block:
        yield Block(workspace, block)


def known_parts(index: sqlite3.Connection, workspace: str, digests: Sequence[bytes]) -> list[bytes]:
    """Return which parts a workspace has already."""
    found: list[bytes] = []
    for start in range(0, len(digests), _AT_ONCE):
        asked = digests[start : start + _AT_ONCE]
        query = f"SELECT hash FROM parts WHERE workspace = ? AND hash IN ({', '.join('?' * len(asked))})"
        found += [row[0] for row in index.execute(query, (workspace, *asked))]
    return found


def append(folder: Path, index: sqlite3.Connection, blocks: Sequence[Block]) -> list[Place]:
    """Append blocks to the newest segment, and force them to the disk; returns where they lie."""
    if not blocks:
        return []
    row = index.execute("SELECT segment FROM blocks ORDER BY block DESC LIMIT 1").fetchone()
    name = row[0] if row else segment_name(1)
    if (folder / name).exists() and (folder / name).stat().st_size >= SEGMENT_BYTES:
        name = segment_name(segment_number(name) + 1)
    with (folder / name).open("ab") as file:
        places = [_write(file, name, block) for block in blocks]
        _sync(file)
    return places


def name_blocks(index: sqlite3.Connection, places: Iterable[Place]) -> None:
    """Let the index name blocks, inside a transaction of the caller's."""
    for place in places:
        values = (place.segment, place.start, place.size)
        number = index.execute("INSERT INTO blocks (segment, start, size) VALUES (?, ?, ?)", values).lastrowid
        start = 0
        for digest, size in place.parts:
            part = (place.workspace, digest, number, start, size)
            index.execute("INSERT OR IGNORE INTO parts VALUES (?, ?, ?, ?, ?)", part)
            start += size


def rewrite(folder: Path, index: sqlite3.Connection, live: set[tuple[str, bytes]]) -> None:
    """Copy the parts that are still needed, block by block; old segments go when the index has forgotten them."""
    old = [row[0] for row in index.execute("SELECT DISTINCT segment FROM blocks")]
    name = segment_name(max(map(segment_number, old), default=0) + 1)
    rows = index.execute("SELECT block, segment, start, size FROM blocks ORDER BY block").fetchall()
    places: list[Place] = []
    with (folder / name).open("wb") as file:
        for number, segment, start, size in rows:
            data = _read(folder / segment, start, size)
            parts = index.execute(
                "SELECT workspace, hash, start, size FROM parts WHERE block = ? ORDER BY start", (number,)
            )
            kept = [
                (w, Member(digest, data[at : at + length])) for w, digest, at, length in parts if (w, digest) in live
            ]
            if kept:
                places.append(_write(file, name, Block(kept[0][0], [member for _, member in kept])))
        _sync(file)
    with transaction(index):
        index.execute("DELETE FROM parts")
        index.execute("DELETE FROM blocks")
        name_blocks(index, places)
    index.execute("VACUUM")
    index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for segment in old:
        (folder / segment).unlink(missing_ok=True)


class PartReader:
    """Reads parts of one day, keeping the blocks that it has seen."""

    def __init__(self, folder: Path, index: sqlite3.Connection) -> None:
        self._folder = folder
        self._index = index
        self._blocks: dict[int, bytes] = {}

    def read(self, workspace: str, digest: bytes) -> bytes:
        """Return a part. Raises OSError when it is missing or damaged."""
        row = self._index.execute(
            "SELECT p.block, p.start, p.size, b.segment, b.start, b.size FROM parts p JOIN blocks b USING (block)"
            " WHERE p.workspace = ? AND p.hash = ?",
            (workspace, digest),
        ).fetchone()
        if row is None:
            raise OSError(f"a part of a body is missing in {self._folder.name}")
        block, start, size, segment, offset, length = row
        if block not in self._blocks:
            self._blocks[block] = _read(self._folder / segment, offset, length)
        data = self._blocks[block][start : start + size]
        if hashlib.sha256(data).digest() != digest:
            raise OSError(f"a part of a body is damaged in {self._folder.name}/{segment}")
        return data


def segment_name(number: int) -> str:
    """Return the name of a segment."""
    return f"seg-{number:06d}.zst"


def segment_number(name: str) -> int:
    """Return the number of a segment."""
    return int(name[4:10])


def _write(file: BinaryIO, name: str, block: Block) -> Place:
    data = compress(b"".join(member.data for member in block.members))
    start = file.tell()
    file.write(data)
    parts = [(member.hash, len(member.data)) for member in block.members]
    return Place(block.workspace, name, start, len(data), parts)


def _read(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return decompress(file.read(size))


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
