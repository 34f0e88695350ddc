"""The snapshot: all keys and targets at one moment, immutable. An exchange keeps the one it began with."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from lockgate.catalog import LIST_TERMS, FactTable, PriceTable, PriceTerms, packaged_facts, packaged_prices
from lockgate.config import LimitSettings
from lockgate.core.http import Headers, Origin, Timeouts
from lockgate.core.limits import Claim
from lockgate.core.metadata import NO_METADATA, Metadata
from lockgate.core.recording import Recording
from lockgate.core.secret import Secret
from lockgate.entities import KeyKind as KeyKind
from lockgate.entities import RecordingChoice
from lockgate.plan.configs import NO_CONFIGS, SavedConfigs
from lockgate.plan.declared_limits import DeclaredLimits
from lockgate.plan.hook import Hook
from lockgate.plan.policies import Policy
from lockgate.providers import Provider

DEFAULT_WORKSPACE = "default"
"""The workspace that the configuration file, the environment and callers without a key belong to, until a database
says which one that is."""


CALLING_SCOPES = frozenset({"completions.write", "models.list"})
"""What a key may do at least: call models, and ask which ones there are."""


class CustomModel(Struct, frozen=True, kw_only=True):
    """A model that an operator added to an integration."""

    base_model: str | None = None
    origin: Origin | None = None
    """Where it is served, when not where the others are."""
    base_path: str = ""
    extra_headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent beside those of its integration."""


class Target(Struct, frozen=True, kw_only=True):
    """A provider with credentials: what ``@slug`` names, or what a caller's own key makes of a raw provider."""

    provider: Provider
    origin: Origin
    base_path: str
    """Path of the base URL without a trailing slash: "" or "/v1"."""
    slug: str | None = None
    secret: Secret | None = None
    auth_headers: tuple[tuple[bytes, bytes], ...] = ()
    extra_headers: tuple[tuple[bytes, bytes], ...] = ()
    auth_also: tuple[bytes, bytes] | None = None
    """A list header that the credential needs, and the value it must hold."""
    models: frozenset[str] | None = None
    """The models that may be used; None: all that are not denied."""
    denied: frozenset[str] = frozenset()
    """Models that may not be used."""
    customs: Mapping[str, CustomModel] = {}
    """Models of the operator's own, by name."""
    timeouts: Timeouts = Timeouts()
    is_simulated: bool = False
    allow_custom_host: bool = False
    workspace: str | None = None
    """The id of the workspace that it belongs to."""
    integration: str | None = None
    """The slug of the integration that holds its credential."""
    claims: tuple[Claim, ...] = ()
    """The limits of provider, integration in this workspace, and integration, in that order."""
    price_terms: PriceTerms = LIST_TERMS
    """What the integration's contract says about prices."""
    expires_at: float | None = None
    """When it stops to serve, in seconds since 1970."""
    source: str | None = None
    """Where it is declared, in words, when that is not the database: it can only be changed there."""
    limits: DeclaredLimits = DeclaredLimits()
    """What the claims of a declared one were compiled from, to be shown."""
    trouble: str | None = None
    """Why it cannot serve at all: what was stored does not compile any more."""
    is_withheld: bool = False
    """Whether the trouble is somebody's decision: access that was taken away, an integration that is disabled."""

    def allows(self, model: str) -> bool:
        """Tell whether a model may be used."""
        return model not in self.denied and (self.models is None or model in self.models)

    def base_of(self, model: str) -> str:
        """Return the model whose facts hold for a model: of a custom one the one that it is based on."""
        custom = self.customs.get(model)
        return custom.base_model or model if custom is not None else model

    def path_of(self, endpoint_path: str) -> bytes:
        """Join base path and endpoint path; a version segment that both hold appears once."""
        base = self.base_path
        if base.endswith("/v1") and endpoint_path.startswith("/v1/"):
            base = base[:-3]
        return (base + endpoint_path).encode("ascii")


