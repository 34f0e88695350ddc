"""Giving a workspace an integration of the organisation: the access, and a provider by which it is used."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.entities import Integration, ProviderRecord, RateLimit, UsageLimit, Workspace, WorkspaceAccess
from lockgate.errors import Conflict
from lockgate.store.transaction import Transaction


def share_globally(tx: Transaction, workspace: Workspace) -> None:
    """Give a new workspace every integration that is meant for all of them."""
    for integration in tx.all(Integration, workspace_id=None, is_hidden=False):
        access = integration.global_access
        if not access.is_enabled:
            continue
        tx.insert(
            WorkspaceAccess(
                organisation_id=workspace.organisation_id,
                integration_id=integration.id,
                workspace_id=workspace.id,
                usage_limits=_own_usage(access.usage_limits),
                rate_limits=_own_rates(access.rate_limits),
            )
        )
        make_provider(tx, integration, workspace, integration.slug)


def make_provider(tx: Transaction, integration: Integration, workspace: Workspace, slug: str) -> ProviderRecord:
    """Make the provider by which a workspace uses an integration. Raises Conflict when the slug is taken there."""
    if tx.find(ProviderRecord, slug, workspace_id=workspace.id) is not None:
        raise Conflict(
            f"There is a provider @{slug} in workspace '{workspace.slug}'; choose another default_provider_slug",
            path="default_provider_slug",
        )
    return tx.insert(
        ProviderRecord(
            organisation_id=workspace.organisation_id,
            workspace_id=workspace.id,
            integration_id=integration.id,
            slug=slug,
            name=slug,
            note="auto-created with workspace access",
        )
    )


def _own_usage(limits: Sequence[UsageLimit]) -> tuple[UsageLimit, ...]:
    """Return limits that count for one workspace: each gets a counter of its own."""
    return tuple(msgspec.structs.replace(limit, id="") for limit in limits)


def _own_rates(limits: Sequence[RateLimit]) -> tuple[RateLimit, ...]:
    return tuple(msgspec.structs.replace(limit, id="") for limit in limits)
