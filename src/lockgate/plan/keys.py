"""The text of a gateway key: ``gk_`` + 43 base62 characters (256 bits) + a 6-character checksum.

The prefix lets secret scanners find it; the checksum refuses typing errors and noise before any look-up. Keys that
an operator brings along (through the environment or the configuration) may be any text.
Source: control-plane specification, API keys.
"""

from __future__ import annotations

import hashlib
import zlib

PREFIX = "gk_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43
_CHECKSUM_LENGTH = 6
_KEY_BYTES = 32
_PAIRS = tuple(one + other for one in _ALPHABET for other in _ALPHABET)


def write_key(entropy: bytes) -> str:
    """Return the key's text for 32 random bytes."""
    if len(entropy) != _KEY_BYTES:
        raise ValueError(f"a key is made of {_KEY_BYTES} random bytes, not {len(entropy)}")
    body = _base62(int.from_bytes(entropy), _BODY_LENGTH)
    return PREFIX + body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Tell whether a text can be a key at all: one of ours with a right checksum, or any other opaque text."""
    if not key.startswith(PREFIX):
        return bool(key)
    if len(key) != len(PREFIX) + _BODY_LENGTH + _CHECKSUM_LENGTH:
        return False
    body = key[len(PREFIX) : -_CHECKSUM_LENGTH]
    return key[-_CHECKSUM_LENGTH:] == _checksum(body)


def digest_of(key: str) -> bytes:
    """Return what is stored and looked up in place of the key: its SHA-256 digest."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "replace")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    """Write a number of base62 digits, two at a time: this checks the key of each request."""
    digits = []
    for _ in range((length + 1) // 2):
        number, rest = divmod(number, len(_PAIRS))
        digits.append(_PAIRS[rest])
    digits.reverse()
    return "".join(digits)[-length:]
