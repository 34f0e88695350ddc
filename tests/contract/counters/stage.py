"""Two workers over one store of counters, and a clock that tests move."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from lockgate.core.limits import Budget, Claim, Demand, Grant, LedgerEntry, Period, Rate, Refusal, Spent, charges_of
from lockgate.store.counters_memory import MemoryCounters
from lockgate.store.counters_redis import RedisCounters

MONTH = Period(kind="monthly")
_numbers = itertools.count(1)


def seconds(text):
    """Return the Unix time of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class FakeClock:
    """Implements ``ports.Clock``."""

    def __init__(self, now):
        self.now = seconds(now)

    def unix(self):
        """The time that the test says."""
        return self.now

    monotonic = unix

    def move_to(self, now):
        """Set the time."""
        self.now = seconds(now)


class MemoryStage:
    """One process: both workers are the same counters."""

    name = "memory"
    has_one_process = True

    def __init__(self):
        self.clock = FakeClock("2026-08-05T12:00:30")
        self.events = []
        self.records = []

    async def __aenter__(self):
        self.counters = self.other = MemoryCounters(self.clock, on_event=self.events.append)
        return self

    async def __aexit__(self, *error):
        pass

    async def flush(self):
        """Wait until settlements are through."""

    def finish(self, grant, worker=None, **spent):
        """Write the record, then settle, as an exchange does."""
        used = Spent(**spent)
        self.records.append(LedgerEntry(grant=grant.id, charges=charges_of(grant, used)))
        (worker or self.counters).settle(grant, used)

    async def restart(self):
        """Kill the process and start another, which has the journal."""
        self.counters = self.other = MemoryCounters(self.clock, on_event=self.events.append)
        for record in self.records:
            self.counters.replay(record.charges)


class RedisStage(MemoryStage):
    """Two processes' worth of counters, each with connections of its own, over a real server."""

    name = "redis"
    has_one_process = False

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.namespace = f"test-{next(_numbers)}"

    def make(self):
        """Return the counters of another process."""
        return RedisCounters(
            self.url, self.clock, on_event=self.events.append, namespace=self.namespace, deadline_s=10.0
        )

    async def __aenter__(self):
        self.counters, self.other = self.make(), self.make()
        return self

    async def __aexit__(self, *error):
        await self.counters.close()
        await self.other.close()

    async def flush(self):
        """Wait until settlements are through."""
        await self.counters.flush()
        await self.other.flush()

    async def restart(self):
        """Kill one process with settlements in its queue and start another, which has the journal."""
        killed = self.counters
        killed._queue.clear()
        killed._nothing_waits.set()
        await killed.close()
        started = self.counters = self.make()
        await started.replay(self.records)


def budget(cap, **values):
    """A budget of money."""
    fields = {"id": f"budget-{next(_numbers)}", "scope": "key", "name": "k", "unit": "nanos", "period": MONTH}
    return Budget(cap=cap, **{**fields, **values})


def rate(cap, window_s=60, **values):
    """A rate of requests."""
    fields = {"id": f"rate-{next(_numbers)}", "scope": "key", "name": "k", "unit": "requests"}
    return Rate(cap=cap, window_s=window_s, **{**fields, **values})


def demand(*limits, group="", **amounts):
    """A demand under limits."""
    return Demand(claims=tuple(Claim(limit, group) for limit in limits), **amounts)


async def admitted(counters, wanted):
    """Reserve, and be sure that it was granted."""
    answer = await counters.reserve(wanted)
    assert isinstance(answer, Grant), answer
    return answer


async def refused(counters, wanted):
    """Reserve, and be sure that it was refused."""
    answer = await counters.reserve(wanted)
    assert isinstance(answer, Refusal), answer
    return answer


async def standing(stage, limit, group="", worker=None):
    """Return what a counter has used and reserved."""
    await stage.flush()
    (usage,) = await (worker or stage.other).usage([Claim(limit, group)])
    return usage.used, usage.reserved
