import asyncio

import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from tests.unit.simulator.driver import ANTHROPIC_HEADERS, OPENAI_HEADERS, ask, call, chat, user


def test_every_request_is_kept_as_it_came():
    simulator = Simulator()
    answer = ask(simulator)
    entry = simulator.requests[-1]
    assert entry.body.startswith(b'{"model": "claude-haiku-4-5"')
    assert entry.header("x-api-key") == "k"
    assert (entry.status, bytes(entry.sent), entry.outcome) == (200, answer.body, "completed")
    assert dict(entry.sent_headers)["x-lockgate-simulated"] == "true"


def test_streamed_events_are_counted():
    simulator = Simulator()
    answer = ask(simulator, stream=True)
    assert simulator.requests[0].events_sent == len(answer.events)
    assert bytes(simulator.requests[0].sent) == answer.body


def test_only_as_many_requests_are_kept_as_set():
    simulator = Simulator(SimulatorSettings(keep_requests=2))
    for _ in range(3):
        ask(simulator)
    assert len(simulator.requests) == 2


@pytest.mark.parametrize(
    "path, headers, shape",
    [
        ("/v1/models", ANTHROPIC_HEADERS, "first_id"),
        ("/v1/models", OPENAI_HEADERS, "object"),
        ("/anthropic/v1/models", {**OPENAI_HEADERS, "anthropic-version": "2023-06-01"}, "first_id"),
        ("/openai/v1/models", {**OPENAI_HEADERS, **ANTHROPIC_HEADERS}, "object"),
    ],
)
def test_the_models_of_the_provider_that_is_meant_are_listed(path, headers, shape):
    assert shape in call(Simulator(), "GET", path, headers=headers).json


def test_chat_is_never_anthropics():
    assert chat(headers=ANTHROPIC_HEADERS).json["object"] == "chat.completion"


def test_repeated_headers_are_joined():
    simulator = Simulator()

    async def send_both():
        sent = []
        headers = [(name.encode(), value.encode()) for name, value in ANTHROPIC_HEADERS.items()]
        headers += [(b"anthropic-beta", b"pdfs-2024-09-25"), (b"anthropic-beta", b"unknown-1")]
        scope = {"type": "http", "method": "GET", "path": "/v1/models", "query_string": b"", "headers": headers}

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await simulator(scope, receive, send)
        return sent

    assert b"unknown-1" in asyncio.run(send_both())[1]["body"]


def test_usage_is_counted():
    simulator = Simulator()
    whole = ask(simulator).json["usage"]
    chat(simulator, messages=user("x [[sim: input_tokens=100, output_tokens=1000]]"))
    ask(simulator, messages=user("x [[sim: status=500]]"))
    assert simulator.counters.requests == simulator.counters.completed == 3
    assert simulator.counters.input_tokens == 100 + whole["input_tokens"]
    assert simulator.counters.tokens_generated == 1000 + whole["output_tokens"]


def test_the_life_of_a_server_is_followed():
    async def live():
        incoming = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
        sent = []

        async def receive():
            return incoming.pop()

        async def send(message):
            sent.append(message["type"])

        await Simulator()({"type": "lifespan"}, receive, send)
        return sent

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_connections_are_counted_by_the_server():
    simulator = Simulator()
    assert simulator.connections_open is None
    simulator.watch_connections(lambda: 3)
    assert simulator.connections_open == 3
