"""The record of one exchange: what happened, to whom it is charged and how long each part took.

Bodies, cost and metadata come with the record store; the layout carries ``schema_version`` so that readers can
tell. Times of stages are in milliseconds; tokens are in disjoint parts as in ``core.chat.Usage``.
"""

from __future__ import annotations

from msgspec import Struct

SCHEMA_VERSION = 1


class TokenCounts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens in disjoint parts; None where the provider did not say. ``reasoning`` is part of ``output``."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None


class Stages(Struct, frozen=True, kw_only=True):
    """Where the time went, in milliseconds from one mark to the next; they add up to ``duration_ms``.

    ``receive`` reading the client's body, ``prepare`` authentication to the sending of the upstream request,
    ``upstream_first`` until the provider's first byte, ``upstream_rest`` until its last, ``finish`` our own rest.
    """

    receive: float = 0.0
    prepare: float = 0.0
    upstream_first: float = 0.0
    upstream_rest: float = 0.0
    finish: float = 0.0


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try at one target. ``status`` is the provider's, None when no answer came."""

    provider: str
    slug: str | None = None
    model: str | None = None
    status: int | None = None
    error: str | None = None
    """The stable code of the error, never its message."""
    duration_ms: float = 0.0
    first_byte_ms: float | None = None
    upstream_request_id: str | None = None
    is_byte_path: bool = False
    is_simulated: bool = False


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One client request from start to end. Written exactly once, also for refusals and for clients that left."""

    schema_version: int
    id: str
    trace_id: str
    started_at: float
    """Seconds since 1970-01-01 UTC."""
    method: str
    route: str
    dialect: str
    status: int
    key_id: str | None = None
    provider: str | None = None
    slug: str | None = None
    model_asked: str | None = None
    model: str | None = None
    is_stream: bool = False
    is_client_gone: bool = False
    is_simulated: bool = False
    error: str | None = None
    """The stable code of the error that ended the exchange."""
    error_origin: str | None = None
    """gateway, provider or client."""
    stop_reason: str | None = None
    attempts: tuple[Attempt, ...] = ()
    tokens: TokenCounts = TokenCounts()
    stages: Stages = Stages()
    duration_ms: float = 0.0
    first_event_ms: float | None = None
    """From the start until the first bytes of a streamed answer went to the client."""
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    user_agent: str | None = None
