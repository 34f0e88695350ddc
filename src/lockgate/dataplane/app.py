"""The ASGI application of the data plane: which route takes a request, and what needs no route.

Every answer, whatever its status, carries a trace id and a request id: SDKs of the Portkey family call twice when
they are missing from a 5xx.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

import lockgate
from lockgate.core.capture import Capture
from lockgate.core.http import Headers
from lockgate.core.trace import trace_id_of
from lockgate.dataplane.auth import authenticate, check_manages
from lockgate.dataplane.batches import Batches
from lockgate.dataplane.client import ClientConnection, Receive, Scope, Send
from lockgate.dataplane.count_tokens import CountTokens
from lockgate.dataplane.exchange import Exchange, own_error_headers
from lockgate.dataplane.files import Files
from lockgate.dataplane.headers import decode, read_headers
from lockgate.dataplane.ids import new_request_id
from lockgate.dataplane.keepers import Keepers
from lockgate.dataplane.models import ModelDeletion, ModelList, ModelLists
from lockgate.dataplane.paths import Route, find_route, is_anthropic_path, methods_of
from lockgate.dataplane.purse import Purse
from lockgate.dataplane.threads import ThreadOwners
from lockgate.dataplane.walk import Crossroads
from lockgate.dialects import Dialect
from lockgate.errors import Draining, GatewayError, Internal, MethodNotAllowed, NotFound
from lockgate.plan.snapshot import Snapshot
from lockgate.ports import BatchBook, CacheStore, CaptureSink, Clock, Counters, HostGuard, RecordSink, Upstream
from lockgate.routing.breaker import CircuitBook, Circuits


def _first() -> float:
    return 0.0


class _NoBodies:
    def offer(self, capture: Capture) -> None:
        """Let go of it."""


NO_BODIES = _NoBodies()


class ControlPlane(Protocol):
    """The application beside this one: it serves the paths that are its own."""

    def has_route(self, path: str) -> bool:
        """Tell whether a path is the control plane's."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        ...


_log = logging.getLogger("lockgate.dataplane")

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_GREETING = b"Lockgate says hi! The API is at /v1.\n"
_REFUSALS_PER_MINUTE = 10


