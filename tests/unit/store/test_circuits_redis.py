"""Shared circuits when their server fails, and how much they keep; what they promise is in the contract suite."""

from __future__ import annotations

import asyncio

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lockgate.routing.breaker import BreakerPolicy, Observation
from lockgate.store import circuits_redis
from lockgate.store.circuits_redis import RedisCircuits
from lockgate.store.valkey import PrivateValkey
from tests.contract.circuits.stage import Clock

POLICY = BreakerPolicy(cooldown_s=60, failures=2)


def failure(path="p"):
    return Observation(path=path, policy=POLICY, is_failure=True)


def nobody():
    """A client of a server that is not there."""
    once = Retry(NoBackoff(), 0)
    return redis.asyncio.Redis(unix_socket_path="/nowhere/at/all", decode_responses=True, retry=once)


def test_without_the_server_a_process_counts_for_itself_and_the_log_says_so_once(caplog):
    async def run():
        circuits = RedisCircuits(nobody(), Clock())
        for _ in range(2):
            circuits.observe("o", failure(), 1000.0)
            assert not await circuits.exchange()
        assert circuits.is_open("o", "p", POLICY, 1000.0)
        assert not circuits.is_open("o", "q", POLICY, 1000.0)

    asyncio.run(run())
    assert [record.message for record in caplog.records] == [
        "circuits are not shared, their server does not answer: ConnectionError"
    ]


def test_what_waits_to_be_told_is_bounded(monkeypatch):
    monkeypatch.setattr(circuits_redis, "_MOST_WAITING", 3)

    async def run():
        circuits = RedisCircuits(nobody(), Clock())
        for number in range(9):
            circuits.observe("o", failure(str(number)), 1000.0)
        assert len(circuits._waiting) == 3

    asyncio.run(run())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = PrivateValkey(tmp_path_factory.mktemp("v"))
    yield server.url
    server.stop()


def test_the_server_keeps_a_bounded_number_of_circuits_and_none_for_ever(monkeypatch, server):
    monkeypatch.setattr(circuits_redis, "MAX_CIRCUITS", 5)

    async def run():
        async with redis.asyncio.Redis.from_url(server, decode_responses=True) as client:
            circuits = RedisCircuits(client, Clock())
            for number in range(20):
                circuits.observe("o", failure(str(number)), 1000.0)
            assert await circuits.exchange()
            kept = [name for name in await client.keys("*") if not name.endswith((":open", ":all"))]
            assert len(kept) == 5
            assert all([0 < await client.pttl(name) <= 60_000 for name in kept])

    asyncio.run(run())


def test_tending_tells_what_comes_and_asks_nothing_before(server):
    async def run():
        async with redis.asyncio.Redis.from_url(server, decode_responses=True) as client:
            await client.flushall()
            one, other = RedisCircuits(client, Clock()), RedisCircuits(client, Clock())
            tasks = [asyncio.create_task(book.tend()) for book in (one, other)]
            await asyncio.sleep(0)
            assert await client.dbsize() == 0
            assert not other.is_open("o", "p", POLICY, 1000.0)
            for _ in range(2):
                one.observe("o", failure(), 1000.0)
            async with asyncio.timeout(20):
                while not other.is_open("o", "p", POLICY, 1000.0):
                    await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()

    asyncio.run(run())
