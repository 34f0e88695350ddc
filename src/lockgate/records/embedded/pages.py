"""Pages of rows over fresh and sealed days: each source gives its best rows, and the cursor merges them.

By time the sources do not overlap, so the newest is asked first and older ones only while the page is not full.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.records.embedded import row_blocks, sealed
from lockgate.records.embedded.day import NAMES, columns_in, read_values
from lockgate.records.embedded.duck import Duck
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import DAY_US, Contents, Sealed
from lockgate.records.embedded.sqlite import reading
from lockgate.records.query.sql import DuckSpeech, Sql, SqliteSpeech, compile_filter, values_of
from lockgate.records.query.tree import Compare, Node, Text, walk
from lockgate.records.row import FAR_FUTURE_US, Preview, Row
from lockgate.records.store import ALL, Entry, PageQuery, Position

_log = logging.getLogger("lockgate.records")
_PREVIEW_NAMES = Preview.__struct_fields__
_FIRST_COLD_DAYS = 2
_BATCH = 1000
_PLACES = ("filename", "file_row_number")
_BROAD = frozenset({"workspace_id", "started_us"})
"""Filters by these alone select a large part of every day."""
_TIES = 16
"""How many rows of the cursor's own microsecond are passed by without a second question."""
_SCAN_S = 3600.0


class Files(Struct, frozen=True):
    """What one step of a page reads: days whose rows lie in SQLite, and sealed files."""

    days: tuple[int, ...] = ()
    sealed: tuple[Sealed, ...] = ()


