"""``/integrations``: credentials for providers, of the organisation or of one workspace. A credential is never shown.

Source: control-plane specification, sections 1.5 and 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from lockgate.admin.call import Call
from lockgate.admin.catalog import (
    MOUNTS,
    check_has_key,
    check_provider,
    find_integration,
    level_access,
    refuse_slug,
)
from lockgate.admin.changes import given
from lockgate.admin.credentials import (
    KeyText,
    MappingsBody,
    MappingView,
    Settings,
    SettingsBody,
    has_key,
    read_key,
    read_mappings,
    read_settings,
    write_mappings,
    write_settings,
)
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
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.provider_changes import RemovalBody, RemovalQuery, is_forced
from lockgate.admin.sharing import make_provider
from lockgate.admin.slugs import Slug, make_slug, slugified
from lockgate.admin.times import write_time
from lockgate.catalog.prices_terms import read_multipliers
from lockgate.core.limits import Usage
from lockgate.entities import (
    NULL,
    Integration,
    Scope,
    Workspace,
    WorkspaceAccess,
)
from lockgate.entities.secret_fields import KEY
from lockgate.errors import InvalidRequest
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Setting: TypeAlias = Annotated[str, Meta(max_length=20_000)]
Tags: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=50)]


_AT_TOP = ("custom_host", "custom_headers")
"""Settings that may stand at the top of the body, where virtual keys have them."""


class IntegrationBody(Struct, frozen=True, kw_only=True):
    """An integration to be made."""

    name: Name | None = None
    slug: Slug | None = None
    ai_provider_id: Name
    """One of the names in the provider reference: ``anthropic``."""
    workspace_id: str | None = None
    """A workspace whose own it is; left out by an organisation's key: the organisation's."""
    description: Text | None = None
    key: KeyText | None = None
    """The credential; ``env:NAME`` or ``file:PATH`` from who may make secret references."""
    configurations: SettingsBody | None = None
    custom_host: Setting | None = None
    """The same as in ``configurations``, which beats it: where the provider is reached, when not at its usual place."""
    custom_headers: dict[str, str] | None = None
    """The same as in ``configurations``, which beats it: headers that go with each request."""
    secret_mappings: MappingsBody | None = None
    pricing_adjustments: dict[str, Any] | None = None
    tags: Tags | None = None
    usage_limits: UsageLimitsBody | None = None
    """Over all workspaces together."""
    rate_limits: RateLimitsBody | None = None
    create_default_provider: bool | None = None
    """Whether the workspace that it is for gets a provider at once; true when left out."""
    default_provider_slug: Slug | None = None
    """The slug of that provider; the integration's when left out."""


class IntegrationPatch(Struct, frozen=True, kw_only=True):
    """What changes: what is missing stays, null clears; ``configurations`` are merged by name."""

    name: Name | UnsetType = UNSET
    ai_provider_id: Name | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    key: KeyText | UnsetType | None = UNSET
    configurations: SettingsBody | UnsetType | None = UNSET
    custom_host: Setting | UnsetType | None = UNSET
    """The same as in ``configurations``, which beats it."""
    custom_headers: dict[str, str] | UnsetType | None = UNSET
    secret_mappings: MappingsBody | UnsetType | None = UNSET
    pricing_adjustments: dict[str, Any] | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    rate_limits: RateLimitsBody | UnsetType | None = UNSET
    reset_usage: bool | UnsetType | None = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class IntegrationQuery(PageQuery, frozen=True, kw_only=True):
    """Which integrations."""

    workspace_id: str | None = None
    """Those that this workspace may use."""
    type: Literal["workspace", "organisation", "all"] | None = None


class IntegrationMade(Struct, frozen=True, kw_only=True):
    """A new integration."""

    id: str
    slug: str
    object: str = "integration"


class EnabledView(Struct, frozen=True, kw_only=True):
    """Whether workspaces that are made later get access."""

    enabled: bool


