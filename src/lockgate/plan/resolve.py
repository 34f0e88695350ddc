"""Who serves a request: the rules of provider selection as one pure function.

First hit wins: ``x-portkey-provider: @slug``, ``x-portkey-virtual-key``, ``@slug/`` in the model, then
``x-portkey-provider: <raw>`` with the caller's own credential. A raw name without a credential that is also the
slug of a record means the record. ``x-portkey-mode: proxy <raw>`` is an old way to name a raw provider.
Source: gateway protocol specification, section 2.2.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from msgspec import Struct, structs

from lockgate.core.secret import Secret
from lockgate.errors import Forbidden, ModelNotAllowed, NoTarget, Unauthenticated
from lockgate.plan.compile import auth_headers
from lockgate.plan.snapshot import GatewayKey, Snapshot, Target, Workspace
from lockgate.routing.tree import Pin

_SLUG_MODEL = re.compile(r"^@([A-Za-z0-9_.-]+)/(.*)$", re.DOTALL)
_MAX_NEAR = 3
DEFAULT_MODEL = "portkey-default"
"""What the Portkey SDK sends when no model was given."""


class Signals(Struct, frozen=True, kw_only=True, gc=False):
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


class Choice(Struct, frozen=True, kw_only=True, gc=False):
    """Who serves the request, and under which model name. ``model`` is None when the request named none."""

    target: Target
    model: str | None


def choose_target(snapshot: Snapshot, key: GatewayKey | None, signals: Signals, pin: Pin | None = None) -> Choice:
    """Choose. Raises NoTarget, Unauthenticated (no credential), Forbidden or ModelNotAllowed.

    ``pin`` is what a target of a config says; where it says nothing, the request decides.
    """
    workspace = snapshot.workspace_of(key)
    slug, model = split_model(workspace, signals.model)
    target = _named_by(pin, snapshot, workspace, key, signals) if pin is not None else None
    if target is None:
        target = _pinned(workspace, key, signals)
    if target is None and slug is not None:
        target = workspace.targets[slug]
    if target is None:
        target = _raw(snapshot, workspace, signals)
    if target is None:
        raise _no_target(workspace, key, signals.model)
    _check_allowed(key, target, model)
    return Choice(target=_of_model(target, model), model=model)


def _named_by(
    pin: Pin, snapshot: Snapshot, workspace: Workspace, key: GatewayKey | None, signals: Signals
) -> Target | None:
    """What a target of a config names: a record, else a provider with a credential of its own, else a model's slug."""
    if pin.slug is not None:
        if pin.slug not in workspace.targets:
            raise _unknown_slug(workspace, key, pin.slug)
        return workspace.targets[pin.slug]
    if pin.provider is not None:
        credential = pin.api_key or (signals.credential if pin.is_root else None)
        return _raw(snapshot, workspace, structs.replace(signals, provider=pin.provider, credential=credential))
    return workspace.targets.get(pin.model_slug) if pin.model_slug is not None else None


def _of_model(target: Target, model: str | None) -> Target:
    """Return the target as it is for one model: a custom one may be served elsewhere, or with headers of its own."""
    custom = target.customs.get(model) if model is not None else None
    if custom is None:
        return target
    if custom.extra_headers:
        target = structs.replace(target, extra_headers=(*target.extra_headers, *custom.extra_headers))
    if custom.origin is None:
        return target
    return structs.replace(target, origin=custom.origin, base_path=custom.base_path)


def split_model(workspace: Workspace, model: str | None) -> tuple[str | None, str | None]:
    """Split ``@slug/model`` when the workspace has the slug; other names (native ones with ``@``) stay whole."""
    if not model or model == DEFAULT_MODEL:
        return None, None
    found = _SLUG_MODEL.match(model) if model[0] == "@" else None
    if found and found[1] in workspace.targets:
        return found[1], found[2]
    return None, model


def _pinned(workspace: Workspace, key: GatewayKey | None, signals: Signals) -> Target | None:
    """What the headers name by slug."""
    for name in (signals.provider, signals.virtual_key):
        if not name or (name is signals.provider and not name.startswith("@")):
            continue
        slug = name.removeprefix("@")
        if slug not in workspace.targets:
            raise _unknown_slug(workspace, key, slug)
        return workspace.targets[slug]
    return None


def _raw(snapshot: Snapshot, workspace: Workspace, signals: Signals) -> Target | None:
    name = signals.provider
    if not name:
        return None
    target = snapshot.raw_targets.get(name)
    if target is None or (signals.credential is None and not signals.has_custom_host):
        record = workspace.targets.get(name)
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
    if target.trouble is not None:
        raise NoTarget(f"The provider @{target.slug} cannot serve: {target.trouble}", path="model")
    if model is not None and not target.allows(model):
        raise ModelNotAllowed(_not_allowed(target, model), path="model")


def _not_allowed(target: Target, model: str) -> str:
    """Name the nearest models that are allowed."""
    near = get_close_matches(model, sorted((target.models or frozenset()) - target.denied), n=_MAX_NEAR, cutoff=0.4)
    hint = f"; allowed are for example: {', '.join(near)}" if near else ""
    return f"Model {model} is not allowed for @{target.slug}{hint}"


def _no_target(workspace: Workspace, key: GatewayKey | None, model: str | None) -> NoTarget:
    found = _SLUG_MODEL.match(model) if model else None
    if found:
        return _unknown_slug(workspace, key, found[1])
    return NoTarget(
        "Either x-portkey-config or x-portkey-provider header is required, or a model of the form @slug/model"
    )


def _unknown_slug(workspace: Workspace, key: GatewayKey | None, slug: str) -> NoTarget:
    """Name the slugs that the key may use, and no others."""
    allowed = key.providers if key is not None else frozenset()
    known = ", ".join("@" + s for s in sorted(workspace.targets) if not allowed or s in allowed) or "none"
    return NoTarget(f"There is no provider @{slug}; providers here: {known}", path="model")
