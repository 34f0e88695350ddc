"""``/integrations/{slug}/workspaces``: which workspaces may use an integration of the organisation, and how much.

Source: control-plane specification, section 2.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.call import Call
from lockgate.admin.catalog import MOUNTS, find_integration, level_access, refuse_slug
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.global_access import GlobalAccessView, write_global
from lockgate.admin.limits import (
    RateLimitsBody,
    RateLimitView,
    UsageLimitsBody,
    UsageLimitView,
    UsageView,
    budget_claims,
    read_rate_limits,
    read_usage_limits,
    restarted,
    write_rate_limit,
    write_usage,
    write_usage_limit,
)
from lockgate.admin.sharing import make_provider
from lockgate.admin.slugs import Slug
from lockgate.admin.times import write_time
from lockgate.core.limits import Usage
from lockgate.entities import GlobalAccess, Integration, ProviderRecord, Workspace, WorkspaceAccess
from lockgate.errors import Conflict, InvalidRequest
from lockgate.store.reading import Reading
from lockgate.store.transaction import Transaction


class AccessBody(Struct, frozen=True, kw_only=True):
    """What one workspace may: what is missing stays, null clears."""

    id: Annotated[str, Meta(min_length=1, max_length=255)]
    """The workspace, by id or slug."""
    enabled: bool | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    """Over all providers of the workspace that use the integration."""
    rate_limits: RateLimitsBody | UnsetType | None = UNSET
    reset_usage: bool | UnsetType | None = UNSET
    create_default_provider: bool | UnsetType | None = UNSET
    default_provider_slug: Slug | UnsetType | None = UNSET


class GlobalAccessBody(Struct, frozen=True, kw_only=True):
    """What workspaces that are made later get."""

    enabled: bool | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    rate_limits: RateLimitsBody | UnsetType | None = UNSET


_Asked: TypeAlias = tuple[str, AccessBody]
"""Where it stands in the body, and what it is."""
AccessesBody: TypeAlias = Annotated[list[AccessBody], Meta(max_length=1000)]


class WorkspacesPatch(Struct, frozen=True, kw_only=True):
    """What changes. Workspaces that are not listed stay as they are."""

    workspaces: AccessesBody | None = None
    global_workspace_access: GlobalAccessBody | UnsetType | None = UNSET
    override_existing_workspace_access: bool | None = None
    """Whether ``global_workspace_access`` holds for the workspaces that there are as well."""
    create_default_provider: bool | None = None
    """Whether a workspace that gets access gets a provider; true when left out."""
    default_provider_slug: Slug | None = None
    """The slug of that provider; the integration's when left out."""


class AccessView(Struct, frozen=True, kw_only=True):
    """What one workspace may."""

    id: str
    slug: str
    name: str
    enabled: bool
    usage_limits: list[UsageLimitView]
    rate_limits: list[RateLimitView]
    usage: list[UsageView]
    created_at: str
    last_updated_at: str


class WorkspacesView(Struct, frozen=True, kw_only=True):
    """What all workspaces may."""

    total: int
    workspaces: list[AccessView]
    global_workspace_access: GlobalAccessView
    object: str = "list"


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """List the workspaces that have access, or had."""
    with call.view() as view:
        integration = find_integration(call, view, "read")
        accesses = view.all(WorkspaceAccess, integration_id=integration.id)
        workspaces = {each.id: each for each in view.all(Workspace, id=[one.workspace_id for one in accesses])}
    found = [each for each in accesses if each.workspace_id in workspaces]
    return Answer(
        body=WorkspacesView(
            total=len(found),
            workspaces=_views(call, found, workspaces),
            global_workspace_access=write_global(call, integration),
        ),
        version=integration.version,
    )


def update(call: Call[WorkspacesPatch, Nothing]) -> Answer:
    """Give workspaces access, change their limits, or take access away."""
    body = call.body
    with call.change() as tx:
        integration = find_integration(call, tx, "update")
        if integration.workspace_id is not None:
            raise Conflict(f"Integration '{integration.slug}' belongs to one workspace and cannot be shared")
        version = call.expect(integration)
        if body.global_workspace_access is not UNSET:
            access = _global(call, integration.global_access, body.global_workspace_access)
            changed = msgspec.structs.replace(integration, global_access=access)
            integration = tx.update(changed, expected_version=version)
        for path, each in _asked(call, tx, integration):
            _set(call, tx, integration, each, path)
    return Answer(body=Nothing(), version=integration.version)


def _asked(call: Call[WorkspacesPatch, Any], view: Reading, integration: Integration) -> Iterator[_Asked]:
    """Return what is asked for each workspace, each once: what is listed goes before what holds for all."""
    body = call.body
    listed: set[str] = set()
    for i, each in enumerate(body.workspaces or ()):
        path = f"workspaces[{i}]"
        workspace = call.workspace(view, each.id, f"{path}.id")
        if workspace.id in listed:
            raise InvalidRequest(f"{path}.id: {each.id} is listed twice; say it once", path=f"{path}.id")
        listed.add(workspace.id)
        yield path, msgspec.structs.replace(each, id=workspace.id)
    given = body.global_workspace_access
    if body.override_existing_workspace_access is not True or not isinstance(given, GlobalAccessBody):
        return
    for workspace in view.all(Workspace):
        if workspace.id not in listed:
            yield (
                "global_workspace_access",
                AccessBody(
                    id=workspace.id,
                    enabled=integration.global_access.is_enabled,
                    usage_limits=given.usage_limits,
                    rate_limits=given.rate_limits,
                ),
            )


