"""Which records a request is about: Portkey's filter parameters and a line of our search box, as one selection."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from lockgate.admin.call import Call
from lockgate.records.query.language import parse
from lockgate.records.query.portkey import Selection, read_parameters
from lockgate.records.query.tree import all_of
from lockgate.records.query.workspaces import with_workspace_ids

MICRO = 1_000_000
_BY_SCOPE = frozenset({"workspace_slug"})
"""Read where it is decided whose rows may be seen."""


class FilterQuery(Struct, frozen=True, kw_only=True):
    """Filters of Portkey's API; ``query`` is a line of the search box. All that are given must hold."""

    query: str | None = None
    """Such as ``status>=500 model:claude* cost>0.05 meta.team=search -cache:hit``."""
    time_of_generation_min: str | None = None
    time_of_generation_max: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    status_code: str | None = None
    ai_model: str | None = None
    ai_org: str | None = None
    ai_org_model: str | None = None
    """``provider__model``."""
    virtual_keys: str | None = None
    configs: str | None = None
    api_key_ids: str | None = None
    prompt_slug: str | None = None
    cache_status: str | None = None
    metadata: str | None = None
    """JSON text: an object of names and values."""
    total_units_min: str | None = None
    total_units_max: str | None = None
    prompt_token_min: str | None = None
    prompt_token_max: str | None = None
    completion_token_min: str | None = None
    completion_token_max: str | None = None
    cost_min: str | None = None
    """In cents."""
    cost_max: str | None = None
    weighted_feedback_min: str | None = None
    weighted_feedback_max: str | None = None
    response_time_min: str | None = None
    """In milliseconds."""
    response_time_max: str | None = None


def workspace_ids(call: Call[Any, Any]) -> dict[str, str]:
    """Return the ids of workspaces by their slugs, by which filters name them too."""
    return {one.slug: one.id for one in call.services.snapshot().workspaces.values()}


def selection_of(call: Call[Any, Any], query: FilterQuery) -> Selection:
    """Return what a query selects, and in which range of time. Raises InvalidRequest that names the parameter."""
    now_us = int(call.now.timestamp() * MICRO)
    names = FilterQuery.__struct_fields__
    given = {name: value for name in names if (value := getattr(query, name)) is not None}
    selection = read_parameters(given, now_us=now_us, skip=_BY_SCOPE)
    line = with_workspace_ids(parse(query.query or "", now_us=now_us), workspace_ids(call))
    return Selection(all_of(selection.filter, line), selection.from_us, selection.to_us)
