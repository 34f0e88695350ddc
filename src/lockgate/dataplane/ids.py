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
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""The two fixed bits of the variant, with two random ones."""
_ID_BYTES = 10
_BULK = 256


class _Dice:
    """Random bytes, fetched from the system in bulk: a system call for each id would cost more than the id."""

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0
        self._pid = 0

    def take(self) -> str:
        """Return ten random bytes in hex, never the same ones twice, also not in a forked process."""
        if self._at >= len(self._bytes) or self._pid != os.getpid():
            self._bytes, self._at, self._pid = os.urandom(_BULK * _ID_BYTES), 0, os.getpid()
        at = self._at
        self._at = at + _ID_BYTES
        return self._bytes[at : at + _ID_BYTES].hex()


_dice = _Dice()


def new_request_id(now_s: float) -> str:
    """Return a UUIDv7 in its text form for a time in seconds since 1970."""
    ms = f"{int(now_s * 1000) & 0xFFFFFFFFFFFF:012x}"
    dice = _dice.take()
    variant = _VARIANT[dice[0]]
    return f"{ms[:8]}-{ms[8:]}-7{dice[1:4]}-{variant}{dice[4:7]}-{dice[7:19]}"


def trace_id_of(headers: Mapping[bytes, bytes], fallback: str) -> bytes:
    """Return the effective trace id, never empty."""
    given = headers.get(b"x-portkey-trace-id", b"").strip()
    if given:
        return given[:_MAX_TRACE_ID]
    found = _TRACEPARENT.match(headers.get(b"traceparent", b""))
    return found[1] if found else fallback.encode("ascii")
