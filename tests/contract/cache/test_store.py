"""What every cache store promises."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lockgate.core.cached import CachedReply
from lockgate.core.record import TokenCounts

REPLY = CachedReply(
    body=b'{"content":"\xc3\xa9"}',
    created_at=12.5,
    provider="anthropic",
    model="claude",
    tokens=TokenCounts(input=1, output=2),
)
OTHER = msgspec.structs.replace(REPLY, body=b"{}")


async def test_an_answer_is_there_for_all_who_share_the_store(stage):
    assert await stage.store.get("k") is None
    await stage.store.put("k", REPLY, 60)
    assert await stage.store.get("k") == REPLY
    assert await stage.other.get("k") == REPLY
    assert await stage.store.get("other") is None


async def test_a_newer_answer_takes_the_place_of_an_older_one(stage):
    await stage.store.put("k", REPLY, 60)
    await stage.other.put("k", OTHER, 60)
    assert await stage.store.get("k") == OTHER


async def test_an_answer_is_gone_when_it_is_too_old_in_seconds(stage):
    await stage.store.put("k", REPLY, 60)
    await stage.store.put("long", REPLY, 120)
    await stage.age(59)
    assert await stage.store.get("k") == REPLY
    await stage.age(2)
    assert await stage.store.get("k") is None
    assert await stage.store.get("long") == REPLY


async def test_an_answer_that_is_too_large_is_not_kept_nor_is_the_one_before_it(stage):
    await stage.store.put("k", REPLY, 60)
    await stage.store.put("k", msgspec.structs.replace(REPLY, body=b"x" * 1001), 60)
    assert await stage.store.get("k") is None
    await stage.store.put("k", msgspec.structs.replace(REPLY, body=b"x" * 1000), 60)
    assert len((await stage.store.get("k")).body) == 1000


async def test_one_leads_and_the_others_get_its_answer(stage):
    leader = await stage.store.join("k")
    followers = [await store.join("k") for store in (stage.store, stage.other, stage.other)]
    assert [leader.leads, *(flight.leads for flight in followers)] == [True, False, False, False]
    waiting = [asyncio.ensure_future(flight.landed(30)) for flight in followers]
    await asyncio.sleep(0)
    await stage.store.put("k", REPLY, 60)
    await leader.land(REPLY)
    assert await asyncio.gather(*waiting) == [REPLY, REPLY, REPLY]


async def test_followers_of_a_leader_without_an_answer_are_let_go(stage):
    leader = await stage.store.join("k")
    followers = [await store.join("k") for store in (stage.store, stage.other, stage.other)]
    waiting = [asyncio.ensure_future(flight.landed(30)) for flight in followers]
    await asyncio.sleep(0)
    await leader.land(None)
    assert await asyncio.gather(*waiting) == [None, None, None]


async def test_when_a_flight_is_over_the_next_one_leads(stage):
    for store in (stage.store, stage.other, stage.store):
        flight = await store.join("k")
        assert flight.leads
        await flight.land(None)
        await flight.land(REPLY)


async def test_who_joins_when_the_answer_has_just_been_put_there_gets_it(stage):
    for store in (stage.store, stage.other):
        assert await store.get("k") is None
    leader = await stage.store.join("k")
    await stage.store.put("k", REPLY, 60)
    await leader.land(REPLY)
    for store in (stage.store, stage.other):
        late = await store.join("k")
        assert (late.leads, await late.landed(30)) == (False, REPLY)
        await late.land(None)
    assert (await stage.other.join("another")).leads


async def test_flights_of_other_keys_are_other_flights(stage):
    assert (await stage.store.join("a")).leads
    assert (await stage.store.join("b")).leads
    assert (await stage.other.join("c")).leads


async def test_who_waits_too_long_goes_alone(stage):
    leader = await stage.store.join("k")
    for store in (stage.store, stage.other):
        flight = await store.join("k")
        assert await flight.landed(0.01) is None
    await leader.land(None)


@pytest.mark.parametrize("number", [1, 2])
async def test_a_follower_that_leaves_disturbs_nobody(stage, number):
    leader = await stage.store.join("k")
    flights = [await stage.other.join("k") for _ in range(3)]
    waiting = [asyncio.ensure_future(flight.landed(30)) for flight in flights]
    await asyncio.sleep(0)
    waiting[number].cancel()
    await asyncio.gather(waiting[number], return_exceptions=True)
    await stage.store.put("k", REPLY, 60)
    await leader.land(REPLY)
    rest = [task for at, task in enumerate(waiting) if at != number]
    assert await asyncio.gather(*rest) == [REPLY, REPLY]


async def test_many_at_once_cost_one_answer(stage):
    made = 0

    async def ask(store):
        nonlocal made
        found = await store.get("k")
        if found is not None:
            return found
        flight = await store.join("k")
        if not flight.leads:
            found = await flight.landed(30)
            assert found is not None
            return found
        made += 1
        try:
            await asyncio.sleep(0.05)
            await store.put("k", REPLY, 60)
        finally:
            await flight.land(REPLY)
        return REPLY

    answers = await asyncio.gather(*(ask(store) for _ in range(20) for store in (stage.store, stage.other)))
    assert answers == [REPLY] * 40
    assert made == 1