class IntegrationView(Struct, frozen=True, kw_only=True):
    """An integration without its secrets."""

    id: str
    slug: str
    name: str
    description: str | None
    ai_provider_id: str
    organisation_id: str
    workspace_id: str | None
    type: str
    status: str
    masked_key: str | None
    key_reference: str | None
    """Where the credential is read, when it is not stored."""
    configurations: dict[str, Any]
    secret_mappings: list[MappingView]
    pricing_adjustments: Raw
    allow_all_models: bool
    workspace_count: int
    global_workspace_access: GlobalAccessView
    global_workspace_access_settings: EnabledView
    usage_limits: list[UsageLimitView]
    rate_limits: list[RateLimitView]
    usage: list[UsageView]
    tags: list[str]
    owner_id: str | None
    created_at: str
    last_updated_at: str
    object: str = "integration"


# ---- making


def create(call: Call[IntegrationBody, Nothing]) -> Answer:
    """Make an integration; one of a workspace gets a provider there."""
    body = call.body
    check_provider(call, body.ai_provider_id)
    settings = _settings(call, body)
    with call.change() as tx:
        workspace = _workspace(call, tx, body.workspace_id)
        call.require(f"{'workspace' if workspace else 'organisation'}_integrations.create")
        mappings = read_mappings(call, body.secret_mappings or (), workspace.id if workspace else None)
        check_has_key(call, body.ai_provider_id, has_key(settings, mappings))
        name = body.name or body.slug or body.ai_provider_id
        integration = tx.insert(
            Integration(
                name=name,
                slug=body.slug or _free_slug(tx, name),
                provider=body.ai_provider_id,
                workspace_id=workspace.id if workspace else None,
                description=body.description,
                configurations=settings.plain,
                references=settings.references,
                secret_mappings=mappings,
                pricing_adjustments=_adjustments(body.pricing_adjustments),
                tags=tuple(body.tags or ()),
                usage_limits=read_usage_limits(body.usage_limits, (), path="usage_limits", today=call.now.date()),
                rate_limits=read_rate_limits(body.rate_limits, (), path="rate_limits"),
            ),
            secrets={field: secret for field, secret in settings.secrets.items() if secret is not None},
        )
        if workspace is not None and body.create_default_provider is not False:
            slug = body.default_provider_slug or integration.slug
            refuse_slug(call, workspace, slug)
            make_provider(tx, integration, workspace, slug)
    if workspace is None:
        call.warnings.append(
            "No workspace may use this integration yet, so it has no provider; give access with "
            f"PUT /v1/integrations/{integration.slug}/workspaces"
        )
    return Answer(body=IntegrationMade(id=integration.id, slug=integration.slug), version=integration.version)


def _workspace(call: Call[Any, Any], view: Reading, asked: str | None) -> Workspace | None:
    """Return whose integration it shall be; None: the organisation's."""
    if asked is None and call.principal.is_organisations:
        return None
    return call.workspace(view, asked)


def _settings(call: Call[Any, Any], body: IntegrationBody) -> Settings:
    settings = read_key(call, body.key or UNSET, Settings())
    at_top = {name: value for name in _AT_TOP if (value := getattr(body, name)) is not None}
    return read_settings(call, at_top | (body.configurations or {}), settings)


def _free_slug(view: Reading, name: str) -> str:
    """Return the name as a slug where that is free, else one with random digits."""
    slug = slugified(name)[:200]
    return slug if slug and view.find(Integration, slug) is None else make_slug("", name)


def _adjustments(asked: Mapping[str, Any] | None) -> Raw:
    """Check price multipliers. Raises InvalidRequest."""
    if not asked:
        return NULL
    raw = msgspec.json.encode(asked)
    try:
        read_multipliers(raw)
    except ValueError as error:
        raise InvalidRequest(str(error), path=str(error).partition(":")[0]) from None
    return Raw(raw)


