"""``/logs/tail``: records as requests end, of every process of the gateway, with the filters of the list.

With ``Accept: text/event-stream`` it is a stream of server-sent events: ``start``, then a message for each record,
whose ``id`` is where to go on (``Last-Event-ID``), ``running`` with the requests under way in the process that answers
(``data``, the oldest ``limit`` of them, and how many there are, ``total``) whenever these are others, ``skipped`` with
how many records there were beyond ``limit`` in a second, a comment every 15 seconds, and ``end`` after a quarter of an
hour: clients connect again by themselves.
Otherwise it is one look: what came since ``position``, and the next position.
Source: observability specification, section 5.4.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Raw, Struct

from lockgate.admin.access import check_access, needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing, Streamed
from lockgate.admin.principal import find_key, identify
from lockgate.admin.record_filters import FilterQuery, selection_of
from lockgate.admin.record_scope import reader_of, scope_of
from lockgate.errors import GatewayError, Unavailable
from lockgate.records.plain import plain
from lockgate.records.query.matching import Test, matcher
from lockgate.records.query.tree import Compare, Node, all_of, walk
from lockgate.records.row import COLUMNS, FAR_FUTURE_US, Row
from lockgate.records.store import RecordReader, Scope, Tail

_ACCESS = needs("logs.list")
_encode = msgspec.json.Encoder().encode


class Pace(Struct, frozen=True, kw_only=True):
    """How often, in seconds."""

    look_s: float = 0.5
    beat_s: float = 15.0
    """At least so often something is sent, and the key looked at again."""
    life_s: float = 900.0


_PACE = Pace()


class TailQuery(FilterQuery, frozen=True, kw_only=True):
    """Which records."""

    workspace_id: str | None = None
    """Whose records, by id or slug; a key of the organisation may ask for ``*``, all of them."""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 20
    """How many in a second, or in one look; of more, the newest."""
    position: str | None = None
    """After which record; when left out, from now on."""

    ignorable: ClassVar[frozenset[str]] = frozenset()
    """Without a misspelt filter others would be shown than were meant."""


class Look(Struct, frozen=True, kw_only=True):
    """What came since, the oldest first, how many more there were, and where to go on."""

    data: list[Raw]
    position: str
    skipped: int
    running: list[Raw] = []
    """Requests under way in the process that answers, the oldest first."""
    object: str = "tail"


def follow(call: Call[Nothing, TailQuery]) -> Streamed | Raw:
    """Show records as they come."""
    query, reader = call.query, reader_of(call)
    scope = scope_of(call, query.workspace_id)
    selection = selection_of(call, query)
    range_of_time: list[Node] = []
    if selection.from_us:
        range_of_time.append(Compare("started_us", "ge", (selection.from_us,)))
    if selection.to_us < FAR_FUTURE_US:
        range_of_time.append(Compare("started_us", "le", (selection.to_us,)))
    where = all_of(selection.filter, *range_of_time)
    position = call.headers.get(b"last-event-id", b"").decode("latin-1") or query.position
    first = reader.tail(scope, where, position, limit=query.limit)
    under_way = UnderWay(call.services.under_way, scope.narrow(where))
    if b"text/event-stream" in call.headers.get(b"accept", b""):
        seats = call.services.seats
        if not seats.take():
            raise Unavailable("Too many clients follow the records of this process; try again later")
        follower = Follower(call, reader, scope, where, under_way=under_way)
        return Streamed(
            content_type=b"text/event-stream", chunks=follower.events(first, query.limit), close=seats.leave
        )
    shown = [Raw(_encode(plain(row))) for row in first.rows]
    running = [Raw(_encode(plain(row))) for row in under_way.now()[: query.limit]]
    return Raw(_encode(Look(data=shown, position=first.position, skipped=first.skipped, running=running)))


class UnderWay:
    """The requests under way that a filter selects, as far as it can be asked of what has no record yet."""

    def __init__(self, rows: Callable[[], Sequence[Row]], where: Node) -> None:
        self._rows = rows
        is_known = all(not isinstance(leaf, Compare) or leaf.key or leaf.field in COLUMNS for leaf in walk(where))
        self._test: Test = matcher(where) if is_known else lambda _row, _preview: False
        self._told: tuple[tuple[str, int | None], ...] = ()

    def now(self) -> list[Row]:
        """Return them, the oldest first."""
        return [row for row in self._rows() if self._test(row, None)]

    def event(self, limit: int) -> bytes:
        """Return an event with them where they are others than the last time, else nothing."""
        rows = self.now()
        told = tuple((row.id, row.failed_attempts) for row in rows)
        if told == self._told:
            return b""
        self._told = told
        shown = [plain(row) for row in rows[:limit]]
        return b"event: running\ndata: %b\n\n" % _encode({"data": shown, "total": len(rows)})


class Follower:
    """Looks again and again, and tells what there is as events."""

    def __init__(
        self, call: Call[Nothing, TailQuery], reader: RecordReader, scope: Scope, where: Node, pace: Pace = _PACE,
        under_way: UnderWay | None = None,
    ) -> None:  # fmt: skip
        self._call = call
        self._reader = reader
        self._scope = scope
        self._where = where
        self._pace = pace
        self._under_way = under_way or UnderWay(lambda: (), where)

    async def events(self, tail: Tail, limit: int) -> AsyncIterator[bytes]:
        """Yield events until the time is up, the key no longer opens, or the process ends. ``tail``: the first look."""
        yield b"retry: 1000\nevent: start\nid: %b\ndata: {}\n\n" % tail.position.encode()
        began = beaten = looked = time.monotonic()
        left = float(limit)
        while True:
            if tail.rows or tail.skipped:
                left -= len(tail.rows)
                yield _events(tail)
            running = self._under_way.event(limit)
            if running:
                yield running
            if time.monotonic() - beaten >= self._pace.beat_s:
                beaten = time.monotonic()
                if not await asyncio.to_thread(self._may_still):
                    break
                yield b": still here\n\n"
            await asyncio.sleep(self._pace.look_s)
            now = time.monotonic()
            if now - began >= self._pace.life_s or self._call.services.is_ending():
                break
            left, looked = min(float(limit), left + (now - looked) * limit), now
            try:
                tail = await asyncio.to_thread(self._look, tail.position, int(left))
            except GatewayError as error:
                yield b"event: error\ndata: %b\n\n" % _encode({"message": str(error)})
                return
        yield b"event: end\ndata: {}\n\n"

    def _look(self, position: str, limit: int) -> Tail:
        return self._reader.tail(self._scope, self._where, position, limit=limit)

    def _may_still(self) -> bool:
        """Tell whether the key still opens and still may."""
        services = self._call.services
        try:
            key = find_key(services.snapshot(), self._call.headers, services.now().timestamp())
            with services.directory.read() as view:
                principal = identify(view, key)
            check_access(_ACCESS, principal.kind, principal.scopes)
        except GatewayError:
            return False
        return True


def _events(tail: Tail) -> bytes:
    """Return a message for each row; the last one has the position, so that none is lost between two."""
    parts = [b'event: skipped\ndata: {"skipped":%d}\n\n' % tail.skipped] if tail.skipped else []
    parts += [b"data: %b\n\n" % _encode(plain(row)) for row in tail.rows]
    if tail.rows:
        parts[-1] = b"id: %b\n%b" % (tail.position.encode(), parts[-1])
    return b"".join(parts)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/logs/tail", access=_ACCESS, summary="Follow records as requests end",
        query=TailQuery, handler=follow,
    ),
)  # fmt: skip
