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
    span_id: str | None = None
    parent_span_id: str | None = None
    span_name: str | None = None
    session_id: str | None = None
    client_request_id: str | None = None

    workspace_id: str | None = None
    api_key_id: str | None = None
    api_key_name: str | None = None
    user_id: str | None = None
    """The member behind a key of a user."""
    end_user: str | None = None
    """The caller's own customer."""
    end_user_hash: int | None = None
    """Of ``end_user``, 63 bits: distinct users are counted by it in any engine."""
    environment: str | None = None
    user_agent: str | None = None
    client_app: str | None = None

    endpoint: str | None = None
    """chat, messages, embeddings, ..., whatever the path was."""
    method: str | None = None
    path: str | None = None
    dialect: str | None = None
    request_model: str | None = None
    is_stream: bool = False
    request_bytes: int | None = None
    response_bytes: int | None = None

    provider: str | None = None
    provider_slug: str | None = None
    model: str | None = None
    """As the provider named it in its answer, else as it was asked for."""
    config_id: str | None = None
    config_version: str | None = None
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
    cache_age_us: int | None = None
    cache_saved_nano: int | None = None

    status_code: int | None = None
    outcome: str | None = None
    error_origin: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    finish_reason: str | None = None
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
    upstream_first_us: int | None = None
    upstream_rest_us: int | None = None
    finish_us: int | None = None
    upstream_us: int | None = None
    backoff_us: int | None = None
    """Waits before attempts."""
    ttft_us: int | None = None
    overhead_us: int | None = None
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

    cost_nano: int | None = None
    cost_status: str | None = None
    price_version: str | None = None

    log_mode: str | None = None
    log_mode_reason: str | None = None
    """Who chose the mode: configuration, organisation, workspace, key or header."""
    tool_names: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    metadata: Mapping[str, str] = NO_METADATA
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
    str: "text", str | None: "text", int: "int", int | None: "int", float | None: "float", bool: "bool",
    tuple[str, ...]: "list", Mapping[str, str]: "map",
}  # fmt: skip
COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {name: "json" if name in _JSON else _KINDS[hint] for name, hint in get_type_hints(Row).items()}
)
"""Every column and what it holds, in the order of the Struct."""
