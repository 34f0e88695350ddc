"""Lists that are given out page by page, between the ids of their objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qs

from lockgate.simulator.anthropic.errors import ApiError

Query = Mapping[str, list[str]]
_MOST = 1000


class Listed(Protocol):
    """Something with an id."""

    @property
    def id(self) -> str:
        """The id that a page may begin behind."""
        ...


T = TypeVar("T", bound=Listed)


class Page(NamedTuple):
    """A page as JSON values."""

    data: list[dict[str, Any]]
    has_more: bool

    def write(self) -> dict[str, Any]:
        """Return the page in the shape with the ids of its first and last object."""
        return {
            "data": self.data,
            "has_more": self.has_more,
            "first_id": self.data[0]["id"] if self.data else None,
            "last_id": self.data[-1]["id"] if self.data else None,
        }


def read_query(query: str) -> Query:
    """Return the values of each key; ``ids[]`` is the same as ``ids``."""
    found: dict[str, list[str]] = {}
    for key, values in parse_qs(query, keep_blank_values=True).items():
        found.setdefault(key.removesuffix("[]"), []).extend(values)
    return found


def read_limit(query: Query) -> int:
    """Return how many objects a page may have. Raises :class:`ApiError`."""
    text = query.get("limit", ["20"])[0]
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        raise ApiError("limit: Input should be a valid integer, unable to parse string as an integer")
    limit = int(text)
    if not 1 <= limit <= _MOST:
        bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {_MOST}"
        raise ApiError(f"limit: Input should be {bound}")
    return limit


def cut_page(items: Sequence[T], query: Query, write: Callable[[T], dict[str, Any]]) -> Page:
    """Return the page that ``limit`` with ``after_id`` or ``before_id`` asks for. Raises :class:`ApiError`."""
    limit = read_limit(query)
    if "after_id" in query and "before_id" in query:
        raise ApiError("only one of `after_id` and `before_id` may be given")
    name = "before_id" if "before_id" in query else "after_id"
    cursor = query.get(name, [""])[0]
    position = next((index for index, item in enumerate(items) if item.id == cursor), None)
    if cursor and position is None:
        raise ApiError(f"{name}: no such object: {cursor}")
    if name == "before_id" and position is not None:
        rest = items[:position]
        return Page([write(item) for item in rest[-limit:]], len(rest) > limit)
    rest = items if position is None else items[position + 1 :]
    return Page([write(item) for item in rest[:limit]], len(rest) > limit)
