"""The cache in the memory of one process, bounded in bytes: what was not used for longest makes room."""

from __future__ import annotations

from collections import OrderedDict

from lockgate.core.cached import CachedReply
from lockgate.ports import Clock, Flight
from lockgate.store.flights import Flights, Landed

MAX_BYTES = 64 * 1024 * 1024
MAX_ENTRY_BYTES = 1024 * 1024
_OVERHEAD_BYTES = 1024
"""About what an entry takes beside its body: key, Structs, dict slots."""


class MemoryCache:
    """Implements ``ports.CacheStore``."""

    def __init__(self, clock: Clock, *, most_bytes: int = MAX_BYTES, most_entry_bytes: int = MAX_ENTRY_BYTES) -> None:
        self._now = clock.monotonic
        self._most_bytes = most_bytes
        self._most_entry_bytes = most_entry_bytes
        self._kept: OrderedDict[str, tuple[CachedReply, float]] = OrderedDict()
        self._flights = Flights()
        self.size_bytes = 0
        """What the entries take, about."""

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: str) -> CachedReply | None:
        """Return the answer under a key, None when there is none that is young enough."""
        found = self._kept.get(key)
        if found is None:
            return None
        reply, until_s = found
        if self._now() >= until_s:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return reply

    async def put(self, key: str, reply: CachedReply, max_age_s: int) -> None:
        """Keep an answer; older ones make room. One that is too large is not kept, and takes away an earlier one."""
        self._drop(key)
        if reply.size_bytes > self._most_entry_bytes:
            return
        self._kept[key] = (reply, self._now() + max_age_s)
        self.size_bytes += _size(reply)
        while self.size_bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    async def join(self, key: str) -> Flight:
        """Join those that want the same answer now."""
        reply = await self.get(key)
        return Landed(reply) if reply is not None else self._flights.join(key)

    def _drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self.size_bytes -= _size(found[0])


def _size(reply: CachedReply) -> int:
    return reply.size_bytes + _OVERHEAD_BYTES
