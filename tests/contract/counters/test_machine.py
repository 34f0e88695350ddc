"""Any order of reserving, adjusting, settling and lapsing keeps the books, on both implementations alike."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from lockgate.core.limits import Claim, Demand, Grant, Spent
from tests.contract.counters.stage import MemoryStage, RedisStage, budget, rate

KEY = budget(1000)
WORKSPACE = budget(1500, scope="workspace")
TARGETS = [budget(600, scope="provider", per_attempt=True), budget(900, scope="provider", per_attempt=True)]
TOKENS = rate(5000, 3600, unit="tokens")
AT_ONCE = rate(6, unit="concurrency")
BUDGETS = [KEY, WORKSPACE, *TARGETS]
LIMITS = [*BUDGETS, TOKENS, AT_ONCE]

AMOUNTS = st.integers(0, 400)
TARGET = st.integers(0, 1)


class Books(RuleBasedStateMachine):
    """What the counters must say, kept beside them. No settlement exceeds its reservation, as strictness supposes."""

    grants = Bundle("grants")

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = self.make()
        self.run(self.stage.__aenter__())
        self.used = dict.fromkeys((limit.id for limit in BUDGETS), 0)
        self.live = {}
        self.turn = 0

    def run(self, coroutine):
        """Wait for a coroutine."""
        return self.loop.run_until_complete(coroutine)

    def call(self, function, *arguments):
        """Call what wants to be called from a task."""

        async def calling():
            function(*arguments)

        self.run(calling())

    def worker(self):
        """Take turns."""
        self.turn += 1
        return (self.stage.counters, self.stage.other)[self.turn % 2 if not self.stage.has_one_process else 0]

    def demand(self, nanos, target):
        """What a request asks."""
        limits = [KEY, WORKSPACE, TARGETS[target], TOKENS, AT_ONCE]
        return Demand(claims=tuple(Claim(limit) for limit in limits), nanos=nanos, tokens=nanos, lease_s=1000.0)

    def standing(self):
        """Read every counter."""
        self.run(self.stage.flush())
        return dict(
            zip(
                [limit.id for limit in LIMITS],
                self.run(self.stage.other.usage([Claim(limit) for limit in LIMITS])),
                strict=True,
            )
        )

    @rule(target=grants, nanos=AMOUNTS, where=TARGET)
    def reserve(self, nanos, where):
        """A new request."""
        before = self.standing()
        worker = self.worker()
        grant = self.run(worker.reserve(self.demand(nanos, where)))
        if not isinstance(grant, Grant):
            assert self.standing() == before
            return None
        self.live[grant.id] = [grant, worker, nanos, where, {}]
        return grant.id

    @rule(name=grants, nanos=AMOUNTS, where=TARGET, share=st.floats(0, 1), is_tried=st.booleans())
    def adjust(self, name, nanos, where, share, is_tried):
        """Another attempt."""
        if name is None or name not in self.live:
            return
        grant, worker, asked, former, spent = self.live[name]
        used = int(asked * share)
        before = self.standing()
        answer = self.run(
            worker.adjust(grant, self.demand(nanos, where), Spent(nanos=used, tokens=used) if is_tried else None)
        )
        if not isinstance(answer, Grant):
            assert self.standing() == before
            return
        if is_tried:
            spent = {**spent, former: spent.get(former, 0) + used}
        self.live[name] = [answer, worker, nanos, where, spent]

    @rule(name=consumes(grants), share=st.floats(0, 1), times=st.integers(1, 3))
    def settle(self, name, share, times):
        """The end of a request, perhaps told more than once."""
        if name is None or name not in self.live:
            return
        grant, worker, asked, where, spent = self.live.pop(name)
        used = int(asked * share)
        for _ in range(times):
            self.call(worker.settle, grant, Spent(nanos=used, tokens=used))
        total = used + sum(spent.values())
        self.used[KEY.id] += total
        self.used[WORKSPACE.id] += total
        for target, amount in (*spent.items(), (where, used)):
            self.used[TARGETS[target].id] += amount

    @rule(name=consumes(grants))
    def release(self, name):
        """A request that never happened; only before anything was spent."""
        if name is None or name not in self.live or self.live[name][4]:
            return
        grant, worker, *_ = self.live.pop(name)
        self.call(worker.release, grant)

    @invariant()
    def the_books_agree(self):
        """Used is what was settled, and with what is reserved it never exceeds a strict cap."""
        standing = self.standing()
        for limit in BUDGETS:
            usage = standing[limit.id]
            assert usage.used == self.used[limit.id]
            assert usage.used + usage.reserved <= limit.cap
            assert usage.reserved >= 0
        assert standing[AT_ONCE.id].reserved == len(self.live) <= AT_ONCE.cap

    def teardown(self):
        """When every request has ended, nothing is reserved any more."""
        for name in list(self.live):
            grant, worker, *_ = self.live.pop(name)
            self.call(worker.settle, grant, Spent())
        try:
            assert all(usage.reserved == 0 for usage in self.standing().values())
        finally:
            self.run(self.stage.__aexit__(None, None, None))
            self.loop.close()


def run_machine(make, steps, examples):
    """Run the machine over one implementation."""
    machine = type("Machine", (Books,), {"make": staticmethod(make)})
    profile = settings(stateful_step_count=steps, max_examples=examples)
    machine.TestCase.settings = profile
    machine.TestCase().runTest()


def test_the_books_of_counters_in_memory():
    run_machine(MemoryStage, 50, settings().max_examples)


def test_the_books_of_counters_in_redis(valkey):
    run_machine(lambda: RedisStage(valkey), 30, settings().max_examples // 2)
