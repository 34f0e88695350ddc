"""Request ids and trace ids.

A request id is a UUID of version 7: unique, and in the order of time. The trace id is what the client says in
``x-portkey-trace-id`` or ``traceparent``, else the request id. Source: gateway protocol specification, section 6.3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_TRACEPARENT = re.compile(rb"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_MAX_TRACE_ID = 128
_VERSION_7 = 0x7000
_VARIANT = 0x8000


def new_request_id(now_s: float) -> str:
    """Return a UUIDv7 in its text form for a time in seconds since 1970."""
    ms = f"{int(now_s * 1000) & 0xFFFFFFFFFFFF:012x}"
    dice = os.urandom(10)
    a = _VERSION_7 | (int.from_bytes(dice[:2]) & 0x0FFF)
    b = _VARIANT | (int.from_bytes(dice[2:4]) & 0x3FFF)
    return f"{ms[:8]}-{ms[8:]}-{a:04x}-{b:04x}-{dice[4:].hex()}"


def trace_id_of(headers: Mapping[bytes, bytes], fallback: str) -> bytes:
    """Return the effective trace id, never empty."""
    given = headers.get(b"x-portkey-trace-id", b"").strip()
    if given:
        return given[:_MAX_TRACE_ID]
    found = _TRACEPARENT.match(headers.get(b"traceparent", b""))
    return found[1] if found else fallback.encode("ascii")
