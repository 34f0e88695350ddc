"""``/analytics``: what records add up to, over time and by group, in Portkey's paths and shapes.

Graphs: ``requests``, ``cost``, ``latency``, ``tokens``, ``users``, ``users/requests``, ``errors``, ``errors/rate``,
``errors/stacks``, ``errors/status-codes``, ``requests/rescued``, ``cache/hit-rate``, ``cache/latency``, ``feedbacks``,
``feedbacks/scores``, ``feedbacks/weighted``, ``feedbacks/ai-models``. Groups: ``users``, ``ai-models``, ``workspaces``,
``provider``, ``ai_service``, ``model``, ``status_code``, ``api_key``, ``config``, ``prompt``, ``metadata/KEY``. Money
is in cents, times are in milliseconds; slots of graphs follow the days of ``timezone``.
Source: control-plane specification, section 6.4.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.record_filters import MICRO, FilterQuery, selection_of
from lockgate.admin.record_scope import reader_of, scope_of
from lockgate.errors import InvalidRequest
from lockgate.records import analytics
from lockgate.records.analytics import Json, Question
from lockgate.records.analytics_groups import GroupQuery, groups
from lockgate.records.feedback_graphs import FEEDBACK_GRAPHS, feedback_by_metadata, feedback_graph
from lockgate.records.slots import read_zone

_ACCESS = needs("analytics.view")
_METADATA = "metadata/"
_SPELLINGS = {name.replace("/", "-"): name for name in (*analytics.GRAPHS, *analytics.SPLIT_GRAPHS)} | {
    "errors-stack": "errors/stacks", "errors-status-code": "errors/status-codes", "feedbacks/score": "feedbacks/scores",
}  # fmt: skip
"""How Portkey's JavaScript SDK calls graphs."""
_MAX_SPAN_US = 50 * 366 * 24 * 3600 * MICRO


class AnalyticsQuery(FilterQuery, frozen=True, kw_only=True):
    """Which records, from ``time_of_generation_min`` to ``time_of_generation_max``; both are required."""

    workspace_id: str | None = None
    """Whose records, by id or slug; a key of the organisation may ask for several with commas, or ``*``."""
    workspace_slug: str | None = None
    """The same for keys of the organisation; a key of a workspace sees its own, whatever this says."""
    timezone: str = "UTC"
    """Whose days the slots follow, such as ``Europe/Berlin``."""
    nulls: bool | None = None
    """Whether what cannot be said is null (true) or 0 (false); the Portkey SDKs get 0 unless they ask."""


class GroupsQuery(AnalyticsQuery, frozen=True, kw_only=True):
    """Which records, columns and page."""

    columns: str | None = None
    """More columns, with commas: ``cost``, ``total_tokens``, ``avg_tokens``, ``avg_input_tokens``,
    ``avg_output_tokens``, ``avg_latency``, ``p95_latency``, ``p99_latency``, ``success_rate``, ``error_count``,
    ``cache_hit_rate``, ``first_seen``, ``last_seen``."""
    order_by: str = "requests"
    """A column."""
    order_by_type: Literal["asc", "desc"] = "desc"
    include_total: str | None = None
    """Taken and not needed: ``total`` is always there."""
    current_page: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    page_size: Annotated[int, Meta(ge=1)] = 50


def show_graph(call: Call[Nothing, AnalyticsQuery]) -> Raw:
    """Show a graph."""
    asked, reader = call.parameters["graph"], reader_of(call)
    name = _SPELLINGS.get(asked, asked)
    question = _question(call, call.query)
    graph = feedback_graph if name in FEEDBACK_GRAPHS else analytics.graph
    return _written(call, graph(reader, name, question))


def show_groups(call: Call[Nothing, GroupsQuery]) -> Raw:
    """Show groups."""
    name, query, reader = call.parameters["group"], call.query, reader_of(call)
    question = _question(call, query)
    wanted = GroupQuery(
        columns=tuple(column.strip() for column in (query.columns or "").split(",") if column.strip()),
        order_by=query.order_by,
        is_ascending=query.order_by_type == "asc",
        page=query.current_page,
        page_size=min(query.page_size, 1000),
    )
    found = groups(reader, name, question, wanted)
    if name.startswith(_METADATA):
        opinions = feedback_by_metadata(reader, name.removeprefix(_METADATA), question)
        rows = found["data"]
        assert isinstance(rows, list)
        for row in rows:
            average, count = opinions.get(row["metadata_value"], (None, 0))
            row |= {"avg_weighted_feedback": average, "requests_with_feedback": count}
    return Raw(msgspec.json.encode(found))


def show_cache(call: Call[Nothing, AnalyticsQuery]) -> Raw:
    """Show what the cache did."""
    return _written(call, analytics.cache_summary(reader_of(call), _question(call, call.query)))


def _question(call: Call[Nothing, AnalyticsQuery] | Call[Nothing, GroupsQuery], query: AnalyticsQuery) -> Question:
    for name in ("time_of_generation_min", "time_of_generation_max"):
        if getattr(query, name) is None:
            raise InvalidRequest(f"{name} is missing; give a time such as 2026-08-21T09:30:00Z", path=name)
    selection = selection_of(call, query)
    # the end that people name belongs to the range
    from_us, to_us = selection.from_us, selection.to_us + 1
    if not 0 <= from_us < to_us or to_us - from_us > _MAX_SPAN_US:
        raise InvalidRequest(
            "The range of time is empty, too long or before 1970; give at most 50 years", path="time_of_generation_max"
        )
    read_zone(query.timezone)
    given = query.workspace_id
    if given is None and call.principal.is_organisations:
        given = query.workspace_slug
    return Question(
        scope=scope_of(call, given), filter=selection.filter, from_us=from_us, to_us=to_us, zone=query.timezone
    )


def _written(call: Call[Nothing, AnalyticsQuery], answer: Json) -> Raw:
    """Return an answer; the classes of Portkey's SDKs have no null, so that 0 stands in its place for them."""
    has_nulls = call.query.nulls
    if has_nulls is None:
        has_nulls = b"x-portkey-package-version" not in call.headers
    return Raw(msgspec.json.encode(answer if has_nulls else analytics.without_nulls(answer)))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/analytics/graphs/{graph:path}", access=_ACCESS, summary="Show a graph of records",
        query=AnalyticsQuery, handler=show_graph,
    ),
    Endpoint(
        method="GET", path="/analytics/groups/{group:path}", access=_ACCESS, summary="Show groups of records",
        query=GroupsQuery, handler=show_groups,
    ),
    Endpoint(
        method="GET", path="/analytics/summary/cache", access=_ACCESS, summary="Show what the cache did",
        query=AnalyticsQuery, handler=show_cache,
    ),
)  # fmt: skip
