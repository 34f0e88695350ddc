"""Cancelling the task that waits drops the connection at once, whatever it waits for."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from msgspec.structs import replace

from tests.contract.upstream.scripted_server import settle, until
from tests.contract.upstream.stage import AMPLE, every_kind, ours_only, stage

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


async def cancelled(task) -> None:
    """Cancel a task and see that this is how it ended."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def start(coroutine):
    """Run something beside the test."""
    return asyncio.get_running_loop().create_task(coroutine)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", HEAD[:-2]], ids=["nothing", "100", "half"])
@every_kind
async def test_while_waiting_for_the_head(kind, data):
    sent = asyncio.Event()

    async def script(peer):
        await peer.request()
        await peer.send(data)
        sent.set()
        await peer.gone()

    async with stage(kind, script) as at:
        task = start(at.send())
        await sent.wait()
        await settle()
        await cancelled(task)
        await until(lambda: at.server.departures == 1)


@pytest.mark.parametrize("way", ["chunk", "whole"])
@every_kind
async def test_while_waiting_for_the_body(kind, way):
    async def script(peer):
        await peer.request()
        await peer.send(HEAD + b"hello")
        await peer.gone()

    async with stage(kind, script) as at:
        response = await at.send()
        if way == "chunk":
            assert await response.next_chunk() == b"hello"
        task = start(response.next_chunk() if way == "chunk" else response.read(100))
        await settle()
        await cancelled(task)
        await until(lambda: at.server.departures == 1)
        response.close()


@every_kind
async def test_while_sending_a_large_body(kind):
    async def script(peer):
        await peer.head()
        began.set()
        peer.stop_reading()
        await peer.writer.wait_closed()

    began = asyncio.Event()
    async with stage(kind, script) as at:
        task = start(at.send(b"x" * 64_000_000))
        await began.wait()
        await asyncio.sleep(0.02)
        await cancelled(task)


@ours_only("its connections are opened elsewhere")
async def test_while_resolving(kind):
    async def resolve(host, port):
        began.set()
        await asyncio.Event().wait()

    began = asyncio.Event()
    async with stage(kind, lambda peer: peer.gone(), resolve=resolve, host="provider.example") as at:
        task = start(at.send())
        await began.wait()
        await cancelled(task)


@ours_only("its connections are opened elsewhere")
async def test_while_connecting(kind):
    async def connect(address, port):
        began.set()
        await asyncio.Event().wait()

    began = asyncio.Event()
    async with stage(kind, lambda peer: peer.gone(), connect=connect) as at:
        task = start(at.send())
        await began.wait()
        await cancelled(task)


@every_kind
async def test_while_shaking_hands(kind):
    async with stage(kind, lambda peer: peer.gone()) as at:
        at.origin = replace(at.origin, scheme="https")
        task = start(at.send())
        await until(lambda: at.server.connections == 1)
        await settle()
        await cancelled(task)
        await until(lambda: at.server.departures == 1)


@ours_only("its tunnels are opened elsewhere")
async def test_while_a_proxy_makes_up_its_mind(kind):
    async def proxy(peer):
        await peer.head()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    async with stage(kind, proxy) as other:
        environment = {"HTTPS_PROXY": f"http://127.0.0.1:{other.server.port}"}
        async with stage(kind, proxy, environment=environment, host="provider.example") as at:
            at.origin = replace(at.origin, scheme="https")
            task = start(at.send())
            await asked.wait()
            await cancelled(task)
        await until(lambda: other.server.departures == 1)


@every_kind
async def test_while_waiting_for_a_connection(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with stage(kind, script, connections_per_origin=1) as at:
        held = await at.send()
        tasks = [start(at.send()) for _ in range(3)]
        await settle()
        for task in tasks:
            await cancelled(task)
        await held.read(10)
        held.close()
        await at.fetch()


@every_kind
async def test_at_every_turn_of_the_loop(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send_pieces([HEAD, b"01234", b"56789"])

    async with stage(kind, script, connections_per_origin=2) as at:
        for turns in range(40):
            task = start(at.fetch())
            await settle(turns)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await at.fetch(timeouts=AMPLE))[2] == b"0123456789"


@ours_only("its handshakes end in another way")
async def test_at_every_turn_of_a_handshake(kind, authority):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    context = authority.server_context("localhost")
    assert isinstance(context, ssl.SSLContext)
    async with stage(kind, script, context=context, host="localhost", ca_file=authority.ca_file) as at:
        for turns in range(0, 60, 2):
            task = start(at.fetch())
            await settle(turns)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await at.fetch()
