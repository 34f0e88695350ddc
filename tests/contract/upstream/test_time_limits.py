"""Each phase has its own limit, and its end says which one it was."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from lockgate.core.http import Timeouts
from lockgate.errors import TimedOut
from tests.contract.upstream.scripted_server import until
from tests.contract.upstream.stage import AMPLE, drain, every_kind, ours_only, stage

SHORT_S = 0.05
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


def short(phase: str) -> Timeouts:
    """Limits of which only one is short."""
    return replace(AMPLE, **{f"{phase}_s": SHORT_S})


async def silent(peer):
    """A script that takes a request and says nothing."""
    await peer.request()
    await peer.gone()


def after(data: bytes):
    """A script that says this much and no more."""

    async def script(peer):
        await peer.request()
        await peer.send(data)
        await peer.gone()

    return script


def drip(data: bytes, pause_s: float):
    """A script that sends one byte after the other, slowly."""

    async def script(peer):
        await peer.request()
        for at in range(len(data)):
            await peer.send(data[at : at + 1])
            await asyncio.sleep(pause_s)
        await peer.gone()

    return script


async def expect_limit(at, phase: str, timeouts: Timeouts, body: bytes = b"question") -> None:
    """The request fails by this limit, says so, and leaves nothing behind."""
    with pytest.raises(TimedOut, match=r"0\.05 seconds") as caught:
        await at.fetch(body, timeouts=timeouts)
    assert caught.value.phase == phase
    assert f"limit: {phase}" in caught.value.message


@ours_only("says it in other words")
async def test_the_first_byte_has_a_limit(kind):
    async with stage(kind, silent) as at:
        await expect_limit(at, "first_byte", short("first_byte"))
        await until(lambda: at.server.departures == 1)


@every_kind
async def test_a_silent_provider_is_given_up(kind):
    async with stage(kind, silent) as at:
        with pytest.raises(TimedOut):
            await at.send(timeouts=short("first_byte"))
        await until(lambda: at.server.departures == 1)


@every_kind
async def test_a_provider_that_stops_in_its_body_is_given_up(kind):
    async with stage(kind, after(HEAD + b"hello")) as at:
        response = await at.send(timeouts=replace(AMPLE, idle_s=0.5))
        chunks, error = await drain(response)
        assert chunks == [b"hello"]
        assert isinstance(error, TimedOut)
        assert error.phase == "idle"
        await until(lambda: at.server.departures == 1)


@ours_only("says it in other words")
@pytest.mark.parametrize("data", [b"H", HEAD[:-2], HEAD, HEAD + b"hello", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_silence_in_the_middle_has_a_limit(kind, data):
    async with stage(kind, after(data)) as at:
        await expect_limit(at, "idle", short("idle"))
        await until(lambda: at.server.departures == 1)


@ours_only("says it in other words")
async def test_a_slow_drip_is_ended_by_the_total_limit_only(kind):
    script = drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1000, 0.005)
    async with stage(kind, script) as at:
        limits = replace(AMPLE, first_byte_s=1, idle_s=1, total_s=SHORT_S)
        await expect_limit(at, "total", limits)


@every_kind
async def test_a_drip_that_keeps_to_the_idle_limit_is_read_to_its_end(kind):
    async with stage(kind, drip(HEAD + b"0123456789", 0.004)) as at:
        response = await at.send(timeouts=replace(AMPLE, idle_s=5, first_byte_s=5))
        assert await response.read(100) == b"0123456789"
        response.close()


@ours_only("counts from the start of the request")
async def test_each_wait_for_a_chunk_has_the_whole_idle_limit(kind):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await asyncio.sleep(1.2)
        await peer.send(b"0\r\n\r\n")

    async with stage(kind, script) as at:
        response = await at.send(timeouts=replace(AMPLE, idle_s=1))
        assert await response.next_chunk() == b"a"
        await asyncio.sleep(0.8)  # a slow reader is not the provider's fault
        assert await response.next_chunk() == b""


@ours_only("limits the time between reads, whoever is slow")
async def test_a_reader_that_is_elsewhere_is_ended_by_the_total_limit(kind):
    async with stage(kind, after(HEAD + b"hello")) as at:
        response = await at.send(timeouts=replace(AMPLE, total_s=1))
        await until(lambda: at.server.departures == 1)
        assert at.upstream.active == 0
        chunks, error = await drain(response)
        assert chunks == [b"hello"]
        assert isinstance(error, TimedOut)
        assert error.phase == "total"


@ours_only("has no limit for writing")
async def test_a_provider_that_takes_nothing_is_given_up(kind):
    async def script(peer):
        peer.stop_reading()
        await peer.forever()

    async with stage(kind, script) as at:
        await expect_limit(at, "write", short("write"), body=b"x" * 32_000_000)


@ours_only("has no limit for writing")
async def test_a_provider_that_takes_little_by_little_is_not_given_up(kind):
    size = 8_000_000

    async def script(peer):
        head = await peer.head()
        assert b"content-length: %d" % size in head
        left = size
        while left > 0:
            left -= len(await peer.reader.read(200_000))
            await asyncio.sleep(0.03)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with stage(kind, script) as at:
        limits = replace(AMPLE, write_s=1)
        assert (await at.fetch(b"x" * size, timeouts=limits))[2] == b"ok"


@ours_only("its connections are opened elsewhere")
async def test_connecting_has_a_limit(kind):
    async def connect(address, port):
        await asyncio.Event().wait()

    async with stage(kind, silent, connect=connect) as at:
        await expect_limit(at, "connect", short("connect"))
        await expect_limit(at, "total", short("total"))


@ours_only("its connections are opened elsewhere")
async def test_resolving_is_part_of_connecting(kind):
    async def resolve(host, port):
        await asyncio.Event().wait()

    async with stage(kind, silent, resolve=resolve, host="provider.example") as at:
        await expect_limit(at, "connect", short("connect"))


@ours_only("its connections are opened elsewhere")
async def test_the_answer_of_a_proxy_is_part_of_connecting(kind):
    async def proxy(peer):
        await peer.head()
        await peer.gone()

    async with stage(kind, proxy) as other:
        environment = {"HTTPS_PROXY": f"http://127.0.0.1:{other.server.port}"}
        async with stage(kind, silent, environment=environment, host="provider.example") as at:
            at.origin = replace(at.origin, scheme="https")
            await expect_limit(at, "connect", short("connect"))
        await until(lambda: other.server.departures == 1)


@ours_only("counts the handshake as connecting")
async def test_the_handshake_has_a_limit(kind):
    async def script(peer):
        await peer.gone()

    async with stage(kind, script) as at:
        at.origin = replace(at.origin, scheme="https")
        await expect_limit(at, "tls", short("tls"))
        await until(lambda: at.server.departures == 1)


@ours_only("says it in other words")
async def test_shorter_limits_hold_on_a_connection_that_had_longer_ones(kind):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await peer.request()
        await peer.gone()

    async with stage(kind, script) as at:
        await at.fetch()
        await expect_limit(at, "first_byte", short("first_byte"))
        assert at.server.connections == 1