class DataPlane:
    """Holds what all exchanges share. ``snapshot`` is replaced as a whole when the configuration changes."""

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        upstream: Upstream,
        sink: RecordSink,
        clock: Clock,
        dialects: Mapping[str, Dialect],
        guard: HostGuard,
        counters: Counters,
        cache: CacheStore,
        batch_book: BatchBook,
        control: ControlPlane | None = None,
        bodies: CaptureSink = NO_BODIES,
        circuits: CircuitBook | None = None,
        roll: Callable[[], float] = _first,
        expose: Callable[[str], tuple[str, bytes]] | None = None,
        node_id: str | None = None,
        shown_address: Callable[[str, float], str | None] = lambda address, now_s: None,
    ) -> None:
        """``expose`` takes an Accept header and returns content type and text of the metrics; ``shown_address`` says
        what may be kept of a client's address at a time.

        Without ``circuits`` they are those of this process alone.
        """
        self.snapshot = snapshot
        self._control = control
        self._expose = expose
        self.bodies = bodies
        self.roll = roll
        self.node_id = node_id
        self.shown_address = shown_address
        self.crossroads = Crossroads(frozenset(snapshot.raw_targets), circuits or Circuits())
        self.counters = counters
        self.batch_book = batch_book
        self.cache = cache
        self.grants: set[Purse] = set()
        """The reservations of exchanges under way; each ``RENEW_S`` somebody must call ``renew_grants``."""
        self.upstream = upstream
        self.sink = sink
        self.clock = clock
        self.dialects = dialects
        self.guard = guard
        self.model_lists = ModelLists()
        self.keepers = Keepers(clock)
        self.threads = ThreadOwners(clock)
        self.is_draining = False
        self.exchanges: set[Exchange] = set()
        """Under way."""
        self._refusals: dict[str, tuple[int, int]] = {}
        self._chat = dialects["openai_chat"]
        self._messages = dialects["anthropic_messages"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            found = find_route(scope["path"])
            if found is None and self._control is not None and self._control.has_route(scope["path"]):
                await self._control(scope, receive, send)
                return
            await self._serve(ClientConnection(scope, receive, send), found)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, client: ClientConnection, found: tuple[Route, str] | None) -> None:
        path: str = client.scope["path"]
        method: str = client.scope["method"]
        if method == "OPTIONS":
            # a preflight is answered without a key; no origin is allowed, so browsers of other sites stay out
            await self._say(client, 204, [], b"")
            return
        if found is None:
            await self._refuse(client, "unknown", NotFound(f"There is no route {method} {path[:200]}"))
            return
        route, rest = found
        if method not in methods_of(route, rest):
            allowed = ", ".join(sorted(methods_of(route, rest)))
            error = MethodNotAllowed(f"{path[:200]} takes {allowed}, not {method}")
            await self._refuse(client, route, error, [(b"allow", allowed.encode())])
            return
        plain = self._plain(route)
        if plain is not None:
            await self._say(client, *plain)
            return
        if route == "metrics":
            await self._say_metrics(client)
            return
        if self.is_draining or len(self.exchanges) >= self.snapshot.limits.connections:
            reason = "is shutting down" if self.is_draining else "has too many open requests (limits.connections)"
            await self._refuse(client, route, Draining(f"The gateway {reason}; try again"))
            return
        exchange = self._exchange(client, route, rest)
        self.exchanges.add(exchange)
        try:
            await exchange.run()
        finally:
            self.exchanges.discard(exchange)

    def _exchange(self, client: ClientConnection, route: Route, rest: str) -> Exchange:
        if route == "chat":
            return Exchange(self, client, route, self._chat)
        if route == "messages":
            return Exchange(self, client, route, self._messages)
        if route == "count_tokens":
            return CountTokens(self, client, route, self._messages)
        if route == "message_batches":
            return Batches(self, client, "batches", self._messages).at(rest)
        if route == "batches":
            return Batches(self, client, "batches", self._chat).at(rest)
        is_anthropic = any(name == b"anthropic-version" for name, _ in client.scope["headers"])
        if route == "files":
            return Files(self, client, "files", self._messages if is_anthropic else self._chat).at(rest)
        kind = ModelDeletion if client.scope["method"] == "DELETE" else ModelList
        return kind(self, client, self._messages if is_anthropic else self._chat, rest)

    def _plain(self, route: Route) -> tuple[int, Headers, bytes] | None:
        """Answers that need no key and touch nothing."""
        if route == "greeting":
            return 200, [_TEXT], _GREETING
        if route == "hello":
            return 200, [_TEXT], b""
        if route == "health":
            body = {"status": "success", "message": "Server is healthy", "version": lockgate.__version__}
            return 200, [_JSON], msgspec.json.encode(body)
        if route == "ready":
            is_ready = not self.is_draining
            return 200 if is_ready else 503, [_JSON], b'{"ready":true}' if is_ready else b'{"ready":false}'
        return None

    async def _say_metrics(self, client: ClientConnection) -> None:
        """Answer with the numbers of all workspaces, to who manages them."""
        if self._expose is None:
            await self._refuse(client, "metrics", NotFound("There are no metrics here"))
            return
        headers = read_headers(client.scope["headers"])
        try:
            check_manages(authenticate(self.snapshot, headers, self.clock.unix()).key)
        except GatewayError as error:
            await self._refuse(client, "metrics", error)
            return
        content_type, text = self._expose(decode(headers.get(b"accept", b"")))
        await self._say(client, 200, [(b"content-type", content_type.encode("ascii"))], text)

    async def _say(self, client: ClientConnection, status: int, headers: Headers, body: bytes) -> None:
        request_id = new_request_id(self.clock.unix())
        trace_id = trace_id_of(read_headers(client.scope["headers"]), request_id)
        ids: Headers = [(b"x-portkey-trace-id", trace_id), (b"x-portkey-request-id", request_id.encode("ascii"))]
        length = (b"content-length", b"%d" % len(body))
        await client.send_whole(status, [*headers, *ids, length], body)

    async def _refuse(
        self, client: ClientConnection, route: str, error: GatewayError, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer a request that is not served, whoever asks; its record is sampled."""
        dialect = self._messages if is_anthropic_path(client.scope["path"]) else self._chat
        exchange = Exchange(self, client, route, dialect)
        body = dialect.write_error(error, request_id=exchange.request_id, provider=None)
        if isinstance(error, NotFound):
            # clients of the hosted service look for this key at an unknown route
            body = body[:-1] + b',"ok":false}'
        exchange.ledger.refuse(error)
        await exchange.reply(error.status, body, _JSON[1], [*headers, *own_error_headers(error)])

    def take(self, snapshot: Snapshot) -> None:
        """Serve by another snapshot from now on; exchanges under way keep theirs. Providers never change."""
        self.snapshot = snapshot

    def renew_grants(self) -> None:
        """Keep the reservations of long answers alive."""
        for purse in self.grants:
            purse.renew()

    def may_record_refusal(self, code: str) -> bool:
        """Sample what anybody can cause without a key, for each error by itself, so that no flood fills the disk."""
        minute = int(self.clock.unix() // 60)
        since, count = self._refusals.get(code, (minute, 0))
        count = count + 1 if since == minute else 1
        self._refusals[code] = (minute, count)
        return count <= _REFUSALS_PER_MINUTE

    def server_error(self, status: int, message: str) -> tuple[Headers, bytes]:
        """Headers and body for errors that the HTTP server makes before a request exists."""
        request_id = new_request_id(self.clock.unix())
        error = Internal(message)
        error.status, error.kind = status, "invalid_request_error"
        body = self._chat.write_error(error, request_id=request_id, provider=None)
        ids = request_id.encode("ascii")
        own = own_error_headers(error)
        return [_JSON, (b"x-portkey-trace-id", ids), (b"x-portkey-request-id", ids), *own], body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
