"""Connections that end too early: at every byte, by FIN and by RST."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.errors import Broken, Unreachable
from tests.contract.upstream.stage import drain, every_kind, ours_only, stage

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\nX: y\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\nhello, world"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\nhello, world"
WIRES = pytest.mark.parametrize(
    "wire", [LENGTH, CHUNKED, INTERIM, CLOSING, OLD], ids=["length", "chunked", "interim", "closing", "HTTP/1.0"]
)
ENDINGS = pytest.mark.parametrize("ending", ["close", "reset"])


def cuts_at_each_byte(wire: bytes, ending: str):
    """A script whose nth connection sends n bytes of the answer and then ends."""

    async def script(peer):
        await peer.request()
        if peer.number:
            await peer.send(wire[: peer.number])
        if ending == "reset":
            peer.reset()

    return script


@WIRES
@ENDINGS
@every_kind
async def test_an_answer_cut_at_any_byte_is_broken(kind, wire, ending):
    head_size = wire.rindex(b"\r\n\r\n" if wire is not CHUNKED else b"\r\n\r\n5\r\n") + 4
    async with stage(kind, cuts_at_each_byte(wire, ending)) as at:
        for cut in range(len(wire)):
            if cut < head_size:
                with pytest.raises(Broken):
                    await at.send()
                continue
            try:
                response = await at.send()
            except Broken:
                assert ending == "reset"  # a reset may overtake the bytes before it
                continue
            chunks, error = await drain(response)
            assert isinstance(error, Broken), cut
            assert b"hello, world".startswith(b"".join(chunks))
        assert at.server.connections == len(wire)


@every_kind
async def test_what_came_before_the_break_is_delivered_first(kind):
    async def script(peer):
        await peer.request()
        await peer.send(LENGTH[:-7])

    async with stage(kind, script) as at:
        chunks, error = await drain(await at.send())
        assert b"".join(chunks) == b"hello"
        assert isinstance(error, Broken)


@every_kind
async def test_reading_a_cut_answer_whole_is_broken_too(kind):
    async def script(peer):
        await peer.request()
        await peer.send(LENGTH[:-7])

    async with stage(kind, script) as at:
        response = await at.send()
        with pytest.raises(Broken):
            await response.read(100)


@ours_only("takes a reset for the end of such a body")
async def test_a_reset_does_not_complete_a_body_that_ends_with_the_connection(kind):
    may_reset = asyncio.Event()

    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await may_reset.wait()
        peer.reset()

    async with stage(kind, script) as at:
        response = await at.send()
        assert await response.next_chunk() == b"hello"
        may_reset.set()
        for _ in range(2):
            with pytest.raises(Broken):
                await response.next_chunk()


@ENDINGS
@every_kind
async def test_no_answer_at_all_is_broken_and_not_repeated(kind, ending):
    async with stage(kind, cuts_at_each_byte(LENGTH, ending)) as at:
        with pytest.raises(Broken):
            await at.send()
        assert len(at.server.requests) == 1


@every_kind
async def test_a_closed_port_is_unreachable(kind):
    async with stage(kind, cuts_at_each_byte(LENGTH, "close")) as at:
        async with stage(kind, cuts_at_each_byte(LENGTH, "close")) as other:
            gone = other.origin
        with pytest.raises(Unreachable):
            await at.send(origin=gone)


@every_kind
async def test_an_end_is_an_end_however_often_one_asks(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(LENGTH)

    async with stage(kind, script) as at:
        response = await at.send()
        assert await response.read(100) == b"hello, world"
        assert await response.next_chunk() == b""
        assert await response.read(100) == b""
        response.close()
        response.close()


@ours_only("says that such a body is at its end")
async def test_reading_on_after_closing_early_is_broken(kind):
    async def script(peer):
        await peer.request()
        await peer.send(LENGTH[:-7])
        await peer.gone()

    async with stage(kind, script) as at:
        response = await at.send()
        response.close()
        with pytest.raises(Broken):
            await response.next_chunk()
        with pytest.raises(Broken):
            await response.read(100)
