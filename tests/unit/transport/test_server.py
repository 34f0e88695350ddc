import asyncio

import pytest

from lockgate.errors import ConfigError
from lockgate.transport.server import HttpLimits, Server, bind

LIMITS = HttpLimits(header_bytes=2000, header_s=0.4, body_idle_s=0.4, body_bytes_per_s=20)


def refuse(status, message):
    return [(b"content-type", b"application/json"), (b"x-portkey-trace-id", b"t")], f'{{"m":"{message}"}}'.encode()


class App:
    """Echoes a body, streams on demand, and notes who left."""

    def __init__(self):
        self.left = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, scope, receive, send):
        scope["extensions"]["lockgate.disconnect"]["watch"](self.left.set)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/wait":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await self.release.wait()
        await send({"type": "http.response.body", "body": body})


def run(scenario):
    async def main():
        app = App()
        listener = bind("127.0.0.1", 0)
        port = listener.getsockname()[1]
        server = Server(app, limits=LIMITS, refuse=refuse)
        await server.start(listener)
        try:
            return await scenario(app, server, port)
        finally:
            app.release.set()
            await server.drain(2)

    return asyncio.run(main())


async def talk(port, *pieces, pause=0.0):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(pause)
    data = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return data


@pytest.mark.parametrize(
    "pieces, status",
    [
        ([b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 3000 + b"\r\n\r\n"], b"431"),
        ([b"GET /" + b"y" * 3000], b"431"),
        ([b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 500], b"431"),
        ([b"nonsense\r\n\r\n"], b"400"),
        ([b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"], b"400"),
        ([b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"], b"400"),
        ([b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n"], b"400"),
        ([b"GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n"], b"400"),
        ([b"GET / HTTP/1.1\r\nhos"], b"408"),
    ],
)
def test_bad_requests_are_refused_in_our_shape(pieces, status):
    async def scenario(app, server, port):
        return await talk(port, *pieces)

    answer = run(scenario)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"x-portkey-trace-id: t" in answer
    assert b"connection: close" in answer
    assert b'{"m":"The request' in answer


def test_a_drip_fed_head_does_not_hold_a_connection():
    async def scenario(app, server, port):
        return await talk(port, b"GET / HTTP/1.1\r\n", *[b"a"] * 3, pause=0.05)

    assert run(scenario).startswith(b"HTTP/1.1 408")


def test_a_large_head_is_refused_on_a_kept_connection_too():
    async def scenario(app, server, port):
        small = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        return await talk(port, small, small[:-2] + b"x: " + b"y" * 3000 + b"\r\n\r\n", pause=0.1)

    answer = run(scenario)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 431" in answer


def test_a_silent_connection_is_closed():
    async def scenario(app, server, port):
        return await talk(port)

    assert run(scenario) == b""


def test_a_body_that_stops_coming_is_dropped():
    async def scenario(app, server, port):
        return await talk(port, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc")

    assert run(scenario) == b""


def test_a_body_that_trickles_is_dropped():
    async def scenario(app, server, port):
        head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n"
        try:
            return await talk(port, head, *[b"x"] * 15, pause=0.1)
        except ConnectionError:
            return b""  # dropped while the client was still writing

    assert run(scenario) == b""


def test_a_body_that_keeps_coming_is_served():
    async def scenario(app, server, port):
        head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40\r\nconnection: close\r\n\r\n"
        return await talk(port, head, *[b"xxxxx"] * 8, pause=0.1)

    assert run(scenario).endswith(b"x" * 40 + b"\r\n0\r\n\r\n")


def test_an_answer_may_take_longer_than_a_head():
    async def scenario(app, server, port):
        asyncio.get_running_loop().call_later(1.0, app.release.set)
        return await talk(port, b"GET /wait HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")

    assert b"first" in run(scenario)


def test_the_app_hears_at_once_when_a_client_leaves():
    async def scenario(app, server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"first")
        assert not app.left.is_set()
        writer.close()
        await asyncio.wait_for(app.left.wait(), 1)

    run(scenario)


def test_draining_finishes_what_runs_and_accepts_nothing_new():
    async def scenario(app, server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"first")
        drain = asyncio.get_running_loop().create_task(server.drain(5), name="drain")
        await asyncio.sleep(0.05)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        app.release.set()
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        assert await drain == 0
        writer.close()

    run(scenario)


@pytest.mark.parametrize("before", [b"", b"POST / HTTP/1.1\r\n"])
@pytest.mark.parametrize("is_first", [True, False])
def test_draining_answers_a_request_that_was_on_its_way(before, is_first):
    async def scenario(app, server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if not is_first:
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
            await reader.readuntil(b"0\r\n\r\n")
        writer.write(before)
        await asyncio.sleep(0.05)
        drain = asyncio.get_running_loop().create_task(server.drain(5), name="drain")
        await asyncio.sleep(0.05)
        if is_first or before:
            rest = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody"
            writer.write(rest.removeprefix(before))
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in answer
            assert b"body" in answer
        else:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert await drain == 0
        writer.close()

    run(scenario)


def test_draining_does_not_wait_for_a_client_that_says_nothing():
    async def scenario(app, server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        assert await server.drain(5) == 0
        assert await asyncio.wait_for(reader.read(), 1) == b""
        writer.close()

    run(scenario)


def test_draining_cuts_off_what_takes_too_long():
    async def scenario(app, server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"first")
        assert await server.drain(0.1) == 1
        writer.close()

    run(scenario)


def test_a_taken_port_is_one_sentence():
    first = bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: .*--port"):
        bind("127.0.0.1", port)
    first.close()


@pytest.mark.parametrize("name", [b"upgrade", b"Upgrade", b"UPGRADE"])
def test_an_offer_to_upgrade_is_passed_over(name):
    head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings, close\r\n" + name + b": h2c\r\n"

    async def scenario(app, server, port):
        return await talk(port, head + b"content-length: 15\r\n\r\n\r\nupgrade: body")

    assert b"200 OK" in run(scenario)
    assert b"\r\nupgrade: body" in run(scenario)


def test_a_connection_that_was_answered_is_kept_for_a_while_only(monkeypatch):
    monkeypatch.setattr("lockgate.transport.server._KEEP_ALIVE_S", 0.2)

    async def scenario(app, server, port):
        return await talk(port, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")

    assert run(scenario).endswith(b"0\r\n\r\n")


def test_requests_in_one_write_are_answered_in_turn():
    async def scenario(app, server, port):
        one = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n"
        return await talk(port, one + b"\r\none" + one + b"\r\ntwo" + one + b"connection: close\r\n\r\nend")

    answer = run(scenario)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b"one") < answer.index(b"two") < answer.index(b"end")
