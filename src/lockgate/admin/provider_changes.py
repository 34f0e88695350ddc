"""What the two views of a provider share: finding one or a page of them, changing one, removing one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, UnsetType

from lockgate.admin.call import Call
from lockgate.admin.catalog import declared_target, declared_targets, find_provider, refuse_slug
from lockgate.admin.changes import given
from lockgate.admin.limits import read_rate_limits, read_usage_limits, restarted
from lockgate.admin.paging import PageQuery, window
from lockgate.admin.provider_views import Shown, show, show_declared
from lockgate.entities import Integration, ProviderRecord
from lockgate.errors import InvalidRequest, NotFound
from lockgate.store.reading import Reading
from lockgate.store.transaction import Transaction


class PlaceQuery(Struct, frozen=True, kw_only=True):
    """Where the provider is."""

    workspace_id: str | None = None


class ProvidersQuery(PageQuery, frozen=True, kw_only=True):
    """Which providers."""

    workspace_id: str | None = None


class RemovalBody(Struct, frozen=True, kw_only=True):
    """How to delete."""

    workspace_id: str | None = None
    force_delete: bool = False
    """Whether to delete it though keys or policies name it."""


class RemovalQuery(Struct, frozen=True, kw_only=True):
    """The same in the query."""

    workspace_id: str | None = None
    force_delete: bool = False


def find_shown(call: Call[Any, Any], workspace_name: str | None) -> tuple[Shown, int | None]:
    """Return what the path names as it is shown, and the version that it is at."""
    slug = call.parameters["slug"].removeprefix("@")
    with call.view() as view:
        workspace = call.workspace(view, workspace_name)
        target = declared_target(call, workspace, slug)
        if target is not None:
            return show_declared(call, target, workspace), None
        record = find_provider(call, view, workspace_name)
        return show(call, view, [record])[0], record.version


def find_page(call: Call[Any, Any], query: PageQuery, workspace_name: str | None) -> tuple[Sequence[Shown], int]:
    """Return one page of a workspace's providers as they are shown, and how many there are."""
    page = window(query, default=50)
    with call.view() as view:
        workspace = call.workspace(view, workspace_name)
        declared = declared_targets(call, workspace)
        stored = [
            each
            for each in view.all(ProviderRecord, workspace_id=workspace.id)
            if all(each.slug != target.slug for target in declared)
        ]
        first = page.number * page.size
        some = [show_declared(call, target, workspace) for target in declared[first : first + page.size]]
        start = max(0, first - len(declared))
        shown = show(call, view, stored[start : start + page.size - len(some)])
    return [*some, *shown], len(declared) + len(stored)


def find_own(call: Call[Any, Any], view: Reading, workspace_name: str | None) -> ProviderRecord:
    """Return the provider that the path names, to change it. Raises Conflict when a file declares it."""
    workspace = call.workspace(view, workspace_name)
    slug = call.parameters["slug"].removeprefix("@")
    refuse_slug(call, workspace, slug)
    if declared_target(call, workspace, slug) is not None:
        raise NotFound(f"@{slug} is a stand-in of the simulator, which nobody stored", path="slug")
    return find_provider(call, view, workspace_name)


def change(call: Call[Any, Any], tx: Transaction, record: ProviderRecord) -> ProviderRecord:
    """Store what a partial update says of a provider."""
    body = call.body
    version = call.expect(record)
    usage, rates = record.usage_limits, record.rate_limits
    if not isinstance(body.usage_limits, UnsetType):
        usage = read_usage_limits(body.usage_limits, usage, path="usage_limits", today=call.now.date(), most=1)
    if not isinstance(body.rate_limits, UnsetType):
        rates = read_rate_limits(body.rate_limits, rates, path="rate_limits")
    if isinstance(body.expires_at, datetime):
        check_end(call, body.expires_at)
    is_reset = body.reset_usage is True
    changed = msgspec.structs.replace(
        record,
        name=given(body.name, record.name),
        note=given(body.note, record.note),
        status=given(body.status, record.status),
        usage_limits=restarted(usage, call.now) if is_reset else usage,
        rate_limits=rates,
        expires_at=given(body.expires_at, record.expires_at),
        last_reset_at=call.now if is_reset else record.last_reset_at,
        tags=record.tags if isinstance(body.tags, UnsetType) else tuple(body.tags or ()),
    )
    return tx.update(changed, expected_version=version, action="reset" if is_reset else "update")


def remove(tx: Transaction, record: ProviderRecord, version: int, *, force: bool) -> None:
    """Archive a provider; with a virtual key its hidden integration goes too."""
    tx.archive(record, force=force, expected_version=version)
    if record.is_virtual_key:
        integration = tx.find(Integration, record.integration_id)
        if integration is not None and integration.is_hidden:
            tx.archive(integration, force=True)


def is_forced(call: Call[RemovalBody, RemovalQuery]) -> bool:
    """Tell whether a thing shall be deleted though others name it."""
    return call.body.force_delete or call.query.force_delete


def check_end(call: Call[Any, Any], end: datetime | None) -> None:
    """Refuse an end in the past. Raises InvalidRequest."""
    if end is not None and end <= call.now:
        raise InvalidRequest("expires_at: must be in the future", path="expires_at")
