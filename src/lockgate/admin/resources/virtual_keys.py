"""``/virtual-keys``: the older view of providers. One that is made here has a hidden integration of its own.

Source: control-plane specification, sections 1.5 and 2.6.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.catalog import check_has_key, check_provider, refuse_slug
from lockgate.admin.credentials import (
    KeyText,
    MappingsBody,
    Settings,
    SettingsBody,
    has_key,
    read_key,
    read_mappings,
    read_settings,
)
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
from lockgate.admin.provider_views import VirtualKeyView, as_virtual_key
from lockgate.admin.slugs import Slug, make_slug
from lockgate.entities import Integration, ProviderRecord
from lockgate.entities.secret_fields import KEY
from lockgate.errors import InvalidRequest
from lockgate.store.transaction import Transaction

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Setting: TypeAlias = Annotated[str, Meta(max_length=20_000)]

_SETTINGS = (
    "api_version",
    "resource_name",
    "deployment_name",
    "aws_auth_type",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_region",
    "aws_role_arn",
    "aws_external_id",
    "vertex_auth_type",
    "vertex_project_id",
    "vertex_region",
    "vertex_service_account_json",
    "custom_host",
)
"""Settings that stand at the top of the body, each a text."""


class SettingsAtTop(Struct, frozen=True, kw_only=True):
    """Settings of the provider, where this API has them: at the top."""

    api_version: Setting | UnsetType | None = UNSET
    resource_name: Setting | UnsetType | None = UNSET
    deployment_name: Setting | UnsetType | None = UNSET
    deployment_config: list[dict[str, Any]] | UnsetType | None = UNSET
    aws_auth_type: Setting | UnsetType | None = UNSET
    aws_access_key_id: Setting | UnsetType | None = UNSET
    aws_secret_access_key: Setting | UnsetType | None = UNSET
    aws_region: Setting | UnsetType | None = UNSET
    aws_role_arn: Setting | UnsetType | None = UNSET
    aws_external_id: Setting | UnsetType | None = UNSET
    vertex_auth_type: Setting | UnsetType | None = UNSET
    vertex_project_id: Setting | UnsetType | None = UNSET
    vertex_region: Setting | UnsetType | None = UNSET
    vertex_service_account_json: Setting | dict[str, Any] | UnsetType | None = UNSET
    custom_host: Setting | UnsetType | None = UNSET
    custom_headers: dict[str, str] | UnsetType | None = UNSET
    model_config: SettingsBody | UnsetType | None = UNSET
    """Further settings by name."""


class VirtualKeyBody(SettingsAtTop, frozen=True, kw_only=True):
    """A virtual key to be made."""

    name: Name
    provider: Name
    """One of the names in the provider reference: ``anthropic``."""
    key: KeyText | None = None
    """The provider's credential."""
    slug: Slug | None = None
    note: Text | None = None
    workspace_id: str | None = None
    usage_limits: UsageLimitsBody | None = None
    rate_limits: RateLimitsBody | None = None
    expires_at: datetime | None = None
    secret_mappings: MappingsBody | None = None
    tags: Annotated[list[Name], Meta(max_length=50)] | None = None


class VirtualKeyPatch(SettingsAtTop, frozen=True, kw_only=True):
    """What changes: what is missing stays, null clears."""

    workspace_id: str | None = None
    name: Name | UnsetType = UNSET
    key: KeyText | UnsetType | None = UNSET
    note: Text | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    rate_limits: RateLimitsBody | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    reset_usage: bool | UnsetType | None = UNSET
    secret_mappings: MappingsBody | UnsetType | None = UNSET
    tags: Annotated[list[Name], Meta(max_length=50)] | UnsetType | None = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class SlugOnly(Struct, frozen=True, kw_only=True):
    """What older clients read."""

    slug: str


class VirtualKeyMade(Struct, frozen=True, kw_only=True):
    """A new or changed virtual key, in the words of newer and older clients."""

    id: str
    slug: str
    success: bool = True
    data: SlugOnly
    object: str = "virtual-key"


def create(call: Call[VirtualKeyBody, Nothing]) -> Answer:
    """Make a virtual key: a provider, and a hidden integration that holds its credential."""
    body = call.body
    check_provider(call, body.provider, "provider")
    check_end(call, body.expires_at)
    settings = read_key(call, body.key or UNSET, Settings())
    settings = read_settings(call, _settings(body), settings)
    with call.change() as tx:
        workspace = call.workspace(tx, body.workspace_id)
        mappings = read_mappings(call, body.secret_mappings or (), workspace.id)
        check_has_key(call, body.provider, has_key(settings, mappings))
        slug = body.slug or make_slug("", body.name)
        refuse_slug(call, workspace, slug)
        integration = tx.insert(
            Integration(
                name=body.name,
                slug=_free_slug(call, slug),
                provider=body.provider,
                workspace_id=workspace.id,
                configurations=settings.plain,
                references=settings.references,
                secret_mappings=mappings,
                is_hidden=True,
            ),
            secrets={field: secret for field, secret in settings.secrets.items() if secret is not None},
        )
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
                is_virtual_key=True,
            )
        )
    return _made(record)


