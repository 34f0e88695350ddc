"""Budgets: never overspent, settled once, whole periods, alerts once."""

from __future__ import annotations

import asyncio
import random

import pytest

from lockgate.core.limits import (
    MAX_AMOUNT,
    Budget,
    Charge,
    Charged,
    Claim,
    Demand,
    Grant,
    Period,
    Refusal,
    Spent,
)
from tests.contract.counters.stage import MONTH, admitted, budget, demand, rate, refused, seconds, standing


async def spend(stage, worker, wanted, **spent):
    """One request: reserve, be away for a while, settle."""
    answer = await worker.reserve(wanted)
    if isinstance(answer, Grant):
        for _ in range(3):
            await asyncio.sleep(0)
        stage.finish(answer, worker, **spent)
    return answer


async def test_two_hundred_callers_on_two_workers_never_exceed_a_strict_limit(stage):
    limit = budget(100)
    workers = [stage.counters, stage.other]
    answers = await asyncio.gather(
        *[spend(stage, workers[number % 2], demand(limit, nanos=1), nanos=1) for number in range(200)]
    )
    assert sum(isinstance(answer, Grant) for answer in answers) == 100
    assert await standing(stage, limit) == (100, 0)


async def test_callers_whose_worst_case_is_larger_than_what_they_use_never_exceed_it_either(stage):
    limit = budget(100)
    workers = [stage.counters, stage.other]
    dice = random.Random(7)
    for _ in range(12):
        await asyncio.gather(
            *[
                spend(stage, workers[number % 2], demand(limit, nanos=9), nanos=dice.randint(0, 9))
                for number in range(50)
            ]
        )
        used, reserved = await standing(stage, limit)
        assert used <= 100
        assert reserved == 0
    used, _ = await standing(stage, limit)
    assert used > 91


async def test_an_open_limit_is_exceeded_by_less_than_one_request(stage):
    limit = budget(100, admission="open")
    workers = [stage.counters, stage.other]
    await asyncio.gather(*[spend(stage, workers[number % 2], demand(limit, nanos=7), nanos=7) for number in range(200)])
    used, _ = await standing(stage, limit)
    assert 100 <= used < 107


async def test_what_is_refused_by_one_limit_leaves_no_trace_in_the_others(stage):
    wide, requests, tokens, at_once, narrow = (
        budget(1000),
        rate(10),
        rate(1000, 3600, unit="tokens"),
        rate(10, unit="concurrency"),
        budget(10),
    )
    limits = (wide, requests, tokens, at_once, narrow)
    for worker in (stage.counters, stage.other):
        refusal = await refused(worker, demand(*limits, nanos=11, tokens=5))
        assert refusal.limit == narrow
        assert refusal.reason == "spent"
    for limit in limits:
        assert await standing(stage, limit) == (0, 0)


async def test_a_refusal_says_what_is_used_up_and_until_when(stage):
    limit = budget(100)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=60)), nanos=60)
    await stage.flush()
    refusal = await refused(stage.other, demand(limit, nanos=41))
    assert (refusal.reason, refusal.used, refusal.reserved, refusal.remaining, refusal.asked) == (
        "spent",
        60,
        0,
        40,
        41,
    )
    assert refusal.resets_at == seconds("2026-09-01T00:00:00")
    assert refusal.retry_after_s == refusal.resets_at - stage.clock.now


async def test_a_refusal_says_when_only_reservations_are_in_the_way(stage):
    limit = budget(100)
    grant = await admitted(stage.counters, demand(limit, nanos=60))
    refusal = await refused(stage.other, demand(limit, nanos=41))
    assert (refusal.reason, refusal.used, refusal.reserved, refusal.retry_after_s) == ("reserved", 0, 60, 1.0)
    assert refusal.is_only_reserved
    stage.finish(grant, nanos=5)
    await stage.flush()
    await admitted(stage.other, demand(limit, nanos=41))


async def test_a_worst_case_above_the_whole_cap_never_fits(stage):
    refusal = await refused(stage.counters, demand(budget(100), nanos=101))
    assert (refusal.reason, refusal.retry_after_s) == ("spent", None)


async def test_a_used_up_budget_refuses_even_what_is_free(stage):
    limit = budget(100)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=100)), nanos=100)
    await stage.flush()
    assert (await refused(stage.other, demand(limit))).reason == "spent"


