"""Files of exports, read record by record. What cannot be read of a record is a fault of its place; the rest goes on.

The formats are those that ``exports.writers`` writes; files that end in ``.gz`` are compressed.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias, cast

import msgspec
from msgspec import Raw, Struct

from lockgate.errors import InvalidRequest
from lockgate.records.embedded.duck import Duck, DuckLimits
from lockgate.records.exports.items import DETAILS
from lockgate.records.exports.writers import Format
from lockgate.records.imports.items import check_columns
from lockgate.records.query.sql import Sql
from lockgate.records.row import COLUMNS, Kind

Values: TypeAlias = Mapping[str, object]
_LIMITS = DuckLimits(threads=1, memory_mb=1024, temp_mb=1 << 20)
_READ_S = 6 * 3600.0
_MAX_LINE = 512 << 20
_KINDS: Mapping[str, Kind] = {**COLUMNS, DETAILS: "json"}
_read_line = msgspec.json.Decoder(dict[str, Raw]).decode
_read_value = msgspec.json.Decoder().decode
_WHOLE = re.compile(r"(-?[0-9]{1,19})(?:\.0+)?")
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_read_bool = {"true": True, "false": False}


class Read(Struct, frozen=True):
    """A record's values by column; JSON as text. ``fault``: why it cannot be read."""

    place: str
    """Where it stands: ``line 7`` or ``row 7``."""
    values: Values = {}
    fault: str | None = None


def read_file(path: Path, format: Format, temp: Path) -> Iterator[Read]:
    """Yield the records of a file. Raises InvalidRequest when the file is none of its format, OSError.

    ``temp`` is a folder that Parquet may spill into.
    """
    if format == "parquet":
        yield from _parquet(path, temp)
        return
    with path.open("rb") as plain:
        file = cast("IO[bytes]", gzip.GzipFile("", "rb", fileobj=plain)) if path.suffix == ".gz" else plain
        try:
            yield from _json_lines(file) if format == "jsonl" else _csv(file)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidRequest(f"{path.name} is not a whole gzip file: {error}") from None


def count(path: Path, format: Format, temp: Path) -> int:
    """Return how many records a file has. Raises as ``read_file`` does."""
    return sum(1 for _ in read_file(path, format, temp))


def _json_lines(file: IO[bytes]) -> Iterator[Read]:
    number = 0
    while line := file.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            raise InvalidRequest(f"line {number} is longer than {_MAX_LINE >> 20} MB")
        if line.strip():
            yield _read(f"line {number}", partial(_object, line))


def _object(line: bytes) -> Values:
    found = _read_line(line.removeprefix(b"\xef\xbb\xbf"))
    return {name: _json_value(name, value) for name, value in found.items()}


def _json_value(name: str, value: Raw) -> object:
    data = bytes(value)
    return data.decode() if _KINDS.get(name) == "json" and data != b"null" else _read_value(data)


def _csv(file: IO[bytes]) -> Iterator[Read]:
    limit = csv.field_size_limit(_MAX_LINE)
    try:
        lines = csv.reader(_decoded(file), strict=True)
        names = _names(lines)
        if names is None:
            return
        kinds = [_KINDS.get(name, "text") for name in names]
        while True:
            place = f"line {lines.line_num + 1}"
            try:
                cells = next(lines)
            except StopIteration:
                return
            except csv.Error as error:
                # where the next record begins is not known
                raise InvalidRequest(f"{place}: {error}") from None
            if not cells:
                continue
            if len(cells) != len(names):
                yield Read(place, fault=f"{len(cells)} cells where the first line names {len(names)}")
                continue
            yield _read(place, partial(_cells, names, kinds, cells))
    finally:
        csv.field_size_limit(limit)


def _names(lines: Iterator[list[str]]) -> list[str] | None:
    """Return the columns that the first line names; None: the file is empty. Raises InvalidRequest."""
    try:
        names = next(lines, None)
    except csv.Error as error:
        raise InvalidRequest(f"the first line names no columns with commas between them: {error}") from None
    if names is None:
        return None
    other = next((sign for sign in ";\t|" if len(names) == 1 and sign in names[0]), None)
    if other is not None:
        raise InvalidRequest(f"the columns are parted by {other!r} instead of commas: import the export itself, for "
                             "programs that write such files also round numbers and times")  # fmt: skip
    try:
        check_columns(names)
    except InvalidRequest as error:
        raise InvalidRequest(f"the first line: {error.message}") from None
    return names


def _cells(names: Iterable[str], kinds: Iterable[Kind], cells: Iterable[str]) -> Values:
    found: dict[str, object] = {}
    for name, kind, cell in zip(names, kinds, cells, strict=True):
        if cell:
            try:
                found[name] = _of_cell(kind, cell)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return found


def _of_cell(kind: Kind, cell: str) -> object:
    match kind:
        case "text":
            return cell.removeprefix("'")
        case "json":
            return cell
        case "int":
            if (whole := _WHOLE.fullmatch(cell)) is None:
                raise ValueError(f"{cell[:40]!r} is no whole number; spreadsheets round large ones")
            return int(whole[1])
        case "float":
            if _NUMBER.fullmatch(cell) is None:
                raise ValueError(f"{cell[:40]!r} is no number")
            return float(cell)
        case "bool":
            if cell.lower() not in _read_bool:
                raise ValueError(f"{cell[:20]!r} is neither true nor false")
            return _read_bool[cell.lower()]
        case "list" | "map":
            return _read_value(cell)


def _decoded(file: IO[bytes]) -> Iterator[str]:
    """Yield lines as they stand: only their own ends part records."""
    for number, line in enumerate(file, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest(f"line {number} is not UTF-8 text") from None
        yield text


def _parquet(path: Path, temp: Path) -> Iterator[Read]:
    import duckdb

    number = 0
    with closing(Duck(_LIMITS, temp)) as duck:
        try:
            names = [str(row[0]) for row in duck.rows(Sql("DESCRIBE SELECT * FROM read_parquet(?)", (str(path),)))]
            check_columns(names)
            for batch in duck.batches(Sql("SELECT * FROM read_parquet(?)", (str(path),)), _READ_S):
                for row in batch:
                    number += 1
                    yield Read(f"row {number}", dict(zip(names, row, strict=True)))
        except duckdb.Error as error:
            raise InvalidRequest(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _read(place: str, values: Callable[[], Values]) -> Read:
    try:
        return Read(place, values())
    except UnicodeDecodeError:
        return Read(place, fault="this is no JSON object: it is not UTF-8 text")
    except msgspec.DecodeError as error:
        return Read(place, fault=f"this is no JSON object: {error}")
    except ValueError as error:
        return Read(place, fault=str(error))
