"""One server, one implementation of the port, and a request between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from msgspec import Struct

from lockgate.core.http import Headers, Origin, Timeouts, UpstreamRequest
from lockgate.ports import Upstream
from lockgate.transport.pool import HttpPool
from tests.contract.upstream.aiohttp_upstream import AiohttpUpstream
from tests.contract.upstream.scripted_server import Script, ScriptedServer, settle, until

AMPLE = Timeouts(pool_s=60, connect_s=60, tls_s=60, write_s=60, first_byte_s=60, idle_s=60, total_s=60)
"""Limits beyond the time that a test may take, so that none of them hides a wait without end."""


class Kind(Struct, frozen=True, kw_only=True):
    """An implementation of the port and the event loop that it runs on."""

    id: str
    make: Callable[..., Upstream]
    new_loop: Callable[[], asyncio.AbstractEventLoop]


OURS = (
    Kind(id="pool-uvloop", make=HttpPool, new_loop=uvloop.new_event_loop),
    Kind(id="pool-asyncio", make=HttpPool, new_loop=asyncio.SelectorEventLoop),
)
AIOHTTP = Kind(id="aiohttp", make=AiohttpUpstream, new_loop=asyncio.SelectorEventLoop)

every_kind = pytest.mark.parametrize("kind", [*OURS, AIOHTTP], ids=lambda kind: kind.id)


def ours_only(reason: str):
    """Run over our implementations; the second one is shown as skipped, with the reason."""
    second = pytest.param(AIOHTTP, marks=pytest.mark.skip(reason=f"aiohttp: {reason}"))
    return pytest.mark.parametrize("kind", [*OURS, second], ids=lambda kind: kind.id)


class Stage:
    """What a test plays on."""

    def __init__(self, server: ScriptedServer, upstream: Upstream, scheme: str, host: str) -> None:
        self.server = server
        self.upstream = upstream
        self.origin = Origin(scheme=scheme, host=host, port=server.port)

    def request(
        self,
        body: bytes = b"question",
        *,
        method: str = "POST",
        target: bytes = b"/v1/messages?beta=true",
        headers: Headers | None = None,
        timeouts: Timeouts = AMPLE,
        origin: Origin | None = None,
    ) -> UpstreamRequest:
        """A request to the scripted server."""
        return UpstreamRequest(
            method=method,
            origin=origin or self.origin,
            target=target,
            headers=[(b"content-type", b"application/json")] if headers is None else headers,
            body=body,
            timeouts=timeouts,
        )

    async def send(self, body: bytes = b"question", **options):
        """Send a request and return the answer with its head."""
        return await self.upstream.send(self.request(body, **options))

    async def fetch(self, body: bytes = b"question", **options) -> tuple[int, Headers, bytes]:
        """Send a request, read the whole answer, give the connection back."""
        response = await self.send(body, **options)
        try:
            return response.status, response.headers, await response.read(1 << 30)
        finally:
            response.close()


@asynccontextmanager
async def stage(
    kind: Kind, script: Script, *, context=None, host: str = "127.0.0.1", **options
) -> AsyncIterator[Stage]:
    """Set up a server and an upstream; afterwards nothing may be in use and no task may be left."""
    before = asyncio.all_tasks()
    async with ScriptedServer(script, context=context) as server:
        upstream = kind.make(**options)
        try:
            yield Stage(server, upstream, "http" if context is None else "https", host)
            if isinstance(upstream, HttpPool):
                assert upstream.active == 0, "a connection is still counted as in use"
        finally:
            await upstream.aclose()
            await settle()
        if isinstance(upstream, HttpPool):
            assert (upstream.active, upstream.idle) == (0, 0)
    await until(lambda: not foreign_tasks(before))


def foreign_tasks(before: set[asyncio.Task]) -> list[asyncio.Task]:
    """Return the tasks that were not there before and are no scripts, which another stage may still need."""
    return [task for task in asyncio.all_tasks() - before if not task.get_name().startswith("script-")]


async def drain(response) -> tuple[list[bytes], Exception | None]:
    """Read an answer chunk by chunk to its end or its error."""
    chunks: list[bytes] = []
    try:
        while chunk := await response.next_chunk():
            chunks.append(chunk)
    except Exception as error:
        return chunks, error
    finally:
        response.close()
    return chunks, None
