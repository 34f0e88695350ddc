"""Reconciliation: what the counters of budgets say, beside what the ledger says, every hour and when somebody asks.

A difference that matters is told: in the log, as a metric, and to the webhook. A counter that lacks something may be
charged it, where the operator wants that, for it would let more be spent than the budget allows. One that has too much
is left as it is: only people take away what was counted. Source: control-plane specification, section 3.3.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct, structs

from lockgate.core.limits import NO_GROUP, Budget, Charge, Charged, Drift, Limit
from lockgate.errors import GatewayError, Unavailable
from lockgate.plan.snapshot import Snapshot
from lockgate.policy.answers import place_of
from lockgate.policy.periods import Calendar
from lockgate.ports import Clock, Counters
from lockgate.store.counters_memory import MemoryCounters
from lockgate.store.settled_marks import SettledMarks
from lockgate.telemetry.drift_file import write_drifts
from lockgate.telemetry.ledger_book import LedgerBook

_log = logging.getLogger("lockgate.limits")

EVERY_S = 3600.0
LEDGER = "ledger.json"
"""The ledger's file in the state folder."""
_SETTLED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.2
_PAUSE_S = 0.005


class _Standing(Struct, frozen=True):
    """A budget's counter in its running period."""

    limit: Budget
    place: Charged
    end: int | None
    counted: int


class Reconciler:
    """Compares counters with the ledger of a state folder. To be used on one event loop."""

    def __init__(
        self,
        home: Path,
        counters: Callable[[], Counters],
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        *,
        is_whole: bool = True,
        settled_within_s: float = _SETTLED_WITHIN_S,
    ) -> None:
        """``counters`` are read after the ledger. ``is_whole``: no other machine charges them, whose journal is not
        here; else only what they lack can be told."""
        self._journal = home / "journal"
        self._path = home / LEDGER
        self._counters = counters
        self._clock = clock
        self._snapshot = snapshot
        self._is_whole = is_whole
        self._settled_within_s = settled_within_s
        self._calendar = Calendar()

    async def check(self, *, keeps: bool) -> list[Drift]:
        """Return how each budget's counter stands beside the ledger, in its running period.

        ``keeps``: whether the ledger's file is brought up to date, and begun where there is none.
        Raises CountersUnreachable, Unavailable.
        """
        book = await asyncio.to_thread(LedgerBook, self._path, self._journal, self._clock.unix())
        try:
            found = await (self._begin(book) if book.is_new else self._compare(book))
            if keeps:
                await asyncio.to_thread(book.save, self._clock.unix())
        except OSError as error:
            raise Unavailable(f"The ledger {self._path} cannot be kept: {error.strerror}") from None
        return found

    async def make_up(self, drift: Drift) -> Drift:
        """Charge a counter what it lacks. Raises CountersUnreachable."""
        charge = Charge(
            limit=drift.limit.id,
            unit=drift.limit.unit,
            amount=drift.missing,
            start=drift.start,
            end=drift.resets_at,
            group=drift.group,
        )
        await self._counters().make_up(charge)
        return structs.replace(drift, is_made_up=True)

    async def _begin(self, book: LedgerBook) -> list[Drift]:
        """Begin a ledger with what the counters say."""
        standings = await self._standings(self._counters(), book)
        book.skip(book.ends())  # with counters in memory nothing happens between this and the line before
        for one in standings:
            book.adopt(one.place, one.end, one.counted)
        return [_drift(one, None, None) for one in standings]

    async def _compare(self, book: LedgerBook) -> list[Drift]:
        await _catch_up(book)
        counters = self._counters()
        if not isinstance(counters, MemoryCounters):
            await self._until_settled(book)
        standings = await self._standings(counters, book)
        # the counters were read between the two: whatever was charged meanwhile is no drift
        low = [self._booked(book, one) for one in standings]
        await _catch_up(book)
        high = [self._booked(book, one) for one in standings]
        for one, least, most in zip(standings, low, high, strict=True):
            if least is None:
                # what the ledger has since belongs to what the counter has already, or came after it was read
                book.adopt(one.place, one.end, max(one.counted, most or 0))
        return [
            _drift(one, least, most if self._is_whole else None)
            for one, least, most in zip(standings, low, high, strict=True)
        ]

    def _booked(self, book: LedgerBook, one: _Standing) -> int | None:
        booked = book.booked(one.place)
        return 0 if booked is None and one.place.start >= book.opened_at else booked

    async def _until_settled(self, book: LedgerBook) -> None:
        """Wait until the counters' server has what the ledger has. Raises Unavailable when that takes too long."""
        marks = SettledMarks(self._journal)
        for _ in range(1 + int(self._settled_within_s / _LOOK_EVERY_S)):
            if all(marks.mark(number) >= offset for number, offset in book.settled_by.items()):
                return
            await asyncio.sleep(_LOOK_EVERY_S)
        raise Unavailable("Settlements wait for the counters' server; budgets cannot be checked now")

    async def _standings(self, counters: Counters, book: LedgerBook) -> list[_Standing]:
        now_s = self._clock.unix()
        places: list[tuple[Budget, Charged, int | None]] = []
        for limit, has_groups in budgets_of(self._snapshot()):
            start, end = place_of(self._calendar, limit, now_s)
            groups = [NO_GROUP]
            if has_groups:
                groups = sorted({*await counters.groups(limit), *book.groups(limit.id, start)})
            places += [(limit, Charged(limit.id, group, start), end) for group in groups]
        counted = await counters.charged([place for _, place, _ in places])
        return [_Standing(*one, amount) for one, amount in zip(places, counted, strict=True)]