class GatewayKey(Struct, frozen=True, kw_only=True):
    """Somebody who may call us, by one text: a key that is being rotated stands in a snapshot twice."""

    id: str
    name: str
    kind: KeyKind = "workspace-service"
    organisation: str = ""
    """The id of its organisation; empty for keys that no database knows."""
    workspace: str = DEFAULT_WORKSPACE
    """The id of its workspace; for an organisation's key the one it falls back to."""
    user: str | None = None
    """The id of the user that it belongs to."""
    scopes: frozenset[str] = CALLING_SCOPES
    expires_at: float | None = None
    """When this text stops to open, in seconds since 1970; None: never."""
    providers: frozenset[str] = frozenset()
    """The slugs that the key may use; all when empty."""
    claims: tuple[Claim, ...] = ()
    """The limits of key, user, workspace and organisation, in that order."""
    metadata: Metadata = NO_METADATA
    """What its requests carry unless the workspace says otherwise: stronger than what they say themselves."""
    config_id: str | None = None
    """The config of requests that bring none."""
    allow_config_override: bool = True
    recording: Recording = Recording()
    """What is kept of its requests and answers."""
    alert_emails: tuple[str, ...] = ()
    """Whom events about its budget name."""
    choice: RecordingChoice | None = None
    """What a declared one says about that."""
    source: str | None = None
    """Where it is declared, in words, when that is not the database: it can only be changed there."""
    limits: DeclaredLimits = DeclaredLimits()
    """What the claims of a declared one were compiled from, to be shown."""


class Workspace(Struct, frozen=True, kw_only=True):
    """What the callers of one workspace can reach."""

    id: str
    slug: str
    targets: Mapping[str, Target] = {}
    """By slug."""
    claims: tuple[Claim, ...] = ()
    """The limits of workspace and organisation, for callers without a key of their own."""
    policies: tuple[Policy, ...] = ()
    """Limits on the requests that meet conditions."""
    metadata: Metadata = NO_METADATA
    """What all its requests carry."""
    recording: Recording = Recording()
    """What is kept of its requests and answers."""
    takes_user_from_body: bool = False
    """Whether a body's ``metadata.user_id`` or ``safety_identifier`` may say for whom a request is."""
    config_id: str | None = None
    """The config of requests that bring none and whose key names none."""
    user_key_config_id: str | None = None
    """The config of requests of people's keys that name none, which those keys hold too."""
    is_saved_only: bool = False
    """Whether requests may use only what is saved: no configs, providers, hosts and headers of their own."""
    configs: SavedConfigs = NO_CONFIGS
    """By slug or id, and by ``slug@version``; a text says why one cannot be used."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that a request's path depends on."""

    version: int
    keys: Mapping[bytes, GatewayKey]
    """By the SHA-256 digest of the key's text."""
    workspaces: Mapping[str, Workspace]
    """By id. The default one is always there."""
    raw_targets: Mapping[str, Target]
    """Providers that a caller may use with its own credential, by name; without a secret."""
    closed: Mapping[bytes, str] = {}
    """Why keys that are known do not open, as the end of a sentence about them, by digest."""
    default_workspace: str = DEFAULT_WORKSPACE
    """The id of the workspace of callers without a key."""
    is_open: bool = False
    """Whether callers without a key are served."""
    public_url: str | None = None
    """Where clients reach the gateway, without a trailing slash or version; None: each request says so."""
    trusts_forwarded: bool = False
    """Whether X-Forwarded-Proto and X-Forwarded-Host may say so."""
    limits: LimitSettings = LimitSettings()
    facts: FactTable = field(default_factory=packaged_facts)
    """What models accept: the packaged table with the operator's rows on top of it."""
    prices: PriceTable = field(default_factory=packaged_prices)
    """What models cost: the price book with the operator's prices on top of it."""
    stale_at: float | None = None
    """When it must be compiled again because a limit comes into force, in seconds since 1970."""
    hook: Hook | None = None
    """Where alerts go."""
    trusted_hosts: frozenset[str] = frozenset()
    """Hosts in private ranges that callers may name, in the guard's normal form."""
    metadata_headers: tuple[bytes, ...] = ()
    """Headers whose values become metadata, in lower case."""
    anthropic_version: str | None = None
    """The version of Anthropic's API for translated calls whose client names none; ``auto`` goes by what is sent."""
    has_retry_jitter: bool = False
    """Whether waits before retries are shortened by chance."""
    cache_max_age_s: int | None = None
    """How long kept answers may be used where a config does not say, and at most where it does."""

    @property
    def targets(self) -> Mapping[str, Target]:
        """What the default workspace reaches, by slug."""
        return self.workspaces[self.default_workspace].targets

    def workspace_of(self, key: GatewayKey | None) -> Workspace:
        """Return the workspace that a caller acts in."""
        return self.workspaces[key.workspace if key is not None else self.default_workspace]


def header_pairs(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as the wire wants them: lower-case names, Latin-1 or UTF-8 bytes."""
    pairs: Headers = [(name.lower().encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    return tuple(pairs)
