"""Filters: which rows of a table a reader asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Table

Value: TypeAlias = str | int | bool | datetime | None
Wanted: TypeAlias = Value | Sequence[Value]
"""One value, or any of several."""


def conditions(table: Table, equals: Mapping[str, Wanted]) -> list[ColumnElement[bool]]:
    """Return the conditions under which a row's columns have the values. Raises KeyError for what is no column."""
    return [_condition(table.c[name], wanted) for name, wanted in equals.items()]


def _condition(column: ColumnElement[Any], wanted: Wanted) -> ColumnElement[bool]:
    if wanted is None:
        return column.is_(None)
    if isinstance(wanted, str | int | datetime):
        return column.in_(_storable([wanted]))
    return column.in_(_storable(wanted))


def is_storable(text: str) -> bool:
    """Tell whether a database can hold a text, and compare with it: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def _storable(values: Sequence[Value]) -> list[Value]:
    """Leave out what equals nothing that is stored."""
    return [value for value in values if not isinstance(value, str) or is_storable(value)]