def _free_slug(call: Call[Any, Any], slug: str) -> str:
    """Return a slug for the hidden integration, which shares a space with those of the whole organisation."""
    with call.services.directory.read() as view:
        taken = view.all(Integration, organisation_id=call.principal.organisation_id, slug=slug)
    return make_slug("", slug) if taken else slug


def _settings(body: SettingsAtTop) -> dict[str, Any]:
    """Return what is said of settings, by the names under which they are stored."""
    found: dict[str, Any] = {}
    if not isinstance(body.model_config, UnsetType):
        found |= body.model_config or {}
    for name in (*_SETTINGS, "deployment_config", "custom_headers"):
        value = getattr(body, name)
        if value is not UNSET:
            found[name] = value
    return found


def retrieve(call: Call[Nothing, PlaceQuery]) -> Answer:
    """Show a virtual key."""
    shown, version = find_shown(call, call.query.workspace_id)
    return Answer(body=as_virtual_key(shown), version=version)


def list_(call: Call[Nothing, ProvidersQuery]) -> Page[VirtualKeyView]:
    """List the virtual keys of a workspace: all of its providers."""
    found, total = find_page(call, call.query, call.query.workspace_id)
    return Page(total=total, data=[as_virtual_key(each) for each in found])


def update(call: Call[VirtualKeyPatch, PlaceQuery]) -> Answer:
    """Change a virtual key."""
    with call.change() as tx:
        record = find_own(call, tx, call.query.workspace_id or call.body.workspace_id)
        record = change(call, tx, record)
        _update_credential(call, tx, record)
    return _made(record)


def _update_credential(call: Call[VirtualKeyPatch, Any], tx: Transaction, record: ProviderRecord) -> None:
    """Change the hidden integration, when there is something to change in it."""
    body = call.body
    asked = _settings(body)
    if body.key in (UNSET, "") and isinstance(body.secret_mappings, UnsetType) and not asked:
        return
    integration = tx.get(Integration, record.integration_id)
    if not integration.is_hidden:
        raise InvalidRequest(
            f"key: @{record.slug} uses integration '{integration.slug}'; change its credential and settings there",
            path="key",
        )
    settings = Settings(plain=integration.configurations, references=integration.references)
    settings = read_settings(call, asked, settings)
    settings = read_key(call, body.key, settings)
    mappings = integration.secret_mappings
    if not isinstance(body.secret_mappings, UnsetType):
        mappings = read_mappings(call, body.secret_mappings or (), record.workspace_id)
    stored = KEY in integration.masks and KEY not in settings.secrets
    check_has_key(call, integration.provider, stored or has_key(settings, mappings))
    changed = msgspec.structs.replace(
        integration, configurations=settings.plain, references=settings.references, secret_mappings=mappings
    )
    tx.update(changed, secrets=settings.secrets)


def delete(call: Call[RemovalBody, RemovalQuery]) -> None:
    """Delete a virtual key; its credential is wiped."""
    with call.change() as tx:
        record = find_own(call, tx, call.query.workspace_id or call.body.workspace_id)
        remove(tx, record, call.expect(record), force=is_forced(call))


def _made(record: ProviderRecord) -> Answer:
    body = VirtualKeyMade(id=record.id, slug=record.slug, data=SlugOnly(slug=record.slug))
    return Answer(body=body, version=record.version)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/virtual-keys",
        access=needs("virtual_keys.create"),
        summary="Make a virtual key",
        body=VirtualKeyBody,
        reply=VirtualKeyMade,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path="/virtual-keys",
        access=needs("virtual_keys.list"),
        summary="List the virtual keys of a workspace",
        query=ProvidersQuery,
        reply=Page[VirtualKeyView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path="/virtual-keys/{slug}",
        access=needs("virtual_keys.read"),
        summary="Show a virtual key",
        query=PlaceQuery,
        reply=VirtualKeyView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path="/virtual-keys/{slug}",
        access=needs("virtual_keys.update"),
        summary="Change a virtual key",
        body=VirtualKeyPatch,
        query=PlaceQuery,
        reply=VirtualKeyMade,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path="/virtual-keys/{slug}",
        access=needs("virtual_keys.delete"),
        summary="Delete a virtual key",
        body=RemovalBody,
        query=RemovalQuery,
        handler=delete,
    ),
)
