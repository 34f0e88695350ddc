"""What the inside asks of the outside. Only protocols; the implementations are picked in ``lockgate.app``."""

from __future__ import annotations

from typing import Protocol

from lockgate.core.http import Headers, Origin, UpstreamRequest
from lockgate.core.record import Record


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. It must be closed; closing early drops the connection."""

    status: int
    headers: Headers
    """Names in lower case; bodies are already free of chunked framing, content-encoding is not undone."""

    async def read(self, limit_bytes: int) -> bytes:
        """Return the whole body, or raise Malformed when it is longer than the limit."""
        ...

    async def next_chunk(self) -> bytes:
        """Return the next bytes of the body as they arrive, b"" at its end.

        Raises TimedOut (idle, total) or Broken when the connection ends before the body is complete.
        While nobody asks for the next chunk, reading from the socket is paused once a small buffer is full.
        """
        ...

    def close(self) -> None:
        """Give the connection back when the body is complete, else drop it at once. May be called twice."""
        ...


class Upstream(Protocol):
    """Sends requests to providers."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return when the answer's head has arrived.

        Raises Unreachable (nothing was sent), TimedOut, Broken (no complete head arrived), Malformed, and whatever the
        request's stream raises. A stream is read only while the provider takes more, never after the answer's head has
        arrived, and never for a second try.
        Cancelling the awaiting task drops the connection.
        """
        ...


class HostGuard(Protocol):
    """Judges URLs that a caller chose."""

    def __call__(self, url: str, trusted: frozenset[str]) -> Origin:
        """Return the origin to connect to, marked as guarded. Raises InvalidRequest when the URL may not be used."""
        ...


class RecordSink(Protocol):
    """Takes the record of an exchange. Must be quick and must not raise."""

    def write(self, record: Record) -> None:
        """Keep the record; when this returns it survives the end of the process."""
        ...


class Clock(Protocol):
    """Time as the exchange sees it."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def unix(self) -> float:
        """Seconds since 1970-01-01 UTC, for time stamps."""
        ...
