"""One request and its answer on a client connection: ASGI's ``receive`` and ``send`` in as few steps as possible.

Headers are written as they are, for they are our own or came through a strict parser, and the head goes out together
with the first bytes of the body. A body that arrives in one piece is handed on without a copy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from lockgate.core.http import Headers

_log = logging.getLogger("lockgate.server")
_NO_BODY = (204, 304)
_HTTP_1_1 = b"HTTP/1.1 "
_DISCONNECT: Final = {"type": "http.disconnect"}
_ERROR_TEXT = b"Internal Server Error"
_ERROR: Headers = [(b"content-length", b"%d" % len(_ERROR_TEXT)), (b"connection", b"close")]

_field = b": ".join


class Cycle:
    """One request. The app must send a Content-Length that is true, or none."""

    __slots__ = (
        "_default_headers",
        "_flow",
        "_head",
        "_is_chunked",
        "_is_end_told",
        "_on_response",
        "_pieces",
        "_size",
        "_transport",
        "_waiter",
        "_wants_continue",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
    )

    def __init__(
        self,
        *,
        scope: dict[str, Any],
        transport: asyncio.Transport,
        flow: FlowControl,
        default_headers: Headers,
        wants_continue: bool,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        """``on_response`` is called when the answer is complete."""
        self.scope = scope
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self._transport = transport
        self._flow = flow
        self._default_headers = default_headers
        self._wants_continue = wants_continue
        self._on_response = on_response
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_end_told = False
        self._waiter: asyncio.Future[None] | None = None
        self._head = b""
        self._is_chunked = False

    async def run(self, app: Callable[..., Awaitable[None]]) -> None:
        """Run the app to its end; what it leaves undone is said to the client as well as can be."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException:  # noqa: BLE001  # the edge: the connection must not hang, whatever happened
            _log.exception("the application failed")
            await self._give_up()
        else:
            if not self.response_complete and not self.disconnected:
                _log.error("the application ended without a complete answer")
                await self._give_up()

    async def _give_up(self) -> None:
        if self.response_started:
            self._transport.close()
            return
        await self.send({"type": "http.response.start", "status": 500, "headers": _ERROR})
        await self.send({"type": "http.response.body", "body": _ERROR_TEXT})

    # ---- in

    def body_received(self, data: bytes) -> None:
        """Keep a piece of the body; reading pauses when the app does not take it."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER_LIMIT:
            self._flow.pause_reading()
        self.wake()

    def body_ended(self) -> None:
        """Note that the body is complete."""
        self.more_body = False
        self.wake()

    def client_left(self) -> None:
        """Note that the connection is lost."""
        if not self.response_complete:
            self.disconnected = True
        self.wake()

    def wake(self) -> None:
        """Let ``receive`` look again."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """Return what has arrived of the body, or wait for more of it, or for the end of the connection."""
        if self._wants_continue and not self._transport.is_closing():
            self._wants_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._pieces and (self.more_body or self._is_end_told) and not self._is_over():
            self._flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._is_over():
            return _DISCONNECT.copy()
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        self._is_end_told = not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def _is_over(self) -> bool:
        return self.disconnected or self.response_complete

    # ---- out

    async def send(self, message: Any) -> None:
        """Take one ASGI message."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message["headers"])
        elif self.response_started and not self.response_complete:
            self._send_body(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError("a body was sent before the head or after the end of an answer")

    def _start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if self.response_started:
            raise RuntimeError("an answer has one head")
        self.response_started = True
        self._wants_continue = False
        names = [name for name, _ in headers]
        if b"connection" in names and (b"connection", b"close") in headers:
            self.keep_alive = False
        self._is_chunked = b"content-length" not in names and self.scope["method"] != "HEAD" and status not in _NO_BODY
        lines = [*map(_field, self._default_headers), *map(_field, headers)]
        if self._is_chunked:
            lines.append(b"transfer-encoding: chunked")
        if not self.keep_alive:
            lines.append(b"connection: close")
        lines.append(b"\r\n")
        self._head = (STATUS_LINE.get(status) or b"%b%d \r\n" % (_HTTP_1_1, status)) + b"\r\n".join(lines)

    def _send_body(self, body: bytes, *, is_last: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            body = b""
        if not self._is_chunked:
            self._transport.write(head + body)
        else:
            size = b"%x\r\n" % len(body) if body else b""
            end = b"\r\n" if body else b""
            self._transport.write(b"".join((head, size, body, end, b"0\r\n\r\n" if is_last else b"")))
        if is_last:
            self.response_complete = True
            self.wake()
            if not self.keep_alive:
                self._transport.close()
            self._on_response()
