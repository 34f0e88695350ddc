"""The simulator as an ASGI app: routing between the fakes, the journal and the counters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec

from lockgate.simulator import control
from lockgate.simulator.anthropic.endpoints import AnthropicFake
from lockgate.simulator.exchange import Exchange, Message, Receive, Send
from lockgate.simulator.journal import Counters, Received, RequestLog
from lockgate.simulator.openai.endpoints import OpenAIFake
from lockgate.simulator.provider import MAX_BODY_BYTES, Provider, Reply, Request, Stream, Whole, World
from lockgate.simulator.settings import SimulatorSettings

__all__ = ["MAX_BODY_BYTES", "Simulator", "SimulatorSettings"]

log = logging.getLogger("lockgate.simulator")

PROVIDERS: tuple[Provider, ...] = (AnthropicFake(), OpenAIFake())
"""The fakes, the first that wants a request gets it. Bedrock and Vertex will be two more."""


class Simulator:
    """An ASGI app that answers like the providers. One instance is one world: journal, caches and counters."""

    def __init__(self, settings: SimulatorSettings | None = None) -> None:
        self.settings = settings or SimulatorSettings()
        self.world = World(self.settings)
        self.counters = Counters()
        self.requests = RequestLog(keep_requests=self.settings.keep_requests, keep_bytes=self.settings.keep_bytes)
        self._count_connections: Callable[[], int] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run_lifespan(receive, send)
        elif scope["type"] == "http":
            if scope["path"].startswith(control.PREFIX):
                await control.answer(self, scope, receive, send)
            else:
                await self._answer(scope, receive, send)

    @property
    def connections_open(self) -> int | None:
        """How many clients are connected; None when the server does not say."""
        return self._count_connections() if self._count_connections is not None else None

    def watch_connections(self, count: Callable[[], int]) -> None:
        """Learn from the server how to count connections."""
        self._count_connections = count

    def reset(self) -> None:
        """Forget everything that was received, counted or cached, and start the script anew."""
        self.requests.clear()
        self.counters = Counters()
        self.world.reset()

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        entry = self._receive(scope)
        reply: Reply | None = None

        def settle(outcome: str) -> None:
            if entry.outcome == "open":
                entry.outcome = outcome
                self._count(outcome, reply)

        exchange = Exchange(scope, receive, send, entry, settle)
        provider, request = self._read_head(entry, scope)
        plan = provider.plan_body(request, self.world)
        keep_bytes = self.settings.keep_upload_bytes
        body = await exchange.read_body(plan.limit_bytes, sink=plan.sink, keep_bytes=keep_bytes)
        entry.body, entry.body_bytes = body.kept, body.size_bytes
        self.requests.append(entry)
        size = entry.size_bytes
        request = msgspec.structs.replace(request, body=body.kept, sink=plan.sink)
        reply = provider.refuse_size(request) if body.is_too_large else provider.answer(request, self.world)
        if isinstance(reply, Whole):
            await exchange.send_whole(reply, latency_s=self.settings.latency_s)
        else:
            await exchange.send_stream(
                reply, latency_s=self.settings.latency_s, token_delay_s=self.settings.token_delay_s
            )
        self.requests.grew(entry, size)

    def _receive(self, scope: Message) -> Received:
        self.counters.requests += 1
        return Received(
            id=self.requests.next_id(),
            method=scope["method"],
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
            ),
            received_at=time.time(),
        )

    def _read_head(self, entry: Received, scope: Message) -> tuple[Provider, Request]:
        """Return the fake that is meant, and the request as far as it is known before its body."""
        headers: dict[str, str] = {}
        for name, value in entry.headers:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        host = headers.get("host") or "{}:{}".format(*(scope.get("server") or ("localhost", 80)))
        request = Request(
            method=entry.method,
            path=entry.path,
            query=entry.query,
            headers=headers,
            body=b"",
            base_url=f"{scope.get('scheme', 'http')}://{host}",
        )
        for provider in PROVIDERS:
            prefix = f"/{provider.name}"
            if entry.path.startswith(f"{prefix}/"):
                path, base_url = entry.path[len(prefix) :], request.base_url + prefix
                return provider, msgspec.structs.replace(request, path=path, base_url=base_url)
        return next((one for one in PROVIDERS if one.is_for(request)), PROVIDERS[-1]), request

    def _count(self, outcome: str, reply: Reply | None) -> None:
        if outcome == "completed" and reply is not None:
            self.counters.completed += 1
            self.counters.input_tokens += reply.usage.input_tokens
            self.counters.tokens_generated += reply.usage.output_tokens
        elif outcome == "aborted":
            self.counters.aborted += 1
        else:
            self.counters.broken += 1
        log.debug("answered with outcome %s%s", outcome, ", streamed" if isinstance(reply, Stream) else "")


async def _run_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
