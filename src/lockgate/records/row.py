"""A row of the record store: one client request, flat, as it is filtered, summed up and exported.

Names are those of the query language, the exports and the columns of every engine. Absent is None, never 0 or "".
A column may be added here at any time: files that were written without it read as None.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_type_hints

from msgspec import Struct

Kind: TypeAlias = Literal["text", "int", "float", "bool", "list", "map", "json"]
NO_METADATA: Mapping[str, str] = {}
FAR_FUTURE_US = 2**62
"""Later than any row."""


class Row(Struct, frozen=True, kw_only=True):
    """What is kept of one request. Times are in microseconds, money in nano-dollars, sizes in bytes."""

    id: str
    started_us: int
    """Since 1970-01-01 UTC."""
    schema_version: int = 1
    kind: str | None = None
    source: str | None = None
    trace_id: str | None = None
    trace_id_w3c: str | None = None
    """The trace id as W3C's headers and OTLP have it: 32 hexadecimal digits."""
    span_id: str | None = None
    parent_span_id: str | None = None
    span_name: str | None = None
    session_id: str | None = None
    client_request_id: str | None = None

    org_id: str | None = None
    workspace_id: str | None = None
    workspace_slug: str | None = None
    """As it was then."""
    api_key_id: str | None = None
    api_key_name: str | None = None
    principal_type: str | None = None
    """Who called: service_key, user_key or admin_key; None without a gateway key."""
    user_id: str | None = None
    """The member behind a key of a user."""
    end_user: str | None = None
    """The caller's own customer."""
    end_user_hash: int | None = None
    """Of ``end_user``, 63 bits: distinct users are counted by it in any engine."""
    environment: str | None = None
    user_agent: str | None = None
    client_app: str | None = None
    """The product that the user agent names first, without its version."""
    client_sdk: str | None = None
    """As the user agent says: anthropic-python, openai-node, claude-agent-sdk, ai-sdk, ..."""
    client_sdk_version: str | None = None
    client_ip: str | None = None
    """As much of it as ``[records] client_ip`` lets be kept."""
    node_id: str | None = None
    """The process that served it: its host and its number there."""
    gateway_version: str | None = None

    endpoint: str | None = None
    """chat, messages, embeddings, ..., whatever the path was."""
    method: str | None = None
    path: str | None = None
    dialect: str | None = None
    request_model: str | None = None
    is_stream: bool = False
    request_bytes: int | None = None
    response_bytes: int | None = None
    message_count: int | None = None
    """Known where the request was translated, like the next two."""
    tool_count: int | None = None
    tool_choice: str | None = None

    provider: str | None = None
    provider_slug: str | None = None
    model: str | None = None
    """As the provider named it in its answer, else as it was asked for."""
    upstream_model: str | None = None
    """What the provider was asked for last."""
    response_model: str | None = None
    """What the answer named."""
    integration_id: str | None = None
    """The slug of the integration whose credential was used."""
    upstream_host: str | None = None
    """Where it was sent last; None for hosts that a caller chose."""
    region: str | None = None
    """Where the provider says that it was answered."""
    config_id: str | None = None
    config_version: str | None = None
    config_source: str | None = None
    """Who named the config: header, inline (the request brought it whole), key_default, workspace_default; none."""
    target_path: str | None = None
    prompt_id: str | None = None
    prompt_slug: str | None = None
    prompt_version: str | None = None
    upstream_request_id: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    attempt_count: int | None = None
    failed_attempts: int | None = None
    retry_count: int | None = None
    fallback_count: int | None = None
    rescued_by: str | None = None
    """retry or fallback, when the request succeeded after a failed attempt."""

    cache_status: str | None = None
    cache_key_hash: str | None = None
    cache_namespace: str | None = None
    cache_age_us: int | None = None
    cache_source_log_id: str | None = None
    """The record whose answer was used again."""
    cache_saved_nano: int | None = None
    cache_saved_us: int | None = None
    """How much longer the first answer took."""

    state: str | None = None
    """done, or aborted by the client."""
    status_code: int | None = None
    upstream_status: int | None = None
    """Of the last attempt; None when it had no answer."""
    outcome: str | None = None
    error_origin: str | None = None
    error_type: str | None = None
    """The kind of error, as clients read it: invalid_request_error, rate_limit_error, ..."""
    error_code: str | None = None
    """Lockgate's own code: one of few words."""
    provider_error_code: str | None = None
    """The provider's own code."""
    error_message: str | None = None
    finish_reason: str | None = None
    finish_reasons: tuple[str, ...] = ()
    stream_complete: bool | None = None
    """Whether a stream that began came to its proper end."""
    chunk_count: int | None = None
    """Events of a stream: all that were relayed as they came, else those with content."""
    is_error: bool = False
    """The client saw an error: a status from 400 on, or an error inside a stream. A client that left is none."""
    is_client_gone: bool = False
    is_simulated: bool = False
    is_counted: bool = True
    """Whether it counts in analytics."""
    guardrail_verdict: str | None = None

    duration_us: int | None = None
    receive_us: int | None = None
    earlier_us: int | None = None
    """Attempts that failed, with the waits between them."""
    prepare_us: int | None = None
    resolve_us: int | None = None
    """The first part of ``prepare_us``: until it was known whom to ask first."""
    upstream_first_us: int | None = None
    upstream_rest_us: int | None = None
    finish_us: int | None = None
    upstream_us: int | None = None
    backoff_us: int | None = None
    """Waits before attempts."""
    ttft_us: int | None = None
    overhead_us: int | None = None
    conn_reused: bool | None = None
    """Whether the last attempt went over a connection that was there already."""
    dns_us: int | None = None
    """Of a new connection, like the next two."""
    connect_us: int | None = None
    tls_us: int | None = None
    output_tps: float | None = None
    """Output tokens per second of the answer's streaming."""
    duration_bucket: int | None = None
    """Of the sketch (``sketch``), so that any engine sums up percentiles by counting."""
    ttft_bucket: int | None = None
    overhead_bucket: int | None = None

    in_uncached: int | None = None
    in_cache_read: int | None = None
    in_cache_write_5m: int | None = None
    in_cache_write_1h: int | None = None
    in_audio: int | None = None
    out_text: int | None = None
    out_reasoning: int | None = None
    out_audio: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    usage_source: str | None = None
    """Who counted the tokens: provider, estimated, cache (of the first answer) or none."""

    cost_nano: int | None = None
    cost_status: str | None = None
    price_version: str | None = None
    pricing_multiplier: float | None = None
    """What of the list's price was charged, where that was not all of it."""

    log_mode: str | None = None
    log_mode_reason: str | None = None
    """Who chose the mode: configuration, organisation, workspace, key or header."""
    tool_names: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    metadata: Mapping[str, str] = NO_METADATA
    metadata_truncated: bool = False
    """Whether some of it was too long or too much."""
    attempts: str | None = None
    """JSON text: what each attempt did."""
    cost_parts: str | None = None
    """JSON text: money by part."""
    units: str | None = None
    """JSON text: uses of the provider's own tools."""
    extra: str | None = None
    """JSON text: members of the record that this version does not know."""


class Preview(Struct, frozen=True, kw_only=True):
    """Text of a request that lists show and searches find; kept apart, for it goes when bodies go."""

    id: str
    started_us: int
    workspace_id: str | None = None
    request_preview: str = ""
    response_preview: str = ""
    text: str = ""


_JSON = frozenset({"attempts", "cost_parts", "units", "extra"})
_KINDS: dict[object, Kind] = {
    str: "text", str | None: "text", int: "int", int | None: "int", float | None: "float",
    bool: "bool", bool | None: "bool", tuple[str, ...]: "list", Mapping[str, str]: "map",
}  # fmt: skip
COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {name: "json" if name in _JSON else _KINDS[hint] for name, hint in get_type_hints(Row).items()}
)
"""Every column and what it holds, in the order of the Struct."""
UNKNOWN = frozenset(name for name, hint in get_type_hints(Row).items() if hint == bool | None)
"""Columns of yes and no that may be neither."""
