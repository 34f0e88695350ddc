"""``/admin/workspaces``: the teams' parts of the organisation. What is inside one is not seen from another.

Source: control-plane specification, sections 1.9 and 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
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
from lockgate.admin.metadata import MetadataBody, completed, write_metadata
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.recording import RecordingBody, read_recording, write_recording
from lockgate.admin.roles import SWITCHES, all_switches
from lockgate.admin.sharing import share_globally
from lockgate.admin.slugs import Slug, make_slug
from lockgate.admin.times import write_time, write_time_or_none
from lockgate.core.limits import Usage
from lockgate.entities import (
    Member,
    Organisation,
    UsageLimit,
    User,
    Workspace,
    WorkspaceDefaults,
)
from lockgate.errors import InvalidRequest
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Names: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(max_length=100)]
Settings: TypeAlias = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[int, Meta(ge=-1, le=10**9)]], Meta(max_length=50)
]

_SETTINGS: Mapping[str, int] = {
    "debug_log": 1,
    "user_api_key_ttl": 0,
    "user_api_key_max_ttl": 0,
    "user_api_key_count": -1,
    "user_key_metadata": 1,
    "user_key_metadata_override": 1,
    "user_from_body": 0,
}
"""Every setting with what it is when nobody sets it. Times in seconds, 0 for none."""


class WorkspaceDefaultsBody(Struct, frozen=True, kw_only=True):
    """What holds for the requests of the workspace."""

    metadata: MetadataBody | UnsetType | None = UNSET
    config_id: Name | UnsetType | None = UNSET
    user_api_key_config: Name | UnsetType | None = UNSET
    input_guardrails: Names | UnsetType | None = UNSET
    output_guardrails: Names | UnsetType | None = UNSET
    recording: RecordingBody | UnsetType | None = UNSET


class FirstMember(Struct, frozen=True, kw_only=True):
    """Somebody to be a member."""

    id: Name
    role: Literal["admin", "manager", "member"] = "member"


class WorkspaceBody(Struct, frozen=True, kw_only=True):
    """A workspace to be made."""

    name: Name
    slug: Slug | None = None
    description: Text | None = None
    icon: Text | None = None
    defaults: WorkspaceDefaultsBody | None = None
    users: Annotated[list[FirstMember | Name], Meta(max_length=500)] | None = None
    """Ids of users, with or without a role."""
    usage_limits: UsageLimitsBody | None = None
    rate_limits: RateLimitsBody | None = None
    security_settings: dict[str, bool] | None = None
    settings: Settings | None = None


class WorkspacePatch(Struct, frozen=True, kw_only=True):
    """What changes in a workspace: what is missing stays, null clears."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    icon: Text | UnsetType | None = UNSET
    defaults: WorkspaceDefaultsBody | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    rate_limits: RateLimitsBody | UnsetType | None = UNSET
    security_settings: dict[str, bool] | UnsetType | None = UNSET
    settings: Settings | UnsetType | None = UNSET
    reset_usage: bool | UnsetType | None = UNSET


class DeleteBody(Struct, frozen=True, kw_only=True):
    """The confirmation."""

    name: str | None = None
    """The workspace's name, exactly."""
    force_delete: bool = False
    """Whether to delete what is in it as well."""


class WorkspaceQuery(PageQuery, frozen=True, kw_only=True):
    """Which workspaces."""

    name: str | None = None
    """A part of the name."""
    exact_name: str | None = None
    """The whole name, whatever its case; or true, when ``name`` is the whole one."""
    status: Literal["active", "archived"] | None = None


class WorkspaceDefaultsView(Struct, frozen=True, kw_only=True):
    """What holds for the requests of the workspace."""

    metadata: dict[str, str] | None
    config_id: str | None
    user_api_key_config: str | None
    input_guardrails: list[str]
    output_guardrails: list[str]
    recording: RecordingBody | None = None


class WorkspaceUser(Struct, frozen=True, kw_only=True):
    """A member, in texts only: SDKs refuse anything else here."""

    id: str
    email: str
    first_name: str
    last_name: str
    role: str
    org_role: str
    status: str


class WorkspaceView(Struct, frozen=True, kw_only=True):
    """A workspace."""

    id: str
    slug: str
    name: str
    icon: str | None
    description: str | None
    is_default: int
    organisation_id: str
    status: str
    defaults: WorkspaceDefaultsView
    usage_limits: list[UsageLimitView]
    rate_limits: list[RateLimitView]
    usage: list[UsageView]
    security_settings: dict[str, bool]
    settings: dict[str, int]
    last_reset_at: str | None
    created_by: str | None
    creation_source: str
    created_at: str
    last_updated_at: str
    users: list[WorkspaceUser]
    object: str = "workspace"


