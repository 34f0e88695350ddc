"""Streams on their way to the client: bytes of the same dialect as they come, or chunk by chunk through ours.

The status line waits for the first event, so that a provider that fails at once can still be answered with a
status. After that an error is spoken in the client's own dialect, inside the stream, and nothing follows it.
A stream that ends without its dialect's end marker is an error, never a quiet end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lockgate.core.assemble import merge_usage
from lockgate.core.chat import ToolUseBlock
from lockgate.core.chunk import (
    BlockStart,
    Chunk,
    Done,
    Finish,
    InputDelta,
    Ping,
    Start,
    StreamError,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import decode
from lockgate.core.sse import EventBoundary, split_events
from lockgate.dataplane.encoding import decoder_for
from lockgate.dataplane.headers import header_in
from lockgate.dialects import Dialect, ReplyRules, StreamReader, StreamWriter, Summary, View
from lockgate.errors import Broken, Draining, GatewayError, Malformed, Rejected, StreamCut, UpstreamError
from lockgate.ports import UpstreamResponse

if TYPE_CHECKING:
    from lockgate.dataplane.exchange import Exchange

_DATA_LINE = re.compile(rb"^data: ?(?!\[DONE\])([^\r\n].*)$", re.MULTILINE)
_json = msgspec.json.Decoder(msgspec.Raw)
_read_json = _json.decode
_NO_JSON = "The provider sent an event that is not valid JSON"
_CUT = "The provider's stream ended before it was complete"
_PING_AFTER_S = 15.0
_PING_CHECK_S = 1.0
_DRAIN_S = 1.0
_LAST_WORDS_S = 1.0


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


async def relay_bytes(
    exchange: Exchange, response: UpstreamResponse, dialect: Dialect, view: View, *, hides_usage: bool = False
) -> None:
    """Relay a stream of the client's own dialect event by event, byte for byte; a listener reads along.

    ``hides_usage`` as in Written.
    """
    client, ledger = exchange.client, exchange.ledger
    source, boundary = _Source(response), EventBoundary()
    meter = dialect.stream_meter(hides_usage=hides_usage)
    summary, held, unheard = meter.summary, b"", b""
    opening = _Opening(exchange) if exchange.waits_for_content else None
    try:
        while True:
            data = await source.next()
            events = boundary.feed(data) if data else _last_event(boundary, dialect, summary)
            said = events
            if events:
                _check(events)
                events = meter.feed(events)
            is_over = summary.is_complete or summary.error is not None
            if not data and not is_over:
                if not summary.may_end:
                    raise StreamCut(_CUT)
                # the answer is all there, and clients wait for the marker that says so
                end = dialect.stream_writer(view).write((Done(),))
                events, said = events + end, said + end
            if not client.has_started and (events or not data):
                if exchange.has_config:
                    if summary.error is not None:
                        exchange.translated(unheard + said, b"")
                        raise _rejected(summary.error)
                    if not is_over and (
                        _says_nothing(held + events) or (opening is not None and opening.is_in(events))
                    ):
                        held, unheard = held + events, unheard + said
                        continue
                    events, said = held + events, unheard + said
                    held = unheard = b""
                await _start(exchange, response)
            ledger.bytes_out += len(events)
            ledger.relayed(events)
            exchange.heard(said)
            if is_over or not data:
                if exchange.keeping is not None and summary.error is None:
                    exchange.keeping.complete(view)
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
        await _say_last_words(exchange, exchange.dialect.stream_writer(view))
        raise


class _Opening:
    """What only announces an answer, for configs that wait for its content: up to there another target can answer."""

    def __init__(self, exchange: Exchange) -> None:
        self._reader = exchange.dialect.stream_reader(ReplyRules())
        self._now = exchange.plane.clock.monotonic
        self._until_s = self._now() + _OPENING_S

    def is_in(self, events: bytes) -> bool:
        """Tell whether events of the client's dialect announce, and no more."""
        try:
            return self.is_all_of(self._reader.feed(events))
        except Malformed:
            return False

    def is_all_of(self, chunks: Sequence[Chunk]) -> bool:
        """The same for chunks; after a while the client is told what there is."""
        return self._now() < self._until_s and all(type(chunk) in _ANNOUNCING for chunk in chunks)


def _check(events: bytes) -> None:
    """Raise Malformed when the data of an event is no JSON: no client could read on."""
    try:
        for line in _DATA_LINE.findall(events):
            _read_json(line)
    except (msgspec.DecodeError, RecursionError):
        # an event may spread its data over several lines, or hold half a character, though hardly any does
        for event in split_events(events):
            try:
                decode(_json, event.data)
            except (msgspec.DecodeError, RecursionError):
                if event.data.strip() != b"[DONE]":
                    raise Malformed(_NO_JSON) from None


def _says_nothing(events: bytes) -> bool:
    """Tell whether events are signs of life only, after which another target can still answer."""
    return all(not event.data or event.kind == "ping" for event in split_events(events))


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
        exchange.broke()
    ledger.close()


