"""The shared cache when its server fails: it is an empty cache, and soon is not even asked."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import OutOfMemoryError

from lockgate.core.cached import CachedReply, write_cached
from lockgate.store.cache_redis import RedisCache

REPLY = CachedReply(body=b"{}", created_at=0.0)


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now


class Client:
    """Answers each command with what the test says."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked = 0

    def __getattr__(self, name: str):
        async def command(*arguments, **options):
            self.asked += 1
            if isinstance(self.answer, type) and issubclass(self.answer, BaseException):
                raise self.answer("no")
            if self.answer == "never":
                await asyncio.Event().wait()
            return self.answer

        return command


@pytest.mark.parametrize("answer", [Refused, OSError, OutOfMemoryError, "never"])
def test_a_server_that_fails_is_an_empty_cache_and_is_left_alone_for_a_while(answer):
    async def run():
        clock, client = Clock(), Client(answer)
        cache = RedisCache(client, clock, timeout_s=0.01)
        assert await cache.get("k") is None
        await cache.put("k", REPLY, 60)
        assert (await cache.join("k")).leads
        assert (client.asked, cache.failures) == (1, 1)
        clock.now += 1.0
        client.answer = write_cached(REPLY)
        assert await cache.get("k") == REPLY
        assert client.asked == 2

    asyncio.run(run())


@pytest.mark.parametrize("data", [None, b"", b"{}", write_cached(REPLY)[:-1]])
def test_what_is_no_answer_is_a_miss(data):
    assert asyncio.run(RedisCache(Client(data), Clock()).get("k")) is None


def test_a_caller_that_leaves_while_it_joins_leaves_no_flight_behind():
    async def run():
        cache = RedisCache(Client("never"), Clock(), timeout_s=30)
        joining = asyncio.ensure_future(cache.join("k"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        joining.cancel()
        await asyncio.gather(joining, return_exceptions=True)
        return cache._flights._running

    assert asyncio.run(run()) == {}
