"""``/me``: which key is this, and what may it do now. Source: control-plane specification, section 5.4."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from lockgate.admin.access import ANY_KEY
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.limits import (
    RateLimitView,
    UsageLimitView,
    UsageView,
    budget_claims,
    write_rate_limit,
    write_usage,
    write_usage_limit,
)
from lockgate.admin.metadata import write_metadata
from lockgate.admin.times import write_time, write_time_or_none
from lockgate.entities import ApiKey, Entity, RateLimit, UsageLimit, Workspace


class OwnLimits(Struct, frozen=True, kw_only=True):
    """Limits that every request of the key falls under, and how far they are used."""

    scope: str
    """``key`` or ``workspace``."""
    usage_limits: list[UsageLimitView]
    rate_limits: list[RateLimitView]
    usage: list[UsageView]


class OwnWorkspace(Struct, frozen=True, kw_only=True):
    """The workspace that the key belongs to, or falls back to."""

    id: str
    slug: str
    name: str


class OwnDefaults(Struct, frozen=True, kw_only=True):
    """What holds for requests that bring nothing of their own; the workspace's metadata wins over the key's."""

    metadata: dict[str, str] | None
    config_id: str | None
    allow_config_override: bool


class Me(Struct, frozen=True, kw_only=True):
    """The key of this request."""

    id: str
    name: str
    type: str
    organisation_id: str
    workspace: OwnWorkspace
    user_id: str | None
    scopes: list[str]
    """What the key may do now."""
    expires_at: str | None
    limits: list[OwnLimits]
    defaults: OwnDefaults
    providers: list[str]
    """The slugs that it may use; all when empty."""
    object: str = "key-info"


def show(call: Call[Nothing, Nothing]) -> Me:
    """Say which key this is."""
    principal = call.principal
    compiled = principal.key
    with call.view() as view:
        key = view.find(ApiKey, compiled.id)
        workspace = view.find(Workspace, principal.workspace.id) or principal.workspace
    owners = [("key", key, key.usage_limits, key.rate_limits)] if key is not None else []
    limits = [_limits(call, *owner) for owner in owners]
    if not principal.is_organisations:
        limits.append(_limits(call, "workspace", workspace, workspace.usage_limits, workspace.rate_limits))
    metadata = {**(key.defaults.metadata if key is not None else {}), **workspace.defaults.metadata}
    return Me(
        id=compiled.id,
        name=compiled.name,
        type=compiled.kind,
        organisation_id=principal.organisation_id,
        workspace=OwnWorkspace(id=workspace.id, slug=workspace.slug, name=workspace.name),
        user_id=compiled.user,
        scopes=sorted(principal.scopes),
        expires_at=_end(key, compiled.expires_at),
        limits=limits,
        defaults=OwnDefaults(
            metadata=write_metadata(metadata),
            config_id=(key.defaults.config_id if key is not None else None) or workspace.defaults.config_id,
            allow_config_override=key.defaults.allow_config_override if key is not None else True,
        ),
        providers=sorted(compiled.providers),
    )


def _limits(
    call: Call[Nothing, Nothing],
    scope: str,
    owner: Entity,
    budgets: tuple[UsageLimit, ...],
    rates: tuple[RateLimit, ...],
) -> OwnLimits:
    created_at, now = owner.created_at, call.now
    usage = call.usage(budget_claims(budgets, scope=scope, created_at=created_at))
    used = (write_usage(budget, usage, now) for budget in budgets)
    return OwnLimits(
        scope=scope,
        usage_limits=[write_usage_limit(each, scope=scope, created_at=created_at, now=now) for each in budgets],
        rate_limits=[write_rate_limit(rate) for rate in rates],
        usage=[each for each in used if each is not None],
    )


def _end(key: ApiKey | None, compiled_s: float | None) -> str | None:
    if key is not None and key.expires_at is not None:
        return write_time_or_none(key.expires_at)
    return write_time(datetime.fromtimestamp(compiled_s, UTC)) if compiled_s is not None else None


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/me",
        access=ANY_KEY,
        summary="Say which key this is, and what it may do",
        reply=Me,
        handler=show,
    ),
)
