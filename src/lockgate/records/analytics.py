"""Graphs and summaries as Portkey's API has them, made of sums. Each number is defined once, in ``aggregate``.

Money is in cents, times are in milliseconds. What cannot be said is None: a latency where nothing ran, a rate of
nothing.
Source: control plane specification, section 6.4; observability specification, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from lockgate.errors import NotFound
from lockgate.records.aggregate import count_users, fold
from lockgate.records.query.tree import EVERYTHING, Node
from lockgate.records.sketch import percentile
from lockgate.records.slots import Slots, choose, moment
from lockgate.records.store import AggregateSpec, Scope, Sums, Table

Json: TypeAlias = dict[str, object]
_NANO_PER_CENT = 10_000_000
_NOTHING = Sums({}, {}, set())


class Question(Struct, frozen=True, kw_only=True):
    """Which rows, in which range, and whose days the slots follow."""

    scope: Scope
    filter: Node = EVERYTHING
    from_us: int
    to_us: int
    zone: str = "UTC"


class Summed(Protocol):
    """What answers are made of."""

    def aggregate(self, spec: AggregateSpec) -> Table:
        """Return sums."""
        ...


class Graph(Struct, frozen=True, kw_only=True):
    """How a graph is made: what to sum up, what a point says of its sums, what the summary says of all."""

    measures: tuple[str, ...]
    point: Callable[[Sums], Json]
    summary: Callable[[Sums], Json]
    sketches: tuple[str, ...] = ()
    with_users: bool = False


def ratio(part: float, whole: float, scale: float = 1.0) -> float | None:
    """Return a share, None of nothing."""
    return part / whole * scale if whole else None


def cents(nano: int) -> float:
    """Return money in cents."""
    return nano / _NANO_PER_CENT


def latencies(sums: Sums) -> Json:
    """Return the middle and the slow ends in milliseconds, of answers that succeeded and came from no cache."""
    sketch = sums.sketches.get("duration", {})
    found: Json = {"avg": ratio(count_of(sums, "served_duration_us"), count_of(sums, "served"), 0.001)}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        found[name] = in_ms(percentile(sketch, share))
    return found


def count_of(sums: Sums, name: str) -> int:
    """Return a measure, 0 where nothing was."""
    return sums.values.get(name, 0)


def in_ms(us: float | None) -> float | None:
    """Return a time in milliseconds."""
    return None if us is None else us / 1000


def _total(name: str) -> Callable[[Sums], Json]:
    return lambda sums: {"total": count_of(sums, name)}


def _cost(sums: Sums) -> Json:
    return {
        "total": cents(count_of(sums, "cost_nano")),
        "avg": ratio(cents(count_of(sums, "cost_nano")), count_of(sums, "requests")),
    }


def _tokens(sums: Sums) -> Json:
    return {
        "total": count_of(sums, "total_tokens"),
        "avg": ratio(count_of(sums, "total_tokens"), count_of(sums, "requests")),
    }


def _users(sums: Sums) -> Json:
    return {"total": count_users(sums.users)}


def _requests_per_user(sums: Sums) -> Json:
    return {"avg": ratio(count_of(sums, "with_user"), count_users(sums.users))}


def _requests_per_user_summary(sums: Sums) -> Json:
    return {"total": count_of(sums, "with_user"), "unique": count_users(sums.users), **_requests_per_user(sums)}


def _error_rate(sums: Sums) -> Json:
    return {"rate": ratio(count_of(sums, "errors"), count_of(sums, "requests"), 100.0)}


def _hits(sums: Sums) -> int:
    return count_of(sums, "cache_hits") + count_of(sums, "cache_semantic_hits")


def hit_rate(sums: Sums) -> float | None:
    """Return the share of look-ups that found something, in per cent."""
    return ratio(_hits(sums), _hits(sums) + count_of(sums, "cache_misses"), 100.0)


def _cache(sums: Sums) -> Json:
    return {
        "simple_hits": count_of(sums, "cache_hits"),
        "semantic_hits": count_of(sums, "cache_semantic_hits"),
        "rate": hit_rate(sums),
        "cumulative_simple_cache_savings": cents(count_of(sums, "cache_saved_nano")),
        "cumulative_semantic_cache_savings": cents(count_of(sums, "cache_semantic_saved_nano")),
    }


def _cache_latency(sums: Sums) -> Json:
    return {"avg": ratio(count_of(sums, "cache_hit_duration_us"), _hits(sums), 0.001)}


CACHE_MEASURES = ("cache_hits", "cache_semantic_hits", "cache_misses", "cache_saved_nano", "cache_semantic_saved_nano")
GRAPHS: Mapping[str, Graph] = {
    "requests": Graph(measures=("requests",), point=_total("requests"), summary=_total("requests")),
    "cost": Graph(measures=("requests", "cost_nano"), point=_cost, summary=_cost),
    "latency": Graph(
        measures=("served", "served_duration_us"), sketches=("duration",), point=latencies, summary=latencies
    ),
    "tokens": Graph(measures=("requests", "total_tokens"), point=_tokens, summary=_tokens),
    "users": Graph(measures=("with_user",), with_users=True, point=_users, summary=_users),
    "users/requests": Graph(
        measures=("with_user",), with_users=True, point=_requests_per_user, summary=_requests_per_user_summary
    ),
    "errors": Graph(measures=("errors",), point=_total("errors"), summary=_total("errors")),
    "errors/rate": Graph(measures=("errors", "requests"), point=_error_rate, summary=_error_rate),
    "cache/hit-rate": Graph(
        measures=CACHE_MEASURES, point=_cache, summary=lambda sums: {"total": _hits(sums), "rate": hit_rate(sums)}
    ),
    "cache/latency": Graph(
        measures=(*CACHE_MEASURES, "cache_hit_duration_us"), point=_cache_latency, summary=lambda _: {}
    ),
}
"""Graphs that are a value for each slot."""
SPLIT_GRAPHS = ("errors/stacks", "errors/status-codes", "requests/rescued")
"""Graphs that are several values for each slot, or none by time."""
_RUNNING = ("cumulative_simple_cache_savings", "cumulative_semantic_cache_savings")


def graph(store: Summed, name: str, question: Question) -> Json:
    """Return a graph by Portkey's name of it. Raises NotFound, InvalidRequest."""
    if name in SPLIT_GRAPHS:
        return _split_graph(store, name, question)
    made = GRAPHS.get(name)
    if made is None:
        raise NotFound(f"There is no graph {name[:100]!r}")
    slots = choose(question.from_us, question.to_us, question.zone)
    spec = spec_of(question, slots, made.measures, sketches=made.sketches, with_users=made.with_users)
    table = store.aggregate(spec)
    in_slots = [_NOTHING] * len(slots)
    for (us, _), sums in table.groups.items():
        number = slots.number_of(us)
        in_slots[number] = fold((in_slots[number], sums))
    points = [_stamped(slots, number, made.point(sums)) for number, sums in enumerate(in_slots)]
    for running in _RUNNING:
        _accumulate(points, running)
    return answer(made.summary(fold(table.groups.values())), points)