# ---- reading


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show an integration."""
    with call.view() as view:
        integration = find_integration(call, view, "read")
        counts = _workspace_counts(view, [integration])
    return Answer(body=_views(call, [integration], counts)[0], version=integration.version)


def list_(call: Call[Nothing, IntegrationQuery]) -> Page[IntegrationView]:
    """List the integrations that the caller may see, but for those of virtual keys."""
    query, page = call.query, window(call.query)
    scope = call.principal.scope
    if query.workspace_id is not None:
        with call.view() as view:
            workspace = call.workspace(view, query.workspace_id)
        scope = Scope(organisation_id=scope.organisation_id, workspace_id=workspace.id)
    filters: dict[str, Any] = {"is_hidden": False}
    with call.services.directory.read(scope) as view:
        if query.type == "organisation":
            filters["workspace_id"] = None
        elif query.type == "workspace":
            filters["workspace_id"] = scope.workspace_id or [each.id for each in view.all(Workspace)]
        found = view.page(Integration, page=page.number, size=page.size, **filters)
        counts = _workspace_counts(view, found.items)
    return Page(total=found.total, data=_views(call, found.items, counts))


def _workspace_counts(view: Reading, integrations: Sequence[Integration]) -> Mapping[str, int]:
    counts = {each.id: 0 if each.workspace_id is None else 1 for each in integrations}
    shared = [each.id for each in integrations if each.workspace_id is None]
    for access in view.all(WorkspaceAccess, integration_id=shared, is_enabled=True):
        counts[access.integration_id] += 1
    return counts


# ---- changing


def update(call: Call[IntegrationPatch, Nothing]) -> Answer:
    """Change an integration: its providers use a new credential at once. Provider, level and slug stay."""
    body = call.body
    with call.change() as tx:
        integration = find_integration(call, tx, "update")
        version = call.expect(integration)
        changed, settings = patched(call, integration)
        is_reset = body.reset_usage is True
        integration = tx.update(
            changed, secrets=settings.secrets, expected_version=version, action="reset" if is_reset else "update"
        )
    return Answer(body=Nothing(), version=integration.version)


def patched(call: Call[IntegrationPatch, Any], integration: Integration) -> tuple[Integration, Settings]:
    """Return the integration as a partial update leaves it, and what changes among its secrets."""
    body = call.body
    if body.ai_provider_id not in (UNSET, None, integration.provider):
        raise InvalidRequest("ai_provider_id: cannot be changed; make another integration", path="ai_provider_id")
    settings = Settings(plain=integration.configurations, references=integration.references)
    at_top = {name: value for name in _AT_TOP if not isinstance(value := getattr(body, name), UnsetType)}
    if body.configurations is None:
        settings = _cleared(integration, settings)
    if at_top:
        settings = read_settings(call, at_top, settings)
    if isinstance(body.configurations, dict):
        settings = read_settings(call, body.configurations, settings)
    settings = read_key(call, body.key, settings)
    mappings = integration.secret_mappings
    if not isinstance(body.secret_mappings, UnsetType):
        mappings = read_mappings(call, body.secret_mappings or (), integration.workspace_id)
    stored = KEY in integration.masks and KEY not in settings.secrets
    check_has_key(call, integration.provider, stored or has_key(settings, mappings))
    usage, rates = integration.usage_limits, integration.rate_limits
    if not isinstance(body.usage_limits, UnsetType):
        usage = read_usage_limits(body.usage_limits, usage, path="usage_limits", today=call.now.date())
    if not isinstance(body.rate_limits, UnsetType):
        rates = read_rate_limits(body.rate_limits, rates, path="rate_limits")
    adjustments = integration.pricing_adjustments
    if not isinstance(body.pricing_adjustments, UnsetType):
        adjustments = _adjustments(body.pricing_adjustments)
    changed = msgspec.structs.replace(
        integration,
        name=given(body.name, integration.name),
        description=given(body.description, integration.description),
        status=given(body.status, integration.status),
        configurations=settings.plain,
        references=settings.references,
        secret_mappings=mappings,
        pricing_adjustments=adjustments,
        tags=integration.tags if isinstance(body.tags, UnsetType) else tuple(body.tags or ()),
        usage_limits=restarted(usage, call.now) if body.reset_usage is True else usage,
        rate_limits=rates,
    )
    return changed, settings


def _cleared(integration: Integration, settings: Settings) -> Settings:
    """Return settings without any but the credential."""
    references = {field: each for field, each in settings.references.items() if field == KEY}
    secrets = {field: None for field in integration.masks if field != KEY}
    return Settings(references=references, secrets=secrets)


def delete(call: Call[RemovalBody, RemovalQuery]) -> None:
    """Delete an integration with its providers; its credential is wiped."""
    with call.change() as tx:
        integration = find_integration(call, tx, "delete")
        version = call.expect(integration)
        tx.archive(integration, force=is_forced(call), expected_version=version)


# ---- showing


def _views(
    call: Call[Any, Any], integrations: Sequence[Integration], counts: Mapping[str, int]
) -> list[IntegrationView]:
    claims = [
        claim
        for each in integrations
        for claim in budget_claims(each.usage_limits, scope="integration", created_at=each.created_at)
    ]
    usage = call.usage(claims)
    return [_view(call, each, usage, counts[each.id]) for each in integrations]


def _view(call: Call[Any, Any], integration: Integration, usage: Mapping[str, Usage], count: int) -> IntegrationView:
    used = (write_usage(limit, usage, call.now) for limit in integration.usage_limits)
    return IntegrationView(
        id=integration.id,
        slug=integration.slug,
        name=integration.name,
        description=integration.description,
        ai_provider_id=integration.provider,
        organisation_id=integration.organisation_id,
        workspace_id=integration.workspace_id,
        type="organisation" if integration.workspace_id is None else "workspace",
        status=integration.status,
        masked_key=integration.masks.get(KEY),
        key_reference=integration.references.get(KEY),
        configurations=write_settings(integration.configurations, integration.references, integration.masks),
        secret_mappings=write_mappings(integration.secret_mappings),
        pricing_adjustments=integration.pricing_adjustments,
        allow_all_models=integration.allow_all_models,
        workspace_count=count,
        global_workspace_access=write_global(call, integration),
        global_workspace_access_settings=EnabledView(enabled=integration.global_access.is_enabled),
        usage_limits=[
            write_usage_limit(limit, scope="integration", created_at=integration.created_at, now=call.now)
            for limit in integration.usage_limits
        ],
        rate_limits=[write_rate_limit(limit) for limit in integration.rate_limits],
        usage=[each for each in used if each is not None],
        tags=list(integration.tags),
        owner_id=integration.created_by,
        created_at=write_time(integration.created_at),
        last_updated_at=write_time(integration.updated_at),
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/integrations",
        access=level_access("create"),
        summary="Make an integration",
        body=IntegrationBody,
        reply=IntegrationMade,
        handler=create,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="GET",
        path="/integrations",
        access=level_access("list"),
        summary="List integrations",
        query=IntegrationQuery,
        reply=Page[IntegrationView],
        handler=list_,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="GET",
        path="/integrations/{slug}",
        access=level_access("read"),
        summary="Show an integration",
        reply=IntegrationView,
        handler=retrieve,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="PUT",
        path="/integrations/{slug}",
        access=level_access("update"),
        summary="Change an integration",
        body=IntegrationPatch,
        handler=update,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="DELETE",
        path="/integrations/{slug}",
        access=level_access("delete"),
        summary="Delete an integration and its providers",
        body=RemovalBody,
        query=RemovalQuery,
        handler=delete,
        mounts=MOUNTS,
    ),
)
