"""Answers that are not HTTP/1.1, or that could be read in two ways, are refused; so are heads without measure."""

from __future__ import annotations

import pytest

from lockgate.errors import Malformed
from tests.contract.upstream.scripted_server import until
from tests.contract.upstream.stage import drain, every_kind, ours_only, stage

OK = b"HTTP/1.1 200 OK\r\n"

BAD_HEADS = {
    "garbage": b"\x00\x01\x02\x03 garbage\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x28" + b"\0" * 32,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "two different lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "a length in hex": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "length and chunked": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a header without a name": OK + b": 5\r\n\r\nhello",
    "a NUL in a value": OK + b"X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
}

STRICT_HEADS = {
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz",
    "a space before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "the same length twice": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "an empty length": OK + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": OK + b"Content-Length: 99999999999999999999\r\n\r\n",
    "a status that does not exist": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "a folded header": OK + b"X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "lines without CR": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a bare CR in a value": OK + b"X-A: a\rb\r\nContent-Length: 0\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked is not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nx",
    "an unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
}

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

BAD_BODIES = {
    "a chunk size that is no number": CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
}


def cases(table):
    return pytest.mark.parametrize("wire", table.values(), ids=list(table))


def says(wire: bytes, *, bytewise: bool = False):
    """A script that answers each request with these bytes and then waits for the client to leave."""

    async def script(peer):
        await peer.request()
        await peer.send_pieces([wire[at : at + 1] for at in range(len(wire))] if bytewise else [wire])
        await peer.gone()

    return script


@cases(BAD_HEADS)
@every_kind
async def test_a_bad_head_is_malformed(kind, wire):
    async with stage(kind, says(wire)) as at:
        with pytest.raises(Malformed):
            await at.send()


@cases(STRICT_HEADS)
@ours_only("accepts these")
async def test_a_doubtful_head_is_malformed(kind, wire):
    async with stage(kind, says(wire)) as at:
        with pytest.raises(Malformed):
            await at.send()


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@cases({**BAD_HEADS, **STRICT_HEADS})
@ours_only("reads each piece as it comes and may wait for more")
async def test_a_bad_head_closes_the_connection(kind, wire, bytewise):
    async with stage(kind, says(wire, bytewise=bytewise)) as at:
        for _ in range(2):
            with pytest.raises(Malformed):
                await at.send()
        assert at.server.connections == 2


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@cases(BAD_BODIES)
@ours_only("notices some of these only when its time limit runs out")
async def test_a_bad_chunk_is_malformed_for_either_way_of_reading(kind, wire, bytewise):
    async with stage(kind, says(wire, bytewise=bytewise)) as at:
        _, error = await drain(await at.send())
        assert isinstance(error, Malformed)
        response = await at.send()
        with pytest.raises(Malformed):
            await response.read(100)
        with pytest.raises(Malformed):
            await response.read(100)


BOMBS = {
    "many headers": (OK + b"X-Bomb: 0123456789\r\n" * 200_000, "head"),
    "one endless value": (OK + b"X-Bomb: " + b"a" * 4_000_000, "head"),
    "one endless name": (OK + b"a" * 4_000_000, "head"),
    "an endless reason": (b"HTTP/1.1 200 " + b"a" * 4_000_000, "head"),
    "endless interim answers": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100_000, "head"),
    "endless blank lines": (b"\r\n" * 2_000_000, "head"),
    "a large head that ends": (OK + b"X-Bomb: 0123456789\r\n" * 4_000 + b"Content-Length: 0\r\n\r\n", "head"),
    "endless trailers": (CHUNKED + b"1\r\na\r\n0\r\n" + b"X-Bomb: 0123456789\r\n" * 200_000, "body"),
    "one endless trailer": (CHUNKED + b"1\r\na\r\n0\r\nX-Bomb: " + b"a" * 4_000_000, "body"),
    "an endless chunk extension": (CHUNKED + b"1;x=" + b"a" * 4_000_000, "body"),
}


@pytest.mark.parametrize("wire,place", BOMBS.values(), ids=list(BOMBS))
@ours_only("has limits of its own, by line and not for the whole head")
async def test_a_header_bomb_is_malformed_before_it_is_taken(kind, wire, place):
    taken = []

    async def script(peer):
        await peer.request()
        for at in range(0, len(wire), 8192):
            await peer.send(wire[at : at + 8192])
            taken.append(8192)
        await peer.gone()

    async with stage(kind, script) as at:
        if place == "head":
            with pytest.raises(Malformed, match="too large"):
                await at.send()
        else:
            _, error = await drain(await at.send())
            assert isinstance(error, Malformed)
    assert sum(taken) < 8_000_000
    assert len(wire) < 100_000 or sum(taken) < len(wire)


@every_kind
async def test_a_head_of_ordinary_size_is_no_bomb(kind):
    headers = b"".join(b"X-Header-%d: %s\r\n" % (n, b"v" * 700) for n in range(40))

    async def script(peer):
        async for _ in peer.requests():
            await peer.send(OK + headers + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000)

    async with stage(kind, script) as at:
        _, received, body = await at.fetch()
        assert (len(received), len(body)) == (41, 100_000)


@every_kind
async def test_many_small_chunks_and_long_bodies_are_no_bomb(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(CHUNKED + b"1\r\na\r\n" * 60_000 + b"0\r\n\r\n")

    async with stage(kind, script) as at:
        _, _, body = await at.fetch()
        assert body == b"a" * 60_000


@every_kind
@pytest.mark.parametrize("whole", [True, False], ids=["in one piece", "in many"])
async def test_an_answer_longer_than_the_limit_is_malformed(kind, whole):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(OK + b"Content-Length: 3000\r\n\r\n")
            await peer.send_pieces([b"x" * 3000] if whole else [b"x" * 100] * 30)

    async with stage(kind, script) as at:
        response = await at.send()
        with pytest.raises(Malformed, match="longer than 1000 bytes"):
            await response.read(1000)
        response.close()
        response = await at.send()
        assert len(await response.read(3000)) == 3000
        response.close()


@every_kind
async def test_an_answer_longer_than_the_limit_is_not_read_to_its_end(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 2000)
        await peer.gone()

    async with stage(kind, script) as at:
        response = await at.send()
        with pytest.raises(Malformed):
            await response.read(1000)
        await until(lambda: at.server.departures == 1)


@ours_only("says it in other words")
async def test_switching_protocols_is_named(kind):
    async with stage(kind, says(STRICT_HEADS["switching protocols"])) as at:
        with pytest.raises(Malformed, match="switched to another protocol"):
            await at.send()


@every_kind
async def test_a_refused_answer_is_not_quoted(kind):
    async with stage(kind, says(b"HTTP/1.1 canary-7 OK\r\n\r\n")) as at:
        with pytest.raises(Malformed) as caught:
            await at.send()
    assert "canary" not in str(caught.value)