def answer(summary: Json, points: Sequence[Json]) -> Json:
    """Return a graph in its envelope."""
    return {"object": "analytics-graph", "summary": summary, "data_points": points, "data": points}


def cache_summary(store: Summed, question: Question) -> Json:
    """Return what the cache did in the range."""
    measures = (*CACHE_MEASURES, "requests", "cache_hit_duration_us", "served", "served_duration_us")
    sums = fold(store.aggregate(spec_of(question, None, measures)).groups.values())
    cached, served = (
        _cache_latency(sums)["avg"],
        ratio(count_of(sums, "served_duration_us"), count_of(sums, "served"), 0.001),
    )
    speedup = (served - cached) / served * 100 if isinstance(cached, float) and served else None
    found: Json = {
        "hits": _hits(sums),
        "avg_latency": cached,
        "total_requests": count_of(sums, "requests"),
        "cache_speedup": speedup,
    }
    return {"object": "analytics-summary", "summary": found, "data": found}


def without_nulls(value: object) -> object:
    """Return an answer for clients whose types have no null: 0 stands in its place."""
    match value:
        case None:
            return 0
        case dict():
            return {key: without_nulls(item) for key, item in value.items()}
        case list():
            return [without_nulls(item) for item in value]
        case _:
            return value


def _split_graph(store: Summed, name: str, question: Question) -> Json:
    if name == "errors/status-codes":
        return _status_codes(store, question)
    slots = choose(question.from_us, question.to_us, question.zone)
    if name == "errors/stacks":
        table = store.aggregate(spec_of(question, slots, ("errors",), dimensions=("status_code",)))
        counts = _by_slot(table, slots, "errors")
        points = [
            _stamped(slots, n, {"stats": [
                {"response_status_code": code, "count": count} for code, count in sorted(of.items(), key=str) if count
            ]})
            for n, of in enumerate(counts)
        ]  # fmt: skip
        return answer({"total": count_of(fold(table.groups.values()), "errors")}, points)
    table = store.aggregate(
        spec_of(question, slots, ("rescued_retry", "rescued_fallback"), dimensions=("retry_count",))
    )
    retries, fallbacks = _by_slot(table, slots, "rescued_retry"), _by_slot(table, slots, "rescued_fallback")
    points = [
        _stamped(slots, n, {
            "retry": [{"retry_success_count": c, "count": k} for c, k in sorted(retries[n].items(), key=str) if k],
            "fallback": sum(fallbacks[n].values()),
        })
        for n in range(len(slots))
    ]  # fmt: skip
    whole = fold(table.groups.values())
    return answer({"retry": count_of(whole, "rescued_retry"), "fallback": count_of(whole, "rescued_fallback")}, points)


