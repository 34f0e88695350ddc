"""``/logs``: the records of requests, found and shown.

Source: control-plane specification, sections 6.2 and 6.3.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Raw, Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.log_content import VIEW_CONTENT, content_of
from lockgate.admin.record_filters import FilterQuery, selection_of
from lockgate.admin.record_scope import desk_of, reader_of, scope_of
from lockgate.errors import NotFound
from lockgate.records.plain import plain
from lockgate.records.row import FAR_FUTURE_US, Row
from lockgate.records.store import PageQuery, SortField


class LogQuery(FilterQuery, frozen=True, kw_only=True):
    """Which records, the newest first. The filters are Portkey's; ``query`` is a line of the search box."""

    workspace_id: str | None = None
    """Whose records, by id or slug; a key of the organisation may ask for ``*``, all of them."""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    cursor: str | None = None
    """``next_cursor`` of the page before, with everything else as it was."""
    sort: SortField = "started_us"
    ascending: bool = False

    ignorable: ClassVar[frozenset[str]] = frozenset()
    """Without a misspelt filter others would be shown than were meant."""


class LogPage(Struct, frozen=True, kw_only=True):
    """A page of records; ``next_cursor`` is null at the end."""

    data: list[Raw]
    next_cursor: str | None
    object: str = "list"


class PlaceQuery(Struct, frozen=True, kw_only=True):
    """Whose records."""

    workspace_id: str | None = None


def list_(call: Call[Nothing, LogQuery]) -> LogPage:
    """List records."""
    query, reader = call.query, reader_of(call)
    selection = selection_of(call, query)
    page = reader.page(
        PageQuery(
            scope=scope_of(call, query.workspace_id),
            filter=selection.filter,
            from_us=selection.from_us,
            to_us=min(selection.to_us + 1, FAR_FUTURE_US),
            limit=query.limit,
            cursor=query.cursor,
            sort=query.sort,
            is_ascending=query.ascending,
        )
    )
    return LogPage(data=[_shown(entry.row) for entry in page.entries], next_cursor=page.next_cursor)


def show(call: Call[Nothing, PlaceQuery]) -> Raw:
    """Show the record with an id, or one to which the id belongs: of a response, span, trace or upstream request.

    With the request and the answer, for who may see them.
    """
    id, desk = call.parameters["id"], desk_of(call)
    reader = desk.reader
    scope = scope_of(call, call.query.workspace_id)
    entry = reader.get(id, scope)
    found = [entry.row] if entry is not None else reader.find(id, scope, limit=1)
    if not found:
        raise NotFound(f"There is no record {id[:100]}", wire_code="AB02")
    row = found[0]
    return Raw(msgspec.json.encode({**plain(row), **content_of(call, desk, row)}))


def _shown(row: Row) -> Raw:
    return Raw(msgspec.json.encode(plain(row)))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/logs", access=needs("logs.list"), summary="List records of requests",
        query=LogQuery, reply=LogPage, handler=list_,
    ),
    Endpoint(
        method="GET", path="/logs/{id}", access=needs(VIEW_CONTENT, "logs.list"),
        summary="Show a record by any of its ids, with its content for who has logs.view",
        query=PlaceQuery, handler=show,
    ),
)  # fmt: skip