def _set(
    call: Call[WorkspacesPatch, Any], tx: Transaction, integration: Integration, asked: AccessBody, path: str
) -> None:
    workspace = tx.get(Workspace, asked.id)
    found = tx.all(WorkspaceAccess, integration_id=integration.id, workspace_id=workspace.id)
    had = bool(found) and found[0].is_enabled
    wants = asked.enabled is not False if not found or isinstance(asked.enabled, bool) else found[0].is_enabled
    access = found[0] if found else WorkspaceAccess(integration_id=integration.id, workspace_id=workspace.id)
    changed = msgspec.structs.replace(_limited(call, access, asked, path), is_enabled=wants)
    if found:
        tx.update(changed, action="reset" if asked.reset_usage is True else "update")
    elif wants:
        tx.insert(changed)
    if wants and not had and _makes_provider(call.body, asked):
        _provide(call, tx, integration, workspace, asked)


def _provide(
    call: Call[WorkspacesPatch, Any], tx: Transaction, integration: Integration, workspace: Workspace, asked: AccessBody
) -> None:
    """Make the provider of a workspace that has just got access, unless it has one from before."""
    if tx.count(ProviderRecord, integration_id=integration.id, workspace_id=workspace.id):
        return
    own = asked.default_provider_slug
    slug = (own if isinstance(own, str) else None) or call.body.default_provider_slug or integration.slug
    refuse_slug(call, workspace, slug)
    make_provider(tx, integration, workspace, slug)


def _makes_provider(body: WorkspacesPatch, asked: AccessBody) -> bool:
    own = asked.create_default_provider
    return own if isinstance(own, bool) else body.create_default_provider is not False


def _limited(call: Call[Any, Any], access: WorkspaceAccess, asked: AccessBody, path: str) -> WorkspaceAccess:
    usage, rates = access.usage_limits, access.rate_limits
    if not isinstance(asked.usage_limits, UnsetType):
        usage = read_usage_limits(asked.usage_limits, usage, path=f"{path}.usage_limits", today=call.now.date())
    if not isinstance(asked.rate_limits, UnsetType):
        rates = read_rate_limits(asked.rate_limits, rates, path=f"{path}.rate_limits")
    if asked.reset_usage is True:
        usage = restarted(usage, call.now)
    return msgspec.structs.replace(access, usage_limits=usage, rate_limits=rates)


def _global(call: Call[Any, Any], old: GlobalAccess, asked: GlobalAccessBody | UnsetType | None) -> GlobalAccess:
    if asked is None or isinstance(asked, UnsetType):
        return GlobalAccess()
    usage, rates = old.usage_limits, old.rate_limits
    path = "global_workspace_access"
    if not isinstance(asked.usage_limits, UnsetType):
        usage = read_usage_limits(asked.usage_limits, usage, path=f"{path}.usage_limits", today=call.now.date())
    if not isinstance(asked.rate_limits, UnsetType):
        rates = read_rate_limits(asked.rate_limits, rates, path=f"{path}.rate_limits")
    is_enabled = asked.enabled if isinstance(asked.enabled, bool) else old.is_enabled
    return GlobalAccess(is_enabled=is_enabled, usage_limits=usage, rate_limits=rates)


def _views(
    call: Call[Any, Any], accesses: Sequence[WorkspaceAccess], workspaces: Mapping[str, Workspace]
) -> list[AccessView]:
    claims = [
        claim
        for each in accesses
        for claim in budget_claims(each.usage_limits, scope="integration", created_at=each.created_at)
    ]
    usage = call.usage(claims)
    return [_view(call, each, workspaces[each.workspace_id], usage) for each in accesses]


def _view(
    call: Call[Any, Any], access: WorkspaceAccess, workspace: Workspace, usage: Mapping[str, Usage]
) -> AccessView:
    used = (write_usage(limit, usage, call.now) for limit in access.usage_limits)
    return AccessView(
        id=workspace.id,
        slug=workspace.slug,
        name=workspace.name,
        enabled=access.is_enabled,
        usage_limits=[
            write_usage_limit(limit, scope="integration", created_at=access.created_at, now=call.now)
            for limit in access.usage_limits
        ],
        rate_limits=[write_rate_limit(limit) for limit in access.rate_limits],
        usage=[each for each in used if each is not None],
        created_at=write_time(access.created_at),
        last_updated_at=write_time(access.updated_at),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/integrations/{slug}/workspaces",
        access=level_access("read"),
        summary="Show which workspaces may use an integration, and how much",
        reply=WorkspacesView,
        handler=retrieve,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="PUT",
        path="/integrations/{slug}/workspaces",
        access=level_access("update"),
        summary="Change which workspaces may use an integration, and how much",
        body=WorkspacesPatch,
        handler=update,
        mounts=MOUNTS,
    ),
)
