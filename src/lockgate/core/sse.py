"""Server-sent events: bytes in, whole events out, however the bytes were cut.

``EventBoundary`` finds where events end and leaves their bytes alone: it serves relaying. ``SseDecoder`` takes the
events apart. A blank line ends an event; lines end in LF, CRLF or CR. What the events mean belongs to a dialect.
"""

from __future__ import annotations

import re

from msgspec import Struct

from lockgate.errors import Malformed

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""How much of one unfinished event is held."""

_BLANK_LINE = re.compile(rb"\n\n|\n\r\n?|\r\r\n?")
_BOM = b"\xef\xbb\xbf"
_OVERLAP_BYTES = 3
"""A blank line has up to four bytes, so this many of the past can belong to one."""


class Event(Struct, frozen=True, gc=False):
    """One event. ``kind`` is what the ``event:`` line says, ``data`` the ``data:`` lines joined by LF."""

    kind: str | None
    data: bytes


class EventBoundary:
    """Passes whole events on as they came, and keeps the unfinished rest."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._recent = b""
        self._is_after_cr = False
        self._max_event_bytes = max_event_bytes

    @property
    def tail(self) -> bytes:
        """The bytes of the event that is not complete yet."""
        return b"".join(self._held)

    def feed(self, data: bytes) -> bytes:
        """Return the whole events that these bytes complete, b"" if none. Raises Malformed when one is too large."""
        if not self._held and data.endswith(b"\n\n"):
            self._is_after_cr = False
            return data
        start = 0
        if self._is_after_cr and data:
            # The event before ended with a CR, and this LF is the other half of its line end.
            start = 1 if data[0] == 0x0A else 0
            self._is_after_cr = False
        if self._held:
            if not _BLANK_LINE.search(self._recent + data):
                self._hold(data)
                return b""
            data = self.tail + data
            self._held.clear()
            self._held_bytes = 0
        end = max(start, _end_of_last_event(data))
        self._is_after_cr = end == len(data) and data.endswith(b"\r")
        if end < len(data):
            self._hold(data[end:])
        return data[:end]

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > self._max_event_bytes:
            raise Malformed(f"An event of the stream is larger than {self._max_event_bytes} bytes")
        if len(data) < _OVERLAP_BYTES and len(self._held) > 1:
            data = self._recent + data
        self._recent = data[-_OVERLAP_BYTES:]


class SseDecoder:
    """Takes a stream of events apart."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._boundary = EventBoundary(max_event_bytes)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete. Raises Malformed when one is too large."""
        whole = self._boundary.feed(data)
        return split_events(whole) if whole else []

    def close(self) -> list[Event]:
        """Return the last event, if the stream ended without the blank line after it."""
        return split_events(self._boundary.tail)


def cut_events(data: bytes) -> list[bytes]:
    """Return whole events each with its blank line, as they are."""
    found, start = [], 0
    for blank in _BLANK_LINE.finditer(data):
        found.append(data[start : blank.end()])
        start = blank.end()
    return [*found, data[start:]] if start < len(data) else found


def split_events(data: bytes) -> list[Event]:
    """Return the events in these bytes, each of which must be whole. Those without data are left out."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return [event for text in data.split(b"\n\n") if text and (event := _read_event(text)) is not None]


def _read_event(text: bytes) -> Event | None:
    """Read one event; the two usual forms are told apart without splitting lines."""
    if text.startswith(b"event: "):
        line_end = text.find(b"\n")
        if text.startswith(b"data: ", line_end + 1) and text.find(b"\n", line_end + 7) < 0:
            return Event(text[7:line_end].decode("utf-8", "replace"), text[line_end + 7 :])
    elif text.startswith(b"data: ") and b"\n" not in text:
        return Event(None, text[6:])
    return _read_lines(text)


def _read_lines(text: bytes) -> Event | None:
    kind: str | None = None
    data: list[bytes] = []
    for line in text.removeprefix(_BOM).split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            kind = value.decode("utf-8", "replace")
    return Event(kind, b"\n".join(data)) if data else None


def _end_of_last_event(data: bytes) -> int:
    """Return the offset after the last blank line, 0 when there is none."""
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    end = 0
    for blank in _BLANK_LINE.finditer(data):
        end = blank.end()
    return end
