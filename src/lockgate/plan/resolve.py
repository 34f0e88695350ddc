"""Who serves a request: the rules of provider selection as one pure function.

First hit wins: ``x-portkey-provider: @slug``, ``x-portkey-virtual-key``, ``@slug/`` in the model, then
``x-portkey-provider: <raw>`` with the caller's own credential. A raw name without a credential that is also the
slug of a record means the record. ``x-portkey-mode: proxy <raw>`` is an old way to name a raw provider.
Source: gateway protocol specification, section 2.2.
"""

from __future__ import annotations

import re

from msgspec import Struct, structs

from lockgate.core.secret import Secret
from lockgate.errors import Forbidden, ModelNotAllowed, NoTarget, Unauthenticated
from lockgate.plan.compile import auth_headers
from lockgate.plan.snapshot import GatewayKey, Snapshot, Target

_SLUG_MODEL = re.compile(r"^@([A-Za-z0-9_.-]+)/(.*)$", re.DOTALL)
DEFAULT_MODEL = "portkey-default"
"""What the Portkey SDK sends when no model was given."""


class Signals(Struct, frozen=True, kw_only=True):
    """What a request says about its provider."""

    model: str | None = None
    provider: str | None = None
    """``x-portkey-provider``, with or without ``@``."""
    virtual_key: str | None = None
    """``x-portkey-virtual-key``."""
    credential: Secret | None = None
    """A key in the request that is not ours: the caller's own."""
    has_custom_host: bool = False

    @property
    def has_provider(self) -> bool:
        """Whether a header names a provider, whatever the model says."""
        return self.provider is not None or self.virtual_key is not None


class Choice(Struct, frozen=True, kw_only=True):
    """Who serves the request, and under which model name. ``model`` is None when the request named none."""

    target: Target
    model: str | None


def choose_target(snapshot: Snapshot, key: GatewayKey | None, signals: Signals) -> Choice:
    """Choose. Raises NoTarget, Unauthenticated (no credential), Forbidden or ModelNotAllowed."""
    slug, model = split_model(snapshot, signals.model)
    target = _pinned(snapshot, key, signals)
    if target is None and slug is not None:
        target = snapshot.targets[slug]
    if target is None:
        target = _raw(snapshot, signals)
    if target is None:
        raise _no_target(snapshot, key, signals.model)
    _check_allowed(key, target, model)
    return Choice(target=target, model=model)


def split_model(snapshot: Snapshot, model: str | None) -> tuple[str | None, str | None]:
    """Split ``@slug/model`` when the slug is known; other names, such as native ones with ``@``, stay whole."""
    if not model or model == DEFAULT_MODEL:
        return None, None
    found = _SLUG_MODEL.match(model) if model[0] == "@" else None
    if found and found[1] in snapshot.targets:
        return found[1], found[2]
    return None, model


def _pinned(snapshot: Snapshot, key: GatewayKey | None, signals: Signals) -> Target | None:
    """What the headers name by slug."""
    for name in (signals.provider, signals.virtual_key):
        if not name or (name is signals.provider and not name.startswith("@")):
            continue
        slug = name.removeprefix("@")
        if slug not in snapshot.targets:
            raise _unknown_slug(snapshot, key, slug)
        return snapshot.targets[slug]
    return None


def _raw(snapshot: Snapshot, signals: Signals) -> Target | None:
    name = signals.provider
    if not name:
        return None
    target = snapshot.raw_targets.get(name)
    if target is None or (signals.credential is None and not signals.has_custom_host):
        record = snapshot.targets.get(name)
        if record is not None:
            return record
    if target is None:
        known = ", ".join(sorted(snapshot.raw_targets))
        message = f"Invalid provider passed: {name!r} is neither a provider ({known}) nor a slug"
        raise NoTarget(message, path="x-portkey-provider")
    if not target.origin.host and not signals.has_custom_host:
        raise NoTarget(f"Provider {name} needs x-portkey-custom-host", path="x-portkey-custom-host")
    if signals.credential is None:
        if not signals.has_custom_host and target.provider.needs_credential:
            raise Unauthenticated(
                f"No credential for provider {name}: send your own key in Authorization beside x-portkey-api-key, "
                f"or use a provider record as @slug/model"
            )
        return target
    auth, also = auth_headers(target.provider, signals.credential)
    return structs.replace(target, secret=signals.credential, auth_headers=auth, auth_also=also)


def _check_allowed(key: GatewayKey | None, target: Target, model: str | None) -> None:
    if key is not None and key.providers and target.slug not in key.providers:
        raise Forbidden(f"The key {key.name} may not use {'@' + target.slug if target.slug else 'own credentials'}")
    if target.models and model is not None and model not in target.models:
        raise ModelNotAllowed(f"Model {model} is not allowed for @{target.slug}", path="model")


def _no_target(snapshot: Snapshot, key: GatewayKey | None, model: str | None) -> NoTarget:
    found = _SLUG_MODEL.match(model) if model else None
    if found:
        return _unknown_slug(snapshot, key, found[1])
    return NoTarget(
        "Either x-portkey-config or x-portkey-provider header is required, or a model of the form @slug/model "
        "(this version has no configs yet)"
    )


def _unknown_slug(snapshot: Snapshot, key: GatewayKey | None, slug: str) -> NoTarget:
    """Name the slugs that the key may use, and no others."""
    allowed = key.providers if key is not None else frozenset()
    known = ", ".join("@" + s for s in sorted(snapshot.targets) if not allowed or s in allowed) or "none"
    return NoTarget(f"There is no provider @{slug}; providers here: {known}", path="model")
