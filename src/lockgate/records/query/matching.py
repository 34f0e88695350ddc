"""The filter tree applied to a row in hand: for live tails, tombstones and whatever has not reached a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

import re2

from lockgate.records.query.tree import AllOf, AnyOf, Compare, Node, Not, Text, Value
from lockgate.records.row import Preview, Row

Test: TypeAlias = Callable[[Row, Preview | None], bool]

_STRINGS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda have, want: want in have,
    "starts": lambda have, want: have.startswith(want),
    "ends": lambda have, want: have.endswith(want),
}


def matcher(node: Node) -> Test:
    """Return a function that tells whether a row is selected. Without its preview a text finds only error messages."""
    match node:
        case Compare():
            return _compare(node)
        case Text(text):
            return _text(text)
        case Not(child):
            inner = matcher(child)
            return lambda row, preview: not inner(row, preview)
        case AllOf(children):
            tests = [matcher(child) for child in children]
            return lambda row, preview: all(test(row, preview) for test in tests)
        case AnyOf(children):
            tests = [matcher(child) for child in children]
            return lambda row, preview: any(test(row, preview) for test in tests)


def _text(text: str) -> Test:
    want = text.lower()

    def test(row: Row, preview: Preview | None) -> bool:
        texts = [row.error_message or ""]
        if preview is not None:
            texts += (preview.request_preview, preview.response_preview, preview.text)
        return any(want in have.lower() for have in texts)

    return test


def _compare(node: Compare) -> Test:
    check = value_test(node)
    if node.key is not None:
        key = node.key
        return lambda row, _preview: (have := row.metadata.get(key)) is not None and check(have)
    field = node.field
    return lambda row, _preview: (have := getattr(row, field)) is not None and check(have)


def value_test(node: Compare) -> Callable[[object], bool]:
    """Return what tells whether a value that is there is one of those that a comparison selects."""
    want = node.values[0] if node.values else None
    match node.op:
        case "exists":
            return lambda have: have != ()
        case "in":
            values = frozenset(node.values)
            return lambda have: have in values
        case "has_any":
            return lambda have: isinstance(have, Collection) and any(value in have for value in node.values)
        case "has_all":
            return lambda have: isinstance(have, Collection) and all(value in have for value in node.values)
        case "matches":
            regex = re2.compile(str(want))
            return lambda have: regex.search(str(have)) is not None
        case "contains" | "starts" | "ends":
            find = _STRINGS[node.op]
            return lambda have: find(str(have), str(want))
        case _:
            return _order(node.op, want)


def _order(op: str, want: Value | None) -> Callable[[object], bool]:
    assert isinstance(want, int | float)
    match op:
        case "lt":
            return lambda have: isinstance(have, int | float) and have < want
        case "le":
            return lambda have: isinstance(have, int | float) and have <= want
        case "gt":
            return lambda have: isinstance(have, int | float) and have > want
        case _:
            return lambda have: isinstance(have, int | float) and have >= want
