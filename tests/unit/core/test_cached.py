"""Answers survive being kept; what is no kept answer is not one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.cached import VERSION, CachedReply, read_cached, write_cached
from lockgate.core.record import TokenCounts

REPLY = CachedReply(
    body=b'{"a":"\xc3\xa9"}',
    created_at=1.5,
    provider="anthropic",
    model="m",
    tokens=TokenCounts(input=3, output=4),
    dropped=("seed",),
    adjusted=("temperature: 1 sent",),
)


def test_an_answer_survives():
    assert read_cached(write_cached(REPLY)) == REPLY


def test_names_count_for_its_size():
    assert REPLY.size_bytes == len(REPLY.body) + len("seed") + len("temperature: 1 sent")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        write_cached(REPLY)[:-1],
        write_cached(REPLY) + b"x",
        msgspec.msgpack.encode([VERSION + 1, REPLY]),
        msgspec.msgpack.encode([VERSION, {"body": "text"}]),
    ],
)
def test_what_is_no_kept_answer(data):
    assert read_cached(data) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_none(data):
    read_cached(data)
