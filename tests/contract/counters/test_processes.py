"""Processes of their own with two hundred callers, and one that is killed: the cap holds, the money is exact."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

from lockgate.core.limits import Budget, LedgerEntry, Period, Spent, charges_of
from tests.contract.counters.stage import admitted, demand, standing

WORKER = """
import asyncio, sys
from lockgate.core.limits import Budget, Claim, Demand, Grant, Period, Spent, charges_of
from lockgate.store.counters_redis import RedisCounters
from lockgate.telemetry.clock import SystemClock

url, namespace, mode = sys.argv[1:]
limit = Budget(id="shared", scope="key", name="k", unit="nanos", cap=100, period=Period())


async def call(counters, number):
    grant = await counters.reserve(Demand(claims=(Claim(limit),), nanos=1, lease_s=60.0))
    if isinstance(grant, Grant):
        if mode == "holds":
            return 1
        await asyncio.sleep(0)
        counters.settle(grant, Spent(nanos=1))
        return 1
    return 0


async def main():
    counters = RedisCounters(url, SystemClock(), namespace=namespace, deadline_s=20.0)
    found = await asyncio.gather(*[call(counters, number) for number in range(100)])
    await counters.flush()
    print(sum(found), counters.blind, flush=True)
    if mode == "holds":
        await asyncio.sleep(60)
    await counters.close()


asyncio.run(main())
"""
SHARED = Budget(id="shared", scope="key", name="k", unit="nanos", cap=100, period=Period())


def start(stage, mode):
    """Start a process with a hundred callers."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, stage.url, stage.namespace, mode], stdout=subprocess.PIPE, text=True
    )


async def line_of(process):
    """Wait for what a process says."""
    return [int(word) for word in (await asyncio.to_thread(process.stdout.readline)).split()]


async def test_two_processes_share_one_cap(redis_stage):
    stage = redis_stage
    processes = [start(stage, "settles") for _ in range(2)]
    answers = [await line_of(process) for process in processes]
    assert [await asyncio.to_thread(process.wait, 30) for process in processes] == [0, 0]
    for process in processes:
        process.stdout.close()
    assert sum(count for count, _ in answers) == 100
    assert [blind for _, blind in answers] == [0, 0]
    assert await standing(stage, SHARED) == (100, 0)


async def test_what_a_killed_process_held_comes_back_and_what_it_journaled_is_charged(redis_stage):
    stage = redis_stage
    process = start(stage, "holds")
    assert await line_of(process) == [100, 0]
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 30)
    process.stdout.close()
    stage.clock.now = time.time() - 1
    assert await standing(stage, SHARED) == (0, 100)
    stage.clock.now += 3600
    grant = await admitted(stage.counters, demand(SHARED, nanos=40))
    entry = LedgerEntry(grant="killed-7", charges=charges_of(grant, Spent(nanos=30)))
    stage.counters.release(grant)
    await stage.flush()
    for worker in (stage.counters, stage.other, stage.counters):
        await worker.replay([entry])
    assert await standing(stage, SHARED) == (30, 0)
