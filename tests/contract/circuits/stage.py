"""One implementation of circuits, the processes that share it, and the time."""

from __future__ import annotations

import redis.asyncio

from lockgate.routing.breaker import Circuits
from lockgate.store.circuits_redis import RedisCircuits


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now_s = 1000.0

    def monotonic(self):
        return self.now_s

    def unix(self):
        return self.now_s


class MemoryStage:
    """One process, seen twice."""

    async def __aenter__(self):
        self.clock = Clock()
        self.book = self.other = Circuits()
        return self

    async def __aexit__(self, *error):
        pass

    async def settle(self):
        """Nothing has to be told."""

    async def age(self, seconds):
        self.clock.now_s += seconds


class RedisStage:
    """Two processes over one server."""

    def __init__(self, url):
        self.url = url

    async def __aenter__(self):
        self.clock = Clock()
        self.clients = [redis.asyncio.Redis.from_url(self.url, decode_responses=True) for _ in range(2)]
        await self.clients[0].flushall()
        self.book, self.other = (RedisCircuits(client, self.clock, timeout_s=10) for client in self.clients)
        return self

    async def __aexit__(self, *error):
        for client in self.clients:
            await client.aclose()

    async def settle(self):
        """Let both tell what they saw and learn what there is."""
        for book in (self.book, self.other, self.book):
            assert await book.exchange()

    async def age(self, seconds):
        """Bring the end of all circuits nearer: the server has its own clock."""
        self.clock.now_s += seconds
        client = self.clients[0]
        for name in await client.keys("*:circuits}:*"):
            if name.endswith("}:open"):
                for member in await client.zrange(name, 0, -1):
                    await client.zincrby(name, -seconds * 1000, member)
            elif not name.endswith("}:all"):
                left_ms = await client.pttl(name)
                await client.pexpire(name, max(left_ms - int(seconds * 1000), 0))