class Pages:
    """Reads rows. One for each answer: it sees the manifest of one moment."""

    def __init__(self, layout: Layout, duck: Duck, contents: Contents, timeout_s: float) -> None:
        self._layout = layout
        self._duck = duck
        self._contents = contents
        self._timeout_s = timeout_s

    def best(self, query: PageQuery, where: Node, after: Position | None, limit: int) -> list[Row]:
        """Return the first rows of a query after a position, in its order."""
        steps = self._steps(query, where) if query.sort == "started_us" else [self._whole(query)]
        found: list[Row] = []
        for step in steps:
            part = self._read(step, query, where, after, limit - len(found))
            part.sort(key=lambda row: (sort_value(row, query), row.id), reverse=not query.is_ascending)
            found += part[: limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def with_previews(self, rows: Sequence[Row]) -> tuple[Entry, ...]:
        """Return rows with what previews are kept of them."""
        found: dict[str, Preview] = {}
        by_day: dict[int, list[str]] = {}
        for row in rows:
            by_day.setdefault(row.started_us // DAY_US, []).append(row.id)
        for day, ids in by_day.items():
            if self._contents.days.get(day) in ("hot", "late"):
                found |= self._fresh_previews(day, ids)
        days = {day for day in by_day if self._contents.days.get(day) in ("cold", "late")}
        files = [file for file in self._contents.of("previews") if file.day in days]
        if files:
            found |= self._sealed_previews(files, [row for row in rows if row.id not in found])
        return tuple(Entry(row, found.get(row.id)) for row in rows)

    def wherever(
        self, where: Node, days: set[int], limit: int, *, bounds: tuple[int, int] = (0, FAR_FUTURE_US)
    ) -> list[Row]:
        """Return rows whatever their time, or within bounds. ``days``: sealed days to look into; all fresh ones are."""
        fresh = tuple(day for day, state in self._contents.days.items() if state in ("hot", "late"))
        files = tuple(file for file in self._contents.of("rows") if file.day in days)
        query = PageQuery(scope=ALL, limit=limit, is_ascending=True, from_us=bounds[0], to_us=bounds[1])
        return self._read(Files(fresh, files), query, where, None, limit)

    def scan(self, query: PageQuery, where: Node, bounds: dict[int, int]) -> Iterator[list[Entry]]:
        """Yield all rows of a query, the oldest first. ``bounds``: the last row of each fresh day that counts."""
        steps = [Files((day,) if state != "cold" else (), self._sealed_of(day, state))
                 for day, state in sorted(self._contents.days.items()) if self._touches(day, query)]  # fmt: skip
        ascending = PageQuery(scope=query.scope, from_us=query.from_us, to_us=query.to_us, is_ascending=True)
        for step in steps:
            if step.days and step.sealed:
                rows = self._read(step, ascending, where, None, None, bounds)
                rows.sort(key=lambda row: (row.started_us, row.id))
                batches = iter([rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH)])
            elif step.days:
                batches = self._scan_fresh(step.days[0], ascending, where, bounds)
            else:
                batches = self._scan_sealed(step.sealed, ascending, where)
            for batch in batches:
                yield list(self.with_previews(batch))

    def _steps(self, query: PageQuery, where: Node) -> Iterator[Files]:
        days = sorted((d for d in self._contents.days if self._touches(d, query)), reverse=not query.is_ascending)
        cold = [day for day in days if self._contents.days[day] != "hot"]
        # where fresh days did not fill the page, the filter selects little: then all sealed days are asked at once
        is_broad = all(isinstance(leaf, Compare) and leaf.field in _BROAD for leaf in walk(where))
        count = _FIRST_COLD_DAYS if is_broad else len(cold)
        first, rest = set(cold[:count]), set(cold[count:])
        waiting: set[int] = set()
        for day in days:
            if self._contents.days[day] == "hot":
                if waiting:
                    yield self._of(waiting)
                    waiting = set()
                yield Files((day,))
            else:
                waiting.add(day)
                if waiting in (first, rest):
                    yield self._of(waiting)
                    waiting = set()
        if waiting:
            yield self._of(waiting)

    def _of(self, days: set[int]) -> Files:
        fresh = tuple(sorted(day for day in days if self._contents.days[day] != "cold"))
        return Files(fresh, tuple(file for file in self._contents.of("rows") if file.day in days))

    def _whole(self, query: PageQuery) -> Files:
        days = {day for day in self._contents.days if self._touches(day, query)}
        cold = {day for day in days if self._contents.days[day] != "hot"}
        fresh = tuple(day for day in days if self._contents.days[day] != "cold")
        return Files(fresh, tuple(file for file in self._contents.of("rows") if file.day in cold))

    def _sealed_of(self, day: int, state: str) -> tuple[Sealed, ...]:
        return () if state == "hot" else tuple(file for file in self._contents.of("rows") if file.day == day)

    def _touches(self, day: int, query: PageQuery) -> bool:
        return day * DAY_US < query.to_us and (day + 1) * DAY_US > query.from_us

    def _read(
        self, files: Files, query: PageQuery, where: Node, after: Position | None, limit: int | None,
        bounds: dict[int, int] | None = None,
    ) -> list[Row]:  # fmt: skip
        found: list[Row] = []
        for day in files.days:
            condition = _condition(compile_filter(where, SqliteSpeech()), query, after)
            with self._fresh(day) as connection:
                until = Sql("seq <= ?", (bounds.get(day, 0),)) if bounds is not None else Sql("TRUE")
                where_text = f"{condition.text} AND {until.text} {_order(query, limit)}"
                text = f"SELECT {columns_in(connection)} FROM rows WHERE {where_text}"
                found += map(read_values, connection.execute(text, (*condition.parameters, *until.parameters)))
        if files.sealed:
            found += self._read_sealed(files.sealed, query, where, after, limit)
        return found

    def _read_sealed(
        self, files: Sequence[Sealed], query: PageQuery, where: Node, after: Position | None, limit: int | None
    ) -> list[Row]:
        """Find rows by the columns of the filter, then read them whole from beside the columns."""
        if limit is not None:
            try:
                return self._read_whole(files, query, where, after, limit)
            except OSError as error:
                if not all((self._layout.cold / file.name).exists() for file in files):
                    raise
                sealed.mark_unread(self._layout.cold, error)
                _log.error("rows are read from their columns, which is slow: %s", error)
        statement = self._sealed_statement(files, query, where, after, limit)
        return [sealed.read_values(values) for values in self._duck.rows(statement)]

    def _read_whole(
        self, files: Sequence[Sealed], query: PageQuery, where: Node, after: Position | None, limit: int
    ) -> list[Row]:
        by_time = query.sort == "started_us"
        wanted = limit + _TIES if by_time and after is not None else limit
        statement = self._sealed_statement(files, query, where, after, wanted, columns=_PLACES)
        places: dict[str, list[int]] = {}
        for name, number in self._duck.rows(statement):
            places.setdefault(str(name), []).append(int(number))  # type: ignore[arg-type]  # a whole number
        rows = [row for name, numbers in places.items() for row in row_blocks.read(Path(name), numbers)]
        if not by_time or after is None:
            return rows
        kept = [row for row in rows if _is_after(row, after, query)]
        if len(kept) < limit and len(rows) == wanted:
            statement = self._sealed_statement(files, query, where, after, limit)
            return [sealed.read_values(values) for values in self._duck.rows(statement)]
        return kept

    def _scan_fresh(self, day: int, query: PageQuery, where: Node, bounds: dict[int, int]) -> Iterator[list[Row]]:
        condition = _condition(compile_filter(where, SqliteSpeech()), query, None)
        with reading(self._layout.day(day), _SCAN_S) as connection:
            text = (
                f"SELECT {columns_in(connection)} FROM rows WHERE {condition.text} AND seq <= ? {_order(query, None)}"
            )
            cursor = connection.execute(text, (*condition.parameters, bounds.get(day, 0)))
            while values := cursor.fetchmany(_BATCH):
                yield [read_values(row) for row in values]

    def _scan_sealed(self, files: Sequence[Sealed], query: PageQuery, where: Node) -> Iterator[list[Row]]:
        is_whole = all(row_blocks.beside(self._layout.cold / file.name).exists() for file in files)
        columns = _PLACES if is_whole else NAMES
        statement = self._sealed_statement(files, query, where, None, None, columns=columns)
        for values in self._duck.batches(statement, _SCAN_S):
            if is_whole:
                # one file for each day, so that a batch of one step is of one file
                yield row_blocks.read(Path(str(values[0][0])), [int(number) for _, number in values])  # type: ignore[arg-type]
            else:
                yield [sealed.read_values(row) for row in values]

    def _sealed_statement(
        self, files: Sequence[Sealed], query: PageQuery, where: Node, after: Position | None, limit: int | None,
        columns: Sequence[str] = NAMES,
    ) -> Sql:  # fmt: skip
        files = [f for f in files if f.max_us >= query.from_us and f.min_us < query.to_us]
        if files and min(f.min_us for f in files) >= query.from_us and max(f.max_us for f in files) < query.to_us:
            # all of them lie inside, so that no row's time has to be looked at
            query = msgspec.structs.replace(query, from_us=0, to_us=FAR_FUTURE_US)
        with_places = columns is not NAMES
        # files are one for each day and in the order of time and id, so that the place of a row stands for both
        in_place = with_places and query.sort == "started_us"
        condition = _condition(compile_filter(where, DuckSpeech()), query, after, is_rough=in_place)
        order = _order(query, limit, columns if in_place else (_sort(query), "id"))
        table = sealed.table(self._layout.cold, files, sealed.ROW_TYPES, with_places=with_places)
        head = previews_head(self._layout, self._contents, where, {file.day for file in files})
        text = f"{head}SELECT {', '.join(columns)} FROM {table} WHERE {condition.text} {order}"
        return Sql(text, condition.parameters)

    @contextlib.contextmanager
    def _fresh(self, day: int) -> Iterator[sqlite3.Connection]:
        with reading(self._layout.day(day), self._timeout_s) as connection:
            yield connection

    def _sealed_previews(self, files: Sequence[Sealed], rows: Sequence[Row]) -> dict[str, Preview]:
        # the times say which groups of rows can be passed by, the ids which rows are meant
        times, ids = values_of([row.started_us for row in rows]), values_of([row.id for row in rows])
        table = sealed.table(self._layout.cold, files, sealed.PREVIEW_TYPES)
        where = f"started_us IN ({times.text}) AND id IN ({ids.text})"
        query = Sql(
            f"SELECT {', '.join(_PREVIEW_NAMES)} FROM {table} WHERE {where}", (*times.parameters, *ids.parameters)
        )
        return {preview.id: preview for preview in map(_preview, self._duck.rows(query))} if rows else {}

    def _fresh_previews(self, day: int, ids: Sequence[str]) -> dict[str, Preview]:
        marks = ", ".join("?" * len(ids))
        with self._fresh(day) as connection:
            text = f"SELECT {', '.join(_PREVIEW_NAMES)} FROM previews WHERE id IN ({marks})"
            return {p.id: p for p in map(_preview, connection.execute(text, ids))}


def previews_head(layout: Layout, contents: Contents, where: Node, days: set[int]) -> str:
    """Return the head of a statement whose filter looks into texts of sealed days."""
    if not any(isinstance(leaf, Text) for leaf in walk(where)):
        return ""
    files = [file for file in contents.of("previews") if file.day in days]
    return f"WITH previews AS (SELECT * FROM {sealed.table(layout.cold, files, sealed.PREVIEW_TYPES)}) "


def sort_value(row: Row, query: PageQuery) -> int:
    """Return what a page is sorted by; rows without it stand below all others."""
    value: int | None = getattr(row, query.sort)
    return -1 if value is None else value


def _condition(where: Sql, query: PageQuery, after: Position | None, *, is_rough: bool = False) -> Sql:
    """Return what a page asks for. ``is_rough``: rows of the cursor's own microsecond are all let through."""
    parts, parameters = [where.text], list(where.parameters)
    if query.from_us > 0:
        parts.append("started_us >= ?")
        parameters.append(query.from_us)
    if query.to_us < FAR_FUTURE_US:
        parts.append("started_us < ?")
        parameters.append(query.to_us)
    sign = ">" if query.is_ascending else "<"
    if after is not None and query.sort == "started_us":
        # says half of what follows, so that files and groups of rows can be passed by
        parts.append(f"started_us {sign}= ?")
        parameters.append(after.value)
    if after is not None and not is_rough:
        parts.append(f"({_sort(query)}, id) {sign} (?, ?)")
        parameters += [after.value, after.id]
    return Sql(" AND ".join(parts), tuple(parameters))


def _is_after(row: Row, after: Position, query: PageQuery) -> bool:
    place, cursor = (sort_value(row, query), row.id), (after.value, after.id)
    return place > cursor if query.is_ascending else place < cursor


def _sort(query: PageQuery) -> str:
    return query.sort if query.sort == "started_us" else f"COALESCE({query.sort}, -1)"


def _order(query: PageQuery, limit: int | None, columns: Sequence[str] | None = None) -> str:
    way = "ASC" if query.is_ascending else "DESC"
    by = ", ".join(f"{column} {way}" for column in columns or (_sort(query), "id"))
    return f"ORDER BY {by}" + (f" LIMIT {int(limit)}" if limit is not None else "")


def _preview(values: Sequence[object]) -> Preview:
    return Preview(**dict(zip(_PREVIEW_NAMES, values, strict=True)))  # type: ignore[arg-type]  # as they were written
