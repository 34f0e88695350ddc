"""How an answer is cut out of the byte stream: lengths, chunks, interim heads, and every way to split them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from lockgate.core.http import Headers
from tests.contract.upstream.stage import AIOHTTP, OURS, drain, every_kind, stage


class Answer(Struct, frozen=True, kw_only=True):
    """Bytes of an answer and what a reader must see."""

    id: str
    wire: bytes
    status: int = 200
    body: bytes = b""
    method: str = "POST"
    ends_with_connection: bool = False
    reusable: bool = True


ANSWERS = [
    Answer(id="length", wire=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", body=b"hello"),
    Answer(id="length zero", wire=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    Answer(id="no reason phrase", wire=b"HTTP/1.1 429 \r\nContent-Length: 1\r\n\r\n!", status=429, body=b"!"),
    Answer(
        id="chunked",
        wire=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        body=b"hello",
    ),
    Answer(
        id="chunked with extensions and trailers",
        wire=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n02;q="x;y"\r\nlo\r\n'
        b"000;last\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n",
        body=b"hello",
    ),
    Answer(
        id="chunks that look like heads",
        wire=b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n13\r\nHTTP/1.1 500 No\r\n\r\n\r\n0\r\n\r\n",
        body=b"HTTP/1.1 500 No\r\n\r\n",
    ),
    Answer(
        id="100 and 103 first",
        wire=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        body=b"ok",
    ),
    Answer(
        id="until the connection ends",
        wire=b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello",
        body=b"hello",
        ends_with_connection=True,
        reusable=False,
    ),
    Answer(
        id="HTTP/1.0",
        wire=b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        body=b"hello",
        reusable=False,
    ),
    Answer(
        id="HTTP/1.0 kept",
        wire=b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        body=b"hello",
    ),
    Answer(
        id="connection: close",
        wire=b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        body=b"hello",
        reusable=False,
    ),
    Answer(id="204", wire=b"HTTP/1.1 204 No Content\r\n\r\n", status=204),
    Answer(id="304 with a length", wire=b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", status=304),
    Answer(id="HEAD", wire=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method="HEAD"),
    Answer(id="HEAD chunked", wire=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", method="HEAD"),
]
any_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.id)


def plays(answer: Answer, splits):
    """A script that sends the answer once per request, each time in the next of the given ways."""
    ways = iter(splits)

    async def script(peer):
        async for _ in peer.requests():
            await peer.send_pieces(next(ways))
            if not answer.reusable:
                return

    return script


def two_pieces(wire: bytes):
    """Every way to cut the bytes in two."""
    return [[wire[:at], wire[at:]] for at in range(1, len(wire))]


async def expect(at, answer: Answer) -> None:
    """The answer is read whole in one request and by chunks in the next."""
    response = await at.send(method=answer.method)
    assert response.status == answer.status
    chunks, error = await drain(response)
    assert (b"".join(chunks), error) == (answer.body, None)


@any_answer
@every_kind
async def test_an_answer_is_read_whole(kind, answer):
    async with stage(kind, plays(answer, [[answer.wire]] * 2)) as at:
        for _ in range(2):
            status, _, body = await at.fetch(method=answer.method)
            assert (status, body) == (answer.status, answer.body)
        assert at.server.connections == (1 if answer.reusable else 2)


@any_answer
@every_kind
async def test_an_answer_may_be_cut_at_any_byte(kind, answer):
    ways = two_pieces(answer.wire)
    async with stage(kind, plays(answer, ways)) as at:
        for _ in ways:
            await expect(at, answer)
        assert at.server.connections == (1 if answer.reusable else len(ways))


@any_answer
@every_kind
async def test_an_answer_may_come_byte_by_byte(kind, answer):
    bytewise = [answer.wire[at : at + 1] for at in range(len(answer.wire))]
    async with stage(kind, plays(answer, [bytewise])) as at:
        await expect(at, answer)


@pytest.mark.parametrize("kind", [*OURS, AIOHTTP], ids=lambda kind: kind.id)
@given(answer=st.sampled_from(ANSWERS), data=st.data())
def test_an_answer_may_be_cut_anywhere(kind, answer, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer.wire) - 1), max_size=8), label="cuts"))
    pieces = [answer.wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer.wire)], strict=True)]

    async def scenario() -> None:
        async with stage(kind, plays(answer, [pieces])) as at:
            await expect(at, answer)

    with asyncio.Runner(loop_factory=kind.new_loop) as runner:
        runner.run(scenario())


@every_kind
async def test_headers_keep_their_order_and_their_doubles_and_lose_their_case(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(
                b"HTTP/1.1 200 OK\r\nX-One: 1\r\nSet-Cookie: a\r\nx-EMPTY:\r\nSet-Cookie: b  \r\n"
                b"X-Latin: caf\xe9\r\nContent-Length: 0\r\n\r\n"
            )

    async with stage(kind, script) as at:
        _, headers, _ = await at.fetch()
    expected: Headers = [
        (b"x-one", b"1"),
        (b"set-cookie", b"a"),
        (b"x-empty", b""),
        (b"set-cookie", b"b"),
        (b"x-latin", b"caf\xe9"),
        (b"content-length", b"0"),
    ]
    assert headers == expected


@every_kind
async def test_headers_of_interim_answers_are_not_those_of_the_answer(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(
                b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            )

    async with stage(kind, script) as at:
        _, headers, _ = await at.fetch()
    assert headers == [(b"content-length", b"0")]


@every_kind
async def test_trailers_are_not_headers(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n")

    async with stage(kind, script) as at:
        _, headers, _ = await at.fetch()
    assert headers == [(b"transfer-encoding", b"chunked")]


@every_kind
async def test_a_compressed_body_is_left_as_it_is(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")

    async with stage(kind, script) as at:
        _, _, body = await at.fetch()
    assert body == b"\x1f\x8b\x08"


@every_kind
async def test_a_redirect_is_an_answer_like_any_other(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 307 Go\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n")

    async with stage(kind, script) as at:
        status, headers, _ = await at.fetch()
        assert at.server.connections == 1
    assert status == 307
    assert (b"location", b"http://169.254.169.254/latest") in headers


@every_kind
async def test_what_is_sent_is_what_was_asked(kind):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with stage(kind, script) as at:
        await at.fetch(b"{}", headers=[(b"x-api-key", b"k"), (b"anthropic-version", b"2023-06-01")])
        received = at.server.requests[0]
        assert received.line == b"POST /v1/messages?beta=true HTTP/1.1"
        assert received.header(b"host") == b"127.0.0.1:%d" % at.server.port
        assert received.header(b"x-api-key") == b"k"
        assert received.header(b"anthropic-version") == b"2023-06-01"
        assert received.header(b"content-length") == b"2"
        assert received.header(b"transfer-encoding") is None
        assert received.body == b"{}"


@every_kind
@pytest.mark.parametrize("method,length", [("GET", None), ("HEAD", None), ("POST", b"0")])
async def test_a_request_without_a_body_has_a_length_only_where_one_is_due(kind, method, length):
    async def script(peer):
        async for _ in peer.requests():
            await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with stage(kind, script) as at:
        await at.fetch(b"", method=method, headers=[])
        assert at.server.requests[0].header(b"content-length") == length
