"""What is as it is at this moment, for the metrics: connections, the cache of answers, the age of the prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from lockgate.catalog import packaged_prices
from lockgate.plan.snapshot import Snapshot
from lockgate.ports import CacheStore
from lockgate.store.cache_memory import MemoryCache
from lockgate.telemetry.metrics import OTHER, Labels
from lockgate.transport.pool import HttpPool

_DATE_SIGNS = len("2026-11-28")


def gauges_of(pool: HttpPool, cache: CacheStore, snapshot: Snapshot) -> Iterator[tuple[str, Labels, float]]:
    """Yield name, labels and value of each."""
    names = _providers_of(snapshot)
    counts: dict[str, tuple[int, int]] = {}
    for host, (active, idle) in pool.connections().items():
        name = names.get(host, OTHER)
        before = counts.get(name, (0, 0))
        counts[name] = (before[0] + active, before[1] + idle)
    for name, (active, idle) in counts.items():
        yield "upstream_connections", (name, "active"), active
        yield "upstream_connections", (name, "idle"), idle
    if isinstance(cache, MemoryCache):
        yield "cache_entries", ("memory",), len(cache)
        yield "cache_bytes", ("memory",), cache.size_bytes


def price_book_age_s(now_s: float) -> float | None:
    """Return how long ago the packaged prices were read; None when their version does not say."""
    try:
        made = datetime.fromisoformat(packaged_prices().version[:_DATE_SIGNS]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, now_s - made.timestamp())


def _providers_of(snapshot: Snapshot) -> dict[str, str]:
    """Return providers by their hosts, of several on one host the first. Hosts of callers are not among them."""
    found = {target.origin.host: target.provider.name for target in snapshot.raw_targets.values()}
    for workspace in snapshot.workspaces.values():
        for target in workspace.targets.values():
            found.setdefault(target.origin.host, target.provider.name)
    return found
