"""Fetches documents that a request names by URL, where its target takes no URLs of documents.

The hosts are the caller's choice, so each is guarded as a custom host is; no redirect is followed, and nothing of the
client's goes along. What cannot be fetched is refused with its path, before anything is sent to the provider.
Source: Anthropic integration specification, sections 1.3 and 5.2.
"""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, urlsplit

from lockgate.core.chat import Base64Source, Call, Source, TextSource
from lockgate.core.documents import documents_at_urls, with_sources
from lockgate.core.http import Headers, Timeouts, UpstreamRequest
from lockgate.dataplane.headers import header_in
from lockgate.errors import GatewayError, InvalidRequest, Malformed
from lockgate.ports import HostGuard, Upstream

MAX_DOCUMENTS = 10
LIMIT_S = 10.0
"""How long one may take."""

_OK = 200
_PDF = "application/pdf"
_TIMEOUTS = Timeouts(
    pool_s=LIMIT_S, connect_s=LIMIT_S, tls_s=LIMIT_S, write_s=LIMIT_S, first_byte_s=LIMIT_S, idle_s=LIMIT_S,
    total_s=LIMIT_S,
)  # fmt: skip
_HEADERS: Headers = [
    (b"accept", b"application/pdf, text/*;q=0.9, */*;q=0.1"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"lockgate"),
]


class Documents:
    """The documents of one request; each is fetched once, however many targets are tried."""

    def __init__(self, upstream: Upstream, guard: HostGuard, trusted: frozenset[str], *, most_bytes: int) -> None:
        """``most_bytes`` is the size of the largest document; all together may have twice that."""
        self._upstream = upstream
        self._guard = guard
        self._trusted = trusted
        self._sources: dict[str, Source] = {}
        self._most_bytes = most_bytes
        self._left_bytes = 2 * most_bytes

    async def inlined(self, call: Call, provider: str) -> tuple[Call, tuple[str, ...]]:
        """Return the call with all documents inside, and what to name as adjusted. Raises InvalidRequest."""
        found = documents_at_urls(call)
        if not found:
            return call, ()
        if len(set(found.values())) > MAX_DOCUMENTS:
            raise InvalidRequest(
                f"messages: more than {MAX_DOCUMENTS} documents would have to be fetched", path="messages"
            )
        for path, url in found.items():
            if url not in self._sources:
                self._sources[url] = await self._fetch(url, f"{path}.source.url")
        note = f"source.url: fetched and sent along, {provider} takes no URLs of documents"
        return with_sources(call, self._sources), tuple(f"{path}.{note}" for path in found)

    async def _fetch(self, url: str, path: str) -> Source:
        if not self._most_bytes:
            raise _refused("this gateway fetches none (limits.document_bytes)", path)
        try:
            origin = self._guard(url, self._trusted)
        except InvalidRequest as error:
            raise _refused(error.message.removeprefix("custom host refused: "), path) from None
        parts = urlsplit(url)
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        if parts.query:
            target += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
        request = UpstreamRequest(
            method="GET", origin=origin, target=target.encode(), headers=_HEADERS, body=b"", timeouts=_TIMEOUTS
        )
        try:
            async with asyncio.timeout(LIMIT_S):
                content_type, data = await self._get(request, path)
        except InvalidRequest as error:
            raise _refused(error.message.removeprefix("custom host refused: "), path) from None
        except Malformed:
            reason = (
                f"it is larger than {self._most_bytes} bytes (limits.document_bytes), or all together than twice that"
            )
            raise _refused(reason, path) from None
        except TimeoutError:
            raise _refused(f"it took longer than {LIMIT_S:g} s", path) from None
        except GatewayError as error:
            raise _refused(f"there was no answer ({error.code})", path) from None
        self._left_bytes -= len(data)
        return _source(content_type, data, path)

    async def _get(self, request: UpstreamRequest, path: str) -> tuple[str, bytes]:
        response = await self._upstream.send(request)
        try:
            if response.status != _OK:
                raise InvalidRequest(f"the answer has status {response.status}", path=path)
            coding = header_in(response.headers, b"content-encoding")
            if coding not in (None, b"identity"):
                raise InvalidRequest("it is compressed, which was not asked for", path=path)
            data = await response.read(min(self._most_bytes, self._left_bytes))
        finally:
            response.close()
        return (header_in(response.headers, b"content-type") or b"").decode("latin-1").lower(), data


def _source(content_type: str, data: bytes, path: str) -> Source:
    """Return a document for what it is: by its declared type, and a PDF by its first bytes too."""
    kind, _, rest = content_type.partition(";")
    kind = kind.strip()
    if kind == _PDF or data.startswith(b"%PDF-"):
        return Base64Source(media_type=_PDF, data=base64.b64encode(data).decode())
    if kind.startswith("text/") and kind != "text/html":
        charset = rest.partition("charset=")[2].split(";")[0].strip(" \"'") or "utf-8"
        try:
            return TextSource(text=data.decode(charset))
        except (UnicodeDecodeError, LookupError):
            pass
    raise _refused("it is neither a PDF nor plain text", path)


def _refused(reason: str, path: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: the document could not be fetched: {reason}", path=path)
