"""What an export holds of a record: columns of the row, previews, keys of the metadata, bodies; by name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from lockgate.core.capture import VIEWS
from lockgate.errors import InvalidRequest
from lockgate.records.bodies.store import Bodies
from lockgate.records.plain import SHOWN
from lockgate.records.query.fields import METADATA_PREFIXES, find_field
from lockgate.records.row import COLUMNS, Kind, Row
from lockgate.records.store import Entry

PREVIEWS = ("request_preview", "response_preview")
BODIES: Sequence[str] = VIEWS
DEFAULT = (*SHOWN, *PREVIEWS)
NOT_TEXT = "base64:"
"""Begins a body that is no UTF-8 text."""


class Column(Struct, frozen=True):
    """A column of an export: its name, what it holds, and how it is read."""

    name: str
    kind: Kind
    read: Callable[[Entry, Bodies | None], object]


def columns_of(names: Sequence[str] = DEFAULT) -> tuple[Column, ...]:
    """Return columns by their names, short ones and ``meta.KEY`` too. Raises InvalidRequest for one that is none."""
    found = tuple(_column(name) for name in names)
    if len({column.name for column in found}) != len(found):
        raise InvalidRequest("A column is named twice", path="columns")
    return found


def needs_bodies(columns: Sequence[Column]) -> bool:
    """Whether bodies have to be read for these columns."""
    return any(column.name in BODIES for column in columns)


def item_of(columns: Sequence[Column], entry: Entry, bodies: Bodies | None) -> Mapping[str, object]:
    """Return a record's values by column; None where there is none."""
    return {column.name: column.read(entry, bodies) for column in columns}


def _column(name: str) -> Column:
    if name in PREVIEWS:
        return Column(name, "text", lambda entry, _: getattr(entry.preview, name) or None if entry.preview else None)
    if name in BODIES:
        return Column(name, "text", lambda _, bodies: body_of(bodies, name))
    field = find_field(name)
    if name in SHOWN:
        return Column(name, COLUMNS[name], _of_row(name))
    if field is None or field.column not in COLUMNS:
        raise InvalidRequest(f"There is no column {name!r}", path="columns")
    if field.key is not None:
        key = field.key
        prefix = next(each for each in METADATA_PREFIXES if name.startswith(each))
        return Column(prefix + key, "text", lambda entry, _: entry.row.metadata.get(key))
    return Column(field.column, COLUMNS[field.column], _of_row(field.column))


def _of_row(name: str) -> Callable[[Entry, Bodies | None], object]:
    if COLUMNS[name] not in ("list", "map"):
        return lambda entry, _: getattr(entry.row, name)
    return lambda entry, _: _full(entry.row, name)


def _full(row: Row, name: str) -> object:
    """Return a list or a map, None when it is empty."""
    value: object = getattr(row, name)
    return value or None


def body_of(bodies: Bodies | None, name: str) -> str | None:
    """Return a body as text; what is no text follows ``base64:``."""
    view = next((view for key, view in bodies.views.items() if key == name), None) if bodies is not None else None
    if view is None:
        return None
    try:
        return view.data.decode()
    except UnicodeDecodeError:
        return NOT_TEXT + base64.b64encode(view.data).decode()