def create(call: Call[WorkspaceBody, Nothing]) -> Answer:
    """Make a workspace, with members and with the integrations that are meant for all."""
    body = call.body
    with call.change() as tx:
        schema = tx.get(Organisation, call.principal.organisation_id).workspace_metadata_schema
        defaults = _defaults(WorkspaceDefaults(), body.defaults)
        workspace = tx.insert(
            Workspace(
                name=body.name,
                slug=body.slug or make_slug("ws-", body.name),
                description=body.description,
                icon=body.icon,
                defaults=msgspec.structs.replace(defaults, metadata=completed(schema, defaults.metadata)),
                usage_limits=read_usage_limits(body.usage_limits, (), path="usage_limits", today=call.now.date()),
                rate_limits=read_rate_limits(body.rate_limits, (), path="rate_limits"),
                security_settings=_known_switches(body.security_settings),
                settings=body.settings or {},
            )
        )
        for i, each in enumerate(body.users or ()):
            member = each if isinstance(each, FirstMember) else FirstMember(id=each)
            if tx.find(User, member.id) is None:
                raise InvalidRequest(f"users[{i}]: there is no such user", path=f"users[{i}]")
            tx.insert(Member(workspace_id=workspace.id, user_id=member.id, role=member.role))
        share_globally(tx, workspace)
        users = _users_of(tx, [workspace])
    return Answer(body=_views(call, [workspace], users)[0], version=workspace.version)


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show a workspace and its members."""
    with call.view() as view:
        workspace = call.workspace(view, call.parameters["id"])
        users = _users_of(view, [workspace])
    return Answer(body=_views(call, [workspace], users)[0], version=workspace.version)


def list_(call: Call[Nothing, WorkspaceQuery]) -> Page[WorkspaceView]:
    """List the workspaces that the caller may see."""
    query, page = call.query, window(call.query)
    exact = query.exact_name
    if exact is not None and exact.lower() in ("true", "1"):
        exact = query.name
    filters: dict[str, Any] = {}
    if exact is not None:
        filters["name_key"] = exact.casefold()
    if query.status is not None:
        filters["status"] = query.status
    search = query.name if exact is None else None
    with call.view() as view:
        found = view.page(Workspace, page=page.number, size=page.size, search=search, **filters)
        users = _users_of(view, found.items)
    return Page(total=found.total, data=_views(call, found.items, users))


def update(call: Call[WorkspacePatch, Nothing]) -> Answer:
    """Change a workspace, and show it."""
    with call.change() as tx:
        workspace = call.workspace(tx, call.parameters["id"])
        version = call.expect(workspace)
        workspace = tx.update(_patched(call, workspace), expected_version=version)
        users = _users_of(tx, [workspace])
    return Answer(body=_views(call, [workspace], users)[0], version=workspace.version)


def delete(call: Call[DeleteBody, Nothing]) -> None:
    """Delete a workspace. Its name confirms it; what is in it goes along only when that is asked for."""
    with call.change() as tx:
        workspace = call.workspace(tx, call.parameters["id"])
        version = call.expect(workspace)
        if call.body.name != workspace.name:
            raise InvalidRequest("name: write the exact name of the workspace to confirm its deletion", path="name")
        tx.archive(workspace, force=call.body.force_delete, expected_version=version)


def _patched(call: Call[WorkspacePatch, Nothing], workspace: Workspace) -> Workspace:
    body = call.body
    usage, rates = workspace.usage_limits, workspace.rate_limits
    if body.usage_limits is not UNSET:
        usage = read_usage_limits(body.usage_limits, usage, path="usage_limits", today=call.now.date())
    if body.rate_limits is not UNSET:
        rates = read_rate_limits(body.rate_limits, rates, path="rate_limits")
    switches, settings = workspace.security_settings, workspace.settings
    if body.security_settings is not UNSET:
        switches = {**switches, **_known_switches(body.security_settings)} if body.security_settings else {}
    if body.settings is not UNSET:
        settings = {**settings, **body.settings} if body.settings else {}
    return msgspec.structs.replace(
        workspace,
        name=given(body.name, workspace.name),
        description=given(body.description, workspace.description),
        icon=given(body.icon, workspace.icon),
        defaults=workspace.defaults if body.defaults is UNSET else _defaults(workspace.defaults, body.defaults),
        usage_limits=restarted(usage, call.now) if body.reset_usage is True else usage,
        rate_limits=rates,
        security_settings=switches,
        settings=settings,
    )


def _known_switches(asked: Mapping[str, bool] | None) -> dict[str, bool]:
    return {name: value for name, value in (asked or {}).items() if name in SWITCHES}


def _defaults(old: WorkspaceDefaults, body: WorkspaceDefaultsBody | None) -> WorkspaceDefaults:
    if body is None:
        return WorkspaceDefaults()
    return WorkspaceDefaults(
        metadata=old.metadata if body.metadata is UNSET else (body.metadata or {}),
        config_id=given(body.config_id, old.config_id),
        user_api_key_config=given(body.user_api_key_config, old.user_api_key_config),
        input_guardrails=_names(body.input_guardrails, old.input_guardrails),
        output_guardrails=_names(body.output_guardrails, old.output_guardrails),
        recording=read_recording(body.recording, old.recording),
    )


def _names(asked: list[str] | UnsetType | None, old: tuple[str, ...]) -> tuple[str, ...]:
    return old if isinstance(asked, UnsetType) else tuple(asked or ())


def _users_of(view: Reading, workspaces: Sequence[Workspace]) -> Mapping[str, list[WorkspaceUser]]:
    """Return the members of workspaces, by the workspace's id."""
    found: dict[str, list[WorkspaceUser]] = {workspace.id: [] for workspace in workspaces}
    members = view.all(Member, workspace_id=list(found))
    users = {user.id: user for user in view.all(User, id=list({member.user_id for member in members}))}
    for member in members:
        user = users.get(member.user_id)
        if user is not None:
            found[member.workspace_id].append(
                WorkspaceUser(
                    id=user.id,
                    email=user.email,
                    first_name=user.first_name,
                    last_name=user.last_name,
                    role=member.role,
                    org_role=user.role,
                    status=user.status,
                )
            )
    return found


