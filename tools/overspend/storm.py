"""The calls: thousands at once over kept connections, whole and streamed, on both routes, some of which leave early.

A call does what an SDK does: it asks again when it is told 429, later each time, and when the connection is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.overspend.stage import USERS, Key

_CONNECTS_AT_ONCE = 200
_SILENCE_S = 60.0
_MODELS = {"claude": "claude-haiku-4-5", "gpt": "gpt-4.1"}
_FAULTS = (
    "status=529, times=1",
    "status=500",
    "no_terminal=1",
    "cut=700",
    "stream_error=overloaded_error, after=4",
    "hangup=1",
)
_FALLBACK = json.dumps(
    {
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": f"@{slug}", "override_params": {"model": model}} for slug, model in _MODELS.items()],
    }
)


@dataclass(kw_only=True)
class Call:
    """One request as it is sent, and what became of it."""

    number: int
    key: Key
    path: str
    headers: dict[str, str]
    body: bytes
    is_stream: bool
    leaves_after_s: float | None
    """When the client goes away, counted from sending; None: never."""
    leaves_inside: bool = False
    """Whether it goes away when the first bytes of an answer are there."""
    is_healthy: bool = True
    """Whether nothing was ordered to go wrong at the provider."""
    outcome: str = ""
    request_id: str = ""
    problems: list[str] = field(default_factory=list)
    refusals: int = 0


def plan(count: int, keys: Sequence[Key], dice: random.Random, *, leaving: float, failing: float) -> list[Call]:
    """Return so many calls, all different; the shares say how many leave, and how many the provider fails."""
    return [_call(number, keys, dice, leaving, failing) for number in range(count)]


def _call(number: int, keys: Sequence[Key], dice: random.Random, leaving: float, failing: float) -> Call:
    slug = "claude" if dice.random() < 0.6 else "gpt"
    path = "/v1/messages" if dice.random() < 0.5 else "/v1/chat/completions"
    is_stream = dice.random() < 0.5
    fault = dice.choice(_FAULTS) if dice.random() < failing else ""
    most = dice.randrange(20, 120)
    text = f"call {number} " + "word " * dice.randrange(1, 40)
    body: dict[str, Any] = {
        "max_tokens": most,
        "messages": [{"role": "user", "content": text + (f"[[sim: {fault}]]" if fault else "")}],
        "stream": is_stream,
    }
    headers = {"x-portkey-metadata": json.dumps({"_user": f"user{int(USERS * dice.random() ** 2)}"})}
    if dice.random() < 0.15 and slug == "claude":
        headers["x-portkey-config"] = _FALLBACK
        body["model"] = _MODELS[slug]
        if dice.random() < 0.5:
            fault = "status=529, on=anthropic"
            body["messages"][0]["content"] = f"{text}[[sim: {fault}]]"
    else:
        body["model"] = f"@{slug}/{_MODELS[slug]}"
        if slug == "gpt" and path.endswith("completions") and dice.random() < 0.2:
            body["n"] = 2
    is_leaving, is_inside = dice.random() < leaving, dice.random() < 0.5
    return Call(
        number=number,
        key=dice.choice(keys),
        path=path,
        headers=headers,
        body=json.dumps(body).encode(),
        is_stream=is_stream,
        leaves_after_s=dice.uniform(0, 1.5) if is_leaving and not is_inside else None,
        leaves_inside=is_leaving and is_inside,
        is_healthy=not fault,
    )


class _Gone(Exception):  # not an error: the plan
    """The client leaves, as planned."""


class Storm:
    """Fires calls at a gateway, no more than so many at once."""

    def __init__(
        self, port: int, *, open_at_once: int, deadline_s: float, dice: random.Random, longest_wait_s: float = 8.0
    ) -> None:
        """``longest_wait_s`` is how long a refused call waits at most before it tries again."""
        self._port = port
        self._longest_wait_s = longest_wait_s
        self._open_at_once = open_at_once
        self._slots = asyncio.Semaphore(open_at_once)
        self._connects = asyncio.Semaphore(_CONNECTS_AT_ONCE)
        self._until_s = time.monotonic() + deadline_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._dice = dice
        self.sent = 0
        self.open = 0
        self.most_open = 0
        self._news = asyncio.Event()
        self._is_over = False
        self.statuses: Counter[str] = Counter()

    async def run(self, calls: Sequence[Call]) -> None:
        """Connect as often as may be at once, then send all calls; each has an outcome afterwards."""
        count = min(self._open_at_once, len(calls))
        self._idle += await asyncio.gather(*(self._dial() for _ in range(count)))
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(self._one(call))
        self._is_over = True
        self._news.set()
        for _, writer in self._idle:
            writer.close()

    async def has_answered(self, count: int) -> None:
        """Wait until so many calls were answered with 200, or all have ended."""
        while self.statuses["200"] < count and not self._is_over:
            self._news.clear()
            await self._news.wait()

    async def _one(self, call: Call) -> None:
        try:
            call.outcome = await self._insist(call)
        finally:
            self._news.set()

    async def _insist(self, call: Call) -> str:
        wait_s = min(1.0, self._longest_wait_s)
        while True:
            async with self._slots:
                outcome = await self._try(call)
            if outcome not in ("busy", "refused connection"):
                return outcome
            if time.monotonic() > self._until_s:
                return "gave up"
            await asyncio.sleep(wait_s * self._dice.uniform(0.7, 1.3))
            wait_s = min(self._longest_wait_s, wait_s * 1.6)

    async def _try(self, call: Call) -> str:
        try:
            reader, writer = await self._connect()
        except OSError:
            return "refused connection"
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.sent += 1
        is_kept = False
        try:
            async with asyncio.timeout(_SILENCE_S):
                outcome, is_kept = await self._exchange(call, reader, writer)
            return outcome
        except _Gone:
            return "left"
        except (OSError, asyncio.IncompleteReadError, EOFError):
            return "cut off"
        except TimeoutError:
            call.problems.append("no answer in time")
            return "silent"
        finally:
            self.open -= 1
            if is_kept:
                self._idle.append((reader, writer))
            else:
                writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await self._dial()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._connects:
            return await asyncio.open_connection("127.0.0.1", self._port, limit=2**18)

    async def _exchange(
        self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, bool]:
        head = {"host": "gateway", "x-portkey-api-key": call.key.text, "content-type": "application/json"}
        head |= {**call.headers, "content-length": str(len(call.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"POST {call.path} HTTP/1.1\r\n{lines}\r\n".encode() + call.body)
        if call.leaves_after_s is None:
            return await self._answer(call, reader)
        answer = asyncio.ensure_future(self._answer(call, reader))
        try:
            return await asyncio.wait_for(asyncio.shield(answer), call.leaves_after_s)
        except TimeoutError:
            raise _Gone from None
        finally:
            if not answer.done():
                answer.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, EOFError):
                await answer

    async def _answer(self, call: Call, reader: asyncio.StreamReader) -> tuple[str, bool]:
        status, headers = await _read_head(reader)
        if call.leaves_inside and status == 200:
            raise _Gone
        body = await _read_body(reader, headers)
        call.request_id = headers.get("x-portkey-request-id", "")
        self.statuses[str(status)] += 1
        self._news.set()
        is_kept = headers.get("connection", "").lower() != "close"
        if status in (412, 429) and headers.get("x-portkey-gateway-exception") == "true":
            call.refusals += 1
            call.problems += check_refusal(call.path, status, headers, body)
            return ("busy" if status == 429 else "refused"), is_kept
        if status == 200:
            return _read_success(call, body), is_kept
        if call.is_healthy and status != 503:
            call.problems.append(f"status {status}: {body[:200]!r}")
        return "failed by the provider" if status != 503 else "busy", is_kept


def _read_success(call: Call, body: bytes) -> str:
    if not call.is_stream:
        return "answered"
    is_whole = b"data: [DONE]" in body if "chat" in call.path else b"event: message_stop" in body
    if not is_whole and call.is_healthy:
        call.problems.append(f"a stream without an end: {body[-200:]!r}")
    return "answered" if is_whole else "failed by the provider"


def check_refusal(path: str, status: int, headers: dict[str, str], body: bytes) -> list[str]:
    """Return what is wrong with a refusal; the documented one has nothing."""
    try:
        error = json.loads(body)["error"]
        limit = error["limit"]
        found = {"status": json.loads(body).get("type"), "kind": error["type"], "scope": limit["scope"]}
    except (ValueError, KeyError, TypeError) as fault:
        return [f"a refusal of another shape ({fault!r}): {body[:300]!r}"]
    is_chat = path.endswith("completions")
    wanted = ("budget_exceeded" if is_chat else "billing_error") if status == 412 else "rate_limit_error"
    problems = []
    if found["kind"] != wanted:
        problems.append(f"error.type is {found['kind']}, not {wanted}")
    if found["scope"] not in ("key", "provider", "integration", "workspace", "policy"):
        problems.append(f"no known scope: {found['scope']!r}")
    if not isinstance(error.get("message"), str) or "resets_at" not in limit:
        problems.append("no message, or no resets_at")
    if status == 412 and headers.get("x-should-retry") != "false":
        problems.append("412 without x-should-retry: false")
    if status == 429 and not headers.get("retry-after", "").isdigit():
        problems.append("429 without retry-after")
    return problems


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)
