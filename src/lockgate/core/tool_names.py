"""Names of tools within a provider's limits: letters, digits, ``_`` and ``-``, and not too many of them.

What a name becomes depends on the call's tools and on what was named before, never on what comes after: the written
prefix of a conversation must not change from turn to turn, or prompt caches miss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

_IS_LEGAL = re.compile(r"[a-zA-Z0-9_-]+").fullmatch
_NOT_LEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_HASH_CHARS = 6


def clean(text: str) -> str:
    """Return a name or an id with every character that providers refuse replaced."""
    return text if _IS_LEGAL(text) else _NOT_LEGAL.sub("_", text)


class ToolNames:
    """Gives each tool a name that the provider takes, and remembers what it was called."""

    def __init__(self, known: Iterable[str], max_chars: int) -> None:
        self._max_chars = max_chars
        self._sent = {name: name for name in known if self._is_legal(name)}
        """The client's name -> name sent, for the tools that are offered as they are and those that were mapped."""
        self.originals: dict[str, str] = {}
        """Name sent -> the client's name, for those that differ."""

    def sent(self, name: str) -> str:
        """Return the name to send, the same each time."""
        found = self._sent.get(name)
        if found is not None:
            return found
        if self._is_legal(name):
            return name
        found = self._sent[name] = self._made(name)
        self.originals[found] = name
        return found

    def _is_legal(self, name: str) -> bool:
        return len(name) <= self._max_chars and _IS_LEGAL(name) is not None

    def _made(self, name: str) -> str:
        plain = clean(name)
        is_free = plain not in self._sent and plain not in self.originals
        if plain and len(plain) <= self._max_chars and is_free:
            return plain
        mark = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
        return f"{plain[: self._max_chars - _HASH_CHARS - 1]}_{mark}"
