"""The cache in Redis or Valkey, shared by many gateway processes.

It is never waited for longer than a short time, and after a failure not asked at all for a while: a cache that does
not answer is a cache that is empty. The server has to bound its memory itself (``maxmemory`` with an LRU policy), so
it should not be the one that holds counters.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lockgate.core.cached import CachedReply, read_cached, write_cached
from lockgate.ports import Clock, Flight
from lockgate.store.flights import Flights, Landed, LocalFlight

MAX_ENTRY_BYTES = 8 * 1024 * 1024
FLIGHT_S = 60.0
"""How long other processes wait at most for one that gets an answer; if it dies, that long."""

_PREFIX = "lockgate:cache:"
_TIMEOUT_S = 0.25
_PAUSE_S = 1.0
_FIRST_POLL_S, _LAST_POLL_S = 0.005, 0.1
# Ends a flight, but not that of another process that began when ours had taken too long.
_END = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

_log = logging.getLogger("lockgate.cache")
_T = TypeVar("_T")


class RedisCache:
    """Implements ``ports.CacheStore``. The client must be one that returns bytes."""

    def __init__(
        self,
        client: Redis,
        clock: Clock,
        *,
        most_entry_bytes: int = MAX_ENTRY_BYTES,
        timeout_s: float = _TIMEOUT_S,
        flight_s: float = FLIGHT_S,
    ) -> None:
        self._client = client
        self._now = clock.monotonic
        self._most_entry_bytes = most_entry_bytes
        self._timeout_s = timeout_s
        self._flight_ms = int(flight_s * 1000)
        self._flights = Flights()
        self._asked_again_s = 0.0
        self.failures = 0
        """How often the server did not answer, or refused."""

    async def get(self, key: str) -> CachedReply | None:
        """Return the answer under a key, None when there is none that is young enough, or no server."""
        data = await self._ask(lambda: self._client.get(_PREFIX + key))
        return read_cached(data) if isinstance(data, bytes) else None

    async def put(self, key: str, reply: CachedReply, max_age_s: int) -> None:
        """Keep an answer. One that is too large is not kept, and takes away an earlier one."""
        if reply.size_bytes > self._most_entry_bytes:
            await self._ask(lambda: self._client.delete(_PREFIX + key))
            return
        data = write_cached(reply)
        await self._ask(lambda: self._client.set(_PREFIX + key, data, ex=max_age_s))

    async def join(self, key: str) -> Flight:
        """Join those that want the same answer now, in all processes."""
        local = self._flights.join(key)
        if not local.leads:
            return local
        token = secrets.token_hex(8)
        try:
            began, data = await self._ask(lambda: self._begin(key, token)) or (True, None)
            reply = read_cached(data) if data is not None else None
            if reply is not None:
                await local.land(reply)
                await self.end_flight(key, token)
                return Landed(reply)
        except BaseException:
            await local.land(None)
            raise
        return SharedFlight(self, key, local, token=token if began else None)

    async def wait_for_others(self, key: str, timeout_s: float) -> CachedReply | None:
        """Wait until another process has put the answer there, or has given up."""
        pause_s, until_s = _FIRST_POLL_S, self._now() + timeout_s
        while self._now() < until_s:
            is_flying = await self._ask(lambda: self._client.exists(_flight(key)))
            reply = await self.get(key)
            if reply is not None or not is_flying:
                return reply
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LAST_POLL_S)
        return None

    async def end_flight(self, key: str, token: str) -> None:
        """Tell other processes that the flight is over."""
        await self._ask(lambda: self._client.eval(_END, 1, _flight(key), token))

    async def _begin(self, key: str, token: str) -> tuple[bool, bytes | None]:
        """Begin a flight unless there is one; and look once more, for one may have landed since the last look."""
        if not await self._client.set(_flight(key), token, nx=True, px=self._flight_ms):
            return False, None
        data = await self._client.get(_PREFIX + key)
        return True, data if isinstance(data, bytes) else None

    async def _ask(self, send: Callable[[], Awaitable[_T]]) -> _T | None:
        """Ask the server; without an answer in time return None, and do not ask again for a while."""
        if self._now() < self._asked_again_s:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await send()
        except (RedisError, OSError, TimeoutError) as error:
            self.failures += 1
            self._asked_again_s = self._now() + _PAUSE_S
            _log.warning("the cache does not answer: %s", type(error).__name__)
            return None


class SharedFlight:
    """Implements ``ports.Flight`` across processes. Who leads here but not among the processes waits for another."""

    def __init__(self, cache: RedisCache, key: str, local: LocalFlight, *, token: str | None) -> None:
        self.leads = token is not None
        self._cache = cache
        self._key = key
        self._local = local
        self._token = token

    async def landed(self, timeout_s: float) -> CachedReply | None:
        """Wait for another process, and tell the callers in this one."""
        reply = None
        try:
            reply = await self._cache.wait_for_others(self._key, timeout_s)
        finally:
            await self._local.land(reply)
        return reply

    async def land(self, reply: CachedReply | None) -> None:
        """Share the answer here at once, and let other processes look for it in the store: put it there first."""
        await self._local.land(reply)
        token, self._token = self._token, None
        if token is not None:
            await self._cache.end_flight(self._key, token)


def _flight(key: str) -> str:
    return f"{_PREFIX}flight:{key}"
