"""Counters that many gateway processes share, in Redis or Valkey: each operation is one Lua script over all limits.

Reserving waits for the server, never longer than a deadline; then each limit's own ``on_outage`` decides, and for a
while nobody waits any more, unless the server answers a probe. Settling
never waits: it is queued, in order, and tried until the server has it. A settlement that never arrives is in the
journal, and ``replay`` settles it later; a reservation's number makes sure that nothing is counted twice.

All keys carry one hash tag, so that they live in one slot of a cluster:

    r:ID                   what a reservation holds: counter -> amount
    leases                 reservations by the end of their lease, in milliseconds
    over:INSTANCE          which numbers of a gateway's reservations are over
    c:LIMIT|GROUP|START    a budget's period: u used, r reserved, t told up to, c cap at that time, z taken by resets.
                           Concurrency: r
    w:LIMIT|GROUP|START    a rate's window
    g:LIMIT|START          the groups that a budget has counted in a period
    p:LIMIT|GROUP          the periods that it has counted in
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import ConnectionPool

from lockgate.core.journal import Position
from lockgate.core.limits import (
    NO_GRANT,
    Budget,
    Charge,
    Charged,
    Claim,
    Demand,
    Grant,
    Hold,
    LedgerEntry,
    Limit,
    LimitEvent,
    Rate,
    Refusal,
    Spent,
    Usage,
    charged,
)
from lockgate.errors import CountersUnreachable
from lockgate.policy import answers, windows
from lockgate.policy.holds import OWED_LEASE_S, Place, Step, first_holds, judge, next_steps, owed_holds
from lockgate.policy.periods import Calendar
from lockgate.ports import Clock
from lockgate.store.redis_lane import Lane, Script

HISTORY_MS = 100 * 86_400_000
"""How long a closed period is kept."""
OVER_MS = 90 * 86_400_000
"""How long it is known which reservations of a gateway are over: how late the ledger can still be replayed."""
_WINDOW_GRACE_MS = 60_000
_CLOSE_BATCH = 64
_LONGEST_PAUSE_S = 5.0
_AWAY_S = 5.0
_FIRST_PROBE_PAUSE_S, _LONGEST_PROBE_PAUSE_S = 0.02, 1.0
_TELL_EVERY_S = 10.0

_log = logging.getLogger("lockgate.counters")
_Arguments = list[str | int]


class _Closing:
    """A queued settlement, with the journal's position after its record; a release; or a renewal, of number 0."""

    __slots__ = ("arguments", "charges", "grant_id", "keys", "number", "position")

    def __init__(
        self,
        grant_id: str,
        number: int,
        keys: list[str],
        arguments: _Arguments,
        charges: Sequence[Hold],
        position: Position | None,
    ) -> None:
        self.grant_id = grant_id
        self.number = number
        self.keys = keys
        self.arguments = arguments
        self.charges = charges
        self.position = position


def _ignore(event: LimitEvent) -> None:
    pass


def _ignore_position(position: Position) -> None:
    pass


def _nowhere() -> Position | None:
    return None


