"""What an exchange holds on to of its bodies while it runs: references to bytes that are there anyway, nothing copied.

Putting streams together, redacting and writing happen elsewhere, after the last byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from lockgate.core.capture import (
    FAILED_BYTES,
    HEAD_BYTES,
    MARGIN_BYTES,
    TAIL_BYTES,
    Capture,
    CapturedStream,
    FailedAttempt,
)
from lockgate.core.http import Headers
from lockgate.core.recording import Rules

STREAM_BYTES = 4 << 20
"""Of a stream that is longer, only its beginning and its end are held."""


class StreamLog:
    """A stream that goes by."""

    __slots__ = ("_add", "_at", "_bytes", "_now", "_tail", "_tail_bytes", "at_s", "dialect", "pieces")

    def __init__(self, dialect: str, now: Callable[[], float]) -> None:
        self.dialect = dialect
        self.pieces: list[bytes] = []
        self.at_s: list[float] = []
        self._add, self._at = self.pieces.append, self.at_s.append
        self._now = now
        self._bytes = 0
        self._tail: deque[bytes] | None = None
        self._tail_bytes = 0

    def add(self, piece: bytes) -> None:
        """Hold the next piece."""
        size = len(piece)
        self._bytes += size
        if self._tail is not None:
            self._keep_last(self._tail, piece)
            return
        self._add(piece)
        self._at(self._now())
        if self._bytes > STREAM_BYTES:
            self._shorten()

    def captured(self, started_s: float) -> CapturedStream:
        """Return what is held."""
        return CapturedStream(
            dialect=self.dialect,
            pieces=self.pieces,
            at_s=self.at_s,
            started_s=started_s,
            tail=list(self._tail or ()),
            size_bytes=self._bytes,
        )

    def _shorten(self) -> None:
        """Let go of the middle."""
        count = size = 0
        while count < len(self.pieces) and size < HEAD_BYTES:
            size += len(self.pieces[count])
            count += 1
        rest = self.pieces[count:]
        del self.pieces[count:], self.at_s[count:]
        tail = self._tail = deque[bytes]()
        for piece in rest:
            self._keep_last(tail, piece)

    def _keep_last(self, tail: deque[bytes], piece: bytes) -> None:
        tail.append(piece)
        self._tail_bytes += len(piece)
        while len(tail) > 1 and self._tail_bytes - len(tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(tail.popleft())


class Content:
    """The bodies of one exchange. What is not set stays out of the capture."""

    __slots__ = ("_attempt", "_now", "_started_s", "came", "failed", "request", "response", "response_headers",
                 "secrets", "told", "upstream_request", "upstream_response")  # fmt: skip

    def __init__(self, request: bytes, now: Callable[[], float], started_s: float) -> None:
        self.request = request
        self.upstream_request: bytes | None = None
        self.response = b""
        self.upstream_response: bytes | None = None
        self.response_headers: Headers = []
        self.secrets: tuple[tuple[bytes, bytes], ...] = ()
        self.told: StreamLog | None = None
        """The stream that goes to the client."""
        self.came: StreamLog | None = None
        """The provider's own stream, where that is another one."""
        self.failed: tuple[FailedAttempt, ...] = ()
        self._attempt = 0
        self._now = now
        self._started_s = started_s

    def asked(self, attempt: int, body: bytes, *sent: tuple[tuple[bytes, bytes], ...]) -> None:
        """A target is asked, with these headers of its own: the attempt of this number, from 0 on. The one before, if
        there was one, has failed."""
        if self.upstream_request is not None:
            self._fail(self.upstream_request)
        self._attempt, self.upstream_request = attempt, body
        self.upstream_response = self.told = self.came = None
        for headers in sent:
            self.secrets += headers

    def _fail(self, body: bytes) -> None:
        answer, stream = self.upstream_response or b"", self.came or self.told
        self.failed += (
            FailedAttempt(
                number=self._attempt,
                request=None if body == self.request else body,
                response=answer[: FAILED_BYTES + MARGIN_BYTES],
                stream=stream.captured(self._started_s) if stream is not None and not answer else None,
                size_bytes=len(answer),
            ),
        )

    def answered(self, body: bytes, dialect: str | None, headers: Headers) -> None:
        """The whole answer goes to the client; ``dialect`` is that of its events where it is a stream at once."""
        self.response_headers = headers
        if dialect is not None:
            self.tell(dialect, body)
        else:
            self.response = body

    def tell(self, dialect: str, events: bytes) -> None:
        """Events go to the client."""
        if self.told is None:
            self.told = StreamLog(dialect, self._now)
        self.told.add(events)

    def come(self, dialect: str, data: bytes) -> None:
        """Bytes of the provider's stream came, which is another one than the client's."""
        if self.came is None:
            self.came = StreamLog(dialect, self._now)
        self.came.add(data)

    def capture(
        self, *, record_id: str, started_at: float, workspace_id: str | None, rules: Rules, headers: Headers
    ) -> Capture:
        """Return all that is held."""
        final, raw, told, came = self.upstream_request, self.upstream_response, self.told, self.came
        return Capture(
            record_id=record_id,
            started_at=started_at,
            workspace_id=workspace_id,
            rules=rules,
            request=self.request,
            upstream_request=None if final == self.request else final,
            response=self.response,
            upstream_response=None if raw == self.response else raw,
            response_stream=told.captured(self._started_s) if told is not None else None,
            upstream_stream=came.captured(self._started_s) if came is not None else None,
            request_headers=headers,
            response_headers=self.response_headers,
            secrets=self.secrets,
            failed=self.failed,
        )
