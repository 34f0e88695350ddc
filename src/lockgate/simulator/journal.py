"""What the simulator received and sent, kept for tests to assert on, and its counters."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import overload

from msgspec import Struct


class Received:
    """One request exactly as it arrived, and what became of it."""

    __slots__ = (
        "body",
        "body_bytes",
        "events_sent",
        "headers",
        "id",
        "method",
        "outcome",
        "path",
        "query",
        "received_at",
        "sent",
        "sent_headers",
        "status",
    )

    def __init__(
        self, *, id: int, method: str, path: str, query: str, headers: tuple[tuple[str, str], ...], received_at: float
    ) -> None:
        self.id = id
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        """As received, in order, names in lower case."""
        self.body = b""
        """As it came; of an upload only the beginning, of a body that was too large nothing."""
        self.body_bytes = 0
        """How long it really was."""
        self.received_at = received_at
        """Seconds since the epoch."""
        self.status: int | None = None
        """None: no status line was sent."""
        self.sent_headers: tuple[tuple[str, str], ...] = ()
        self.sent = bytearray()
        """The response body, as far as it was sent."""
        self.events_sent = 0
        self.outcome = "open"
        """``open``, ``completed``, ``aborted`` (by the client), ``cut`` or ``reset`` (by us, as ordered)."""

    def header(self, name: str) -> str | None:
        """Return the last value of a request header."""
        found = None
        for key, value in self.headers:
            if key == name:
                found = value
        return found

    @property
    def size_bytes(self) -> int:
        """How much of the journal's room this entry takes, about."""
        return len(self.body) + len(self.sent) + 1000


class Counters(Struct, kw_only=True):
    """Running totals since the start or the last reset."""

    requests: int = 0
    completed: int = 0
    aborted: int = 0
    """The client left before the answer was complete."""
    broken: int = 0
    """We broke the connection on purpose."""
    input_tokens: int = 0
    """Of completed answers, with everything read from or written to the cache."""
    tokens_generated: int = 0
    """Of completed answers."""


class RequestLog(Sequence[Received]):
    """The newest requests, bounded in number and in bytes."""

    def __init__(self, *, keep_requests: int, keep_bytes: int) -> None:
        self._entries: deque[Received] = deque()
        self._keep_requests = keep_requests
        self._keep_bytes = keep_bytes
        self._size_bytes = 0
        self._next_id = 1

    def next_id(self) -> int:
        """Return the id for the next entry; ids only grow."""
        self._next_id += 1
        return self._next_id - 1

    def append(self, entry: Received) -> None:
        """Keep a new entry."""
        self._entries.append(entry)
        self._size_bytes += entry.size_bytes
        self._trim()

    def grew(self, entry: Received, size_before: int) -> None:
        """Account for what was added to an entry since it was appended."""
        if self._entries and entry.id >= self._entries[0].id:
            self._size_bytes += entry.size_bytes - size_before
            self._trim()

    def _trim(self) -> None:
        while self._entries and (len(self._entries) > self._keep_requests or self._size_bytes > self._keep_bytes):
            self._size_bytes -= self._entries.popleft().size_bytes

    def clear(self) -> None:
        """Forget all entries; ids go on."""
        self._entries.clear()
        self._size_bytes = 0

    def after(self, id: int) -> Iterator[Received]:
        """Return the entries with a greater id."""
        return (entry for entry in self._entries if entry.id > id)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Received]:
        return iter(list(self._entries))

    @overload
    def __getitem__(self, index: int) -> Received: ...
    @overload
    def __getitem__(self, index: slice) -> list[Received]: ...
    def __getitem__(self, index: int | slice) -> Received | list[Received]:
        if isinstance(index, slice):
            return list(self._entries)[index]
        return self._entries[index]
