"""``/traces``: requests that belong together, listed, and shown as the tree of their attempts and stages.

Spans hold structure only: names, times, status, tokens and money. ``/logs/{record_id}`` has the rest of one.
Source: observability specification, sections 2.1 and 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, Struct, structs

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.record_filters import FilterQuery, selection_of
from lockgate.admin.record_scope import reader_of, scope_of
from lockgate.errors import NotFound
from lockgate.records.query.tree import Compare, Node, all_of
from lockgate.records.row import FAR_FUTURE_US, Row
from lockgate.records.store import PageQuery, Position, RecordReader, Scope, write_cursor
from lockgate.records.traces import Span, Trace, build_trace

_ROWS_AT_ONCE = 1000
_ROWS_AT_MOST = 20_000
"""Records that one page of traces looks at, before it ends and leaves the rest to the next one."""


class TracesQuery(FilterQuery, frozen=True, kw_only=True):
    """Which traces: those of which a record is selected, the one with the newest such record first."""

    workspace_id: str | None = None
    """Whose records, by id or slug; a key of the organisation may ask for ``*``, all of them."""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: str | None = None
    """``next_cursor`` of the page before, with everything else as it was."""

    ignorable: ClassVar[frozenset[str]] = frozenset()
    """Without a misspelt filter others would be shown than were meant."""


class TraceQuery(Struct, frozen=True, kw_only=True):
    """Whose records, and which part of the tree."""

    workspace_id: str | None = None
    limit: Annotated[int, Meta(ge=1, le=20_000)] = 2000
    """How many spans."""
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] = 0


class Summary(Struct, frozen=True, kw_only=True):
    """What the spans of a trace add up to. Times are in microseconds, money in nano-dollars."""

    trace_id: str
    name: str | None
    """Of its earliest request."""
    started_us: int
    duration_us: int
    span_count: int
    error_count: int
    total_tokens: int
    cost_nano: int
    models: tuple[str, ...]


class Tree(Summary, frozen=True, kw_only=True):
    """A trace: parents stand before their children, and ``depth`` says how deep."""

    spans: Sequence[Span]
    next_offset: int | None
    """Where to go on; null at the end."""
    object: str = "trace"


class TracePage(Struct, frozen=True, kw_only=True):
    """A page of traces; ``next_cursor`` is null at the end."""

    data: list[Summary]
    next_cursor: str | None
    object: str = "list"


def list_(call: Call[Nothing, TracesQuery]) -> TracePage:
    """List traces."""
    query, reader = call.query, reader_of(call)
    selection = selection_of(call, query)
    scope, to_us = scope_of(call, query.workspace_id), min(selection.to_us + 1, FAR_FUTURE_US)
    asked = PageQuery(scope=scope, filter=selection.filter, from_us=selection.from_us, to_us=to_us, limit=_ROWS_AT_ONCE)
    in_range = Compare("started_us", "ge", (selection.from_us,)), Compare("started_us", "lt", (to_us,))
    matching = all_of(selection.filter, *in_range)
    found: list[Summary] = []
    seen, cursor = 0, query.cursor
    while True:
        page = reader.page(structs.replace(asked, cursor=cursor))
        rows = [entry.row for entry in page.entries]
        for row, summary in _newest(reader, rows, scope, matching):
            found.append(summary)
            if len(found) == query.limit:
                is_last = page.next_cursor is None and row is rows[-1]
                return TracePage(data=found, next_cursor=None if is_last else _after(row))
        seen, cursor = seen + len(rows), page.next_cursor
        if cursor is None or seen >= _ROWS_AT_MOST:
            return TracePage(data=found, next_cursor=cursor)


def show(call: Call[Nothing, TraceQuery]) -> Tree:
    """Show a trace by its id, or by any id of a record of it."""
    id, query, reader = call.parameters["id"], call.query, reader_of(call)
    scope = scope_of(call, query.workspace_id)
    rows = reader.trace(id, scope)
    if not rows:
        found = next((row for row in reader.find(id, scope) if row.trace_id is not None), None)
        if found is not None and found.trace_id is not None:
            id = found.trace_id
            rows = reader.trace(id, scope)
    trace = build_trace(id, rows)
    if trace is None:
        raise NotFound(f"There is no trace {id[:100]}", wire_code="AB02")
    end = query.offset + query.limit
    return Tree(
        **structs.asdict(_summed(trace)), spans=trace.spans[query.offset : end],
        next_offset=end if end < trace.span_count else None,
    )  # fmt: skip


def _newest(reader: RecordReader, rows: Sequence[Row], scope: Scope, matching: Node) -> list[tuple[Row, Summary]]:
    """Return the traces whose newest selected record is among the rows: each trace stands on one page only."""
    ids = sorted({row.trace_id for row in rows if row.trace_id is not None})
    newest: dict[str | None, tuple[int, str]] = {}
    for row in reader.rows_of_traces(ids, scope, where=matching):
        newest[row.trace_id] = max(newest.get(row.trace_id, (0, "")), (row.started_us, row.id))
    first = [row for row in rows if newest.get(row.trace_id) == (row.started_us, row.id)]
    members: dict[str | None, list[Row]] = {}
    for row in reader.rows_of_traces(sorted({row.trace_id or "" for row in first}), scope):
        members.setdefault(row.trace_id, []).append(row)
    found = []
    for row in first:
        trace = build_trace(row.trace_id or "", members.get(row.trace_id, []))
        if trace is not None:
            found.append((row, _summed(trace)))
    return found


def _summed(trace: Trace) -> Summary:
    return Summary(
        trace_id=trace.id, name=trace.name, started_us=trace.started_us, duration_us=trace.duration_us,
        span_count=trace.span_count, error_count=trace.error_count, total_tokens=trace.total_tokens,
        cost_nano=trace.cost_nano, models=trace.models,
    )  # fmt: skip


def _after(row: Row) -> str:
    return write_cursor(Position(row.started_us, row.id))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/traces", access=needs("logs.list"), summary="List traces",
        query=TracesQuery, reply=TracePage, handler=list_,
    ),
    Endpoint(
        method="GET", path="/traces/{id}", access=needs("logs.view"), summary="Show a trace by any id of it",
        query=TraceQuery, reply=Tree, handler=show,
    ),
)  # fmt: skip
