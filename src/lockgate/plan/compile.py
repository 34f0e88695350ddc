"""From what an operator wrote to a Snapshot. A document that does not compile raises ConfigError."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from lockgate.catalog import (
    FactRow,
    FactTable,
    PriceTable,
    card_of,
    load_facts,
    load_prices,
    packaged_facts,
    packaged_prices,
)
from lockgate.config import (
    Document,
    KeySettings,
    MetadataSettings,
    ModelSettings,
    PriceSettings,
    ProviderSettings,
    RecordSettings,
    TimeoutSettings,
)
from lockgate.core.http import Origin, Timeouts
from lockgate.core.metadata import MAX_KEY_CHARS, MAX_KEYS, MAX_VALUE_CHARS, clean
from lockgate.core.recording import NO_RECORDING, Recording, Rules
from lockgate.core.secret import Secret
from lockgate.entities import RecordingChoice
from lockgate.errors import ConfigError, raise_all
from lockgate.plan.configs import NO_CONFIGS, compile_declared
from lockgate.plan.declared_limits import read_limits
from lockgate.plan.hook import compile_hook
from lockgate.plan.keys import digest_of, is_well_formed
from lockgate.plan.recording import narrowed
from lockgate.plan.snapshot import (
    CALLING_SCOPES,
    DEFAULT_WORKSPACE,
    GatewayKey,
    Snapshot,
    Target,
    Workspace,
    header_pairs,
)
from lockgate.providers import BearerAuth, Provider

ReadSecret = Callable[[str], Secret]
"""Resolves ``env:NAME``, ``file:PATH`` or a literal; raises ConfigError when it is not there."""

HEADERS_VARIABLE = "HEADERS_TO_METADATA"
_CREDENTIAL = re.compile(
    r"authorization|cookie|secret|token|password|credential|api[-_]?key|subscription-key"
    r"|^x-portkey-(config|virtual-key|vertex-service-account-json|aws-access-key-id)$",
    re.IGNORECASE,
)
_PLAIN_URL = re.compile(r"https?://[\w.\-\[\]:/]+", re.ASCII)
_NOT_OURS_TO_SET = frozenset(
    "connection content-length expect host keep-alive proxy-authorization proxy-connection te trailer "
    "transfer-encoding upgrade".split()
)
SAVED_ONLY_VARIABLE = "BLOCK_INLINE_CONFIG"
"""Set to ``true``, requests may use only what is saved, whatever the organisation says."""
SIMULATED = ("anthropic", "openai")
"""The providers that the simulator stands in for."""


class Sources(Struct, frozen=True, kw_only=True):
    """What a snapshot is made of beside the document."""

    environment: Mapping[str, str]
    providers: Mapping[str, Provider]
    stored_keys: Mapping[bytes, GatewayKey] = {}
    """Keys that the state folder holds, by digest."""
    simulator_url: str | None = None
    """Where the built-in simulator listens, None when it does not run."""
    file: str = "lockgate.toml"
    """What the document's file is called."""
    key_scopes: frozenset[str] = CALLING_SCOPES
    """What a key of the document may do at most, and does when it says nothing."""


def compile_snapshot(document: Document, sources: Sources, read_secret: ReadSecret, version: int) -> Snapshot:
    """Compile everything. Raises ConfigError that names the entry at fault, or ConfigFaults with all of them."""
    faults: list[ConfigError] = []
    timeouts = timeouts_of(document.timeouts)
    targets = _compile_targets(document, sources, read_secret, faults)
    configs = NO_CONFIGS
    with _collecting(faults):
        configs = compile_declared(document.configs, sources.providers)
    with _collecting(faults):
        _check_config(document.defaults.config, document.configs, "defaults.config")
    recording = NO_RECORDING
    with _collecting(faults):
        recording = compile_recording(document.records)
    metadata_headers: tuple[bytes, ...] = ()
    with _collecting(faults):
        metadata_headers = _metadata_headers(document.metadata, sources.environment)
    keys = _compile_keys(document, sources, recording, read_secret, faults)
    raw = {name: _raw_target(p, timeouts) for name, p in sources.providers.items()}
    facts, prices, url, hook = packaged_facts(), packaged_prices(), None, None
    with _collecting(faults):
        facts = compile_facts(document.models)
    with _collecting(faults):
        prices = compile_prices(document.prices)
    with _collecting(faults):
        hook = compile_hook(document.alerts, read_secret)
    with _collecting(faults):
        url = _public_url(document.server.public_url)
    for where, server in (("counters.url", document.counters.url), ("cache.url", document.cache.url)):
        with _collecting(faults):
            _check_server(server, where)
    raise_all(faults)
    return Snapshot(
        version=version,
        keys=keys,
        workspaces={
            DEFAULT_WORKSPACE: Workspace(
                id=DEFAULT_WORKSPACE,
                slug=DEFAULT_WORKSPACE,
                targets=targets,
                configs=configs,
                config_id=document.defaults.config,
                recording=recording,
                takes_user_from_body=document.metadata.user_from_body,
                is_saved_only=sources.environment.get(SAVED_ONLY_VARIABLE, "").strip().lower() in ("1", "true"),
            ),
        },
        raw_targets=raw,
        is_open=document.server.open,
        public_url=url,
        hook=hook,
        trusts_forwarded=document.server.trust_forwarded,
        limits=document.limits,
        facts=facts,
        prices=prices,
        metadata_headers=metadata_headers,
        anthropic_version=document.defaults.anthropic_version_default,
        cache_max_age_s=document.cache.max_age_s,
        has_retry_jitter=document.defaults.retry_jitter,
    )


