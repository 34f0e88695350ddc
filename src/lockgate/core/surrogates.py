"""Lone surrogates: halves of a character that JSON's escapes can say and that no text can hold.

Clients write them when they cut a text in the middle of an emoji. Our decoder refuses them; bytes that are only
looked at, or read for another dialect, are mended first.
"""

from __future__ import annotations

import re

# A pair of surrogates, a lone one, or any other escape (so that a backslash before them is not misread).
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def mend(data: bytes) -> bytes | None:
    """Return JSON with U+FFFD in place of each lone surrogate, every other byte at its place; None without any."""
    mended = _ESCAPES.sub(lambda found: b"\\ufffd" if found["lone"] else found.group(), data)
    return None if mended == data else mended
