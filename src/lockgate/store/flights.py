"""Callers of one process that want the same answer at the same time: one gets it, the others wait for it."""

from __future__ import annotations

import asyncio

from lockgate.core.cached import CachedReply


class LocalFlight:
    """Implements ``ports.Flight`` within a process."""

    def __init__(self, flights: Flights, key: str, future: asyncio.Future[CachedReply | None], *, leads: bool) -> None:
        self.leads = leads
        self._flights = flights
        self._key = key
        self._future = future

    async def landed(self, timeout_s: float) -> CachedReply | None:
        """Wait for the answer. Who gives up, or whose client leaves, disturbs nobody else."""
        done, _ = await asyncio.wait((self._future,), timeout=timeout_s)
        return self._future.result() if done else None

    async def land(self, reply: CachedReply | None) -> None:
        """Share the answer. Only who leads can."""
        if self.leads:
            self._flights.end(self._key, self._future, reply)


class Landed:
    """Implements ``ports.Flight``: the answer came between the look into the store and the wish to join."""

    leads = False

    def __init__(self, reply: CachedReply) -> None:
        self._reply = reply

    async def landed(self, timeout_s: float) -> CachedReply | None:
        """Return the answer."""
        return self._reply

    async def land(self, reply: CachedReply | None) -> None:
        """It has landed."""


class Flights:
    """The flights of one process."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[CachedReply | None]] = {}

    def join(self, key: str) -> LocalFlight:
        """Join the flight for a key, or begin it."""
        running = self._running.get(key)
        if running is not None:
            return LocalFlight(self, key, running, leads=False)
        future = self._running[key] = asyncio.get_running_loop().create_future()
        return LocalFlight(self, key, future, leads=True)

    def end(self, key: str, future: asyncio.Future[CachedReply | None], reply: CachedReply | None) -> None:
        """End a flight, once."""
        if self._running.get(key) is future:
            del self._running[key]
        if not future.done():
            future.set_result(reply)
