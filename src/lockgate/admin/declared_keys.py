"""Keys that the configuration file or the environment declares: shown beside the stored ones, changed only there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lockgate.admin.call import Call
from lockgate.entities import ApiKey, KeyDefaults
from lockgate.errors import Conflict
from lockgate.plan.snapshot import GatewayKey


def declared_keys(call: Call[Any, Any]) -> Sequence[GatewayKey]:
    """Return those that the caller may see, by name: an organisation's key sees all, others their workspace's."""
    principal = call.principal
    found = {
        key.id: key
        for key in call.services.snapshot().keys.values()
        if key.source is not None
        and (
            principal.is_organisations
            or (key.workspace == principal.workspace.id and key.kind != "organisation-service")
        )
    }
    return sorted(found.values(), key=lambda key: key.name)


def find_declared(call: Call[Any, Any], id: str) -> GatewayKey | None:
    """Return a declared key that the caller may see."""
    return next((key for key in declared_keys(call) if key.id == id), None)


def refuse_change(key: GatewayKey) -> Conflict:
    """Return the refusal of a change, which says where it can be made."""
    return Conflict(f"Key '{key.name}' is declared in {key.source}; change it there", path="id")


def as_entity(key: GatewayKey) -> ApiKey:
    """Return a declared key in the form of a stored one, to be shown as such."""
    end = key.expires_at
    return ApiKey(
        id=key.id,
        organisation_id=key.organisation,
        name=key.name,
        kind=key.kind,
        workspace_id=key.workspace if key.kind != "organisation-service" else None,
        scopes=tuple(sorted(key.scopes)),
        providers=tuple(sorted(key.providers)),
        defaults=KeyDefaults(
            metadata=key.metadata,
            config_id=key.config_id,
            allow_config_override=key.allow_config_override,
            recording=key.choice,
        ),
        usage_limits=key.limits.usage,
        rate_limits=key.limits.rates,
        expires_at=datetime.fromtimestamp(end, UTC) if end is not None else None,
    )
