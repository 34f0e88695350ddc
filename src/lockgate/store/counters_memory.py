"""Counters of a single process, in memory: nothing waits, so each operation is one step.

They survive a restart by what is written elsewhere: a checkpoint (``store.checkpoint``) and the charges of the
journal's records after it. Reservations do not survive: the requests that they were for are gone. Those for batches,
which go on at their provider, are taken again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from lockgate.core.limits import (
    NO_GRANT,
    Budget,
    Charge,
    Charged,
    Claim,
    Demand,
    Grant,
    Hold,
    Limit,
    LimitEvent,
    Rate,
    Refusal,
    Spent,
    Usage,
    charged,
)
from lockgate.policy import answers, windows
from lockgate.policy.holds import (
    OWED_LEASE_S,
    Place,
    Step,
    amounts_of,
    crossed,
    first_holds,
    judge,
    measure_of,
    next_steps,
    owed_holds,
)
from lockgate.policy.periods import Calendar
from lockgate.ports import Clock

KEPT_PERIODS = 24
"""How many closed periods of a counter are kept."""
_PRUNE_AT_LEAST = 1000
_NEVER = float("inf")

_Key = tuple[str, str]
_PeriodKey = tuple[str, str, int]


class CountState(Struct, kw_only=True, omit_defaults=True):
    """A budget's counter in one period, as it is kept in memory and in a checkpoint."""

    limit: str
    group: str
    start: int
    end: int | None = None
    used: int = 0
    told: int = 0
    """The amount up to which thresholds have been told, and the cap at that time."""
    told_cap: int = 0
    reserved: int = 0
    gone: int = 0
    """What resets have taken from what was charged."""


class WindowState(Struct, kw_only=True, omit_defaults=True):
    """A rate's running window and the one before."""

    limit: str
    group: str
    start: int
    window_s: int
    current: int = 0
    previous: int = 0


class MemoryState(Struct, frozen=True, kw_only=True):
    """Everything that a checkpoint keeps."""

    counts: tuple[CountState, ...] = ()
    windows: tuple[WindowState, ...] = ()


class _Slot(Struct, frozen=True):
    """Where a claim counts now, with the counter itself, so that nothing is looked for. Pruning counters ends it."""

    limit: Limit
    counter: CountState | WindowState
    measure: int
    """Which of the demand's amounts it takes."""
    start: int
    end: int | None
    end_s: float
    """The same, and infinity for what has no end."""


def _ignore(event: LimitEvent) -> None:
    pass


def _nothing() -> None:
    pass