def _check_server(url: str | None, where: str) -> None:
    """Refuse what is no address of a Redis or Valkey server. Raises ConfigError."""
    if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError(f"{where}: expected redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH")


def _metadata_headers(settings: MetadataSettings, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Return the headers that become metadata. Raises ConfigError for those that carry credentials."""
    asked = [part.strip() for part in environment.get(HEADERS_VARIABLE, "").split(",")]
    places = [("metadata.headers", name) for name in settings.headers] + [(HEADERS_VARIABLE, name) for name in asked]
    found = {}
    for where, name in places:
        if _CREDENTIAL.search(name):
            raise ConfigError(f"{where}: {name} carries credentials, which metadata must not hold")
        if name:
            found[name.lower().encode("latin-1", "replace")] = True
    return tuple(found)


def compile_recording(settings: RecordSettings) -> Recording:
    """Return what may be kept of bodies. Raises ConfigError."""
    if not settings.enabled:
        return NO_RECORDING
    try:
        rules = Rules(
            mode=settings.bodies,
            personal=settings.personal,
            action=settings.personal_action,
            drop_paths=settings.drop_paths,
            sensitive_headers=settings.sensitive_headers,
        )
    except ValueError as error:
        raise ConfigError(f"records.drop_paths: {error}") from None
    return Recording(rules=rules)


@contextmanager
def _collecting(faults: list[ConfigError]) -> Iterator[None]:
    """Keep what is wrong with one entry, and go on with the next."""
    try:
        yield
    except ConfigError as error:
        faults.append(error)


def _compile_targets(
    document: Document, sources: Sources, read_secret: ReadSecret, faults: list[ConfigError]
) -> dict[str, Target]:
    """Return what the file, the environment and the simulator serve, by slug."""
    timeouts = timeouts_of(document.timeouts)
    targets = {}
    for slug, settings in document.providers.items():
        with _collecting(faults):
            target = compile_target(slug, settings, sources.providers, read_secret, timeouts)
            targets[slug] = structs.replace(target, source=sources.file)
    for name, provider in sources.providers.items():
        is_declared = name in document.providers
        if not is_declared and provider.credential_env and sources.environment.get(provider.credential_env):
            settings = ProviderSettings(type=name, api_key=f"env:{provider.credential_env}")
            target = compile_target(name, settings, sources.providers, read_secret, timeouts)
            targets[name] = structs.replace(target, source=f"the environment variable {provider.credential_env}")
    return {**_simulated(sources, read_secret, timeouts), **targets} if sources.simulator_url else targets


def _compile_keys(
    document: Document, sources: Sources, recording: Recording, read_secret: ReadSecret, faults: list[ConfigError]
) -> dict[bytes, GatewayKey]:
    """Return what opens, by digest. Two keys of one text would be one key with the rights of either."""
    keys = {digest: structs.replace(key, recording=recording) for digest, key in sources.stored_keys.items()}
    declared: dict[bytes, str] = {}
    for name, settings in document.keys.items():
        with _collecting(faults):
            digest, key = _compile_key(name, settings, read_secret, sources.key_scopes)
            other = declared.setdefault(digest, name)
            if other != name:
                raise ConfigError(f"keys.{name}: has the same text as keys.{other}; give each key its own")
            stored = sources.stored_keys.get(digest)
            if stored is not None and stored.kind == "organisation-service":
                raise ConfigError(f"keys.{name}: has the same text as {stored.source}; give each key its own")
            _check_config(settings.config, document.configs, f"keys.{name}.config")
            recorded = narrowed(recording, key.choice, "key")
            keys[digest] = structs.replace(key, source=sources.file, recording=recorded)
    return keys


def compile_facts(models: Mapping[str, ModelSettings]) -> FactTable:
    """Put an operator's entries on top of the packaged facts. Raises ConfigError for one that is like no row."""
    if not models:
        return packaged_facts()
    packaged = packaged_facts()
    known = set(packaged.families)
    rows = []
    for name, settings in models.items():
        like = settings.like or (name if name in known else packaged.find(name.removesuffix("*")).family)
        if like not in known:
            raise ConfigError(f"models.{name}.like: there is no row {like!r} above; the model reference lists them")
        given = {
            field: value
            for field in ModelSettings.__struct_fields__
            if field != "like" and (value := getattr(settings, field)) is not None
        }
        rows.append(FactRow(family=name, names=(name,), source="lockgate.toml", like=like, **given))
        known.add(name)
    return load_facts(rows)


def compile_prices(prices: Mapping[str, PriceSettings]) -> PriceTable:
    """Put an operator's prices on top of the price book. Raises ConfigError for one that no price can be."""
    cards = {}
    for name, settings in prices.items():
        provider, _, model = name.partition("/")
        given = {
            field: value
            for field in PriceSettings.__struct_fields__
            if field != "units" and (value := getattr(settings, field)) is not None
        }
        try:
            cards[provider, model] = card_of(given, settings.units)
        except ValueError as error:
            raise ConfigError(f"prices.{name}.{error}") from None
    return load_prices(cards)


def needs_simulator(document: Document, sources: Sources) -> bool:
    """Tell whether the built-in simulator should run: when asked for, or when there is no provider at all."""
    if document.simulator.enabled is not None:
        return document.simulator.enabled
    credentials = (p.credential_env for p in sources.providers.values() if p.credential_env)
    return not document.providers and not any(sources.environment.get(name) for name in credentials)


def compile_target(
    slug: str,
    settings: ProviderSettings,
    providers: Mapping[str, Provider],
    read_secret: ReadSecret,
    timeouts: Timeouts,
) -> Target:
    """Compile one provider record. Raises ConfigError."""
    provider = providers.get(settings.type)
    where = f"providers.{slug}"
    if provider is None:
        known = ", ".join(sorted(providers))
        raise ConfigError(f"{where}.type: unknown provider {settings.type!r}; known: {known}")
    base_url = settings.base_url or provider.base_url
    if base_url is None:
        raise ConfigError(f"{where}.base_url: a provider of type {settings.type} needs one")
    if settings.api_key is None and provider.needs_credential:
        raise ConfigError(f'{where}.api_key: missing; write "env:NAME" or "file:PATH"')
    secret = _secret(settings.api_key, f"{where}.api_key", read_secret) if settings.api_key is not None else None
    origin, base_path = split_base_url(base_url, f"{where}.base_url")
    auth, also = auth_headers(provider, secret)
    limits = read_limits(settings, where)
    return Target(
        provider=provider,
        origin=origin,
        base_path=base_path,
        slug=slug,
        secret=secret,
        auth_headers=auth,
        auth_also=also,
        extra_headers=extra_headers(settings.headers, f"{where}.headers"),
        models=frozenset(settings.models) or None,
        timeouts=timeouts_of(settings.timeouts) if settings.timeouts else timeouts,
        allow_custom_host=settings.allow_custom_host,
        claims=limits.claims("provider", slug, per_attempt=True),
        limits=limits,
    )


def auth_headers(
    provider: Provider, secret: Secret | None
) -> tuple[tuple[tuple[bytes, bytes], ...], tuple[bytes, bytes] | None]:
    """Return the headers that authenticate a request, and a list header with the value that must be in it."""
    if secret is None:
        return (), None
    text, auth = secret.reveal().encode(), provider.auth
    if isinstance(auth, BearerAuth):
        return ((b"authorization", b"Bearer " + text),), None
    if auth.bearer_prefix and text.startswith(auth.bearer_prefix.encode()):
        also = auth.bearer_also
        return ((b"authorization", b"Bearer " + text),), (also[0].encode(), also[1].encode()) if also else None
    return ((auth.name.encode(), text),), None


def split_base_url(url: str, where: str) -> tuple[Origin, str]:
    """Take an operator's base URL apart. Raises ConfigError."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"{where}: not a URL: {error}") from None
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"{where}: the port is not a number from 0 to 65535") from None
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"{where}: write it in plain ASCII, percent-encoded where needed")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{where}: expected http://host or https://host, with a path if the API has one")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{where}: user, password, query and fragment do not belong in a base URL")
    port = port or (443 if parts.scheme == "https" else 80)
    return Origin(scheme=parts.scheme, host=parts.hostname, port=port), parts.path.rstrip("/")


def _simulated(sources: Sources, read_secret: ReadSecret, timeouts: Timeouts) -> dict[str, Target]:
    url = sources.simulator_url or ""
    targets = {}
    for name in SIMULATED:
        path = "/v1" if name == "openai" else ""
        settings = ProviderSettings(type=name, api_key="sk-simulated", base_url=url + path)
        target = compile_target(name, settings, sources.providers, read_secret, timeouts)
        targets[name] = structs.replace(target, is_simulated=True, source="the simulator")
    return targets


def _raw_target(provider: Provider, timeouts: Timeouts) -> Target:
    """A provider without a record: the caller brings the credential, and the host if the provider has none."""
    if provider.base_url is None:
        origin, base_path = Origin(scheme="https", host="", port=443), ""
    else:
        origin, base_path = split_base_url(provider.base_url, f"provider {provider.name}")
    return Target(provider=provider, origin=origin, base_path=base_path, timeouts=timeouts, allow_custom_host=True)


def _secret(reference: str, where: str, read_secret: ReadSecret) -> Secret:
    """Resolve a reference; a secret that is not there is named by its entry."""
    try:
        return read_secret(reference)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}") from None


def check_key(text: str, where: str) -> None:
    """Refuse a gateway key that no request could use. Raises ConfigError, without the key."""
    if text != text.strip():
        raise ConfigError(f"{where}: the key begins or ends with a space")
    if not is_well_formed(text):
        raise ConfigError(f"{where}: a key that begins with gk_ must be one that Lockgate made; choose another text")


def _compile_key(
    name: str,
    settings: KeySettings,
    read_secret: ReadSecret,
    scopes: frozenset[str],
) -> tuple[bytes, GatewayKey]:
    where = f"keys.{name}"
    if (settings.key is None) == (settings.sha256 is None):
        raise ConfigError(f"{where}: give either key or sha256")
    if settings.sha256 is not None:
        digest = bytes.fromhex(settings.sha256)
    else:
        text = _secret(settings.key or "", f"{where}.key", read_secret).reveal()
        check_key(text, where)
        digest = digest_of(text)
    limits = read_limits(settings, where)
    return digest, GatewayKey(
        id=f"key_{name}",
        name=name,
        scopes=_check_scopes(settings.scopes, scopes, where) or scopes,
        expires_at=_unix(settings.expires_at),
        metadata=_check_metadata(settings.metadata, where),
        claims=limits.claims("key", name),
        limits=limits,
        providers=frozenset(settings.providers),
        config_id=settings.config,
        allow_config_override=settings.allow_config_override,
        choice=RecordingChoice(mode=settings.bodies) if settings.bodies is not None else None,
    )


def _check_scopes(asked: Sequence[str], possible: frozenset[str], where: str) -> frozenset[str]:
    """Return scopes in their normal form. Raises ConfigError for one that a key of a workspace cannot have."""
    found = frozenset(scope.strip().lower().replace(":", ".").replace("-", "_") for scope in asked)
    for scope in sorted(found - possible):
        near = get_close_matches(scope, possible, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{where}.scopes: a key of a workspace cannot have {scope!r}{hint}")
    return found


def _check_metadata(metadata: Mapping[str, str], where: str) -> Mapping[str, str]:
    """Refuse metadata that would be cut. Raises ConfigError."""
    if clean(dict(metadata.items())).is_cut:
        raise ConfigError(
            f"{where}.metadata: at most {MAX_KEYS} names of {MAX_KEY_CHARS} characters, "
            f"with values of at most {MAX_VALUE_CHARS}"
        )
    return metadata


def _unix(moment: datetime | None) -> float | None:
    """Return seconds since 1970; a time without an offset is UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _check_config(name: str | None, configs: Mapping[str, object], where: str) -> None:
    if name is not None and name not in configs:
        known = ", ".join(sorted(configs)) or "none"
        raise ConfigError(f"{where}: there is no config {name!r} in [configs]; there: {known}")


def _public_url(url: str | None) -> str | None:
    """Return the address of our own without a trailing slash or version. Raises ConfigError."""
    if url is None:
        return None
    where = "server.public_url"
    split_base_url(url, where)
    if not _PLAIN_URL.fullmatch(url):
        raise ConfigError(f"{where}: only letters, digits, dots, dashes, colons and slashes may stand in it")
    return url.rstrip("/").removesuffix("/v1")


def timeouts_of(settings: TimeoutSettings) -> Timeouts:
    """Return time limits as the transport takes them."""
    return msgspec.convert(settings, Timeouts, from_attributes=True)


def extra_headers(headers: Mapping[str, str], where: str) -> tuple[tuple[bytes, bytes], ...]:
    """Check and write headers that an operator adds to requests. Raises ConfigError."""
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"{where}: {name!r} is not a header name")
        if name.lower() in _NOT_OURS_TO_SET:
            raise ConfigError(f"{where}: {name!r} is written by the transport")
        if any(c in value for c in "\r\n\0"):
            raise ConfigError(f"{where}.{name}: a header value may not hold line breaks")
    return header_pairs(headers)
