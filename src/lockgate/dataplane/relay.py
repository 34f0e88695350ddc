"""Streams on their way to the client: bytes of the same dialect as they come, or chunk by chunk through ours.

The status line waits for the first event, so that a provider that fails at once can still be answered with a
status. After that an error is spoken in the client's own dialect, inside the stream, and nothing follows it.
A stream that ends without its dialect's end marker is an error, never a quiet end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockgate.core.chat import Usage
from lockgate.core.chunk import Chunk, Finish, Ping, Start, StreamError
from lockgate.core.sse import EventBoundary
from lockgate.dataplane.encoding import decoder_for
from lockgate.dataplane.headers import header_in
from lockgate.dialects import Dialect, StreamReader, StreamWriter, Summary, View
from lockgate.errors import Broken, Malformed, Rejected, StreamCut, UpstreamError
from lockgate.ports import UpstreamResponse

if TYPE_CHECKING:
    from lockgate.dataplane.exchange import Exchange

_CUT = "The provider's stream ended before it was complete"
_PING_AFTER_S = 15.0
_PING_CHECK_S = 1.0
_DRAIN_S = 1.0


class _Source:
    """Reads an upstream body, content coding undone."""

    def __init__(self, response: UpstreamResponse) -> None:
        self._response = response
        self._decoder = decoder_for(header_in(response.headers, b"content-encoding"))

    async def next(self) -> bytes:
        """Return the next plain bytes, b"" at the end."""
        while True:
            data = await self._response.next_chunk()
            if not data or self._decoder is None:
                return data
            plain = self._decoder.feed(data)
            if plain:
                return plain


async def relay_bytes(exchange: Exchange, response: UpstreamResponse, dialect: Dialect, view: View) -> None:
    """Relay a stream of the client's own dialect event by event, byte for byte; a listener reads along."""
    client, ledger = exchange.client, exchange.ledger
    source, boundary, meter = _Source(response), EventBoundary(), dialect.stream_meter()
    summary = meter.summary
    try:
        while True:
            data = await source.next()
            events = boundary.feed(data) if data else _last_event(boundary, dialect, summary)
            if events:
                meter.feed(events)
            is_over = summary.is_complete or summary.error is not None
            if not data and not is_over and not summary.may_end:
                raise StreamCut(_CUT)
            if not client.has_started and (events or not data):
                await _start(exchange, response)
            ledger.bytes_out += len(events)
            if is_over or not data:
                _close(exchange, summary)
                await client.end(events)
                await _drain(response)
                return
            if events:
                await client.send_part(events)
    except UpstreamError as error:
        ledger.learned(summary)
        await _break_off(exchange, exchange.dialect.stream_writer(view), error)
    except asyncio.CancelledError:
        ledger.learned(summary)
        raise


async def _drain(response: UpstreamResponse) -> None:
    """Read to the end of a body that is over for the client, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            while await response.next_chunk():
                pass
    except (TimeoutError, UpstreamError):
        pass


def _last_event(boundary: EventBoundary, dialect: Dialect, summary: Summary) -> bytes:
    """At the end of input: the unfinished tail, if it completes the stream; a cut-off event is not passed on."""
    tail = boundary.tail
    if not tail.strip() or summary.is_complete:
        return b""
    trial = dialect.stream_meter()
    trial.feed(tail + b"\n\n")
    return tail + b"\n\n" if trial.summary.is_complete else b""


def _close(exchange: Exchange, summary: Summary) -> None:
    """Write the record before the last event goes out."""
    ledger = exchange.ledger
    ledger.learned(summary)
    ledger.upstream_done()
    if summary.error is not None:
        ledger.fail(_rejected(summary.error))
    ledger.close()


async def relay_chunks(exchange: Exchange, response: UpstreamResponse, reader: StreamReader, view: View) -> None:
    """Translate a stream into the client's dialect as it arrives."""
    writer = exchange.dialect.stream_writer(view)
    heartbeat = _Heartbeat(exchange, writer) if exchange.route == "messages" else None
    try:
        await _pump(exchange, response, reader, writer, heartbeat)
    except UpstreamError as error:
        await _break_off(exchange, writer, error)
    finally:
        if heartbeat:
            heartbeat.stop()


