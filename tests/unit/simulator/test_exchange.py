"""What is sent, piece by piece, without a server. How it looks on a socket is in ``test_serve``."""

import asyncio

import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from lockgate.simulator.exchange import Body, Exchange
from lockgate.simulator.journal import Received
from tests.unit.simulator.driver import ANTHROPIC_HEADERS, ask, chat, user


def order(directive, *, stream=False, simulator=None, **body):
    return ask(simulator, messages=user(f"x [[sim: {directive}]]"), stream=stream, **body)


def test_a_body_is_sent_in_pieces():
    whole, split = order("text=abcdefgh"), order("text=abcdefgh, split=100")
    assert len(whole.parts) == 1
    assert {len(part) for part in split.parts[:-2]} == {100}
    assert split.json["content"] == whole.json["content"]
    streamed = order("split=7", stream=True)
    assert max(len(part) for part in streamed.parts) == 7
    assert streamed.events[-1]["type"] == "message_stop"


def test_a_dripping_body_comes_byte_by_byte():
    answer = order("text=a, drip=0.00001")
    assert {len(part) for part in answer.parts[:-1]} == {1}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_cut_answer_has_so_many_bytes_and_no_end(stream, size):
    simulator = Simulator()
    answer = order(f"cut={size}", stream=stream, simulator=simulator)
    assert len(answer.body) == size
    assert simulator.requests[0].outcome == "cut"
    assert simulator.counters.broken == 1


def test_a_cut_behind_the_end_cuts_nothing():
    assert order("cut=100000").json["type"] == "message"


def test_a_connection_is_hung_up_before_the_status_line():
    simulator = Simulator()
    assert order("hangup=1", simulator=simulator).status == 0
    assert simulator.requests[0].status is None
    assert order("reset=0").status == 0
    assert len(order("reset=30", stream=True).body) == 30


def test_the_json_of_an_event_is_broken():
    frames = order("malformed=3", stream=True).body.split(b"\n\n")
    assert frames[1].endswith(b"}")
    assert frames[2].endswith(b",")
    assert frames[3].endswith(b"}")


def test_the_json_of_a_whole_answer_is_broken():
    answer = order("malformed=1")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.body.endswith(b",")


@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_error_comes_inside_the_stream(after):
    answer = order(f"stream_error=overloaded_error, after={after}", stream=True)
    assert answer.status == 200
    assert len(answer.events) == after + 1
    assert answer.events[-1]["error"]["type"] == "overloaded_error"
    assert answer.events[-1]["request_id"] == answer.headers["request-id"]


def test_an_error_that_is_ordered_too_late_comes_at_the_end():
    assert order("stream_error=api_error, after=10000", stream=True).events[-1]["type"] == "error"


def test_the_end_of_a_stream_is_missing():
    assert order("no_terminal=1", stream=True).events[-1]["type"] == "message_delta"
    assert order("no_terminal=2", stream=True).events[-1]["type"] == "content_block_stop"
    body = chat(messages=user("x [[sim: no_terminal=1]]"), stream=True).body
    assert b"[DONE]" not in body
    assert b'"finish_reason":"stop"' in body


def test_a_wrong_length_is_announced():
    simulator = Simulator()
    order("content_length=3", simulator=simulator)
    entry = simulator.requests[0]
    assert dict(entry.sent_headers)["content-length"] == "3"
    assert entry.outcome == "cut"


async def leave(simulator, directive, *, after, stream=True):
    """Send one request and leave once so many messages have come; return what came."""
    body = f'{{"model":"claude-haiku-4-5","max_tokens":9000,"stream":{str(stream).lower()},'
    body += f'"messages":[{{"role":"user","content":"x [[sim: {directive}]]"}}]}}'
    incoming = [{"type": "http.request", "body": body.encode(), "more_body": False}]
    sent = []
    left = asyncio.Event()

    async def receive():
        if incoming:
            return incoming.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if len(sent) >= after:
            left.set()

    if after == 0:
        left.set()
    headers = [(name.encode(), value.encode()) for name, value in ANTHROPIC_HEADERS.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "headers": headers}
    await simulator(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "directive, after, stream, events",
    [
        ("events=2000", 10, True, range(8, 14)),
        ("stall=4", 5, True, range(4, 5)),
        ("stall=0", 1, True, range(1)),
        ("delay=60", 0, True, range(1)),
        ("delay=60", 0, False, range(1)),
        ("drip=60", 2, True, range(1, 2)),
        ("drip=60", 2, False, range(1)),
    ],
)
def test_a_client_that_leaves_is_noticed(directive, after, stream, events):
    simulator = Simulator()
    asyncio.run(leave(simulator, directive, after=after, stream=stream))
    entry = simulator.requests[0]
    assert entry.outcome == "aborted"
    assert entry.events_sent in events
    assert (simulator.counters.aborted, simulator.counters.completed) == (1, 0)
    assert simulator.counters.tokens_generated == 0


def test_delays_of_the_settings_are_waited_for():
    simulator = Simulator(SimulatorSettings(latency_s=0.00001, token_delay_s=0.00001))
    assert ask(simulator).status == 200
    assert ask(simulator, stream=True).events[-1]["type"] == "message_stop"


def test_a_client_that_leaves_while_sending_is_no_request_to_answer():
    async def run():
        sent = []

        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        simulator = Simulator()
        scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "headers": []}
        await simulator(scope, receive, send)
        return simulator

    assert asyncio.run(run()).requests[0].outcome == "aborted"


# --- receiving ----------------------------------------------------------------------------------------------------


class Collector:
    def __init__(self):
        self.pieces = []

    def feed(self, data):
        self.pieces.append(data)


@pytest.mark.parametrize(
    "limit, expected, fed",
    [(100, Body(b"abcdefgh", 8), None), (7, Body(b"", 8, True), None), (100, Body(b"abcde", 8), ["abc", "def", "gh"]),
     (7, Body(b"", 8, True), ["abc", "def"])],
)  # fmt: skip
def test_a_body_is_kept_or_fed_into_a_sink(limit, expected, fed):
    incoming = [{"type": "http.request", "body": body, "more_body": body != b"gh"} for body in (b"abc", b"def", b"gh")]

    async def receive():
        return incoming.pop(0)

    async def send(message):
        raise AssertionError

    entry = Received(id=0, method="", path="", query="", headers=(), received_at=0.0)
    exchange = Exchange({}, receive, send, entry, lambda outcome: None)
    sink = Collector() if fed else None
    assert asyncio.run(exchange.read_body(limit, sink=sink, keep_bytes=5)) == expected
    if sink:
        assert [piece.decode() for piece in sink.pieces] == fed
