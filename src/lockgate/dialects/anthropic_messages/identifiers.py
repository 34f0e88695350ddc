"""Ids that Anthropic accepts, made from those that clients and other providers use.

Everything here depends on what came before in the conversation, never on what comes after: the written prefix of a
conversation must not change from turn to turn, or prompt caches miss and thinking signatures break.
Source: Anthropic integration specification, sections 1.2 and 1.5.
"""

from __future__ import annotations

from hashlib import sha256
from string import ascii_letters, digits

from msgspec import Struct

from lockgate.core.tool_names import clean

MAX_NAME_CHARS = 128
"""How long a tool's name may be."""

_ALPHABET = digits + ascii_letters


def made_id(prefix: str, seed: str) -> str:
    """Return ``prefix`` and 24 letters and digits that depend on ``seed`` alone."""
    number = int.from_bytes(sha256(seed.encode()).digest(), "big")
    letters = []
    for _ in range(24):
        number, at = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return prefix + "".join(letters)


class PlacedCall(Struct, frozen=True):
    """Where a tool call went: its id there, the turn, and its place among the calls of that turn."""

    id: str
    turn: int
    order: int


class ToolIds:
    """Gives every tool call of a conversation an id of its own, and finds the call that a result answers."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._open: dict[str, list[PlacedCall]] = {}
        self._latest: dict[str, PlacedCall] = {}
        self.placed: list[PlacedCall] = []
        """Every call, in order."""

    def place(self, original: str, turn: int) -> str:
        """Return the id under which a call is written."""
        order = len(self._used)
        base = clean(original) or f"toolu_{order + 1}"
        unique, count = base, 1
        while unique in self._used:
            count += 1
            unique = f"{base}_{count}"
        self._used.add(unique)
        placed = PlacedCall(unique, turn, order)
        # An older call of the same id that nobody answered in time stays unanswered.
        waiting = [call for call in self._open.get(original, ()) if call.turn == turn]
        self._open[original] = [*waiting, placed]
        self._latest[original] = placed
        self.placed.append(placed)
        return unique

    def answered(self, original: str) -> PlacedCall | None:
        """Return the call that a result of this id answers, None when there is none."""
        waiting = self._open.get(original)
        return waiting.pop(0) if waiting else self._latest.get(original)