def _status_codes(store: Summed, question: Question) -> Json:
    table = store.aggregate(spec_of(question, None, ("errors",), dimensions=("status_code",)))
    counts = {key[0]: count_of(sums, "errors") for (_, key), sums in table.groups.items() if count_of(sums, "errors")}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    points: list[Json] = [{"status_code": code, "count": count} for code, count in ordered]
    return answer({"total_errors": sum(counts.values()), "unique_error_codes": len(counts)}, points)


def _by_slot(table: Table, slots: Slots, measure: str) -> list[dict[object, int]]:
    found: list[dict[object, int]] = [{} for _ in range(len(slots))]
    for (us, key), sums in table.groups.items():
        of = found[slots.number_of(us)]
        of[key[0]] = of.get(key[0], 0) + count_of(sums, measure)
    return found


def spec_of(
    question: Question, slots: Slots | None, measures: tuple[str, ...], *, dimensions: tuple[str, ...] = (),
    sketches: tuple[str, ...] = (), with_users: bool = False,
) -> AggregateSpec:  # fmt: skip
    """Return what to sum up for a question."""
    return AggregateSpec(
        scope=question.scope, filter=question.filter, from_us=question.from_us, to_us=question.to_us, measures=measures,
        dimensions=dimensions, step_us=slots.unit_us if slots else 0, sketches=sketches, is_distinct_users=with_users,
    )  # fmt: skip


def _stamped(slots: Slots, number: int, point: Json) -> Json:
    return {"timestamp": moment(slots.boundaries[number]).isoformat().replace("+00:00", "Z"), **point}


def _accumulate(points: Sequence[Json], name: str) -> None:
    total = 0.0
    for point in points:
        value = point.get(name)
        if isinstance(value, int | float):
            total += value
            point[name] = total