def _views(
    call: Call[Any, Any], workspaces: Sequence[Workspace], users: Mapping[str, list[WorkspaceUser]]
) -> list[WorkspaceView]:
    claims = [
        claim
        for each in workspaces
        for claim in budget_claims(each.usage_limits, scope="workspace", created_at=each.created_at)
    ]
    usage = call.usage(claims)
    return [_view(call, each, usage, users[each.id]) for each in workspaces]


def _view(
    call: Call[Any, Any], workspace: Workspace, usage: Mapping[str, Usage], users: list[WorkspaceUser]
) -> WorkspaceView:
    defaults = workspace.defaults
    used = (write_usage(limit, usage, call.now) for limit in workspace.usage_limits)
    return WorkspaceView(
        id=workspace.id,
        slug=workspace.slug,
        name=workspace.name,
        icon=workspace.icon,
        description=workspace.description,
        is_default=int(workspace.is_default),
        organisation_id=workspace.organisation_id,
        status=workspace.status,
        defaults=WorkspaceDefaultsView(
            metadata=write_metadata(defaults.metadata),
            config_id=defaults.config_id,
            user_api_key_config=defaults.user_api_key_config,
            input_guardrails=list(defaults.input_guardrails),
            output_guardrails=list(defaults.output_guardrails),
            recording=write_recording(defaults.recording),
        ),
        usage_limits=[_limit(call, workspace, limit) for limit in workspace.usage_limits],
        rate_limits=[write_rate_limit(limit) for limit in workspace.rate_limits],
        usage=[each for each in used if each is not None],
        security_settings=all_switches(workspace.security_settings),
        settings={**_SETTINGS, **workspace.settings},
        last_reset_at=write_time_or_none(
            max((limit.last_reset_at for limit in workspace.usage_limits if limit.last_reset_at), default=None)
        ),
        created_by=workspace.created_by,
        creation_source=workspace.creation_source,
        created_at=write_time(workspace.created_at),
        last_updated_at=write_time(workspace.updated_at),
        users=users,
    )


def _limit(call: Call[Any, Any], workspace: Workspace, limit: UsageLimit) -> UsageLimitView:
    return write_usage_limit(limit, scope="workspace", created_at=workspace.created_at, now=call.now)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/admin/workspaces",
        access=needs("workspaces.create", keys=("organisation",)),
        summary="Make a workspace",
        body=WorkspaceBody,
        reply=WorkspaceView,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path="/admin/workspaces",
        access=needs("workspaces.list", keys=("organisation", "service")),
        summary="List workspaces",
        query=WorkspaceQuery,
        reply=Page[WorkspaceView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path="/admin/workspaces/{id}",
        access=needs("workspaces.read", keys=("organisation", "service")),
        summary="Show a workspace and its members",
        reply=WorkspaceView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path="/admin/workspaces/{id}",
        access=needs("workspaces.update", keys=("organisation", "service")),
        summary="Change a workspace",
        body=WorkspacePatch,
        reply=WorkspaceView,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path="/admin/workspaces/{id}",
        access=needs("workspaces.delete", keys=("organisation",)),
        summary="Delete a workspace",
        body=DeleteBody,
        handler=delete,
    ),
)
