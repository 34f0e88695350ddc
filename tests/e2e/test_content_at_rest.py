"""Secrets and personal data in requests and answers come to rest nowhere: every route, every way to fail, bodies on.

Whatever lies in the state folder is looked through as it is, and with all that is compressed in it taken apart.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import zstandard

from tests.e2e.gateway import Evidence, Server, clean_environment, running
from tests.e2e.test_records import MODEL, wait_for

OPERATORS = "operators-key-0123456789abcdef"
TEAMS = "teams-token-0f1e2d3c4b5a6978"
UPSTREAMS = "upstreams-key-fedcba9876543210"
PROVIDER_KEY = "sk-" + "ant-api03-" + "Zx9Yw8Vu" * 6
CLOUD_KEY = "AKIA" + "QWERTYUIOPASDF23"
PERSON = "ann.example@example.org"
CARD = "4111 1111 1111 1111"
CONFIG = """
[records]
bodies = "redacted"
personal = ["email", "card"]
drop_paths = ["ssn"]
[providers.echo]
type = "anthropic"
base_url = "{url}"
api_key = "{key}"
headers = {{x-team-token = "{team}"}}
[providers.chat]
type = "openai-compatible"
base_url = "{url}/v1"
api_key = "{key}"
[providers.dead]
type = "anthropic"
base_url = "http://127.0.0.1:1"
api_key = "{key}"
[simulator]
enabled = false
"""
SSN = "dropped-number-771-42-0001"


class Echo(BaseHTTPRequestHandler):
    """A provider that repeats what it is sent, credentials and all, in the way that the request asks for."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer once."""
        body = self.rfile.read(int(self.headers["content-length"]))
        said = f"{PERSON} {PROVIDER_KEY} " + " ".join(f"{name}: {value}" for name, value in self.headers.items())
        is_stream, is_chat = b'"stream": true' in body or b'"stream":true' in body, "chat" in self.path
        if b"[refuse]" in body:
            self._say(401, {"type": "error", "error": {"type": "authentication_error", "message": said}})
        elif b"[html]" in body:
            self._say(500, f"<html>{said}</html>")
        elif is_stream:
            self._stream(said, is_chat=is_chat, is_cut=b"[cut]" in body, is_error=b"[error]" in body)
        else:
            self._say(200, _chat(said) if is_chat else _message(said))

    def _say(self, status: int, body: object) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("x-echo", f"{UPSTREAMS} {PERSON}")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, said: str, *, is_chat: bool, is_cut: bool, is_error: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        pieces = [said[at : at + 5] for at in range(0, len(said), 5)]
        for event in _chat_events(pieces) if is_chat else _message_events(pieces):
            if is_cut and "stop" in event:
                return
            if is_error and "stop" in event:
                event = f"event: error\ndata: {json.dumps({'type': 'error', 'error': {'type': 'api_error', 'message': said}})}\n\n"
                self.wfile.write(event.encode())
                return
            self.wfile.write(event.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _message(said: str) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 2}
    content = [{"type": "text", "text": said}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}  # fmt: skip


def _chat(said: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [choice],
        "usage": usage,
    }


