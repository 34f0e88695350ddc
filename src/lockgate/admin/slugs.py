"""Slugs: the names by which things are addressed. Once given they never change.

Source: control-plane specification, section 0.7.
"""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Annotated, TypeAlias

from msgspec import Meta

Slug: TypeAlias = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$", max_length=255)]
"""One that somebody chose."""

_OTHERS = re.compile(r"[^a-z0-9]+")
_RANDOM_BYTES = 3
_LETTER = re.compile(r"LATIN (?:SMALL|CAPITAL) (?:LETTER|LIGATURE) ([A-Z]{1,2})(?: WITH .*)?")
"""Names of letters that are others with a stroke, or two in one."""
_OWN_NAMES = {"ð": "d", "þ": "th", "ı": "i"}


def make_slug(prefix: str, name: str, letters: int = 6) -> str:
    """Return ``ws-resear-1f0c3a`` for the prefix ``ws-``: the first letters of the name, and six random digits."""
    start = slugified(name)[:letters].strip("-")
    random = os.urandom(_RANDOM_BYTES).hex()
    return f"{prefix}{start}-{random}" if start else f"{prefix}{random}"


def slugified(name: str) -> str:
    """Return a name in lower case: Latin letters without their marks, dashes for what is no letter and no digit."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return _OTHERS.sub("-", "".join(map(_in_ascii, letters))).strip("-")


def _in_ascii(char: str) -> str:
    """Return a letter without its marks, nothing for a mark."""
    if char.isascii():
        return char
    if unicodedata.combining(char):
        return ""
    found = _LETTER.fullmatch(unicodedata.name(char, ""))
    return _OWN_NAMES.get(char) or (found[1].lower() if found else char)
