"""Exports: all records of a query, streamed into a file that is there whole or not at all, however many they are.

What is written is the state of the moment when the export began. The file is written beside its place, forced to the
disk and only then given its name. What is too long for one file becomes several parts with a manifest.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol, TypeAlias, cast

from msgspec import Struct

from lockgate.records.bodies.store import Bodies
from lockgate.records.exports.items import Column, item_of, needs_bodies
from lockgate.records.exports.manifest import (
    Asked,
    Manifest,
    Part,
    asked_of,
    digest,
    forget_manifest,
    manifest_path,
    part_path,
    sync,
    write_manifest,
)
from lockgate.records.exports.writers import Format, Item, writer_of
from lockgate.records.row import Row
from lockgate.records.store import Entry, PageQuery

Progress: TypeAlias = Callable[[int], None]
"""Told how many records are written."""
ReadBodies: TypeAlias = Callable[[Row], Bodies | None]
OnPart: TypeAlias = Callable[[Part], None]
_GZIP_LEVEL = 6
_SLICE, _SLICE_WITH_BODIES = 500, 16
"""So many rows are written before the size of a part is looked at."""


class PartLimits(Struct, frozen=True, kw_only=True):
    """After what a new part begins: whichever comes first."""

    rows: int = 1_000_000
    size_bytes: int = 1_000_000_000
    """Before it is compressed; of Parquet, the rows as JSON lines."""


DEFAULT_LIMITS = PartLimits()


class Exported(Struct, frozen=True, kw_only=True):
    """What was written."""

    rows: int
    size_bytes: int
    sha256: str | None
    """Of the one file; several have their own."""
    parts: tuple[Part, ...]
    manifest: str | None = None
    """The name of the manifest beside them."""


class Scanned(Protocol):
    """What counts and yields records."""

    def count(self, query: PageQuery) -> int:
        """Return how many rows a query selects."""
        ...

    def scan(self, query: PageQuery) -> Iterator[Sequence[Entry]]:
        """Yield all rows of a query in batches, the oldest first, as they stood when the scan began."""
        ...


class Source(Struct, frozen=True):
    """Where records and bodies come from."""

    reader: Scanned
    bodies_of: ReadBodies


def export_to_file(
    source: Source, query: PageQuery, columns: Sequence[Column], path: Path, format: Format, *,
    progress: Progress = lambda _done: None, limits: PartLimits = DEFAULT_LIMITS, asked: Asked | None = None,
    with_manifest: bool = False, placed: OnPart = lambda _part: None,
) -> Exported:  # fmt: skip
    """Write all records of a query, the oldest first; a name that ends in ``.gz`` is compressed. Raises OSError.

    Several parts are named after the file, and get a manifest, which says what was ``asked``; one part has it
    ``with_manifest`` only. ``placed`` is told of each of several parts as it is there: it stays, also when the rest
    fails. The manifest and parts of an earlier export into that file stay until the first part is whole, then they go.
    """
    with contextlib.closing(_Parts(path, format, columns, placed)) as parts:
        rows = _write_parts(source, query, parts, columns, limits, progress)
        made = parts.end()
    manifest = manifest_path(path)
    if len(made) == 1 and not with_manifest:
        return Exported(rows=rows, size_bytes=made[0].size_bytes, sha256=made[0].sha256, parts=made)
    names = tuple(column.name for column in columns)
    what = asked or asked_of(query)
    write_manifest(manifest, Manifest(rows=rows, format=format, columns=names, asked=what, parts=made))
    return Exported(
        rows=rows, size_bytes=sum(part.size_bytes for part in made), parts=made, manifest=manifest.name,
        sha256=made[0].sha256 if len(made) == 1 else None,
    )  # fmt: skip


def _write_parts(
    source: Source, query: PageQuery, parts: _Parts, columns: Sequence[Column], limits: PartLimits, progress: Progress
) -> int:
    step = _SLICE_WITH_BODIES if needs_bodies(columns) else _SLICE
    rows = 0
    for batch in source.reader.scan(query):
        at = 0
        while at < len(batch):
            if parts.draft.is_full(limits):
                parts.turn()
            entries = batch[at : at + min(step, limits.rows - parts.draft.rows)]
            parts.draft.write(_items(source, columns, entries), len(entries))
            at += len(entries)
        rows += len(batch)
        progress(rows)
    return rows


def export_to(
    source: Source, query: PageQuery, columns: Sequence[Column], file: IO[bytes], format: Format, *,
    progress: Progress = lambda _done: None,
) -> int:  # fmt: skip
    """Write all records of a query into an open file; returns how many. Raises OSError."""
    writer = writer_of(format, file, columns)
    rows = 0
    with contextlib.closing(writer):
        for batch in source.reader.scan(query):
            writer.write(_items(source, columns, batch))
            rows += len(batch)
            progress(rows)
        writer.finish()
    return rows


class _Draft:
    """A part that is written beside its place. ``close`` removes it, unless it was placed."""

    def __init__(self, path: Path, format: Format, columns: Sequence[Column]) -> None:
        self.rows = 0
        self._path = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        self._open = contextlib.ExitStack()
        try:
            file: IO[bytes] = self._open.enter_context(self._path.open("wb"))
            os.chmod(self._path, 0o600)
            if path.suffix == ".gz" and format != "parquet":
                file = cast("IO[bytes]", self._open.enter_context(gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0)))
            self._writer = self._open.enter_context(contextlib.closing(writer_of(format, file, columns)))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave nothing behind."""
        try:
            self._open.close()
        finally:
            self._path.unlink(missing_ok=True)

    def is_full(self, limits: PartLimits) -> bool:
        """Whether the next row belongs to another part."""
        return self.rows >= limits.rows or (self.rows > 0 and self._writer.size_bytes() >= limits.size_bytes)

    def write(self, items: Iterator[Item], rows: int) -> None:
        """Write items. Raises OSError."""
        self._writer.write(items)
        self.rows += rows

    def seal(self) -> None:
        """End it and force it to the disk. Raises OSError."""
        self._writer.finish()
        self._open.close()
        sync(self._path)

    def place(self, path: Path) -> Part:
        """Give it its name, when it is sealed. Raises OSError."""
        part = Part(name=path.name, rows=self.rows, size_bytes=self._path.stat().st_size, sha256=digest(self._path))
        self._path.replace(path)
        sync(path.parent)
        return part


