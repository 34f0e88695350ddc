"""What people think, over time, by score and by model: feedback joined with the rows of its traces.

Each item counts once, at the time it was given, weighted by its weight.
Source: control plane specification, section 6.4; observability specification, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from lockgate.errors import NotFound
from lockgate.records.analytics import Json, Question, answer
from lockgate.records.query.tree import EVERYTHING, Node
from lockgate.records.row import Row
from lockgate.records.slots import choose, moment
from lockgate.records.store import Feedback, Scope

FEEDBACK_GRAPHS = ("feedbacks", "feedbacks/scores", "feedbacks/weighted", "feedbacks/ai-models")


class Reviewed(Protocol):
    """Where feedback and rows lie."""

    def feedback(self, scope: Scope, *, from_us: int, to_us: int) -> Sequence[Feedback]:
        """Return feedback by the time it was given."""
        ...

    def rows_of_traces(self, trace_ids: Sequence[str], scope: Scope, *, where: Node = EVERYTHING) -> Sequence[Row]:
        """Return the rows of traces that a filter selects."""
        ...


def weighted(items: Iterable[Feedback]) -> float | None:
    """Return the weighted average of values; None where no weight is."""
    total, weight = 0.0, 0.0
    for item in items:
        total += item.value * item.weight
        weight += item.weight
    return total / weight if weight else None


def feedback_graph(store: Reviewed, name: str, question: Question) -> Json:
    """Return a graph of feedback by Portkey's name of it. Raises NotFound, InvalidRequest."""
    if name not in FEEDBACK_GRAPHS:
        raise NotFound(f"There is no graph {name[:100]!r}")
    items = list(store.feedback(question.scope, from_us=question.from_us, to_us=question.to_us))
    rows: Mapping[str, Row] = {}
    # feedback has no key of its own: who sees only what some keys did sees only the feedback on that
    is_joined = question.filter != EVERYTHING or question.scope.api_keys is not None
    if is_joined or name == "feedbacks/ai-models":
        rows = _rows(store, items, question)
    if is_joined:
        items = [item for item in items if item.trace_id in rows]
    match name:
        case "feedbacks/scores":
            return _scores(items)
        case "feedbacks/ai-models":
            return _by_model(items, rows)
        case _:
            return _over_time(items, question, is_weighted=name == "feedbacks/weighted")


def _rows(store: Reviewed, items: Sequence[Feedback], question: Question) -> dict[str, Row]:
    """Return for each trace the first row that the filter selects."""
    found: dict[str, Row] = {}
    traces = sorted({item.trace_id for item in items})
    for row in store.rows_of_traces(traces, question.scope, where=question.filter):
        if row.trace_id is not None:
            found.setdefault(row.trace_id, row)
    return found


def _over_time(items: Sequence[Feedback], question: Question, *, is_weighted: bool) -> Json:
    slots = choose(question.from_us, question.to_us, question.zone)
    in_slots: list[list[Feedback]] = [[] for _ in range(len(slots))]
    for item in items:
        in_slots[slots.number_of(item.created_us)].append(item)
    points: list[Json] = []
    for start, members in zip(slots.boundaries, in_slots, strict=False):
        stamp = moment(start).isoformat().replace("+00:00", "Z")
        points.append({"timestamp": stamp, **_point(members, is_weighted=is_weighted)})
    return answer(_point(items, is_weighted=is_weighted), points)


def _point(items: Sequence[Feedback], *, is_weighted: bool) -> Json:
    return {"avg": weighted(items)} if is_weighted else {"total": len(items)}


def _scores(items: Sequence[Feedback]) -> Json:
    counts: dict[int, int] = {}
    for item in items:
        counts[item.value] = counts.get(item.value, 0) + 1
    points: list[Json] = [{"score": score, "total": count} for score, count in sorted(counts.items())]
    return answer({"total": len(items)}, points)


def _by_model(items: Sequence[Feedback], rows: Mapping[str, Row]) -> Json:
    by_model: dict[str, list[Feedback]] = {}
    for item in items:
        row = rows.get(item.trace_id)
        if row is not None and row.model is not None:
            by_model.setdefault(row.model, []).append(item)
    ordered = sorted(by_model.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    points: list[Json] = [
        {"ai_model": model, "total": len(members), "avg_weighted_feedback": weighted(members)}
        for model, members in ordered
    ]
    return answer({}, points)


def feedback_by_metadata(store: Reviewed, key: str, question: Question) -> dict[str, tuple[float | None, int]]:
    """Return for each value of a metadata key the weighted average of its feedback, and how many requests have some."""
    items = store.feedback(question.scope, from_us=0, to_us=2**62)
    rows = store.rows_of_traces(sorted({item.trace_id for item in items}), question.scope, where=question.filter)
    by_trace: dict[str, list[Feedback]] = {}
    for item in items:
        by_trace.setdefault(item.trace_id, []).append(item)
    traces: dict[str, set[str]] = {}
    requests: dict[str, int] = {}
    for row in rows:
        value = row.metadata.get(key)
        if value is None or row.trace_id is None or not question.from_us <= row.started_us < question.to_us:
            continue
        traces.setdefault(value, set()).add(row.trace_id)
        requests[value] = requests.get(value, 0) + 1
    return {
        value: (weighted(item for trace in found for item in by_trace[trace]), requests[value])
        for value, found in traces.items()
    }
