"""What OpenAI's limits do to tool names, call ids and the user. Deterministic, so that prompt caches keep hitting."""

from __future__ import annotations

import hashlib

MAX_NAME = 64
"""Characters of a tool's name."""
MAX_CALL_ID = 40
"""Characters of a tool call's id."""
MAX_USER = 64
"""Characters of ``user``."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def send_call_id(call_id: str) -> str:
    """Return a call's id as OpenAI takes it."""
    return call_id if len(call_id) <= MAX_CALL_ID else f"call_{_digest(call_id)[:32]}"


def send_user(user: str) -> str:
    """Return the end user's name, hashed if it is longer than OpenAI takes."""
    return user if len(user) <= MAX_USER else _digest(user)


def make_call_id(reply_id: str, number: int) -> str:
    """Return an id for a call that the provider sent without one, in the form that all clients take."""
    return f"toolu_{_digest(f'{reply_id}:{number}')[:24]}"