class RedisCounters:
    """Implements ``ports.Counters``.

    ``position`` is where the journal stands; ``on_settled`` hears, in order, up to where the server has settled it.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        on_event: answers.Listener = _ignore,
        position: Callable[[], Position | None] = _nowhere,
        on_settled: Callable[[Position], None] = _ignore_position,
        namespace: str = "lockgate",
        deadline_s: float = 1.0,
        queue_size: int = 100_000,
    ) -> None:
        self._pool = ConnectionPool.from_url(url, socket_connect_timeout=2.0, socket_timeout=None)
        self._clock = clock
        self._unix = clock.unix
        self._on_event = on_event
        self._position = position
        self._on_settled = on_settled
        self._tag = f"{{{namespace}}}:"
        self._reservations = f"{self._tag}r:"
        self._leases = f"{self._tag}leases"
        self._asking = Lane(self._pool, timeout_s=deadline_s)
        self._closing = Lane(self._pool, timeout_s=max(deadline_s, 5.0))
        self._scripts = {name: _script(name) for name in ("take", "close", "sweep", "reset", "abandon")}
        self._deadline_s = deadline_s
        self._away_until = 0.0
        self._calendar = Calendar()
        self.instance = secrets.token_hex(6)
        """Begins the numbers of all reservations that are made here."""
        self._number = 0
        self._open: OrderedDict[int, None] = OrderedDict()
        self._queue: deque[_Closing] = deque()
        self._queue_size = queue_size
        self._closer: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._told_blind_at = 0.0
        self._nothing_waits = asyncio.Event()
        self._nothing_waits.set()
        self.blind = 0
        """Requests admitted without asking, since the start."""
        self.lost = 0
        """Settlements that found the queue full; the journal has them."""

    # ------------------------------------------------------------------------------------------ the walk of a request
    async def reserve(self, demand: Demand) -> Grant | Refusal:
        """Admit under all limits or none."""
        if not demand.claims:
            return NO_GRANT
        now_s = self._unix()
        holds = first_holds(demand, lambda limit: self._place(limit, now_s))
        self._number += 1
        self._open[self._number] = None
        return await self._take(self._number, [Step(hold) for hold in holds], demand, now_s)

    async def hold(self, name: str, demand: Demand) -> Grant | Refusal:
        """Reserve under a name of the caller's, whatever becomes of this process."""
        now_s = self._unix()
        holds = first_holds(demand, lambda limit: self._place(limit, now_s))
        return await self._take(1, [Step(hold) for hold in holds], demand, now_s, grant_id=f"{name}-1")

    async def adjust(self, grant: Grant, demand: Demand, spent: Spent | None) -> Grant | Refusal:
        """Change a grant to what the next attempt demands."""
        if not grant.id:
            return await self.reserve(demand)
        now_s = self._unix()
        steps = next_steps(grant, demand, spent, lambda limit: self._place(limit, now_s))
        if grant.is_blind:  # the server knows nothing of it: take everything
            steps = [Step(step.hold, 0, may_refuse=step.hold.is_current, is_kept=step.is_kept) for step in steps]
        return await self._take(_number_of(grant.id), steps, demand, now_s, grant)

    def settle(self, grant: Grant, spent: Spent) -> None:
        """Put what was used in place of the reservation, once."""
        if not grant.id:
            return
        keys, arguments, holds = self._charges(grant, spent, is_release=False)
        self._enqueue(_Closing(grant.id, _number_of(grant.id), keys, ["s", *arguments], holds, self._position()))

    def release(self, grant: Grant) -> None:
        """Give everything back."""
        if not grant.id:
            return
        keys, arguments, holds = self._charges(grant, Spent(), is_release=True)
        self._enqueue(_Closing(grant.id, _number_of(grant.id), keys, ["r", *arguments], holds, None))

    def owe(self, grant_id: str, claims: Sequence[Claim]) -> Grant:
        """Return a grant that reserves nothing, for what was spent without one."""
        now_s = self._unix()
        return Grant(grant_id, owed_holds(claims, lambda limit: self._place(limit, now_s)), OWED_LEASE_S)

    def renew(self, grant: Grant) -> None:
        """Prolong the lease by its length, from now."""
        if grant.id:
            until = int((self._unix() + grant.lease_s) * 1000)
            self._enqueue(_Closing(grant.id, 0, [], [until], (), None))

    # ------------------------------------------------------------------------------------------ reading and resetting
    async def usage(self, claims: Sequence[Claim]) -> Sequence[Usage]:
        """Return how each counter stands."""
        now_s = self._unix()
        await self._sweep(now_s)
        return await asyncio.gather(*[self._usage(claim, now_s) for claim in claims])

    async def groups(self, budget: Budget) -> Mapping[str, Usage]:
        """Return the counters of the running period by group value."""
        names = await self._groups(budget, self._unix())
        usages = await self.usage([Claim(budget, name) for name in names])
        return {name: usage for name, usage in zip(names, usages, strict=True) if usage.used}

    async def history(self, claim: Claim) -> Sequence[Usage]:
        """Return what is kept of a budget's closed periods, the newest first."""
        budget = claim.limit
        if not isinstance(budget, Budget):
            return []
        running, _ = self._place(budget, self._unix())
        found = []
        for member in await self._ask_command("ZREVRANGE", self._periods_key(budget.id, claim.group), 0, -1):
            first, _, last = member.decode().partition("|")
            if int(first) != running:
                used, reserved = await self._read_count(budget.id, claim.group, int(first))
                end = int(last) if last else None
                if used:
                    found.append(answers.budget_usage(budget, int(first), end, used, reserved))
        return found

    async def reset(self, budget: Budget, group: str | None = None) -> None:
        """Set the running period's counter to zero, of one group or of all; reservations stay."""
        now_s = self._unix()
        start, end = self._place(budget, now_s)
        names = await self._groups(budget, now_s) if group is None else [group]
        for name in names:
            changed = await self._ask(self._scripts["reset"], [self._count_key(budget.id, name, start)], [])
            if changed == [1]:
                self._on_event(answers.reset_event(budget, name, start, end))

    # ------------------------------------------------------------------------------------------ the ledger, the end
    async def charged(self, places: Sequence[Charged]) -> Sequence[int]:
        """Return everything that each counter was ever charged."""
        found = []
        for place in places:
            key = self._count_key(place.limit, place.group, place.start)
            used, gone = await self._ask_command("HMGET", key, "u", "z")
            found.append(int(used or 0) + int(gone or 0))
        return found

    async def make_up(self, charge: Charge) -> None:
        """Charge what a counter lacks."""
        # a number of its own, so that a request sent twice counts once
        await self._replay(LedgerEntry(grant=f"{self.instance}.{secrets.token_hex(6)}-1", charges=(charge,)))

    async def replay(self, entries: Sequence[LedgerEntry]) -> None:
        """Settle what the journal says and the server may not know: of this or of an ended process. Once is enough.

        Rates have counted at admission, so only budgets are charged. Raises CountersUnreachable; then ask again.
        """
        for first in range(0, len(entries), _CLOSE_BATCH):
            await asyncio.gather(*[self._replay(entry) for entry in entries[first : first + _CLOSE_BATCH]])

    async def _replay(self, entry: LedgerEntry) -> None:
        now_ms = int(self._unix() * 1000)
        instance, _, number = entry.grant.rpartition("-")
        keys = [self._leases, self._reservations + entry.grant, f"{self._tag}over:{instance}"]
        arguments: _Arguments = [entry.grant, "s", number, "", OVER_MS]
        for charge in entry.charges:
            if not charge.is_rate:
                keys += self._charge_keys(charge.limit, charge.group, charge.start)
                ttl = _ttl_ms(charge.end, now_ms)
                period = _period(charge.start, charge.end)
                arguments += ["b", max(0, charge.amount), ttl, charge.group, period, "", ""]
        await self._closing.run(self._scripts["close"], keys, arguments)

    async def abandon(self, instance: str) -> int:
        """Give back what a gateway that died still reserves, once its journal is replayed; return from how many.

        Nothing that it had on its way counts any more. Raises CountersUnreachable; then ask again.
        """
        keys = [self._leases, f"{self._tag}over:{instance}"]
        return int(await self._closing.run(self._scripts["abandon"], keys, [self._reservations, instance, OVER_MS]))

    async def flush(self) -> None:
        """Wait until every settlement so far is with the server."""
        await self._nothing_waits.wait()

    async def close(self, timeout_s: float = 5.0) -> None:
        """Settle what waits, as far as that goes in time, and disconnect."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.flush()
        except TimeoutError:
            _log.warning("%d settlements are left to the next start", len(self._queue))
        for task in (self._closer, self._probe):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._asking.close()
        await self._closing.close()
        await self._pool.disconnect()

    # ------------------------------------------------------------------------------------------ taking
    async def _take(
        self,
        number: int,
        steps: Sequence[Step],
        demand: Demand,
        now_s: float,
        former: Grant | None = None,
        grant_id: str | None = None,
    ) -> Grant | Refusal:
        is_numbered = grant_id is None
        grant_id = grant_id or (former.id if former is not None else f"{self.instance}-{number}")
        grant = Grant(grant_id, tuple([step.hold for step in steps if step.is_kept]), demand.lease_s)
        keys, arguments = self._take_arguments(grant_id, number, steps, demand.lease_s, now_s, is_first=former is None)
        try:
            answer = await self._ask(self._scripts["take"], keys, arguments)
        except CountersUnreachable:
            return self._without_answer(grant, former)
        except BaseException:  # the caller has gone while we waited; the server may have admitted it
            if former is None:
                self.release(grant)
            raise
        if answer[0] == 1:
            return grant
        if former is None and is_numbered:
            self._open.pop(number, None)
        if answer[0] == 2:
            raise CountersUnreachable("this reservation is over already")
        return self._refusal(steps[answer[1]], [int(value) for value in answer[2:]], now_s)

    def _without_answer(self, grant: Grant, former: Grant | None) -> Grant | Refusal:
        """The server is away, or answered too late: whether it has admitted the request is not known."""
        if former is None:
            self.release(grant)
        refusal = answers.outage_refusal((hold.limit, hold.group) for hold in grant.holds if hold.is_current)
        if refusal is not None:
            return refusal
        self.blind += 1
        self._tell_blind()
        if former is not None:
            return Grant(grant.id, grant.holds, grant.lease_s, is_blind=True)
        self._number += 1
        self._open[self._number] = None
        return Grant(f"{self.instance}-{self._number}", grant.holds, grant.lease_s, is_blind=True)

    def _tell_blind(self) -> None:
        now_s = self._clock.monotonic()
        if not self._told_blind_at or now_s - self._told_blind_at >= _TELL_EVERY_S:
            self._told_blind_at = now_s
            _log.error("the counters' server does not answer; requests are admitted unasked (%d so far)", self.blind)

    def _take_arguments(
        self, grant_id: str, number: int, steps: Sequence[Step], lease_s: float, now_s: float, *, is_first: bool
    ) -> tuple[list[str], _Arguments]:
        now_ms = int(now_s * 1000)
        keys = [self._leases, self._reservations + grant_id, self._over_key(grant_id)]
        until_ms = now_ms + int(lease_s * 1000)
        lasts_ms = now_ms + int(answers.LASTING_S * 1000)
        first = "first" if is_first else ""
        arguments: _Arguments = [grant_id, self._reservations, number, now_ms, until_ms, first, lasts_ms]
        for step in steps:
            hold = step.hold
            limit = hold.limit
            if isinstance(limit, Budget):
                keys.append(self._count_key(limit.id, hold.group, hold.start))
                mode = "-" if limit.is_soft or not step.may_refuse else limit.admission[0]
                arguments += ["b", mode, limit.cap, hold.amount, hold.before, "", _ttl_ms(hold.end, now_ms)]
            elif limit.unit == "concurrency":
                keys.append(self._count_key(limit.id, hold.group, 0))
                arguments += ["c", "s" if step.may_refuse else "-", limit.cap, hold.amount, 0, "", ""]
            else:
                start = windows.start_of(limit, now_s)
                keys += [self._window_key(limit, hold.group, at) for at in (start, start - limit.window_s, hold.start)]
                mode = "-" if not step.may_refuse else "g" if limit.window_s <= windows.GLIDING_S else "f"
                window_ms = limit.window_s * 1000
                ttl = _window_ttl_ms(limit, hold.start, now_ms)
                asked = hold.amount - step.taken
                arguments += ["r", mode, limit.cap, asked, window_ms, now_ms - start * 1000, ttl]
        return keys, arguments

    def _refusal(self, step: Step, found: Sequence[int], now_s: float) -> Refusal:
        hold = step.hold
        limit = hold.limit
        if isinstance(limit, Budget):
            used, reserved, taken, *lasting = found
            reason = judge(limit, hold, used, reserved - taken) or "reserved"
            return answers.budget_refusal(hold, reason, used, reserved - taken, now_s, lasting=sum(lasting))
        if limit.unit == "concurrency":
            return answers.concurrency_refusal(limit, hold.group, found[1])
        start = windows.start_of(limit, now_s)
        elapsed_ms = int(now_s * 1000) - start * 1000
        current, previous = found
        return answers.rate_refusal(limit, hold.group, hold.amount - step.taken, start, current, previous, elapsed_ms)

    # ------------------------------------------------------------------------------------------ closing
    def _charges(self, grant: Grant, spent: Spent, *, is_release: bool) -> tuple[list[str], _Arguments, list[Hold]]:
        """Return keys and arguments of what a grant is charged, and the holds that stand behind the charges."""
        now_ms = int(self._unix() * 1000)
        keys: list[str] = []
        arguments: _Arguments = []
        holds = []
        for hold in grant.holds:
            limit = hold.limit
            if isinstance(limit, Budget):
                amount = 0 if is_release else charged(hold, spent)
                if amount:
                    keys += self._charge_keys(limit.id, hold.group, hold.start)
                    thresholds = ",".join([str(amount) for amount in sorted({*limit.alerts, limit.cap})])
                    period = _period(hold.start, hold.end)
                    ttl = _ttl_ms(hold.end, now_ms)
                    arguments += ["b", amount, ttl, hold.group, period, limit.cap, thresholds]
                    holds.append(hold)
            elif limit.unit != "concurrency":
                counted = 0 if grant.is_blind else hold.amount
                difference = (0 if is_release else charged(hold, spent)) - counted
                if difference:
                    keys.append(self._window_key(limit, hold.group, hold.start))
                    ttl = _window_ttl_ms(limit, hold.start, now_ms)
                    arguments += ["r", difference, ttl, "", "", "", ""]
                    holds.append(hold)
        return keys, arguments, holds

    def _enqueue(self, closing: _Closing) -> None:
        if len(self._queue) >= self._queue_size:
            if not closing.number:
                return  # the next renewal comes in half a minute
            self.lost += 1
            _log.error("the queue of settlements is full; %s is left to the journal", closing.grant_id)
            return
        loop = asyncio.get_running_loop()
        self._queue.append(closing)
        self._nothing_waits.clear()
        if self._closer is None or self._closer.done():
            self._closer = loop.create_task(self._close_all(), name="counters-settle")

    async def _close_all(self) -> None:
        """Send what is queued, in order, until the server has it."""
        pause_s = 0.05
        while self._queue:
            batch = [self._queue[position] for position in range(min(_CLOSE_BATCH, len(self._queue)))]
            outcomes = await asyncio.gather(*[self._close(closing) for closing in batch], return_exceptions=True)
            for closing, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, BaseException):
                    if not isinstance(outcome, CountersUnreachable):
                        raise outcome
                    break
                self._queue.popleft()
                self._after(closing, outcome)
            else:
                pause_s = 0.05
                continue
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
        self._nothing_waits.set()

    async def _close(self, closing: _Closing) -> Any:
        if not closing.number:
            return await self._closing.command("ZADD", self._leases, "XX", *closing.arguments, closing.grant_id)
        all_over = next(iter(self._open), self._number + 1) - 1
        is_ours = closing.grant_id.startswith(self.instance)
        mode, *charges = closing.arguments
        head: _Arguments = [closing.grant_id, mode, closing.number, all_over if is_ours else "", OVER_MS]
        keys = [self._leases, self._reservations + closing.grant_id, self._over_key(closing.grant_id), *closing.keys]
        return await self._closing.run(self._scripts["close"], keys, [*head, *charges])

    def _after(self, closing: _Closing, answer: Any) -> None:
        if not closing.number:
            return
        if closing.grant_id.startswith(self.instance):
            self._open.pop(closing.number, None)
        for position in range(0, len(answer), 3):
            charge, threshold, used = answer[position : position + 3]
            hold = closing.charges[int(charge)]
            if isinstance(hold.limit, Budget):
                event = answers.threshold_event(hold.limit, hold.group, int(threshold), int(used), hold.start, hold.end)
                self._on_event(event)
        if closing.position is not None and not self.lost:  # a gap in the queue must stay behind the mark
            self._on_settled(closing.position)

    # ------------------------------------------------------------------------------------------ asking
    async def _ask(self, script: Script, keys: Sequence[str], arguments: _Arguments) -> Any:
        """Run a script within the deadline; after a failure not at all for a while, or until a probe is answered."""
        return await self._within(lambda: self._asking.run(script, keys, arguments))

    async def _ask_command(self, *command: str | int) -> Any:
        return await self._within(lambda: self._asking.command(*command))

    async def _within(self, ask: Callable[[], Any]) -> Any:
        if self._clock.monotonic() < self._away_until:
            raise CountersUnreachable("the counters' server does not answer")
        try:
            return await ask()
        except CountersUnreachable:
            self._is_away()
            raise

    def _is_away(self) -> None:
        self._away_until = self._clock.monotonic() + max(self._deadline_s, _AWAY_S)
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().create_task(self._ask_until_back(), name="counters-probe")

    async def _ask_until_back(self) -> None:
        pause_s = _FIRST_PROBE_PAUSE_S
        while True:
            try:
                await self._asking.command("PING")
            except CountersUnreachable:
                await asyncio.sleep(pause_s)
                pause_s = min(_LONGEST_PROBE_PAUSE_S, 2 * pause_s)
            else:
                self._away_until = 0.0
                return

    async def _sweep(self, now_s: float) -> None:
        await self._ask(self._scripts["sweep"], [self._leases], [self._reservations, int(now_s * 1000)])

    async def _usage(self, claim: Claim, now_s: float) -> Usage:
        limit = claim.limit
        if isinstance(limit, Budget):
            start, end = self._place(limit, now_s)
            return answers.budget_usage(limit, start, end, *await self._read_count(limit.id, claim.group, start))
        if limit.unit == "concurrency":
            return answers.concurrency_usage(limit, (await self._read_count(limit.id, claim.group, 0))[1])
        start = windows.start_of(limit, now_s)
        keys = [self._window_key(limit, claim.group, at) for at in (start, start - limit.window_s)]
        current, previous = [int(value or 0) for value in await self._ask_command("MGET", *keys)]
        return answers.rate_usage(limit, start, current, previous, int(now_s * 1000) - start * 1000)

    async def _read_count(self, limit_id: str, group: str, start: int) -> tuple[int, int]:
        used, reserved = await self._ask_command("HMGET", self._count_key(limit_id, group, start), "u", "r")
        return int(used or 0), int(reserved or 0)

    async def _groups(self, budget: Budget, now_s: float) -> list[str]:
        start, _ = self._place(budget, now_s)
        return sorted(
            [name.decode() for name in await self._ask_command("SMEMBERS", self._groups_key(budget.id, start))]
        )

    # ------------------------------------------------------------------------------------------ names
    def _place(self, limit: Limit, now_s: float) -> Place:
        return answers.place_of(self._calendar, limit, now_s)

    def _over_key(self, grant_id: str) -> str:
        return f"{self._tag}over:{grant_id.rpartition('-')[0]}"

    def _count_key(self, limit_id: str, group: str, start: int) -> str:
        return f"{self._tag}c:{limit_id}|{group}|{start}"

    def _window_key(self, rate: Rate, group: str, start: int) -> str:
        return f"{self._tag}w:{rate.id}|{group}|{start}"

    def _groups_key(self, limit_id: str, start: int) -> str:
        return f"{self._tag}g:{limit_id}|{start}"

    def _periods_key(self, limit_id: str, group: str) -> str:
        return f"{self._tag}p:{limit_id}|{group}"

    def _charge_keys(self, limit_id: str, group: str, start: int) -> list[str]:
        return [
            self._count_key(limit_id, group, start),
            self._groups_key(limit_id, start),
            self._periods_key(limit_id, group),
        ]


def _script(name: str) -> Script:
    folder = files("lockgate.store") / "lua"
    return Script((folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text())


def _number_of(grant_id: str) -> int:
    return int(grant_id.rpartition("-")[2])


def _period(start: int, end: int | None) -> str:
    return f"{start}|{'' if end is None else end}"


def _ttl_ms(end: int | None, now_ms: int) -> int | str:
    """Return how long a period's counter lives; "" is for ever."""
    return "" if end is None else max(0, end * 1000 - now_ms) + HISTORY_MS


def _window_ttl_ms(rate: Rate, start: int, now_ms: int) -> int:
    """Return how long a window is needed: its successor still looks at it."""
    return max(0, (start + 2 * rate.window_s) * 1000 - now_ms) + _WINDOW_GRACE_MS
