"""What only counters in memory do: survive by checkpoint and journal, forget what is over. The rest is in contract."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.limits import Budget, Charge, Claim, Demand, Grant, Period, Rate, Spent, charges_of
from lockgate.store.counters_memory import KEPT_PERIODS, MemoryCounters, MemoryState

DAY = 86400
START = 1_785_888_000.0  # a midnight in UTC
DAILY = Budget(id="b", scope="key", name="k", unit="nanos", cap=1000, period=Period(kind="days", days=1), alerts=(10,))
PER_DAY = Rate(id="r", scope="key", name="k", unit="requests", cap=1000, window_s=DAY)
PER_MINUTE = Rate(id="m", scope="key", name="k", unit="requests", cap=1000)


class FakeClock:
    def __init__(self):
        self.now = START

    def unix(self):
        return self.now

    monotonic = unix


def run(coroutine):
    return asyncio.run(coroutine)


def counters(clock, **more):
    return MemoryCounters(clock, **more)


def use(subject, nanos, group="", limits=(DAILY, PER_DAY, PER_MINUTE)):
    """One request from start to end; return its charges."""
    claims = tuple(Claim(limit, group) for limit in limits)
    grant = run(subject.reserve(Demand(claims=claims, nanos=nanos)))
    assert isinstance(grant, Grant)
    charges = charges_of(grant, Spent(nanos=nanos))
    subject.settle(grant, Spent(nanos=nanos))
    return charges


def standing(subject, limit, group=""):
    (usage,) = run(subject.usage([Claim(limit, group)]))
    return usage.used


def test_a_checkpoint_and_the_charges_after_it_give_the_same_counters():
    clock = FakeClock()
    first = counters(clock)
    use(first, 5)
    state = msgspec.json.decode(msgspec.json.encode(first.state()), type=MemoryState)
    later = [use(first, nanos, group) for nanos, group in ((7, ""), (11, "ann"))]
    second = counters(clock)
    second.restore(state)
    for charges in later:
        second.replay(charges)
    assert second.state().windows == first.state().windows
    assert [standing(second, DAILY), standing(second, DAILY, "ann"), standing(second, PER_DAY)] == [12, 11, 2]


def test_reservations_and_short_windows_do_not_survive():
    clock = FakeClock()
    first = counters(clock)
    use(first, 5)
    run(first.reserve(Demand(claims=(Claim(DAILY),), nanos=900)))
    second = counters(clock)
    second.restore(first.state())
    assert standing(second, PER_MINUTE) == 0
    (usage,) = run(second.usage([Claim(DAILY)]))
    assert (usage.used, usage.reserved) == (5, 0)


def test_thresholds_that_were_told_before_a_checkpoint_are_not_told_again():
    clock, events = FakeClock(), []
    first = counters(clock, on_event=events.append)
    use(first, 50)
    second = counters(clock, on_event=events.append)
    second.restore(first.state())
    use(second, 1)
    assert [event.threshold for event in events] == [10]


def test_a_threshold_that_was_reached_after_the_checkpoint_is_told_again_rather_than_never():
    clock, events = FakeClock(), []
    subject = counters(clock, on_event=events.append)
    subject.replay(use(counters(clock), 50))
    use(subject, 1)
    assert [event.threshold for event in events] == [10]


def test_a_state_is_a_copy():
    subject = counters(FakeClock())
    use(subject, 5)
    state = subject.state()
    use(subject, 5)
    assert [count.used for count in state.counts] == [5]


def test_a_reset_asks_for_a_checkpoint():
    written = []
    subject = counters(FakeClock())
    subject.on_reset = lambda: written.append(subject.state())
    use(subject, 5, limits=(DAILY,))
    run(subject.reset(DAILY))
    assert [[(c.used, c.gone) for c in state.counts] for state in written] == [[(0, 5)]]


def test_closed_periods_are_kept_up_to_a_number():
    clock = FakeClock()
    subject = counters(clock)
    for day in range(KEPT_PERIODS + 10):
        clock.now = START + day * DAY
        use(subject, day + 1)
    assert len(subject.state().counts) == KEPT_PERIODS
    history = run(subject.history(Claim(DAILY)))
    assert [usage.used for usage in history] == list(range(KEPT_PERIODS + 9, 10, -1))
    assert run(subject.history(Claim(PER_DAY))) == []


def test_windows_and_counters_that_are_over_are_forgotten():
    clock = FakeClock()
    subject = counters(clock)

    async def many():
        for number in range(8000):
            clock.now = START + number * 10
            claims = (Claim(DAILY, str(number)), Claim(PER_MINUTE, str(number)))
            subject.settle(await subject.reserve(Demand(claims=claims)), Spent())

    run(many())
    assert len(subject._windows) + len(subject._counts) < 3000


def test_a_clock_that_goes_back_a_little_opens_no_new_window():
    clock = FakeClock()
    subject = counters(clock)
    limit = Rate(id="x", scope="key", name="k", unit="requests", cap=2)
    for _ in range(2):
        use(subject, 0, limits=(limit,))
    clock.now -= 5
    assert not isinstance(run(subject.reserve(Demand(claims=(Claim(limit),)))), Grant)


def test_a_negative_charge_of_a_damaged_ledger_adds_nothing():
    subject = counters(FakeClock())
    subject.replay((Charge(limit="b", unit="nanos", amount=-5, start=int(START), end=int(START) + DAY),))
    assert standing(subject, DAILY) == 0


class Careful(MemoryCounters):
    """Looks at every limit closely."""

    def _admit_quickly(self, grant_id, demand, now_s):
        return None


SMALL = (
    Budget(id="b", scope="key", name="k", unit="nanos", cap=20, period=Period(kind="days", days=1)),
    Budget(id="o", scope="key", name="k", unit="tokens", cap=20, admission="open"),
    Budget(id="s", scope="key", name="k", unit="requests", cap=3, is_soft=True),
    Rate(id="r", scope="key", name="k", unit="requests", cap=4, window_s=60),
    Rate(id="t", scope="key", name="k", unit="tokens", cap=30, window_s=1),
    Rate(id="d", scope="key", name="k", unit="requests", cap=9, window_s=DAY),
    Rate(id="c", scope="key", name="k", unit="concurrency", cap=2),
)
STEPS = st.tuples(st.integers(0, 8), st.integers(0, 12), st.sampled_from([0, 0, 0, 0.4, 1, 61, DAY]), st.booleans())


@given(st.lists(STEPS, max_size=25), st.sets(st.sampled_from(range(len(SMALL))), min_size=1))
def test_the_quick_look_says_what_the_close_one_says(steps, chosen):
    clock = FakeClock()
    pair = (counters(clock), Careful(clock))
    claims = tuple(Claim(SMALL[number]) for number in sorted(chosen))
    open_grants = ([], [])
    for nanos, tokens, later_s, is_settled in steps:
        clock.now += later_s
        answers = [run(one.reserve(Demand(claims=claims, nanos=nanos, tokens=tokens))) for one in pair]
        assert [type(answer) for answer in answers] == [type(answers[0])] * 2
        if isinstance(answers[0], Grant):
            assert answers[0].holds == answers[1].holds
            for grants, answer in zip(open_grants, answers, strict=True):
                grants.append(answer)
        else:
            assert answers[0] == answers[1]
        if is_settled and open_grants[0]:
            for one, grants in zip(pair, open_grants, strict=True):
                one.settle(grants.pop(), Spent(nanos=nanos, tokens=tokens))
        standings = [run(one.usage(claims)) for one in pair]
        assert standings[0] == standings[1]


def test_a_limit_that_gets_another_period_counts_there_at_once():
    clock = FakeClock()
    subject = counters(clock)
    use(subject, 5, limits=(DAILY,))
    clock.now += 3 * DAY
    weekly = msgspec.structs.replace(DAILY, period=Period(kind="weekly"))
    (before,) = use(subject, 5, limits=(DAILY,))
    (after,) = use(subject, 5, limits=(weekly,))
    monday = int(START) - 2 * DAY
    assert (before.start, after.start) == (int(START) + 3 * DAY, monday)
