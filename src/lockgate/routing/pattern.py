"""Patterns of users, matched in linear time and within a bound of work.

Patterns are JavaScript's as far as RE2 goes: no look-around, no back-references.
"""

from __future__ import annotations

import re

import re2

MAX_PATTERN = 1000
"""The longest pattern, in characters."""
MAX_PROGRAM = 2000
"""The largest compiled pattern, in instructions."""
MAX_TEXT = 16_384
"""The longest text that a pattern is held against, in bytes of UTF-8; for large patterns it is less."""
MAX_WORK = 300_000
"""The product of both: RE2 takes at most about 15 ns for each, so that one match stays below 5 ms."""

_MEMORY = 1 << 20
_UNICODE = re.compile(r"(\\\\)|\\u([0-9a-fA-F]{4})")


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_longest", "_regex")

    def __init__(self, text: str) -> None:
        """Compile. Raises ValueError when the pattern is invalid, or too large."""
        if len(text) > MAX_PATTERN:
            raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
        options = re2.Options()
        options.max_mem = _MEMORY
        options.never_capture = True
        options.log_errors = False
        try:
            self._regex = re2.compile(_UNICODE.sub(_code_point, text), options)
        except re2.error as error:
            reason = error.args[0] if error.args else b"it does not compile"
            raise ValueError(_text(reason)) from None
        if self._regex.programsize > MAX_PROGRAM:
            raise ValueError("the pattern is too large: use smaller repetitions")
        self._longest = min(MAX_TEXT, MAX_WORK // max(self._regex.programsize, 1))

    def found_in(self, text: str) -> bool:
        """Tell whether the pattern matches anywhere in a text. In one that is too long it is not looked for."""
        data = text.encode("utf-8", "replace")
        return len(data) <= self._longest and self._regex.search(data) is not None


def _code_point(found: re.Match[str]) -> str:
    return found[0] if found[1] else rf"\x{{{found[2]}}}"


def _text(reason: object) -> str:
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
