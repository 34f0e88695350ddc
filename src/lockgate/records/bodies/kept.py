"""What is kept of the bodies of a request: redacted, cut to size, with previews. This is what touches a disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from lockgate.core.capture import (
    FAILED_BYTES,
    HEAD_BYTES,
    MARGIN_BYTES,
    TAIL_BYTES,
    VIEWS,
    Capture,
    CapturedHeaders,
    CapturedStream,
    Ends,
    FailedAttempt,
    ViewName,
)
from lockgate.dialects import Dialect
from lockgate.records.bodies.assembly import Timeline, assemble, timeline_of
from lockgate.records.previews import preview_request, preview_response
from lockgate.records.redaction import NEVER_KEPT, Rules, credentials_in, is_clean, redact, redact_headers, without
from lockgate.records.row import Preview

_ATTEMPT = "attempt_"
_SAME: tuple[tuple[ViewName, ViewName], ...] = (("upstream_request", "request"), ("upstream_response", "response"))


class View(Struct, frozen=True, kw_only=True):
    """One body. ``size_bytes`` is what it had before it was cut."""

    name: str
    """Of ``VIEWS``, or what ``attempt_view`` returns."""
    data: bytes
    size_bytes: int
    is_truncated: bool = False
    """A part of it is missing: only its first 256 KB and last 64 KB are there, one after the other, or of a stream what
    its first and last events say."""


def attempt_view(number: int, side: Literal["request", "response"]) -> str:
    """Return the name of a body of an attempt that failed, by its place among the record's attempts from 0 on."""
    return f"{_ATTEMPT}{number}_{side}"


def attempt_of(name: str) -> tuple[int, str] | None:
    """Return number and side of a view's name, None when it is none of an attempt that failed."""
    number, _, side = name.removeprefix(_ATTEMPT).partition("_")
    return (int(number), side) if name.startswith(_ATTEMPT) and number.isdigit() else None


class Kept(Struct, frozen=True, kw_only=True):
    """The bodies of one request."""

    record_id: str
    started_us: int
    workspace_id: str | None = None
    views: tuple[View, ...] = ()
    request_headers: Sequence[tuple[str, str]] = ()
    response_headers: Sequence[tuple[str, str]] = ()
    redactions: Mapping[str, int] = {}
    timeline: Timeline | None = None
    """Of a streamed answer."""
    request_preview: str = ""
    response_preview: str = ""
    text: str = ""

    @property
    def preview(self) -> Preview:
        """What lists show and searches find."""
        return Preview(
            id=self.record_id, started_us=self.started_us, workspace_id=self.workspace_id, text=self.text,
            request_preview=self.request_preview, response_preview=self.response_preview,
        )  # fmt: skip


def keep(
    capture: Capture, rules: Rules, *, limit_bytes: int, dialects: Mapping[str, Dialect] | None = None
) -> Kept | None:
    """Return what may be kept of bodies: redacted first, then cut, then previewed. None: nothing may.

    ``dialects`` put streams together; a stream of a dialect that is not there is not kept.
    """
    if not rules.keeps_content:
        return None
    rules = _with_asked(rules, capture.request_headers)
    known = credentials_in(capture.request_headers, capture.secrets)
    whole, sizes, cut = _bodies(capture, dialects or {})
    counts: dict[str, int] = {}
    bodies: dict[str, bytes] = {}
    asked_with = without(capture.request_headers, known)
    answered_with = without(capture.response_headers, known)
    values = [value for name, value in (*asked_with, *answered_with) if name not in NEVER_KEPT]
    if are_clean := is_clean([*whole.values(), *values], rules, known):
        bodies = whole
    else:
        for view, body in whole.items():
            found = redact(body, rules, known)
            bodies[view] = found.data
            for kind, count in found.counts.items():
                counts[kind] = counts.get(kind, 0) + count
    for view in VIEWS:
        if view in capture.ends:
            bodies[view], sizes[view] = _ends(capture.ends[view], rules, known, counts), capture.ends[view].size_bytes
            cut.add(view)
    _drop_equals(bodies)
    for attempt in capture.failed:
        # what a target that failed said is of interest as far as it can be read
        name = attempt_view(attempt.number, "response")
        body = bodies.get(name, b"")
        if body and (len(body) > FAILED_BYTES or len(attempt.response) < attempt.size_bytes):
            bodies[name] = body[:FAILED_BYTES]
            cut.add(name)
    asked, said = preview_request(bodies.get("request", b"")), preview_response(bodies.get("response", b""))
    stream = capture.response_stream
    return Kept(
        record_id=capture.record_id,
        started_us=round(capture.started_at * 1_000_000),
        workspace_id=capture.workspace_id,
        views=tuple(_cut(name, body, limit_bytes, sizes.get(name), name in cut) for name, body in bodies.items()),
        request_headers=redact_headers(asked_with, rules, are_clean=are_clean),
        response_headers=redact_headers(answered_with, rules, are_clean=are_clean),
        redactions=counts,
        timeline=timeline_of(stream) if stream is not None else None,
        request_preview=asked[0],
        response_preview=said[0],
        text="\n".join(text for text in (asked[1], said[1]) if text),
    )


