"""Feedback: small, changeable, and so in a file of its own, which any process may write."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.records.embedded.sqlite import reading, transaction, writing
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
_READ_S = 5.0
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

    def add(self, items: Sequence[Feedback]) -> None:
        """Keep all or none; an id that is there already stays as it is."""
        marks = ", ".join("?" * len(_NAMES))
        with self._writing() as connection:
            connection.executemany(f"INSERT OR IGNORE INTO feedback VALUES ({marks})", map(_values, items))

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
        with reading(self._path, _READ_S) as connection:
            return [row[0] for row in connection.execute(query, (*inside_parameters, *parameters))]

    def _select(self, scope: Scope, where: str, parameters: tuple[object, ...]) -> list[Feedback]:
        with reading(self._path, _READ_S) as connection:
            return [item for item in _read(connection, where, parameters) if _is_in(scope, item)]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = writing(self._path, SCHEMA, is_durable=True)
        try:
            with transaction(connection):
                yield connection
        finally:
            connection.close()


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
        values = dict(zip(_NAMES, row, strict=True))
        yield Feedback(**{**values, "metadata": _decode(values["metadata"])})
