"""The tree of a trace: a span for each request, below it one for each attempt, and whoever names a parent below it.

Structure only: ids, names, times, status, tokens, money. Nothing is ever dropped: a parent that did not come is shown
in its place, and a span that names itself as an ancestor is a root. Source: observability specification, 2.1 to 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from lockgate.records.row import Row

_decode = msgspec.json.Decoder(list[dict[str, object]]).decode


class Span(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A timed part of a trace. Spans of attempts have the tokens and the money of none: their request's has."""

    id: str
    parent_id: str | None = None
    depth: int = 0
    name: str
    kind: str
    """server, client, or missing: a parent that did not come."""
    started_us: int
    duration_us: int | None = None
    status_code: int | None = None
    is_error: bool = False
    record_id: str | None = None
    client_span_id: str | None = None
    """What the client called it, when another span of the trace has that id already."""
    provider: str | None = None
    model: str | None = None
    total_tokens: int | None = None
    cost_nano: int | None = None
    attempt_kind: str | None = None
    waited_us: int | None = None
    stages_us: Mapping[str, int] = {}


class Trace(Struct, frozen=True, kw_only=True):
    """A trace: its spans, parents before their children, and what they add up to."""

    id: str
    name: str | None
    started_us: int
    duration_us: int
    span_count: int
    error_count: int
    total_tokens: int
    cost_nano: int
    models: tuple[str, ...]
    spans: tuple[Span, ...]


_STAGES = ("receive", "earlier", "prepare", "upstream_first", "upstream_rest", "finish")


def build_trace(trace_id: str, rows: Sequence[Row]) -> Trace | None:
    """Return the tree of a trace's rows, None when there are none."""
    if not rows:
        return None
    ordered = sorted(rows, key=lambda row: (row.started_us, row.id))
    servers = _servers(ordered)
    spans = _in_order(servers, {row.id: _attempts(row, span) for row, span in zip(ordered, servers, strict=True)})
    start = ordered[0].started_us
    return Trace(
        id=trace_id,
        name=next((span.name for span in spans if span.kind == "server"), None),
        started_us=start,
        duration_us=max(row.started_us + (row.duration_us or 0) for row in ordered) - start,
        span_count=len(spans),
        error_count=sum(span.is_error for span in servers),
        total_tokens=sum(row.total_tokens or 0 for row in ordered),
        cost_nano=sum(row.cost_nano or 0 for row in ordered),
        models=tuple(dict.fromkeys(row.model for row in ordered if row.model)),
        spans=spans,
    )


def _servers(rows: Sequence[Row]) -> list[Span]:
    """Return the span of each request; the first with an id keeps it."""
    taken: set[str] = set()
    found = []
    for row in rows:
        wanted = row.span_id or row.id
        id = wanted
        if id in taken:
            id = next(free for free in (row.id, *(f"{row.id}#{n}" for n in range(len(rows)))) if free not in taken)
        taken.add(id)
        found.append(_server(row, id, wanted))
    return found


def _server(row: Row, id: str, wanted: str) -> Span:
    stages = {name: us for name in _STAGES if (us := getattr(row, f"{name}_us")) is not None}
    return Span(
        id=id, parent_id=row.parent_span_id, name=row.span_name or f"{row.method or ''} {row.endpoint or ''}".strip(),
        kind="server", started_us=row.started_us, duration_us=row.duration_us, status_code=row.status_code,
        is_error=row.is_error, record_id=row.id, client_span_id=wanted if id != wanted else None, provider=row.provider,
        model=row.model, total_tokens=row.total_tokens, cost_nano=row.cost_nano, stages_us=stages,
    )  # fmt: skip


def _attempts(row: Row, server: Span) -> list[Span]:
    try:
        attempts = _decode(row.attempts or "[]")
    except msgspec.MsgspecError:
        return []
    return [_client(row, server, number, attempt) for number, attempt in enumerate(attempts, 1)]


def _client(row: Row, server: Span, number: int, attempt: Mapping[str, object]) -> Span:
    model, provider, status = _text(attempt.get("model")), _text(attempt.get("provider")), attempt.get("status")
    started = row.started_us + (_us(attempt.get("started_ms")) or 0)
    return Span(
        id=f"{server.id}.{number}", parent_id=server.id, kind="client", record_id=row.id,
        name=model or provider or f"attempt {number}", started_us=started,
        duration_us=_us(attempt.get("duration_ms")), status_code=status if isinstance(status, int) else None,
        is_error=attempt.get("error") is not None, provider=provider, model=model,
        attempt_kind=_text(attempt.get("kind")), waited_us=_us(attempt.get("waited_ms")),
    )  # fmt: skip


def _in_order(servers: Sequence[Span], attempts: Mapping[str, list[Span]]) -> tuple[Span, ...]:
    """Return all spans depth first, children in the order of time."""
    known = {span.id: span for span in servers}
    missing: dict[str, Span] = {}
    children: dict[str | None, list[Span]] = {}
    for span in servers:
        parent = span.parent_id
        if parent is None or _is_own_ancestor(span, known):
            children.setdefault(None, []).append(span)
            continue
        if parent not in known and parent not in missing:
            missing[parent] = Span(id=parent, name="parent not received", kind="missing", started_us=span.started_us)
            children.setdefault(None, []).append(missing[parent])
        children.setdefault(parent, []).append(span)
    for span in servers:
        children.setdefault(span.id, []).extend(attempts.get(span.record_id or "", []))
    found: list[Span] = []
    waiting = [(span, 0) for span in _latest_first(children.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        found.append(msgspec.structs.replace(span, depth=depth))
        waiting += [(child, depth + 1) for child in _latest_first(children.get(span.id, []))]
    return tuple(found)


def _is_own_ancestor(span: Span, known: Mapping[str, Span]) -> bool:
    seen = {span.id}
    at: str | None = span.parent_id
    while at is not None and at in known:
        if at in seen:
            return True
        seen.add(at)
        at = known[at].parent_id
    return False


def _latest_first(spans: Sequence[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.started_us, span.id), reverse=True)


def _us(value: object) -> int | None:
    return round(value * 1000) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
