"""Feedback: small, changeable, and so in a file of its own, which any process may write."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lockgate.errors import Unavailable
from lockgate.records.embedded.sqlite import (
    is_damage,
    is_whole,
    mark,
    put_aside,
    reading,
    salvaged,
    transaction,
    unlink_database,
    writing,
)
from lockgate.records.query.fields import FEEDBACK_FIELDS
from lockgate.records.query.tree import AllOf, AnyOf, Compare, Node, Not
from lockgate.records.store import Feedback, Scope

SCHEMA = """
CREATE TABLE IF NOT EXISTS feedback (
  id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, workspace_id TEXT, value INTEGER NOT NULL, weight REAL NOT NULL,
  metadata TEXT NOT NULL, source TEXT NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS feedback_trace ON feedback (trace_id);
CREATE INDEX IF NOT EXISTS feedback_time ON feedback (created_us);
"""
_NAMES = Feedback.__struct_fields__
_ASIDE, _READ = "feedback-", ".read"
_BATCH = 500
_READ_S = 5.0
_log = logging.getLogger("lockgate.records")
_SQL_OPS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_AGGREGATES = {
    "feedback_count": "COUNT(*)",
    "feedback_average": "SUM(value * weight) / NULLIF(SUM(weight), 0)",
}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


class FeedbackFile:
    """Reads and writes feedback."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        """Make the file, so that it can be read."""
        writing(self._path, SCHEMA, is_durable=True).close()

    def heal(self, quarantine: Path, now_us: int) -> bool:
        """Make the file again, of what can be read in it, when it is damaged; returns whether it was.

        To be used by the one writer.
        """
        is_damaged = self._path.exists() and not is_whole(self._path)
        if is_damaged:
            aside = quarantine / f"{_ASIDE}{now_us}.db"
            _log.error("the feedback is damaged and is made again; the old file is %s", aside.name)
            put_aside(self._path, aside)
        self.create()
        self._salvage_all(quarantine)
        return is_damaged

    def open(self, quarantine: Path, now_us: int) -> bool:
        """Make the file, or make it again when it cannot even be opened; returns whether it was damaged."""
        try:
            self.create()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return self.heal(quarantine, now_us)
        # what was put aside before a crash
        self._salvage_all(quarantine)
        return False

    def _salvage_all(self, quarantine: Path) -> None:
        for path in sorted(quarantine.glob(f"{_ASIDE}*.db")):
            self._salvage(path)

    def _salvage(self, path: Path) -> None:
        count = 0
        batch: list[Feedback] = []
        for values in salvaged(path, f"SELECT {', '.join(_NAMES)} FROM feedback", ("rowid",)):
            with contextlib.suppress(ValueError, TypeError):  # damage may have the form of a row
                batch.append(msgspec.convert(_named(values), Feedback))
            if len(batch) >= _BATCH:
                count += self._add(batch)
                batch = []
        count += self._add(batch)
        path.rename(path.with_suffix(f".db{_READ}"))
        unlink_database(path)
        _log.warning("%d pieces of feedback could be read in %s", count, path.name)

    def add(self, items: Sequence[Feedback]) -> None:
        """Keep all or none; an id that is there already stays as it is."""
        self._add(items)

    def _add(self, items: Sequence[Feedback]) -> int:
        marks = ", ".join("?" * len(_NAMES))
        with self._writing() as connection:
            before = connection.total_changes
            connection.executemany(f"INSERT OR IGNORE INTO feedback VALUES ({marks})", map(_values, items))
            return connection.total_changes - before

    def change(
        self,
        id: str,
        scope: Scope,
        *,
        now_us: int,
        value: int | None,
        weight: float | None,
        metadata: Mapping[str, str] | None,
    ) -> Feedback | None:
        """Change what is given; None: there is no such feedback in the scope."""
        with self._writing() as connection:
            found = [item for item in _read(connection, "WHERE id = ?", (id,)) if _is_in(scope, item)]
            if not found:
                return None
            old = found[0]
            new = msgspec.structs.replace(
                old,
                value=old.value if value is None else value,
                weight=old.weight if weight is None else weight,
                metadata=old.metadata if metadata is None else metadata,
                updated_us=now_us,
            )
            marks = ", ".join("?" * len(_NAMES))
            connection.execute(f"INSERT OR REPLACE INTO feedback VALUES ({marks})", _values(new))
            return new

    def between(self, scope: Scope, from_us: int, to_us: int) -> list[Feedback]:
        """Return feedback by the time it was given."""
        return self._select(scope, "WHERE created_us >= ? AND created_us < ? ORDER BY created_us, id", (from_us, to_us))

    def of_traces(self, trace_ids: Sequence[str], scope: Scope) -> list[Feedback]:
        """Return the feedback on traces."""
        where = "WHERE trace_id IN (SELECT value FROM json_each(?)) ORDER BY created_us, id"
        return self._select(scope, where, (_encode(trace_ids).decode(),))

    def drop(self, trace_ids: Sequence[str]) -> None:
        """Forget the feedback on traces."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM feedback WHERE trace_id IN (SELECT value FROM json_each(?))",
                (_encode(trace_ids).decode(),),
            )

    def resolve(self, node: Node, scope: Scope) -> Node:
        """Return the filter with conditions on feedback made into conditions on trace ids."""
        match node:
            case Compare(field=field) if field in FEEDBACK_FIELDS:
                return Compare("trace_id", "in", tuple(self._traces(node, scope)))
            case Not(child):
                return Not(self.resolve(child, scope))
            case AllOf(children):
                return AllOf(tuple(self.resolve(child, scope) for child in children))
            case AnyOf(children):
                return AnyOf(tuple(self.resolve(child, scope) for child in children))
            case _:
                return node

    def _traces(self, node: Compare, scope: Scope) -> list[str]:
        if node.op == "exists":
            condition, parameters = "1", ()
        elif node.op == "in":
            condition, parameters = f"{{}} IN ({', '.join('?' * len(node.values))})", node.values  # type: ignore[assignment]
        else:
            condition, parameters = f"{{}} {_SQL_OPS[node.op]} ?", node.values  # type: ignore[assignment]
        what = _AGGREGATES.get(node.field)
        inside, inside_parameters = _scope(scope)
        if what is None:
            query = f"SELECT DISTINCT trace_id FROM feedback WHERE {inside} AND {condition.format('value')}"
        else:
            query = f"SELECT trace_id FROM feedback WHERE {inside} GROUP BY trace_id HAVING {condition.format(what)}"
        with self._telling(), reading(self._path, _READ_S) as connection:
            return [row[0] for row in connection.execute(query, (*inside_parameters, *parameters))]

    def _select(self, scope: Scope, where: str, parameters: tuple[object, ...]) -> list[Feedback]:
        with self._telling(), reading(self._path, _READ_S) as connection:
            return [item for item in _read(connection, where, parameters) if _is_in(scope, item)]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._telling(), contextlib.closing(writing(self._path, SCHEMA, is_durable=True)) as connection:
            with transaction(connection):
                yield connection

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Raises Unavailable in place of what a file that is damaged or gone brings about; marks it for the writer."""
        try:
            yield
        except (sqlite3.DatabaseError, FileNotFoundError) as error:
            is_gone = isinstance(error, FileNotFoundError) or "no such table" in str(error)
            if not is_gone and not is_damage(error):
                raise
            mark(self._path)
            _log.error("feedback cannot be used: %s", error)
            raise Unavailable(
                "The file of feedback is damaged or gone; it is made again within seconds, try then"
            ) from None


def _is_in(scope: Scope, item: Feedback) -> bool:
    return scope.workspaces is None or item.workspace_id in scope.workspaces


def _scope(scope: Scope) -> tuple[str, tuple[str, ...]]:
    if scope.workspaces is None:
        return "1", ()
    return f"workspace_id IN ({', '.join('?' * len(scope.workspaces))})", tuple(sorted(scope.workspaces))


def _values(item: Feedback) -> tuple[object, ...]:
    return tuple(_encode(v).decode() if name == "metadata" else v for name, v in msgspec.structs.asdict(item).items())


def _read(connection: sqlite3.Connection, where: str, parameters: tuple[object, ...]) -> Iterator[Feedback]:
    for row in connection.execute(f"SELECT {', '.join(_NAMES)} FROM feedback {where}", parameters):
        yield Feedback(**_named(row))


def _named(row: Sequence[Any]) -> dict[str, Any]:
    values = dict(zip(_NAMES, row, strict=True))
    return {**values, "metadata": _decode(values["metadata"])}