class MemoryCounters:
    """Implements ``ports.Counters``. ``on_reset`` is called when a checkpoint must be written at once."""

    def __init__(
        self,
        clock: Clock,
        *,
        on_event: answers.Listener = _ignore,
        on_reset: Callable[[], None] = _nothing,
    ) -> None:
        self._unix = clock.unix
        self._on_event = on_event
        self.on_reset = on_reset
        self._calendar = Calendar()
        self._slots: dict[str | _Key, _Slot] = {}
        """The counters of claims, by the limit's id, and by id and group where there is a group."""
        self._instance = secrets.token_hex(6)
        self._number = 0
        self._counts: dict[_PeriodKey, CountState] = {}
        self._windows: dict[_Key, WindowState] = {}
        self._at_once: dict[_Key, int] = {}
        self._live: dict[str, tuple[Grant, float]] = {}
        self._lasting: set[str] = set()
        """Reservations that no running request holds."""
        self._lapsed: dict[str, Grant] = {}
        self._next_lapse = _NEVER
        self._prune_at = _PRUNE_AT_LEAST

    # ------------------------------------------------------------------------------------------ the walk of a request
    async def reserve(self, demand: Demand) -> Grant | Refusal:
        """Admit under all limits or none."""
        if not demand.claims:
            return NO_GRANT
        self._number += 1
        return self._admit(f"{self._instance}-{self._number}", demand)

    async def hold(self, name: str, demand: Demand) -> Grant | Refusal:
        """Reserve under a name of the caller's."""
        made = self._admit(f"{name}-1", demand)
        if isinstance(made, Grant):
            self._lasting.add(made.id)
        return made

    def _admit(self, grant_id: str, demand: Demand) -> Grant | Refusal:
        now_s = self._unix()
        if now_s >= self._next_lapse:
            self._lapse(now_s)
        grant = self._admit_quickly(grant_id, demand, now_s)
        return grant if grant is not None else self._admit_closely(grant_id, demand, now_s)

    def _admit_quickly(self, grant_id: str, demand: Demand, now_s: float) -> Grant | None:
        """Admit where every counter is there and has plenty; nearly all requests are like that. None: look closely."""
        amounts, slots = amounts_of(demand), self._slots
        rates: list[Hold] = []
        budgets: list[Hold] = []
        found: list[tuple[CountState | WindowState, int]] = []
        for claim in demand.claims:
            limit, group = claim.limit, claim.group
            slot = slots.get((limit.id, group) if group else limit.id)
            if slot is None or slot.limit is not limit or not slot.start <= now_s < slot.end_s:
                slot = self._take_slot(claim, now_s)
                if slot is None:
                    return None
            counter, amount = slot.counter, amounts[slot.measure]
            # a counter that is full refuses also who asks for nothing
            asked = amount or 1
            if type(counter) is CountState:
                if counter.used + counter.reserved + asked > limit.cap:
                    return None
                budgets.append(Hold(limit, group, slot.start, slot.end, amount))
            else:
                assert type(counter) is WindowState
                # whatever part of the window before counts, it is not more than all of it
                if not _is_at(counter, limit, slot.start) or counter.current + counter.previous + asked > limit.cap:
                    return None
                rates.append(Hold(limit, group, slot.start, slot.end, amount))
            found.append((counter, amount))
        for counter, amount in found:
            if type(counter) is CountState:
                counter.reserved += amount
            else:
                counter.current += amount  # type: ignore[union-attr]  # the other kind
        rates.extend(budgets)
        return self._grant(grant_id, rates, demand.lease_s, now_s)

    def _take_slot(self, claim: Claim, now_s: float) -> _Slot | None:
        """Find where a claim counts, and remember it. None where no counter is there yet, and for concurrency."""
        limit, group = claim.limit, claim.group
        start, end = self._place(limit, now_s)
        counter: CountState | WindowState | None
        if type(limit) is Budget:
            counter = self._counts.get((limit.id, group, start))
        else:
            counter = self._windows.get((limit.id, group))
        if counter is None:
            return None
        slot = _Slot(limit, counter, measure_of(limit), start, end, _NEVER if end is None else end)
        self._slots[(limit.id, group) if group else limit.id] = slot
        return slot

    def _admit_closely(self, grant_id: str, demand: Demand, now_s: float) -> Grant | Refusal:
        holds = first_holds(demand, lambda limit: self._place(limit, now_s))
        for hold in holds:
            refusal = self._refusal(hold, 0, now_s)
            if refusal is not None:
                return refusal
        # last, for a new counter may have those forgotten that hold nothing
        for hold in holds:
            self._add(hold, hold.amount)
        return self._grant(grant_id, holds, demand.lease_s, now_s)

    async def adjust(self, grant: Grant, demand: Demand, spent: Spent | None) -> Grant | Refusal:
        """Change a grant to what the next attempt demands."""
        if not grant.id:
            return await self.reserve(demand)
        now_s = self._unix()
        if now_s >= self._next_lapse:
            self._lapse(now_s)
        steps = next_steps(grant, demand, spent, lambda limit: self._place(limit, now_s))
        if grant.id not in self._live:
            steps = [_anew(step) for step in steps]
        for step in steps:
            if step.may_refuse:
                refusal = self._refusal(step.hold, step.taken, now_s)
                if refusal is not None:
                    return refusal
        for step in steps:
            self._add(step.hold, step.hold.amount - step.taken)
        self._lapsed.pop(grant.id, None)
        return self._grant(grant.id, [step.hold for step in steps if step.is_kept], demand.lease_s, now_s)

    def settle(self, grant: Grant, spent: Spent) -> None:
        """Put what was used in place of the reservation, once."""
        found, is_live = self._close(grant.id)
        if found is None:
            return
        counts = self._counts
        for hold in found.holds:
            limit = hold.limit
            if type(limit) is Budget:
                count = counts.get((limit.id, hold.group, hold.start))
                if count is None:
                    count = self._count(limit.id, hold.group, hold.start, hold.end)
                if is_live:
                    count.reserved -= hold.amount
                amount = charged(hold, spent)
                if amount:
                    count.used += amount
                    lowest = limit.alerts[0] if limit.alerts else limit.cap
                    if count.used >= lowest or count.told_cap != limit.cap:
                        self._tell(limit, count)
            elif limit.unit == "tokens":
                self._add(hold, charged(hold, spent) - hold.amount)
            elif limit.unit == "concurrency" and is_live:
                self._add(hold, -hold.amount)

    def release(self, grant: Grant) -> None:
        """Give everything back."""
        found, is_live = self._close(grant.id)
        if found is not None and is_live:
            for hold in found.holds:
                self._add(hold, -hold.amount)

    def owe(self, grant_id: str, claims: Sequence[Claim]) -> Grant:
        """Return a grant that reserves nothing, for what was spent without one."""
        now_s = self._unix()
        grant = Grant(grant_id, owed_holds(claims, lambda limit: self._place(limit, now_s)), OWED_LEASE_S)
        self._live[grant_id] = (grant, now_s + OWED_LEASE_S)
        return grant

    def renew(self, grant: Grant) -> None:
        """Prolong the lease by its length, from now."""
        live = self._live.get(grant.id)
        if live is not None:
            self._live[grant.id] = (live[0], self._unix() + grant.lease_s)

    # ------------------------------------------------------------------------------------------ reading and resetting
    async def usage(self, claims: Sequence[Claim]) -> Sequence[Usage]:
        """Return how each counter stands."""
        now_s = self._unix()
        self._lapse(now_s)
        return [self._usage(claim, now_s) for claim in claims]

    async def groups(self, budget: Budget) -> Mapping[str, Usage]:
        """Return the counters of the running period by group value."""
        now_s = self._unix()
        self._lapse(now_s)
        start, end = self._place(budget, now_s)
        found = [c for c in self._counts.values() if c.limit == budget.id and c.start == start]
        return {c.group: answers.budget_usage(budget, start, end, c.used, c.reserved) for c in found}

    async def history(self, claim: Claim) -> Sequence[Usage]:
        """Return what is kept of a budget's closed periods, the newest first."""
        budget = claim.limit
        if not isinstance(budget, Budget):
            return []
        running, _ = self._place(budget, self._unix())
        wanted = (budget.id, claim.group)
        past = [c for c in self._counts.values() if (c.limit, c.group) == wanted and c.start != running and c.used]
        past.sort(key=lambda count: count.start, reverse=True)
        return [answers.budget_usage(budget, c.start, c.end, c.used, c.reserved) for c in past]

    async def reset(self, budget: Budget, group: str | None = None) -> None:
        """Set the running period's counter to zero, of one group or of all; reservations stay."""
        start, end = self._place(budget, self._unix())
        for count in list(self._counts.values()):
            if count.limit == budget.id and count.start == start and group in (None, count.group):
                count.gone += count.used
                count.used = count.told = 0
                self._on_event(answers.reset_event(budget, count.group, start, end))
        self.on_reset()

    # ------------------------------------------------------------------------------------------ reconciliation
    async def charged(self, places: Sequence[Charged]) -> Sequence[int]:
        """Return everything that each counter was ever charged."""
        found = [self._counts.get((place.limit, place.group, place.start)) for place in places]
        return [count.used + count.gone if count is not None else 0 for count in found]

    async def make_up(self, charge: Charge) -> None:
        """Charge what a counter lacks."""
        self.replay([charge])
        self.on_reset()

    # ------------------------------------------------------------------------------------------ restart
    def state(self) -> MemoryState:
        """Return what must survive a restart, as a copy."""
        self._prune(self._unix())
        return MemoryState(
            counts=tuple([replace(count, reserved=0) for count in self._counts.values() if count.used or count.gone]),
            windows=tuple([replace(w) for w in self._windows.values() if w.window_s > windows.GLIDING_S]),
        )

    def restore(self, state: MemoryState) -> None:
        """Take over a checkpoint. To be called before anything else."""
        self._counts = {(c.limit, c.group, c.start): replace(c) for c in state.counts}
        self._windows = {(w.limit, w.group): replace(w) for w in state.windows}
        self._slots.clear()

    def replay(self, charges: Sequence[Charge]) -> None:
        """Count the charges of a record that the checkpoint does not know."""
        for charge in charges:
            amount = max(0, charge.amount)
            if not charge.is_rate:
                self._count(charge.limit, charge.group, charge.start, charge.end).used += amount
            elif charge.end is not None:
                self._add_to_window(charge.limit, charge.group, charge.start, charge.end - charge.start, amount)

    def take_again(self, grant: Grant, until_s: float) -> None:
        """Reserve again what was reserved before a restart, until then; nobody refuses it."""
        if grant.id in self._live or until_s <= self._unix():
            return
        for hold in grant.holds:
            self._add(hold, hold.amount)
        self._live[grant.id] = (grant, until_s)
        self._lasting.add(grant.id)
        self._next_lapse = min(self._next_lapse, until_s)

    # ------------------------------------------------------------------------------------------ inside
    def _place(self, limit: Limit, now_s: float) -> Place:
        return answers.place_of(self._calendar, limit, now_s)

    def _refusal(self, hold: Hold, taken: int, now_s: float) -> Refusal | None:
        """Return why a limit refuses; ``taken`` is what the request holds there already."""
        limit = hold.limit
        if isinstance(limit, Budget):
            count = self._counts.get((limit.id, hold.group, hold.start))
            used, others = (count.used, count.reserved - taken) if count is not None else (0, 0)
            reason = judge(limit, hold, used, others)
            if reason is None:
                return None
            lasting = self._lasting_on(hold, now_s) if reason == "reserved" else 0
            return answers.budget_refusal(hold, reason, used, others, now_s, lasting=lasting)
        return self._rate_refusal(limit, hold, hold.amount - taken, now_s)

    def _lasting_on(self, hold: Hold, now_s: float) -> int:
        """Return what reservations hold on a counter that stay for hours."""
        place = (hold.limit.id, hold.group, hold.start)
        found = [self._live[grant_id] for grant_id in self._lasting]
        return sum(
            one.amount
            for grant, until in found
            if until > now_s + answers.LASTING_S
            for one in grant.holds
            if (one.limit.id, one.group, one.start) == place
        )

    def _rate_refusal(self, rate: Rate, hold: Hold, asked: int, now_s: float) -> Refusal | None:
        if rate.unit == "concurrency":
            at_once = self._at_once.get((rate.id, hold.group), 0)
            return answers.concurrency_refusal(rate, hold.group, at_once) if at_once >= rate.cap else None
        is_running = now_s < hold.start + rate.window_s
        start = hold.start if is_running else windows.start_of(rate, now_s)
        start, current, previous, elapsed_ms = self._look(rate, hold.group, start, now_s)
        if windows.has_room(rate, current, previous, elapsed_ms, asked):
            return None
        return answers.rate_refusal(rate, hold.group, asked, start, current, previous, elapsed_ms)

    def _grant(self, grant_id: str, holds: Sequence[Hold], lease_s: float, now_s: float) -> Grant:
        grant = Grant(grant_id, tuple(holds), lease_s)
        until = now_s + lease_s
        self._live[grant_id] = (grant, until)
        if until < self._next_lapse:
            self._next_lapse = until
        return grant

    def _add(self, hold: Hold, amount: int) -> None:
        limit = hold.limit
        if type(limit) is Budget:
            count = self._counts.get((limit.id, hold.group, hold.start))
            if count is None:
                count = self._count(limit.id, hold.group, hold.start, hold.end)
            count.reserved += amount
        elif limit.unit == "concurrency":
            self._add_at_once(limit.id, hold.group, amount)
        else:
            self._add_to_window(limit.id, hold.group, hold.start, limit.window_s, amount)  # type: ignore[union-attr]  # a Rate

    def _add_at_once(self, limit_id: str, group: str, amount: int) -> None:
        key = (limit_id, group)
        at_once = self._at_once.get(key, 0) + amount
        if at_once > 0:
            self._at_once[key] = at_once
        else:
            self._at_once.pop(key, None)

    def _add_to_window(self, limit_id: str, group: str, start: int, window_s: int, amount: int) -> None:
        key = (limit_id, group)
        window = self._windows.get(key)
        if window is not None and window.start == start and window.window_s == window_s:
            total = window.current + amount
            window.current = total if total > 0 else 0
            return
        if window is None:
            window = WindowState(limit=limit_id, group=group, start=start, window_s=window_s)
            self._windows[key] = window
        elif window.window_s != window_s or start > window.start:
            follows = window.window_s == window_s and start == window.start + window_s
            window.previous = window.current if follows else 0
            window.current = 0
            window.start, window.window_s = start, window_s
        if window.start == start:
            window.current = max(0, window.current + amount)
        elif window.start == start + window_s:
            window.previous = max(0, window.previous + amount)

    def _look(self, rate: Rate, group: str, start: int, now_s: float) -> tuple[int, int, int, int]:
        """Return start, amounts and elapsed time of the running window, of a clock that may have gone back a little."""
        elapsed_ms = int(now_s * 1000) - start * 1000
        window = self._windows.get((rate.id, group))
        if window is None or window.window_s != rate.window_s:
            return start, 0, 0, elapsed_ms
        if window.start == start:
            return start, window.current, window.previous, elapsed_ms
        if window.start == start - rate.window_s:
            return start, 0, window.current, elapsed_ms
        if window.start == start + rate.window_s:
            return window.start, window.current, window.previous, 0
        return start, 0, 0, elapsed_ms

    def _count(self, limit_id: str, group: str, start: int, end: int | None) -> CountState:
        key = (limit_id, group, start)
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) + len(self._windows) > self._prune_at:
                self._prune(self._unix())
            count = self._counts[key] = CountState(limit=limit_id, group=group, start=start, end=end)
        return count

    def _close(self, grant_id: str) -> tuple[Grant | None, bool]:
        live = self._live.pop(grant_id, None)
        self._lasting.discard(grant_id)
        if live is not None:
            return live[0], True
        return self._lapsed.pop(grant_id, None), False

    def _tell(self, budget: Budget, count: CountState) -> None:
        found, count.told = crossed(budget, count.used, count.told, count.told_cap)
        count.told_cap = budget.cap
        for threshold in found:
            self._on_event(answers.threshold_event(budget, count.group, threshold, count.used, count.start, count.end))

    def _lapse(self, now_s: float) -> None:
        """Give back what the reservations of requests hold that went away without a word."""
        for grant_id in [grant_id for grant_id, (_, until) in self._live.items() if until <= now_s]:
            grant, _ = self._live.pop(grant_id)
            self._lasting.discard(grant_id)
            self._lapsed[grant_id] = grant
            for hold in grant.holds:
                if not _outlives_lease(hold):
                    self._add(hold, -hold.amount)
        self._next_lapse = min((until for _, until in self._live.values()), default=_NEVER)

    def _prune(self, now_s: float) -> None:
        """Forget windows that are over, counters that are empty, and periods beyond those that are kept."""
        self._windows = {key: w for key, w in self._windows.items() if w.start + 2 * w.window_s > now_s}
        newest: dict[_Key, int] = {}
        kept = {}
        for key, count in sorted(self._counts.items(), key=lambda item: -item[0][2]):
            seen = newest[key[:2]] = newest.get(key[:2], 0) + 1
            if count.reserved or ((count.used or count.gone) and seen <= KEPT_PERIODS):
                kept[key] = count
        self._counts = kept
        self._slots.clear()
        self._prune_at = 2 * (len(self._windows) + len(self._counts)) + _PRUNE_AT_LEAST

    def _usage(self, claim: Claim, now_s: float) -> Usage:
        limit = claim.limit
        if isinstance(limit, Budget):
            start, end = self._place(limit, now_s)
            count = self._counts.get((limit.id, claim.group, start))
            return answers.budget_usage(limit, start, end, count.used if count else 0, count.reserved if count else 0)
        if limit.unit == "concurrency":
            return answers.concurrency_usage(limit, self._at_once.get((limit.id, claim.group), 0))
        return answers.rate_usage(limit, *self._look(limit, claim.group, windows.start_of(limit, now_s), now_s))


def _is_at(window: WindowState, limit: Limit, start: int) -> bool:
    """Tell whether a window is the one that begins then, of this length."""
    return window.start == start and window.window_s == limit.window_s  # type: ignore[union-attr]  # a Rate


def _anew(step: Step) -> Step:
    """The lease has lapsed: what was reserved is taken again. Rates have kept their count."""
    hold = step.hold
    if _outlives_lease(hold):
        return step
    return Step(hold, may_refuse=hold.is_current and step.is_kept, is_kept=step.is_kept)


def _outlives_lease(hold: Hold) -> bool:
    """Rates count requests and tokens from admission on; what lapses is what was only reserved."""
    return isinstance(hold.limit, Rate) and hold.limit.unit != "concurrency"
