"""Ids and names that Anthropic accepts, made from those that clients and other providers use.

Everything here depends on what came before in the conversation, never on what comes after: the written prefix of a
conversation must not change from turn to turn, or prompt caches miss and thinking signatures break.
Source: Anthropic integration specification, sections 1.2 and 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from string import ascii_letters, digits

from msgspec import Struct

MAX_NAME_CHARS = 128
"""How long a tool's name may be."""

_IS_ID = re.compile(r"[a-zA-Z0-9_-]+").fullmatch
_NOT_ID = re.compile(r"[^a-zA-Z0-9_-]")
_ALPHABET = digits + ascii_letters
_HASH_CHARS = 6


def clean_id(text: str) -> str:
    """Return a tool call's id with every character that Anthropic refuses replaced."""
    return text if _IS_ID(text) else _NOT_ID.sub("_", text)


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

    def place(self, original: str, turn: int) -> str:
        """Return the id under which a call is written."""
        order = len(self._used)
        base = clean_id(original) or f"toolu_{order + 1}"
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
        return unique

    def answered(self, original: str) -> PlacedCall | None:
        """Return the call that a result of this id answers, None when there is none."""
        waiting = self._open.get(original)
        return waiting.pop(0) if waiting else self._latest.get(original)


class ToolNames:
    """Maps tool names that Anthropic refuses to ones that it accepts, and remembers how to map them back."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._sent: dict[str, str] = {}
        self.originals: dict[str, str] = {}
        """Name sent -> the client's name, for those that differ."""

    def sent(self, name: str) -> str:
        """Return the name to send."""
        if len(name) <= MAX_NAME_CHARS and _IS_ID(name):
            return name
        found = self._sent.get(name)
        if found is None:
            found = self._sent[name] = self._made(name)
            self.originals[found] = name
        return found

    def _made(self, name: str) -> str:
        plain = clean_id(name)
        mark = sha256(name.encode()).hexdigest()[:_HASH_CHARS]
        if plain and len(plain) <= MAX_NAME_CHARS and plain not in self._known and plain not in self.originals:
            return plain
        return f"{plain[: MAX_NAME_CHARS - _HASH_CHARS - 1]}_{mark}"
