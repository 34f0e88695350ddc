"""The byte bound of the cache in memory; what every store promises is in the contract suite."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.cached import CachedReply
from lockgate.store.cache_memory import MemoryCache


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now


def reply(size: int) -> CachedReply:
    return CachedReply(body=b"x" * size, created_at=0.0)


def kept(cache: MemoryCache, *keys: str) -> str:
    return "".join(key for key in keys if asyncio.run(cache.get(key)))


def test_what_was_not_used_for_longest_makes_room():
    cache = MemoryCache(Clock(), most_bytes=3 * 2024)
    for key in "abc":
        asyncio.run(cache.put(key, reply(1000), 60))
    assert kept(cache, "a") == "a"
    asyncio.run(cache.put("d", reply(1000), 60))
    assert kept(cache, *"abcd") == "acd"
    assert cache.size_bytes == 3 * 2024


def test_an_answer_that_ran_out_makes_room_when_it_is_asked_for():
    clock = Clock()
    cache = MemoryCache(clock)
    asyncio.run(cache.put("a", reply(10), 60))
    clock.now = 60.0
    assert kept(cache, "a") == ""
    assert (len(cache), cache.size_bytes) == (0, 0)


@pytest.mark.parametrize("size, expected", [(100, "a"), (101, "")])
def test_an_entry_has_a_largest_size(size, expected):
    cache = MemoryCache(Clock(), most_entry_bytes=100)
    asyncio.run(cache.put("a", reply(size), 60))
    assert kept(cache, "a") == expected


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5000), st.booleans()), max_size=40))
def test_the_bound_holds_and_the_sum_is_right(steps):
    cache = MemoryCache(Clock(), most_bytes=10_000, most_entry_bytes=4000)
    for key, size, is_put in steps:
        asyncio.run(cache.put(key, reply(size), 60) if is_put else cache.get(key))
        assert cache.size_bytes <= 10_000
        assert cache.size_bytes == sum(len(found.body) + 1024 for found, _ in cache._kept.values())
