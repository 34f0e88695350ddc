"""What the inside asks of the outside. Only protocols; the implementations are picked in ``lockgate.app``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lockgate.core.batches import BatchOwner
from lockgate.core.cached import CachedReply
from lockgate.core.capture import Capture
from lockgate.core.http import Headers, Origin, UpstreamRequest
from lockgate.core.limits import Budget, Charge, Charged, Claim, Demand, Grant, Refusal, Spent, Usage
from lockgate.core.record import Opened, Record


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. It must be closed; closing early drops the connection."""

    status: int
    headers: Headers
    """Names in lower case; bodies are already free of chunked framing, content-encoding is not undone."""
    opened: Opened | None
    """What it took to open the connection; ``REUSED`` when it was there already, None when nobody knows."""

    async def read(self, limit_bytes: int) -> bytes:
        """Return the whole body, or raise Malformed when it is longer than the limit."""
        ...

    async def next_chunk(self) -> bytes:
        """Return the next bytes of the body as they arrive, b"" at its end.

        Raises TimedOut (idle, total) or Broken when the connection ends before the body is complete.
        While nobody asks for the next chunk, reading from the socket is paused once a small buffer is full.
        """
        ...

    def close(self) -> None:
        """Give the connection back when the body is complete, else drop it at once. May be called twice."""
        ...


class Upstream(Protocol):
    """Sends requests to providers."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return when the answer's head has arrived.

        Raises Unreachable (nothing was sent), TimedOut, Broken (no complete head arrived), Malformed, and whatever the
        request's stream raises. A stream is read only while the provider takes more, never after the answer's head has
        arrived, and never for a second try.
        Cancelling the awaiting task drops the connection.
        """
        ...


class HostGuard(Protocol):
    """Judges URLs that a caller chose."""

    def __call__(self, url: str, trusted: frozenset[str]) -> Origin:
        """Return the origin to connect to, marked as guarded. Raises InvalidRequest when the URL may not be used."""
        ...


class RecordSink(Protocol):
    """Takes the record of an exchange. Must be quick and must not raise."""

    def write(self, record: Record) -> None:
        """Keep the record; when this returns it survives the end of the process."""
        ...


class CaptureSink(Protocol):
    """Takes the bodies of an exchange. Must be quick and must not raise."""

    def offer(self, capture: Capture) -> None:
        """Keep the bodies if there is room; they are redacted before they touch a disk."""
        ...