class Reconciliation:
    """The hourly work of a gateway: check, tell, and make up for what is missing where that is wanted."""

    def __init__(
        self, reconciler: Reconciler, tell: Callable[[Drift], None], is_held: Callable[[], bool], path: Path, *,
        repairs: bool,
    ) -> None:  # fmt: skip
        """``is_held``: whether records wait in memory, which the journal lacks and the counters have. ``path``: the
        file that says what is left of differences. ``repairs``: whether counters are charged what they lack."""
        self._path = path
        self._reconciler = reconciler
        self._tell = tell
        self._is_held = is_held
        self._repairs = repairs
        self._told: dict[Charged, int] = {}

    async def run(self, every_s: float = EVERY_S) -> None:
        """Do it now, and then every hour."""
        while True:
            await self.once()
            await asyncio.sleep(every_s)

    async def once(self) -> None:
        """Check once. Does not raise."""
        if self._is_held():
            _log.warning("budgets are not checked: records wait for the journal")
            return
        try:
            found = [one for one in await self._reconciler.check(keeps=True) if one.matters]
            if self._is_held():
                return
            told = {}
            for one in found:
                place = Charged(one.limit.id, one.group, one.start)
                told[place] = one.missing
                if one.missing > 0 and self._repairs:
                    self._tell(await self._reconciler.make_up(one))
                elif self._told.get(place) != one.missing:
                    self._tell(one)
            self._told = told
            await asyncio.to_thread(write_drifts, self._path, [one for one in found if one.missing < 0])
        except GatewayError as error:
            _log.error("budgets were not checked: %s", error.message)
        except OSError as error:
            _log.error("what the check of budgets found cannot be kept: %s", error.strerror)
        except Exception:  # noqa: BLE001  # the edge: a bug in here must not end the work
            _log.exception("budgets were not checked")


def budgets_of(snapshot: Snapshot) -> Iterator[tuple[Budget, bool]]:
    """Yield every budget in force once, and whether it counts by groups."""
    seen: set[str] = set()
    for limit, has_groups in _limits(snapshot):
        if isinstance(limit, Budget) and limit.id not in seen:
            seen.add(limit.id)
            yield limit, has_groups


def _limits(snapshot: Snapshot) -> Iterator[tuple[Limit, bool]]:
    for key in snapshot.keys.values():
        yield from ((claim.limit, False) for claim in key.claims)
    for workspace in snapshot.workspaces.values():
        yield from ((claim.limit, False) for claim in workspace.claims)
        yield from ((policy.limit, True) for policy in workspace.policies)
        for target in workspace.targets.values():
            yield from ((claim.limit, False) for claim in target.claims)


async def _catch_up(book: LedgerBook) -> None:
    """Book what the journal has now, in slices, so that requests of the same process are not kept waiting."""
    ends = book.ends()
    while True:
        if not await asyncio.to_thread(book.catch_up, ends):
            return
        await asyncio.sleep(_PAUSE_S)


def _drift(one: _Standing, least: int | None, most: int | None) -> Drift:
    """Put a counter beside the least and the most that the ledger may have had when it was read."""
    booked = least
    if least is not None and one.counted > least:
        booked = min(one.counted, most) if most is not None else one.counted
    return Drift(
        limit=one.limit,
        group=one.place.group,
        start=one.place.start,
        resets_at=one.end,
        counted=one.counted,
        booked=booked,
    )
