"""One record per request, whatever became of it."""

from __future__ import annotations

import socket

import httpx
import pytest

from lockgate.core.record import Record
from tests.e2e import journaled
from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.simulated import requests_with
from tests.e2e.waiting import wait_until

MODEL = "claude-haiku-4-5-20251001"
HEADERS = {"x-portkey-api-key": GATEWAY_KEY}


def record_of(gateway: Server, answer: httpx.Response) -> Record:
    return journaled.record_of(gateway, answer.headers["x-portkey-request-id"])


def post(gateway: Server, path: str, body: dict[str, object], **headers: str) -> httpx.Response:
    return httpx.post(gateway.url + path, json=body, headers={**HEADERS, **headers}, trust_env=False, timeout=30)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "path, target", [("/v1/messages", "anthropic"), ("/v1/chat/completions", "anthropic"), ("/v1/messages", "openai")]
)
def test_a_good_call(gateway: Server, path: str, target: str, stream: bool) -> None:
    model = MODEL if target == "anthropic" else "gpt-4.1"
    body = {
        "model": f"@sim-{target}/{model}",
        "max_tokens": 60,
        "messages": [{"role": "user", "content": "Hello there"}],
    }
    answer = post(gateway, path, {**body, "stream": stream}, **{"x-portkey-trace-id": "trace-1"})
    record = record_of(gateway, answer)
    assert (record.status, record.provider, record.slug, record.error) == (200, target, f"sim-{target}", None)
    assert (record.trace_id, record.key_id, record.is_stream) == ("trace-1", "key_environment", stream)
    assert record.model_asked == f"@sim-{target}/{model}"
    assert record.model
    assert record.tokens.input
    assert record.tokens.output
    assert record.stop_reason in ("end_turn", "stop", "max_tokens", "length")
    (attempt,) = record.attempts
    assert attempt.status == 200
    assert attempt.is_byte_path == (path == "/v1/messages" and target == "anthropic")
    stages = record.stages
    total = stages.receive + stages.prepare + stages.upstream_first + stages.upstream_rest + stages.finish
    assert total == pytest.approx(record.duration_ms, abs=0.01)
    assert record.bytes_out == len(answer.content)


@pytest.mark.parametrize(
    "text, status, error, origin",
    [
        ("[[sim: status=429]]", 429, "upstream_rejected", "provider"),
        ("[[sim: status=529]]", 529, "upstream_rejected", "provider"),
        ("[[sim: reset=0]]", 502, "upstream_broken", "provider"),
    ],
)
def test_a_failure_of_the_provider(gateway: Server, text: str, status: int, error: str, origin: str) -> None:
    body = {"model": f"@sim-anthropic/{MODEL}", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    record = record_of(gateway, post(gateway, "/v1/messages", body))
    assert (record.status, record.error, record.error_origin) == (status, error, origin)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_stream_that_is_cut_is_a_failure(gateway: Server, path: str) -> None:
    text = "[[sim: no_terminal=1]]"
    body = {"model": f"@sim-anthropic/{MODEL}", "max_tokens": 60, "messages": [{"role": "user", "content": text}]}
    record = record_of(gateway, post(gateway, path, {**body, "stream": True}))
    assert (record.status, record.error, record.error_origin) == (200, "upstream_stream_cut", "provider")


@pytest.mark.parametrize(
    "body, status, error",
    [
        ({"model": "@nowhere/m"}, 400, "no_target"),
        ({"model": 3}, 400, "invalid_request"),
        ({"model": f"@sim-anthropic/{MODEL}", "stream": "x"}, 400, "invalid_request"),
    ],
)
def test_a_refusal_of_ours(gateway: Server, body: dict[str, object], status: int, error: str) -> None:
    record = record_of(gateway, post(gateway, "/v1/messages", body))
    assert (record.status, record.error, record.error_origin, record.attempts) == (status, error, "gateway", ())


def test_dropped_fields_are_named(gateway: Server) -> None:
    body = {
        "model": f"@sim-anthropic/{MODEL}",
        "max_tokens": 60,
        "messages": [{"role": "user", "content": "Hi"}],
        "seed": 1,
        "logit_bias": {"1": 2},
    }
    answer = post(gateway, "/v1/chat/completions", body)
    assert answer.status_code == 200
    assert set(answer.headers["x-lockgate-dropped"].split(", ")) == {"seed", "logit_bias"}
    assert set(record_of(gateway, answer).dropped) == {"seed", "logit_bias"}
    strict = post(gateway, "/v1/chat/completions", body, **{"x-lockgate-strict": "true"})
    assert strict.status_code == 400
    assert "seed" in strict.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_cancels_the_provider(gateway: Server, simulator: Server, path: str, stream: bool) -> None:
    tag = f"leaving-{path[-4:]}-{stream}"
    directive = "events=500, drip=0.02" if stream else "delay=5"
    text = f"{tag} [[sim: {directive}]]"
    body = {"model": f"@sim-anthropic/{MODEL}", "max_tokens": 60, "messages": [{"role": "user", "content": text}]}
    headers = {**HEADERS, "x-portkey-trace-id": tag}
    request = httpx.Request("POST", gateway.url + path, json={**body, "stream": stream}, headers=headers)
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in request.headers.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", request.url.port), timeout=10) as client:
        client.sendall(head.encode() + request.content)
        if stream:
            client.recv(100)
        else:
            wait_until(lambda: requests_with(simulator, tag))
    wait_until(lambda: [one.outcome for one in requests_with(simulator, tag)] == ["aborted"])
    wait_until(lambda: journaled.records_with(gateway, tag))
    (record,) = journaled.records_with(gateway, tag)
    assert record.is_client_gone
    assert (record.status, record.error_origin) == (499, "client")
