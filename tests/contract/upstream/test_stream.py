"""Requests whose body comes piece by piece: at the pace of the slower side, once, and never longer than it must."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from lockgate.errors import Broken, ClientGone, TimedOut
from tests.contract.upstream.scripted_server import steady, until
from tests.contract.upstream.stage import AMPLE, OURS, stage

MB = 1_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
both = pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.id)


class Source:
    """A body that counts what was taken of it; it ends with an exception, or waits, if it is told so."""

    def __init__(self, *pieces: bytes, error: Exception | None = None, waits: bool = False) -> None:
        self.pieces = list(pieces)
        self.taken_bytes = 0
        self.error = error
        self.waits = waits

    def __aiter__(self):
        return self

    async def __anext__(self) -> bytes:
        if self.pieces:
            piece = self.pieces.pop(0)
            self.taken_bytes += len(piece)
            return piece
        if self.error:
            raise self.error
        if self.waits:
            await asyncio.Event().wait()
        raise StopAsyncIteration


def streamed(at, source, size_bytes=None, **options):
    return structs.replace(at.request(b"", **options), stream=source, stream_bytes=size_bytes)


async def chunks_of(reader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    assert await reader.readexactly(2) == b"\r\n"
    return body


@both
async def test_without_a_length_it_is_chunked_and_the_connection_is_kept(kind):
    async def script(peer):
        head = await peer.head()
        heads.append(head.lower())
        bodies.append(await chunks_of(peer.reader))
        await peer.send(OK)
        await peer.gone()

    heads, bodies = [], []
    async with stage(kind, script) as at:
        response = await at.upstream.send(streamed(at, Source(b"one", b"", b"x" * MB, b"two")))
        assert await response.read(10) == b"ok"
        assert at.upstream.idle == 1
    assert bodies == [b"one" + b"x" * MB + b"two"]
    assert b"transfer-encoding: chunked\r\n" in heads[0]
    assert b"content-length" not in heads[0]


@both
@pytest.mark.parametrize("pieces", [(b"ab", b"c"), (), (b"x" * MB, b"y")])
async def test_with_a_length_the_bytes_are_as_they_are(kind, pieces):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await peer.gone()

    async with stage(kind, script) as at:
        body = b"".join(pieces)
        response = await at.upstream.send(streamed(at, Source(*pieces), len(body)))
        assert await response.read(10) == b"ok"
        assert at.server.requests[0].body == body
        assert at.server.requests[0].header(b"content-length") == b"%d" % len(body)
        assert at.upstream.idle == 1


@both
@pytest.mark.parametrize("pieces", [(b"ab",), (b"abc", b"GET / HTTP/1.1\r\n\r\n")])
async def test_another_length_than_announced_is_never_sent_as_if_it_were_right(kind, pieces):
    async def script(peer):
        await peer.head()
        arrived.append(await peer.reader.read())

    arrived = []
    async with stage(kind, script) as at:
        with pytest.raises(ValueError, match="length"):
            await at.upstream.send(streamed(at, Source(*pieces), 3))
        assert at.upstream.idle == 0
        await until(lambda: bool(arrived))
    assert arrived[0] in (b"", b"ab", b"abc")


@both
async def test_a_provider_that_takes_nothing_stops_the_source(kind):
    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await taken.wait()
        peer.writer.transport.resume_reading()
        await chunks_of(peer.reader)
        await peer.send(OK)
        await peer.gone()

    taken = asyncio.Event()
    source = Source(*[b"x" * 64_000] * 400)
    async with stage(kind, script) as at:
        task = asyncio.get_running_loop().create_task(at.upstream.send(streamed(at, source)))
        assert await steady(lambda: source.taken_bytes) < 20 * MB
        taken.set()
        assert await (await task).read(10) == b"ok"
    assert source.taken_bytes == 400 * 64_000


@both
@pytest.mark.parametrize("is_slow", [False, True])
async def test_an_early_answer_ends_the_upload_whoever_is_slow(kind, is_slow):
    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        await peer.forever()

    source = Source(waits=True) if is_slow else Source(*[b"x" * 64_000] * 2000)
    async with stage(kind, script) as at:
        response = await at.upstream.send(streamed(at, source))
        assert (response.status, await response.read(10)) == (413, b"large")
        assert at.upstream.idle == 0
        assert is_slow or source.pieces


@both
async def test_what_the_source_raises_ends_the_request(kind):
    async def script(peer):
        await peer.gone()
        assert peer.has_departed

    async with stage(kind, script) as at:
        with pytest.raises(ClientGone):
            await at.upstream.send(streamed(at, Source(b"abc", error=ClientGone("left"))))
        assert at.upstream.idle == 0


@both
@pytest.mark.parametrize("is_slow", [False, True])
async def test_it_can_be_cancelled(kind, is_slow):
    async def script(peer):
        await peer.head()
        began.set()
        peer.stop_reading()
        await peer.writer.wait_closed()

    began = asyncio.Event()
    source = Source(waits=True) if is_slow else Source(*[b"x" * 64_000] * 2000)
    async with stage(kind, script) as at:
        task = asyncio.get_running_loop().create_task(at.upstream.send(streamed(at, source)))
        await began.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@both
async def test_it_is_never_sent_over_a_connection_that_could_be_stale(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(OK)
            if peer.number == 0:
                await allowed.wait()
                return

    allowed = asyncio.Event()
    async with stage(kind, script, connections_per_origin=1) as at:
        await at.fetch()
        assert at.upstream.idle == 1
        response = await at.upstream.send(streamed(at, Source(b"abc"), 3))
        assert await response.read(10) == b"ok"
        assert at.server.connections == 2
        allowed.set()


@both
async def test_a_connection_that_breaks_is_not_tried_again(kind):
    async def script(peer):
        await peer.head()
        peer.reset()

    source = Source(*[b"x" * 64_000] * 2000)
    async with stage(kind, script) as at:
        with pytest.raises(Broken):
            await at.upstream.send(streamed(at, source))
        assert at.server.connections == 1


@both
async def test_a_slow_source_is_not_the_providers_fault_but_the_whole_is_bounded(kind):
    async def script(peer):
        await peer.gone()

    timeouts = structs.replace(AMPLE, write_s=0.05, total_s=0.4)
    async with stage(kind, script) as at:
        with pytest.raises(TimedOut) as late:
            await at.upstream.send(streamed(at, Source(b"abc", waits=True), timeouts=timeouts))
        assert late.value.phase == "total"


@both
async def test_a_provider_that_takes_nothing_runs_out_of_time(kind):
    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await peer.writer.wait_closed()

    timeouts = structs.replace(AMPLE, write_s=0.1)
    async with stage(kind, script) as at:
        with pytest.raises(TimedOut) as late:
            await at.upstream.send(streamed(at, Source(*[b"x" * 64_000] * 2000), timeouts=timeouts))
        assert late.value.phase == "write"
