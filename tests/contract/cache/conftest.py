"""Each test of this suite runs over every implementation of ``ports.CacheStore``, Redis's against a real server."""

from __future__ import annotations

import asyncio
import inspect

import pytest
import redis.asyncio

from lockgate.store.cache_memory import MemoryCache
from lockgate.store.cache_redis import RedisCache
from lockgate.telemetry.clock import SystemClock


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine test with its stage set up; one that waits for what never comes fails like any other."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(bounded(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in names}))
    return True


async def bounded(test, arguments):
    async with asyncio.timeout(60):
        async with arguments["stage"]:
            await test(**arguments)


class Clock(SystemClock):
    """The real clock, set forward by hand."""

    ahead_s = 0.0

    def monotonic(self):
        return SystemClock.monotonic() + self.ahead_s


class MemoryStage:
    """The store of one process, and a second caller in it."""

    def __init__(self):
        self.clock = Clock()

    async def __aenter__(self):
        self.store = self.other = MemoryCache(self.clock, most_entry_bytes=1000)

    async def __aexit__(self, *error):
        pass

    async def age(self, seconds):
        self.clock.ahead_s += seconds


class RedisStage:
    """The stores of two processes over one server."""

    def __init__(self, url):
        self.url = url

    async def __aenter__(self):
        self.clients = [redis.asyncio.Redis.from_url(self.url) for _ in range(2)]
        await self.clients[0].flushall()
        made = [RedisCache(client, Clock(), most_entry_bytes=1000, timeout_s=5) for client in self.clients]
        self.store, self.other = made

    async def __aexit__(self, *error):
        for client in self.clients:
            await client.aclose()

    async def age(self, seconds):
        """Bring the end of all entries nearer: the server has its own clock."""
        for name in await self.clients[0].keys("lockgate:cache:*"):
            left_ms = await self.clients[0].pttl(name)
            await self.clients[0].pexpire(name, max(left_ms - int(seconds * 1000), 0))


@pytest.fixture(params=["memory", "redis"])
def stage(request):
    """One implementation, seen by two callers."""
    return MemoryStage() if request.param == "memory" else RedisStage(request.getfixturevalue("valkey"))
