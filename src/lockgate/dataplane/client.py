"""The client's side of an exchange on raw ASGI: its body, our answer, and noticing that it left.

ASGI's ``send`` does not fail after a disconnect, so somebody has to watch ``receive``. A server that offers the
extension ``lockgate.disconnect`` calls us back instead, which spares a task per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from lockgate.core.http import Headers
from lockgate.errors import ClientGone, TooLarge

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

DISCONNECT = "lockgate.disconnect"
"""ASGI extension: its ``watch(callback)`` has the callback called once when the client's connection is lost."""


_BODY_SETTING = "limits.body_bytes"


class ClientConnection:
    """One request's connection. ``watch`` cancels the current task when the client leaves."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.is_gone = False
        self.has_started = False
        self.has_ended = False
        self._receive = receive
        self._send = send
        self._task: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None

    # ---- in

    async def read_body(self, limit_bytes: int, setting: str = _BODY_SETTING) -> bytes:
        """Return the whole body. Raises TooLarge, before reading it when the length is declared, or ClientGone.

        ``setting`` is the name of the limit.
        """
        self.check_declared(limit_bytes, setting)
        message = await self._next()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes, setting)
            return body
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await self._next()
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > limit_bytes:
                raise _too_large(limit_bytes, setting)
        return b"".join(parts)

    async def stream_body(self, limit_bytes: int, setting: str = _BODY_SETTING) -> AsyncIterator[bytes]:
        """Yield the body piece by piece, no faster than it is asked for. Raises TooLarge or ClientGone."""
        size, is_last = 0, False
        while not is_last:
            message = await self._next()
            part = message.get("body", b"")
            is_last = not message.get("more_body")
            size += len(part)
            if size > limit_bytes:
                raise _too_large(limit_bytes, setting)
            if part:
                yield part

    def check_declared(self, limit_bytes: int, setting: str = _BODY_SETTING) -> int | None:
        """Return the length that the client declares, None when it does not. Raises TooLarge."""
        for name, value in self.scope["headers"]:
            if name == b"content-length" and value.isdigit():
                if int(value) > limit_bytes:
                    raise _too_large(limit_bytes, setting)
                return int(value)
        return None

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_gone = True
            raise ClientGone("the client left before its request was complete")
        return message

    def address(self, *, trusts_forwarded: bool) -> str | None:
        """Return the address of the client, as a trusted proxy in front of us saw it if there is one.

        It is the last entry of the last line: some proxies add a line of their own to those that a client sent.
        """
        if trusts_forwarded:
            for name, value in reversed(self.scope["headers"]):
                if name == b"x-forwarded-for":
                    return str(value, "latin-1").rpartition(",")[2].strip()
        client = self.scope.get("client")
        return str(client[0]) if client else None

    # ---- the disconnect

    def watch(self, task: asyncio.Task[Any] | None = None) -> None:
        """From now on, cancel the task (the current one when none is named) when the client leaves.

        Only once the body is read: watching may take what is left of it.
        """
        self._task = task or asyncio.current_task()
        extension = self.scope.get("extensions", {}).get(DISCONNECT)
        if extension is not None:
            extension["watch"](self._leave)
        elif self._watcher is None or self._watcher.done():
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
        self.has_ended = True

    async def send_whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete answer."""
        self._task = None
        await self.start(status, headers)
        await self._send({"type": "http.response.body", "body": body})
        self.has_ended = True


def _too_large(limit_bytes: int, setting: str) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit_bytes} bytes ({setting})")
