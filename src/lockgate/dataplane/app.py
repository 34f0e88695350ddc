"""The ASGI application of the data plane: which route takes a request, and what needs no route.

Every answer, whatever its status, carries a trace id and a request id: SDKs of the Portkey family call twice when
they are missing from a 5xx.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec

import lockgate
from lockgate.core.http import Headers
from lockgate.dataplane.batches import Batches
from lockgate.dataplane.client import ClientConnection, Receive, Scope, Send
from lockgate.dataplane.count_tokens import CountTokens
from lockgate.dataplane.exchange import Exchange, own_error_headers
from lockgate.dataplane.files import Files
from lockgate.dataplane.headers import read_headers
from lockgate.dataplane.ids import new_request_id, trace_id_of
from lockgate.dataplane.keepers import Keepers
from lockgate.dataplane.models import ModelList, ModelLists
from lockgate.dataplane.paths import Route, find_route, is_anthropic_path, methods_of
from lockgate.dataplane.threads import ThreadOwners
from lockgate.dialects import Dialect
from lockgate.errors import Draining, GatewayError, Internal, MethodNotAllowed, NotFound
from lockgate.plan.snapshot import Snapshot
from lockgate.ports import Clock, HostGuard, RecordSink, Upstream

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
    ) -> None:
        self.snapshot = snapshot
        self.upstream = upstream
        self.sink = sink
        self.clock = clock
        self.dialects = dialects
        self.guard = guard
        self.model_lists = ModelLists()
        self.keepers = Keepers(clock)
        self.threads = ThreadOwners(clock)
        self.is_draining = False
        self.running = 0
        """Exchanges under way."""
        self._refusals: tuple[int, int] = (0, 0)
        self._chat = dialects["openai_chat"]
        self._messages = dialects["anthropic_messages"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(ClientConnection(scope, receive, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, client: ClientConnection) -> None:
        path: str = client.scope["path"]
        found = find_route(path)
        method: str = client.scope["method"]
        if method == "OPTIONS":
            # a preflight is answered without a key; no origin is allowed, so browsers of other sites stay out
            await self._say(client, 204, [], b"")
            return
        if found is None:
            error: GatewayError = NotFound(f"There is no route {method} {path[:200]}")
            await self._refuse(client, error)
            return
        route, rest = found
        if method not in methods_of(route, rest):
            allowed = ", ".join(sorted(methods_of(route, rest)))
            error = MethodNotAllowed(f"{path[:200]} takes {allowed}, not {method}")
            await self._refuse(client, error, [(b"allow", allowed.encode())])
            return
        plain = self._plain(route)
        if plain is not None:
            await self._say(client, *plain)
            return
        if self.is_draining or self.running >= self.snapshot.limits.connections:
            reason = "is shutting down" if self.is_draining else "has too many open requests (limits.connections)"
            await self._refuse(client, Draining(f"The gateway {reason}; try again"))
            return
        self.running += 1
        try:
            await self._exchange(client, route, rest).run()
        finally:
            self.running -= 1

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
        return ModelList(self, client, self._messages if is_anthropic else self._chat, rest)

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

    async def _say(
        self, client: ClientConnection, status: int, headers: Headers, body: bytes, request_id: str | None = None
    ) -> None:
        request_id = request_id or new_request_id(self.clock.unix())
        trace_id = trace_id_of(read_headers(client.scope["headers"]), request_id)
        ids: Headers = [(b"x-portkey-trace-id", trace_id), (b"x-portkey-request-id", request_id.encode("ascii"))]
        length = (b"content-length", b"%d" % len(body))
        await client.send_whole(status, [*headers, *ids, length], body)

    async def _refuse(
        self, client: ClientConnection, error: GatewayError, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer a request that no exchange takes."""
        request_id = new_request_id(self.clock.unix())
        dialect = self._messages if is_anthropic_path(client.scope["path"]) else self._chat
        body = dialect.write_error(error, request_id=request_id, provider=None)
        if isinstance(error, NotFound):
            # clients of the hosted service look for this key at an unknown route
            body = body[:-1] + b',"ok":false}'
        own = [_JSON, *headers, *own_error_headers(error)]
        await self._say(client, error.status, own, body, request_id)

    def may_record_refusal(self) -> bool:
        """Sample refused keys, so that a flood of them cannot fill the disk."""
        minute = int(self.clock.unix() // 60)
        count = self._refusals[1] + 1 if self._refusals[0] == minute else 1
        self._refusals = (minute, count)
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
