"""Large requests: documents that fill what Claude takes, and histories of 100,000 tokens, on every route."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.history import ROUNDS, messages_fields, rounds
from bench.payloads import Api, Shape, write_body
from lockgate.transport import memory
from tests.e2e.gateway import GATEWAY_KEY, Server, clean_environment, running, running_simulator
from tests.e2e.simulated import Simulated, read_entry
from tests.e2e.waiting import wait_until

MB = 1024 * 1024
LIMIT_BYTES = 32 * MB
"""What Claude's API takes as one request."""
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
CLAUDE, GPT = "@claude/claude-haiku-4-5", "@gpt/gpt-4.1"
ROUTES = [
    pytest.param(MESSAGES, CLAUDE, id="messages"),
    pytest.param(CHAT, CLAUDE, id="chat"),
    pytest.param(MESSAGES, GPT, id="adapter"),
    pytest.param(CHAT, GPT, id="chat to gpt"),
]
CONFIG = """
[providers.claude]
type = "anthropic"
base_url = "{url}"
api_key = "k"

[providers.gpt]
type = "openai"
base_url = "{url}/v1"
api_key = "k"
"""
PEAK_BYTES = 300 * MB
"""The gateway itself, the body, what is made of it and what goes out: the translation needs about 215 MB in all."""
GROWTH_BYTES = 8 * MB


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_simulator(tmp_path_factory.mktemp("simulator")) as server:
        yield server


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, upstream: Server) -> Iterator[Server]:
    """A gateway whose limits are the default ones."""
    folder = tmp_path_factory.mktemp("gateway")
    config = folder / "lockgate.toml"
    config.write_text(CONFIG.format(url=upstream.url))
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    with running(arguments, folder=folder, environment=clean_environment(LOCKGATE_API_KEY=GATEWAY_KEY)) as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(upstream: Server) -> None:
    httpx.post(f"{upstream.url}/_simulator/reset", trust_env=False).raise_for_status()


@pytest.fixture
def http(gate: Server) -> Iterator[httpx.Client]:
    headers = {"x-portkey-api-key": GATEWAY_KEY, "content-type": "application/json"}
    with httpx.Client(base_url=gate.url, headers=headers, trust_env=False, timeout=90) as client:
        yield client


def last_seen(upstream: Server) -> Simulated:
    entries = httpx.get(f"{upstream.url}/_simulator/requests", trust_env=False, timeout=90).json()["requests"]
    return read_entry(entries[-1])


def memory_bytes(gate: Server, name: str) -> int:
    path = Path(f"/proc/{gate.process.pid}/status")
    if not path.exists():
        pytest.skip("there is no /proc here")
    return int(path.read_text().split(f"{name}:")[1].split()[0]) * 1024


# ---- documents


def pdf(size_bytes: int) -> bytes:
    """Return bytes that begin as a PDF does and cannot be pressed together."""
    return b"%PDF-1.7\n" + random.Random(size_bytes).randbytes(size_bytes - 9)


