"""One connection to a provider: it writes a request, parses the answer, keeps the clock, and knows if it may be reused.

The path that matters is a reused connection, a small request and an answer that arrives whole: one write, one
wait, no timer made or cancelled. The timer of a connection is therefore armed for the shortest limit that could
run out and looks, when it fires, at what is really due; while requests come and go it is left alone.

What a reader sees does not depend on how the bytes were cut into pieces on their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from lockgate.core.http import Headers, Timeouts
from lockgate.core.record import REUSED
from lockgate.errors import Broken, Malformed, UpstreamError
from lockgate.transport.limits import timed_out

HEAD_LIMIT: Final = 64 * 1024
"""Most bytes that an answer may spend on its head, or between two pieces of its body (extensions, trailers)."""

HIGH_WATER: Final = 64 * 1024
"""Body bytes kept for a reader that is elsewhere before reading from the socket pauses."""

WRITE_SIZE: Final = 256 * 1024
"""Requests up to this size are one write; larger ones are written in steps of it."""

# What a connection is doing. The order counts: a wait is over when its state, or a later one, is reached.
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
DONE: Final = 3
FAILED: Final = 4

_TIMER_SLACK_S = 0.001  # event loops count in milliseconds


class Owner(Protocol):
    """Who counts connections and keeps the idle ones."""

    def keep(self, connection: Connection) -> None:
        """Take back a connection that can be used again."""
        ...

    def forget(self, connection: Connection) -> None:
        """Stop counting a connection that is gone. May be called twice."""
        ...


class _Stop(Exception):
    """Raised inside a parser callback to stop parsing; ``Connection.error`` says why."""


class Connection(asyncio.Protocol):
    """The protocol of one TCP or TLS connection, for one request at a time."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.state = IDLE
        self.status = 0
        """0 until a final head has arrived."""
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.error: UpstreamError | None = None
        self.opened = REUSED
        """What it took to open it, for the first request on it."""
        self.is_stale = False
        """The peer closed a reused connection before it answered anything: the request may be sent once more."""
        self.last_at = 0.0
        """When the last byte arrived or was taken, or when the current wait began."""
        self.is_lost = False
        self.size = 0
        """Bytes of the body that arrived and were not taken yet."""
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport
        self._parser: HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = DONE
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._timeouts: Timeouts | None = None
        self._step_s = 0.0
        self._total_at = 0.0
        self._unframed = 0
        """Bytes since the request began or since the last piece of the body."""
        self._mark = HIGH_WATER
        self._is_head_request = False
        self._is_used = False
        self._is_reused = False
        self._is_collecting = False
        self._is_uploading = False
        self._can_keep = False
        self._ends_with_connection = False
        self._reading_paused = False
        self._writing_paused = False
        self._room: asyncio.Future[None] | None = None
        """What a streamed upload waits for while the peer takes no more."""
        self._unsent = 0

    # ------------------------------------------------------------------------------------------ one request

    def begin(self, *, is_head_request: bool, timeouts: Timeouts, started_at: float) -> None:
        """Make ready for a request. ``started_at`` is when its clock began, on the monotonic clock."""
        self.state = HEAD
        self.status = 0
        self.headers = []
        self.last_at = now = monotonic()
        self._total_at = started_at + timeouts.total_s
        self._unframed = 0
        self._is_head_request = is_head_request
        if self._is_used:
            self._is_reused, self.opened = True, REUSED
        self._is_used = True
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        if timeouts is not self._timeouts:
            self._timeouts = timeouts
            self._step_s = min(timeouts.write_s, timeouts.first_byte_s, timeouts.idle_s, timeouts.total_s)
        if self._timer is None:
            self._arm(now, self._step_s)
        elif self._timer_at > now + self._step_s:
            self._timer.cancel()
            self._arm(now, self._step_s)

    def write(self, data: bytes) -> None:
        """Send a whole small request."""
        self._transport.write(data)

    async def upload(self, head: bytes, body: bytes) -> None:
        """Send a large request at the peer's pace; return early when an answer or an end came first."""
        self._is_uploading = True
        self._transport.write(head)
        for start in range(0, len(body), WRITE_SIZE):
            while self._writing_paused and self.state == HEAD:
                await self.wait(BODY)
            if self.state != HEAD:
                return  # still uploading, so the connection will not be kept
            # a copy: a transport may hold on to what it sent last, and of a view that is all of the body
            self._transport.write(body[start : start + WRITE_SIZE])
        self._is_uploading = False
        self.last_at = monotonic()

    async def upload_stream(self, head: bytes, stream: AsyncIterator[bytes], size_bytes: int | None) -> None:
        """Send a body as it comes; return early when an answer or an end came first. Raises what the stream raises."""
        self._is_uploading = True
        self._transport.write(head)
        pump = self._loop.create_task(self._pump(stream, size_bytes), name="upload-body")
        try:
            await asyncio.wait((pump, self.wait(BODY)), return_when=asyncio.FIRST_COMPLETED)
            if pump.done() and self.state == HEAD:
                pump.result()
        finally:
            pump.cancel()
            await asyncio.wait((pump,))  # from here on nobody reads the stream
            if not pump.cancelled():
                pump.exception()  # an answer that came first counts for more

    async def _pump(self, stream: AsyncIterator[bytes], size_bytes: int | None) -> None:
        sent = 0
        async for data in stream:
            if not data:
                continue
            sent += len(data)
            if size_bytes is not None and sent > size_bytes:
                break
            self._transport.write(data if size_bytes is not None else b"%x\r\n%b\r\n" % (len(data), data))
            if self._writing_paused:
                self._room = self._loop.create_future()
                await self._room
            if self.state != HEAD:
                return  # still uploading, so the connection will not be kept
        if size_bytes is None:
            self._transport.write(b"0\r\n\r\n")
        elif sent != size_bytes:
            raise ValueError("the stream has not the length that was announced")
        self._is_uploading = False
        self.last_at = monotonic()

    def wait(self, wanted: int) -> asyncio.Future[None]:
        """Return a future that is done when the state, BODY meaning something new in it, is reached or passed."""
        if self.state != HEAD:
            self.last_at = monotonic()
        self._wanted = wanted
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def collect(self, limit_bytes: int) -> None:
        """From now on the reader wants the body as a whole; it is woken at its end or when it passes the limit."""
        self._is_collecting = True
        self._mark = limit_bytes
        if self._reading_paused:
            self._resume_reading()

    def take(self) -> bytes:
        """Return the part of the body that has arrived and was not taken yet."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.size = 0
        if self._reading_paused:
            self._resume_reading()
        return data

    def release(self) -> None:
        """End the request: hand the connection back when it can be used again, else drop it."""
        if self.state != DONE or not self._can_keep or self.is_lost or self._writing_paused:
            self.drop()
            return
        self.state = IDLE
        self.pieces.clear()
        self.size = 0
        self._mark = HIGH_WATER
        self._is_collecting = False
        if self._reading_paused:
            self._resume_reading()
        self._owner.keep(self)

    def drop(self) -> None:
        """Close the connection at once, whatever it is doing."""
        if HEAD <= self.state <= BODY:
            self.fail(Broken("the connection to the provider was closed by the gateway"))
        else:
            self._close()

    def fail(self, error: UpstreamError) -> None:
        """End the answer with an error, unless it is already complete or over."""
        if HEAD <= self.state <= BODY:
            self.state = FAILED
            self.error = error
            self._wake()
            self._close()

    # ------------------------------------------------------------------------------------------ from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not instances of it

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and wake whoever waits for it."""
        parser = self._parser
        if parser is None or not HEAD <= self.state <= BODY:
            self.drop()  # nobody asked for this
            return
        self.last_at = monotonic()
        self._unframed += len(data)
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._parse_failed()
            return
        if self.state <= BODY:
            if self._unframed > HEAD_LIMIT:
                self.fail(Malformed("the provider's answer has a head or a trailer that is too large"))
                return
            if self.size > self._mark:
                self._pass_mark()
        if self._waiter is not None and self.state >= self._wanted:
            self._wake()

    def eof_received(self) -> None:
        """Complete a body that ends with the connection; the transport then closes by itself."""
        if self.state == BODY and self._ends_with_connection:
            self.state = DONE
            self._wake()
        elif self.state == IDLE:
            self.drop()  # at once, so that nobody takes it before the transport has closed

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail an answer that was not complete, and stop being counted."""
        self.is_lost = True
        if self.state == HEAD and self._unframed == 0:
            self.is_stale = self._is_reused
            self.fail(Broken("the provider closed the connection without an answer"))
        else:
            self.fail(Broken("the provider closed the connection before its answer was complete"))
        self._close()
        self._parser = None  # it holds bound methods of this object

    def pause_writing(self) -> None:
        """The peer takes no more for now."""
        self._writing_paused = True
        self._unsent = self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        """The peer has taken most of what was written."""
        self._writing_paused = False
        self.last_at = monotonic()
        if self._room is not None:
            if not self._room.done():
                self._room.set_result(None)
            self._room = None
        elif self._is_uploading:
            self._wake()

    # ------------------------------------------------------------------------------------------ from the parser

    def on_message_begin(self) -> None:
        """A head begins; after a complete answer it is one that nobody asked for."""
        if self.state != HEAD:
            raise _Stop

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field; trailer fields are dropped."""
        if self.state == HEAD:
            name = name.lower()
            if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
                self._refuse("the provider's answer uses an unknown transfer encoding")
            self.headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        """Note a final head; pass over an interim one."""
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        if status < 200:
            if status == 101:
                self._refuse("the provider switched to another protocol")
            self.headers.clear()
            return
        if status > 599:
            self._refuse("the provider's answer has no valid status")
        if self._unframed > HEAD_LIMIT and sum(len(n) + len(v) + 4 for n, v in self.headers) > HEAD_LIMIT:
            self._refuse("the provider's answer has a head that is too large")
        self._can_keep = parser.should_keep_alive() and not self._is_uploading
        if not self._can_keep:
            self._read_ending(parser)
        self.status = status
        self.state = BODY
        self._unframed = 0
        if self._is_head_request:
            self.state = DONE
            self._parser = None  # it would wait for the body that the head announces

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if self.state != BODY:
            raise _Stop
        self.pieces.append(body)
        self.size += len(body)
        self._unframed = 0

    def on_message_complete(self) -> None:
        """Note the end of the answer; an interim one ends without changing anything."""
        if self.state == BODY:
            self.state = DONE

    # ------------------------------------------------------------------------------------------ inside

    def _read_ending(self, parser: HttpResponseParser) -> None:
        """Find out how the body ends on a connection that will not be kept."""
        if parser.get_http_version() not in ("1.1", "1.0"):
            self._refuse("the provider's answer is not HTTP/1.1")
        names = {name for name, _ in self.headers}
        has_end = b"content-length" in names or b"transfer-encoding" in names
        self._ends_with_connection = not has_end

    def _refuse(self, message: str) -> None:
        self.error = Malformed(message)
        raise _Stop

    def _parse_failed(self) -> None:
        if self.state == DONE:  # the answer is complete, and what follows it is not ours
            self._wake()
            self._close()
            return
        self.fail(self.error or Malformed("the provider's answer is not valid HTTP/1.1"))

    def _pass_mark(self) -> None:
        if self._is_collecting:
            self._wake()
        elif self._waiter is None and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if not self.is_lost and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._transport.abort()
        self._stop_timer()
        self._owner.forget(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _arm(self, now: float, delay_s: float) -> None:
        self._timer_at = now + delay_s
        self._timer = self._loop.call_later(delay_s, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """Fail when a limit has run out; else sleep until the next one could."""
        self._timer = None
        if not HEAD <= self.state <= BODY:
            return
        now = monotonic()
        phase, limit_s, due_at = self._due(now)
        if due_at <= now + _TIMER_SLACK_S:
            self.fail(timed_out(phase, limit_s))
        else:
            self._arm(now, min(due_at - now, self._step_s))

    def _due(self, now: float) -> tuple[str, float, float]:
        """Return the limit that runs out first: its phase, its length and its time."""
        timeouts = self._timeouts
        assert timeouts is not None
        if self.state == BODY:
            # A slow reader is not the provider's fault: only a wait counts.
            phase, limit_s = ("idle", timeouts.idle_s) if self._waiter is not None else ("total", timeouts.total_s)
        elif self._is_uploading or self._writing_paused:
            phase, limit_s = "write", timeouts.write_s
            unsent = self._transport.get_write_buffer_size()
            if unsent != self._unsent or (
                self._is_uploading and not unsent
            ):  # with nothing to send, the client is slow
                self._unsent, self.last_at = unsent, now
        else:
            phase, limit_s = ("idle", timeouts.idle_s) if self._unframed else ("first_byte", timeouts.first_byte_s)
        due_at = self.last_at + limit_s
        if phase == "total" or self._total_at <= due_at:
            return "total", timeouts.total_s, self._total_at
        return phase, limit_s, due_at