async def test_a_raised_limit_admits_at_once_on_every_worker(stage):
    limit = budget(100)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=100)), nanos=100)
    await stage.flush()
    for worker in (stage.counters, stage.other):
        await refused(worker, demand(limit, nanos=10))
    raised = budget(200, id=limit.id)
    for worker in (stage.counters, stage.other):
        await admitted(worker, demand(raised, nanos=10))


async def test_settling_twice_charges_once(stage):
    limit = budget(100)
    grant = await admitted(stage.counters, demand(limit, nanos=50))
    for _ in range(3):
        stage.counters.settle(grant, Spent(nanos=20))
    await stage.flush()
    stage.counters.settle(grant, Spent(nanos=20))
    stage.counters.release(grant)
    assert await standing(stage, limit) == (20, 0)


async def test_a_released_request_never_happened(stage):
    limits = (budget(100), rate(10), rate(1000, unit="tokens"), rate(5, unit="concurrency"))
    grant = await admitted(stage.counters, demand(*limits, nanos=50, tokens=100))
    stage.counters.release(grant)
    stage.counters.settle(grant, Spent(nanos=20))
    for limit in limits:
        assert await standing(stage, limit) == (0, 0)


async def test_a_release_after_the_lease_changes_nothing_any_more(stage):
    limits = (budget(100), rate(10, 3600), rate(5, unit="concurrency"))
    grant = await admitted(stage.counters, demand(*limits, nanos=50, lease_s=10))
    stage.clock.now += 10
    assert [await standing(stage, limit) for limit in limits] == [(0, 0), (1, 0), (0, 0)]
    await admitted(stage.other, demand(*limits, nanos=30))
    stage.counters.release(grant)
    assert [await standing(stage, limit) for limit in limits] == [(0, 30), (2, 0), (0, 1)]


async def test_a_free_answer_counts_as_a_request_and_costs_nothing(stage):
    money, requests, tokens, total = budget(100), rate(10), rate(1000, unit="tokens"), budget(9, unit="requests")
    stage.finish(await admitted(stage.counters, demand(money, requests, tokens, total, nanos=50, tokens=100)))
    assert [await standing(stage, limit) for limit in (money, requests, tokens, total)] == [
        (0, 0),
        (1, 0),
        (0, 0),
        (1, 0),
    ]


async def test_a_lapsed_lease_gives_back_and_is_still_charged_exactly_once(stage):
    limit, at_once = budget(100), rate(1, unit="concurrency")
    grant = await admitted(stage.counters, demand(limit, at_once, nanos=100, lease_s=60))
    stage.clock.now += 59.9
    await refused(stage.other, demand(limit, nanos=1))
    stage.clock.now += 0.1
    second = await admitted(stage.other, demand(limit, at_once, nanos=30))
    assert await standing(stage, limit) == (0, 30)
    for _ in range(2):
        stage.counters.settle(grant, Spent(nanos=70))
    assert await standing(stage, limit) == (70, 30)
    assert await standing(stage, at_once) == (0, 1)
    stage.finish(second, stage.other, nanos=30)
    assert await standing(stage, limit) == (100, 0)


async def test_a_renewed_lease_holds(stage):
    limit = budget(100)
    grant = await admitted(stage.counters, demand(limit, nanos=100, lease_s=60))
    for _ in range(5):
        stage.clock.now += 45
        stage.counters.renew(grant)
        await stage.flush()
        await refused(stage.other, demand(limit, nanos=1))
    stage.clock.now += 60
    await admitted(stage.other, demand(limit, nanos=1))
    stage.counters.renew(grant)  # too late: it has lapsed
    assert await standing(stage, limit) == (0, 1)


async def test_a_settlement_counts_in_the_period_of_admission(stage):
    limit = budget(100)
    stage.clock.move_to("2026-08-31T23:59:59")
    grant = await admitted(stage.counters, demand(limit, nanos=80))
    stage.clock.move_to("2026-09-01T00:00:00")
    assert await standing(stage, limit) == (0, 0)
    await admitted(stage.other, demand(limit, nanos=100))
    stage.finish(grant, nanos=70)
    assert await standing(stage, limit) == (0, 100)
    (august,) = await stage.other.history(Claim(limit))
    assert (august.used, august.reserved, august.start, august.resets_at) == (
        70,
        0,
        seconds("2026-08-01T00:00:00"),
        seconds("2026-09-01T00:00:00"),
    )


