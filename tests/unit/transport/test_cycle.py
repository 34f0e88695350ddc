import asyncio
import logging

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from lockgate.transport.cycle import Cycle


class Transport:
    def __init__(self):
        self.writes = []
        self.is_closed = False

    def write(self, data):
        self.writes.append(bytes(data))

    def close(self):
        self.is_closed = True


def cycle(method="POST", keep_alive=True):
    transport = Transport()
    made = Cycle(
        scope={"type": "http", "method": method},  # type: ignore[typeddict-item]  # all that sending looks at
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )
    return made, transport


def start(status=200, *headers):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


def sent(messages, **options):
    async def main():
        made, transport = cycle(**options)
        for message in messages:
            await made.send(message)
        return made, transport

    return asyncio.run(main())


def test_head_and_body_are_one_write():
    _, transport = sent([start(200, (b"content-length", b"2")), part(b"hi")])
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\nhi"]


def test_a_body_in_parts_is_chunked():
    made, transport = sent([start(), part(b"one", more=True), part(b"", more=True), part(b"two")])
    assert b"".join(transport.writes) == (
        b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )
    assert made.response_complete


@pytest.mark.parametrize("status, phrase", [(246, b"246 "), (446, b"446 "), (529, b"529 "), (404, b"404 Not Found")])
def test_statuses_that_nobody_registered_go_out_as_numbers(status, phrase):
    _, transport = sent([start(status, (b"content-length", b"0")), part(b"")])
    assert transport.writes[0].startswith(b"HTTP/1.1 " + phrase + b"\r\n")


@pytest.mark.parametrize("options, headers", [({"keep_alive": False}, []), ({}, [(b"connection", b"close")])])
def test_a_connection_that_is_not_kept_says_so_and_is_closed(options, headers):
    _, transport = sent([start(200, (b"content-length", b"0"), *headers), part(b"")], **options)
    assert b"connection: close\r\n" in transport.writes[0]
    assert transport.is_closed


def test_head_requests_have_no_body():
    _, transport = sent([start(200, (b"content-length", b"2")), part(b"hi")], method="HEAD")
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\n"]


@pytest.mark.parametrize("messages", [[part(b"x")], [start(), part(b"x"), part(b"y")], [start(), start()]])
def test_messages_out_of_order_are_a_bug(messages):
    with pytest.raises(RuntimeError):
        sent(messages)


def test_nothing_is_written_to_a_client_that_left():
    async def main():
        made, transport = cycle()
        made.disconnected = True
        await made.send(start())
        await made.send(part(b"x"))
        assert transport.writes == []

    asyncio.run(main())
