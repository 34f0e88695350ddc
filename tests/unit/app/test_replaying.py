"""What goes out on the wire, byte for byte, against a server that keeps what it got."""

import asyncio
import contextlib
import threading

import pytest

from lockgate.app.archive import Archive
from lockgate.app.replaying import origin_of, replay, stored_side
from lockgate.core.trace import write_uuid7
from lockgate.errors import InvalidRequest, Unavailable
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.replay import Again
from tests.unit.cli.kept import record, write_records
from tests.unit.records.rows import row

BODY = b'{"model" :"@a/b",\n "x": 1.0}'
REQUEST_ID = write_uuid7(1_700_000_010.0, "a" * 20)
EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c",'
    b'"content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@contextlib.contextmanager
def gateway(content_type, data, *, cut=None):
    """Answer every request; yields the address and what came."""
    seen: list[bytes] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    port = 0

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
        )
        seen.append(head + await reader.readexactly(length))
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-portkey-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            % (content_type, REQUEST_ID.encode(), len(data))
        )
        for start in range(0, cut or len(data), 37):
            writer.write(data[start : min(start + 37, cut or len(data))])
            await writer.drain()
        writer.close()

    async def main():
        nonlocal port
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()

    task = loop.create_task(main(), name="gateway")
    thread = threading.Thread(target=lambda: loop.run_until_complete(task))
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()


@pytest.fixture
def archive(tmp_path):
    write_records(
        tmp_path, [record(10, id="rec_" + REQUEST_ID.replace("-", ""), cost={"nanos": 7, "status": "priced"})]
    )
    opened = Archive(tmp_path)
    yield opened
    opened.close()


AGAIN = Again(
    method="POST", path="/v1/messages", headers=[("anthropic-beta", "b"), ("x-y", "ä")], body=BODY, is_exact=True
)
ROW = row(1, dialect="anthropic_messages", id="rec_" + "1" * 32)


def test_the_request_goes_out_byte_for_byte(archive):
    with gateway(b"application/json", b'{"a": 1}') as (url, seen):
        found = replay(archive, ROW, AGAIN, url=url + "/v1/", key="k", times=2)
    assert len(seen) == 2
    traces = set()
    for each in seen:
        head, _, body = each.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"POST /v1/messages HTTP/1.1"
        assert body == BODY
        for line in (
            b"anthropic-beta: b",
            "x-y: ä".encode(),
            b"x-portkey-api-key: k",
            b"x-lockgate-replay-of: rec_" + b"1" * 32,
        ):
            assert line in lines
        traces |= {line for line in lines if line.startswith(b"x-portkey-trace-id: replay-")}
    assert len(traces) == 2
    assert [one.answer for one in found] == [b'{"a": 1}'] * 2
    assert [one.side.values["cost_nano"] for one in found] == [7, 7]


def test_a_stream_is_put_together_and_its_events_are_counted(archive):
    with gateway(b"text/event-stream", EVENTS) as (url, _):
        (found,) = replay(archive, ROW, AGAIN, url=url, key="k", times=1)
    assert b'"Hello"' in found.answer.replace(b" ", b"")
    assert found.side.events["content_block_delta"] == 2
    assert sum(found.side.events.values()) == 7


@pytest.mark.parametrize("cut", [0, 20])
def test_an_answer_that_breaks_is_told(archive, cut):
    with gateway(b"text/event-stream", EVENTS, cut=cut or 5) as (url, _), pytest.raises(Unavailable, match="--url"):
        replay(archive, ROW, AGAIN, url=url, key="k", times=1)


def test_where_nobody_listens(archive):
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:1 gave no whole answer"):
        replay(archive, ROW, AGAIN, url="http://127.0.0.1:1", key="k", times=1)


def test_an_answer_without_a_record_here_is_known_as_far_as_it_was_seen(archive, monkeypatch):
    monkeypatch.setattr("lockgate.app.replaying._RECORD_WAIT_S", 0)
    monkeypatch.setattr("tests.unit.app.test_replaying.REQUEST_ID", "0-1")
    with gateway(b"application/json", b"{}") as (url, _):
        (found,) = replay(archive, ROW, AGAIN, url=url, key="k", times=1)
    assert found.row is None
    assert found.side.values["status_code"] == 200
    assert found.side.values["duration_us"] == found.duration_us
    assert found.side.values["cost_nano"] is None


@pytest.mark.parametrize(
    "url, host, port, prefix",
    [
        ("http://127.0.0.1:8787", "127.0.0.1", 8787, ""),
        ("https://gateway.example/v1/", "gateway.example", 443, ""),
        ("http://[::1]:9/a/v1", "::1", 9, "/a"),
    ],
)
def test_addresses(url, host, port, prefix):
    origin, found = origin_of(url)
    assert (origin.host, origin.port, found) == (host, port, prefix)


@pytest.mark.parametrize("url", ["", "gateway", "ftp://x", "http://", "http://x:99999"])
def test_what_is_no_address(url):
    with pytest.raises(InvalidRequest):
        origin_of(url)


def test_the_stored_side():
    bodies = Bodies({"response": View(name="response", data=b"{}", size_bytes=2)}, [], [], {})
    assert stored_side(ROW, bodies).answer == b"{}"
    assert stored_side(ROW, Bodies({}, [], [], {})).answer == b""
