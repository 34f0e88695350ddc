"""A second implementation of ports.Upstream, on aiohttp, for this suite only: it shows that the tests test the port."""

from __future__ import annotations

import io
import ssl
from pathlib import Path

import aiohttp
from yarl import URL

from lockgate.core.http import Headers, Timeouts, UpstreamRequest
from lockgate.core.record import Opened
from lockgate.errors import Broken, Malformed, TimedOut, Unreachable, UpstreamError

LARGE_BYTES = 1 << 20
"""aiohttp warns about larger bodies that are given as bytes."""


class AiohttpResponse:
    """ports.UpstreamResponse over an aiohttp response."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.opened: Opened | None = None
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]
        self._response = response

    async def read(self, limit_bytes: int) -> bytes:
        body = b""
        while chunk := await self.next_chunk():
            body += chunk
            if len(body) > limit_bytes:
                self._response.close()
                raise Malformed(f"the provider's answer is longer than {limit_bytes} bytes")
        return body

    async def next_chunk(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._response.close()
            raise translate(error, phase="idle") from error
        except BaseException:
            self._response.close()
            raise
        return chunk

    def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class AiohttpUpstream:
    """ports.Upstream over an aiohttp session."""

    def __init__(self, *, ca_file: Path | None = None, connections_per_origin: int = 1024) -> None:
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(cafile=ca_file)
        self._context = context
        self._limit = connections_per_origin
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: UpstreamRequest) -> AiohttpResponse:
        session = self._session = self._session or self._open()
        origin = request.origin
        url = URL(f"{origin.scheme}://{origin.host}:{origin.port}{request.target.decode()}", encoded=True)
        try:
            response = await session.request(
                request.method,
                url,
                data=io.BytesIO(request.body) if len(request.body) > LARGE_BYTES else request.body or None,
                headers=[(name.decode(), value.decode("latin-1")) for name, value in request.headers],
                allow_redirects=False,
                timeout=limits(request.timeouts),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise translate(error, phase="first_byte") from error
        return AiohttpResponse(response)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._limit, ssl=self._context),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )


def limits(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    """aiohttp knows one limit between reads; it stands for the first byte and for the later ones."""
    return aiohttp.ClientTimeout(
        total=timeouts.total_s,
        connect=timeouts.pool_s,
        sock_connect=timeouts.connect_s,
        sock_read=min(timeouts.first_byte_s, timeouts.idle_s),
    )


def translate(error: Exception, *, phase: str) -> UpstreamError:
    """Return the port's error for one of aiohttp's."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TimedOut("connecting took too long", phase="connect")
    if isinstance(error, aiohttp.SocketTimeoutError):
        return TimedOut("the provider was silent for too long", phase=phase)
    if isinstance(error, TimeoutError):
        return TimedOut("the request took too long", phase="total")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable("no connection could be made")
    if isinstance(error, aiohttp.ClientResponseError):
        return Malformed("the answer is not valid HTTP")
    return Broken("the connection broke")
