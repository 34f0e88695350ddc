"""From what an operator wrote to a Snapshot. A document that does not compile raises ConfigError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from lockgate.catalog import FactRow, FactTable, load_facts, packaged_facts
from lockgate.config import Document, KeySettings, ModelSettings, ProviderSettings, TimeoutSettings
from lockgate.core.http import Origin, Timeouts
from lockgate.core.secret import Secret
from lockgate.errors import ConfigError
from lockgate.plan.keys import digest_of, is_well_formed
from lockgate.plan.snapshot import GatewayKey, Snapshot, Target, header_pairs
from lockgate.providers import BearerAuth, Provider

ReadSecret = Callable[[str], Secret]
"""Resolves ``env:NAME``, ``file:PATH`` or a literal; raises ConfigError when it is not there."""

_PLAIN_URL = re.compile(r"https?://[\w.\-\[\]:/]+", re.ASCII)
_NOT_OURS_TO_SET = frozenset(
    "connection content-length expect host keep-alive proxy-authorization proxy-connection te trailer "
    "transfer-encoding upgrade".split()
)
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


def compile_snapshot(document: Document, sources: Sources, read_secret: ReadSecret, version: int) -> Snapshot:
    """Compile everything. Raises ConfigError that names the entry at fault."""
    timeouts = _timeouts(document.timeouts)
    targets = {
        slug: compile_target(slug, settings, sources.providers, read_secret, timeouts)
        for slug, settings in document.providers.items()
    }
    for name, provider in sources.providers.items():
        if name not in targets and provider.credential_env and sources.environment.get(provider.credential_env):
            settings = ProviderSettings(type=name, api_key=f"env:{provider.credential_env}")
            targets[name] = compile_target(name, settings, sources.providers, read_secret, timeouts)
    if sources.simulator_url:
        targets = {**_simulated(sources, read_secret, timeouts), **targets}
    keys = dict(sources.stored_keys)
    for name, key_settings in document.keys.items():
        digest, key = _compile_key(name, key_settings, targets, read_secret)
        keys[digest] = key
    raw = {name: _raw_target(p, timeouts) for name, p in sources.providers.items()}
    return Snapshot(
        version=version,
        keys=keys,
        targets=targets,
        raw_targets=raw,
        is_open=document.server.open,
        public_url=_public_url(document.server.public_url),
        trusts_forwarded=document.server.trust_forwarded,
        limits=document.limits,
        facts=compile_facts(document.models),
    )


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
    return Target(
        provider=provider,
        origin=origin,
        base_path=base_path,
        slug=slug,
        secret=secret,
        auth_headers=auth,
        auth_also=also,
        extra_headers=_extra_headers(settings.headers, f"{where}.headers"),
        models=frozenset(settings.models),
        timeouts=_timeouts(settings.timeouts) if settings.timeouts else timeouts,
        allow_custom_host=settings.allow_custom_host,
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
        targets[name] = msgspec.structs.replace(target, is_simulated=True)
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
    name: str, settings: KeySettings, targets: Mapping[str, Target], read_secret: ReadSecret
) -> tuple[bytes, GatewayKey]:
    where = f"keys.{name}"
    if (settings.key is None) == (settings.sha256 is None):
        raise ConfigError(f"{where}: give either key or sha256")
    for slug in settings.providers:
        if slug not in targets:
            raise ConfigError(f"{where}.providers: there is no provider {slug!r}")
    if settings.sha256 is not None:
        digest = bytes.fromhex(settings.sha256)
    else:
        text = _secret(settings.key or "", f"{where}.key", read_secret).reveal()
        check_key(text, where)
        digest = digest_of(text)
    return digest, GatewayKey(id=f"key_{name}", name=name, providers=frozenset(settings.providers))


def _public_url(url: str | None) -> str | None:
    """Return the address of our own without a trailing slash or version. Raises ConfigError."""
    if url is None:
        return None
    where = "server.public_url"
    split_base_url(url, where)
    if not _PLAIN_URL.fullmatch(url):
        raise ConfigError(f"{where}: only letters, digits, dots, dashes, colons and slashes may stand in it")
    return url.rstrip("/").removesuffix("/v1")


def _timeouts(settings: TimeoutSettings) -> Timeouts:
    return msgspec.convert(settings, Timeouts, from_attributes=True)


def _extra_headers(headers: Mapping[str, str], where: str) -> tuple[tuple[bytes, bytes], ...]:
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"{where}: {name!r} is not a header name")
        if name.lower() in _NOT_OURS_TO_SET:
            raise ConfigError(f"{where}: {name!r} is written by the transport")
        if any(c in value for c in "\r\n\0"):
            raise ConfigError(f"{where}.{name}: a header value may not hold line breaks")
    return header_pairs(headers)
