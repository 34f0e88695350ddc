"""Whole exchanges inside this process: the data plane with all its work, between a client and a provider of plain data.

Nothing here touches a socket, so what is timed is Lockgate's own Python and little else: on a busy machine these
figures move far less than those of real traffic. The journal writes to a real file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.limits import limited_claims
from bench.payloads import Shape, write_body
from bench.systems import CACHE_HEADER, GATEWAY_KEY, PATHS, REFRESH_HEADER

if TYPE_CHECKING:
    from lockgate.core.record import Opened
    from lockgate.dataplane.app import DataPlane

_CONFIG = """\
[providers.anthropic]
type = "anthropic"
base_url = "http://127.0.0.1:9"
api_key = "sk-upstream"
"""
_TEXT = "Paris is the capital of France. It stands on the river Seine in the north of the country. " * 3
REPLY: Mapping[str, object] = {
    "id": "msg_01mock",
    "type": "message",
    "role": "assistant",
    "model": "claude-mock",
    "content": [{"type": "text", "text": _TEXT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 212,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 64,
    },
}
START: tuple[Mapping[str, object], ...] = (
    {"type": "message_start", "message": {**REPLY, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
)
DELTA: Mapping[str, object] = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": " tok12 and"},
}
_END: tuple[Mapping[str, object], ...] = (
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 64}},
    {"type": "message_stop"},
)
DELTAS = 50


def write_json(data: Mapping[str, object]) -> bytes:
    """JSON without spaces."""
    return json.dumps(data, separators=(",", ":")).encode()


def write_event(data: Mapping[str, object]) -> bytes:
    """One server-sent event as Anthropic's API writes it."""
    return b"event: %b\ndata: %b\n\n" % (str(data["type"]).encode(), write_json(data))


_WHOLE = write_json(REPLY)
_EVENTS = [write_event(data) for data in (*START, *([DELTA] * DELTAS), *_END)]


class _Answer:
    """A provider's answer that is all there."""

    status = 200
    opened: Opened | None = None

    def __init__(self, *, is_stream: bool) -> None:
        self._parts = iter(_EVENTS if is_stream else [_WHOLE])
        kind = b"text/event-stream" if is_stream else b"application/json"
        self.headers = [(b"content-type", kind), (b"request-id", b"req_mock")]

    async def read(self, limit_bytes: int) -> bytes:
        return next(self._parts)

    async def next_chunk(self) -> bytes:
        return next(self._parts, b"")

    def close(self) -> None:
        pass


class _Upstream:
    """Answers at once, whole or streamed."""

    def __init__(self) -> None:
        self.is_stream = False

    async def send(self, request: object) -> _Answer:
        return _Answer(is_stream=self.is_stream)


@contextmanager
def _plane(upstream: _Upstream, *, is_limited: bool = False) -> Iterator[DataPlane]:
    from lockgate.app import load_dialects
    from lockgate.config import read_document
    from lockgate.dataplane.app import DataPlane
    from lockgate.plan.compile import Sources, compile_snapshot
    from lockgate.plan.keys import digest_of
    from lockgate.plan.snapshot import GatewayKey
    from lockgate.providers import load_providers
    from lockgate.store.batch_book import MemoryBatchBook
    from lockgate.store.cache_memory import MemoryCache
    from lockgate.store.counters_memory import MemoryCounters
    from lockgate.store.secrets import SecretReader
    from lockgate.telemetry.clock import SystemClock
    from lockgate.telemetry.journal import Journal
    from lockgate.transport.address_guard import check_url

    claims = limited_claims() if is_limited else ()
    keys = {digest_of(GATEWAY_KEY): GatewayKey(id="key_bench", name="bench", claims=claims)}
    sources = Sources(environment={}, providers=load_providers(), stored_keys=keys)
    document = read_document(_CONFIG, "bench")
    snapshot = compile_snapshot(document, sources, SecretReader({}, Path()), 1)
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder), fsync="off", segment_bytes=1 << 30)
        try:
            yield DataPlane(
                snapshot=snapshot,
                upstream=upstream,
                sink=journal,
                clock=SystemClock(),
                dialects=load_dialects(),
                guard=check_url,
                counters=MemoryCounters(SystemClock()),
                batch_book=MemoryBatchBook(),
                cache=MemoryCache(SystemClock()),
            )
        finally:
            journal.close()


