import asyncio

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from lockgate.transport.cycle import Cycle


class Transport:
    def __init__(self):
        self.writes = []
        self.is_closed = False
        self.is_paused = False

    def write(self, data):
        self.writes.append(bytes(data))

    def close(self):
        self.is_closed = True

    def is_closing(self):
        return self.is_closed

    def pause_reading(self):
        self.is_paused = True

    def resume_reading(self):
        self.is_paused = False


def cycle(method="POST", keep_alive=True, wants_continue=False):
    transport = Transport()
    made = Cycle(
        scope={"type": "http", "method": method},
        transport=transport,
        flow=FlowControl(transport),
        default_headers=[(b"date", b"today")],
        wants_continue=wants_continue,
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


def received(made, *steps):
    """Take messages; each step is what happens while ``receive`` waits."""

    async def main():
        messages = []
        for step in steps:
            waiting = asyncio.ensure_future(made.receive())
            await asyncio.sleep(0)
            for what in step:
                assert not waiting.done()
                what()
            messages.append(await asyncio.wait_for(waiting, 1))
        return messages

    return asyncio.run(main())


def request(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_a_body_that_is_there_is_handed_on_whole():
    made, _ = cycle()
    made.body_received(b"one")
    made.body_received(b"two")
    made.body_ended()
    assert received(made, [], [made.client_left]) == [request(b"onetwo"), GONE]


def test_a_body_in_pieces_is_waited_for():
    made, _ = cycle()
    pieces = [lambda: made.body_received(b"one")], [lambda: made.body_received(b"two")], [made.body_ended]
    assert received(made, *pieces) == [request(b"one", True), request(b"two", True), request(b"")]


def test_a_request_without_a_body_is_one_message():
    made, _ = cycle()
    made.body_ended()
    assert received(made, []) == [request(b"")]


def test_a_client_that_leaves_in_its_body_is_gone():
    made, _ = cycle()
    made.body_received(b"one")
    made.client_left()
    assert received(made, [], []) == [GONE, GONE]


def test_reading_pauses_while_the_app_takes_nothing_and_resumes_when_it_waits():
    made, transport = cycle()
    made.body_received(b"x" * 70_000)
    assert transport.is_paused
    (first,) = received(made, [])
    assert len(first["body"]) == 70_000
    seen = []
    received(made, [lambda: seen.append(transport.is_paused), made.body_ended])
    assert seen == [False]


def test_a_client_that_waits_for_leave_to_go_on_gets_it_once():
    made, transport = cycle(wants_continue=True)
    made.body_ended()
    received(made, [], [made.client_left])
    assert transport.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]


@pytest.mark.parametrize(
    "messages, written",
    [
        ([], b"HTTP/1.1 500 Internal Server Error\r\n"),
        ([start(), part(b"one", more=True)], b"HTTP/1.1 200 OK\r\n"),
    ],
)
@pytest.mark.parametrize("fault", [None, ValueError("a bug")])
def test_what_an_app_leaves_undone_ends_the_connection(messages, written, fault, caplog):
    made, transport = cycle()

    async def app(scope, receive, send):
        for message in messages:
            await send(message)
        if fault is not None:
            raise fault

    asyncio.run(made.run(app))
    assert transport.writes[0].startswith(written)
    assert transport.is_closed
    assert caplog.records
