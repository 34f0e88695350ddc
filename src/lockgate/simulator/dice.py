"""Reproducible choices: everything random in the simulator comes from a :class:`Dice`."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Dice:
    """A stream of numbers that depends on nothing but what it was made from."""

    __slots__ = ("_key", "_turn")

    def __init__(self, *parts: bytes | str | int) -> None:
        digest = blake2b(digest_size=32)
        for part in parts:
            raw = part if isinstance(part, bytes) else str(part).encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
        self._key = digest.digest()
        self._turn = 0

    def child(self, label: str) -> Dice:
        """Return independent dice; the same label gives the same dice, however often these were rolled."""
        return Dice(self._key, label)

    def bytes(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        out = b""
        while len(out) < size:
            self._turn += 1
            out += blake2b(self._turn.to_bytes(8, "big"), key=self._key, digest_size=64).digest()
        return out[:size]

    def below(self, limit: int) -> int:
        """Return a number from 0 up to and excluding ``limit``."""
        return int.from_bytes(self.bytes(8), "big") % limit

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def chance(self, one_in: int) -> bool:
        """Return True once in ``one_in`` rolls."""
        return self.below(one_in) == 0

    def letters(self, size: int) -> str:
        """Return ``size`` letters and digits."""
        return "".join(_BASE62[byte % 62] for byte in self.bytes(size))
