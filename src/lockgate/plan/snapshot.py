"""The snapshot: all keys and targets at one moment, immutable. An exchange keeps the one it began with."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from lockgate.catalog import FactTable, packaged_facts
from lockgate.config import LimitSettings
from lockgate.core.http import Headers, Origin, Timeouts
from lockgate.core.secret import Secret
from lockgate.providers import Provider


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
    models: frozenset[str] = frozenset()
    """The models that may be used; all when empty."""
    timeouts: Timeouts = Timeouts()
    is_simulated: bool = False
    allow_custom_host: bool = False

    def path_of(self, endpoint_path: str) -> bytes:
        """Join base path and endpoint path; a version segment that both hold appears once."""
        base = self.base_path
        if base.endswith("/v1") and endpoint_path.startswith("/v1/"):
            base = base[:-3]
        return (base + endpoint_path).encode("ascii")


class GatewayKey(Struct, frozen=True, kw_only=True):
    """Somebody who may call us."""

    id: str
    name: str
    providers: frozenset[str] = frozenset()
    """The slugs that the key may use; all when empty."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that a request's path depends on."""

    version: int
    keys: Mapping[bytes, GatewayKey]
    """By the SHA-256 digest of the key's text."""
    targets: Mapping[str, Target]
    """By slug."""
    raw_targets: Mapping[str, Target]
    """Providers that a caller may use with its own credential, by name; without a secret."""
    is_open: bool = False
    """Whether callers without a key are served."""
    public_url: str | None = None
    """Where clients reach the gateway, without a trailing slash or version; None: each request says so."""
    trusts_forwarded: bool = False
    """Whether X-Forwarded-Proto and X-Forwarded-Host may say so."""
    limits: LimitSettings = LimitSettings()
    facts: FactTable = field(default_factory=packaged_facts)
    """What models accept: the packaged table with the operator's rows on top of it."""
    trusted_hosts: frozenset[str] = frozenset()
    """Hosts in private ranges that callers may name, in the guard's normal form."""


def header_pairs(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as the wire wants them: lower-case names, Latin-1 or UTF-8 bytes."""
    pairs: Headers = [(name.lower().encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    return tuple(pairs)