async def relay_chunks(exchange: Exchange, response: UpstreamResponse, reader: StreamReader, view: View) -> None:
    """Translate a stream into the client's dialect as it arrives."""
    writer = exchange.dialect.stream_writer(view)
    heartbeat = _Heartbeat(exchange, writer) if exchange.route == "messages" else None
    try:
        await _pump(exchange, response, reader, writer, heartbeat, view)
    except UpstreamError as error:
        await _break_off(exchange, writer, error)
    except asyncio.CancelledError:
        await _say_last_words(exchange, writer)
        raise
    finally:
        if heartbeat:
            heartbeat.stop()


async def _pump(
    exchange: Exchange,
    response: UpstreamResponse,
    reader: StreamReader,
    writer: StreamWriter,
    heartbeat: _Heartbeat | None,
    view: View,
) -> None:
    client, ledger, source = exchange.client, exchange.ledger, _Source(response)
    opening, held = _Opening(exchange) if exchange.waits_for_content else None, b""
    nothing_yet = _NOTHING_YET if opening is None else (*_NOTHING_YET, Start)
    while True:
        data = await source.next()
        chunks = reader.feed(data) if data else _finish(reader)
        failure = _note(exchange, chunks)
        if failure is not None and not client.has_started and all(type(c) in nothing_yet for c in chunks):
            exchange.translated(data, b"")
            raise _rejected(failure)
        out = writer.write(chunks)
        exchange.read(chunks)
        exchange.translated(data, out)
        if opening is not None and not client.has_started and data and opening.is_all_of(chunks):
            held += out
            continue
        out, held = held + out, b""
        if exchange.keeping is not None and reader.is_complete and failure is None:
            exchange.keeping.complete(view)
        if reader.is_complete or not data or failure is not None:
            if failure is not None:
                # the writer has put the error into words already, as the last of ``out``
                ledger.fail(_rejected(failure))
                exchange.broke()
            ledger.upstream_done()
            ledger.lost(reader.dropped)
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
    exchange.commit(response.status)
    exchange.ledger.status = response.status
    exchange.ledger.first_event()
    await exchange.client.start(response.status, await exchange.stream_headers(response.headers))


def _note(exchange: Exchange, chunks: Sequence[Chunk]) -> StreamError | None:
    """Keep what the record needs; return the provider's error if there is one."""
    ledger = exchange.ledger
    for chunk in chunks:
        kind = type(chunk)
        if kind is TextDelta or kind is ThinkingDelta:
            ledger.content_bytes += len(chunk.text)  # type: ignore[union-attr]  # kind says it
            ledger.chunk_count += 1
        elif kind is InputDelta:
            ledger.content_bytes += len(chunk.fragment)  # type: ignore[union-attr]  # kind says it
            ledger.chunk_count += 1
        elif kind is BlockStart:
            block = chunk.block  # type: ignore[union-attr]  # kind says it
            if type(block) is ToolUseBlock:
                ledger.called(block.name)
        elif kind is Start:
            ledger.model, ledger.usage = chunk.model, chunk.usage  # type: ignore[union-attr]  # kind says it
            ledger.response_id = chunk.id  # type: ignore[union-attr]  # kind says it
        elif kind is Finish:
            ledger.usage = merge_usage(ledger.usage, chunk.usage)  # type: ignore[union-attr]
            ledger.stop_reason = chunk.reason  # type: ignore[union-attr]
        elif kind is StreamError:
            return chunk  # type: ignore[return-value]
    return None


async def _break_off(exchange: Exchange, writer: StreamWriter, error: UpstreamError) -> None:
    """End the stream with an error in the client's dialect, or with a status when nothing was sent yet."""
    if type(error) is Broken:
        # to a client a connection that broke and one that ended too early are the same: the stream is incomplete
        error = StreamCut(error.message)
    if not exchange.client.has_started:
        exchange.untell()
        raise error
    await _end_with(exchange, writer, error)


async def _say_last_words(exchange: Exchange, writer: StreamWriter) -> None:
    """When the drain deadline cuts a stream, say so inside it; a client that does not read is not waited for."""
    client = exchange.client
    if client.is_gone or not exchange.plane.is_draining or not client.has_started or client.has_ended:
        return
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await _end_with(exchange, writer, Draining("The gateway is shutting down; the answer is incomplete"))
    except TimeoutError:
        pass


async def _end_with(exchange: Exchange, writer: StreamWriter, error: GatewayError) -> None:
    exchange.ledger.fail(error)
    exchange.broke()
    out = writer.error(error)
    if exchange.content is not None:
        exchange.content.tell(exchange.dialect.name, out)
    exchange.ledger.bytes_out += len(out)
    exchange.ledger.close()
    await exchange.client.end(out)


_NOTHING_YET = (Ping, StreamError)
_ANNOUNCING = (Start, Ping)
_OPENING_S = 5.0
"""How long a client waits at most for what comes before the content."""
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


def status_of(kind: str | None) -> int:
    """Return the status that belongs to an error which came without one."""
    return _STATUSES.get(kind or "", 502)


def _rejected(error: StreamError) -> Rejected:
    """An error event as the error that the provider would have answered with, had it known earlier."""
    return Rejected(error.message, status=status_of(error.kind), kind=error.kind, wire_code=error.code)


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
