"""An answer as the cache keeps it: whole, in the client's dialect, whether it came as a stream or not."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lockgate.core.record import TokenCounts

VERSION = 2
"""Of the form in which answers are kept outside of the process; one in another form is not there."""


class CachedReply(Struct, frozen=True, kw_only=True):
    """A good answer. Its status was 200."""

    body: bytes
    """JSON in the client's dialect, without what hooks have added to it."""
    created_at: float
    """When it was answered, in seconds since 1970-01-01 UTC."""
    provider: str | None = None
    """Who answered: the provider's name."""
    model: str | None = None
    """The model that answered, as the provider calls it."""
    tokens: TokenCounts = TokenCounts()
    """What it took to make it."""
    dropped: tuple[str, ...] = ()
    """What was lost on the way to the provider and back, as the first answer named it."""
    adjusted: tuple[str, ...] = ()
    """What was changed in meaning."""
    record_id: str | None = None
    """Of the request that it was made for."""
    took_ms: float | None = None
    """How long that one took until the answer was there."""

    @property
    def size_bytes(self) -> int:
        """What it takes, about."""
        return len(self.body) + sum(map(len, self.dropped)) + sum(map(len, self.adjusted))


class _Kept(Struct, frozen=True, array_like=True):
    version: int
    reply: CachedReply


def write_cached(reply: CachedReply) -> bytes:
    """Write an answer for a store outside of the process."""
    return _write(_Kept(VERSION, reply))


def read_cached(data: bytes) -> CachedReply | None:
    """Read what ``write_cached`` wrote; None for anything else."""
    try:
        kept = _read(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return kept.reply if kept.version == VERSION else None


_write = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(_Kept).decode
