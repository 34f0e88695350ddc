"""What a request and its answer looked like, handed over once the last byte is sent. The record says what happened;
this is its content, which may be dropped under pressure where the record may not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

from msgspec import Struct, structs

from lockgate.core.recording import DEFAULT, Rules

CapturedHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
ViewName: TypeAlias = Literal["request", "upstream_request", "response", "upstream_response"]
VIEWS: tuple[ViewName, ...] = get_args(ViewName)


class CapturedStream(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A streamed body as it went by: whole events, or pieces of them. It is put together before anything is kept."""

    dialect: str
    """Whose events they are."""
    pieces: Sequence[bytes]
    at_s: Sequence[float] = ()
    """When each piece went by, in seconds on any clock."""
    started_s: float = 0.0
    """When the request began, on the same clock."""
    tail: Sequence[bytes] = ()
    """The last pieces of a stream that was too long; those between are gone."""
    size_bytes: int = 0
    """Of all that went by."""


class Ends(Struct, frozen=True, kw_only=True, gc=False):
    """What is left of a body that is too long to be kept whole."""

    head: bytes
    tail: bytes
    size_bytes: int
    """Of the whole body."""


class FailedAttempt(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a target that failed was asked and said, before another one was."""

    number: int
    """Its place among the record's attempts, from 0 on."""
    request: bytes | None = None
    """None: as the client sent it."""
    response: bytes = b""
    """Its beginning."""
    stream: CapturedStream | None = None
    """In place of ``response``."""
    size_bytes: int = 0
    """Of the whole response."""


class Capture(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The bodies of one exchange, unredacted, in memory only. A view that equals another is left None.

    A streamed answer is given as a stream, and kept assembled, as the whole reply that its events make: a secret that
    lies across two events is found by nobody.
    """

    record_id: str
    started_at: float
    """As in the record."""
    workspace_id: str | None = None
    rules: Rules = DEFAULT
    """What may be kept."""
    request: bytes = b""
    """As the client sent it."""
    upstream_request: bytes | None = None
    """As the last target got it; None: the same."""
    response: bytes = b""
    """As the client got it."""
    upstream_response: bytes | None = None
    """As the provider sent it; None: the same."""
    response_stream: CapturedStream | None = None
    """In place of ``response``."""
    upstream_stream: CapturedStream | None = None
    """In place of ``upstream_response``."""
    failed: Sequence[FailedAttempt] = ()
    ends: Mapping[str, Ends] = {}
    """In place of those of the four bodies that are too long, by their names here."""
    request_headers: CapturedHeaders = ()
    response_headers: CapturedHeaders = ()
    secrets: CapturedHeaders = ()
    """Headers with credentials that went to providers: what a provider repeats of them is taken out."""

    @property
    def size_bytes(self) -> int:
        """How much memory it holds, about."""
        size = len(self.request) + len(self.upstream_request or b"")
        size += len(self.response) + len(self.upstream_response or b"")
        for stream in (self.response_stream, self.upstream_stream):
            if stream is not None:
                size += stream.size_bytes
        for attempt in self.failed:
            size += len(attempt.request or b"") + len(attempt.response)
            size += attempt.stream.size_bytes if attempt.stream is not None else 0
        return size + sum(len(ends.head) + len(ends.tail) for ends in self.ends.values())


HEAD_BYTES, TAIL_BYTES = 256 * 1024, 64 * 1024
"""What is kept of a body that is too long."""
FAILED_BYTES = 64 * 1024
"""What is kept of the answer of a target that failed."""
MARGIN_BYTES = 16 * 1024
"""What is handed over beyond that, so that a secret which lies across the cut is seen whole."""


def shortened(capture: Capture, limit_bytes: int) -> Capture:
    """Return a capture without the middle of bodies that are longer than the limit; the same one when there is none.

    Where paths into bodies are to be cut out, the bodies stay: no path can be found in ends.
    """
    names = [name for name in VIEWS if len(getattr(capture, name) or b"") > limit_bytes]
    if not names or capture.rules.drop_paths or limit_bytes < HEAD_BYTES + TAIL_BYTES + 2 * MARGIN_BYTES:
        return capture
    bodies: dict[str, bytes] = {name: getattr(capture, name) for name in names}
    ends = {
        name: Ends(
            head=body[: HEAD_BYTES + MARGIN_BYTES], tail=body[-TAIL_BYTES - MARGIN_BYTES :], size_bytes=len(body)
        )
        for name, body in bodies.items()
    }
    return structs.replace(capture, ends=ends, **dict.fromkeys(names, b""))
