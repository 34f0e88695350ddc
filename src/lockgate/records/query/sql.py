"""The filter tree as SQL: column names come from the table of columns, everything else is a parameter.

What differs between engines is a ``Speech``. A comparison with NULL is NULL and selects nothing; under a negation it
is made false first, so that NOT selects the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec
from msgspec import Struct

from lockgate.records.query.tree import AllOf, AnyOf, Compare, Node, Not, Text, Value
from lockgate.records.row import COLUMNS

Parameter: TypeAlias = Value | None

_ORDER: Mapping[str, str] = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_MANY = 20
_encode = msgspec.json.Encoder().encode


class Sql(Struct, frozen=True):
    """An expression and its parameters, in the order of their question marks."""

    text: str
    parameters: tuple[Parameter, ...] = ()


class Speech(Protocol):
    """How an engine says what SQL leaves open."""

    def metadata(self, key: str) -> Sql:
        """Return the value of a key of the metadata, NULL when it is not there."""
        ...

    def one_of(self, have: Sql, values: Sequence[Value]) -> Sql:
        """Return whether the value is one of many."""
        ...

    def contains(self, have: Sql, want: str) -> Sql:
        """Return whether a text stands in another, letter for letter."""
        ...

    def matches(self, have: Sql, pattern: str) -> Sql:
        """Return whether a regular expression is found in a text."""
        ...

    def has(self, column: str, value: Value) -> Sql:
        """Return whether a list holds a value."""
        ...

    def is_filled(self, column: str) -> Sql:
        """Return whether a list has items."""
        ...

    def text(self, text: str) -> Sql:
        """Return whether previews, text or error message of the row hold a text, whatever the case."""
        ...


def compile_filter(node: Node, speech: Speech) -> Sql:
    """Return the condition of a tree."""
    match node:
        case Compare():
            return _compare(node, speech)
        case Text(text):
            return speech.text(text)
        case Not(child):
            inner = compile_filter(child, speech)
            return Sql(f"NOT COALESCE({inner.text}, FALSE)", inner.parameters)
        case AllOf(children):
            return _join([compile_filter(child, speech) for child in children], " AND ", "TRUE")
        case AnyOf(children):
            return _join([compile_filter(child, speech) for child in children], " OR ", "FALSE")


def _join(parts: list[Sql], word: str, empty: str) -> Sql:
    if not parts:
        return Sql(empty)
    if len(parts) == 1:
        return parts[0]
    return Sql(f"({word.join(p.text for p in parts)})", tuple(value for p in parts for value in p.parameters))


def _compare(node: Compare, speech: Speech) -> Sql:
    if node.field not in COLUMNS:
        raise KeyError(node.field)
    have = speech.metadata(node.key or "") if node.field == "metadata" else Sql(node.field)
    first = str(node.values[0]) if node.values else ""
    match node.op:
        case "exists":
            filled = speech.is_filled(node.field) if COLUMNS[node.field] == "list" else None
            return filled or Sql(f"{have.text} IS NOT NULL", have.parameters)
        case "in":
            return _one_of(have, node.values, speech)
        case "has_any":
            return _join([speech.has(node.field, value) for value in node.values], " OR ", "FALSE")
        case "has_all":
            return _join([speech.has(node.field, value) for value in node.values], " AND ", "TRUE")
        case "contains":
            return speech.contains(have, first)
        case "starts":
            return Sql(f"substr({have.text}, 1, {len(first)}) = ?", (*have.parameters, first))
        case "ends":
            return _ends(have, first)
        case "matches":
            return speech.matches(have, first)
        case _:
            return Sql(f"{have.text} {_ORDER[node.op]} ?", (*have.parameters, node.values[0]))


def _ends(have: Sql, want: str) -> Sql:
    if not want:
        return Sql(f"{have.text} IS NOT NULL", have.parameters)
    return Sql(f"substr({have.text}, -{len(want)}) = ?", (*have.parameters, want))


def _one_of(have: Sql, values: Sequence[Value], speech: Speech) -> Sql:
    if len(values) == 1:
        return Sql(f"{have.text} = ?", (*have.parameters, values[0]))
    if not values:
        return Sql("FALSE")
    if len(values) > _MANY:
        return speech.one_of(have, values)
    return Sql(f"{have.text} IN ({', '.join('?' * len(values))})", (*have.parameters, *values))


class SqliteSpeech:
    """SQLite: ``re2_found`` and ``fold`` are functions of ours, lists and metadata are JSON text."""

    def metadata(self, key: str) -> Sql:
        """A key may hold any sign, so that no JSON path is built from it."""
        return Sql("(SELECT value FROM json_each(metadata) WHERE key = ?)", (key,))

    def one_of(self, have: Sql, values: Sequence[Value]) -> Sql:
        """One parameter, however many values: the number of parameters is limited."""
        return Sql(f"{have.text} IN (SELECT value FROM json_each(?))", (*have.parameters, _encode(values).decode()))

    def contains(self, have: Sql, want: str) -> Sql:
        """By letters, also in text that holds NUL."""
        return Sql(f"instr({have.text}, ?) > 0", (*have.parameters, want))

    def matches(self, have: Sql, pattern: str) -> Sql:
        """The same engine as everywhere."""
        return Sql(f"re2_found({have.text}, ?)", (*have.parameters, pattern))

    def has(self, column: str, value: Value) -> Sql:
        """Lists are short."""
        return Sql(f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = ?)", (value,))

    def is_filled(self, column: str) -> Sql:
        """An empty list is stored as NULL."""
        return Sql(f"{column} IS NOT NULL")

    def text(self, text: str) -> Sql:
        """By the index of texts, and by the error message."""
        found = self.text_ids(text)
        message = "instr(fold(COALESCE(error_message, '')), fold(?)) > 0"
        return Sql(f"(id IN ({found.text}) OR {message})", (*found.parameters, text))

    def text_ids(self, text: str) -> Sql:
        """By the trigram index; texts of one or two letters are looked for one by one."""
        if len(text) < 3:
            texts = "fold(request_preview || ' ' || response_preview || ' ' || text)"
            return Sql(f"SELECT id FROM previews WHERE instr({texts}, fold(?)) > 0", (text,))
        phrase = '"' + text.replace('"', '""') + '"'
        return Sql("SELECT p.id FROM words JOIN previews p ON p.seq = words.rowid WHERE words MATCH ?", (phrase,))


def values_of(values: Sequence[Value]) -> Sql:
    """Return a query of values for DuckDB, as JSON: its driver takes 0.2 ms for each item of a list."""
    kind = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT"}.get(type(values[0]) if values else str, "DOUBLE")
    return Sql(f"SELECT unnest(from_json(?, '[\"{kind}\"]'))", (_encode(values).decode(),))


class DuckSpeech:
    """DuckDB over Parquet; ``previews`` is a view of the files that hold previews and text."""

    def metadata(self, key: str) -> Sql:
        """A column of maps."""
        return Sql("metadata[?]", (key,))

    def one_of(self, have: Sql, values: Sequence[Value]) -> Sql:
        """One parameter, however many values."""
        found = values_of(values)
        return Sql(f"{have.text} IN ({found.text})", (*have.parameters, *found.parameters))

    def contains(self, have: Sql, want: str) -> Sql:
        """By letters."""
        return Sql(f"contains({have.text}, ?)", (*have.parameters, want))

    def matches(self, have: Sql, pattern: str) -> Sql:
        """DuckDB's regular expressions are RE2."""
        return Sql(f"regexp_matches({have.text}, ?)", (*have.parameters, pattern))

    def has(self, column: str, value: Value) -> Sql:
        """A column of lists."""
        return Sql(f"list_contains({column}, ?)", (value,))

    def is_filled(self, column: str) -> Sql:
        """An empty list is stored as NULL."""
        return Sql(f"{column} IS NOT NULL")

    def text(self, text: str) -> Sql:
        """By reading the texts, and the error message."""
        found = self.text_ids(text)
        message = "contains(lower(COALESCE(error_message, '')), lower(?))"
        return Sql(f"(id IN ({found.text}) OR {message})", (*found.parameters, text))

    def text_ids(self, text: str) -> Sql:
        """By reading the texts."""
        found = (
            "SELECT id FROM previews WHERE contains(lower(request_preview), lower(?))"
            " OR contains(lower(response_preview), lower(?)) OR contains(lower(text), lower(?))"
        )
        return Sql(found, (text,) * 3)
