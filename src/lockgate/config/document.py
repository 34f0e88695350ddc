"""The Structs of ``lockgate.toml``. A field's docstring is its line in the reference."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Slug = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,255}$")]


class ServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[server]``: where Lockgate listens and how it stops."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8787
    """Port to listen on; 0 picks a free one."""
    open: bool = False
    """Serve callers without a gateway key. Only allowed on a loopback address."""
    drain_s: Seconds = 30.0
    """How long running requests may take to finish after SIGTERM, in seconds."""
    public_url: str | None = None
    """Where clients reach Lockgate, such as ``https://ai.example.com``; addresses in answers begin with it. When left
    out, the request's own ``Host``."""
    trust_forwarded: bool = False
    """Take ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` for where clients reach Lockgate: only behind a proxy that
    sets them."""
    trusted_custom_hosts: tuple[str, ...] = ()
    """Hosts that ``x-portkey-custom-host`` may name though their addresses are private: names, IPs, ``*.domain``."""


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[limits]``: what one request may be."""

    body_bytes: Count = 128 * 1024 * 1024
    """Largest request body, in bytes."""
    batch_bytes: Count = 256 * 1024 * 1024
    """Largest body that creates a batch, in bytes."""
    file_bytes: Count = 500 * 1024 * 1024
    """Largest upload of a file, in bytes: the whole form."""
    header_bytes: Count = 64 * 1024
    """Largest request head, in bytes: request line and all headers together."""
    reply_bytes: Count = 256 * 1024 * 1024
    """Largest whole (not streamed) answer of a provider, in bytes."""
    header_s: Seconds = 10.0
    """How long a client may take to send a request's head, in seconds."""
    body_idle_s: Seconds = 30.0
    """How long a client may pause while it sends a body, in seconds."""
    body_bytes_per_s: Count = 100
    """How slowly a body may come, in bytes a second over ``body_idle_s``."""
    connections: Count = 10_000
    """Open requests at a time; more are refused with 503."""
    upstream_connections: Count = 1024
    """Open connections to one provider host."""


class TimeoutSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[timeouts]``, and ``timeouts`` of a provider: how long each phase of an upstream request may take."""

    pool_s: Seconds = 10.0
    """Waiting for a free connection, in seconds."""
    connect_s: Seconds = 10.0
    """Opening a connection, in seconds."""
    tls_s: Seconds = 10.0
    """The TLS handshake, in seconds."""
    write_s: Seconds = 60.0
    """Sending the request without progress, in seconds."""
    first_byte_s: Seconds = 600.0
    """Waiting for the answer's first byte, in seconds."""
    idle_s: Seconds = 300.0
    """Silence inside an answer, in seconds."""
    total_s: Seconds = 3600.0
    """The whole upstream request, in seconds."""


class ProviderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[providers.SLUG]``: credentials for a provider, called as ``@SLUG/model``."""

    type: str
    """Which provider: one of the names in the provider reference."""
    api_key: str | None = None
    """The credential: ``env:NAME``, ``file:PATH`` or the text itself."""
    base_url: str | None = None
    """Where the API is, up to and including its version path; the provider's own address when left out."""
    models: tuple[str, ...] = ()
    """The models that may be used; all of them when empty."""
    headers: dict[str, str] = {}
    """Headers that are added to every upstream request."""
    allow_custom_host: bool = False
    """Whether callers may send this record's credential to a host of their choice (``x-portkey-custom-host``)."""
    timeouts: TimeoutSettings | None = None
    """Limits for this provider in place of ``[timeouts]``."""


class KeySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[keys.NAME]``: a gateway key. Give ``key`` or ``sha256``."""

    key: str | None = None
    """The key: ``env:NAME``, ``file:PATH`` or the text itself."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The SHA-256 of the key in hex, so that the file holds no secret."""
    providers: tuple[str, ...] = ()
    """The provider slugs that this key may use; all of them when empty."""


class JournalSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[journal]``: the record of every request."""

    fsync: Literal["off", "1s", "each"] = "1s"
    """When records are forced to disk: never, each second, or each one. A killed process loses nothing either way."""
    segment_bytes: Count = 16 * 1024 * 1024
    """Size at which a new journal file is begun, in bytes."""


class SimulatorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[simulator]``: the built-in fake of Anthropic and OpenAI."""

    enabled: bool | None = None
    """Serve ``@anthropic`` and ``@openai`` by the simulator where no record has that name. Default: only when there is
    no provider at all."""
    seed: int = 0
    """Other seeds give other answers; the same seed gives the same bytes."""


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME]``: what a model accepts, where the model reference is wrong or does not know it.

    What is left out stays as in the row that it is like. NAME is the model's id; a ``*`` at its end stands for the
    rest of an id.
    """

    like: str | None = None
    """The row that it takes over, or an entry above; when left out, the row that the model would have otherwise."""
    max_output: Count | None = None
    """Most tokens of an answer."""
    thinking: tuple[Literal["enabled", "adaptive", "disabled", "between_tools"], ...] | None = None
    """The types of ``thinking`` that it accepts; an empty list: it does not think."""
    effort: tuple[str, ...] | None = None
    """The levels of effort that it accepts, lowest first; an empty list: it refuses the field."""
    sampling: Literal["any", "one", "none"] | None = None
    """Whether it takes temperature and top_p: both, one at a time, or neither."""
    has_prefill: bool | None = None
    """Whether the last message may be the assistant's."""
    has_forced_tools: bool | None = None
    """Whether a request may force the use of a tool."""
    has_output_format: bool | None = None
    """Whether it has structured output of its own; without, a tool stands for the answer."""
    is_fast_capable: bool | None = None
    """Whether it has a fast mode."""
    betas: dict[str, str] | None = None
    """Beta flags that a feature needs on this model, by feature: ``effort``, ``fast``."""


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``lockgate.toml``."""

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    journal: JournalSettings = JournalSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    providers: dict[Slug, ProviderSettings] = {}
    keys: dict[Slug, KeySettings] = {}
    models: dict[str, ModelSettings] = {}