@pytest.mark.parametrize(
    "period, before, after",
    [
        (Period(kind="weekly", weekday=6), "2026-08-01T23:59:59.999", "2026-08-02T00:00:00"),
        (Period(kind="weekly", weekday=0), "2026-08-02T23:59:59.999", "2026-08-03T00:00:00"),
        (MONTH, "2026-08-31T23:59:59.999", "2026-09-01T00:00:00"),
        (Period(kind="days", days=1), "2026-08-31T23:59:59.999", "2026-09-01T00:00:00"),
        (Period(kind="monthly", timezone="Europe/Berlin"), "2026-10-31T22:59:59.999", "2026-10-31T23:00:00"),
    ],
)
async def test_a_period_ends_at_its_edge(stage, period, before, after):
    limit = budget(100, period=period)
    stage.clock.move_to(before)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=100)), nanos=100)
    await stage.flush()
    await refused(stage.other, demand(limit, nanos=1))
    stage.clock.move_to(after)
    await admitted(stage.other, demand(limit, nanos=100))


async def test_periods_that_ended_while_nobody_was_there_are_not_missed(stage):
    limit = budget(100)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=100)), nanos=100)
    await stage.flush()
    await stage.restart()
    await refused(stage.counters, demand(limit, nanos=1))
    stage.clock.move_to("2026-12-03T10:00:00")
    await stage.restart()
    stage.finish(await admitted(stage.counters, demand(limit, nanos=40)), nanos=40)
    assert await standing(stage, limit) == (40, 0)
    history = await stage.counters.history(Claim(limit))
    assert [(usage.used, usage.start) for usage in history] == [(100, seconds("2026-08-01T00:00:00"))]


async def test_what_was_journaled_before_a_kill_is_charged_exactly_once(stage):
    limit, untouched = budget(2000), budget(1000)
    for nanos in (1, 20):
        stage.finish(await admitted(stage.counters, demand(limit, nanos=400)), nanos=nanos)
    await stage.flush()
    for nanos in (300, 1000):
        stage.finish(await admitted(stage.counters, demand(limit, nanos=nanos)), nanos=nanos)
    await stage.restart()
    await stage.restart()
    assert await standing(stage, limit) == (1321, 0)
    assert await standing(stage, untouched) == (0, 0)


async def test_groups_have_counters_of_their_own(stage):
    limit = budget(100)
    for group, nanos in (("ann", 60), ("bob|1", 90), ("(not set)", 5)):
        stage.finish(await admitted(stage.counters, demand(limit, group=group, nanos=90)), nanos=nanos)
    await stage.flush()
    await refused(stage.other, demand(limit, group="bob|1", nanos=11))
    await admitted(stage.other, demand(limit, group="ann", nanos=11))
    found = await stage.other.groups(limit)
    assert {group: (usage.used, usage.remaining) for group, usage in found.items()} == {
        "ann": (60, 29),
        "bob|1": (90, 10),
        "(not set)": (5, 95),
    }


async def test_a_reset_takes_what_is_used_and_leaves_reservations(stage):
    limit = budget(100)
    for group in ("ann", "bob"):
        stage.finish(await admitted(stage.counters, demand(limit, group=group, nanos=50)), nanos=50)
    await stage.flush()
    held = await admitted(stage.counters, demand(limit, group="ann", nanos=30))
    await stage.other.reset(limit, "ann")
    assert await standing(stage, limit, "ann") == (0, 30)
    assert await standing(stage, limit, "bob") == (50, 0)
    stage.finish(held, nanos=10)
    await stage.flush()
    await stage.other.reset(limit)
    assert await standing(stage, limit, "ann") == (0, 0)
    assert await standing(stage, limit, "bob") == (0, 0)
    assert [(event.kind, event.group) for event in stage.events if event.kind == "reset"] == [
        ("reset", "ann"),
        ("reset", "ann"),
        ("reset", "bob"),
    ]


