"""A simple tokenizer: one token is four bytes of UTF-8. Wrong for every model, but the same everywhere."""

from __future__ import annotations

from typing import Any

import msgspec

BYTES_PER_TOKEN = 4


def count_text(text: str) -> int:
    """Return the number of tokens of a text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def count_json(value: Any) -> int:
    """Return the number of tokens of any JSON value."""
    return -(-len(msgspec.json.encode(value)) // BYTES_PER_TOKEN)


def cut_text(text: str, tokens: int) -> str:
    """Return the longest beginning of a text that has at most so many tokens."""
    return text.encode()[: max(tokens, 0) * BYTES_PER_TOKEN].decode("utf-8", "ignore")
