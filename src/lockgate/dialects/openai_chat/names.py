"""What OpenAI's limits do to tool names, call ids and the user. Deterministic, so that prompt caches keep hitting."""

from __future__ import annotations

import hashlib
import re

MAX_NAME = 64
"""Characters of a tool's name."""
MAX_CALL_ID = 40
"""Characters of a tool call's id."""
MAX_USER = 64
"""Characters of ``user``."""

_ALLOWED_NAME = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_NAME}}}")
_BAD_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_HASH_CHARACTERS = 6


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class ToolNames:
    """Gives each tool a name that OpenAI takes, and remembers what it was called."""

    def __init__(self, names: list[str]) -> None:
        self._sent: dict[str, str] = {name: name for name in names if _ALLOWED_NAME.fullmatch(name)}
        self._taken = set(self._sent)

    def send(self, name: str) -> str:
        """Return the name to send for a tool, the same each time."""
        known = self._sent.get(name)
        if known is not None:
            return known
        sent = name if _ALLOWED_NAME.fullmatch(name) else self._fitting(name)
        self._sent[name] = sent
        self._taken.add(sent)
        return sent

    def _fitting(self, name: str) -> str:
        plain = _BAD_CHARACTER.sub("_", name)
        if plain and len(plain) <= MAX_NAME and plain not in self._taken:
            return plain
        return f"{plain[: MAX_NAME - _HASH_CHARACTERS - 1]}_{_digest(name)[:_HASH_CHARACTERS]}"

    @property
    def changed(self) -> dict[str, str]:
        """Name sent -> name the client used, where they differ."""
        return {sent: name for name, sent in self._sent.items() if sent != name}


def send_call_id(call_id: str) -> str:
    """Return a call's id as OpenAI takes it."""
    return call_id if len(call_id) <= MAX_CALL_ID else f"call_{_digest(call_id)[:32]}"


def send_user(user: str) -> str:
    """Return the end user's name, hashed if it is longer than OpenAI takes."""
    return user if len(user) <= MAX_USER else _digest(user)


def make_call_id(reply_id: str, number: int) -> str:
    """Return an id for a call that the provider sent without one, in the form that all clients take."""
    return f"toolu_{_digest(f'{reply_id}:{number}')[:24]}"
