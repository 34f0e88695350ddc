import asyncio
from datetime import UTC, datetime

import pytest

from lockgate.app import gauges
from lockgate.app.gauges import gauges_of, price_book_age_s
from lockgate.core.cached import CachedReply
from lockgate.store.cache_memory import MemoryCache
from tests.unit.dataplane.fakes import FakeClock, World


class Pool:
    def connections(self):
        return {"api.anthropic.com": (2, 1), "somebody.example": (1, 0), "other.example": (1, 3)}


def test_connections_are_counted_by_provider_and_what_callers_chose_together():
    cache = MemoryCache(FakeClock())
    asyncio.run(cache.put("k", CachedReply(body=b"{}", created_at=1.0), 60))
    found = {(name, *labels): value for name, labels, value in gauges_of(Pool(), cache, World().plane.snapshot)}
    assert found == {
        ("upstream_connections", "anthropic", "active"): 2,
        ("upstream_connections", "anthropic", "idle"): 1,
        ("upstream_connections", "_other", "active"): 2,
        ("upstream_connections", "_other", "idle"): 3,
        ("cache_entries", "memory"): 1,
        ("cache_bytes", "memory"): cache.size_bytes,
    }


@pytest.mark.parametrize(
    "version, age", [("2026-11-28-b529b2d0e330", 86_400.0), ("2026-12-01-0", 0.0), ("unknown", None)]
)
def test_prices_are_as_old_as_their_version_says(monkeypatch, version, age):
    class Prices:
        pass

    Prices.version = version
    monkeypatch.setattr(gauges, "packaged_prices", Prices)
    assert price_book_age_s(datetime(2026, 11, 29, tzinfo=UTC).timestamp()) == age