class Clock(Protocol):
    """Time as the exchange sees it."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def unix(self) -> float:
        """Seconds since 1970-01-01 UTC, for time stamps."""
        ...


class Counters(Protocol):
    """Budgets and rates: reserve the worst case, settle what it really was.

    The walk of a request: ``reserve`` with the limits of the caller, or of caller and first target together; ``adjust``
    before each attempt whose target or estimate differs, and before each retry; then exactly one of

    - ``settle``, when anything was sent or answered. First write the record with ``charges_of(grant, spent)``, then
      settle, with no await in between: after a crash the record's charges are settled instead;
    - ``release``, when the request was refused after all: then it never happened.

    ``settle``, ``release`` and ``renew`` never wait and never raise, so they may stand in a ``finally``. Thresholds
    that a settlement crosses are told to the listener that the implementation was made with.
    """

    async def reserve(self, demand: Demand) -> Grant | Refusal:
        """Admit under all limits or none, in one step. Requests count in their rates from here on.

        A refusal leaves no trace. Without claims the answer is NO_GRANT, at no cost; better not to ask at all.
        """
        ...

    async def adjust(self, grant: Grant, demand: Demand, spent: Spent | None) -> Grant | Refusal:
        """Change a grant to what the next attempt demands, in one step.

        ``spent`` is what the attempt before used, None when none was begun since the grant. Claims in both keep their
        period; claims of the former target end with what was spent, or as if never made; new ones are added. After an
        attempt, limits per attempt count again, others do not. When refused, the former grant stands as it was: ask
        again with another target and the same ``spent``, or settle it with that, or release it when nothing was sent.
        When granted, only the new grant may be used.
        """
        ...

    def settle(self, grant: Grant, spent: Spent) -> None:
        """Put what was used in place of the reservation, once; ``spent`` is the last attempt's.

        A repetition changes nothing. After the lease has lapsed it still charges. Rates of requests keep their count.
        """
        ...

    def release(self, grant: Grant) -> None:
        """Give everything back, counts of requests included; once the lease has lapsed, rates keep them."""
        ...

    def renew(self, grant: Grant) -> None:
        """Prolong the lease by its length, from now: every half minute of a long answer."""
        ...

    async def hold(self, name: str, demand: Demand) -> Grant | Refusal:
        """Reserve as ``reserve`` does, for what goes on without this process, such as a batch: any process may release
        it, and the end of this one does not. ``name`` is the caller's and never used twice; the claims are budgets."""
        ...

    def owe(self, grant_id: str, claims: Sequence[Claim]) -> Grant:
        """Return a grant that reserves nothing and that nobody refuses, to settle what was spent without one.

        The id is the caller's, ``NAME-NUMBER``, and never used twice. Rates have counted, or will not.
        """
        ...

    async def usage(self, claims: Sequence[Claim]) -> Sequence[Usage]:
        """Return how each counter stands, in the order asked. Raises CountersUnreachable."""
        ...

    async def groups(self, budget: Budget) -> Mapping[str, Usage]:
        """Return the counters of the running period by group value. Raises CountersUnreachable."""
        ...

    async def history(self, claim: Claim) -> Sequence[Usage]:
        """Return what is kept of a budget's closed periods, the newest first. Raises CountersUnreachable."""
        ...

    async def reset(self, budget: Budget, group: str | None = None) -> None:
        """Set the running period's counter to zero, of one group or of all; reservations stay.

        Raises CountersUnreachable.
        """
        ...

    async def charged(self, places: Sequence[Charged]) -> Sequence[int]:
        """Return everything that was charged in each place, also what resets have taken since.

        Raises CountersUnreachable.
        """
        ...

    async def make_up(self, charge: Charge) -> None:
        """Charge a budget's counter what the ledger has and it lacks. Raises CountersUnreachable."""
        ...


class BatchBook(Protocol):
    """Remembers who created which batch, for when its results are to be paid. It survives restarts."""

    async def keep(self, owner: BatchOwner) -> None:
        """Remember a batch; one that is known stays as it is, but for the file of its results. Raises Unavailable."""
        ...

    async def find(self, workspace_id: str, id: str) -> BatchOwner | None:
        """Return a batch. Raises Unavailable."""
        ...

    async def find_by_file(self, workspace_id: str, file_id: str) -> BatchOwner | None:
        """Return the batch whose results a file holds. Raises Unavailable."""
        ...

    async def charge(self, owner: BatchOwner, lines: int) -> bool:
        """Note that so many results are charged; False when somebody else was faster, and nothing is noted.

        Raises Unavailable.
        """
        ...

    async def drop_hold(self, owner: BatchOwner) -> None:
        """Note that nothing is reserved for a batch any more. Raises Unavailable."""
        ...


class Flight(Protocol):
    """One answer on its way that several callers wait for. Who leads must ``land`` it, whatever happens."""

    leads: bool
    """Whether the caller is the one that gets the answer; the others wait for it in ``landed``."""

    async def landed(self, timeout_s: float) -> CachedReply | None:
        """Wait until the one that leads has landed. None: without an answer, or not in time: get one yourself."""
        ...

    async def land(self, reply: CachedReply | None) -> None:
        """Give the answer to all that wait, None when there is none to share. May be called twice."""
        ...


class CacheStore(Protocol):
    """Keeps answers. It never fails a request: what it cannot do is a miss, and is counted."""

    async def get(self, key: str) -> CachedReply | None:
        """Return the answer under a key, None when there is none that is young enough."""
        ...

    async def put(self, key: str, reply: CachedReply, max_age_s: int) -> None:
        """Keep an answer in place of an earlier one. One that is too large is not kept."""
        ...

    async def join(self, key: str) -> Flight:
        """After a miss: join those that want the same answer now. The first one leads."""
        ...