def _bodies(capture: Capture, dialects: Mapping[str, Dialect]) -> tuple[dict[str, bytes], dict[str, int], set[str]]:
    """Return the bodies by view, streams put together; the sizes of streams; and the streams that have gaps."""
    found: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    cut: set[str] = set()
    for attempt in capture.failed:
        _add_failed(capture, attempt, found, sizes, dialects)
    for name in VIEWS:
        stream = _stream_of(capture, name)
        body: bytes | None = getattr(capture, name)
        if stream is not None:
            made = assemble(stream, dialects, created=int(capture.started_at))
            body, sizes[name] = made.data, stream.size_bytes
            if not made.is_whole:
                cut.add(name)
        if body:
            found[name] = body
    return found, sizes, cut


def _add_failed(
    capture: Capture,
    attempt: FailedAttempt,
    found: dict[str, bytes],
    sizes: dict[str, int],
    dialects: Mapping[str, Dialect],
) -> None:
    """Add what a target that failed was asked and said."""
    asked, said = (attempt_view(attempt.number, side) for side in ("request", "response"))
    if attempt.request and attempt.request not in (capture.request, capture.upstream_request):
        found[asked] = attempt.request
    response, sizes[said] = attempt.response, attempt.size_bytes
    if attempt.stream is not None:
        response = assemble(attempt.stream, dialects, created=int(capture.started_at)).data
        sizes[said] = attempt.stream.size_bytes
    # no path can be found in a beginning
    if response and not (capture.rules.drop_paths and len(response) < attempt.size_bytes):
        found[said] = response


def _ends(ends: Ends, rules: Rules, known: Sequence[bytes], counts: dict[str, int]) -> bytes:
    """Return the ends of a body, redacted; what may have been cut in two is in the margins, which go."""
    found = [redact(part, rules, known) for part in (ends.head, ends.tail)]
    for part in found:
        for kind, count in part.counts.items():
            counts[kind] = counts.get(kind, 0) + count
    return found[0].data[:-MARGIN_BYTES] + found[1].data[MARGIN_BYTES:]


def _stream_of(capture: Capture, name: ViewName) -> CapturedStream | None:
    if name == "response":
        return capture.response_stream
    return capture.upstream_stream if name == "upstream_response" else None


def _drop_equals(bodies: dict[str, bytes]) -> None:
    """Forget what the other side got or sent word for word."""
    for name, other in _SAME:
        if name in bodies and bodies[name] == bodies.get(other):
            del bodies[name]


def _with_asked(rules: Rules, headers: CapturedHeaders) -> Rules:
    """Return the rules with the headers that the request itself calls sensitive."""
    for name, value in headers:
        if name.lower() == b"x-portkey-sensitive-headers":
            more = tuple(part.strip() for part in value.decode("latin-1").split(",") if part.strip())
            return msgspec.structs.replace(rules, sensitive_headers=(*rules.sensitive_headers, *more))
    return rules


def _cut(name: str, body: bytes, limit_bytes: int, size: int | None, has_gap: bool) -> View:
    size = len(body) if size is None else size
    if len(body) <= limit_bytes:
        return View(name=name, data=body, size_bytes=size, is_truncated=has_gap)
    head, tail = min(HEAD_BYTES, limit_bytes), min(TAIL_BYTES, limit_bytes)
    return View(name=name, data=body[:head] + body[-tail:], size_bytes=size, is_truncated=True)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def write_kept(kept: Kept) -> bytes:
    """Return bodies as bytes."""
    return _encode(kept)


def read_kept(data: bytes) -> Kept:
    """Return the bodies of bytes. Raises ValueError."""
    return _decode(data)
