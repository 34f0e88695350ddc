"""Request ids: the dice that ``core.trace`` writes them with."""

from __future__ import annotations

import os

from lockgate.core.trace import write_uuid7

_ID_BYTES = 10
_BULK = 256


class _Dice:
    """Random bytes, fetched from the system in bulk: a system call for each id would cost more than the id."""

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def take(self) -> str:
        """Return ten random bytes in hex, never the same ones twice, also not in a forked process."""
        if self._at >= len(self._bytes):
            self._bytes, self._at = os.urandom(_BULK * _ID_BYTES), 0
        at = self._at
        self._at = at + _ID_BYTES
        return self._bytes[at : at + _ID_BYTES].hex()

    def _forget(self) -> None:
        self._bytes = b""


_dice = _Dice()


def new_request_id(now_s: float) -> str:
    """Return a UUIDv7 in its text form for a time in seconds since 1970."""
    return write_uuid7(now_s, _dice.take())
