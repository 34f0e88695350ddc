"""The reading half of the store for one machine. Any number of processes may read one folder, without the writer.

Every answer looks at the manifest once and reads what it lists. A file may be retired in between, though it stays for
a minute: then the answer is made again from the new manifest.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lockgate.errors import InvalidRequest, Unavailable
from lockgate.records.embedded import manifest as files
from lockgate.records.embedded.day import ID_COLUMNS
from lockgate.records.embedded.duck import Duck, DuckLimits, is_unreadable
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.late_texts import find_late_texts
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import Contents, Missing, day_of
from lockgate.records.embedded.pages import Pages, sort_value
from lockgate.records.embedded.sealed import id_hash, mark_unread
from lockgate.records.embedded.sqlite import is_damage, mark, reading
from lockgate.records.embedded.summing import Summing
from lockgate.records.embedded.tail import read_position, tail_of, write_position
from lockgate.records.query.tree import EVERYTHING, Compare, Node, Not, all_of, any_of, read_tree
from lockgate.records.row import FAR_FUTURE_US, Row
from lockgate.records.store import (
    ALL,
    MAX_PAGE,
    AggregateSpec,
    Entry,
    Facet,
    Feedback,
    Page,
    PageQuery,
    Position,
    Receipt,
    Scope,
    Table,
    Tail,
    read_cursor,
    record_id_of,
    write_cursor,
)

_log = logging.getLogger("lockgate.records")
_T = TypeVar("_T")
_TRIES = 3
_OURS = re.compile(r"^[a-z]+_([0-9a-f]{12})7[0-9a-f]{19}$")
_ROW_QUERY_S = 10.0
_ID_SLACK_US = 10_000_000
_read_receipt = msgspec.json.Decoder(Receipt).decode


class EmbeddedReader:
    """Implements ``store.RecordReader`` over a folder."""

    def __init__(self, folder: Path, limits: DuckLimits | None = None) -> None:
        self.layout = Layout(folder)
        self._limits = limits or DuckLimits()
        self._duck = Duck(self._limits, self.layout.temp / "spill")
        self._feedback = FeedbackFile(self.layout.feedback)

    def close(self) -> None:
        """Give back what queries have taken."""
        self._duck.close()

    def page(self, query: PageQuery) -> Page:
        """Return a page."""
        if not 1 <= query.limit <= MAX_PAGE:
            raise InvalidRequest(f"limit must be between 1 and {MAX_PAGE}", path="limit")
        after = read_cursor(query.cursor)

        def read(contents: Contents) -> Page:
            pages = self._pages(contents)
            rows = pages.best(query, self._narrow(query.filter, query.scope, contents), after, query.limit + 1)
            more = len(rows) > query.limit
            entries = pages.with_previews(rows[: query.limit])
            if not more:
                return Page(entries)
            last = entries[-1].row
            return Page(entries, write_cursor(Position(sort_value(last, query), last.id)))

        return self._with_contents(read)

    def get(self, id: str, scope: Scope) -> Entry | None:
        """Return the row of a record id."""

        def read(contents: Contents) -> Entry | None:
            rows = self._by_id(contents, ("id",), id, self._narrow(EVERYTHING, scope, contents), 1)
            return self._pages(contents).with_previews(rows)[0] if rows else None

        return self._with_contents(read)

    def find(self, some_id: str, scope: Scope, *, limit: int = 100) -> Sequence[Row]:
        """Return rows by any id that belongs to them, the oldest first."""

        record_id = record_id_of(some_id)

        def read(contents: Contents) -> list[Row]:
            where = self._narrow(EVERYTHING, scope, contents)
            rows = self._by_id(contents, ID_COLUMNS, some_id, where, limit)
            if record_id is not None and all(row.id != record_id for row in rows):
                rows = [*self._by_id(contents, ("id",), record_id, where, 1), *rows][:limit]
            return rows

        return self._with_contents(read)

    def trace(self, trace_id: str, scope: Scope, *, limit: int = 20_000) -> Sequence[Row]:
        """Return the rows of a trace in the order of time."""

        def read(contents: Contents) -> list[Row]:
            return self._by_id(contents, ("trace_id",), trace_id, self._narrow(EVERYTHING, scope, contents), limit)

        return self._with_contents(read)

    def tail(self, scope: Scope, where: Node, position: str | None, *, limit: int = 20) -> Tail:
        """Return rows that arrived after a position."""

        def read(contents: Contents) -> Tail:
            fresh = [day for day, state in contents.days.items() if state != "cold"]
            narrowed = self._narrow(where, scope, contents)
            if position is None:
                return Tail((), write_position(self._bounds(fresh)))
            return tail_of(self.layout, fresh, read_position(position), narrowed, limit)

        return self._with_contents(read)

    def aggregate(self, spec: AggregateSpec) -> Table:
        """Return sums."""

        def read(contents: Contents) -> Table:
            where = self._narrow(spec.filter, spec.scope, contents)
            return Summing(self.layout, self._duck, contents, self._limits.timeout_s).table(spec, where)

        return self._with_contents(read)

    def facets(self, column: str, query: PageQuery, *, limit: int = 50) -> Sequence[Facet]:
        """Return the most frequent values of a column."""
        table = self.aggregate(self._counting(query, (column,)))
        found = [Facet(key[0], sums.values["requests"]) for (_slot, key), sums in table.groups.items()]
        found.sort(key=lambda facet: (-facet.count, str(facet.value)))
        return found[:limit]

    def count(self, query: PageQuery) -> int:
        """Return how many rows a query selects."""
        table = self.aggregate(self._counting(query, ()))
        return sum(sums.values["requests"] for sums in table.groups.values())

    def scan(self, query: PageQuery) -> Iterator[Sequence[Entry]]:
        """Yield all rows of a query in batches, as they stood when the scan began."""
        contents = files.read_contents(self.layout.manifest)
        try:
            bounds = self._bounds([day for day, state in contents.days.items() if state != "cold"])
            where = self._narrow(query.filter, query.scope, contents)
            yield from self._pages(contents, timeout_s=self._limits.timeout_s).scan(query, where, bounds)
        except sqlite3.DatabaseError as error:
            raise _damaged(error) from None
        except Exception as error:
            is_gone = isinstance(error, FileNotFoundError) and self._mark_gone()
            if not is_gone and not self._is_of_sealed(error):
                raise
            raise Unavailable(_DAMAGED) from None

    def missing(self) -> Sequence[Missing]:
        """Return which rows and texts were lost with a damaged file, and did not come back since."""
        found = []
        for one in files.read_missing(self.layout.manifest):
            if one.kind != "previews":
                there = self.count(PageQuery(scope=ALL, from_us=one.from_us, to_us=one.to_us + 1))
                one = msgspec.structs.replace(one, rows=min(one.rows, one.rows + one.kept - there))
            if one.rows > 0:
                found.append(one)
        return found

    def feedback(self, scope: Scope, *, from_us: int = 0, to_us: int = FAR_FUTURE_US) -> Sequence[Feedback]:
        """Return feedback by the time it was given."""
        return self._feedback.between(scope, from_us, to_us)

    def feedback_of(self, trace_ids: Sequence[str], scope: Scope) -> Sequence[Feedback]:
        """Return the feedback on traces."""
        return self._feedback.of_traces(trace_ids, scope)

    def rows_of_traces(
        self, trace_ids: Sequence[str], scope: Scope, *, where: Node = EVERYTHING, limit: int = 100_000
    ) -> Sequence[Row]:
        """Return the rows of many traces that a filter selects, to join feedback with what it is about."""

        def read(contents: Contents) -> list[Row]:
            days = files.days_of_hashes(self.layout.manifest, [id_hash(id) for id in trace_ids])
            narrowed = self._narrow(where, scope, contents)
            wanted = all_of(Compare("trace_id", "in", tuple(trace_ids)), narrowed)
            return self._pages(contents).wherever(wanted, days, limit)

        return self._with_contents(read) if trace_ids else []

    def receipts(self) -> Sequence[Receipt]:
        """Return the receipts of deletions, the newest first."""
        return [_read_receipt(data) for data in files.read_receipts(self.layout.manifest)]

    def _by_id(self, contents: Contents, columns: Sequence[str], id: str, where: Node, limit: int) -> list[Row]:
        if not id or len(id) > 500:
            return []
        days = files.days_of_hashes(self.layout.manifest, [id_hash(id)])
        bounds = _bounds_of_id(id)
        if bounds is not None:
            days |= {day_of(bounds[0]), day_of(bounds[1])}
        is_record = tuple(columns) == ("id",)
        wanted = any_of(*(Compare(column, "in", (id,)) for column in columns))
        rows = self._pages(contents).wherever(
            all_of(wanted, where), days, limit, bounds=bounds if bounds and is_record else (0, FAR_FUTURE_US)
        )
        return sorted(rows, key=lambda row: (row.started_us, row.id))[:limit]

    def _pages(self, contents: Contents, timeout_s: float = _ROW_QUERY_S) -> Pages:
        return Pages(self.layout, self._duck, contents, timeout_s)

    def _narrow(self, where: Node, scope: Scope, contents: Contents) -> Node:
        hidden = [Not(deleted(read_tree(stone.filter), stone.created_us)) for stone in contents.tombstones]
        node = find_late_texts(self._feedback.resolve(where, scope), self.layout, self._duck, contents)
        return all_of(scope.narrow(node), *hidden)

    def _bounds(self, days: Sequence[int]) -> dict[int, int]:
        found = {}
        for day in days:
            with reading(self.layout.day(day), _ROW_QUERY_S) as connection:
                found[day] = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM rows").fetchone()[0]
        return found

    def _counting(self, query: PageQuery, dimensions: tuple[str, ...]) -> AggregateSpec:
        return AggregateSpec(
            scope=query.scope, filter=query.filter, from_us=query.from_us, to_us=query.to_us, dimensions=dimensions,
            measures=("requests",), is_counted_only=False,
        )  # fmt: skip

    def _is_of_sealed(self, error: Exception) -> bool:
        """Whether a sealed file cannot be read; if so, it is marked for the writer."""
        is_of_rows = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        if not (is_of_rows or is_unreadable(error)):
            return False
        mark_unread(self.layout.cold, error)
        _log.error("sealed records cannot be read: %s", error)
        return True

    def _is_emptied(self) -> bool:
        """Whether the manifest has nothing in it; if so, it is marked for the writer."""
        if self.layout.manifest.exists() and self.layout.manifest.stat().st_size:
            return False
        mark(self.layout.manifest)
        return True

    def _mark_gone(self) -> bool:
        """Whether a sealed file is gone that is listed; if so, it is marked for the writer."""
        try:
            paths = [self.layout.cold / file.name for file in files.read_contents(self.layout.manifest).files]
        except FileNotFoundError:
            if self.layout.manifest.exists():
                return False
            mark(self.layout.manifest)
            return True
        gone = [path for path in paths if not path.exists()]
        for path in gone:
            _log.error("the sealed file %s is gone", path.name)
            mark(path)
        return bool(gone)

    def _with_contents(self, read: Callable[[Contents], _T]) -> _T:
        for _ in range(_TRIES):
            try:
                return read(files.read_contents(self.layout.manifest))
            except FileNotFoundError:
                continue
            except sqlite3.DatabaseError as error:
                if self._is_emptied():
                    raise Unavailable(_DAMAGED) from None
                raise _damaged(error) from None
            except Exception as error:
                if not self._is_of_sealed(error):
                    raise
                raise Unavailable(_DAMAGED) from None
        if self._mark_gone():
            raise Unavailable(_DAMAGED)
        raise Unavailable("The records' files change faster than they can be read; try again")


_DAMAGED = "A file of records is damaged; it is made again within seconds, try then"


def _damaged(error: sqlite3.DatabaseError) -> Exception:
    """Return what to raise for an error of SQLite's."""
    if not is_damage(error):
        return error
    _log.error("records cannot be read: %s", error)
    return Unavailable(_DAMAGED)


def deleted(where: Node, created_us: int) -> Node:
    """Return what a deletion covers: rows that it selects and that had begun when it was asked for."""
    return all_of(where, Compare("started_us", "le", (created_us,)))


def _bounds_of_id(id: str) -> tuple[int, int] | None:
    """Return between which moments the exchange of an id of ours began: the id carries its time."""
    found = _OURS.match(id)
    if not found:
        return None
    us = int(found[1], 16) * 1000
    return us - _ID_SLACK_US, us + _ID_SLACK_US
