"""One day of fresh rows in SQLite: rows, previews with their trigram index, and the day's sums.

Everything a row brings is written in one transaction. The file is complete while its day is hot; of a cold day it has
only what came late, and goes away when that is sealed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from lockgate.records.embedded import rollup
from lockgate.records.embedded.sqlite import is_damage, transaction, writing
from lockgate.records.row import COLUMNS, UNKNOWN, Kind, Preview, Row

_TYPES: dict[Kind, str] = {
    "text": "TEXT", "int": "INTEGER", "float": "REAL", "bool": "INTEGER", "list": "TEXT", "map": "TEXT", "json": "TEXT",
}  # fmt: skip
NAMES = tuple(COLUMNS)
_LISTS = tuple(number for number, kind in enumerate(COLUMNS.values()) if kind == "list")
_MAPS = tuple(number for number, kind in enumerate(COLUMNS.values()) if kind == "map")
_BOOLS = tuple(number for number, kind in enumerate(COLUMNS.values()) if kind == "bool")
_MAYBE = frozenset(number for number, name in enumerate(NAMES) if name in UNKNOWN)
PREVIEW_NAMES = Preview.__struct_fields__

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS rows (seq INTEGER PRIMARY KEY, {", ".join(f"{n} {_TYPES[k]}" for n, k in COLUMNS.items())});
CREATE UNIQUE INDEX IF NOT EXISTS rows_id ON rows (id);
CREATE INDEX IF NOT EXISTS rows_time ON rows (started_us, id);
CREATE INDEX IF NOT EXISTS rows_workspace ON rows (workspace_id, started_us, id);
CREATE INDEX IF NOT EXISTS rows_key ON rows (api_key_id, started_us, id);
CREATE INDEX IF NOT EXISTS rows_user ON rows (end_user, started_us, id) WHERE end_user IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_status ON rows (status_code, started_us, id);
CREATE INDEX IF NOT EXISTS rows_trace ON rows (trace_id);
CREATE INDEX IF NOT EXISTS rows_span ON rows (span_id) WHERE span_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_session ON rows (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_response ON rows (response_id) WHERE response_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_client ON rows (client_request_id) WHERE client_request_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_upstream ON rows (upstream_request_id) WHERE upstream_request_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS previews (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started_us INTEGER NOT NULL, workspace_id TEXT,
  request_preview TEXT NOT NULL, response_preview TEXT NOT NULL, text TEXT NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
  request_preview, response_preview, text, content = 'previews', content_rowid = 'seq', tokenize = 'trigram');
{rollup.SCHEMA}
"""
ID_COLUMNS = ("id", "trace_id", "span_id", "session_id", "response_id", "upstream_request_id", "client_request_id")
"""Columns by which something is found when only an id is at hand."""
_INSERT = f"INSERT OR IGNORE INTO rows ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))})"
_INSERT_PREVIEW = (
    f"INSERT INTO previews (seq, {', '.join(PREVIEW_NAMES)}) VALUES (?, {', '.join('?' * len(PREVIEW_NAMES))})"
)
_encode = msgspec.json.Encoder().encode
_read_list = msgspec.json.Decoder(tuple[str, ...]).decode
_read_map = msgspec.json.Decoder(dict[str, str]).decode


def write_values(row: Row) -> list[object]:
    """Return a row as SQLite keeps it; empty lists and maps are NULL."""
    values: list[object] = list(structs.astuple(row))
    for number in (*_LISTS, *_MAPS):
        values[number] = _encode(values[number]).decode() if values[number] else None
    return values


def read_values(values: Sequence[object]) -> Row:
    """Return the row of SQLite's values, in the order of ``NAMES``."""
    found = list(values)
    for number in _BOOLS:
        if found[number] is not None or number not in _MAYBE:
            found[number] = bool(found[number])
    for number in _LISTS:
        text = found[number]
        found[number] = _read_list(text) if isinstance(text, str) else ()
    for number in _MAPS:
        text = found[number]
        found[number] = _read_map(text) if isinstance(text, str) else {}
    return Row(**dict(zip(NAMES, found, strict=True)))  # type: ignore[arg-type]  # as they were written


