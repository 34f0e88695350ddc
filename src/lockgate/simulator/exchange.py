"""Sends a reply over ASGI, with whatever is ordered to go wrong on the way."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, NamedTuple

from lockgate.simulator.directives import Fault
from lockgate.simulator.journal import Received
from lockgate.simulator.provider import Event, Headers, Sink, Stream, Whole

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT_EXTENSION = "lockgate.transport"
"""Where ``serve`` puts the connection's transport; without it a connection can be closed, but not reset."""

_EVENTS_AT_ONCE = 4
_LINGER_ZERO = struct.pack("ii", 1, 0)


class _ClientLeft(Exception):
    """The client is gone before the answer's end."""


class _BrokenOff(Exception):
    """We broke the connection, as ordered."""


class Body(NamedTuple):
    """A request body as it was received."""

    kept: bytes
    """All of it; its beginning when a sink took it; nothing when it was too large."""
    size_bytes: int
    is_too_large: bool = False


class Exchange:
    """One request's two ends of the connection."""

    def __init__(
        self, scope: Message, receive: Receive, send: Send, entry: Received, settle: Callable[[str], None]
    ) -> None:
        extensions = scope.get("extensions") or {}
        self._transport: asyncio.Transport | None = extensions.get(TRANSPORT_EXTENSION, {}).get("transport")
        self._receive = receive
        self._send = send
        self._entry = entry
        self._settle = settle
        """Told the outcome just before the client can know it."""
        self._gone = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._fault = Fault()

    async def read_body(self, limit_bytes: int, *, sink: Sink | None = None, keep_bytes: int = 0) -> Body:
        """Read the request body to its end. Of a body that goes into a sink, so many bytes are kept."""
        kept = bytearray()
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                return Body(b"", size)
            data = message.get("body", b"")
            size += len(data)
            if size <= limit_bytes:
                kept += data if sink is None else data[: max(keep_bytes - len(kept), 0)]
                if sink is not None:
                    sink.feed(data)
            else:
                kept.clear()
            if not message.get("more_body", False):
                return Body(bytes(kept), size, size > limit_bytes)

    async def send_whole(self, reply: Whole, *, latency_s: float) -> None:
        """Send an answer in one piece."""
        await self._run(self._send_whole(reply, latency_s), reply.fault)

    async def send_stream(self, reply: Stream, *, latency_s: float, token_delay_s: float) -> None:
        """Send an answer in events."""
        await self._run(self._send_stream(reply, latency_s, token_delay_s), reply.fault)

    async def _run(self, sending: Awaitable[None], fault: Fault) -> None:
        self._fault = fault
        try:
            await sending
        except _ClientLeft:
            self._settle("aborted")
        except _BrokenOff:
            pass
        finally:
            if self._watcher is not None:
                self._watcher.cancel()

    async def _send_whole(self, reply: Whole, latency_s: float) -> None:
        fault = reply.fault
        body = _break_json(reply.body) if fault.malformed else reply.body
        await self._before_head(latency_s)
        if fault.content_length is not None:
            await self._send_raw(reply.status, reply.headers, body, fault.content_length)
        await self._head(reply.status, (*reply.headers, ("content-length", str(len(body)))))
        size = fault.split or (1 if fault.drip_s else 0)
        if not size and fault.cut is None and fault.reset is None:
            self._entry.sent += body
            await self._end(body)
            return
        for index, piece in enumerate(_pieces(body, size or len(body))):
            if index:
                await self._pause(fault.drip_s)
            await self._write(piece)
        await self._end()

    async def _send_stream(self, reply: Stream, latency_s: float, token_delay_s: float) -> None:
        await self._before_head(latency_s)
        await self._head(200, reply.headers)
        self._watch()
        delay_s = token_delay_s + reply.fault.drip_s
        for event in _faulty_events(reply):
            if event is None:
                await self._gone.wait()
                raise _ClientLeft
            if delay_s and self._entry.events_sent:
                await self._pause(delay_s)
            elif self._entry.events_sent % _EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)  # lets the client's leaving be noticed
            await self._write_event(event)
            self._entry.events_sent += 1
        await self._end()

    async def _end(self, body: bytes = b"") -> None:
        if self._gone.is_set():
            raise _ClientLeft
        self._settle("completed")
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _write_event(self, event: Event) -> None:
        if self._fault.split:
            for piece in _pieces(event.frame, self._fault.split):
                await self._write(piece)
                await asyncio.sleep(0)
        elif event.split_at:
            await self._write(event.frame[: event.split_at])
            await asyncio.sleep(0)
            await self._write(event.frame[event.split_at :])
        else:
            await self._write(event.frame)

    async def _before_head(self, latency_s: float) -> None:
        fault = self._fault
        if latency_s or fault.delay_s:
            self._watch()
            await self._pause(latency_s + fault.delay_s)
        if fault.hangup:
            await self._close()
        if fault.reset == 0:
            await self._reset()

    async def _head(self, status: int, headers: Headers) -> None:
        self._entry.status = status
        self._entry.sent_headers = headers
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, data: bytes) -> None:
        """Send body bytes, up to where a cut or a reset is ordered."""
        if self._gone.is_set():
            raise _ClientLeft
        limit = self._fault.cut if self._fault.cut is not None else self._fault.reset
        if limit is not None and len(self._entry.sent) + len(data) > limit:
            data = data[: limit - len(self._entry.sent)]
            await self._put(data)
            await (self._close() if self._fault.cut is not None else self._reset())
        await self._put(data)

    async def _put(self, data: bytes) -> None:
        if data:
            self._entry.sent += data
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _send_raw(self, status: int, headers: Headers, body: bytes, length: int) -> None:
        """Write the whole response by hand, because no server would send a wrong length, then close."""
        self._entry.status = status
        self._entry.sent_headers = (*headers, ("content-length", str(length)))
        self._entry.sent += body
        if self._transport is not None:
            lines = [f"HTTP/1.1 {status} Simulated", *(f"{key}: {value}" for key, value in self._entry.sent_headers)]
            self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await self._close()

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the client stays."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._watch()
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return
        raise _ClientLeft

    def _watch(self) -> None:
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._wait_gone(), name="simulator-watch")

    async def _wait_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def _close(self) -> None:
        """Close the connection in good order, but without ending the answer."""
        self._settle("cut")
        if self._transport is not None:
            self._transport.close()
            await self._wait_closed()
        raise _BrokenOff

    async def _reset(self) -> None:
        """Reset the connection once what was written has left."""
        self._settle("reset")
        if self._transport is not None:
            while self._transport.get_write_buffer_size() and not self._transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # a transport has no event for an empty buffer
            handle = self._transport.get_extra_info("socket")
            if handle is not None:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self._transport.abort()
            await self._wait_closed()
        raise _BrokenOff

    async def _wait_closed(self) -> None:
        """Return when the server has noticed that the connection is gone, so that it does not log it as our bug."""
        self._watch()
        await self._gone.wait()


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), max(size, 1)))


def _break_json(data: bytes) -> bytes:
    """Return the same number of bytes, but no JSON any more."""
    at = data.rfind(b"}")
    return data[:at] + b"," + data[at + 1 :] if at >= 0 else data


def _faulty_events(reply: Stream) -> Iterator[Event | None]:
    """Return the events with the ordered faults; None stands for silence without end."""
    fault = reply.fault
    held: list[Event] = []
    sent = 0
    for event in reply.events:
        if fault.stream_error and sent >= fault.after:
            break
        if fault.stall is not None and sent >= fault.stall:
            yield None
        held.append(event)
        if len(held) <= fault.no_terminal:
            continue
        sent += 1
        ready = held.pop(0)
        yield Event(_break_json(ready.frame)) if sent == fault.malformed else ready
    if fault.stream_error:
        yield Event(reply.write_error(fault))
