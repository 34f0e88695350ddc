"""How values of records read in a table: money in dollars, times in the unit that fits, moments in UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

from msgspec import Struct

from lockgate.core.plain_text import printable
from lockgate.errors import InvalidRequest
from lockgate.records.query.fields import ALIASES, Field, find_field
from lockgate.records.row import COLUMNS
from lockgate.records.store import Entry

DEFAULT_COLUMNS = "time,status,model,slug,tokens,cost,duration,cache,key_name,id"
_PREVIEWS = ("request_preview", "response_preview")
_MAX_PREVIEW = 60
_MAX_CELL = 500
_MICRO = 1_000_000
_NANO = 1_000_000_000
_MINUTE_US = 60 * _MICRO
_MIN_PLACES_NANO = 10_000_000


class Column(Struct, frozen=True):
    """A column of a table: how it is called, and how an entry's value reads."""

    name: str
    read: Callable[[Entry], str]


def columns_of(text: str) -> Sequence[Column]:
    """Return the columns that a list of names with commas asks for. Raises InvalidRequest for a name that is none."""
    return [_column(name.strip()) for name in text.split(",") if name.strip()]


def _column(name: str) -> Column:
    if name in _PREVIEWS:
        return Column(name, lambda entry: _preview(entry, name))
    field = find_field(name)
    if field is None or field.column not in COLUMNS:
        raise InvalidRequest(f"There is no column {name!r}; {_hint(name, field)}", path="columns")
    return Column(name, lambda entry: cell(field, _value(entry, field)))


def _hint(name: str, field: Field | None) -> str:
    """Return what to say about a name that is no column."""
    if field is not None:
        return "a filter may ask for it, but it is not a part of the record"
    near = get_close_matches(name, [*ALIASES, *COLUMNS, *_PREVIEWS], 1)
    if near:
        return f"did you mean {near[0]}?"
    return f"columns are the fields of a record by the names of filters, meta.KEY, {' and '.join(_PREVIEWS)}"


def cell(field: Field, value: object) -> str:
    """Return a value as people read it; "" when there is none."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        shown = _UNITS.get(field.unit)
        return shown(value) if shown is not None else str(value)
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text}" for key, text in value.items())
    return str(value)


def shown_money(nanos: int) -> str:
    """Return dollars: two decimal places, or as many as a small sum needs."""
    if nanos % _MIN_PLACES_NANO == 0 or abs(nanos) >= 100 * _NANO:
        return f"${nanos / _NANO:.2f}"
    return f"${nanos / _NANO:.9f}".rstrip("0")


def shown_time(us: int) -> str:
    """Return a length of time in the unit that fits."""
    if abs(us) < 1000:
        return f"{us} us"
    if abs(us) < _MICRO:
        return f"{us / 1000:.3g} ms" if abs(us) < 999_500 else "1 s"
    return f"{us / _MICRO:.2f} s" if abs(us) < _MINUTE_US else f"{us // _MINUTE_US} min {us % _MINUTE_US // _MICRO} s"


def shown_moment(us: int) -> str:
    """Return a point in time in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(us // _MICRO, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{us % _MICRO // 1000:03d}"


def one_line(text: str) -> str:
    """Return a text as it may stand in a line of a terminal: no line ends, nothing that steers it, and not endless."""
    return printable(text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…")


_UNITS: Mapping[str, Callable[[int], str]] = {"money": shown_money, "time": shown_time, "moment": shown_moment}


def _value(entry: Entry, field: Field) -> object:
    if field.key is not None:
        return entry.row.metadata.get(field.key)
    return getattr(entry.row, field.column)


def _preview(entry: Entry, name: str) -> str:
    text: str = getattr(entry.preview, name) if entry.preview is not None else ""
    return text if len(text) <= _MAX_PREVIEW else text[: _MAX_PREVIEW - 1] + "…"