async def test_soft_limits_count_and_never_refuse(stage):
    limit = budget(100, is_soft=True)
    for _ in range(3):
        stage.finish(await admitted(stage.counters, demand(limit, nanos=80)), nanos=80)
        await stage.flush()
    assert await standing(stage, limit) == (240, 0)


async def test_fifty_crossings_at_once_tell_each_threshold_once(stage):
    limit = budget(1000, alerts=(20, 40))
    workers = [stage.counters, stage.other]
    grants = [await admitted(workers[number % 2], demand(limit, nanos=1)) for number in range(50)]
    for number, grant in enumerate(grants):
        stage.finish(grant, workers[number % 2], nanos=1)
    await stage.flush()
    assert sorted((event.kind, event.threshold) for event in stage.events) == [("threshold", 20), ("threshold", 40)]


async def test_thresholds_are_told_again_after_a_raise_a_reset_and_in_the_next_period(stage):
    async def use(limit, nanos):
        stage.events.clear()
        stage.finish(await admitted(stage.counters, demand(limit, nanos=nanos)), nanos=nanos)
        await stage.flush()
        return [(event.kind, event.threshold, event.used) for event in stage.events]

    limit = budget(100, alerts=(50,))
    assert await use(limit, 49) == []
    assert await use(limit, 51) == [("threshold", 50, 100), ("exhausted", 100, 100)]
    raised = budget(200, id=limit.id, alerts=(50,))
    assert await use(raised, 1) == [("threshold", 50, 101)]
    assert await use(raised, 1) == []
    await stage.counters.reset(raised)
    assert await use(raised, 60) == [("threshold", 50, 60)]
    stage.clock.move_to("2026-09-02T00:00:00")
    assert await use(raised, 60) == [("threshold", 50, 60)]


async def test_amounts_beyond_what_a_double_can_hold_are_exact(stage):
    limit = budget(MAX_AMOUNT)
    large = 2**53 + 1
    for _ in range(3):
        stage.finish(await admitted(stage.counters, demand(limit, nanos=large)), nanos=large)
    await stage.flush()
    assert await standing(stage, limit) == (3 * large, 0)
    rest = MAX_AMOUNT - 3 * large
    refusal = await refused(stage.other, demand(limit, nanos=rest + 1))
    assert (refusal.reason, refusal.used) == ("spent", 3 * large)
    grant = await admitted(stage.other, demand(limit, nanos=rest - 1))
    refusal = await refused(stage.counters, demand(limit, nanos=2))
    assert (refusal.reason, refusal.reserved) == ("reserved", rest - 1)
    await admitted(stage.counters, demand(limit, nanos=1))
    stage.finish(grant, stage.other, nanos=rest - 1)
    assert await standing(stage, limit) == (MAX_AMOUNT - 1, 1)


@pytest.mark.parametrize("half", [5, 500_000_000, 10**9, 10**17])
async def test_sums_that_reach_the_cap_exactly_are_seen_as_such(stage, half):
    open_, strict = budget(2 * half, admission="open"), budget(2 * half)
    stage.finish(await admitted(stage.counters, demand(open_, strict, nanos=half)), nanos=half)
    await stage.flush()
    held = await admitted(stage.counters, demand(open_, strict, nanos=half))
    assert (await refused(stage.other, demand(open_))).reason == "reserved"
    assert (await refused(stage.other, demand(strict, nanos=1))).reason == "reserved"
    stage.finish(held, nanos=half - 1)
    await stage.flush()
    await admitted(stage.other, demand(open_, strict, nanos=1))
    refusal = await stage.other.adjust(
        await admitted(stage.other, demand(open_ := budget(2 * half), nanos=half)),
        demand(open_, nanos=1),
        Spent(nanos=2 * half),
    )
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "spent"


async def test_nothing_negative_is_charged(stage):
    limit = budget(100)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=50)), nanos=30)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=50)), nanos=-30)
    assert await standing(stage, limit) == (30, 0)


async def test_no_limits_cost_no_question(stage):
    grant = await admitted(stage.counters, Demand(claims=()))
    stage.counters.settle(grant, Spent(nanos=1))
    stage.counters.release(grant)
    stage.counters.renew(grant)
    assert grant.holds == ()


