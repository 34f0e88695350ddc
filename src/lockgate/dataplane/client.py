"""The client's side of an exchange on raw ASGI: its body, our answer, and noticing that it left.

ASGI's ``send`` does not fail after a disconnect, so somebody has to watch ``receive``. A server that offers the
extension ``lockgate.disconnect`` calls us back instead, which spares a task per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from lockgate.core.http import Headers
from lockgate.errors import ClientGone, TooLarge

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

DISCONNECT = "lockgate.disconnect"
"""ASGI extension: its ``watch(callback)`` has the callback called once when the client's connection is lost."""


class ClientConnection:
    """One request's connection. ``watch`` cancels the current task when the client leaves."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.is_gone = False
        self.has_started = False
        self._receive = receive
        self._send = send
        self._task: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None

    # ---- in

    async def read_body(self, limit_bytes: int) -> bytes:
        """Return the whole body. Raises TooLarge, before reading it when the length is declared, or ClientGone."""
        self._check_declared(limit_bytes)
        message = await self._next()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes)
            return body
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await self._next()
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
        return b"".join(parts)

    def _check_declared(self, limit_bytes: int) -> None:
        for name, value in self.scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit_bytes:
                raise _too_large(limit_bytes)

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_gone = True
            raise ClientGone("the client left before its request was complete")
        return message

    # ---- the disconnect

    def watch(self) -> None:
        """From now on, cancel the current task when the client leaves."""
        self._task = asyncio.current_task()
        extension = self.scope.get("extensions", {}).get(DISCONNECT)
        if extension is not None:
            extension["watch"](self._leave)
        else:
            loop = asyncio.get_running_loop()
            self._watcher = loop.create_task(self._watch_receive(), name="watch-client")

    def unwatch(self) -> None:
        """Stop watching."""
        self._task = None
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def absolve(self) -> None:
        """Take the cancellation back that ``watch`` caused, so that the task may end in peace."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()

    def _leave(self) -> None:
        if self._task is not None and not self.is_gone:
            self.is_gone = True
            self._task.cancel()

    async def _watch_receive(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    # ---- out

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of an answer; from here on nothing else can be said with a status."""
        self.has_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_part(self, body: bytes) -> None:
        """Send bytes of a streamed answer; waits while the client reads slowly."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes = b"") -> None:
        """Send the last bytes of an answer."""
        self._task = None
        await self._send({"type": "http.response.body", "body": body})

    async def send_whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete answer."""
        self._task = None
        await self.start(status, headers)
        await self._send({"type": "http.response.body", "body": body})


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit_bytes} bytes (limits.body_bytes)")
