"""The formats of exports. A writer is given items in batches and ends with ``finish``; it writes into a file.

``jsonl``: an object in each line; what is absent is left out. ``csv``: RFC 4180 in UTF-8, lists, maps and JSON as JSON
text; a text that a spreadsheet would take for a formula, or that begins with ``'``, has a ``'`` before it, so readers
take one ``'`` off. ``parquet``: compressed with zstd, numbers as numbers, lists and maps as such.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Raw

from lockgate.records.embedded.duck import Duck, DuckLimits
from lockgate.records.exports.items import Column, needs_bodies
from lockgate.records.row import Kind

Format: TypeAlias = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet")
Item: TypeAlias = Mapping[str, object]
_RISKY = ("=", "+", "-", "@", "\t", "\r", "'")
_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "list": "VARCHAR[]",
    "map": "MAP(VARCHAR, VARCHAR)", "json": "VARCHAR",
}  # fmt: skip
_LIMITS = DuckLimits(threads=1, memory_mb=1024, temp_mb=1 << 20)
_WRITE_S = 6 * 3600.0
_MAX_LINE, _MAX_LINE_WITH_BODIES = 16 << 20, 256 << 20
"""DuckDB takes twice that of memory before it has read the first line."""
_GROUP_ROWS, _GROUP_ROWS_WITH_BODIES = 20_000, 2048
"""A group is in memory as a whole while it is written."""
_encode = msgspec.json.Encoder().encode


class ExportWriter(Protocol):
    """Writes one file."""

    def write(self, items: Iterable[Item]) -> None:
        """Write items. Raises OSError."""
        ...

    def size_bytes(self) -> int:
        """Return how much is written, before it is compressed."""
        ...

    def finish(self) -> None:
        """Write what is left. Raises OSError."""
        ...

    def close(self) -> None:
        """Give back what it took, also when it did not finish."""
        ...


def writer_of(format: Format, file: IO[bytes], columns: Sequence[Column]) -> ExportWriter:
    """Return the writer of a format. Parquet needs a file with a name."""
    if format == "jsonl":
        return JsonLines(file, columns)
    if format == "csv":
        return Csv(file, columns)
    return Parquet(file, columns)


class JsonLines:
    """``jsonl``."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._file = file
        self._size = 0
        self._json = frozenset(column.name for column in columns if column.kind == "json")

    def write(self, items: Iterable[Item]) -> None:
        """Write items."""
        data = b"".join(_encode(self._object(item)) + b"\n" for item in items)
        self._size += len(data)
        self._file.write(data)

    def size_bytes(self) -> int:
        """Return how much is written."""
        return self._size

    def finish(self) -> None:
        """Nothing is left."""

    def close(self) -> None:
        """Nothing is taken."""

    def _object(self, item: Item) -> Item:
        return {
            name: Raw(value.encode()) if name in self._json and isinstance(value, str) else value
            for name, value in item.items()
            if value is not None
        }


class Csv:
    """``csv``."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._file = file
        self._text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        self._texts = frozenset(column.name for column in columns if column.kind == "text")
        self._csv = csv.writer(self._text, lineterminator="\r\n")
        self._csv.writerow([column.name for column in columns])

    def write(self, items: Iterable[Item]) -> None:
        """Write items."""
        self._csv.writerows([self._cell(name, value) for name, value in item.items()] for item in items)

    def size_bytes(self) -> int:
        """Return how much is written."""
        return self._file.tell()

    def finish(self) -> None:
        """Write what is left."""
        self._text.flush()

    def close(self) -> None:
        """Leave the file to its owner."""
        with contextlib.suppress(OSError, ValueError):
            self._text.detach()

    def _cell(self, name: str, value: object) -> object:
        if isinstance(value, str):
            return f"'{value}" if name in self._texts and value.startswith(_RISKY) else value
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        return _encode(value).decode()


class Parquet:
    """``parquet``: items wait as JSON lines in a file beside it, for only a whole table can be written."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._path = Path(file.name)
        self._columns = columns
        self._size = 0
        self._lines = self._path.with_name(self._path.name + ".lines")
        self._spool = self._lines.open("wb")
        self._duck = Duck(_LIMITS, self._path.with_name(self._path.name + ".spill"))

    def write(self, items: Iterable[Item]) -> None:
        """Put items aside."""
        data = b"".join(_encode(item) + b"\n" for item in items)
        self._size += len(data)
        self._spool.write(data)

    def size_bytes(self) -> int:
        """Return how much is put aside."""
        return self._size

    def finish(self) -> None:
        """Write the table."""
        self._spool.close()
        with_bodies = needs_bodies(self._columns)
        longest = _MAX_LINE_WITH_BODIES if with_bodies else _MAX_LINE
        columns = ", ".join(f"{_quoted(column.name)}: '{_TYPES[column.kind]}'" for column in self._columns)
        names = ", ".join(f'"{column.name.replace(chr(34), chr(34) * 2)}"' for column in self._columns)
        options = f"format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {longest}"
        group = _GROUP_ROWS_WITH_BODIES if with_bodies else _GROUP_ROWS
        write = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group}"
        self._duck.run(
            f"COPY (SELECT {names} FROM read_json(?, {options})) TO {_quoted(str(self._path))} ({write})",
            (str(self._lines),), _WRITE_S,
        )  # fmt: skip

    def close(self) -> None:
        """Remove what waited."""
        self._spool.close()
        self._duck.close()
        self._lines.unlink(missing_ok=True)
        spill = self._path.with_name(self._path.name + ".spill")
        if spill.is_dir():
            for path in spill.iterdir():
                path.unlink(missing_ok=True)
            spill.rmdir()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
