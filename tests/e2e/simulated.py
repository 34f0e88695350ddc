"""What the simulator saw and said, read from its journal."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.gateway import Server

_newest_ids: dict[str, int] = {}
"""The id of the newest request that was seen, by the simulator's address."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """One request that reached the simulator, and its answer."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    text: str
    """The body, as it was sent."""
    status: int | None
    outcome: str
    answer: str


def requests_with(simulator: Server, tag: str) -> list[Simulated]:
    """Return the requests whose body holds a text, oldest first."""
    return [read_entry(entry) for entry in entries_with(simulator, tag)]


def entries_with(simulator: Server, text: str = "", *, after: int = 0) -> list[dict[str, Any]]:
    """Return those requests as the simulator tells them. It keeps the newest thousand, which take long to read all."""
    asked: dict[str, str | int] = {"containing": text, "after": after}
    answer = httpx.get(f"{simulator.url}/_simulator/requests", params=asked, trust_env=False, timeout=60)
    answer.raise_for_status()
    entries: list[dict[str, Any]] = answer.json()["requests"]
    return entries


def newest_id(simulator: Server) -> int:
    """Return the id of the last request that reached the simulator, 0 when there was none. Ids only grow."""
    known = _newest_ids.get(simulator.url, 0)
    _newest_ids[simulator.url] = max((entry["id"] for entry in entries_with(simulator, after=known)), default=known)
    return _newest_ids[simulator.url]


def newest_entry(simulator: Server) -> dict[str, Any]:
    """Return the last request that reached the simulator."""
    return entries_with(simulator, after=newest_id(simulator) - 1)[-1]


def read_entry(entry: dict[str, Any]) -> Simulated:
    text = base64.b64decode(entry["body_base64"]).decode(errors="replace")
    return Simulated(
        path=entry["path"],
        headers={name.lower(): value for name, value in dict(entry["headers"]).items()},
        body=json.loads(text) if text.startswith("{") else {},
        text=text,
        status=entry["status"],
        outcome=entry["outcome"],
        answer=base64.b64decode(entry["sent_base64"]).decode(errors="replace"),
    )


def objects_sent(answer: str) -> list[Any]:
    """Return every JSON object that a whole answer carried: as its text, or as the arguments of a tool call."""
    body = json.loads(answer)
    if "choices" in body:
        message = body["choices"][0]["message"]
        calls = [call["function"]["arguments"] for call in message.get("tool_calls") or []]
        return [found for found in map(read_object, [message.get("content") or "", *calls]) if found is not None]
    texts = [read_object(block["text"]) for block in body["content"] if block["type"] == "text"]
    inputs = [block["input"] for block in body["content"] if block["type"] == "tool_use"]
    return [found for found in [*texts, *inputs] if found is not None]


def read_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