class _Parts:
    """The parts of an export: one with the name of the file, or several with numbers."""

    def __init__(self, path: Path, format: Format, columns: Sequence[Column], placed: OnPart) -> None:
        self._path = path
        self._format = format
        self._columns = columns
        self._placed = placed
        self._made: list[Part] = []
        self.draft = self._begun()

    def close(self) -> None:
        """Remove what is not whole."""
        self.draft.close()

    def turn(self) -> None:
        """End a part and begin the next one. Raises OSError."""
        self._place()
        self.draft = self._begun()

    def end(self) -> tuple[Part, ...]:
        """End the last part, and return all. Raises OSError."""
        if not self._made:
            return (self._named(self._path),)
        self._place()
        return tuple(self._made)

    def _begun(self) -> _Draft:
        return _Draft(self._path, self._format, self._columns)

    def _place(self) -> None:
        part = self._named(part_path(self._path, len(self._made) + 1))
        self._made.append(part)
        self._placed(part)

    def _named(self, path: Path) -> Part:
        self.draft.seal()
        earlier = [] if self._made else forget_manifest(self._path)
        part = self.draft.place(path)
        for each in earlier:
            if each != path:
                each.unlink(missing_ok=True)
        return part


def _items(source: Source, columns: Sequence[Column], entries: Sequence[Entry]) -> Iterator[Item]:
    with_bodies = needs_bodies(columns)
    for entry in entries:
        yield item_of(columns, entry, source.bodies_of(entry.row) if with_bodies else None)
