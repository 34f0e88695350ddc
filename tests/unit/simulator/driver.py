"""Calls a simulator in this process, without a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

from lockgate.simulator.app import Simulator

ANTHROPIC_HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}
OPENAI_HEADERS = {"authorization": "Bearer k", "content-type": "application/json"}
NEW_VERSION = {"anthropic-version": "2026-10-21"}
HAIKU = "claude-haiku-4-5"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()
PDF = base64.b64encode(b"%PDF-1.7 nothing").decode()


@dataclass
class Answered:
    """What the simulator sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    parts: list[bytes]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json["error"]["message"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The data of each event; ``[DONE]`` is left out."""
        frames = self.body.decode().split("\n\n")
        assert frames.pop() == "", "the stream ends in the middle of an event"
        data = [line.removeprefix("data: ") for frame in frames for line in frame.split("\n") if line[:5] == "data:"]
        return [json.loads(one) for one in data if one != "[DONE]"]


def call(
    simulator: Simulator,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    query: str = "",
) -> Answered:
    """Send one request and return the answer; what the answer lacks at its end does not matter here."""
    return asyncio.run(_call(simulator, method, path, headers or {}, body, query))


async def _call(
    simulator: Simulator, method: str, path: str, headers: dict[str, str], body: bytes, query: str
) -> Answered:
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await simulator(scope, receive, send)
    start = sent[0] if sent else {"status": 0, "headers": []}
    parts = [message["body"] for message in sent[1:]]
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(status=start["status"], headers=found, body=b"".join(parts), parts=parts)


def user(text: str) -> list[dict[str, Any]]:
    """Return messages with one user turn."""
    return [{"role": "user", "content": text}]


def ask(
    simulator: Simulator | None = None,
    *,
    headers: dict[str, str] | None = None,
    beta: str = "",
    path: str = "/v1/messages",
    **changes: Any,
) -> Answered:
    """Ask the Anthropic fake; a change to None takes a key out."""
    body: dict[str, Any] = {"model": HAIKU, "max_tokens": 500, "messages": user("Hello"), **changes}
    body = {key: value for key, value in body.items() if value is not None}
    sent = {**ANTHROPIC_HEADERS, **({"anthropic-beta": beta} if beta else {}), **(headers or {})}
    data = json.dumps(body).encode()
    return call(simulator or Simulator(), "POST", path, headers=sent, body=data)


def form(*parts: tuple[str, bytes], boundary: str = "xx") -> bytes:
    """Return a multipart body; each part has its head, without the first words of it, and its content."""
    pieces = [
        f"--{boundary}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    ]
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def file_part(name: str = "a.txt", data: bytes = b"Grass is green.", kind: str = "text/plain") -> tuple[str, bytes]:
    """Return the part of a form that is the file."""
    return f'name="file"; filename="{name}"\r\ncontent-type: {kind}', data


def upload(
    simulator: Simulator, *parts: tuple[str, bytes], beta: str = "", headers: dict[str, str] | None = None
) -> Answered:
    """Upload a form, or a short text."""
    sent = {**ANTHROPIC_HEADERS, "content-type": "multipart/form-data; boundary=xx", **(headers or {})}
    sent = {**sent, "anthropic-beta": beta} if beta else sent
    return call(simulator, "POST", "/v1/files", headers=sent, body=form(*(parts or [file_part()])))


def api(
    simulator: Simulator, method: str, path: str, body: Any = None, *, beta: str = "", query: str = "", **headers: str
) -> Answered:
    """Call any endpoint of the Anthropic fake; an underscore in a header's name stands for a dash."""
    sent = {**ANTHROPIC_HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent = {**sent, "anthropic-beta": beta} if beta else sent
    data = b"" if body is None else json.dumps(body).encode()
    return call(simulator, method, path, headers=sent, body=data, query=query)


def chat(simulator: Simulator | None = None, *, headers: dict[str, str] | None = None, **changes: Any) -> Answered:
    """Ask the OpenAI fake; a change to None takes a key out."""
    body: dict[str, Any] = {"model": "gpt-4o", "messages": user("Hello"), **changes}
    body = {key: value for key, value in body.items() if value is not None}
    sent = {**OPENAI_HEADERS, **(headers or {})}
    path = "/v1/chat/completions"
    return call(simulator or Simulator(), "POST", path, headers=sent, body=json.dumps(body).encode())
