"""How an API key is shown: without its text, with what is derived of its state and its budget.

Source: control-plane specification, section 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from lockgate.admin.call import Call
from lockgate.admin.limits import (
    RateLimitView,
    UsageLimitView,
    UsageView,
    budget_claims,
    is_exhausted,
    write_rate_limit,
    write_usage,
    write_usage_limit,
)
from lockgate.admin.metadata import write_metadata
from lockgate.admin.recording import RecordingBody, write_recording
from lockgate.admin.rotation import RotationPolicyView, live_texts, write_rotation
from lockgate.admin.times import write_time, write_time_or_none
from lockgate.core.limits import Usage
from lockgate.entities import ApiKey


class KeyDefaultsView(Struct, frozen=True, kw_only=True):
    """What holds for requests that bring nothing of their own."""

    metadata: dict[str, str] | None
    config_id: str | None
    allow_config_override: bool
    recording: RecordingBody | None = None


class KeyView(Struct, frozen=True, kw_only=True):
    """A key without its text."""

    id: str
    key: str
    """What may be shown of the text."""
    name: str
    description: str | None
    type: str
    organisation_id: str
    workspace_id: str | None
    user_id: str | None
    status: str
    creation_mode: str
    rate_limits: list[RateLimitView]
    usage_limits: UsageLimitView | None
    usage: UsageView | None
    reset_usage: int | None = None
    last_reset_at: str | None
    next_usage_reset_at: str | None
    expires_at: str | None
    expiry_enforced: int
    alert_emails: list[str]
    rotation_policy: RotationPolicyView | None
    allow_config_override: int
    api_key_defaults_id: str
    scopes: list[str]
    defaults: KeyDefaultsView
    providers: list[str]
    created_at: str | None
    last_updated_at: str | None
    created_by: str | None
    source: str = "database"
    """Or where it is declared: then it can only be changed there."""
    object: str = "api-key"


def write_keys(call: Call[Any, Any], keys: Sequence[ApiKey]) -> list[KeyView]:
    """Return keys for the wire, with how far their budgets are used."""
    claims = [
        claim for key in keys for claim in budget_claims(key.usage_limits, scope="key", created_at=key.created_at)
    ]
    usage = call.usage(claims)
    return [_view(key, usage, call.now) for key in keys]


def _view(key: ApiKey, usage: Mapping[str, Usage], now: datetime) -> KeyView:
    budget = key.usage_limits[0] if key.usage_limits else None
    limit = write_usage_limit(budget, scope="key", created_at=key.created_at, now=now) if budget is not None else None
    return KeyView(
        id=key.id,
        key=key.texts[0].mask if key.texts else "",
        name=key.name,
        description=key.description,
        type=key.kind,
        organisation_id=key.organisation_id,
        workspace_id=key.workspace_id,
        user_id=key.user_id,
        status=_status(key, usage, now),
        creation_mode=key.creation_mode,
        rate_limits=[write_rate_limit(rate) for rate in key.rate_limits],
        usage_limits=limit,
        usage=write_usage(budget, usage, now) if budget is not None else None,
        last_reset_at=write_time_or_none(key.last_reset_at),
        next_usage_reset_at=limit.next_usage_reset_at if limit is not None else None,
        expires_at=write_time_or_none(key.expires_at),
        expiry_enforced=int(key.expiry_enforced),
        alert_emails=list(key.alert_emails),
        rotation_policy=write_rotation(key.rotation, now),
        allow_config_override=int(key.defaults.allow_config_override),
        api_key_defaults_id=key.id,
        scopes=list(key.scopes),
        defaults=KeyDefaultsView(
            metadata=write_metadata(key.defaults.metadata),
            config_id=key.defaults.config_id,
            allow_config_override=key.defaults.allow_config_override,
            recording=write_recording(key.defaults.recording),
        ),
        providers=list(key.providers),
        created_at=write_time(key.created_at),
        last_updated_at=write_time(key.updated_at),
        created_by=key.created_by,
    )


def _status(key: ApiKey, usage: Mapping[str, Usage], now: datetime) -> str:
    """Derive the state: nothing of it is stored, so raising a limit revives a key at once."""
    if key.status == "disabled":
        return "disabled"
    live = len(live_texts(key, now))
    if (key.expires_at is not None and key.expires_at <= now) or (key.texts and not live):
        return "expired"
    if is_exhausted(key.usage_limits, usage):
        return "exhausted"
    return "rotating" if live > 1 else "active"
