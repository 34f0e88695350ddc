"""A data plane in memory: a scripted upstream, a list of records, and a client that speaks ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from lockgate.app import load_dialects
from lockgate.config import read_document
from lockgate.core.capture import Capture
from lockgate.core.http import UpstreamRequest
from lockgate.core.record import Record
from lockgate.core.secret import Secret
from lockgate.dataplane.app import DataPlane
from lockgate.errors import Malformed
from lockgate.plan.compile import Sources, compile_snapshot
from lockgate.plan.keys import digest_of
from lockgate.plan.snapshot import GatewayKey
from lockgate.providers import load_providers
from lockgate.store.batch_book import MemoryBatchBook
from lockgate.store.cache_memory import MemoryCache
from lockgate.store.counters_memory import MemoryCounters
from lockgate.transport.address_guard import check_url

KEY = "operator-key"
CONFIG = """
[providers.anthropic]
type = "anthropic"
api_key = "sk-ant-record"
[providers.openai]
type = "openai"
api_key = "sk-openai-record"
[providers.local]
type = "openai-compatible"
base_url = "http://127.0.0.1:9/api/v1"
headers = {x-team = "blue"}
allow_custom_host = true
[providers.narrow]
type = "anthropic"
api_key = "sk-n"
models = ["claude-one"]
[limits]
body_bytes = 100000
"""
JSON = [(b"content-type", b"application/json"), (b"request-id", b"req_up"), (b"content-length", b"5")]
SSE = [(b"content-type", b"text/event-stream"), (b"request-id", b"req_up")]


class FakeResponse:
    """An answer in pieces; a piece may be an exception, or a callable that is awaited in its place."""

    def __init__(self, status, headers, *pieces):
        self.status = status
        self.headers = list(headers)
        self.opened = None
        self._pieces = list(pieces)
        self.is_closed = False

    async def next_chunk(self):
        while self._pieces:
            piece = self._pieces.pop(0)
            if isinstance(piece, BaseException):
                raise piece
            if callable(piece):
                await piece()
                continue
            return piece
        return b""

    async def read(self, limit_bytes):
        parts = []
        while part := await self.next_chunk():
            parts.append(part)
        data = b"".join(parts)
        if len(data) > limit_bytes:
            raise Malformed("the answer is larger than the limit")
        return data

    def close(self):
        self.is_closed = True


class FakeUpstream:
    """Answers with what the test queued, and keeps what was sent."""

    def __init__(self):
        self.sent: list[UpstreamRequest] = []
        self.pages: dict[str, Callable[[], FakeResponse]] = {}
        """What stands in the web, by URL."""
        self.fetched: list[UpstreamRequest] = []
        """What was asked of it."""
        self.answers: list = []
        self.responses: list[FakeResponse] = []

    def will(self, *answers):
        self.answers += answers

    async def send(self, request):
        url = f"{request.origin.scheme}://{request.origin.host}{request.target.decode()}"
        if request.method == "GET" and url in self.pages:
            self.fetched.append(request)
            return self.pages[url]()
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            answer = await answer()
        self.responses.append(answer)
        return answer


class FakeClock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        self.now += 0.001
        return self.now

    def unix(self):
        return 1_790_000_000.0


@dataclass
class Answer:
    """What a client got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    is_complete: bool = False

    @property
    def body(self):
        return b"".join(self.parts)

    def json(self):
        return json.loads(self.body)

    def events(self):
        return [event for event in self.body.decode().split("\n\n") if event]


class World:
    """Everything together."""

    def __init__(self, config=CONFIG):
        self.upstream = FakeUpstream()
        self.records: list[Record] = []
        self.captures: list[Capture] = []
        self.clock = FakeClock()
        self.counters = MemoryCounters(self.clock)
        sources = Sources(
            environment={},
            providers=load_providers(),
            stored_keys={digest_of(KEY): GatewayKey(id="key_test", name="test")},
        )
        snapshot = compile_snapshot(read_document(config, "t"), sources, lambda text: Secret(text), 1)
        self.plane = DataPlane(
            snapshot=snapshot,
            upstream=self.upstream,
            sink=self,
            clock=self.clock,
            dialects=load_dialects(),
            guard=check_url,
            counters=self.counters,
            batch_book=MemoryBatchBook(),
            cache=MemoryCache(self.clock),
            bodies=self,
        )

    def write(self, record):
        self.records.append(record)

    def offer(self, capture):
        self.captures.append(capture)

    @property
    def capture(self):
        assert [one.record_id for one in self.captures] == [self.record.id]
        return self.captures[0]

    @property
    def record(self):
        assert len(self.records) == 1
        return self.records[0]

    @property
    def sent(self):
        assert len(self.upstream.sent) == 1
        return self.upstream.sent[0]

    def sent_headers(self):
        names = [name for name, _ in self.sent.headers]
        assert len(names) == len(set(names))
        return {name.decode(): value.decode() for name, value in self.sent.headers}

    def call(
        self,
        path,
        body=b"",
        *,
        method="POST",
        key=KEY,
        leave: Callable[..., object] | None = None,
        query=b"",
        **headers,
    ):
        """Make one request and return the answer. ``leave`` is given a function by which the client leaves."""
        return asyncio.run(self._call(path, body, method, key, leave, query, headers))

    async def _call(self, path, body, method, key, leave, query, headers):
        answer = Answer()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers.pop("content_type", "application/json")
        pairs = [(b"content-type", kind.encode()), (b"content-length", str(len(data)).encode())]
        if key:
            pairs.append((b"x-portkey-api-key", key.encode()))
        pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        inbox: asyncio.Queue = asyncio.Queue()
        for start in range(0, max(len(data), 1), 40_000):
            part = data[start : start + 40_000]
            inbox.put_nowait({"type": "http.request", "body": part, "more_body": start + 40_000 < len(data)})

        def gone():
            inbox.put_nowait({"type": "http.disconnect"})

        async def send(message):
            if message["type"] == "http.response.start":
                assert not answer.status, "two status lines"
                answer.status = message["status"]
                for name, value in message["headers"]:
                    assert name.decode() not in answer.headers, f"{name} twice"
                    answer.headers[name.decode()] = value.decode()
            else:
                assert answer.status, "a body before the status line"
                assert not answer.is_complete, "something after the end"
                answer.parts.append(message.get("body", b""))
                answer.is_complete = not message.get("more_body", False)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": pairs,
            "extensions": {},
        }
        if leave:
            leave(gone)
        await self.plane(scope, inbox.get, send)
        return answer
