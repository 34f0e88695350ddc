"""Flights within a process; what holds for every store is in the contract suite."""

from __future__ import annotations

import asyncio

from lockgate.core.cached import CachedReply
from lockgate.store.flights import Flights

REPLY = CachedReply(body=b"{}", created_at=0.0)


def test_only_who_leads_can_land():
    async def run():
        flights = Flights()
        leader, follower = flights.join("k"), flights.join("k")
        await follower.land(REPLY)
        assert await follower.landed(0) is None
        await leader.land(REPLY)
        return await follower.landed(0)

    assert asyncio.run(run()) == REPLY


def test_a_flight_that_is_over_does_not_end_the_next_one():
    async def run():
        flights = Flights()
        first = flights.join("k")
        await first.land(None)
        second, follower = flights.join("k"), flights.join("k")
        await first.land(REPLY)
        assert (second.leads, follower.leads) == (True, False)
        await second.land(None)
        return len(flights._running)

    assert asyncio.run(run()) == 0
