"""Bodies of any kind on their way to the client, as they come and never as a whole: files, results of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockgate.core.http import Headers
from lockgate.dataplane.encoding import decoder_for
from lockgate.dataplane.headers import header_in, relayed_headers
from lockgate.ports import UpstreamResponse

if TYPE_CHECKING:
    from lockgate.dataplane.exchange import Exchange

_ANY_TYPE = b"application/octet-stream"


class Tap(Protocol):
    """Reads a body along while it passes."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    async def close(self, *, is_whole: bool) -> None:
        """Nothing follows; called once, before the last bytes go out."""
        ...


async def relay_body(exchange: Exchange, response: UpstreamResponse, tap: Tap | None = None) -> None:
    """Relay a body byte for byte with its type; the record is written before the last byte goes out.

    When the provider breaks off, so do we: the connection ends without the end of the body, and the client knows.
    """
    client, ledger, headers = exchange.client, exchange.ledger, response.headers
    exchange.commit(response.status)
    decoder = decoder_for(header_in(headers, b"content-encoding"))
    length = header_in(headers, b"content-length") if decoder is None else None
    size_bytes = int(length) if length is not None and length.isdigit() else None
    ledger.status = response.status
    await client.start(response.status, _head(exchange, headers, size_bytes))
    is_whole = False
    try:
        while data := await response.next_chunk():
            if decoder is not None:
                data = decoder.feed(data)
            if tap is not None:
                tap.feed(data)
            ledger.bytes_out += len(data)
            if ledger.bytes_out == size_bytes:
                break
            if data:
                await client.send_part(data)
        is_whole = True
    finally:
        if tap is not None:
            await tap.close(is_whole=is_whole)
    ledger.upstream_done()
    ledger.close()
    await client.end(data)


def _head(exchange: Exchange, upstream: Headers, size_bytes: int | None) -> Headers:
    headers: Headers = [(b"content-type", header_in(upstream, b"content-type") or _ANY_TYPE)]
    if size_bytes is not None:
        headers.append((b"content-length", b"%d" % size_bytes))
    return [*headers, *relayed_headers(upstream), *exchange.own_headers()]
