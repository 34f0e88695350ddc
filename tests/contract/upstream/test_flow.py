"""Who is slow slows the other side down: nothing piles up in the gateway, and early answers are heard."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from lockgate.errors import Broken
from tests.contract.upstream.scripted_server import settle, steady, until
from tests.contract.upstream.stage import drain, every_kind, ours_only, stage

MB = 1_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("framing", ["length", "chunked"])
@every_kind
async def test_a_reader_that_does_not_read_stops_the_provider(kind, framing):
    async def script(peer):
        await peer.request()
        if framing == "length":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB))
            await peer.pour(50 * MB)
        else:
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            for _ in range(800):
                await peer.send(block)
            await peer.send(b"0\r\n\r\n")

    async with stage(kind, script) as at:
        response = await at.send()
        await response.next_chunk()
        taken = await steady(lambda: at.server.peers[0].bytes_written)
        assert taken < 20 * MB  # what the two socket buffers hold
        assert taken == await steady(lambda: at.server.peers[0].bytes_written)
        response.close()


@ours_only("keeps its buffer elsewhere")
async def test_little_is_kept_for_a_reader_that_does_not_read(kind):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB))
        await peer.pour(50 * MB)

    async with stage(kind, script) as at:
        response = await at.send()
        await steady(lambda: at.server.peers[0].bytes_written)
        assert 64 * 1024 <= response._connection.size <= 64 * 1024 + 256 * 1024
        size = 0
        while chunk := await response.next_chunk():
            size += len(chunk)
            assert len(chunk) < MB
        assert size == 50 * MB
        response.close()
        assert at.upstream.idle == 1


@every_kind
async def test_a_reader_that_wants_it_all_gets_it_all(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (20 * MB))
            await peer.pour(20 * MB)

    async with stage(kind, script) as at:
        response = await at.send()
        await steady(lambda: at.server.peers[0].bytes_written)  # reading has paused by now
        assert len(await response.read(20 * MB)) == 20 * MB
        response.close()
        await at.fetch()
        assert at.server.connections == 1


@every_kind
async def test_a_request_of_32_mb_arrives_whole(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(OK)

    body = bytes(range(256)) * 131_072
    async with stage(kind, script) as at:
        for _ in range(2):
            assert (await at.fetch(body))[2] == b"ok"
        assert [received.body == body for received in at.server.requests] == [True, True]
        assert at.server.connections == 1


@pytest.mark.parametrize("size", [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 512 * 1024, 512 * 1024 + 1])
@every_kind
async def test_bodies_around_the_write_size_arrive_whole(kind, size):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(OK)

    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    async with stage(kind, script) as at:
        assert (await at.fetch(body))[2] == b"ok"
        assert at.server.requests[0].body == body


@ours_only("copies as it likes")
async def test_a_large_request_is_not_copied_for_a_provider_that_takes_nothing(kind):
    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await peer.forever()

    body = b"x" * (32 * MB)
    async with stage(kind, script) as at:
        gc.collect()
        tracemalloc.start()
        try:
            task = asyncio.get_running_loop().create_task(at.send(body))
            await until(lambda: at.server.connections == 1)
            await asyncio.sleep(0.1)
            assert tracemalloc.get_traced_memory()[1] < 4 * MB
        finally:
            tracemalloc.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@ours_only("its writer and its reader race")
async def test_an_early_answer_ends_the_upload(kind):
    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        await peer.forever()

    async with stage(kind, script) as at:
        for number in (1, 2):
            status, _, body = await at.fetch(b"x" * (32 * MB))
            assert (status, body) == (413, b"large")
            assert at.upstream.idle == 0
            assert at.server.connections == number


@ours_only("its writer and its reader race")
async def test_a_connection_with_half_a_request_is_not_used_again_even_if_it_was_taken_later(kind):
    async def script(peer):
        await peer.head()
        if peer.number:
            return await peer.send(OK)
        peer.stop_reading()
        await peer.send(OK)
        await answered.wait()
        peer.writer.transport.resume_reading()
        return await peer.gone()

    answered = asyncio.Event()
    async with stage(kind, script) as at:
        response = await at.send(b"x" * (32 * MB))
        answered.set()
        await until(lambda: not response._connection._writing_paused)  # what was written has gone out
        assert await response.read(10) == b"ok"
        response.close()
        assert at.upstream.idle == 0
        assert (await at.fetch())[2] == b"ok"


@ours_only("its writer and its reader race")
async def test_an_early_answer_may_stream(kind):
    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            await peer.send(b"1\r\na\r\n")
        await peer.send(b"0\r\n\r\n")
        await peer.forever()

    async with stage(kind, script) as at:
        chunks, error = await drain(await at.send(b"x" * (32 * MB)))
        assert (b"".join(chunks), error) == (b"aaaaa", None)
        assert at.upstream.idle == 0


@ours_only("its writer and its reader race")
async def test_an_interim_answer_does_not_end_the_upload(kind):
    async def script(peer):
        head = await peer.head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await peer.reader.readexactly(size)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d" % (len(str(len(body))), len(body)))
        await peer.gone()

    async with stage(kind, script) as at:
        assert (await at.fetch(b"x" * (16 * MB)))[2] == b"16000000"
        assert at.upstream.idle == 1


@every_kind
async def test_a_connection_that_ends_during_the_upload_is_broken(kind):
    async def script(peer):
        await peer.head()
        await peer.reader.read(100_000)
        peer.reset()

    async with stage(kind, script) as at:
        with pytest.raises(Broken):
            await at.send(b"x" * (32 * MB))
        assert at.server.connections == 1


@every_kind
async def test_chunks_come_as_they_are_sent(kind):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(10):
            go.clear()
            await peer.send(b"1\r\n%d\r\n" % number)
            await go.wait()
        await peer.send(b"0\r\n\r\n")

    go = asyncio.Event()
    async with stage(kind, script) as at:
        response = await at.send()
        for number in range(10):
            assert await response.next_chunk() == b"%d" % number
            go.set()
            await settle()
        assert await response.next_chunk() == b""
        response.close()