def columns_in(connection: sqlite3.Connection) -> str:
    """Return the list of columns to select: those that the file does not have, being older, read as NULL."""
    have = {row[1] for row in connection.execute("PRAGMA table_info(rows)")}
    return ", ".join(name if name in have else f"NULL AS {name}" for name in NAMES)


class DayWriter:
    """The writer's side of one day."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = writing(path, SCHEMA, is_durable=True)
        rollup.teach(self.connection)
        self._add_missing_columns()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return which ids are there already."""
        return self._ids_in("rows", ids)

    def _ids_in(self, table: str, ids: Sequence[str]) -> set[str]:
        query = f"SELECT id FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self.connection.execute(query, (_encode(ids).decode(),))}

    def append(self, rows: Sequence[Row]) -> int:
        """Keep rows that are not there yet; returns how many were new."""
        with transaction(self.connection):
            known = self.known([row.id for row in rows])
            fresh = list({row.id: row for row in rows if row.id not in known}.values())
            self.connection.executemany(_INSERT, map(write_values, fresh))
            rollup.add_rows(self.connection, fresh)
        return len(fresh)

    def append_previews(self, previews: Iterable[Preview]) -> None:
        """Keep previews that are not there yet."""
        by_id: dict[str, Preview] = {}
        for item in previews:
            by_id.setdefault(item.id, item)
        with transaction(self.connection):
            for id in self._ids_in("previews", list(by_id)):
                del by_id[id]
            after = self.connection.execute("SELECT COALESCE(MAX(seq), 0) FROM previews").fetchone()[0]
            new = list(enumerate(by_id.values(), after + 1))
            self.connection.executemany(_INSERT_PREVIEW, [(seq, *structs.astuple(item)) for seq, item in new])
            words = [(seq, item.request_preview, item.response_preview, item.text) for seq, item in new]
            self.connection.executemany(
                "INSERT INTO words (rowid, request_preview, response_preview, text) VALUES (?, ?, ?, ?)", words
            )

    def delete(self, ids: Iterable[str]) -> int:
        """Remove rows and previews, and every trace of them in the file. Sums stay: they name nobody."""
        gone = [(id,) for id in ids]
        with transaction(self.connection):
            self.connection.executemany("DELETE FROM rows WHERE id = ?", gone)
            self.connection.executemany("DELETE FROM previews WHERE id = ?", gone)
            # an index of trigrams cannot forget single texts for good: it is built again from what is left
            self.connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
            self.connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        self.connection.execute("VACUUM")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(gone)

    def check_words(self) -> None:
        """Look whether the index of words fits the previews, and make it again when it does not."""
        try:
            self.connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            # the index is made of the previews, which are whole
            self.connection.execute("INSERT INTO words (words) VALUES ('rebuild')")

    def hours(self) -> dict[int, int]:
        """Return how many rows each hour has."""
        query = "SELECT started_us / 3600000000, COUNT(*) FROM rows GROUP BY 1"
        return dict(self.connection.execute(query))

    def rows(self, from_us: int, to_us: int) -> Iterator[Row]:
        """Yield the rows of a range, ordered as sealed files are."""
        query = (
            f"SELECT {columns_in(self.connection)} FROM rows WHERE started_us >= ? AND started_us < ?"
            " ORDER BY started_us, id"
        )
        return map(read_values, self.connection.execute(query, (from_us, to_us)))

    def previews(self) -> Iterator[Preview]:
        """Yield all previews."""
        query = f"SELECT {', '.join(PREVIEW_NAMES)} FROM previews ORDER BY started_us, id"
        for values in self.connection.execute(query):
            yield Preview(**dict(zip(PREVIEW_NAMES, values, strict=True)))

    def _add_missing_columns(self) -> None:
        have = {row[1] for row in self.connection.execute("PRAGMA table_info(rows)")}
        for name, kind in COLUMNS.items():
            if name not in have:
                self.connection.execute(f"ALTER TABLE rows ADD COLUMN {name} {_TYPES[kind]}")