async def _pump(
    exchange: Exchange,
    response: UpstreamResponse,
    reader: StreamReader,
    writer: StreamWriter,
    heartbeat: _Heartbeat | None,
) -> None:
    client, ledger, source = exchange.client, exchange.ledger, _Source(response)
    while True:
        data = await source.next()
        chunks = reader.feed(data) if data else _finish(reader)
        failure = _note(exchange, chunks)
        if failure is not None and not client.has_started and all(type(c) in _NOTHING_YET for c in chunks):
            raise _rejected(failure)
        out = writer.write(chunks)
        if reader.is_complete or not data or failure is not None:
            if failure is not None:
                # the writer has put the error into words already, as the last of ``out``
                ledger.fail(_rejected(failure))
            ledger.upstream_done()
            ledger.bytes_out += len(out)
            if not client.has_started:
                await _start(exchange, response)
            ledger.close()
            await client.end(out)
            await _drain(response)
            return
        if out:
            ledger.bytes_out += len(out)
            if not client.has_started:
                await _start(exchange, response)
            if heartbeat:
                heartbeat.beat()
            await client.send_part(out)


def _finish(reader: StreamReader) -> Sequence[Chunk]:
    """Take what only the end of input completes; an end that comes too early is a cut."""
    try:
        return reader.close()
    except Malformed:
        raise StreamCut(_CUT) from None


async def _start(exchange: Exchange, response: UpstreamResponse) -> None:
    exchange.ledger.status = response.status
    exchange.ledger.first_event()
    await exchange.client.start(response.status, exchange.stream_headers(response.headers))


def _note(exchange: Exchange, chunks: Sequence[Chunk]) -> StreamError | None:
    """Keep what the record needs; return the provider's error if there is one."""
    ledger = exchange.ledger
    for chunk in chunks:
        kind = type(chunk)
        if kind is Start:
            ledger.model, ledger.usage = chunk.model, chunk.usage  # type: ignore[union-attr]  # kind says it
        elif kind is Finish:
            ledger.usage = _latest(ledger.usage, chunk.usage)  # type: ignore[union-attr]
            ledger.stop_reason = chunk.reason  # type: ignore[union-attr]
        elif kind is StreamError:
            return chunk  # type: ignore[return-value]
    return None


def _latest(old: Usage, new: Usage) -> Usage:
    """Values of a stream are cumulative: what the later report names replaces what the earlier said."""
    return Usage(
        input=new.input if new.input is not None else old.input,
        output=new.output if new.output is not None else old.output,
        cache_read=new.cache_read if new.cache_read is not None else old.cache_read,
        cache_write=new.cache_write if new.cache_write is not None else old.cache_write,
        cache_write_1h=new.cache_write_1h if new.cache_write_1h is not None else old.cache_write_1h,
        reasoning=new.reasoning if new.reasoning is not None else old.reasoning,
    )


async def _break_off(exchange: Exchange, writer: StreamWriter, error: UpstreamError) -> None:
    """End the stream with an error in the client's dialect, or with a status when nothing was sent yet."""
    if type(error) is Broken:
        # to a client a connection that broke and one that ended too early are the same: the stream is incomplete
        error = StreamCut(error.message)
    if not exchange.client.has_started:
        raise error
    exchange.ledger.fail(error)
    out = writer.error(error)
    exchange.ledger.bytes_out += len(out)
    exchange.ledger.close()
    await exchange.client.end(out)


_NOTHING_YET = (Ping, StreamError)
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def _rejected(error: StreamError) -> Rejected:
    """An error event as the error that the provider would have answered with, had it known earlier."""
    status = _STATUSES.get(error.kind, 502)
    return Rejected(error.message, status=status, kind=error.kind, wire_code=error.code)


class _Heartbeat:
    """Sends the dialect's ping when nothing was sent for a while, so that clients do not give up."""

    def __init__(self, exchange: Exchange, writer: StreamWriter) -> None:
        self._exchange = exchange
        self._ping = writer.ping()
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(_PING_AFTER_S, self._check)
        self._task: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Something was sent."""
        self._last = self._loop.time()

    def stop(self) -> None:
        """No more pings."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _check(self) -> None:
        silent_s = self._loop.time() - self._last
        if silent_s >= _PING_AFTER_S and self._exchange.client.has_started:
            self.beat()
            silent_s = 0.0
            self._task = self._loop.create_task(self._exchange.client.send_part(self._ping), name="ping-client")
        self._timer = self._loop.call_later(max(_PING_AFTER_S - silent_s, _PING_CHECK_S), self._check)
