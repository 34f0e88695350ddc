"""Sealed Parquet files: how they are written, compared with what they were made of, and read.

A file is written beside its place, forced to the disk, read back and compared, and only then given its name; the
manifest lists it last. Names are never used twice, so that whoever has read a name may go on using it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lockgate.records.embedded import row_blocks
from lockgate.records.embedded.duck import Duck
from lockgate.records.embedded.manifest import FileKind, Sealed
from lockgate.records.embedded.sqlite import mark
from lockgate.records.query.sql import Parameter, Sql
from lockgate.records.row import COLUMNS, Kind, Preview, Row

_WRITE_S = 600.0
_ROW_GROUP = 20_000
_FLUSH_ROWS = 1000
_MAX_LINE = 64 << 20
_TYPES: dict[Kind, str] = {
    "text": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "list": "VARCHAR[]",
    "map": "MAP(VARCHAR, VARCHAR)", "json": "VARCHAR",
}  # fmt: skip
ROW_TYPES = {name: _TYPES[kind] for name, kind in COLUMNS.items()}
PREVIEW_TYPES = {name: "BIGINT" if name == "started_us" else "VARCHAR" for name in Preview.__struct_fields__}
_EMPTY = tuple(name for name, kind in COLUMNS.items() if kind in ("list", "map"))
_LISTS = tuple(number for number, kind in enumerate(COLUMNS.values()) if kind == "list")
_MAPS = tuple(number for number, kind in enumerate(COLUMNS.values()) if kind == "map")
LAYOUT = f"{zlib.crc32(repr(ROW_TYPES).encode()):08x}"
"""Stands in the names of files: those with another layout lack columns, or have more."""
_encoder = msgspec.json.Encoder()


class Damaged(Exception):
    """A file that was just written does not hold what it was made of."""


def id_hash(id: str) -> int:
    """Return the 63 bits by which an id is looked up and files are compared."""
    return int.from_bytes(hashlib.md5(id.encode(), usedforsecurity=False).digest()[8:], "little") >> 1


def read_values(values: Sequence[object]) -> Row:
    """Return the row of DuckDB's values, in the order of the columns."""
    found = list(values)
    for number in _LISTS:
        item = found[number]
        found[number] = tuple(item) if isinstance(item, list) else ()
    for number in _MAPS:
        found[number] = found[number] or {}
    return Row(**dict(zip(COLUMNS, found, strict=True)))  # type: ignore[arg-type]  # as they were written


def size_of(path: Path) -> int:
    """Return how much a sealed file takes, with what lies beside it."""
    return sum(file.stat().st_size for file in (path, row_blocks.beside(path)) if file.exists())


