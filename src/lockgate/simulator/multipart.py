"""An incremental, strict decoder of ``multipart/form-data`` bodies. It does no I/O and keeps no part's content."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(r';\s*([\w!#$&+^`|~.*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)\s*')
_HEADER_NAME = re.compile(rb"[\w!#$&'*+.^`|~-]+", re.ASCII)
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")
_MOST_HEAD_BYTES = 16 * 1024


class MultipartError(ValueError):
    """The body is no multipart form."""


class PartStart(NamedTuple):
    """The head of a part; its content follows in pieces, then a :class:`PartEnd`."""

    name: str
    filename: str | None
    content_type: str | None


class PartEnd(NamedTuple):
    """A part is complete."""


PartEvent = PartStart | bytes | PartEnd


def read_boundary(content_type: str) -> bytes:
    """Return the boundary that a content type names. Raises :class:`MultipartError`."""
    kind, parameters = _read_value(content_type)
    if kind != "multipart/form-data":
        raise MultipartError("the content type is not multipart/form-data")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MultipartError("the content type has no valid boundary")
    return boundary.encode()


class MultipartDecoder:
    """Turns the bytes of a form into events, however they were torn."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # makes the first delimiter look like all the others
        self._state = "start"

    def feed(self, data: bytes) -> list[PartEvent]:
        """Return what these bytes complete. Raises :class:`MultipartError`."""
        self._buffer += data
        events: list[PartEvent] = []
        steps = {"start": self._start, "data": self._data, "next": self._next, "head": self._head, "end": self._end}
        while steps[self._state](events):
            pass
        return events

    def close(self) -> None:
        """Say that no more bytes come. Raises :class:`MultipartError` when the form is not complete."""
        if self._state != "end":
            raise MultipartError("the form breaks off before its last boundary")
        if bytes(self._buffer) not in (b"", b"\r\n"):
            raise MultipartError("something follows the last boundary")

    # Each step returns whether the next one may have something to do.

    def _start(self, events: list[PartEvent]) -> bool:
        found = bytes(self._buffer[: len(self._delimiter)])
        if not self._delimiter.startswith(found):
            raise MultipartError("the form does not begin with its boundary")
        if len(found) < len(self._delimiter):
            return False
        return self._go("next", len(self._delimiter))

    def _next(self, events: list[PartEvent]) -> bool:
        if len(self._buffer) < 2:
            return False
        mark = bytes(self._buffer[:2])
        if mark not in (b"\r\n", b"--"):
            raise MultipartError("a boundary is followed by something else than a line break")
        return self._go("head" if mark == b"\r\n" else "end", 2)

    def _head(self, events: list[PartEvent]) -> bool:
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0 and len(self._buffer) <= _MOST_HEAD_BYTES:
            return False
        if at < 0 or at > _MOST_HEAD_BYTES:
            raise MultipartError("the headers of a part are too long")
        events.append(_read_head(bytes(self._buffer[:at])))
        return self._go("data", at + 4)

    def _data(self, events: list[PartEvent]) -> bool:
        at = self._buffer.find(self._delimiter)
        size = at if at >= 0 else len(self._buffer) - len(self._delimiter) + 1
        if size > 0:
            events.append(bytes(self._buffer[:size]))
            del self._buffer[:size]
        if at < 0:
            return False
        events.append(PartEnd())
        return self._go("next", len(self._delimiter))

    def _end(self, events: list[PartEvent]) -> bool:
        if len(self._buffer) > 2:
            raise MultipartError("something follows the last boundary")
        return False

    def _go(self, state: str, used: int) -> bool:
        del self._buffer[:used]
        self._state = state
        return True


def _read_head(data: bytes) -> PartStart:
    headers: dict[str, str] = {}
    for line in data.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not _HEADER_NAME.fullmatch(name) or b"\r" in value or b"\n" in value:
            raise MultipartError("a part has a header that cannot be read")
        key = name.decode().lower()
        if key in headers:
            raise MultipartError(f"a part has the header {key} twice")
        headers[key] = _decode(value).strip()
    kind, parameters = _read_value(headers.get("content-disposition", ""))
    if kind != "form-data" or "name" not in parameters:
        raise MultipartError("a part has no content-disposition of form-data with a name")
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise MultipartError("a part has a content-transfer-encoding")
    return PartStart(_plain(parameters["name"]), _read_filename(parameters), headers.get("content-type"))


def _read_filename(parameters: dict[str, str]) -> str | None:
    extended = parameters.get("filename*")
    if extended is None:
        plain = parameters.get("filename")
        return None if plain is None else _plain(plain)
    charset, _, rest = extended.partition("'")
    if charset.lower() != "utf-8":
        raise MultipartError("the filename of a part is not in UTF-8")
    return _decode(unquote_to_bytes(rest.partition("'")[2]))


def _plain(value: str) -> str:
    """Undo what browsers do to quotes and line breaks in names."""
    return value.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _read_value(value: str) -> tuple[str, dict[str, str]]:
    """Take a header value apart into its first word and its parameters."""
    kind, semicolon, rest = value.partition(";")
    parameters: dict[str, str] = {}
    rest = semicolon + rest.rstrip()
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None or match.group(1).lower() in parameters:
            raise MultipartError("a header has parameters that cannot be read")
        parameters[match.group(1).lower()] = _unquote(match.group(2))
        position = match.end()
    return kind.strip().lower(), parameters


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r'\\(["\\])', r"\1", value[1:-1])


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MultipartError("a part has a header that is not UTF-8") from error
