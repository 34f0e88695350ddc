"""The pool of connections to providers: the implementation of ports.Upstream."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic

from lockgate.core.http import Origin, Timeouts, UpstreamRequest
from lockgate.errors import Broken, Unreachable
from lockgate.transport.address_guard import trusted_set
from lockgate.transport.connection import BODY, HEAD, WRITE_SIZE, Connection
from lockgate.transport.dialer import Connect, Dialer, Marks, Resolve
from lockgate.transport.lane import Lane
from lockgate.transport.limits import limited
from lockgate.transport.proxy import read_proxies
from lockgate.transport.response import HttpResponse
from lockgate.transport.tls import explain_failure, make_context

_MANY_LANES = 256


class HttpPool:
    """Sends requests over HTTP/1.1 connections that are kept and used again. Belongs to one event loop."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        trusted_hosts: Iterable[str] = (),
        ca_file: Path | None = None,
        connections_per_origin: int = 1024,
        idle_s: float = 60.0,
        resolve: Resolve | None = None,
        connect: Connect | None = None,
    ) -> None:
        """Opens nothing. Raises ConfigError for a bad proxy variable or a bad file of certificates.

        ``environment`` holds the proxy variables, ``trusted_hosts`` are those of TRUSTED_CUSTOM_HOSTS,
        ``ca_file`` is trusted beside the system's authorities. Idle connections are closed after ``idle_s``.
        """
        self._dialer = Dialer(
            proxies=read_proxies(environment or {}),
            trusted=trusted_set(trusted_hosts),
            resolve=resolve,
            connect=connect,
        )
        self._context: ssl.SSLContext | None = make_context(ca_file) if ca_file is not None else None
        self._limit = connections_per_origin
        self._idle_s = idle_s
        self._lanes: dict[Origin, Lane] = {}
        self._is_closed = False

    @property
    def active(self) -> int:
        """How many requests hold a connection or open one."""
        return sum(lane.active for lane in self._lanes.values())

    @property
    def idle(self) -> int:
        """How many connections are kept for later."""
        return sum(lane.idle for lane in self._lanes.values())

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """Return how many connections to each host are in use, and how many are kept for later."""
        found: dict[str, tuple[int, int]] = {}
        for origin, lane in self._lanes.items():
            active, idle = found.get(origin.host, (0, 0))
            found[origin.host] = (active + lane.active, idle + lane.idle)
        return found

    async def send(self, request: UpstreamRequest) -> HttpResponse:
        """Send and return when the answer's head has arrived.

        Raises Unreachable, TimedOut, Broken, Malformed, and InvalidRequest for what may not be sent at all. A request
        is sent twice in one case only: a connection that was kept turned out to be closed before any answer. So one
        with a stream, which cannot be sent twice, gets a new connection.
        """
        started_at = monotonic()
        timeouts, body = request.timeouts, request.body
        lane = self._lanes.get(request.origin) or self._add_lane(request.origin)
        head = lane.heads.write(request)
        connection = lane.take(started_at)
        if request.stream is not None:
            connection = await self._renew(lane, connection, timeouts, started_at)
        elif connection is None:
            connection = await self._open(lane, timeouts, started_at)
        while True:
            try:
                connection.begin(is_head_request=request.method == "HEAD", timeouts=timeouts, started_at=started_at)
                if request.stream is not None:
                    await connection.upload_stream(head, request.stream, request.stream_bytes)
                elif len(body) <= WRITE_SIZE:
                    connection.write(head + body)
                else:
                    await connection.upload(head, body)
                if connection.state == HEAD:
                    await connection.wait(BODY)
            except BaseException:
                connection.drop()
                raise
            if connection.status:
                return HttpResponse(connection)
            error = connection.error
            assert error is not None
            if not connection.is_stale:
                raise error
            connection = await self._reopen(lane, timeouts, started_at)

    async def aclose(self) -> None:
        """Close idle connections, abort the others, and wait for nothing. Later requests are Unreachable."""
        self._is_closed = True
        for lane in self._lanes.values():
            lane.close()

    def _add_lane(self, origin: Origin) -> Lane:
        if self._is_closed:
            raise Unreachable("the gateway is closing its connections")
        if len(self._lanes) >= _MANY_LANES:  # clients may choose origins: keep those that are in use
            self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_empty}
        loop = asyncio.get_running_loop()
        lane = Lane(self._dialer.route(origin), loop=loop, limit=self._limit, idle_s=self._idle_s)
        self._lanes[origin] = lane
        return lane

    async def _open(self, lane: Lane, timeouts: Timeouts, started_at: float, *, is_fresh: bool = False) -> Connection:
        """Return a connection on a slot of the lane: a new one, or one that was handed over while we waited."""
        if self._is_closed:
            raise Unreachable("the gateway is closing its connections")
        async with limited("pool", timeouts.pool_s, timeouts, started_at):
            while (connection := await lane.reserve()) is not None:
                if not lane.owns(connection):
                    continue  # lost while it was handed over, and its slot with it
                if not is_fresh:
                    return connection
                lane.replace(connection)
                break
        try:
            return await self._connect(lane, timeouts, started_at)
        except BaseException:
            lane.give_up()
            raise

    async def _renew(self, lane: Lane, kept: Connection | None, timeouts: Timeouts, started_at: float) -> Connection:
        """Return a new connection, on the slot of the one that was kept if there is one."""
        if kept is None:
            return await self._open(lane, timeouts, started_at, is_fresh=True)
        lane.replace(kept)
        try:
            return await self._connect(lane, timeouts, started_at)
        except BaseException:
            lane.give_up()
            raise

    async def _reopen(self, lane: Lane, timeouts: Timeouts, started_at: float) -> Connection:
        """Return a new connection for a request whose first one was stale."""
        try:
            return await self._open(lane, timeouts, started_at, is_fresh=True)
        except Unreachable as error:
            # Unreachable would promise that nothing was sent.
            raise Broken("the provider closed an idle connection, and a new one could not be made") from error

    async def _connect(self, lane: Lane, timeouts: Timeouts, started_at: float) -> Connection:
        loop = asyncio.get_running_loop()
        origin = lane.route.origin
        if origin.scheme == "https" and self._context is None:
            self._context = make_context()
        marks = Marks()
        async with limited("connect", timeouts.connect_s, timeouts, started_at):
            sock = await self._dialer.dial(lane.route, marks)
        if origin.scheme != "https":
            _, connection = await loop.create_connection(lambda: Connection(lane, loop), sock=sock)
        else:
            try:
                async with limited("tls", timeouts.tls_s, timeouts, started_at):
                    _, connection = await loop.create_connection(
                        lambda: Connection(lane, loop),
                        sock=sock,
                        ssl=self._context,
                        server_hostname=origin.host.strip("[]"),
                        ssl_handshake_timeout=timeouts.tls_s + 1.0,  # ours comes first
                    )
            except OSError as error:
                raise explain_failure(error) from error
        connection.opened = marks.opened(is_tls=origin.scheme == "https")
        if connection.is_lost or self._is_closed:
            connection.drop()
            raise Unreachable("the connection was closed before the request was sent")
        lane.add(connection)
        return connection