def _message_events(pieces: list[str]) -> Iterator[str]:
    start = {**_message(""), "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _chat_events(pieces: list[str]) -> Iterator[str]:
    for text in pieces:
        yield _chunk({"content": text}, None)
    yield _chunk({}, "stop")
    yield "data: [DONE]\n\n"


def _chunk(delta: dict[str, str], reason: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x", "choices": [choice]}
    return f"data: {json.dumps(data)}\n\n"


@contextmanager
def echoing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def opened(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what is compressed in a folder, taken apart: segments of bodies, and cells of databases."""
    reader = zstandard.ZstdDecompressor()
    for path in sorted(folder.rglob("*.zst")):
        data, at = path.read_bytes(), 0
        while (at := data.find(b"\x28\xb5\x2f\xfd", at)) >= 0:
            yield f"{path.name} at {at}", reader.decompressobj().decompress(data[at:])
            at += 4
    for path in sorted(folder.rglob("*.db")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in database.execute(f'SELECT * FROM "{table}"'):  # names of the database's own
                    for cell in row:
                        if isinstance(cell, bytes) and cell[:4] == b"\x28\xb5\x2f\xfd":
                            yield f"{path.name}: {table}", reader.decompress(cell, max_output_size=1 << 26)
                        elif cell is not None:
                            yield f"{path.name}: {table}", cell if isinstance(cell, bytes) else str(cell).encode()


def ask(server: Server, path: str, model: str, how: str, *, stream: bool) -> int:
    """Send one request that is full of what must not be kept; read the answer to its end."""
    said = f"{how} I am {PERSON}, my card is {CARD}, my keys are {PROVIDER_KEY} and {CLOUD_KEY}; yours is {OPERATORS}"
    body = {
        "model": model,
        "max_tokens": 20,
        "stream": stream,
        "ssn": SSN,
        "messages": [{"role": "user", "content": said}],
    }
    headers = {
        "x-portkey-api-key": OPERATORS,
        "x-portkey-metadata": json.dumps({"_user": PERSON, "note": PROVIDER_KEY}),
        "x-portkey-trace-id": f"trace {PROVIDER_KEY}",
        "user-agent": f"agent {PROVIDER_KEY}",
        "x-note": f"{PERSON} {CLOUD_KEY}",
        "x-portkey-sensitive-headers": "x-tenant",
        "x-tenant": "tenant-canary-6f1d2c3b4a",
    }
    with httpx.Client(trust_env=False, timeout=30) as client:
        try:
            with client.stream("POST", server.url + path, json=body, headers=headers) as answer:
                if how == "[leave]":
                    next(answer.iter_raw(), None)
                else:
                    answer.read()
                return answer.status_code
        except httpx.RemoteProtocolError:
            return 0


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_that_must_not_be_kept_comes_to_rest(tmp_path: Path, workers: int) -> None:
    evidence = Evidence()
    for name, secret in {
        "operators key": OPERATORS, "upstreams key": UPSTREAMS, "teams token": TEAMS, "provider key": PROVIDER_KEY, "cloud key": CLOUD_KEY,
        "person": PERSON, "card": CARD, "dropped number": SSN, "tenant": "tenant-canary-6f1d2c3b4a",
    }.items():  # fmt: skip
        evidence.hide(name, secret)
    statuses = []
    with echoing() as url:
        config = tmp_path / "conf" / "lockgate.toml"
        config.parent.mkdir()
        config.write_text(CONFIG.format(url=url, key=UPSTREAMS, team=TEAMS))
        arguments = ["up", "--port", "0", "--config", str(config), "--workers", str(workers)]
        environment = clean_environment(LOCKGATE_API_KEY=OPERATORS, LOCKGATE_ADMIN_KEY="boss")
        with running(arguments, folder=tmp_path / "gw", environment=environment) as server:
            for path in ("/v1/messages", "/v1/chat/completions"):
                for model in ("@echo/claude-haiku-4-5", "@chat/gpt-x", "@dead/claude-haiku-4-5", "@none/x"):
                    for how in ("", "[refuse]", "[html]", "[cut]", "[error]", "[leave]"):
                        for stream in (False, True):
                            statuses.append(ask(server, path, model, how, stream=stream))
            for how in ("", "[refuse]", "[html]"):
                statuses.append(ask(server, "/v1/messages/count_tokens", "@echo/claude-haiku-4-5", how, stream=False))
            records = wait_for(server, len(statuses))
            assert {one["log_mode"] for one in records} == {"redacted"}
            shown = _shown(server, next(one for one in records if one["status_code"] == 200 and one["is_stream"]))
            assert "[PII:email]" in json.dumps(shown["response"]["body"])
            assert "[PII:card]" in json.dumps(shown["request"]["body"])
            evidence.add("an answer of the API", shown)
    assert {200, 400, 401} <= set(statuses)
    evidence.folders.append(tmp_path / "gw")
    parts = list(opened(server.home))
    assert any(where.endswith("at 0") for where, _ in parts), "there are segments of bodies"
    assert any(b"[PII:email]" in data for _, data in parts)
    for where, data in parts:
        evidence.add(where, data.decode("latin-1"))
    assert evidence.leaks() == []
    assert "Traceback" not in server.log.read_text()


def _shown(server: Server, record: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        url = f"{server.url}/v1/logs/{record['id']}"
        answer = httpx.get(url, headers={"x-portkey-api-key": "boss"}, trust_env=False, timeout=30)
        shown: dict[str, Any] = msgspec.json.decode(answer.content)
        if shown["content"]["is_kept"]:
            return shown
        assert time.monotonic() < deadline, shown["content"]
        time.sleep(0.05)


def test_a_full_disk_costs_bodies_is_counted_and_said(tmp_path: Path) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text("[records]\ndisk_share = 0.000001\n")
    arguments = ["up", "--port", "0", "--config", str(config)]
    environment = clean_environment(LOCKGATE_API_KEY=OPERATORS, LOCKGATE_ADMIN_KEY="boss")
    with running(arguments, folder=tmp_path, environment=environment) as server:
        for _ in range(3):
            body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
            headers = {"x-portkey-api-key": OPERATORS}
            answer = httpx.post(f"{server.url}/v1/messages", json=body, headers=headers, trust_env=False, timeout=30)
            assert answer.status_code == 200, answer.text
        assert len(wait_for(server, 3)) == 3
        deadline = time.monotonic() + 60
        while "aigw_log_bodies_dropped_total 3" not in (text := _metrics(server)):
            assert time.monotonic() < deadline, [line for line in text.splitlines() if "bodies" in line]
            time.sleep(0.1)
    assert "bodies are not kept" in server.log.read_text()
    assert not list(server.home.rglob("*.zst"))


def _metrics(server: Server) -> str:
    return httpx.get(f"{server.url}/metrics", headers={"x-portkey-api-key": "boss"}, trust_env=False, timeout=30).text
