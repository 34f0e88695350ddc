import asyncio

import pytest

from lockgate.dataplane.client import ClientConnection
from lockgate.errors import ClientGone, TooLarge


def connection(*messages, headers=()):
    inbox = list(messages)

    async def receive():
        return inbox.pop(0)

    async def send(message):
        pass

    return ClientConnection({"type": "http", "headers": list(headers)}, receive, send)


def part(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "messages, expected",
    [
        ([part(b"abc")], b"abc"),
        ([part(b"a", True), part(b"b", True), part(b"")], b"ab"),
        ([{"type": "http.request"}], b""),
    ],
)
def test_a_body_in_parts(messages, expected):
    assert asyncio.run(connection(*messages).read_body(3)) == expected


@pytest.mark.parametrize(
    "client",
    [
        connection(part(b"abcd")),
        connection(part(b"ab", True), part(b"cd", True), part(b"e")),
        connection(headers=[(b"content-length", b"4")]),
    ],
)
def test_a_body_over_the_limit(client):
    with pytest.raises(TooLarge, match=r"limits\.body_bytes"):
        asyncio.run(client.read_body(3))


def test_a_client_that_leaves_while_it_sends():
    client = connection(part(b"a", True), {"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        asyncio.run(client.read_body(10))
    assert client.is_gone


@pytest.mark.parametrize("has_extension", [True, False])
def test_watching_cancels_the_task_and_unwatching_does_not(has_extension):
    async def main():
        callbacks = []
        gone = asyncio.Event()

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            pass

        scope: dict = {"type": "http", "headers": []}
        if has_extension:
            scope["extensions"] = {"lockgate.disconnect": {"watch": callbacks.append}}

        def leave():
            gone.set()
            for callback in callbacks:
                callback()

        client = ClientConnection(scope, receive, send)
        client.watch()
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, leave)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(5)
        client.absolve()
        assert client.is_gone

        second = ClientConnection(scope, receive, send)
        second.watch()
        second.unwatch()
        leave()
        await asyncio.sleep(0.02)
        assert not second.is_gone

    asyncio.run(main())


def test_whoever_watches_again_is_the_one_that_is_cancelled_and_nobody_else_listens():
    async def main():
        listening = 0

        async def receive():
            nonlocal listening
            listening += 1
            await asyncio.Event().wait()

        async def send(message):
            pass

        client = ClientConnection({"type": "http", "headers": []}, receive, send)
        client.watch()
        await asyncio.sleep(0)
        client.watch()
        await asyncio.sleep(0)
        assert listening == 1
        client.unwatch()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize(
    "headers, client, trusts, address",
    [
        ((), ("10.0.0.5", 4711), False, "10.0.0.5"),
        ((), None, True, None),
        (((b"x-forwarded-for", b"203.0.113.9"),), ("10.0.0.5", 4711), False, "10.0.0.5"),
        (((b"x-forwarded-for", b"6.6.6.6, 203.0.113.9"),), ("10.0.0.5", 4711), True, "203.0.113.9"),
        (
            ((b"x-forwarded-for", b"6.6.6.6"), (b"accept", b"*/*"), (b"x-forwarded-for", b"7.7.7.7, 203.0.113.9")),
            ("10.0.0.5", 4711),
            True,
            "203.0.113.9",
        ),
    ],
)
def test_the_address_is_the_connections_or_what_a_trusted_proxy_saw(headers, client, trusts, address):
    one = connection(headers=headers)
    one.scope["client"] = client
    assert one.address(trusts_forwarded=trusts) == address
