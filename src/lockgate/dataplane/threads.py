"""Message threads: conversations that a provider holds, so that a turn sends only what is new.

A thread lives in one workspace of one provider. So a request with ``thread`` goes to a provider of the client's own
dialect or is refused with the code upon which SDKs send the whole conversation; a turn that continues goes to whom the
turn before went, or is told that the thread is lost. Such a request is sent once and never again.
Source: addendum of November 2026, section 2.6.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from lockgate.core.http import UpstreamRequest
from lockgate.dataplane.ledger import Ledger
from lockgate.dialects import Summary
from lockgate.errors import InvalidRequest, NotFound
from lockgate.ports import Clock

KEPT_S = 600.0
"""How long an answer can be continued here; the provider forgets it earlier."""

MAX_KEPT = 10_000
"""How many answers are remembered; the oldest is forgotten first."""

_IDENTITY = (b"authorization", b"x-api-key", b"anthropic-workspace-id")
"""The headers that decide in which workspace a thread lives."""


class Thread(Struct, frozen=True, gc=False):
    """What a request says of its thread."""

    type: str | None = None
    previous_message_id: str | None = None

    @property
    def continues(self) -> str | None:
        """The id of the answer that the request continues, None when it begins a thread."""
        return self.previous_message_id if self.type == "continue" else None


_read_thread = msgspec.json.Decoder(Thread).decode


def read_thread(raw: Raw) -> Thread | None:
    """Return a request's thread, None without one. One that is no thread is for the provider to refuse."""
    data = bytes(raw)
    if data in (b"", b"null"):
        return None
    try:
        return _read_thread(data)
    except msgspec.MsgspecError:
        return Thread()


def unsupported() -> InvalidRequest:
    """Return the refusal upon which an SDK goes on without a thread."""
    return InvalidRequest(
        "thread: message threads are not supported for this target; send the whole conversation",
        path="thread",
        wire_code="thread_unsupported_request",
    )


def lost() -> NotFound:
    """Return the refusal upon which an SDK sends the whole conversation as a new thread."""
    message = "thread: this thread is not known here any more; send the whole conversation"
    return NotFound(message, path="thread.previous_message_id", wire_code="thread_not_found")


def identity_of(request: UpstreamRequest, key_id: str | None) -> bytes:
    """Return a digest of who holds what this request creates: host, path, credential, and our own caller."""
    origin, path = request.origin, request.target.partition(b"?")[0]
    place = f"{origin.scheme}://{origin.host}:{origin.port}".encode()
    credential = [name + b"=" + value for name, value in request.headers if name in _IDENTITY]
    return sha256(b"\n".join((place, path, (key_id or "").encode(), *sorted(credential)))).digest()


class ThreadOwners:
    """Who holds the thread of an answer, by the answer's id."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._owners: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def remember(self, message_id: str, owner: bytes) -> None:
        """An answer was given; it can be continued for a while."""
        self._owners[message_id] = (self._now() + KEPT_S, owner)
        self._owners.move_to_end(message_id)
        while len(self._owners) > MAX_KEPT:
            self._owners.popitem(last=False)

    def check(self, thread: Thread, owner: bytes) -> None:
        """Raise NotFound when somebody else holds the thread that is continued, or nobody we know of."""
        message_id = thread.continues
        if message_id is None:
            return
        until, holder = self._owners.get(message_id, (0.0, b""))
        if holder != owner or until <= self._now():
            raise lost()


class ThreadLedger(Ledger):
    """A ledger that also remembers who holds the answer, before the client can continue it."""

    _holder: tuple[ThreadOwners, bytes] | None = None

    def holds_thread(self, owners: ThreadOwners, owner: bytes) -> None:
        """The exchange has a thread, and this is who will hold it."""
        self._holder = (owners, owner)

    def learned(self, summary: Summary) -> None:
        """A listener read this from a reply that was relayed as it came."""
        super().learned(summary)
        if self._holder is not None and summary.id is not None and summary.is_complete:
            owners, owner = self._holder
            owners.remember(summary.id, owner)
