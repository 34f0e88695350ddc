"""The HTTP server: uvicorn's HTTP/1.1 protocol with limits on the head and on slow clients, and an orderly end.

uvicorn holds the parser and the connection; this module adds what an exposed server needs: a cap on the size of a
request's head, time limits for sending it, answers in our own error shape for what is not HTTP, a call-back when a
client leaves, and a drain that lets running requests finish. One timer per connection watches over all limits, so
that a request makes and cancels none.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import httptools
from msgspec import Struct
from uvicorn import Config
from uvicorn._types import ASGIVersions
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from lockgate.core.http import Headers
from lockgate.errors import ConfigError
from lockgate.transport.cycle import Cycle

Refuse: TypeAlias = Callable[[int, str], tuple[Headers, bytes]]
"""From status and message to headers and body of an error answer."""

_DISCONNECT = "lockgate.disconnect"
_ASGI: Final[ASGIVersions] = {"version": "3.0", "spec_version": "2.3"}
_BACKLOG = 4096
_KEEP_ALIVE_S = 75
_BEGIN_S = 0.5
"""How long a drain waits for the request of a client that has just connected."""
_BAD_REQUEST, _REQUEST_TIMEOUT, _HEAD_TOO_LARGE = 400, 408, 431
_LONGEST_KEPT_URL = 256

_UPGRADE: Final = re.compile(rb"\r\nupgrade(?=[ \t]*:)", re.IGNORECASE)


def _without_upgrade(data: bytes) -> bytes:
    """Hide an Upgrade header from the parser, which would stop at it: we stay with HTTP/1.1, as a server may."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-grade", head) + end + rest if b"\r\nupgrade" in head.lower() else data


def _split_url(url: bytes) -> tuple[str, bytes, bytes]:
    """Return path, path as it was sent, and query. Raises HttpParserInvalidURLError."""
    parts = httptools.parse_url(url)
    path = parts.path.decode("ascii")
    return unquote(path) if "%" in path else path, parts.path, parts.query or b""


_split_usual_url = lru_cache(maxsize=256)(_split_url)


class HttpLimits(Struct, frozen=True, kw_only=True):
    """What a client may do to a connection."""

    header_bytes: int = 64 * 1024
    header_s: float = 10.0
    body_idle_s: float = 30.0
    body_bytes_per_s: int = 100
    """A body that comes more slowly than this over ``body_idle_s`` is given up."""


class _HeadTooLargeError(Exception):
    pass


class LimitedProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(self, *, limits: HttpLimits, refuse: Refuse, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._refuse = refuse
        self._is_receiving = True
        self._is_in_head = True
        self._head_bytes = 0
        self._is_head_too_large = False
        self._body_bytes = 0
        self._window_at = 0.0
        self._received_at = 0.0
        self._head_began_at = 0.0
        self._on_lost: Callable[[], None] | None = None
        self._is_lost = False
        self._guard: asyncio.TimerHandle | None = None
        self._answered_at = 0.0
        self._is_last = False
        """No further request is taken after the one that is under way."""
        self._cycle: Cycle | None = None
        self._waiting: deque[Cycle] = deque()
        """Requests that were sent before the answer of the one in front of them."""
        self._extensions = {_DISCONNECT: {"watch": self._watch}}

    # ---- connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._received_at = self._head_began_at = self.loop.time()
        self._guard = self.loop.call_later(self._limits.header_s, self._check_time)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self.connections.discard(self)
        if self._guard is not None:
            self._guard.cancel()
        if self._cycle is not None:
            self._cycle.client_left()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # type: ignore[assignment]  # it holds bound methods of this object
        if self._on_lost is not None:
            on_lost, self._on_lost = self._on_lost, None
            on_lost()

    def shutdown(self) -> None:
        """Close after the answer that is under way; at once where none is, unless a request may be on its way."""
        self._is_last = True
        if not self._is_idle():
            assert self._cycle is not None
            self._cycle.keep_alive = False
        elif not self.may_begin:
            self.transport.close()

    @property
    def may_begin(self) -> bool:
        """Whether a request may be on its way that we have not seen whole: the first one, or one that has begun."""
        return self._is_idle() and self._is_receiving and self._is_in_head

    def _watch(self, on_lost: Callable[[], None]) -> None:
        """What the app registers with: called once when the client is gone."""
        if self._is_lost:
            self.loop.call_soon(on_lost)
        else:
            self._on_lost = on_lost

    # ---- data

    def data_received(self, data: bytes) -> None:
        if self.parser is None or self.transport.is_closing():
            return
        self._received_at = self.loop.time()
        if self._is_receiving and not self._is_in_head:
            self._body_bytes += len(data)
        else:
            self._head_bytes += len(data)
            data = _without_upgrade(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # what was sent before is served; nothing that follows is ours to understand
        except httptools.HttpParserError:
            self._refuse_request()
            return
        if self._is_in_head and self._head_bytes > self._limits.header_bytes and not self.transport.is_closing():
            self._answer(_HEAD_TOO_LARGE, f"The request head is larger than {self._limits.header_bytes} bytes")

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._is_receiving = self._is_in_head = True
        self._head_began_at = self._received_at
        self._body_bytes = 0

    def on_headers_complete(self) -> None:
        """Start the app on a request whose head is complete; uvicorn's own does this and much that we do not need."""
        self._is_in_head = False
        if self._head_bytes > self._limits.header_bytes and self._head_size() > self._limits.header_bytes:
            self._is_head_too_large = True
            raise _HeadTooLargeError
        self._head_bytes = 0
        version = self.parser.get_http_version()
        url = self.url
        path, raw_path, query = _split_usual_url(url) if len(url) <= _LONGEST_KEPT_URL else _split_url(url)
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": "http",
            "root_path": "",
            "method": self.parser.get_method().decode("ascii"),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": {},
            "extensions": self._extensions,
        }
        before = self._cycle
        self._cycle = cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            default_headers=self.server_state.default_headers,
            wants_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and not self._is_last and self.parser.should_keep_alive(),
            on_response=self._answered,
        )
        if before is None or before.response_complete:
            self._run(cycle)
        else:
            # a pipelined request waits for the answer before it
            self.flow.pause_reading()
            self._waiting.append(cycle)

    def _run(self, cycle: Cycle) -> None:
        task = self.loop.create_task(cycle.run(self.app), name="request")
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            cycle.body_received(body)

    def on_message_complete(self) -> None:
        self._is_receiving = self._is_in_head = False
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            cycle.body_ended()

    def _answered(self) -> None:
        """Go on with the next request; without one the connection is kept for a while."""
        self._answered_at = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._waiting:
            self._run(self._waiting.popleft())

    # ---- refusals

    def _refuse_request(self) -> None:
        """Answer what the parser refuses, and what our callbacks raise."""
        cycle = self._cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            # an answer is under way on this connection: nothing can be said in between
            self.transport.abort()
        elif self._is_head_too_large:
            self._answer(_HEAD_TOO_LARGE, f"The request head is larger than {self._limits.header_bytes} bytes")
        else:
            self._answer(_BAD_REQUEST, "The request is not valid HTTP/1.1")

    def _answer(self, status: int, message: str) -> None:
        headers, body = self._refuse(status, message)
        lines = [STATUS_LINE[status]]
        headers = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        lines += [b"%b: %b\r\n" % pair for pair in headers]
        self.transport.write(b"".join((*lines, b"\r\n", body)))
        self.transport.close()

    def _check_time(self) -> None:
        """Close connections that send a head or a body too slowly; armed once, re-armed as long as it lives."""
        now, limits = self.loop.time(), self._limits
        if self._is_receiving and self._is_in_head and now - self._head_began_at >= limits.header_s:
            if self._head_bytes:
                self._answer(_REQUEST_TIMEOUT, f"The request head took longer than {limits.header_s:g} s")
            else:
                self.transport.close()
            return
        if self._is_receiving and not self._is_in_head and self._is_body_too_slow(now):
            self.transport.abort()
            return
        if not self._is_receiving and self._is_idle() and now - self._answered_at >= _KEEP_ALIVE_S:
            self.transport.close()
            return
        self._guard = self.loop.call_later(max(0.5, min(limits.header_s, limits.body_idle_s) / 4), self._check_time)

    def _is_idle(self) -> bool:
        return self._cycle is None or self._cycle.response_complete

    def _is_body_too_slow(self, now: float) -> bool:
        """Tell whether a body pauses for too long or trickles; while we do not read, the client is not to blame."""
        limits = self._limits
        if self.flow.read_paused:
            self._received_at = self._window_at = now
            self._body_bytes = 0
            return False
        if now - self._received_at >= limits.body_idle_s:
            return True
        waited_s = now - max(self._window_at, self._head_began_at)
        if waited_s < limits.body_idle_s:
            return False
        is_slow = self._body_bytes < limits.body_bytes_per_s * waited_s
        self._window_at, self._body_bytes = now, 0
        return is_slow


class Server:
    """Listens, serves an ASGI application, and ends in order."""

    def __init__(self, app: Any, *, limits: HttpLimits, refuse: Refuse) -> None:
        self._config = Config(
            app,
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._config.load()
        self._state = ServerState()
        self._limits = limits
        self._refuse = refuse
        self._listener: asyncio.Server | None = None
        self._dater: asyncio.TimerHandle | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a bound socket."""
        loop = asyncio.get_running_loop()

        def connect() -> LimitedProtocol:
            return LimitedProtocol(
                limits=self._limits,
                refuse=self._refuse,
                config=self._config,
                server_state=self._state,
                app_state={},
                _loop=loop,
            )

        self._set_date(loop)
        self._listener = await loop.create_server(connect, sock=listener, backlog=_BACKLOG)

    async def drain(self, deadline_s: float) -> int:
        """Stop accepting, let running requests finish until the deadline; return how many were cut off."""
        if self._listener is not None:
            self._listener.close()
        for connection in self._connections():
            connection.shutdown()
        if any(connection.may_begin for connection in self._connections()):
            await asyncio.sleep(min(_BEGIN_S, deadline_s))
            for connection in self._connections():
                if connection.may_begin:
                    connection.transport.close()
        tasks = self._state.tasks
        if tasks:
            await asyncio.wait(set(tasks), timeout=deadline_s)
        cut_off = [task for task in tasks if not task.done()]
        for task in cut_off:
            task.cancel()
        await asyncio.gather(*cut_off, return_exceptions=True)
        if self._dater is not None:
            self._dater.cancel()
        return len(cut_off)

    def _connections(self) -> list[LimitedProtocol]:
        return [one for one in self._state.connections if isinstance(one, LimitedProtocol)]

    def _set_date(self, loop: asyncio.AbstractEventLoop) -> None:
        """Renew the Date header once a second instead of once a request."""
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode("ascii"))]
        self._dater = loop.call_later(1.0, self._set_date, loop)


def bind(host: str, port: int, *, is_shared: bool = False, is_listening: bool = True) -> socket.socket:
    """Bind a listening address. Raises ConfigError with one sentence when it is not free.

    ``is_shared`` lets other processes of the same user bind it too; the kernel spreads connections over those that
    listen. A socket that does not listen only keeps the port.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((host, port))
            if is_listening:
                listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port or server.port"
        ) from None
    listener.setblocking(False)
    return listener
