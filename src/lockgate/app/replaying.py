"""Sends a recorded request through a gateway again, and tells what came of it: as seen here, and as its record says."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Struct, structs

from lockgate.app.archive import Archive
from lockgate.app.gateway import load_dialects
from lockgate.core.capture import CapturedStream
from lockgate.core.http import Headers, Origin, UpstreamRequest
from lockgate.core.trace import REPLAY_HEADER
from lockgate.errors import GatewayError, InvalidRequest, Unavailable
from lockgate.ports import UpstreamResponse
from lockgate.records.bodies.assembly import Timeline, assemble, timeline_of
from lockgate.records.bodies.store import Bodies
from lockgate.records.comparing import Side, side_of
from lockgate.records.replay import Again
from lockgate.records.row import Row
from lockgate.records.store import ALL
from lockgate.transport.pool import HttpPool

_RECORD_WAIT_S, _LOOK_EVERY_S = 10.0, 0.1
_PORTS = {"http": 80, "https": 443}
_MICRO = 1_000_000
_KEY_HEADER = b"x-portkey-api-key"


class Answered(Struct, frozen=True, kw_only=True):
    """What a gateway answered."""

    status: int
    record_id: str
    answer: bytes
    timeline: Timeline | None
    duration_us: int
    first_us: int
    row: Row | None = None
    """Its record, None when this state folder does not have it."""

    @property
    def side(self) -> Side:
        """What came of it, to be compared."""
        seen = self.first_us if self.timeline is not None else None
        row = self.row
        return side_of(
            row, status=self.status, duration_us=row.duration_us if row else self.duration_us,
            ttft_us=row.ttft_us if row else seen, timeline=self.timeline, answer=self.answer,
        )  # fmt: skip


def stored_side(row: Row, bodies: Bodies) -> Side:
    """Return what came of a request the first time."""
    view = bodies.views.get("response")
    return side_of(
        row, status=row.status_code, duration_us=row.duration_us, ttft_us=row.ttft_us, timeline=bodies.timeline,
        answer=view.data if view is not None else b"",
    )  # fmt: skip


def origin_of(url: str) -> tuple[Origin, str]:
    """Return where a gateway listens, and what stands before its paths. Raises InvalidRequest."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidRequest(f"{url!r} is no address of a gateway, such as http://127.0.0.1:8787", path="url")
    prefix = parts.path.rstrip("/").removesuffix("/v1")
    return Origin(scheme=parts.scheme, host=parts.hostname, port=port or _PORTS[parts.scheme]), prefix


def replay(archive: Archive, row: Row, again: Again, *, url: str, key: str, times: int) -> Sequence[Answered]:
    """Send a request so many times, one after the other. Raises InvalidRequest, Unavailable: no gateway answers."""
    return asyncio.run(_replay(archive, row, again, url, key, times))


async def _replay(archive: Archive, row: Row, again: Again, url: str, key: str, times: int) -> Sequence[Answered]:
    origin, prefix = origin_of(url)
    pool = HttpPool()
    try:
        found = [await _send(pool, row, _request(again, row, origin, prefix, key), url) for _ in range(times)]
    finally:
        await pool.aclose()
    deadline = time.monotonic() + _RECORD_WAIT_S
    return [await _with_record(archive, answered, deadline) for answered in found]


def _request(again: Again, row: Row, origin: Origin, prefix: str, key: str) -> UpstreamRequest:
    """Return the request; each has a trace of its own, so that the first one's stays as it is."""
    headers: Headers = [(name.encode(), value.encode()) for name, value in again.headers]
    headers += [
        (_KEY_HEADER, key.encode()),
        (REPLAY_HEADER, row.id.encode()),
        (b"x-portkey-trace-id", f"replay-{secrets.token_hex(12)}".encode()),
        (b"accept-encoding", b"identity"),
    ]
    return UpstreamRequest(
        method=again.method, origin=origin, target=(prefix + again.path).encode(), headers=headers, body=again.body
    )


async def _send(pool: HttpPool, row: Row, request: UpstreamRequest, url: str) -> Answered:
    started = time.monotonic()
    try:
        response = await pool.send(request)
        try:
            pieces, at_s = await _read(response)
        finally:
            response.close()
    except GatewayError as error:
        raise Unavailable(
            f"The gateway at {url} gave no whole answer ({error}); start it with lockgate up, or name it with --url"
        ) from None
    ended = time.monotonic()
    headers = dict(response.headers)
    is_stream = headers.get(b"content-type", b"").startswith(b"text/event-stream")
    answer, timeline = b"".join(pieces), None
    if is_stream:
        stream = CapturedStream(dialect=row.dialect or "", pieces=pieces, at_s=at_s, started_s=started)
        answer, timeline = assemble(stream, load_dialects()).data or answer, timeline_of(stream)
    return Answered(
        status=response.status,
        record_id="rec_" + headers.get(b"x-portkey-request-id", b"").decode("latin-1").replace("-", ""),
        answer=answer,
        timeline=timeline,
        duration_us=round((ended - started) * _MICRO),
        first_us=round(((at_s[0] if at_s else ended) - started) * _MICRO),
    )


async def _read(response: UpstreamResponse) -> tuple[list[bytes], list[float]]:
    """Return a body in pieces that end where an event ends, and when each was there."""
    pieces: list[bytes] = []
    at_s: list[float] = []
    waiting = b""
    while data := await response.next_chunk():
        waiting += data
        end = waiting.rfind(b"\n\n") + 2
        if end > 1:
            pieces.append(waiting[:end])
            at_s.append(time.monotonic())
            waiting = waiting[end:]
    if waiting:
        pieces.append(waiting)
        at_s.append(time.monotonic())
    return pieces, at_s


async def _with_record(archive: Archive, answered: Answered, deadline: float) -> Answered:
    """Wait for the record of an answer: it is shipped within a second, if the gateway writes into this folder."""
    while True:
        entry = await asyncio.to_thread(archive.reader.get, answered.record_id, ALL)
        if entry is not None:
            return structs.replace(answered, row=entry.row)
        if time.monotonic() >= deadline:
            return answered
        await asyncio.sleep(_LOOK_EVERY_S)
