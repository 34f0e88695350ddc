"""The connections of one origin: which are idle, how many there may be, who waits for one."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

from lockgate.errors import Unreachable
from lockgate.transport.connection import Connection
from lockgate.transport.dialer import Route
from lockgate.transport.request_head import HeadWriter


class Lane:
    """Counts the connections of one origin and lends them, newest first; those who wait are served in order.

    A slot is the right to have one connection. Whoever holds a slot either passes a connection on (``keep``),
    or gives the slot up (``forget`` for a connection, ``give_up`` without one).
    """

    def __init__(self, route: Route, *, loop: asyncio.AbstractEventLoop, limit: int, idle_s: float) -> None:
        """Raises InvalidRequest when the host cannot stand in a Host header."""
        is_absolute = route.proxy is not None and not route.is_tunnel
        secret = route.proxy.authorization if route.proxy is not None and is_absolute else None
        self.route = route
        self.heads = HeadWriter(
            route.origin,
            is_absolute=is_absolute,
            proxy_authorization=secret.reveal() if secret is not None else None,
        )
        self._loop = loop
        self._limit = limit
        self._idle_s = idle_s
        self._slots = 0
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def active(self) -> int:
        """How many slots are in use by requests."""
        return self._slots - len(self._idle)

    @property
    def idle(self) -> int:
        """How many connections are open and unused."""
        return len(self._idle)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost by forgetting this lane."""
        return self._slots == 0 and not self._waiting

    def take(self, now: float) -> Connection | None:
        """Return the connection that was used last, if there is an idle one that is not too old."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if now - connection.last_at < self._idle_s:
                return connection
            connection.drop()
        return None

    async def reserve(self) -> Connection | None:
        """Wait in line for a slot; return an idle connection if it came with one."""
        if self._slots < self._limit:
            self._slots += 1
            return None
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except BaseException:
            # The slot may have been handed over in the same moment in which the wait was cancelled.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                connection = waiter.result()
                if connection is None:
                    self.give_up()
                else:
                    self.keep(connection)
            raise

    def add(self, connection: Connection) -> None:
        """Count a new connection on a slot that is held."""
        self._all.add(connection)

    def owns(self, connection: Connection) -> bool:
        """Tell whether the connection is alive and counted here."""
        return connection in self._all

    def replace(self, connection: Connection) -> None:
        """Drop a connection but hold its slot."""
        self._all.discard(connection)
        connection.drop()

    def keep(self, connection: Connection) -> None:
        """Lend the connection to the next in line, or keep it for later."""
        if connection not in self._all:
            return  # lost while it was being handed over: its slot is already given up
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._idle_s, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Stop counting a connection that is gone. May be called twice."""
        if connection in self._all:
            self._all.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self.give_up()

    def give_up(self) -> None:
        """Pass a slot on to the next in line, or count it as free."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._slots -= 1

    def close(self) -> None:
        """Drop all connections and turn away those who wait."""
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(Unreachable("the gateway is closing its connections"))
        for connection in list(self._all):
            connection.drop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _sweep(self) -> None:
        """Close what has been idle for too long, and look again while anything is left."""
        self._sweeper = None
        until = monotonic() - self._idle_s
        for connection in [connection for connection in self._idle if connection.last_at <= until]:
            connection.drop()
        if self._idle:
            oldest = min(connection.last_at for connection in self._idle)
            self._sweeper = self._loop.call_later(max(oldest - until, 0.01), self._sweep)