def moment(us: int) -> str:
    """Return a moment to the second, in UTC."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def mark_unread(folder: Path, error: BaseException) -> None:
    """Leave marks beside the sealed files that an error names; when it names none, one for them all."""
    named = [path for path in folder.glob("*.parquet") if path.stem in str(error)]
    for path in named or [folder]:
        mark(path)


def unlink(path: Path) -> int:
    """Unlink a sealed file and what lies beside it; returns the bytes that are free now."""
    freed = 0
    for file in (path, row_blocks.beside(path)):
        if file.exists():
            freed += file.stat().st_size
            file.unlink()
    return freed


def table(folder: Path, files: Sequence[Sealed], types: dict[str, str], *, with_places: bool = False) -> str:
    """Return what stands after FROM to read files; columns that they lack are NULL.

    ``with_places``: with the columns ``filename`` and ``file_row_number``.
    """
    empty = [f"NULL::{kind} AS {name}" for name, kind in types.items()]
    if with_places:
        empty += ["NULL::VARCHAR AS filename", "NULL::BIGINT AS file_row_number"]
    nothing = f"SELECT {', '.join(empty)} WHERE FALSE"
    if not files:
        return f"({nothing})"
    # names are ours: hexadecimal digits, dates, dashes
    names = ", ".join("'" + str(folder / file.name).replace("'", "''") + "'" for file in files)
    places = ", filename = true, file_row_number = true" if with_places else ""
    if types is not ROW_TYPES or all(LAYOUT in file.name for file in files):
        return f"read_parquet([{names}]{places})"
    return f"({nothing} UNION ALL BY NAME SELECT * FROM read_parquet([{names}], union_by_name = true{places}))"


class Sealer:
    """Writes sealed files."""

    def __init__(self, duck: Duck, folder: Path, temp: Path) -> None:
        self._duck = duck
        self._folder = folder
        self._temp = temp

    def write_rows(self, rows: Iterable[Row], *, day: int, hour: int | None) -> Sealed | None:
        """Seal rows as they come; None when there are none. Raises Damaged."""
        return self._write(map(_plain, rows), "hour" if hour is not None else "rows", ROW_TYPES, day, hour)

    def write_previews(self, previews: Iterable[Preview], *, day: int) -> Sealed | None:
        """Seal previews; None when there are none. Raises Damaged."""
        return self._write(previews, "previews", PREVIEW_TYPES, day, None)

    def join(self, sources: Sequence[Sealed], kind: FileKind, *, day: int, without: Sql | None = None) -> Sealed | None:
        """Make one file of several of a day; ``without``: leave out the rows of a condition. Raises Damaged.

        None when nothing is left.
        """
        types = PREVIEW_TYPES if kind == "previews" else ROW_TYPES
        where = f"WHERE NOT COALESCE({without.text}, FALSE)" if without else ""
        parameters = without.parameters if without else ()
        source = f"FROM {table(self._folder, sources, types)} {where}"
        expected = self._summary(Sql(f"{_SUMMARY} {source}", parameters))
        if not expected[0]:
            return None
        hour = sources[0].hour if kind == "hour" else None
        return self._copy(
            f"SELECT {', '.join(types)} {source} ORDER BY started_us, id", parameters, expected, (kind, day, hour)
        )

    def summary(self, path: Path) -> tuple[int, int, int, int]:
        """Return how many rows a file has, the exclusive or of their ids' hashes, and their first and last moment."""
        return self._summary(Sql(f"{_SUMMARY} FROM read_parquet(?)", (str(path),)))

    def _write(
        self, items: Iterable[object], kind: FileKind, types: dict[str, str], day: int, hour: int | None
    ) -> Sealed | None:
        self._temp.mkdir(parents=True, exist_ok=True)
        lines = self._temp / f"{secrets.token_hex(8)}.jsonl"
        try:
            expected = _write_lines(lines, items)
            if not expected[0]:
                return None
            columns = ", ".join(f"{name}: '{kind}'" for name, kind in types.items())
            options = f"format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {_MAX_LINE}"
            query = f"SELECT {', '.join(types)} FROM read_json(?, {options})"
            return self._copy(query, (str(lines),), expected, (kind, day, hour))
        finally:
            lines.unlink(missing_ok=True)

    def _copy(
        self, query: str, parameters: Sequence[Parameter], expected: tuple[int, int, int, int],
        place: tuple[FileKind, int, int | None],
    ) -> Sealed:  # fmt: skip
        kind, day, hour = place
        name = f"{kind}-{hour if hour is not None else day}-{LAYOUT}-{secrets.token_hex(6)}.parquet"
        draft = self._temp / name
        try:
            options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE {_ROW_GROUP}"
            self._temp.mkdir(parents=True, exist_ok=True)
            self._duck.run(
                f"COPY ({query}) TO '{str(draft).replace(chr(39), chr(39) * 2)}' ({options})", parameters, _WRITE_S
            )
            found = self.summary(draft)
            if found != expected:
                raise Damaged(f"{name} has {found[0]} rows where {expected[0]} were written, or others")
            _sync(draft)
            size = draft.stat().st_size
            self._folder.mkdir(parents=True, exist_ok=True)
            if kind == "rows":
                size += self._write_whole_rows(draft, expected[0])
                row_blocks.beside(draft).rename(row_blocks.beside(self._folder / name))
            draft.rename(self._folder / name)
            _sync(self._folder)
        finally:
            draft.unlink(missing_ok=True)
            row_blocks.beside(draft).unlink(missing_ok=True)
        rows, checksum, low, high = expected
        return Sealed(
            name=name, kind=kind, day=day, hour=hour, rows=rows, min_us=low, max_us=high, checksum=checksum,
            size_bytes=size,
        )  # fmt: skip

    def _write_whole_rows(self, draft: Path, rows: int) -> int:
        """Write the rows of a file once more, as they are read one by one; returns the bytes that this takes."""
        path = row_blocks.beside(draft)
        query = Sql("SELECT to_json(t)::VARCHAR FROM read_parquet(?) t", (str(draft),))
        lines = (str(values[0]) for batch in self._duck.batches(query, _WRITE_S) for values in batch)
        if row_blocks.write(path, lines) != rows:
            raise Damaged(f"{path.name} does not have the rows of its file")
        return path.stat().st_size

    def _summary(self, sql: Sql) -> tuple[int, int, int, int]:
        rows, checksum, low, high = self._duck.rows(sql)[0]
        return (int(rows or 0), int(checksum or 0), int(low or 0), int(high or 0))


_SUMMARY = "SELECT COUNT(*), bit_xor((md5_number_lower(id) >> 1)::BIGINT), MIN(started_us), MAX(started_us)"


def _write_lines(path: Path, items: Iterable[object]) -> tuple[int, int, int, int]:
    count, checksum, low, high = 0, 0, 2**62, 0
    with path.open("wb") as file:
        buffer = bytearray()
        for item in items:
            id, started = _identity(item)
            count, checksum = count + 1, checksum ^ id_hash(id)
            low, high = min(low, started), max(high, started)
            buffer += _encoder.encode(item)
            buffer += b"\n"
            if count % _FLUSH_ROWS == 0:
                file.write(buffer)
                buffer.clear()
        file.write(buffer)
    return (count, checksum, low, high) if count else (0, 0, 0, 0)


def _identity(item: object) -> tuple[str, int]:
    if isinstance(item, Preview):
        return item.id, item.started_us
    assert isinstance(item, dict)
    return item["id"], item["started_us"]


def _plain(row: Row) -> dict[str, object]:
    values = msgspec.structs.asdict(row)
    for name in _EMPTY:
        values[name] = values[name] or None
    return values


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
