"""Text of others as a person may be shown it: nothing in it steers a terminal."""

from __future__ import annotations


def printable(text: str, *, instead: str = " ", keep: str = "") -> str:
    """Return the text with ``instead`` for each character that is not visible, but for those to ``keep``."""
    return "".join(char if char.isprintable() or char in keep else instead for char in text)
