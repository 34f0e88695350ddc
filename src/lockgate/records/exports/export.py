"""Exports: all records of a query, streamed into a file that is there whole or not at all, however many they are.

What is written is the state of the moment when the export began. The file is written beside its place, forced to the
disk and only then given its name.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol, TypeAlias, cast

from msgspec import Struct

from lockgate.records.bodies.store import Bodies
from lockgate.records.exports.items import Column, item_of, needs_bodies
from lockgate.records.exports.writers import Format, writer_of
from lockgate.records.row import Row
from lockgate.records.store import Entry, PageQuery

Progress: TypeAlias = Callable[[int], None]
"""Told how many records are written."""
ReadBodies: TypeAlias = Callable[[Row], Bodies | None]
_GZIP_LEVEL = 6


class Exported(Struct, frozen=True, kw_only=True):
    """What a file holds."""

    rows: int
    size_bytes: int
    sha256: str


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
    progress: Progress = lambda _done: None,
) -> Exported:  # fmt: skip
    """Write all records of a query, the oldest first; a name that ends in ``.gz`` is compressed. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with draft.open("wb") as file:
            os.chmod(draft, 0o600)
            if path.suffix == ".gz" and format != "parquet":
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
                    rows = export_to(source, query, columns, cast("IO[bytes]", packed), format, progress=progress)
            else:
                rows = export_to(source, query, columns, file, format, progress=progress)
        _sync(draft)
        made = Exported(rows=rows, size_bytes=draft.stat().st_size, sha256=_digest(draft))
        draft.replace(path)
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    return made


def export_to(
    source: Source, query: PageQuery, columns: Sequence[Column], file: IO[bytes], format: Format, *,
    progress: Progress = lambda _done: None,
) -> int:  # fmt: skip
    """Write all records of a query into an open file; returns how many. Raises OSError."""
    writer = writer_of(format, file, columns)
    with_bodies = needs_bodies(columns)
    rows = 0
    with contextlib.closing(writer):
        for batch in source.reader.scan(query):
            writer.write(
                item_of(columns, entry, source.bodies_of(entry.row) if with_bodies else None) for entry in batch
            )
            rows += len(batch)
            progress(rows)
        writer.finish()
    return rows


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
