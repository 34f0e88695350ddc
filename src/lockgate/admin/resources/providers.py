"""``/providers``: what ``@slug`` names in a workspace: an integration, with limits and an end of its own.

Source: control-plane specification, sections 1.5 and 2.6.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.catalog import refuse_slug
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.limits import RateLimitsBody, UsageLimitsBody, read_rate_limits, read_usage_limits
from lockgate.admin.paging import Page
from lockgate.admin.provider_changes import (
    PlaceQuery,
    ProvidersQuery,
    RemovalBody,
    RemovalQuery,
    change,
    check_end,
    find_own,
    find_page,
    find_shown,
    is_forced,
    remove,
)
from lockgate.admin.provider_views import ProviderView
from lockgate.admin.slugs import Slug, make_slug
from lockgate.entities import Integration, ProviderRecord, Workspace, WorkspaceAccess
from lockgate.errors import InvalidRequest
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Tags: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=50)]


class ProviderBody(Struct, frozen=True, kw_only=True):
    """A provider to be made."""

    name: Name
    integration_id: Name
    """The integration's slug or id."""
    workspace_id: str | None = None
    slug: Slug | None = None
    note: Text | None = None
    usage_limits: UsageLimitsBody | None = None
    rate_limits: RateLimitsBody | None = None
    expires_at: datetime | None = None
    tags: Tags | None = None


class ProviderPatch(Struct, frozen=True, kw_only=True):
    """What changes: what is missing stays, null clears."""

    workspace_id: str | None = None
    """Where it is; it stays there."""
    name: Name | UnsetType = UNSET
    note: Text | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    rate_limits: RateLimitsBody | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    reset_usage: bool | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class ProviderMade(Struct, frozen=True, kw_only=True):
    """A new or changed provider."""

    id: str
    slug: str
    object: str = "provider"


def create(call: Call[ProviderBody, Nothing]) -> Answer:
    """Make a provider on an integration that the workspace may use."""
    body = call.body
    check_end(call, body.expires_at)
    with call.change() as tx:
        workspace = call.workspace(tx, body.workspace_id)
        integration = _integration(tx, workspace, body.integration_id)
        slug = body.slug or make_slug("", body.name)
        refuse_slug(call, workspace, slug)
        record = tx.insert(
            ProviderRecord(
                workspace_id=workspace.id,
                integration_id=integration.id,
                slug=slug,
                name=body.name,
                note=body.note,
                usage_limits=read_usage_limits(
                    body.usage_limits, (), path="usage_limits", today=call.now.date(), most=1
                ),
                rate_limits=read_rate_limits(body.rate_limits, (), path="rate_limits"),
                expires_at=body.expires_at,
                tags=tuple(body.tags or ()),
            )
        )
    return Answer(body=ProviderMade(id=record.id, slug=record.slug), version=record.version)


def _integration(view: Reading, workspace: Workspace, name: str) -> Integration:
    """Return an integration that a workspace may use. Raises InvalidRequest."""
    integration = view.find(Integration, name)
    if integration is not None and integration.workspace_id == workspace.id:
        return integration
    if integration is None or integration.workspace_id is not None:
        raise InvalidRequest(
            f"integration_id: workspace '{workspace.slug}' has no integration {name[:64]!r}", path="integration_id"
        )
    access = view.all(WorkspaceAccess, integration_id=integration.id, workspace_id=workspace.id)
    if not access or not access[0].is_enabled:
        raise InvalidRequest(
            f"integration_id: workspace '{workspace.slug}' has no access to integration '{integration.slug}'; "
            f"give it with PUT /integrations/{integration.slug}/workspaces",
            path="integration_id",
        )
    return integration


def retrieve(call: Call[Nothing, PlaceQuery]) -> Answer:
    """Show a provider."""
    shown, version = find_shown(call, call.query.workspace_id)
    return Answer(body=shown.view, version=version)


def list_(call: Call[Nothing, ProvidersQuery]) -> Page[ProviderView]:
    """List the providers of a workspace; those that a file or the environment declares come first."""
    found, total = find_page(call, call.query, call.query.workspace_id)
    return Page(total=total, data=[each.view for each in found])


def update(call: Call[ProviderPatch, PlaceQuery]) -> Answer:
    """Change a provider; its slug, workspace and integration stay."""
    with call.change() as tx:
        record = find_own(call, tx, call.query.workspace_id or call.body.workspace_id)
        record = change(call, tx, record)
    return Answer(body=ProviderMade(id=record.id, slug=record.slug), version=record.version)


def delete(call: Call[RemovalBody, RemovalQuery]) -> None:
    """Delete a provider; its slug can be used again."""
    with call.change() as tx:
        record = find_own(call, tx, call.query.workspace_id or call.body.workspace_id)
        remove(tx, record, call.expect(record), force=is_forced(call))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/providers",
        access=needs("providers.create"),
        summary="Make a provider",
        body=ProviderBody,
        reply=ProviderMade,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path="/providers",
        access=needs("providers.list"),
        summary="List the providers of a workspace",
        query=ProvidersQuery,
        reply=Page[ProviderView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path="/providers/{slug}",
        access=needs("providers.read"),
        summary="Show a provider and how far its budget is used",
        query=PlaceQuery,
        reply=ProviderView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path="/providers/{slug}",
        access=needs("providers.update"),
        summary="Change a provider",
        body=ProviderPatch,
        query=PlaceQuery,
        reply=ProviderMade,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path="/providers/{slug}",
        access=needs("providers.delete"),
        summary="Delete a provider",
        body=RemovalBody,
        query=RemovalQuery,
        handler=delete,
    ),
)
