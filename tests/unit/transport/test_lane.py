"""Slots and queues of one origin: no slot is lost and none is made, whatever order things happen in."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.http import Origin
from lockgate.errors import Unreachable
from lockgate.transport.dialer import Route
from lockgate.transport.lane import Lane

ROUTE = Route(origin=Origin(scheme="http", host="api.example", port=80))


class FakeConnection:
    """A connection that knows its lane and nothing else."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.last_at = 0.0

    def drop(self) -> None:
        self.lane.forget(self)


def new_lane(limit: int = 2, idle_s: float = 60.0) -> Lane:
    """A lane on the running loop."""
    return Lane(ROUTE, loop=asyncio.get_running_loop(), limit=limit, idle_s=idle_s)


async def open_one(lane: Lane) -> FakeConnection:
    """Take a slot and put a connection on it."""
    assert await lane.reserve() is None
    connection = FakeConnection(lane)
    lane.add(connection)
    return connection


def play(scenario):
    """Run a coroutine function as a test."""

    def test():
        asyncio.run(scenario())

    return test


@play
async def test_the_last_one_used_is_lent_first():
    lane = new_lane()
    one, two = await open_one(lane), await open_one(lane)
    lane.keep(one)
    lane.keep(two)
    assert (lane.active, lane.idle) == (0, 2)
    assert lane.take(1.0) is two
    assert lane.take(1.0) is one
    assert lane.take(1.0) is None
    lane.close()


@play
async def test_an_old_one_is_dropped_instead_of_lent():
    lane = new_lane(idle_s=10.0)
    lane.keep(await open_one(lane))
    assert lane.take(10.0) is None
    assert lane.is_empty
    lane.close()


@play
async def test_forgetting_twice_frees_one_slot():
    lane = new_lane()
    one = await open_one(lane)
    await open_one(lane)
    one.drop()
    one.drop()
    assert lane.active == 1


@play
async def test_replacing_holds_the_slot():
    lane = new_lane(limit=1)
    one = await open_one(lane)
    waiter = asyncio.get_running_loop().create_task(lane.reserve())
    await asyncio.sleep(0)
    lane.replace(one)
    assert (lane.active, waiter.done()) == (1, False)
    lane.give_up()
    assert await waiter is None
    assert lane.active == 1


@play
async def test_closing_turns_away_who_waits():
    lane = new_lane(limit=1)
    await open_one(lane)
    waiter = asyncio.get_running_loop().create_task(lane.reserve())
    await asyncio.sleep(0)
    lane.close()
    with pytest.raises(Unreachable):
        await waiter
    assert lane.is_empty


STEPS = st.lists(st.sampled_from(["ask", "ask", "finish", "drop", "lose", "cancel", "turn"]), max_size=60)


@given(STEPS, st.integers(1, 3))
def test_slots_add_up_after_any_history(steps, limit):
    asyncio.run(history(steps, limit))


async def history(steps: list[str], limit: int) -> None:
    """Play a history of requests on one lane and count along."""
    lane = new_lane(limit)
    loop = asyncio.get_running_loop()
    asking: list[asyncio.Task] = []
    held: list[FakeConnection] = []
    everyone: list[FakeConnection] = []

    async def request() -> FakeConnection:
        connection = lane.take(1.0)
        while connection is None:
            connection = await lane.reserve()
            if connection is None:
                connection = FakeConnection(lane)
                lane.add(connection)
                everyone.append(connection)
            elif not lane.owns(connection):
                connection = None
        return connection

    def collect() -> None:
        for task in [task for task in asking if task.done()]:
            asking.remove(task)
            if not task.cancelled():
                held.append(task.result())

    for step in steps:
        collect()
        if step == "ask":
            asking.append(loop.create_task(request()))
        elif step == "finish" and held:
            lane.keep(held.pop(0))
        elif step == "drop" and held:
            held.pop(0).drop()
        elif step == "lose" and everyone:
            everyone[len(held) % len(everyone)].drop()
        elif step == "cancel" and asking:
            asking[0].cancel()
        elif step == "turn":
            await asyncio.sleep(0)
        assert lane.active + lane.idle <= limit

    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    collect()
    for connection in held:
        if lane.owns(connection):
            lane.keep(connection)
    assert lane.active == 0
    assert lane.idle <= limit
    lane.close()
    assert lane.is_empty