class TestAttempts:
    """A request that goes from target to target."""

    A = staticmethod(lambda cap=100, **values: budget(cap, scope="provider", per_attempt=True, **values))

    async def test_a_used_up_target_does_not_stop_the_next_one(self, stage):
        key, first, second = budget(100), self.A(0), self.A(100)
        grant = await admitted(stage.counters, demand(key, nanos=10))
        refusal = await stage.counters.adjust(grant, demand(key, first, nanos=10), None)
        assert isinstance(refusal, Refusal)
        assert refusal.limit == first
        assert await standing(stage, key) == (0, 10)
        grant = await stage.counters.adjust(grant, demand(key, second, nanos=20), None)
        assert isinstance(grant, Grant)
        stage.finish(grant, nanos=15)
        assert [await standing(stage, limit) for limit in (key, first, second)] == [(15, 0), (0, 0), (15, 0)]

    async def test_a_paid_fallback_is_refused_when_the_key_has_run_out(self, stage):
        key, first, second = budget(100), self.A(), self.A()
        grant = await admitted(stage.counters, demand(key, first, nanos=60))
        refusal = await stage.counters.adjust(grant, demand(key, second, nanos=60), Spent(nanos=50))
        assert isinstance(refusal, Refusal)
        assert (refusal.limit, refusal.reason) == (key, "spent")
        stage.finish(grant, nanos=50)
        assert [await standing(stage, limit) for limit in (key, first, second)] == [(50, 0), (50, 0), (0, 0)]

    async def test_each_target_is_charged_its_own_attempts_and_the_key_all(self, stage):
        key, first, second = budget(1000), self.A(1000), self.A(1000)
        grant = await admitted(stage.counters, demand(key, first, nanos=60))
        for target, spent in ((first, 5), (second, 7), (first, 11)):
            grant = await stage.counters.adjust(grant, demand(key, target, nanos=60), Spent(nanos=spent))
            assert isinstance(grant, Grant)
        assert await standing(stage, key) == (0, 83)
        assert await standing(stage, first) == (0, 72)
        assert await standing(stage, second) == (0, 11)
        stage.finish(grant, nanos=13)
        assert [await standing(stage, limit) for limit in (key, first, second)] == [(36, 0), (25, 0), (11, 0)]

    async def test_rates_of_the_target_count_attempts_those_of_the_key_requests(self, stage):
        key, target = rate(10), rate(2, per_attempt=True)
        grant = await admitted(stage.counters, demand(key, target))
        grant = await stage.counters.adjust(grant, demand(key, target), Spent())
        assert isinstance(grant, Grant)
        refusal = await stage.counters.adjust(grant, demand(key, target), Spent())
        assert isinstance(refusal, Refusal)
        assert refusal.limit == target
        stage.finish(grant)
        assert [(await standing(stage, limit))[0] for limit in (key, target)] == [1, 2]

    async def test_a_target_that_was_never_tried_counts_nothing(self, stage):
        key, first, second = budget(100), rate(5, per_attempt=True), rate(5, unit="concurrency", per_attempt=True)
        grant = await admitted(stage.counters, demand(key, first, second, nanos=10))
        grant = await stage.counters.adjust(grant, demand(key, nanos=10), None)
        assert isinstance(grant, Grant)
        assert [await standing(stage, limit) for limit in (first, second)] == [(0, 0), (0, 0)]
        stage.counters.release(grant)
        assert await standing(stage, key) == (0, 0)

    async def test_an_adjusted_grant_whose_lease_had_lapsed_reserves_anew(self, stage):
        key = budget(100)
        grant = await admitted(stage.counters, demand(key, nanos=60, lease_s=10))
        stage.clock.now += 11
        thief = await admitted(stage.other, demand(key, nanos=90, lease_s=600))
        refusal = await stage.counters.adjust(grant, demand(key, nanos=60), None)
        assert isinstance(refusal, Refusal)
        assert refusal.reason == "reserved"
        stage.finish(thief, stage.other, nanos=10)
        await stage.flush()
        again = await stage.counters.adjust(grant, demand(key, nanos=60), None)
        assert isinstance(again, Grant)
        assert await standing(stage, key) == (10, 60)
        stage.finish(again, nanos=60)
        assert await standing(stage, key) == (70, 0)


