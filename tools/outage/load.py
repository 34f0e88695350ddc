"""Clients: whole and streamed requests on both routes, each with a tag that the record and the simulator know too."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["unsent", "whole", "cut", "refused"]
MARK = "outage-"
TAG_LENGTH = len(MARK) + 7
_SILENCE_S = 60.0
_DIAL_PAUSE_S = 0.02
_PATHS = (("/v1/messages", "max_tokens"), ("/v1/chat/completions", "max_completion_tokens"))
_MODELS = ("@claude/claude-haiku-4-5", "@gpt/gpt-4.1-mini")


@dataclass(kw_only=True)
class Call:
    """One request of a client, and what became of it."""

    number: int
    path: str
    body: bytes
    is_stream: bool
    outcome: Outcome = "unsent"
    """``whole``: the last byte of the answer arrived. ``cut``: it did not. ``refused``: nobody was there."""
    status: int = 0
    has_end: bool = False
    """The stream's last event arrived, whatever became of the last byte."""
    request_id: str = ""
    took_s: float = 0.0
    began_s: float = 0.0
    """Unix time."""

    @property
    def tag(self) -> str:
        """What stands in the prompt, and in the trace id of the record."""
        return f"{MARK}{self.number:07d}"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast the simulator answers."""

    events: int = 12
    drip_s: float = 0.02
    """Between two events."""
    delay_s: float = 0.1
    """Before a whole answer, at most."""


def plan(dice: random.Random, pace: Pace, *, first: int = 1) -> Iterator[Call]:
    """Yield calls without end: three of four are streams."""
    number = first
    while True:
        path, limit = dice.choice(_PATHS)
        is_stream = dice.random() < 0.75
        order = (
            f"events={pace.events}, drip={pace.drip_s:g}" if is_stream else f"delay={dice.random() * pace.delay_s:.3f}"
        )
        text = f"{MARK}{number:07d} [[sim: {order}]]"
        body = {"model": dice.choice(_MODELS), limit: 60, "messages": [{"role": "user", "content": text}]}
        yield Call(
            number=number,
            path=path,
            body=json.dumps({**body, "stream": is_stream}).encode(),
            is_stream=is_stream,
        )
        number += 1


class Load:
    """Sends calls until it is stopped. ``calls`` has all of them, also those under way."""

    def __init__(self, port: int, key: str, calls: Iterator[Call]) -> None:
        self._port = port
        self._key = key
        self._planned = calls
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._is_over = False
        self.calls: list[Call] = []
        self.problems: Counter[str] = Counter()
        self.answered = asyncio.Event()
        """Set at the first whole answer."""

    def stop(self) -> None:
        """Send no more; what is under way ends as it does."""
        self._is_over = True

    async def run_closed(self, clients: int) -> None:
        """So many clients, each sending one call after the other."""

        async def client() -> None:
            while not self._is_over:
                call = self._next()
                await self._one(call)
                if call.outcome == "refused":
                    await asyncio.sleep(_DIAL_PAUSE_S)

        await asyncio.gather(*(client() for _ in range(clients)))
        self._close()

    async def run_paced(self, rate_per_s: float) -> None:
        """So many calls a second, however long they take."""
        began_s, sent = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while not self._is_over:
                due_s = began_s + sent / rate_per_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                group.create_task(self._one(self._next()))
                sent += 1
        self._close()

    def _next(self) -> Call:
        call = next(self._planned)
        self.calls.append(call)
        return call

    def _close(self) -> None:
        for _, writer in self._idle:
            writer.transport.abort()

    async def _one(self, call: Call) -> None:
        call.began_s, began_s = time.time(), time.monotonic()
        try:
            connection = await self._connect()
        except OSError:
            call.outcome = "refused"
            return
        is_kept = False
        call.outcome = "cut"
        try:
            async with asyncio.timeout(_SILENCE_S):
                is_kept = await self._exchange(call, *connection)
            call.took_s = time.monotonic() - began_s
        except (OSError, EOFError, asyncio.IncompleteReadError):
            pass
        except TimeoutError:
            self.problems["no answer within a minute"] += 1
        finally:
            if is_kept:
                self._idle.append(connection)
            else:
                connection[1].transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_connection("127.0.0.1", self._port, limit=2**18)

    async def _exchange(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = {
            "host": "gateway",
            "x-portkey-api-key": self._key,
            "x-portkey-trace-id": call.tag,
            "content-type": "application/json",
            "content-length": str(len(call.body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"POST {call.path} HTTP/1.1\r\n{lines}\r\n".encode() + call.body)
        call.status, headers = await _read_head(reader)
        call.request_id = headers.get("x-portkey-request-id", "")
        parts: list[bytes] = []
        try:
            await _read_body(reader, headers, parts)
        finally:
            body = b"".join(parts)
            call.has_end = b"data: [DONE]" in body or b"event: message_stop" in body
        call.outcome = "whole"
        self.answered.set()
        if call.status != 200 and call.status != 503:
            self.problems[f"status {call.status}: {body[:200]!r}"] += 1
        elif call.status == 200 and call.is_stream and not call.has_end:
            self.problems[f"a stream without an end: {body[-120:]!r}"] += 1
        return headers.get("connection", "").lower() != "close"


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str], parts: list[bytes]) -> None:
    if "content-length" in headers:
        parts.append(await reader.readexactly(int(headers["content-length"])))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)


def outcomes(calls: Iterable[Call]) -> str:
    """Return how many calls ended how."""
    counts = Counter(call.outcome for call in calls)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
