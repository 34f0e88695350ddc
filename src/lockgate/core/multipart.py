"""Reads ``multipart/form-data`` while it arrives, and keeps no more of it than a delimiter's length.

Source: RFC 7578, RFC 2046 section 5.1.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from lockgate.errors import InvalidRequest

MAX_HEAD_BYTES = 16 * 1024
"""Most bytes of the headers of one part."""

_BOUNDARY = re.compile(rb""";\s*boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70})(?=[\s;,]|$))""", re.IGNORECASE)
_NAME = re.compile(rb""";\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))""", re.IGNORECASE)
_FILENAME = re.compile(rb""";\s*filename=(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))""", re.IGNORECASE)
_LONG_FILENAME = re.compile(rb""";\s*filename\*=UTF-8'[^']*'([^\s;]+)""", re.IGNORECASE)
_END = re.compile(rb"--|[ \t]*\r\n")
_PADDING = b" \t\r\n"


class PartHead(Struct, frozen=True, kw_only=True):
    """A part begins. ``disposition`` is the value of its Content-Disposition as it came."""

    name: str
    disposition: bytes
    filename: str | None
    content_type: bytes | None


class PartEnd(Struct, frozen=True):
    """A part is complete."""


FormEvent: TypeAlias = PartHead | bytes | PartEnd


def boundary_of(content_type: bytes) -> bytes:
    """Return what separates the parts. Raises InvalidRequest for what is no form."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith(b"multipart/form-data") or found is None:
        raise InvalidRequest("content-type: expected multipart/form-data with a boundary", path="content-type")
    return found[1] or found[2]


class FormReader:
    """Turns bytes, cut anywhere, into parts. Raises InvalidRequest for what is no form."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._rest = b"\r\n"  # so that the first delimiter looks like the others
        self._state: Literal["preamble", "delimiter", "head", "body", "end"] = "preamble"

    def feed(self, data: bytes) -> list[FormEvent]:
        """Return what these bytes complete."""
        events: list[FormEvent] = []
        self._rest += data
        while self._step(events):
            pass
        return events

    def close(self) -> None:
        """Say that there is no more. Raises InvalidRequest when the form is not complete."""
        if self._state != "end":
            raise InvalidRequest("the form ends before its last boundary")

    def _step(self, events: list[FormEvent]) -> bool:
        """Take one thing; tell whether another one may be there."""
        if self._state == "head":
            return self._take_head(events)
        if self._state == "delimiter":
            return self._take_delimiter()
        if self._state == "end":
            self._rest = b""
            return False
        return self._take_body(events)

    def _take_body(self, events: list[FormEvent]) -> bool:
        rest, is_body = self._rest, self._state == "body"
        at = rest.find(self._delimiter)
        end = at if at >= 0 else len(rest) - len(self._delimiter) + 1
        if is_body and end > 0:
            events.append(rest[:end])
        if at >= 0:
            self._rest, self._state = rest[at + len(self._delimiter) :], "delimiter"
            if is_body:
                events.append(PartEnd())
        elif end > 0:
            self._rest = rest[end:]
        return at >= 0

    def _take_delimiter(self) -> bool:
        found = _END.match(self._rest)
        if found is not None:
            self._rest = self._rest[found.end() :]
            self._state = "end" if found[0] == b"--" else "head"
            return True
        if len(self._rest) > MAX_HEAD_BYTES or self._rest.strip(_PADDING) not in (b"", b"-"):
            raise InvalidRequest("the form has its boundary inside a part")
        return False

    def _take_head(self, events: list[FormEvent]) -> bool:
        at = 0 if self._rest.startswith(b"\r\n") else self._rest.find(b"\r\n\r\n")
        if at < 0:
            if len(self._rest) > MAX_HEAD_BYTES:
                raise InvalidRequest("a part of the form has a head that is too large")
            return False
        events.append(_read_head(self._rest[:at]))
        self._rest = self._rest[at + 4 :]
        self._state = "body"
        return True


def _read_head(head: bytes) -> PartHead:
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    disposition = fields.get(b"content-disposition", b"")
    found = _NAME.search(disposition)
    if not disposition.lower().startswith(b"form-data") or found is None:
        raise InvalidRequest("a part of the form has no name")
    if b"\r" in disposition or b"\n" in disposition:
        raise InvalidRequest("a part of the form has a head with a broken line")
    return PartHead(
        name=(found[1] if found[1] is not None else found[2]).decode("utf-8", "replace"),
        disposition=disposition,
        filename=_filename(disposition),
        content_type=fields.get(b"content-type") or None,
    )


def _filename(disposition: bytes) -> str | None:
    long = _LONG_FILENAME.search(disposition)
    if long is not None:
        return unquote_to_bytes(long[1]).decode("utf-8", "replace")
    found = _FILENAME.search(disposition)
    if found is None:
        return None
    return (found[1] if found[1] is not None else found[2]).decode("utf-8", "replace")
