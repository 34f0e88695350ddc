"""Ids of requests and traces: pure, so the dice and the clock come as arguments.

A request id is a UUID of version 7: unique, and in the order of time. The trace id is what the client says in
``x-portkey-trace-id`` or ``traceparent``, else the request id. Source: gateway protocol specification, section 6.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

_TRACEPARENT = re.compile(rb"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_PARENT = re.compile(rb"^00-[0-9a-f]{32}-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$")
_UUID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_HEX = re.compile(r"^(?!0{32})[0-9a-f]{32}\Z")
_RECORD_ID = re.compile(rb"rec_[0-9a-f]{32}")
REPLAY_HEADER = b"x-lockgate-replay-of"
_SPAN_HEADERS = frozenset({b"traceparent", b"x-portkey-parent-span-id", b"x-portkey-span-name", b"x-portkey-span-id"})
_MAX_TRACE_ID = 128
_MAX_SPAN_ID = 64
_MAX_SPAN_NAME = 256
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""The two fixed bits of the variant, with two random ones."""


def write_uuid7(now_s: float, dice: str) -> str:
    """Return a UUIDv7 in its text form for a time in seconds since 1970 and twenty random hex digits."""
    ms = f"{int(now_s * 1000) & 0xFFFFFFFFFFFF:012x}"
    variant = _VARIANT[dice[0]]
    return f"{ms[:8]}-{ms[8:]}-7{dice[1:4]}-{variant}{dice[4:7]}-{dice[7:19]}"


def trace_id_of(headers: Mapping[bytes, bytes], fallback: str) -> bytes:
    """Return the effective trace id, never empty."""
    given = headers.get(b"x-portkey-trace-id", b"").strip()
    if given:
        return given[:_MAX_TRACE_ID]
    parent = headers.get(b"traceparent")
    found = _TRACEPARENT.match(parent) if parent is not None else None
    return found[1] if found else fallback.encode("ascii")


def w3c_trace_id(trace_id: str, workspace_id: str) -> str:
    """Return the 32 hexadecimal digits that W3C's headers and OTLP want of a trace id, the same for equal ids.

    Source: observability specification, section 2.2.
    """
    plain = trace_id.lower()
    if _UUID.match(plain):
        plain = plain.replace("-", "")
    if _HEX.match(plain):
        return plain
    return sha256(f"{workspace_id}{trace_id}".encode("utf-8", "replace")).hexdigest()[:32]


def replay_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the record that is sent again, when a request says that it is that."""
    given = headers.get(REPLAY_HEADER)
    return given.decode() if given is not None and _RECORD_ID.fullmatch(given) else None


class Span(Struct, frozen=True, kw_only=True):
    """Where a request stands in its trace."""

    id: str
    parent: str | None = None
    name: str | None = None


def span_of(headers: Mapping[bytes, bytes], fallback: str, name: str) -> Span:
    """Return the span that a client names, each part by itself; a W3C parent gives the parent and ``name``."""
    if _SPAN_HEADERS.isdisjoint(headers):
        return Span(id=fallback)
    found = _PARENT.match(headers.get(b"traceparent", b""))
    parent = _text(headers, b"x-portkey-parent-span-id", _MAX_SPAN_ID)
    said = _text(headers, b"x-portkey-span-name", _MAX_SPAN_NAME)
    return Span(
        id=_text(headers, b"x-portkey-span-id", _MAX_SPAN_ID) or fallback,
        parent=parent or (found[1].decode() if found else None),
        name=said or (name if found else None),
    )


def _text(headers: Mapping[bytes, bytes], name: bytes, most: int) -> str | None:
    return headers.get(name, b"").strip().decode("utf-8", "replace")[:most] or None