def time_exchanges(timer: Callable[[Callable[[], object]], float], text: str) -> list[tuple[str, float]]:
    """Time every exchange whose name holds the text; a loop runs meanwhile, as it does in the gateway."""

    async def run() -> list[tuple[str, float]]:
        upstream = _Upstream()
        with _plane(upstream) as plane, _plane(upstream, is_limited=True) as limited:
            found = [(name, _timed(timer, plane, upstream, shape)) for name, shape in _exchanges() if text in name]
            for shape in (Shape(api="chat"), Shape(api="messages")):
                name = f"exchange: {shape.api}, three budgets and two rates"
                if text in name:
                    found.append((name, _timed(timer, limited, upstream, shape)))
            for shape in (Shape(api="chat"), Shape(api="messages"), Shape(api="messages", is_stream=True)):
                for said, headers in (("miss", _MISS), ("hit", _HIT)):
                    name = f"exchange: {shape.api}{' streamed' * shape.is_stream}, cache {said}"
                    if text in name:
                        found.append((name, _timed(timer, plane, upstream, shape, headers)))
            return found

    return asyncio.run(run())


def _exchanges() -> list[tuple[str, Shape]]:
    return [
        ("exchange: chat translated", Shape(api="chat")),
        ("exchange: Messages, byte path", Shape(api="messages")),
        ("exchange: 100 KB chat translated", Shape(api="chat", size="large")),
        ("exchange: 100k-token history, chat translated", Shape(api="chat", size="history")),
        ("exchange: 100k-token history, Messages, byte path", Shape(api="messages", size="history")),
        (f"exchange: chat streamed, {DELTAS + 5} events", Shape(api="chat", is_stream=True)),
        (f"exchange: Messages streamed, {DELTAS + 5} events", Shape(api="messages", is_stream=True)),
    ]


def _pairs(*lines: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in (line.split(": ", 1) for line in lines))


_HIT = _pairs(CACHE_HEADER)
_MISS = _pairs(CACHE_HEADER, REFRESH_HEADER)


def _timed(
    timer: Callable[[Callable[[], object]], float],
    plane: DataPlane,
    upstream: _Upstream,
    shape: Shape,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> float:
    upstream.is_stream = shape.is_stream
    body = write_body(shape, f"@anthropic/{shape.model}")
    sent: list[dict[str, Any]] = []
    _exchange(plane, shape, body, sent, headers)
    if sent[0]["status"] != 200:
        raise RuntimeError(f"the exchange failed: {sent}")
    return timer(lambda: _exchange(plane, shape, body, None, headers))


def _exchange(
    plane: DataPlane,
    shape: Shape,
    body: bytes,
    sent: list[dict[str, Any]] | None,
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    """Run one exchange to its end. Nothing in it has to wait, so one step of the coroutine is all of it."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if sent is not None:
            sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATHS[shape.api],
        "query_string": b"",
        "client": ("127.0.0.1", 9),
        "extensions": {"lockgate.disconnect": {"watch": lambda on_lost: None}},
        "headers": [
            (b"host", b"127.0.0.1:9"),
            (b"content-type", b"application/json"),
            (b"accept", b"*/*"),
            (b"content-length", b"%d" % len(body)),
            (b"authorization", b"Bearer " + GATEWAY_KEY.encode()),
            (b"anthropic-version", b"2023-06-01"),
            *headers,
        ],
    }
    try:
        plane(scope, receive, send).send(None)
    except StopIteration:
        return
    raise RuntimeError("the exchange waits for something")
