"""Changes values inside JSON text by their place, so that every byte that is not part of a change stays as it is.

The functions find where members and items stand; an :class:`Edit` collects changes to those places and applies
them at once. All of them take text that is known to be valid JSON: who calls has decoded it before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec
from msgspec import Struct

_STRING_PATTERN = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_STRING = re.compile(_STRING_PATTERN, re.DOTALL)
_MARK = re.compile(_STRING_PATTERN + rb"|[\[\]{}]", re.DOTALL)
_SCALAR = re.compile(rb"[^,\[\]{} \t\r\n]*")
_SPACE = re.compile(rb"[ \t\r\n]*")
_QUOTE, _COMMA = ord('"'), ord(",")
_OPENING, _CLOSING = b"[{", b"]}"
_read_text = msgspec.json.Decoder(str).decode


class Place(Struct, frozen=True):
    """Where something stands: from ``start`` to just before ``end``."""

    start: int
    end: int


class Member(Place, frozen=True):
    """A member of an object, from its key to the end of its value."""

    key: str
    key_end: int
    value: int
    """Where the value starts; it ends with the member."""


def skip_space(data: bytes, at: int) -> int:
    """Return where the next token stands."""
    return _end_of(_SPACE, data, at)


def end_of_value(data: bytes, at: int) -> int:
    """Return where the value that starts at ``at`` ends."""
    first = data[at]
    if first == _QUOTE:
        return _end_of(_STRING, data, at)
    if first not in _OPENING:
        return _end_of(_SCALAR, data, at)
    depth = 0
    for mark in _MARK.finditer(data, at):
        kind = data[mark.start()]
        if kind in _OPENING:
            depth += 1
        elif kind in _CLOSING:
            depth -= 1
            if not depth:
                return mark.end()
    raise ValueError(f"the value at byte {at} has no end")


def read_members(data: bytes, at: int = 0) -> list[Member]:
    """Return the members of the object that starts at ``at``, in their order; a key may come twice."""
    found: list[Member] = []
    at = skip_space(data, skip_space(data, at) + 1)
    while data[at] == _QUOTE:
        key_end = _end_of(_STRING, data, at)
        value = skip_space(data, skip_space(data, key_end) + 1)
        end = end_of_value(data, value)
        found.append(Member(start=at, end=end, key=_text(data[at:key_end]), key_end=key_end, value=value))
        at = _next(data, end)
    return found


def read_items(data: bytes, at: int = 0) -> list[Place]:
    """Return the items of the list that starts at ``at``."""
    found: list[Place] = []
    at = skip_space(data, skip_space(data, at) + 1)
    while data[at] not in _CLOSING:
        end = end_of_value(data, at)
        found.append(Place(start=at, end=end))
        at = _next(data, end)
    return found


class Edit:
    """Changes to one text. Places are those of the text as it was; changes must not overlap."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._changes: list[tuple[int, int, bytes]] = []

    def replace(self, start: int, end: int, new: bytes) -> None:
        """Put ``new`` in the place of some bytes; with ``start == end`` it is put between two."""
        self._changes.append((start, end, new))

    def insert(self, at: int, new: bytes) -> None:
        """Put ``new`` before the byte at ``at``."""
        self._changes.append((at, at, new))

    def remove(self, siblings: Sequence[Place], gone: Collection[int]) -> None:
        """Cut out those of all items of a list, or members of an object, whose numbers are named.

        Their commas go with them, and the space on one side. To be called once for a list or an object.
        """
        count, at = len(siblings), 0
        while at < count:
            if at not in gone:
                at += 1
                continue
            first = at
            while at < count and at in gone:
                at += 1
            if at < count:
                self.replace(siblings[first].start, siblings[at].start, b"")
            elif first:
                self.replace(siblings[first - 1].end, siblings[-1].end, b"")
            else:
                self.replace(siblings[0].start, siblings[-1].end, b"")

    def apply(self) -> bytes:
        """Return the text with all changes made. Raises ValueError when two of them overlap."""
        parts: list[bytes] = []
        at = 0
        for start, end, new in sorted(self._changes, key=lambda change: change[:2]):
            if start < at:
                raise ValueError(f"two changes overlap at byte {start}")
            parts += (self._data[at:start], new)
            at = end
        parts.append(self._data[at:])
        return b"".join(parts)


def _next(data: bytes, end: int) -> int:
    """Return where the token behind a value stands, its comma skipped."""
    at = skip_space(data, end)
    return skip_space(data, at + 1) if data[at] == _COMMA else at


def _end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    if found is None:
        raise ValueError(f"byte {at} is not what was expected")
    return found.end()


def _text(token: bytes) -> str:
    """Return a key; one that is no valid text stays as it is written, since nobody asks for it."""
    try:
        return _read_text(token)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return token.decode("utf-8", "replace")
