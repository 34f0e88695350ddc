"""Pages of lists, counted from zero. A size above the maximum is lowered, not refused.

Source: control-plane specification, section 0.6.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

Item = TypeVar("Item")

_LAST_PAGE = 10_000_000
"""So that no position is beyond what a database can count."""


class PageQuery(Struct, frozen=True, kw_only=True):
    """Which page of a list: ``pageSize`` and ``page_size`` both do."""

    page_size: Annotated[int, Meta(ge=1)] | None = None
    """How many entries a page has."""
    current_page: Annotated[int, Meta(ge=0)] = 0
    """The page, the first one being 0."""


class Window(Struct, frozen=True):
    """A page as the store wants it."""

    number: int
    size: int


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """The answer of every list. ``total`` counts all pages."""

    total: int
    data: list[Item]
    object: str = "list"


def window(query: PageQuery, *, default: int = 100, most: int = 500) -> Window:
    """Return the page that a query asks for."""
    size = min(query.page_size or default, most)
    return Window(min(query.current_page, _LAST_PAGE), size)
