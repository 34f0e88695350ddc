"""Upstream HTTP as plain data: what to send where, and how long each phase may take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

from msgspec import Struct

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Header pairs in order, names in lower case, as they came from or go to the wire."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long each phase of one upstream request may take, in seconds."""

    pool_s: float = 10.0
    """Waiting for a free connection when the limit per origin is reached."""
    connect_s: float = 10.0
    """Resolving the name and opening the TCP connection, through the proxy if there is one."""
    tls_s: float = 10.0
    """The TLS handshake."""
    write_s: float = 60.0
    """Without progress in sending the request body."""
    first_byte_s: float = 600.0
    """From the last byte of the request to the first byte of the answer."""
    idle_s: float = 300.0
    """Between two reads of the answer's body."""
    total_s: float = 3600.0
    """From start to end."""


class Origin(Struct, frozen=True, kw_only=True):
    """One place to connect to. ``guarded`` origins were chosen by a client, so every address is checked."""

    scheme: str
    host: str
    port: int
    guarded: bool = False


class UpstreamRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request. ``target`` is path and query, percent-encoded. Host and Content-Length are added in sending.

    A ``stream`` takes the place of ``body``: it is read once, as fast as the provider takes it, and what it raises
    ends the request. ``stream_bytes`` is its length; without one it is sent in chunks.
    """

    method: str
    origin: Origin
    target: bytes
    headers: Headers
    body: bytes
    timeouts: Timeouts = Timeouts()
    stream: AsyncIterator[bytes] | None = None
    stream_bytes: int | None = None
