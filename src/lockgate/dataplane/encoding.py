"""Content codings of a provider's answer. We ask for none; some servers send one all the same."""

from __future__ import annotations

import zlib

from lockgate.errors import Malformed

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_MAX_INFLATED_BYTES = 256 * 1024 * 1024


def decode(data: bytes, coding: bytes | None) -> bytes:
    """Undo the content coding of a whole body. Raises Malformed."""
    decoder = decoder_for(coding)
    return data if decoder is None else decoder.feed(data)


class Inflater:
    """Undoes gzip or deflate piece by piece, up to a bound."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._left = _MAX_INFLATED_BYTES

    def feed(self, data: bytes) -> bytes:
        """Return the plain bytes. Raises Malformed for garbage and for bombs."""
        try:
            plain = self._inflate.decompress(data, self._left)
        except zlib.error:
            raise Malformed("The provider's answer is not in the coding it declares") from None
        self._left -= len(plain)
        if self._left <= 0:
            raise Malformed("The provider's compressed answer is too large")
        return plain


def decoder_for(coding: bytes | None) -> Inflater | None:
    """Return what undoes a coding, None when there is none. Raises Malformed for one that we did not ask for."""
    name = (coding or b"").strip().lower()
    if name in (b"", b"identity"):
        return None
    if name in (b"gzip", b"x-gzip", b"deflate"):
        return Inflater()
    raise Malformed("The provider's answer has a content coding that was not asked for")
