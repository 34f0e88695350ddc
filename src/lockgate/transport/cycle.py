"""One request and its answer on a client connection: uvicorn's cycle with a lean way of sending.

uvicorn checks every header of every answer against patterns and writes head and body one by one. Our headers are
either our own or came through a strict parser, so they are written as they are, and the head goes out together with
the first bytes of the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_NO_BODY = (204, 304)
_HTTP_1_1 = b"HTTP/1.1 "


class Cycle(RequestResponseCycle):
    """Sends in as few steps as possible. The app must send a Content-Length that is true, or none."""

    _head = b""

    async def send(self, message: ASGISendEvent) -> None:
        """Take one ASGI message."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message["headers"])
        elif self.response_started and not self.response_complete:
            body: bytes = message.get("body", b"")  # type: ignore[assignment]  # mypy joins all kinds of messages
            self._send_body(body, is_last=not message.get("more_body", False))
        else:
            raise RuntimeError("a body was sent before the head or after the end of an answer")

    def _start(self, status: int, headers: object) -> None:
        if self.response_started:
            raise RuntimeError("an answer has one head")
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [STATUS_LINE.get(status) or b"%b%d \r\n" % (_HTTP_1_1, status)]
        self.chunked_encoding = True
        for pairs in (self.default_headers, headers):
            for name, value in pairs:  # type: ignore[attr-defined]  # ASGI calls it an iterable of pairs
                lines += (name, b": ", value, b"\r\n")
                if name == b"content-length":
                    self.chunked_encoding = False
                elif name == b"connection" and value == b"close":
                    self.keep_alive = False
        if self.scope["method"] == "HEAD" or status in _NO_BODY:
            self.chunked_encoding = False
        elif self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        self._head = b"".join(lines)

    def _send_body(self, body: bytes, *, is_last: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            body = b""
        if not self.chunked_encoding:
            self.transport.write(head + body)
        else:
            size = b"%x\r\n" % len(body) if body else b""
            end = b"\r\n" if body else b""
            self.transport.write(b"".join((head, size, body, end, b"0\r\n\r\n" if is_last else b"")))
        if is_last:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
