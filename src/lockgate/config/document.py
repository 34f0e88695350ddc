"""The Structs of ``lockgate.toml``. A field's docstring is its line in the reference."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lockgate.core.recording import BodyMode, PersonalKind

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
    """Take ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` for where clients reach Lockgate, and the last address in
    ``X-Forwarded-For`` for theirs: only behind a proxy that sets them."""
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
    document_bytes: Annotated[int, Meta(ge=0)] = 20 * 1024 * 1024
    """Largest document that is fetched for a provider which takes no URLs of documents, in bytes; those of one request
    may have twice that together. 0: none is fetched, and such a request is refused."""
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


Money = Annotated[float, Meta(gt=0)]


class AnchorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[reset_anchor]``: where the periods of a budget begin."""

    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    """Of weekly periods; Sunday when left out."""
    day_of_month: Annotated[int, Meta(ge=1, le=31)] | None = None
    """Of monthly periods; the 1st when left out, and the last day where a month is too short."""
    timezone: str = "UTC"
    """A name such as ``Europe/Berlin``."""


class UsageLimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[usage_limits]``: a budget of a provider or key, in the names of the API; one table, or a list of them."""

    type: Literal["cost", "tokens", "requests"] = "cost"
    """What is counted."""
    credit_limit: Money
    """How much: dollars for cost, else a count; at least 0.01 dollars, 100 tokens or 1 request."""
    alert_threshold: Money | None = None
    """When to warn, in the unit of the limit and below it."""
    periodic_reset: Literal["weekly", "monthly"] | None = None
    """When it starts again; never when left out."""
    periodic_reset_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    """In place of ``periodic_reset``: after so many days."""
    next_usage_reset_at: datetime | None = None
    """With ``periodic_reset_days``: a day on which it starts again."""
    mode: Literal["hard", "soft"] = "hard"
    """soft: it warns and refuses nothing."""
    admission: Literal["strict", "open"] = "strict"
    """strict: the worst case must fit; open: requests are admitted while anything is left."""
    alert_thresholds: tuple[Annotated[float, Meta(gt=0, le=1)], ...] = ()
    """Further warnings, as shares of the limit."""
    reset_anchor: AnchorSettings | None = None
    """Where periods begin."""
    on_unpriced: Literal["allow", "block", "fallback_price"] = "allow"
    """What becomes of a request whose model has no price: ``allow`` serves it and counts nothing, ``block`` refuses it;
    ``fallback_price`` is refused, it is not supported yet."""
    on_outage: Literal["allow", "deny"] = "allow"
    """What becomes of a request while the counters cannot be reached."""
    note: str | None = None
    """For those who read the file."""


class RateLimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rate_limits]``: a rate limit of a provider or key, in the names of the API; one table, or a list of them."""

    type: Literal["requests", "tokens", "concurrency"] = "requests"
    """What is counted."""
    unit: Literal["rps", "rpm", "rph", "rpd", "rpw", "tps", "tpm", "tph", "tpd", "tpw", "max"] = "rpm"
    """Per second, minute, hour, day or week; ``max`` for concurrency."""
    value: Annotated[int, Meta(ge=0)]
    """How many; 0 blocks."""
    on_outage: Literal["allow", "deny"] = "allow"
    """What becomes of a request while the counters cannot be reached."""


UsageLimits = UsageLimitSettings | tuple[UsageLimitSettings, ...]
RateLimits = RateLimitSettings | tuple[RateLimitSettings, ...]


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
    usage_limits: UsageLimits = ()
    """Budgets over all requests to it."""
    rate_limits: RateLimits = ()
    """How many requests or tokens may go to it in a window of time."""


class KeySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[keys.NAME]``: a gateway key. Give ``key`` or ``sha256``."""

    key: str | None = None
    """The key: ``env:NAME``, ``file:PATH`` or the text itself."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The SHA-256 of the key in hex, so that the file holds no secret."""
    providers: tuple[str, ...] = ()
    """The slugs of providers that this key may use, of the file, the environment, the simulator or the database; all of
    them when empty."""
    config: str | None = None
    """The name in ``[configs]`` of what routes this key's requests, unless a request brings a config of its own."""
    allow_config_override: bool = True
    """Whether a request may bring a config other than the key's."""
    bodies: BodyMode | None = None
    """What is kept of its requests and answers, in the words of ``records.bodies``; when left out, as that says."""
    scopes: tuple[str, ...] = ()
    """What it may do, in the names of the API; all that a workspace's key can when left out."""
    expires_at: datetime | None = None
    """When it stops to open, such as ``2027-01-01T00:00:00Z``."""
    metadata: dict[str, str] = {}
    """What all its requests carry as metadata."""
    usage_limits: UsageLimits = ()
    """Budgets over all its requests."""
    rate_limits: RateLimits = ()
    """How many requests or tokens it may use in a window of time."""


class ConfigSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[configs.NAME]``: a routing config, called by NAME as a saved one. Write it here, in the keys of the config
    reference, or give ``file``."""

    file: str | None = None
    """A file with the config as JSON; a relative path starts at the folder of the configuration file."""
    text: bytes = b""
    """The config as JSON. Not a key: it is what stands in the table, or in the file."""


class DefaultSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[defaults]``: what holds for requests and keys that say nothing else."""

    config: str | None = None
    """The name in ``[configs]`` of what routes requests without a config of their own."""
    anthropic_version_default: Annotated[str, Meta(pattern=r"^(auto|\d{4}-\d{2}-\d{2})$")] | None = None
    """The ``anthropic-version`` of chat calls to Claude whose client and config name none: a date, or ``auto`` for
    2026-10-21 where the call has no sampling parameters, which that version refuses, and 2023-06-01 elsewhere;
    2023-06-01 when left out. A later date gives way to sampling parameters too."""
    retry_jitter: bool = False
    """Wait before retries for between half and all of 1, 2, 4, 8 and 16 seconds, by chance, so that many clients do not
    come back together. What a provider asks for is waited as it is."""


class MetadataSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[metadata]``: what becomes metadata of a request beside what clients send as such."""

    headers: tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")], ...] = ()
    """Headers whose values become metadata under their names in lower case, weaker than all other metadata.
    ``HEADERS_TO_METADATA``, names with commas between them, adds to them. None that carry credentials."""
    user_from_body: bool = False
    """Whether ``metadata.user_id`` of Messages bodies and ``safety_identifier`` of others say for whom a request is,
    where nothing better does. Workspaces decide for themselves with their setting ``user_from_body``."""


class JournalSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[journal]``: the record of every request."""

    fsync: Literal["off", "1s", "each"] = "1s"
    """When records are forced to disk: never, each second, or each one. A killed process loses nothing either way."""
    segment_bytes: Count = 16 * 1024 * 1024
    """Size at which a new journal file is begun, in bytes."""


class RecordSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[records]``: the records as they can be searched, in ``records`` in the state folder."""

    enabled: bool = True
    """Whether records are brought from the journal into the store. Without it the journal keeps everything."""
    apart: bool = True
    """Whether records are tended in a process of their own, beside each gateway process, so that redacting, compressing
    and shipping take no time from requests."""
    days: Count = 90
    """How many days a record is kept."""
    bodies: BodyMode = "full"
    """What is kept of requests and answers: ``full``, without secrets; ``redacted``, also without what the next three
    settings name; ``metrics_only``, nothing; ``off``, nothing, and of the record neither metadata nor names."""
    personal: tuple[PersonalKind, ...] = ()
    """Personal data that ``redacted`` takes out: ``email``, ``phone``, ``card``, ``iban``, ``ip``, ``us-ssn``,
    ``uk-nino``, ``de-tax``, ``aadhaar``."""
    personal_action: Literal["mask", "hash"] = "mask"
    """What stands in its place: its kind, or its kind with a hash that is the same for equal values."""
    drop_paths: tuple[str, ...] = ()
    """What ``redacted`` cuts out of JSON bodies: ``metadata.ssn``, ``messages[*].name``."""
    sensitive_headers: tuple[str, ...] = ()
    """Headers of which only a hash is kept, beside those that are always left out."""
    client_ip: Literal["full", "truncated", "hashed", "off"] = "truncated"
    """What is kept of a client's address: ``full``; ``truncated`` to its network, /24 or of IPv6 /48; ``hashed``, which
    tells clients apart for a day; ``off``, nothing. Taken over at the start."""
    body_days: Count = 30
    """How many days bodies are kept; never longer than the records."""
    body_bytes: Count = 10 * 1024 * 1024
    """Of a longer body only the first 256 KB and the last 64 KB are kept."""
    disk_share: Annotated[float, Meta(gt=0, le=1)] = 0.90
    """How full the disk of the state folder may be, as a share of 1: beyond it bodies are not kept; records are."""


class DatabaseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[database]``: where organisations, keys and credentials are kept."""

    url: str | None = None
    """``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``; when left out, ``lockgate.db`` in the state
    folder. ``LOCKGATE_DATABASE_URL`` goes before it, and is the better place for a password."""


class CounterSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[counters]``: where budgets and rates are counted, and the failures that open circuits."""

    url: str | None = None
    """``redis://USER:PASSWORD@HOST:PORT/0``, ``rediss://`` or ``unix:///PATH`` of a Redis or Valkey server that all
    gateways share; when left out, memory, or a private server for several workers. ``LOCKGATE_REDIS_URL`` goes before
    it, and is the better place for a password."""
    repair: bool = False
    """Whether a counter that has less than the ledger, as after a Redis that lost its data, is charged what it lacks,
    at the start and every hour. Else it is only told."""


class AlertSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[alerts]``: where it is told, beside the log, that a budget reached a threshold or its end, that it was reset,
    and that a model without a price was called."""

    webhook: str | None = None
    """Where each of these events is posted as JSON: ``https://...``, or ``env:NAME`` or ``file:PATH`` that holds it."""
    secret: str | None = None
    """What signs them (``webhook-signature`` of Standard Webhooks): ``env:NAME``, ``file:PATH`` or the text itself, as
    such or as ``whsec_`` and Base64. Not signed when left out."""


class CacheSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cache]``: where answers are kept for configs that have a cache."""

    memory_bytes: Count = 64 * 1024 * 1024
    """Most bytes of answers in the memory of one process; those that were not used for longest make room."""
    entry_bytes: Count = 1024 * 1024
    """Largest answer that is kept, in bytes."""
    url: str | None = None
    """``redis://...`` of a Redis or Valkey server of its own that evicts (``maxmemory-policy allkeys-lru``), shared by
    all gateways; when left out, memory. ``LOCKGATE_CACHE_URL`` goes before it."""
    timeout_s: Seconds = 0.25
    """How long that server is waited for; one that has not answered by then has nothing."""
    max_age_s: Annotated[int, Meta(ge=60, le=25_923_000)] | None = None
    """How long an answer may be used, in seconds, where a config does not say; else the shorter time holds."""


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
    has_system_turns: bool | None = None
    """Whether a system message may stand among the turns."""
    binds_thinking: bool | None = None
    """Whether it refuses thinking that another model made."""
    betas: dict[str, str] | None = None
    """Beta flags that a feature needs on this model, by feature: ``effort``, ``fast``."""


Dollars = Annotated[float, Meta(ge=0)]


class PriceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[prices.NAME]``: what a model costs, in US dollars per million tokens, in place of the price book's whole row.

    NAME is ``PROVIDER/MODEL``, in quotes: the type of a provider and the id that is sent to it.
    """

    input: Dollars
    """Tokens of the prompt."""
    output: Dollars
    """Tokens of the answer, with those of thinking."""
    cache_read: Dollars | None = None
    """Tokens of the prompt that came from the cache; as ``input`` when left out."""
    cache_write: Dollars | None = None
    """Tokens of the prompt that were put into the cache; as ``input`` when left out."""
    cache_write_1h: Dollars | None = None
    """The same for an hour; twice ``input`` when left out."""
    reasoning: Dollars | None = None
    """Tokens of thinking, where they have a price of their own."""
    input_audio: Dollars | None = None
    """Audio tokens of the prompt; as ``input`` when left out."""
    output_audio: Dollars | None = None
    """Audio tokens of the answer; as ``output`` when left out."""
    units: dict[str, Dollars] = {}
    """Dollars per use of a tool that the provider runs: ``web_search``, ..."""


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``lockgate.toml``."""

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    journal: JournalSettings = JournalSettings()
    records: RecordSettings = RecordSettings()
    metadata: MetadataSettings = MetadataSettings()
    counters: CounterSettings = CounterSettings()
    cache: CacheSettings = CacheSettings()
    alerts: AlertSettings = AlertSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    database: DatabaseSettings = DatabaseSettings()
    providers: dict[Slug, ProviderSettings] = {}
    keys: dict[Slug, KeySettings] = {}
    configs: dict[Slug, ConfigSettings] = {}
    defaults: DefaultSettings = DefaultSettings()
    models: dict[str, ModelSettings] = {}
    prices: dict[str, PriceSettings] = {}
