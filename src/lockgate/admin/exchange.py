"""One request of the control plane, from its head to its answer.

Every answer is a JSON object and carries a trace id and a request id: SDKs of the Portkey family call twice when they
are missing from a 5xx. Source: control-plane specification, sections 0.1, 0.4 and 0.7.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import Executor
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from lockgate.admin.access import check_access
from lockgate.admin.call import Call, Services
from lockgate.admin.endpoint import Answer, Endpoint, Nothing, Streamed
from lockgate.admin.error_body import write_error
from lockgate.admin.idempotency import once, read_asked
from lockgate.admin.paging import Page
from lockgate.admin.principal import Principal, find_key, identify
from lockgate.admin.reading import Ignored, read_body, read_query
from lockgate.admin.resends import Resends, digest_of
from lockgate.admin.routes import Found, Routes
from lockgate.admin.sdk_shapes import TABLE, is_python_sdk, reshape
from lockgate.core.trace import trace_id_of, write_uuid7
from lockgate.errors import GatewayError, Internal, MethodNotAllowed, NotFound, TooLarge
from lockgate.store.replies import Reply

_log = logging.getLogger("lockgate.admin")

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

_DICE_BYTES = 10
_MAX_HEADER = 1000
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Shared(Struct, frozen=True, kw_only=True):
    """What all requests share."""

    services: Services
    routes: Routes
    threads: Executor
    body_limit: int
    """In bytes."""
    resends: Resends = field(default_factory=Resends)


class ClientLeft(Exception):
    """The client went away before its request was complete."""


class Exchange:
    """The state of one request. ``run`` never raises but for cancellation from outside."""

    def __init__(self, shared: Shared, scope: Scope, receive: Receive, send: Send) -> None:
        self._shared = shared
        self._services = shared.services
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            self._headers.setdefault(name.lower(), value)
        self._method: str = scope["method"]
        self._request_id = write_uuid7(self._services.now().timestamp(), os.urandom(_DICE_BYTES).hex())

    async def run(self, found: Found | None) -> None:
        """Answer."""
        try:
            answer = await self._answer(found)
        except ClientLeft:
            return
        except GatewayError as error:
            answer = self._refusal(error)
        except Exception:  # noqa: BLE001  # the edge: a bug in a handler is answered, and told once in the log
            _log.exception("request %s failed", self._request_id)
            answer = self._refusal(Internal("Something went wrong in the gateway; its log has the request id"))
        if isinstance(answer, Streamed):
            await self._stream(answer)
        else:
            await self._say(answer)

    async def _answer(self, found: Found | None) -> Reply | Streamed:
        path: str = self._scope["path"]
        if self._method == "OPTIONS":
            # a preflight is answered without a key; no origin is allowed, so browsers of other sites stay out
            return Reply(200, (), b"{}")
        if found is None:
            raise NotFound(f"There is no route {self._method} {path[:200]}")
        endpoint = found.endpoints.get("GET" if self._method == "HEAD" else self._method)
        if endpoint is None:
            return self._wrong_method(found)
        if any("\0" in value for value in found.parameters.values()):
            raise NotFound("There is no such thing: its name holds a NUL character")
        principal = None if endpoint.access.is_public else await self._identify()
        if principal is not None:
            check_access(endpoint.access, principal.kind, principal.scopes)
        body = await self._read(endpoint.body_limit or self._shared.body_limit)
        call = self._call(endpoint, found, principal, body)
        return await self._work(endpoint, call, body)

    async def _identify(self) -> Principal:
        services = self._services
        key = find_key(services.snapshot(), self._headers, services.now().timestamp())

        def look_up() -> Principal:
            with services.directory.read() as view:
                return identify(view, key)

        found: Principal = await self._in_thread(look_up)
        return found

    def _call(self, endpoint: Endpoint, found: Found, principal: Principal | None, body: bytes) -> Call[Any, Any]:
        query: bytes = self._scope.get("query_string", b"")
        ignored: list[Ignored] = []
        said = found.parameters.values()
        return Call(
            services=self._services,
            principal=principal,
            parameters=found.parameters,
            body=Nothing() if endpoint.body is Nothing else read_body(body, endpoint.body, ignored, said),
            query=read_query(query.decode("latin-1"), endpoint.query, None if endpoint.query is Nothing else ignored),
            headers=self._headers,
            method=self._method,
            uri=self._scope["path"],
            request_id=self._request_id,
            client_ip=(self._scope.get("client") or ("",))[0],
            loop=asyncio.get_running_loop(),
            routes=self._shared.routes,
            ignored=ignored,
        )

    async def _work(self, endpoint: Endpoint, call: Call[Any, Any], body: bytes) -> Reply | Streamed:
        """Run the handler; with an Idempotency-Key once for each key within a day.

        All of it runs in one thread and to its end, also when the client leaves meanwhile.
        """
        if endpoint.is_waiting:
            return self._written(endpoint, call, await (await self._in_thread(lambda: endpoint.handler(call))))
        given = self._headers.get(b"idempotency-key", b"").decode("latin-1").strip()
        if not given and endpoint.is_resent:
            digest = digest_of(call.principal.key.id, f"{call.method} {call.uri}", body)
            now_s = self._services.now().timestamp()
            answer: Reply | Streamed = await self._shared.resends.once(
                digest, now_s, lambda: self._in_thread(lambda: self._written(endpoint, call, endpoint.handler(call)))
            )
        elif not given or endpoint.access.is_public or endpoint.method not in ("POST", "PUT"):
            answer = await self._in_thread(lambda: self._handle(endpoint, call))
        else:
            asked = read_asked(given, call, body)
            answer = await self._in_thread(
                lambda: once(
                    self._services.directory, asked, lambda: self._written(endpoint, call, endpoint.handler(call))
                )
            )
        if call.has_changed:
            await self._services.changed()
        return answer

    def _handle(self, endpoint: Endpoint, call: Call[Any, Any]) -> Reply | Streamed:
        reply = endpoint.handler(call)
        return reply if isinstance(reply, Streamed) else self._written(endpoint, call, reply)

    def _written(self, endpoint: Endpoint, call: Call[Any, Any], reply: Any) -> Reply:
        headers: list[tuple[bytes, bytes]] = []
        if isinstance(reply, Answer):
            if reply.version is not None:
                headers.append((b"etag", b'"%d"' % reply.version))
            reply = reply.body
        if isinstance(reply, Page):
            headers.append((b"x-portkey-total-count", b"%d" % reply.total))
        body = _encode(reply) if reply is not None else b"{}"
        if (endpoint.method, endpoint.path) in TABLE and is_python_sdk(self._headers):
            body = _encode(reshape(endpoint.method, endpoint.path, _decode(body)))
        if call.ignored or call.warnings:
            body = _with_warnings(body, [*(each.warning for each in call.ignored), *call.warnings])
        if call.ignored:
            paths = ", ".join(each.path for each in call.ignored)
            headers.append((b"x-portkey-ignored-fields", quote(paths[:_MAX_HEADER], safe="[], ").encode()))
        return Reply(200, tuple(headers), body)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._shared.threads, work)

    async def _read(self, limit: int) -> bytes:
        """Read the body. Raises TooLarge."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientLeft
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge(f"The body is larger than {limit} bytes; send less at once")
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _wrong_method(self, found: Found) -> Reply:
        methods = set(found.endpoints) | ({"HEAD"} if "GET" in found.endpoints else set())
        allowed = ", ".join(sorted(methods))
        answer = self._refusal(MethodNotAllowed(f"{self._scope['path'][:200]} takes {allowed}, not {self._method}"))
        return Reply(answer.status, ((b"allow", allowed.encode()),), answer.body)

    def _refusal(self, error: GatewayError) -> Reply:
        return Reply(error.status, (), write_error(error, self._request_id))

    async def _say(self, answer: Reply) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer.body)),
            *self._own_headers(),
            *answer.headers,
        ]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if self._method == "HEAD" else answer.body
        await self._send({"type": "http.response.body", "body": body})

    async def _stream(self, answer: Streamed) -> None:
        """Send piece by piece, until there is no more or the client has left. What fails in the middle cuts it off."""
        loop = asyncio.get_running_loop()
        left = loop.create_task(self._until_left(), name="until-left")
        chunks = answer.chunks
        try:
            headers = [(b"content-type", answer.content_type), *self._own_headers(), *answer.headers]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            while self._method != "HEAD":
                following = loop.create_task(_next(chunks), name="next-piece")
                await asyncio.wait((following, left), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    await asyncio.wait((following,))
                    return
                piece = following.result()
                if piece is None:
                    break
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
            answer.close()

    async def _until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _own_headers(self) -> Headers:
        return (
            (b"cache-control", b"no-store"),
            (b"x-portkey-trace-id", trace_id_of(self._headers, self._request_id)),
            (b"x-portkey-request-id", self._request_id.encode("ascii")),
        )


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """Return the next piece, None at the end."""
    return await anext(chunks, None)


def _with_warnings(body: bytes, warnings: Sequence[str]) -> bytes:
    """Return an answer, which is a JSON object, with warnings after those of its own."""
    value = _decode(body)
    return _encode({**value, "warnings": [*value.get("warnings", ()), *warnings]})
