"""The faults as they look on a real socket."""

import asyncio
import json
import socket
import urllib.error
import urllib.request

import pytest

from lockgate.simulator.app import Simulator
from lockgate.simulator.serve import serve, serving, serving_in_thread, start


def request(directive, *, stream=False):
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 4000,
        "stream": stream,
        "messages": [{"role": "user", "content": f"Hello [[sim: {directive}]]"}],
    }
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def talk(port, directive, *, stream=False, until=None):
    """Send one request and return what comes before the connection ends, and whether it was reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(directive, stream=stream))
    received = b""
    try:
        while until is None or until not in received:
            piece = await reader.read(65536)
            if not piece:
                break
            received += piece
        return received, False
    except ConnectionResetError:
        return received, True
    finally:
        await close(writer)


async def close(writer):
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def run(directive, **more):
    """Talk to a fresh simulator and return what came, whether it was reset, and the journal's entry."""

    async def one():
        simulator = Simulator()
        async with serving(simulator) as running:
            received, is_reset = await talk(running.port, directive, **more)
            entry = simulator.requests[0]
        return received, is_reset, entry

    return asyncio.run(asyncio.wait_for(one(), 20))


def body_of(received):
    return received.partition(b"\r\n\r\n")[2]


def test_a_whole_answer_ends_where_it_says():
    received, _, entry = run("text=Hi", until=b'"global"}}')
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(received) == bytes(entry.sent)
    assert entry.outcome == "completed"


def test_a_stream_ends_with_its_last_chunk():
    received, _, entry = run("text=Hi", stream=True, until=b"\r\n0\r\n\r\n")
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert entry.outcome == "completed"


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_ends_the_connection_in_good_order(stream, caplog):
    received, is_reset, entry = run("cut=50", stream=stream)
    assert not is_reset
    assert not received.endswith(b"0\r\n\r\n")
    assert (len(entry.sent), entry.outcome) == (50, "cut")
    assert bytes(entry.sent) in (body_of(received), b"".join(body_of(received).split(b"\r\n")[1::2]))
    assert caplog.records == []


@pytest.mark.parametrize("size, is_answered", [(0, False), (1, True), (200, True)])
def test_a_reset_resets_the_connection(size, is_answered, caplog):
    received, is_reset, entry = run(f"reset={size}", stream=True)
    assert is_reset
    assert bool(received) is is_answered
    assert (len(entry.sent), entry.outcome) == (size, "reset")
    assert caplog.records == []


def test_a_hang_up_sends_nothing():
    received, is_reset, entry = run("hangup=1")
    assert (received, is_reset, entry.status) == (b"", False, None)


@pytest.mark.parametrize("length", [3, 100_000])
def test_a_wrong_length_is_announced_and_the_body_sent_whole(length, caplog):
    received, _, _ = run(f"content_length={length}")
    assert f"content-length: {length}\r\n".encode() in received
    assert json.loads(body_of(received))["type"] == "message"
    assert caplog.records == []


def test_a_stalled_stream_stays_open_until_the_client_leaves():
    async def one():
        simulator = Simulator()
        async with serving(simulator) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(request("stall=2", stream=True))
            await reader.readuntil(b'event: ping\ndata: {"type":"ping"}\n\n')
            assert simulator.connections_open == 1
            assert simulator.counters.aborted == 0
            await close(writer)
            while simulator.counters.aborted == 0:
                await asyncio.sleep(0)
            return simulator.requests[0]

    entry = asyncio.run(asyncio.wait_for(one(), 20))
    assert (entry.outcome, entry.events_sent) == ("aborted", 2)


def test_a_client_that_leaves_a_long_stream_is_counted():
    async def one():
        simulator = Simulator()
        async with serving(simulator) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(request("big=12000, split=1", stream=True))
            await reader.read(10)
            writer.transport.abort()
            await close(writer)
            while simulator.counters.requests == 0 or simulator.requests[0].outcome == "open":
                await asyncio.sleep(0)
            return simulator.requests[0]

    assert asyncio.run(asyncio.wait_for(one(), 20)).outcome == "aborted"


def test_stopping_does_not_wait_for_a_stalled_answer(monkeypatch):
    monkeypatch.setattr("lockgate.simulator.serve._STOP_GRACE_S", 0.01)

    async def one():
        simulator = Simulator()
        running = await start(simulator)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request("stall=1", stream=True))
        await reader.readuntil(b"\n\n")
        await running.stop()
        await close(writer)
        return simulator

    asyncio.run(asyncio.wait_for(one(), 20))


def test_a_connection_is_kept_for_the_next_request():
    async def one():
        simulator = Simulator()
        async with serving(simulator) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            for _ in range(3):
                writer.write(request("text=Hi"))
                await reader.readuntil(b'"global"}}')
            assert simulator.connections_open == 1
            await close(writer)
        return simulator

    assert asyncio.run(asyncio.wait_for(one(), 20)).counters.completed == 3


def test_the_port_is_told_and_the_server_stops_when_asked():
    async def one():
        ports = []
        stop = asyncio.Event()
        task = asyncio.get_running_loop().create_task(
            serve(Simulator(), "127.0.0.1", 0, ports.append, stop), name="serving"
        )
        while not ports:
            await asyncio.sleep(0)
        received, _ = await talk(ports[0], "text=Hi", until=b'"global"}}')
        stop.set()
        await task
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", ports[0])
        return received

    assert asyncio.run(asyncio.wait_for(one(), 20)).startswith(b"HTTP/1.1 200")


def test_a_cancelled_server_stops():
    async def one():
        ports = []
        task = asyncio.get_running_loop().create_task(serve(Simulator(), ready=ports.append), name="serving")
        while not ports:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", ports[0])

    asyncio.run(asyncio.wait_for(one(), 20))


def test_a_port_that_is_taken_is_an_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            asyncio.run(start(Simulator(), port=taken.getsockname()[1]))


def test_code_without_a_loop_is_served_from_a_thread():
    with serving_in_thread(Simulator()) as running:
        with urllib.request.urlopen(f"{running.url}/_simulator/health", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        port = running.port
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
