"""What a config would have done with requests that are recorded: the decisions of real ones, and nothing is sent.

A record knows path, metadata, model and whether a stream was asked for; what a condition asks beyond that is named.
Circuits count as closed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from lockgate.core.metadata import merge
from lockgate.records.row import Row
from lockgate.routing.conditions import Comparison, Every, Query, Some
from lockgate.routing.machine import Stop, begin
from lockgate.routing.scene import Scene
from lockgate.routing.strategies.conditional import Conditional
from lockgate.routing.strategies.loadbalance import LoadBalance
from lockgate.routing.tree import Leaf, Node, Router, Routes

ENDPOINTS = frozenset({"chat", "messages"})
"""The calls that a rehearsal is about."""

_KNOWN = frozenset({"params.model", "params.stream"})


class Share(Struct, frozen=True, kw_only=True):
    """What one target would have got."""

    path: str
    """In the config; of what nobody would have got, the router that refused."""
    provider: str
    """``@slug``, a provider's name, or ``from the request``; empty where nobody was chosen."""
    requests: int
    moved: int
    """How many of them another provider record served in truth."""
    tokens: int
    cost_nano: int
    """What they cost in truth."""
    because: dict[str, int]
    """How often it was chosen for which reason."""


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What a config would have done."""

    config: str
    requests: int
    shares: tuple[Share, ...]
    unknown: tuple[str, ...]
    """What conditions or sticky fields ask for that records do not hold: it counted as missing."""
    missing_providers: tuple[str, ...] = ()
    """Targets whose provider record is not there, as ``routes explain`` names them: what they got would have failed."""


class _Sum:
    """Adds up for one target."""

    def __init__(self, provider: str, slug: str | None) -> None:
        self.provider = provider
        self.slug = slug
        self.requests = self.moved = self.tokens = self.cost_nano = 0
        self.because: Counter[str] = Counter()

    def add(self, row: Row, because: str) -> None:
        """Take one request."""
        self.requests += 1
        self.moved += self.slug is not None and self.slug != row.provider_slug
        self.tokens += row.total_tokens or 0
        self.cost_nano += row.cost_nano or 0
        self.because[because] += 1


def rehearse(routes: Routes, rows: Iterable[Row], *, missing: tuple[str, ...] = (), seed: int = 0) -> Rehearsal:
    """Ask the machine about each model call; equal seeds throw equal dice. ``missing``: targets nobody serves."""
    roll = random.Random(seed).random  # noqa: S311  # no secret hangs on it
    sums: dict[str, _Sum] = {}
    count = 0
    for row in rows:
        if row.endpoint not in ENDPOINTS:
            continue
        count += 1
        first = begin(routes, _scene(routes, row, roll))
        if isinstance(first, Stop):
            because = first.refusal.message if first.refusal is not None else first.because
            sums.setdefault(first.path, _Sum("", None)).add(row, because)
            continue
        frames = [frame.order.because for frame in first.frames] or [first.because]
        sums.setdefault(first.leaf.path, _of(first.leaf)).add(row, ", ".join(frames))
    shares = (
        Share(
            path=path,
            provider=one.provider,
            requests=one.requests,
            moved=one.moved,
            tokens=one.tokens,
            cost_nano=one.cost_nano,
            because=dict(one.because.most_common()),
        )
        for path, one in sorted(sums.items(), key=lambda item: (-item[1].requests, item[0]))
    )
    asked = set(_asked(routes.root)) - _KNOWN
    return Rehearsal(
        config=routes.id,
        requests=count,
        shares=tuple(shares),
        unknown=tuple(sorted(asked)),
        missing_providers=missing,
    )


def _of(leaf: Leaf) -> _Sum:
    slug = leaf.pin.slug or (leaf.pin.model_slug if leaf.pin.provider is None else None)
    return _Sum(f"@{slug}" if slug else leaf.pin.provider or "from the request", slug)


def _scene(routes: Routes, row: Row, roll: Callable[[], float]) -> Scene:
    params = {"stream": Raw(b"true" if row.is_stream else b"false")}
    if row.request_model is not None:
        params["model"] = Raw(msgspec.json.encode(row.request_model))
    return Scene(
        path=row.path or f"/v1/{'messages' if row.endpoint == 'messages' else 'chat/completions'}",
        roll=roll,
        metadata=merge(row.metadata, routes.metadata),
        params=params,
        tenant=row.workspace_id or "",
    )


def _asked(node: Node) -> Iterator[str]:
    """Yield what decisions below a node ask of body and headers."""
    if not isinstance(node, Router):
        return
    strategy = node.strategy
    if isinstance(strategy, Conditional):
        for rule in strategy.rules:
            if rule.query is not None:
                yield from _asked_by(rule.query)
    elif isinstance(strategy, LoadBalance) and strategy.sticky is not None:
        for field in strategy.sticky.fields:
            if field.root in ("params", "headers"):
                yield f"{field.root}.{'.'.join(field.names)}"
    for child in node.children:
        yield from _asked(child)


def _asked_by(query: Query) -> Iterator[str]:
    match query:
        case Every() | Some():
            for part in query.parts:
                yield from _asked_by(part)
        case Comparison():
            if query.root == "params":
                yield f"params.{query.key}"
