"""The record of one exchange: what happened, to whom it is charged and how long each part took.

The layout carries ``schema_version`` so that readers can tell. Times of stages are in milliseconds; tokens are in
disjoint parts as in ``core.chat.Usage``; money is in nano-dollars. The record is the ledger's entry: what it charges is
settled, whatever happens after it was written.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lockgate.core.limits import Charge
from lockgate.core.metadata import NO_METADATA, Metadata

SCHEMA_VERSION = 2
NO_UNITS: Mapping[str, int] = {}


class TokenCounts(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Tokens in disjoint parts, and what their price depends on; None where the provider did not say.

    ``reasoning`` and ``output_audio`` are parts of ``output``, ``input_audio`` of ``input``, ``cache_write_1h`` of
    ``cache_write``.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    units: Mapping[str, int] = NO_UNITS
    """Uses of the provider's own tools: ``web_search``, ..."""
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


class CostLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an exchange cost, in nano-dollars."""

    nanos: int = 0
    status: str = "unpriced"
    """priced, partially_priced, estimated, unpriced or free."""
    parts: Mapping[str, int] = NO_UNITS
    version: str = ""
    """Of the price book, or of what stood in for it."""
    source: str = ""
    multiplier: str | None = None


class Stages(Struct, frozen=True, kw_only=True, gc=False):
    """Where the time went, in milliseconds from one mark to the next; they add up to ``duration_ms``.

    ``receive`` reading the client's body, ``earlier`` attempts that failed with the waits between them, ``prepare`` our
    own work until the last upstream request is sent,
    ``upstream_first`` until the provider's first byte, ``upstream_rest`` until its last, ``finish`` our own rest.
    """

    receive: float = 0.0
    earlier: float = 0.0
    prepare: float = 0.0
    upstream_first: float = 0.0
    upstream_rest: float = 0.0
    finish: float = 0.0


class Opened(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How long it took to open a connection, in milliseconds; a phase that there was not is None."""

    dns_ms: float | None = None
    tcp_ms: float | None = None
    tls_ms: float | None = None


REUSED = Opened()
"""Stands for a connection that was there already."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One try at one target. ``status`` is the provider's, None when no answer came."""

    provider: str
    slug: str | None = None
    model: str | None = None
    status: int | None = None
    error: str | None = None
    """The stable code of the error, never its message."""
    error_type: str | None = None
    """Its kind, as clients read it."""
    duration_ms: float = 0.0
    first_byte_ms: float | None = None
    upstream_request_id: str | None = None
    is_byte_path: bool = False
    is_simulated: bool = False
    kind: str = "primary"
    """primary, retry (of the same target) or fallback (to another one)."""
    path: str = "config"
    """The target's place in the config."""
    started_ms: float = 0.0
    """From the start of the exchange."""
    waited_ms: float = 0.0
    """How long was waited before it."""
    cost_nanos: int | None = None
    """What it cost, when it failed and cost all the same."""
    host: str | None = None
    """Where it was sent, unless a caller chose the host."""
    retry_after_ms: float | None = None
    """How long the provider asked to wait."""
    opened: Opened | None = None
    """The connection that was opened for it."""
    is_reused: bool = False
    """It went over a connection that was there already."""


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One client request from start to end. Written exactly once, also for refusals and for clients that left."""

    schema_version: int
    id: str
    trace_id: str
    started_at: float
    """Seconds since 1970-01-01 UTC."""
    method: str
    request_path: str | None = None
    """As the client asked for it, without its query."""
    span_id: str = ""
    response_id: str | None = None
    """The id in the answer."""
    route: str
    dialect: str
    status: int
    key_id: str | None = None
    key_name: str | None = None
    key_kind: str | None = None
    """workspace-service, workspace-user or organisation-service."""
    workspace_id: str | None = None
    workspace_slug: str | None = None
    provider: str | None = None
    slug: str | None = None
    model_asked: str | None = None
    model: str | None = None
    is_stream: bool = False
    stop_reason: str | None = None
    attempts: tuple[Attempt, ...] = ()
    tokens: TokenCounts = TokenCounts()
    cost: CostLine | None = None
    """None where no model was asked."""
    stages: Stages = Stages()
    duration_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    log_mode: str | None = None
    """What may be kept of the bodies: full, redacted, metrics_only or off; None: nobody is known who could say."""
    log_mode_reason: str | None = None
    """Who said so: configuration, organisation, workspace, key, header."""
    user_agent: str | None = None
    client_ip: str | None = None
    node_id: str | None = None
    gateway_version: str | None = None
    source: str | None = None
    """replay: sent again from a record; None: a client's own."""
    replay_of: str | None = None
    """The record that was sent again."""
    parent_span_id: str | None = None
    span_name: str | None = None
    client_request_id: str | None = None
    """``x-request-id`` of the request."""
    org_id: str | None = None
    user_id: str | None = None
    metadata: Metadata = NO_METADATA
    is_metadata_cut: bool = False
    """Whether some of what the client said was too long or too much, and is not whole."""
    integration_id: str | None = None
    """The slug of the integration that holds the credential."""
    is_client_gone: bool = False
    is_simulated: bool = False
    error: str | None = None
    """The stable code of the error that ended the exchange."""
    error_origin: str | None = None
    """gateway, provider or client."""
    error_type: str | None = None
    """Its kind, as clients read it: invalid_request_error, ..."""
    provider_error_code: str | None = None
    """The provider's own code."""
    error_message: str | None = None
    """Which limit refused, in the words that the client got; of other errors nothing."""
    config_id: str | None = None
    """The config that routed it: a saved one's id, or a hash of an inline one."""
    config_version: int | None = None
    config_source: str | None = None
    """Who named it: header, key_default or workspace_default."""
    path: str | None = None
    """The place in the config of the target that answered."""
    cache_status: str | None = None
    """disabled, hit, miss or refresh; None without a config."""
    cache_age_s: int | None = None
    """How old the answer was that came from the cache."""
    cache_key_hash: str | None = None
    cache_namespace: str | None = None
    cache_source_id: str | None = None
    """The record whose answer was used again."""
    cache_source_ms: float | None = None
    """How long that one took."""
    cache_saved_nanos: int = 0
    """What the answer from the cache would have cost."""
    grant: str = ""
    """The reservation that the charges settle; settling it twice changes nothing."""
    charges: tuple[Charge, ...] = ()
    """What budgets and long windows are charged."""
    first_event_ms: float | None = None
    """From the start until the first bytes of a streamed answer went to the client."""
    chunk_count: int | None = None
    """Events of a stream: all that were relayed as they came, else those with content."""
    message_count: int | None = None
    """Of a request that was translated, like the next two."""
    tool_count: int | None = None
    tool_choice: str | None = None
    tool_names: tuple[str, ...] = ()
    """Tools that a translated answer called."""
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