def asking_about(data: bytes, path: str, model: str) -> bytes:
    """Return a request that holds the document, in the words of the route."""
    text = base64.b64encode(data).decode()
    if path == MESSAGES:
        source = {"type": "base64", "media_type": "application/pdf", "data": text}
        part: dict[str, Any] = {"type": "document", "title": "Plan", "source": source}
    else:
        file = {"filename": "plan.pdf", "file_data": f"data:application/pdf;base64,{text}"}
        part = {"type": "file", "file": file}
    content = [part, {"type": "text", "text": "What is it about?"}]
    return json.dumps({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": content}]}).encode()


def document_of(seen: Simulated) -> bytes:
    """Return the document that reached the provider."""
    part = seen.body["messages"][0]["content"][0]
    text = part["file"]["file_data"].partition(",")[2] if "file" in part else part["source"]["data"]
    return base64.b64decode(text)


LARGEST_PDF = pdf((LIMIT_BYTES - 2048) * 3 // 4)


@pytest.mark.parametrize("path, model", ROUTES)
def test_a_document_that_fills_the_request_arrives_whole(
    path: str, model: str, http: httpx.Client, upstream: Server
) -> None:
    body = asking_about(LARGEST_PDF, path, model)
    assert LIMIT_BYTES - 4096 < len(body) <= LIMIT_BYTES
    answer = http.post(path, content=body)
    assert answer.status_code == 200, answer.text[:500]
    assert "saw 1 document" in answer.text
    assert hashlib.sha256(document_of(last_seen(upstream))).digest() == hashlib.sha256(LARGEST_PDF).digest()


def held_bytes(gate: Server) -> tuple[int, int]:
    """Return the memory that the process holds in its heap, and elsewhere, where large blocks lie."""
    path = Path(f"/proc/{gate.process.pid}/smaps")
    if not path.exists():
        pytest.skip("there is no /proc here")
    heap = elsewhere = 0
    is_heap = False
    for line in path.read_text().splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            is_heap = line.endswith("[heap]")
        elif name == "Rss:" and is_heap:
            heap += int(values[0]) * 1024
        elif name == "Rss:":
            elsewhere += int(values[0]) * 1024
    return heap, elsewhere


@pytest.mark.parametrize("path, model", ROUTES)
def test_nothing_of_a_large_request_stays_in_memory(path: str, model: str, http: httpx.Client, gate: Server) -> None:
    """The heap keeps a bounded rest of what is free at its end; the body itself lies elsewhere."""
    body = asking_about(LARGEST_PDF, path, model)
    # The first one may leave holes between small things that stay, which the next ones fill.
    assert http.post(path, content=body).status_code == 200
    heap, elsewhere = held_bytes(gate)
    for _ in range(3):
        assert http.post(path, content=body).status_code == 200
    # The client keeps its connection; what it sent is let go all the same, shortly after the last byte of the answer.

    def is_let_go() -> bool:
        now_heap, now_elsewhere = held_bytes(gate)
        return now_elsewhere - elsewhere <= GROWTH_BYTES and now_heap - heap <= memory.KEPT_BYTES + GROWTH_BYTES

    wait_until(is_let_go, lambda: f"{held_bytes(gate)}, at first {heap, elsewhere}")
    assert memory_bytes(gate, "VmHWM") < PEAK_BYTES


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_what_is_too_large_for_claude_is_for_claude_to_refuse(path: str, http: httpx.Client) -> None:
    """Our own limit is higher, so that the one of the provider may rise. Its words come in the client's dialect."""
    answer = http.post(path, content=asking_about(pdf(25 * MB), path, CLAUDE))
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["type"] == "request_too_large"
    assert error["message"]
    assert "x-portkey-gateway-exception" not in answer.headers


# ---- long histories


def write_history(path: str, model: str, *, is_stream: bool) -> bytes:
    api: Api = "messages" if path == MESSAGES else "chat"
    body = write_body(Shape(api=api, size="history", is_stream=is_stream), model)
    if model == GPT and api == "chat":  # Claude's marks are none of OpenAI's words
        body = body.replace(b',"cache_control":{"type":"ephemeral"}', b"")
    return body


def calls_and_results(body: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return each call and each result of a request with its id, in their order, whatever the dialect."""
    found: list[tuple[str, Any]] = []
    for message in body["messages"]:
        found += [(one["id"], json.loads(one["function"]["arguments"])) for one in message.get("tool_calls") or ()]
        if message["role"] == "tool":
            found.append((message["tool_call_id"], message["content"]))
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                found.append((block["id"], block["input"]))
            elif block["type"] == "tool_result":
                found.append((block["tool_use_id"], text_of(block["content"])))
    return found


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def tokens_in(answer: httpx.Response) -> int:
    """Return how many tokens the provider read, by the answer or by the events of a stream."""
    text = answer.text
    objects = [text] if text.startswith("{") else [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    usages = [found for found in map(usage_of, map(json.loads, objects)) if found]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "prompt_tokens")
    return max(sum(usage.get(name) or 0 for name in names) for usage in usages)


def usage_of(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = value.get("usage") or value.get("message", {}).get("usage") or {}
    # The prompt of a chat answer holds the cached tokens already.
    return {"prompt_tokens": found["prompt_tokens"]} if "prompt_tokens" in found else found


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path, model", ROUTES)
def test_a_history_of_100_000_tokens_arrives_whole(
    path: str, model: str, is_stream: bool, http: httpx.Client, upstream: Server
) -> None:
    body = write_history(path, model, is_stream=is_stream)
    if is_stream and path == CHAT:
        body = body.replace(b'"stream":true', b'"stream":true,"stream_options":{"include_usage":true}')
    answer = http.post(path, content=body)
    assert answer.status_code == 200, answer.text[:500]
    assert 90_000 < tokens_in(answer) < 110_000
    seen = last_seen(upstream)
    expected = [pair for one in rounds() for pair in ((one.call_id, one.arguments), (one.call_id, one.result))]
    assert len(expected) == 2 * ROUNDS
    assert calls_and_results(seen.body) == expected
    if (path, model) == (MESSAGES, CLAUDE):
        assert seen.text == body.decode().replace(CLAUDE, CLAUDE.partition("/")[2])
    if (path, model) == (CHAT, CLAUDE):
        assert seen.body["system"] == messages_fields()["system"]
        assert [tool["input_schema"] for tool in seen.body["tools"]] == [
            tool["input_schema"] for tool in messages_fields()["tools"]
        ]


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_a_long_history_is_counted(model: str, http: httpx.Client) -> None:
    """Claude counts itself; for others it is estimated, and the estimate is not far off."""
    fields = json.loads(write_history(MESSAGES, model, is_stream=False))
    counted = {name: fields[name] for name in ("model", "messages", "system", "tools")}
    answer = http.post(f"{MESSAGES}/count_tokens", json=counted)
    assert answer.status_code == 200, answer.text
    assert 75_000 < answer.json()["input_tokens"] < 140_000
