"""What an export holds of a record: columns of the row, previews, keys of the metadata, bodies; by name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from lockgate.core.capture import VIEWS
from lockgate.errors import InvalidRequest
from lockgate.records.bodies.assembly import Timeline
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.plain import SHOWN
from lockgate.records.query.fields import METADATA_PREFIXES, find_field
from lockgate.records.row import COLUMNS, Kind, Row
from lockgate.records.store import Entry

PREVIEWS = ("request_preview", "response_preview")
DETAILS = "body_details"
"""As JSON: headers, what was taken out or cut, the rhythm of a stream, and the bodies of attempts that failed."""
BODIES: Sequence[str] = (*VIEWS, DETAILS)
DEFAULT = (*SHOWN, *PREVIEWS)
NOT_TEXT = "base64:"
"""Begins a body that is no UTF-8 text, or that begins so itself."""
FLAT = "meta."
"""Begins the column of a key of the metadata."""
_encode = msgspec.json.Encoder().encode


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


def flattened(columns: Sequence[Column], keys: Sequence[str]) -> tuple[Column, ...]:
    """Return columns with one for each key of the metadata, after them or where ``metadata`` stood."""
    named = {column.name for column in columns}
    flat = [column for key in keys if (column := _of_key(FLAT + key, key)).name not in named]
    at = next((number for number, column in enumerate(columns) if column.name == "metadata"), len(columns))
    return (*columns[:at], *flat, *(column for column in columns[at:] if column.name != "metadata"))


def needs_bodies(columns: Sequence[Column]) -> bool:
    """Whether bodies have to be read for these columns."""
    return any(column.name in BODIES for column in columns)


def item_of(columns: Sequence[Column], entry: Entry, bodies: Bodies | None) -> Mapping[str, object]:
    """Return a record's values by column; None where there is none."""
    return {column.name: column.read(entry, bodies) for column in columns}


def _column(name: str) -> Column:
    if name in PREVIEWS:
        return Column(name, "text", lambda entry, _: getattr(entry.preview, name) or None if entry.preview else None)
    if name == DETAILS:
        return Column(name, "json", lambda _, bodies: details_of(bodies))
    if name in BODIES:
        return Column(name, "text", lambda _, bodies: body_of(bodies, name))
    field = find_field(name)
    if name in SHOWN:
        return Column(name, COLUMNS[name], _of_row(name))
    if field is None or field.column not in COLUMNS:
        raise InvalidRequest(f"There is no column {name!r}", path="columns")
    if field.key is not None:
        prefix = next(each for each in METADATA_PREFIXES if name.startswith(each))
        return _of_key(prefix + field.key, field.key)
    return Column(field.column, COLUMNS[field.column], _of_row(field.column))


def _of_key(name: str, key: str) -> Column:
    return Column(name, "text", lambda entry, _: entry.row.metadata.get(key))


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
    return None if view is None else _text_of(view.data)


class FailedDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The bodies of an attempt that failed, by its place among the record's attempts."""

    number: int
    request: str | None = None
    response: str | None = None


class Cut(Struct, frozen=True, kw_only=True):
    """A body that is not there as it was."""

    size_bytes: int
    is_truncated: bool


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept beside the four bodies of a request."""

    request_headers: Sequence[tuple[str, str]] = ()
    response_headers: Sequence[tuple[str, str]] = ()
    redactions: Mapping[str, int] = {}
    timeline: Timeline | None = None
    cut: Mapping[str, Cut] = {}
    """Bodies that had another size, by the names of their views."""
    failed: Sequence[FailedDetails] = ()


def details_of(bodies: Bodies | None) -> str | None:
    """Return what is kept beside the bodies as JSON text; None when nothing is kept."""
    if bodies is None:
        return None
    views: dict[str, View] = {str(name): view for name, view in bodies.views.items()}
    failed: list[FailedDetails] = []
    for attempt in bodies.failed:
        texts: dict[str, str] = {}
        for side, view in (("request", attempt.request), ("response", attempt.response)):
            if view is not None:
                views[view.name], texts[side] = view, _text_of(view.data)
        failed.append(FailedDetails(number=attempt.number, **texts))
    cut = {
        name: Cut(size_bytes=view.size_bytes, is_truncated=view.is_truncated)
        for name, view in views.items()
        if view.is_truncated or view.size_bytes != len(view.data)
    }
    details = Details(
        request_headers=bodies.request_headers, response_headers=bodies.response_headers,
        redactions=bodies.redactions, timeline=bodies.timeline, cut=cut, failed=failed,
    )  # fmt: skip
    return _encode(details).decode()


def _text_of(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = NOT_TEXT
    return NOT_TEXT + base64.b64encode(data).decode() if text.startswith(NOT_TEXT) else text
