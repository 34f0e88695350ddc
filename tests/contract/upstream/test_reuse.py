"""Which connections are used again, which are not, and the one case in which a request is sent twice."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from msgspec.structs import replace

from lockgate.core.http import Origin
from lockgate.core.record import REUSED
from lockgate.errors import Broken, InvalidRequest, TimedOut, Unreachable
from lockgate.transport.dialer import open_socket
from tests.contract.upstream.scripted_server import settle, until
from tests.contract.upstream.stage import AMPLE, drain, every_kind, ours_only, stage

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def has_departures(server, expected: int) -> bool:
    """Tell whether so many connections were closed by the client."""
    return server.departures == expected


async def answers(peer):
    """A script that answers every request."""
    async for _ in peer.requests():
        await peer.send(OK)


@every_kind
async def test_one_connection_serves_one_request_after_the_other(kind):
    async with stage(kind, answers) as at:
        for _ in range(20):
            await at.fetch()
        assert (at.server.connections, len(at.server.requests)) == (1, 20)


@every_kind
async def test_requests_at_the_same_time_have_connections_of_their_own(kind):
    async with stage(kind, answers) as at:
        await asyncio.gather(*(at.fetch() for _ in range(20)))
        assert at.server.connections == 20
        await asyncio.gather(*(at.fetch() for _ in range(20)))
        assert at.server.connections == 20


@every_kind
async def test_a_stream_read_to_its_end_gives_its_connection_back(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(5):
                await peer.send(b"4\r\ndata\r\n")
            await peer.send(b"0\r\n\r\n")

    async with stage(kind, script) as at:
        for _ in range(3):
            chunks, error = await drain(await at.send())
            assert (b"".join(chunks), error) == (b"data" * 5, None)
        assert at.server.connections == 1


NOT_TO_BE_REUSED = {
    "connection: close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "close among others": b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no body and close": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("wire", NOT_TO_BE_REUSED.values(), ids=list(NOT_TO_BE_REUSED))
@every_kind
async def test_a_connection_that_the_provider_gave_up_is_not_used_even_if_it_stays_open(kind, wire):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(wire)

    async with stage(kind, script) as at:
        for number in (1, 2, 3):
            await at.fetch()
            assert at.server.connections == number


@every_kind
async def test_closing_early_drops_the_connection(kind):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await peer.gone()

    async with stage(kind, script) as at:
        for number in (1, 2):
            response = await at.send()
            assert await response.next_chunk() == b"hello"
            response.close()
            response.close()
            await until(partial(has_departures, at.server, number))
        assert at.server.connections == 2


@ours_only("drops an answer that was not asked for, complete or not")
async def test_a_complete_answer_may_be_closed_unread(kind):
    async with stage(kind, answers) as at:
        for _ in range(3):
            (await at.send()).close()
        assert at.server.connections == 1
        assert await at.fetch() == (200, [(b"content-length", b"2")], b"ok")


LEFTOVERS = {
    "a second answer": OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    "half an answer": OK + b"HTTP/1.1 200 OK\r\nX-Poison: ",
    "one byte": OK + b"x",
    "after chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
    "a body after 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("later", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("wire", LEFTOVERS.values(), ids=list(LEFTOVERS))
@ours_only("takes some of these for the next answer")
async def test_bytes_after_an_answer_spoil_the_connection_only(kind, wire, later):
    async def script(peer):
        await peer.request()
        await peer.send_pieces([wire[at : at + 1] for at in range(len(wire))] if later else [wire])
        await peer.gone()

    async with stage(kind, script) as at:
        for _ in range(3):
            status, _, body = await at.fetch()
            assert (status, body) in ((200, b"ok"), (204, b""))
            await settle()
        assert at.server.connections == 3
        await until(lambda: at.server.departures == 3)


@ours_only("would take a body after HEAD for the next answer")
async def test_a_body_after_head_spoils_the_connection(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await peer.gone()

    async with stage(kind, script) as at:
        for _ in range(2):
            assert (await at.fetch(b"", method="HEAD"))[2] == b""
        assert at.server.connections == 2


@ours_only("notices them only when the connection is used next")
async def test_bytes_on_an_idle_connection_discard_it(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await idle.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    idle = asyncio.Event()
    async with stage(kind, script) as at:
        await at.fetch()
        idle.set()
        await until(lambda: at.server.departures == 1)
        status, _, _ = await at.fetch()
        assert (status, at.server.connections) == (200, 2)


@every_kind
async def test_a_connection_closed_while_idle_is_not_used(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)

    async with stage(kind, script) as at:
        for number in (1, 2, 3):
            await at.fetch()
            await settle(20)
            assert at.server.connections == number


def closes_on_second_request(*, reset: bool):
    """A script whose first connection answers once, and closes when it sees a second request."""

    async def script(peer):
        if peer.number:
            return await answers(peer)
        await peer.request()
        await peer.send(OK)
        await peer.request()
        if reset:
            peer.reset()
        return None

    return script


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
@ours_only("repeats only methods that are safe to repeat")
async def test_a_stale_connection_is_replaced_once_and_the_request_sent_again(kind, reset):
    async with stage(kind, closes_on_second_request(reset=reset)) as at:
        await at.fetch(b"first")
        assert (await at.fetch(b"second"))[2] == b"ok"
        assert [received.body for received in at.server.requests] == [b"first", b"second", b"second"]
        assert at.server.connections == 2


@ours_only("repeats only methods that are safe to repeat")
async def test_a_large_request_on_a_stale_connection_is_sent_again_whole(kind):
    async def script(peer):
        if peer.number:
            return await answers(peer)
        await peer.request()
        await peer.send(OK)
        await peer.head()
        await peer.reader.read(100_000)
        peer.reset()
        return None

    body = bytes(range(256)) * 16 * 1024
    async with stage(kind, script) as at:
        await at.fetch(b"first")
        assert (await at.fetch(body))[2] == b"ok"
        assert [len(received.body) for received in at.server.requests] == [5, len(body)]
        assert at.server.requests[1].body == body


@ours_only("repeats only methods that are safe to repeat")
async def test_the_replacement_is_a_new_connection_even_if_others_are_idle(kind):
    async def script(peer):
        async for received in peer.requests():
            if received.body == b"second" and peer.number < 3:
                return
            await peer.send(OK)

    async with stage(kind, script) as at:
        await asyncio.gather(*(at.fetch(b"first") for _ in range(3)))
        assert (await at.fetch(b"second"))[2] == b"ok"
        assert at.server.connections == 4
        assert sum(received.body == b"second" for received in at.server.requests) == 2


@ours_only("repeats only methods that are safe to repeat")
async def test_the_replacement_is_a_new_connection_even_if_a_used_one_is_handed_over(kind):
    async def script(peer):
        async for received in peer.requests():
            if received.body == b"unlucky" and peer.number < 2:
                return
            if received.body == b"other":
                await go.wait()
            await peer.send(OK)

    go = asyncio.Event()
    async with stage(kind, script, connections_per_origin=1) as at:
        await at.fetch(b"first")
        loop = asyncio.get_running_loop()
        unlucky = loop.create_task(at.fetch(b"unlucky"))
        other = loop.create_task(at.fetch(b"other"))  # takes the slot when the unlucky one loses it
        await until(lambda: at.server.connections == 2)
        await settle()
        go.set()
        assert [(await unlucky)[2], (await other)[2]] == [b"ok", b"ok"]
        assert [received.body for received in at.server.requests] == [b"first", b"unlucky", b"other", b"unlucky"]
        assert at.server.connections == 3


@ours_only("repeats only methods that are safe to repeat")
async def test_a_second_close_is_final(kind):
    async def script(peer):
        await peer.request()
        if peer.number == 0:
            await peer.send(OK)
            await peer.request()

    async with stage(kind, script) as at:
        await at.fetch()
        with pytest.raises(Broken):
            await at.fetch()
        assert (at.server.connections, len(at.server.requests)) == (2, 3)


@every_kind
@pytest.mark.parametrize("first_bytes", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"])
async def test_nothing_is_sent_again_after_a_byte_of_an_answer(kind, first_bytes):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(first_bytes)

    async with stage(kind, script) as at:
        await at.fetch()
        with pytest.raises(Broken):
            await at.fetch()
        assert (at.server.connections, len(at.server.requests)) == (1, 2)


@every_kind
async def test_nothing_is_sent_again_after_a_time_limit(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.gone()

    async with stage(kind, script) as at:
        await at.fetch()
        with pytest.raises(TimedOut):
            await at.fetch(timeouts=replace(AMPLE, first_byte_s=0.05, idle_s=0.05))
        assert (at.server.connections, len(at.server.requests)) == (1, 2)


@ours_only("repeats only methods that are safe to repeat")
async def test_a_replacement_that_cannot_connect_does_not_promise_that_nothing_was_sent(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await peer.request()
        at.server._server.close()

    async with stage(kind, script) as at:
        await at.fetch()
        with pytest.raises(Broken):
            await at.fetch()


@ours_only("keeps idle connections for a time of its own")
async def test_an_idle_connection_is_closed_after_a_while(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        await peer.gone()

    async with stage(kind, script, idle_s=0.03) as at:
        await at.fetch()
        assert at.upstream.idle == 1
        await until(lambda: at.upstream.idle == 0 and at.server.departures == 1)


@ours_only("hands out connections in another order")
async def test_the_connection_used_last_is_used_next(kind):
    async def script(peer):
        async for received in peer.requests():
            peers.append((received.body, peer.number))
            await peer.send(OK)

    peers: list[tuple[bytes, int]] = []
    async with stage(kind, script) as at:
        first, second = await at.send(b"one"), await at.send(b"two")
        first.close()
        second.close()
        await at.fetch(b"three")
        await at.fetch(b"four")
    assert peers == [(b"one", 0), (b"two", 1), (b"three", 1), (b"four", 1)]


@every_kind
async def test_the_cap_on_connections_makes_requests_wait(kind):
    async with stage(kind, answers, connections_per_origin=2) as at:
        await asyncio.gather(*(at.fetch() for _ in range(10)))
        assert (at.server.connections, len(at.server.requests)) == (2, 10)


@every_kind
async def test_those_who_wait_are_served_in_order(kind):
    async with stage(kind, answers, connections_per_origin=1) as at:
        await asyncio.gather(*(at.fetch(b"%d" % n) for n in range(10)))
        assert [received.body for received in at.server.requests] == [b"%d" % n for n in range(10)]
        assert at.server.connections == 1


@every_kind
async def test_a_dropped_connection_makes_room_for_the_next(kind):
    async def script(peer):
        await peer.request()
        if peer.number == 0:
            return await peer.gone()
        return await peer.send(OK)

    async with stage(kind, script, connections_per_origin=1) as at:
        first = asyncio.get_running_loop().create_task(at.send())
        await until(lambda: len(at.server.requests) == 1)
        second = asyncio.get_running_loop().create_task(at.fetch())
        await settle()
        first.cancel()
        assert (await second)[2] == b"ok"
        with pytest.raises(asyncio.CancelledError):
            await first


@ours_only("limits another phase")
async def test_waiting_for_a_connection_has_a_limit(kind):
    async with stage(kind, answers, connections_per_origin=1) as at:
        held = await at.send()
        with pytest.raises(TimedOut, match=r"0\.05 seconds") as caught:
            await at.send(timeouts=replace(AMPLE, pool_s=0.05))
        assert caught.value.phase == "pool"
        assert (at.upstream.active, at.server.connections) == (1, 1)
        held.close()
        await at.fetch()


@ours_only("has no such hand-over")
async def test_a_connection_handed_to_a_cancelled_waiter_is_not_lost(kind):
    async with stage(kind, answers, connections_per_origin=1) as at:
        held = await at.send()
        loop = asyncio.get_running_loop()
        waiter = loop.create_task(at.send())
        await settle()
        held.close()  # hands the connection over ...
        waiter.cancel()  # ... in the same turn
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert (at.upstream.active, at.upstream.idle) == (0, 1)
        await at.fetch()
        assert at.server.connections == 1


@ours_only("has no such hand-over")
async def test_a_connection_lost_while_handed_over_is_replaced(kind):
    async with stage(kind, answers, connections_per_origin=1) as at:
        held = await at.send()
        loop = asyncio.get_running_loop()
        waiter = loop.create_task(at.fetch())
        await settle()
        connection = held._connection
        held.close()
        connection.drop()
        assert (await waiter)[2] == b"ok"
        assert at.server.connections == 2
        assert (at.upstream.active, at.upstream.idle) == (0, 1)


@ours_only("takes any header")
async def test_a_request_that_could_be_split_is_refused_before_anything_is_opened(kind):
    async with stage(kind, answers) as at:
        with pytest.raises(InvalidRequest):
            await at.send(headers=[(b"x-a", b"1\r\nx-b: 2")])
        assert at.server.connections == 0


@every_kind
async def test_a_stuck_request_does_not_hold_up_another_origin(kind):
    async def stuck(peer):
        await peer.request()
        await peer.gone()

    async with stage(kind, answers) as at, stage(kind, stuck) as other:
        task = asyncio.get_running_loop().create_task(at.send(origin=other.origin))
        await until(lambda: len(other.server.requests) == 1)
        assert (await at.fetch())[2] == b"ok"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@ours_only("has its own way to close")
async def test_closing_the_pool_ends_everything_at_once(kind):
    async def script(peer):
        async for received in peer.requests():
            if received.body == b"slow":
                return await peer.gone()
            await peer.send(OK)
        return None

    async with stage(kind, script, connections_per_origin=2) as at:
        loop = asyncio.get_running_loop()
        held = await at.send()
        active = loop.create_task(at.send(b"slow"))
        await until(lambda: len(at.server.requests) == 2)
        waiting = loop.create_task(at.send())
        await settle()

        await at.upstream.aclose()

        with pytest.raises(Broken):
            await active
        with pytest.raises(Unreachable):
            await waiting
        with pytest.raises(Unreachable):
            await at.send()
        assert await held.read(10) == b"ok"  # complete before the end
        assert (at.upstream.active, at.upstream.idle) == (0, 0)


@ours_only("has its own way to close")
async def test_closing_the_pool_while_connecting_opens_nothing(kind):
    async def connect(address, port):
        sock = await open_socket(address, port)
        await at.upstream.aclose()
        return sock

    async with stage(kind, answers, connect=connect) as at:
        with pytest.raises(Unreachable):
            await at.send()
        await until(lambda: at.server.departures == 1)
        assert at.server.requests == []


@ours_only("keeps no such table")
async def test_origins_without_connections_are_forgotten(kind):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    async def resolve(host, port):
        return ["127.0.0.1"]

    async with stage(kind, script, resolve=resolve) as at:
        for number in range(300):
            await at.fetch(origin=Origin(scheme="http", host=f"h{number}.localhost", port=at.server.port))
        assert len(at.upstream._lanes) < 300


@ours_only("it does not tell")
async def test_an_answer_says_whether_its_connection_was_opened_for_it(kind):
    async with stage(kind, answers) as at:
        found = []
        for _ in range(2):
            response = await at.send()
            found.append(response.opened)
            await response.read(1 << 20)
            response.close()
        assert found[0] is not REUSED
        assert found[0].tcp_ms > 0
        assert (found[0].tls_ms is not None) == (at.origin.scheme == "https")
        assert found[1] is REUSED