def test_a_budget_of_this_suite_is_strict_by_default():
    assert Budget(id="b", scope="", name="", unit="nanos", cap=1).admission == "strict"


async def test_what_was_spent_without_a_reservation_is_charged_whatever_is_left(stage):
    limit, other = budget(100), budget(10, unit="requests")
    open_ = await stage.counters.reserve(demand(limit, nanos=60))
    grant = stage.counters.owe("batch.1-1", [Claim(limit), Claim(other), Claim(rate(5))])
    assert await standing(stage, limit) == (0, 60)
    for _ in range(2):
        stage.finish(grant, stage.counters, nanos=90, requests=4)
    assert await standing(stage, limit) == (90, 60)
    assert await standing(stage, other) == (4, 0)
    assert await standing(stage, rate(5)) == (0, 0)
    stage.finish(open_, stage.counters, nanos=50)
    assert await standing(stage, limit) == (140, 0)
    assert (await refused(stage.counters, demand(limit, nanos=1))).reason == "spent"


async def test_what_is_held_under_a_name_may_be_given_back_by_another_process_and_counts_until_then(stage):
    limit = budget(100)
    held = await stage.counters.hold("batch.a", demand(limit, nanos=70))
    assert held.id == "batch.a-1"
    assert isinstance(await stage.other.reserve(demand(limit, nanos=31)), Refusal)
    assert isinstance(await stage.other.hold("batch.b", demand(limit, nanos=31)), Refusal)
    stage.finish(await stage.other.reserve(demand(limit, nanos=30)), stage.other, nanos=10)
    assert await standing(stage, limit) == (10, 70)
    # many others come and go meanwhile
    for _ in range(5):
        stage.finish(await stage.counters.reserve(demand(limit, nanos=1)), stage.counters, nanos=1)
    stage.other.release(held)
    assert await standing(stage, limit) == (15, 0)
    stage.other.release(held)
    assert await standing(stage, limit) == (15, 0)


async def test_a_refusal_says_when_what_is_in_the_way_stays_for_hours(stage):
    limit, other = budget(100), budget(1000)
    held = await stage.counters.hold("batch.a", demand(limit, nanos=70, lease_s=26 * 3600.0))
    await stage.counters.hold("batch.b", demand(other, nanos=900, lease_s=26 * 3600.0))
    running = await admitted(stage.counters, demand(limit, nanos=20))
    behind_a_batch = await refused(stage.other, demand(limit, nanos=31))
    assert (behind_a_batch.reason, behind_a_batch.reserved, behind_a_batch.retry_after_s) == ("reserved", 90, None)
    behind_a_request = await refused(stage.other, demand(limit, nanos=30))
    assert (behind_a_request.reason, behind_a_request.retry_after_s) == ("reserved", 1.0)
    stage.other.release(held)
    await stage.flush()
    assert (await refused(stage.counters, demand(limit, nanos=81))).retry_after_s == 1.0
    stage.finish(running, nanos=5)


async def test_what_was_charged_is_known_whatever_was_reset(stage):
    limit = budget(100)
    for group in ("ann", "bob|1"):
        stage.finish(await admitted(stage.counters, demand(limit, group=group, nanos=50)), nanos=40)
    await stage.flush()
    await stage.other.reset(limit, "ann")
    stage.finish(await admitted(stage.counters, demand(limit, group="ann", nanos=5)), nanos=5)
    await stage.flush()
    assert await standing(stage, limit, "ann") == (5, 0)
    start = int(seconds("2026-08-01T00:00:00"))
    places = [Charged(limit.id, group, start) for group in ("ann", "bob|1", "carl")]
    assert list(await stage.other.charged(places)) == [45, 40, 0]


async def test_what_a_counter_lacks_is_made_up_for(stage):
    limit = budget(100)
    stage.finish(await admitted(stage.counters, demand(limit, nanos=50)), nanos=40)
    await stage.flush()
    start, end = int(seconds("2026-08-01T00:00:00")), int(seconds("2026-09-01T00:00:00"))
    for _ in range(2):
        await stage.other.make_up(Charge(limit=limit.id, unit="nanos", amount=30, start=start, end=end))
    assert await standing(stage, limit) == (100, 0)
    await refused(stage.counters, demand(limit, nanos=1))
