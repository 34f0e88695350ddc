"""Rates: one window for all workers, exact rooms and waits, estimates corrected, debts of one window."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.core.limits import Claim, Grant, Spent
from tests.contract.counters.stage import admitted, budget, demand, rate, refused, seconds, standing


async def count_admitted(stage, limit, callers, **amounts):
    """Ask at once from both workers; return how many were admitted."""
    workers = [stage.counters, stage.other]
    answers = await asyncio.gather(
        *[workers[number % 2].reserve(demand(limit, **amounts)) for number in range(callers)]
    )
    return sum(isinstance(answer, Grant) for answer in answers)


@pytest.mark.parametrize("window_s", [1, 60, 3600, 86400, 604800])
async def test_all_workers_share_one_window(stage, window_s):
    assert await count_admitted(stage, rate(10, window_s), 50) == 10


@pytest.mark.parametrize(
    "window_s, before, after",
    [
        (3600, "2026-08-05T12:59:59.999", "2026-08-05T13:00:00"),
        (86400, "2026-08-05T23:59:59.999", "2026-08-06T00:00:00"),
        (604800, "2026-08-09T23:59:59.999", "2026-08-10T00:00:00"),
    ],
)
async def test_a_long_window_ends_at_its_edge(stage, window_s, before, after):
    limit = rate(10, window_s)
    stage.clock.move_to(before)
    assert await count_admitted(stage, limit, 11) == 10
    refusal = await refused(stage.other, demand(limit))
    assert (refusal.reason, refusal.used, refusal.remaining) == ("rate", 10, 0)
    assert refusal.resets_at == seconds(after)
    assert refusal.retry_after_s == pytest.approx(0.001, abs=1e-6)
    stage.clock.move_to(after)
    assert await count_admitted(stage, limit, 11) == 10


async def test_no_double_burst_fits_around_the_edge_of_a_short_window(stage):
    limit = rate(10, 60)
    stage.clock.move_to("2026-08-05T12:00:59")
    assert await count_admitted(stage, limit, 20) == 10
    stage.clock.move_to("2026-08-05T12:01:00")
    assert await count_admitted(stage, limit, 20) == 0
    stage.clock.move_to("2026-08-05T12:01:30")
    assert await count_admitted(stage, limit, 20) == 5


async def test_the_waiting_time_is_exact(stage):
    limit = rate(10, 60)
    stage.clock.move_to("2026-08-05T12:00:59")
    assert await count_admitted(stage, limit, 10) == 10
    refusal = await refused(stage.other, demand(limit))
    assert refusal.retry_after_s == 7.0
    stage.clock.now += refusal.retry_after_s - 0.001
    await refused(stage.other, demand(limit))
    stage.clock.now += 0.001
    await admitted(stage.other, demand(limit))


async def test_what_is_left_is_exact(stage):
    limit = rate(10, 60)
    stage.clock.move_to("2026-08-05T12:00:00")
    assert await count_admitted(stage, limit, 4) == 4
    stage.clock.move_to("2026-08-05T12:01:15")
    (usage,) = await stage.other.usage([Claim(limit)])
    assert (usage.used, usage.remaining) == (3, 7)
    assert usage.resets_at == seconds("2026-08-05T12:02:00")


@pytest.mark.parametrize("unit", ["requests", "tokens", "concurrency"])
async def test_a_cap_of_zero_blocks(stage, unit):
    refusal = await refused(stage.counters, demand(rate(0, unit=unit)))
    assert refusal.retry_after_s is None


async def test_tokens_are_estimated_at_admission_and_corrected_at_settlement(stage):
    limit = rate(1000, 60, unit="tokens")
    grant = await admitted(stage.counters, demand(limit, tokens=50_000, likely_tokens=800))
    await refused(stage.other, demand(limit, tokens=201))
    stage.finish(grant, tokens=300)
    assert await standing(stage, limit) == (300, 0)
    stage.finish(await admitted(stage.other, demand(limit, tokens=700)), stage.other, tokens=5000)
    assert await standing(stage, limit) == (5300, 0)
    await refused(stage.counters, demand(limit, tokens=0))


async def test_a_debt_of_tokens_is_carried_for_one_window(stage):
    limit = rate(1000, 3600, unit="tokens")
    stage.clock.move_to("2026-08-05T12:59:00")
    stage.finish(await admitted(stage.counters, demand(limit, tokens=900)), tokens=1400)
    await stage.flush()
    stage.clock.move_to("2026-08-05T13:00:00")
    assert await standing(stage, limit) == (400, 0)
    await refused(stage.other, demand(limit, tokens=601))
    await admitted(stage.other, demand(limit, tokens=600))
    stage.clock.move_to("2026-08-05T14:00:00")
    assert await standing(stage, limit) == (0, 0)


async def test_a_debt_is_never_more_than_a_window(stage):
    limit = rate(1000, 3600, unit="tokens")
    stage.finish(await admitted(stage.counters, demand(limit, tokens=900)), tokens=99_000)
    await stage.flush()
    stage.clock.now += 3600
    assert await standing(stage, limit) == (1000, 0)
    await admitted(stage.other, demand(limit, tokens=0))
    await refused(stage.other, demand(limit, tokens=1))
    stage.clock.now += 3600
    await admitted(stage.other, demand(limit, tokens=1000))


async def test_a_settlement_after_the_window_corrects_the_window_of_admission(stage):
    limit = rate(1000, 3600, unit="tokens")
    stage.clock.move_to("2026-08-05T12:59:59")
    grant = await admitted(stage.counters, demand(limit, tokens=900))
    stage.clock.move_to("2026-08-05T13:00:01")
    stage.finish(grant, tokens=1200)
    assert await standing(stage, limit) == (200, 0)


async def test_concurrency_is_given_back_when_a_request_ends(stage):
    limit = rate(2, unit="concurrency")
    first = await admitted(stage.counters, demand(limit))
    await admitted(stage.other, demand(limit))
    refusal = await refused(stage.other, demand(limit))
    assert (refusal.reason, refusal.reserved, refusal.retry_after_s) == ("rate", 2, 1.0)
    stage.finish(first)
    await stage.flush()
    await admitted(stage.other, demand(limit))
    assert await standing(stage, limit) == (0, 2)


async def test_concurrency_of_a_process_that_died_comes_back_with_its_leases(stage):
    limit = rate(2, unit="concurrency")
    for _ in range(2):
        await admitted(stage.counters, demand(limit, lease_s=30))
    stage.clock.now += 30
    await admitted(stage.other, demand(limit))


async def test_rates_refuse_before_budgets_whatever_the_order(stage):
    refusal = await refused(stage.counters, demand(budget(0), rate(0), nanos=1))
    assert refusal.reason == "rate"


async def test_a_request_that_ran_over_its_lease_still_corrects_its_tokens(stage):
    limit = rate(1000, 3600, unit="tokens")
    grant = await admitted(stage.counters, demand(limit, tokens=900, lease_s=5))
    stage.clock.now += 10
    assert await standing(stage, limit) == (900, 0)
    for _ in range(2):
        stage.counters.settle(grant, Spent(tokens=100))
    assert await standing(stage, limit) == (100, 0)


async def test_windows_are_kept_over_a_restart_when_they_are_long(stage):
    limit = rate(3, 86400)
    for _ in range(3):
        stage.finish(await admitted(stage.counters, demand(limit)))
    await stage.flush()
    await stage.restart()
    await refused(stage.counters, demand(limit))
