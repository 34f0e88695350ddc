"""Providers as the API shows them: with what is used of their budgets, and the state that follows from it.

A provider and a virtual key are one row in two views. What the configuration file or the environment declares is shown
beside what is stored. Source: control-plane specification, section 2.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from lockgate.admin.call import Call
from lockgate.admin.credentials import MappingView, write_mappings, write_settings
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
from lockgate.admin.times import write_time, write_time_or_none
from lockgate.core.limits import Usage
from lockgate.entities import NEVER, Integration, ProviderRecord, Workspace
from lockgate.entities.secret_fields import KEY
from lockgate.plan.snapshot import Target
from lockgate.store.reading import Reading


class ProviderView(Struct, frozen=True, kw_only=True):
    """A provider of a workspace."""

    id: str
    slug: str
    name: str
    note: str | None
    integration_id: str | None
    """The slug of the integration that holds its credential; null for one that a file declares."""
    organisation_id: str
    workspace_id: str
    ai_provider_name: str
    model_config: dict[str, Any]
    status: str
    trouble: str | None
    """Why it cannot serve, when it cannot."""
    usage_limits: UsageLimitView | None
    rate_limits: list[RateLimitView] | None
    usage: UsageView | None
    reset_usage: int | None = None
    expires_at: str | None
    last_reset_at: str | None
    tags: list[str]
    source: str
    """``database``, or where it is declared: then it can only be changed there."""
    created_at: str | None
    last_updated_at: str | None
    object: str = "provider"


class VirtualKeyView(Struct, frozen=True, kw_only=True):
    """The same as a virtual key."""

    id: str
    slug: str
    name: str
    note: str | None
    key: str = ""
    masked_api_key: str | None
    secret_mappings: list[MappingView]
    provider: str
    ai_provider_name: str
    integration_id: str | None
    organisation_id: str
    workspace_id: str
    workspace_name: str
    model_config: dict[str, Any]
    status: str
    trouble: str | None
    usage_limits: UsageLimitView | None
    rate_limits: list[RateLimitView] | None
    usage: UsageView | None
    reset_usage: int | None = None
    expires_at: str | None
    last_reset_at: str | None
    tags: list[str]
    source: str
    created_at: str | None
    last_updated_at: str | None
    object: str = "virtual-key"


class Shown(Struct, frozen=True, kw_only=True):
    """What both views are made of."""

    view: ProviderView
    masked_key: str | None = None
    mappings: list[MappingView] = []
    workspace_name: str = ""


def show(call: Call[Any, Any], view: Reading, records: Sequence[ProviderRecord]) -> list[Shown]:
    """Return stored providers as they are shown. Opens no further transaction, but asks the counters."""
    integrations = {each.id: each for each in view.all(Integration, id=[one.integration_id for one in records])}
    workspaces = {each.id: each for each in view.all(Workspace, id=[one.workspace_id for one in records])}
    claims = [
        claim
        for each in records
        for claim in budget_claims(each.usage_limits, scope="provider", created_at=each.created_at)
    ]
    usage = call.usage(claims)
    return [
        _show(call, each, integrations.get(each.integration_id), workspaces.get(each.workspace_id), usage)
        for each in records
    ]


def show_declared(call: Call[Any, Any], target: Target, workspace: Workspace) -> Shown:
    """Return a provider that a file or the environment declares."""
    limits = target.limits
    budget = limits.usage[0] if limits.usage else None
    usage = call.usage(budget_claims(limits.usage, scope="provider", created_at=NEVER))
    view = ProviderView(
        id=target.slug or "",
        slug=target.slug or "",
        name=target.slug or "",
        note="answers are made up by the simulator" if target.is_simulated else None,
        integration_id=None,
        organisation_id=workspace.organisation_id,
        workspace_id=workspace.id,
        ai_provider_name=target.provider.name,
        model_config={},
        status="exhausted" if is_exhausted(limits.usage, usage) else "active",
        trouble=target.trouble,
        usage_limits=write_usage_limit(budget, scope="provider", created_at=NEVER, now=call.now)
        if budget is not None
        else None,
        rate_limits=[write_rate_limit(each) for each in limits.rates] or None,
        usage=write_usage(budget, usage, call.now) if budget is not None else None,
        expires_at=None,
        last_reset_at=None,
        tags=[],
        source=target.source or "",
        created_at=None,
        last_updated_at=None,
    )
    return Shown(view=view, workspace_name=workspace.name)


def as_virtual_key(shown: Shown) -> VirtualKeyView:
    """Return the other view."""
    view = shown.view
    fields = {name: getattr(view, name) for name in ProviderView.__struct_fields__ if name != "object"}
    return VirtualKeyView(
        **fields,
        masked_api_key=shown.masked_key,
        secret_mappings=shown.mappings,
        provider=view.ai_provider_name,
        workspace_name=shown.workspace_name,
    )


def _show(
    call: Call[Any, Any],
    record: ProviderRecord,
    integration: Integration | None,
    workspace: Workspace | None,
    usage: Mapping[str, Usage],
) -> Shown:
    budget = record.usage_limits[0] if record.usage_limits else None
    serving = call.services.snapshot().workspaces.get(record.workspace_id)
    target = serving.targets.get(record.slug) if serving is not None else None
    settings: dict[str, Any] = dict(record.settings)
    if integration is not None and record.is_virtual_key:
        settings |= write_settings(integration.configurations, integration.references, integration.masks)
    view = ProviderView(
        id=record.id,
        slug=record.slug,
        name=record.name,
        note=record.note,
        integration_id=integration.slug if integration is not None else record.integration_id,
        organisation_id=record.organisation_id,
        workspace_id=record.workspace_id,
        ai_provider_name=integration.provider if integration is not None else "",
        model_config=settings,
        status=_status(record, usage, call.now),
        trouble=target.trouble if target is not None else None,
        usage_limits=write_usage_limit(budget, scope="provider", created_at=record.created_at, now=call.now)
        if budget is not None
        else None,
        rate_limits=[write_rate_limit(each) for each in record.rate_limits] or None,
        usage=write_usage(budget, usage, call.now) if budget is not None else None,
        expires_at=write_time_or_none(record.expires_at),
        last_reset_at=write_time_or_none(record.last_reset_at),
        tags=list(record.tags),
        source="database",
        created_at=write_time(record.created_at),
        last_updated_at=write_time(record.updated_at),
    )
    masked = (integration.masks.get(KEY) or integration.references.get(KEY)) if integration is not None else None
    return Shown(
        view=view,
        masked_key=masked,
        mappings=write_mappings(integration.secret_mappings) if integration is not None else [],
        workspace_name=workspace.name if workspace is not None else "",
    )


def _status(record: ProviderRecord, usage: Mapping[str, Usage], now: datetime) -> str:
    """Derive the state: nothing of it is stored, so raising a limit revives a provider at once."""
    if record.status == "disabled":
        return "disabled"
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    return "exhausted" if is_exhausted(record.usage_limits, usage) else "active"
