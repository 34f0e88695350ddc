"""How an answer ends for the one who reads it."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.errors import Broken, Malformed
from lockgate.ports import UpstreamResponse
from lockgate.transport.response import HttpResponse
from tests.unit.transport.test_connection import CUT, LENGTH, Rig


def answer(wire: bytes, *, ends: bool = False) -> tuple[Rig, HttpResponse]:
    """An answer that has arrived this far."""
    rig = Rig()
    rig.feed(wire)
    if ends:
        rig.end()
    return rig, HttpResponse(rig.connection)


def test_it_implements_the_port():
    _, response = answer(LENGTH)
    as_port: UpstreamResponse = response
    assert (as_port.status, as_port.headers) == (200, [(b"content-length", b"5")])


def test_reading_to_the_end_gives_the_connection_back_once():
    rig, response = answer(LENGTH)
    assert asyncio.run(response.read(5)) == b"hello"
    assert rig.owner.kept == 1
    response.close()
    assert asyncio.run(response.next_chunk()) == b""
    assert (rig.owner.kept, rig.owner.forgotten) == (1, 0)


def test_the_connection_is_kept_until_the_end_was_seen():
    rig, response = answer(LENGTH)
    assert asyncio.run(response.next_chunk()) == b"hello"
    assert rig.owner.kept == 0
    assert asyncio.run(response.next_chunk()) == b""
    assert rig.owner.kept == 1


def test_closing_before_the_end_drops_the_connection():
    rig, response = answer(CUT)
    response.close()
    response.close()
    assert rig.transport.is_aborted
    assert rig.owner.kept == 0
    with pytest.raises(Broken):
        asyncio.run(response.next_chunk())


def test_a_complete_answer_beyond_the_limit_is_malformed():
    rig, response = answer(LENGTH)
    with pytest.raises(Malformed, match="longer than 4 bytes"):
        asyncio.run(response.read(4))
    assert rig.connection.size == 0


def test_what_came_before_a_break_is_given_out_before_the_error():
    _, response = answer(CUT, ends=True)
    assert asyncio.run(response.next_chunk()) == b"hel"
    for _ in range(2):
        with pytest.raises(Broken):
            asyncio.run(response.next_chunk())


def test_reading_a_broken_answer_whole_gives_nothing_but_the_error():
    _, response = answer(CUT, ends=True)
    for _ in range(2):
        with pytest.raises(Broken):
            asyncio.run(response.read(100))
