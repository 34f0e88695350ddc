"""Groups of rows as Portkey's API has them: by user, model, key, ..., or any key of the metadata, in pages.

Source: control plane specification, section 6.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from lockgate.errors import InvalidRequest, NotFound
from lockgate.records.aggregate import FIRST, LAST
from lockgate.records.analytics import (
    CACHE_MEASURES,
    Json,
    Question,
    Summed,
    cents,
    count_of,
    hit_rate,
    in_ms,
    ratio,
    spec_of,
)
from lockgate.records.sketch import percentile
from lockgate.records.slots import moment
from lockgate.records.store import Sums


class Column(Struct, frozen=True):
    """A column of a group: what it is made of, and how."""

    measures: tuple[str, ...]
    value: Callable[[Sums], object]
    sketches: tuple[str, ...] = ()


def _seen(name: str) -> Callable[[Sums], object]:
    return lambda sums: moment(sums.values[name]).isoformat().replace("+00:00", "Z") if name in sums.values else None


def _slow(share: float) -> Column:
    return Column((), lambda sums: in_ms(percentile(sums.sketches.get("duration", {}), share)), ("duration",))


COLUMNS: Mapping[str, Column] = {
    "requests": Column(("requests",), lambda s: count_of(s, "requests")),
    "cost": Column(("cost_nano",), lambda s: cents(count_of(s, "cost_nano"))),
    "total_tokens": Column(("total_tokens",), lambda s: count_of(s, "total_tokens")),
    "avg_tokens": Column(
        ("total_tokens", "requests"), lambda s: ratio(count_of(s, "total_tokens"), count_of(s, "requests"))
    ),
    "avg_input_tokens": Column(
        ("input_tokens", "requests"), lambda s: ratio(count_of(s, "input_tokens"), count_of(s, "requests"))
    ),
    "avg_output_tokens": Column(
        ("output_tokens", "requests"), lambda s: ratio(count_of(s, "output_tokens"), count_of(s, "requests"))
    ),
    "avg_latency": Column(
        ("served", "served_duration_us"),
        lambda s: ratio(count_of(s, "served_duration_us"), count_of(s, "served"), 0.001),
    ),
    "p95_latency": _slow(0.95),
    "p99_latency": _slow(0.99),
    "success_rate": Column(
        ("errors", "disconnects", "requests"),
        lambda s: ratio(
            count_of(s, "requests") - count_of(s, "errors") - count_of(s, "disconnects"), count_of(s, "requests"), 100.0
        ),
    ),
    "error_count": Column(("errors",), lambda s: count_of(s, "errors")),
    "cache_hit_rate": Column(CACHE_MEASURES, hit_rate),
    "first_seen": Column((), _seen(FIRST)),
    "last_seen": Column((), _seen(LAST)),
}
"""Columns of groups, all of which one may order by."""


class Grouping(Struct, frozen=True, kw_only=True):
    """What a group is by, what its value is called, and which columns it has without being asked."""

    dimension: str
    label: str
    columns: tuple[str, ...] = ("requests",)
    keeps_absent: bool = True
    """Whether rows without the value are a group of their own."""


GROUPS: Mapping[str, Grouping] = {
    "users": Grouping(dimension="end_user", label="user", columns=("requests", "cost"), keeps_absent=False),
    "ai-models": Grouping(dimension="model", label="ai_model"),
    "ai_service": Grouping(dimension="provider", label="ai_service"),
    "provider": Grouping(dimension="provider", label="provider"),
    "model": Grouping(dimension="model", label="model"),
    "status_code": Grouping(dimension="status_code", label="status_code"),
    "api_key": Grouping(dimension="api_key_id", label="api_key"),
    "config": Grouping(dimension="config_id", label="config"),
    "workspace": Grouping(dimension="workspace_id", label="workspace"),
    "workspaces": Grouping(dimension="workspace_id", label="workspace"),
    "prompt": Grouping(dimension="prompt_slug", label="prompt", keeps_absent=False),
}
METADATA_COLUMNS = ("requests", "cost", "avg_tokens", "last_seen")
MAX_PAGE = 1000


class GroupQuery(Struct, frozen=True, kw_only=True):
    """Which columns, in which order, which page."""

    columns: tuple[str, ...] = ()
    order_by: str = "requests"
    is_ascending: bool = False
    page: int = 0
    page_size: int = 50


def grouping_of(name: str) -> Grouping:
    """Return what a group is by; ``metadata/KEY`` is any key. Raises NotFound."""
    prefix, slash, key = name.partition("/")
    if prefix == "metadata" and slash and key:
        return Grouping(
            dimension=f"metadata.{key}", label="metadata_value", columns=METADATA_COLUMNS, keeps_absent=False
        )
    found = GROUPS.get(name)
    if found is None:
        raise NotFound(f"There is no group {name[:100]!r}")
    return found


def groups(store: Summed, name: str, question: Question, query: GroupQuery) -> Json:
    """Return a page of groups by Portkey's name of them. Raises NotFound, InvalidRequest."""
    grouping = grouping_of(name)
    names = tuple(dict.fromkeys((*grouping.columns, *query.columns)))
    _check(names, query)
    wanted = [COLUMNS[column] for column in dict.fromkeys((*names, query.order_by))]
    measures = tuple(dict.fromkeys(measure for column in wanted for measure in column.measures)) or ("requests",)
    sketches = tuple(dict.fromkeys(sketch for column in wanted for sketch in column.sketches))
    table = store.aggregate(spec_of(question, None, measures, dimensions=(grouping.dimension,), sketches=sketches))
    found = [(key[0], sums) for (_, key), sums in table.groups.items() if grouping.keeps_absent or key[0] is not None]
    order = COLUMNS[query.order_by]
    found.sort(key=lambda item: str(item[0]))
    found.sort(key=lambda item: _sortable(order.value(item[1])), reverse=not query.is_ascending)
    start = query.page * query.page_size
    rows: list[Json] = [
        {
            grouping.label: value,
            **{column: COLUMNS[column].value(sums) for column in names},
            "object": "analytics-group",
        }
        for value, sums in found[start : start + query.page_size]
    ]
    return {"object": "list", "total": len(found), "data": rows}


def _values(names: Sequence[str], sums: Sums) -> Json:
    return {name: COLUMNS[name].value(sums) for name in names}


def _check(names: Sequence[str], query: GroupQuery) -> None:
    if unknown := [name for name in (*names, query.order_by) if name not in COLUMNS]:
        raise InvalidRequest(f"There is no column {unknown[0]!r}; there are {', '.join(COLUMNS)}", path="columns")
    if query.page < 0 or not 1 <= query.page_size <= MAX_PAGE:
        raise InvalidRequest(f"page_size must be between 1 and {MAX_PAGE}", path="page_size")


def _sortable(value: object) -> tuple[bool, float, str]:
    if isinstance(value, int | float):
        return True, float(value), ""
    return value is not None, 0.0, str(value)
