"""``/api-keys``: the keys that open this gateway. A key's text is told once, when it is made or rotated.

Source: control-plane specification, sections 1.4 and 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.declared_keys import as_entity, declared_keys, find_declared, refuse_change
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.issuing import check_grant, issue, read_scopes
from lockgate.admin.key_views import KeyView, write_keys
from lockgate.admin.limits import (
    RateLimitsBody,
    UsageLimitsBody,
    read_rate_limits,
    read_usage_limits,
    restarted,
)
from lockgate.admin.metadata import MetadataBody, completed
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.people import Email
from lockgate.admin.recording import RecordingBody, read_recording
from lockgate.admin.rotation import (
    LEAST_TRANSITION_MS,
    RotationPolicyBody,
    Transition,
    read_rotation,
    rotated,
)
from lockgate.admin.times import write_time_or_none
from lockgate.entities import ApiKey, KeyDefaults, KeyKind, Member, Organisation, User, Workspace
from lockgate.errors import Conflict, Forbidden, InvalidRequest, NotFound
from lockgate.plan.snapshot import GatewayKey
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Emails: TypeAlias = Annotated[list[Email], Meta(max_length=50)]
Slugs: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(max_length=500)]

_RESOURCES: Mapping[KeyKind, str] = {
    "organisation-service": "organisation_service_api_keys",
    "workspace-service": "workspace_service_api_keys",
    "workspace-user": "workspace_user_api_keys",
}
_USUAL_SCOPES = ("completions.write", "models.list")
"""What a key of a workspace may do when its maker says nothing."""


class KeyDefaultsBody(Struct, frozen=True, kw_only=True):
    """What holds for requests that bring nothing of their own."""

    metadata: MetadataBody | UnsetType | None = UNSET
    """What all its requests carry as metadata; it wins over what a request says."""
    config_id: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType | None = UNSET
    """The slug of the config that routes its requests."""
    allow_config_override: bool | UnsetType | None = UNSET
    """Whether a request may bring a config of its own; true when left out."""
    recording: RecordingBody | UnsetType | None = UNSET


class KeyBody(Struct, frozen=True, kw_only=True):
    """A key to be made."""

    type: str | UnsetType | None = UNSET
    """The path says it; it may be repeated here."""
    sub_type: str | UnsetType | None = UNSET
    """The same."""
    name: Name
    description: Text | None = None
    workspace_id: str | None = None
    """Id or slug; the default workspace when left out."""
    organisation_id: str | None = None
    """Only your own."""
    user_id: str | None = None
    """Whose key it is; for workspace/user, and needed there."""
    rate_limits: RateLimitsBody | None = None
    """How many requests or tokens it may use in a window of time."""
    usage_limits: UsageLimitsBody | None = None
    """Its budget: one."""
    scopes: list[str] | None = None
    """What it may do; ``completions.write`` and ``models.list`` when left out for a workspace's key."""
    defaults: KeyDefaultsBody | None = None
    """What holds for its requests that bring nothing of their own."""
    expires_at: datetime | None = None
    """When it stops to open."""
    alert_emails: Emails | None = None
    """Whom events about its budget name as recipients (`[alerts]` of the configuration file)."""
    rotation_policy: RotationPolicyBody | None = None
    """How often it must get a new text."""
    providers: Slugs | None = None
    """The slugs that the key may use; all when left out."""


class KeyPatch(Struct, frozen=True, kw_only=True):
    """What changes in a key: what is missing stays, null clears."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    rate_limits: RateLimitsBody | UnsetType | None = UNSET
    usage_limits: UsageLimitsBody | UnsetType | None = UNSET
    scopes: list[str] | UnsetType = UNSET
    defaults: KeyDefaultsBody | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    reset_usage: bool | UnsetType | None = UNSET
    alert_emails: Emails | UnsetType | None = UNSET
    rotation_policy: RotationPolicyBody | UnsetType | None = UNSET
    providers: Slugs | UnsetType | None = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class RotateBody(Struct, frozen=True, kw_only=True):
    """How long the old text still opens."""

    key_transition_period_ms: Transition | None = None
    revoke_previous: bool = False
    """Whether the old text ends at once."""


class KeyQuery(PageQuery, frozen=True, kw_only=True):
    """Which keys."""

    workspace_id: str | None = None
    ids: str | None = None
    """Ids, with commas between them."""


class KeyMade(Struct, frozen=True, kw_only=True):
    """A new key with its text, which is told this once."""

    id: str
    key: str
    object: str = "api-key"


class KeyRotated(Struct, frozen=True, kw_only=True):
    """The new text, and when the old one stops to open."""

    id: str
    key: str
    key_transition_expires_at: str | None
    object: str = "api-key"


# ---- making


def create(call: Call[KeyBody, Nothing]) -> KeyMade:
    """Make a key of the kind that the path names."""
    parameters = call.parameters
    kind = _kind(parameters.get("type") or parameters["id"], parameters.get("sub_type", ""))
    call.require(f"{_RESOURCES[kind]}.create")
    body = call.body
    _check_organisation(call, body.organisation_id)
    scopes = _scopes_for(kind, body.scopes)
    check_grant(call.principal, scopes)
    text, stored = issue(call.now)
    with call.change() as tx:
        workspace = call.workspace(tx, body.workspace_id) if kind != "organisation-service" else None
        organisation = tx.get(Organisation, call.principal.organisation_id)
        user = _user(tx, kind, body.user_id, workspace)
        end = _end_of(body, workspace, user, call.now)
        _check_end(end, organisation, workspace if user is not None else None, call.now)
        key = tx.insert(
            ApiKey(
                name=body.name,
                description=body.description,
                kind=kind,
                workspace_id=workspace.id if workspace is not None else None,
                user_id=user.id if user is not None else None,
                scopes=scopes,
                texts=(stored,),
                providers=tuple(body.providers or ()),
                defaults=_completed(_defaults(KeyDefaults(), body.defaults), kind, organisation),
                usage_limits=read_usage_limits(
                    body.usage_limits, (), path="usage_limits", today=call.now.date(), most=1
                ),
                rate_limits=read_rate_limits(body.rate_limits, (), path="rate_limits"),
                expires_at=end,
                rotation=read_rotation(body.rotation_policy, organisation, call.now),
                alert_emails=tuple(body.alert_emails or ()),
            )
        )
    return KeyMade(id=key.id, key=text)


def create_service(call: Call[KeyBody, Nothing]) -> KeyMade:
    """Make a service key, where the path ends before the sub-type."""
    return create(call)


def rotate(call: Call[RotateBody, Nothing]) -> KeyRotated:
    """Give a key a new text; the old one opens until the transition ends."""
    text, stored = issue(call.now)
    with call.change() as tx:
        key = _find(call, tx, "rotate")
        # who gets the text can do what the key can
        check_grant(call.principal, key.scopes)
        policy = key.rotation
        usual = policy.transition_s * 1000 if policy is not None else LEAST_TRANSITION_MS
        changed = rotated(
            key,
            stored,
            transition_ms=call.body.key_transition_period_ms or usual,
            revoke_previous=call.body.revoke_previous,
            organisation=tx.get(Organisation, call.principal.organisation_id),
            now=call.now,
        )
        key = tx.update(changed, expected_version=call.expect(key), action="rotate")
    until = key.texts[1].expires_at if len(key.texts) > 1 else None
    return KeyRotated(id=key.id, key=text, key_transition_expires_at=write_time_or_none(until))


# ---- reading


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show a key."""
    declared = find_declared(call, call.parameters["id"])
    if declared is not None:
        call.require(f"{_RESOURCES[declared.kind]}.read")
        return Answer(body=_declared(call, [declared])[0])
    with call.view() as view:
        key = _find(call, view, "read")
    return Answer(body=write_keys(call, [key])[0], version=key.version)


def list_(call: Call[Nothing, KeyQuery]) -> Page[KeyView]:
    """List the keys that the caller may see; those that the file or the environment declares come last."""
    kinds = [kind for kind, resource in _RESOURCES.items() if f"{resource}.list" in call.principal.scopes]
    query, page = call.query, window(call.query)
    with call.view() as view:
        filters: dict[str, Any] = {"kind": kinds}
        declared = [key for key in declared_keys(call) if key.kind in kinds and query.ids is None]
        if query.workspace_id is not None:
            filters["workspace_id"] = id = call.workspace(view, query.workspace_id).id
            declared = [key for key in declared if key.kind != "organisation-service" and key.workspace == id]
        if query.ids is not None:
            filters["id"] = [id.strip() for id in query.ids.split(",")][: page.size]
        found = view.page(ApiKey, page=page.number, size=page.size, **filters)
    first = max(0, page.number * page.size - found.total)
    some = declared[first : first + page.size - len(found.items)]
    data = [*write_keys(call, found.items), *_declared(call, some)]
    return Page(total=found.total + len(declared), data=data)


# ---- changing


def update(call: Call[KeyPatch, Nothing]) -> Answer:
    """Change a key; its kind, workspace and person stay."""
    body = call.body
    with call.change() as tx:
        key = _find(call, tx, "update")
        version = call.expect(key)
        organisation = tx.get(Organisation, key.organisation_id)
        workspace = tx.find(Workspace, key.workspace_id) if key.user_id is not None and key.workspace_id else None
        changed = _patched(call, key, organisation)
        if body.expires_at is not UNSET:
            _check_end(body.expires_at, organisation, workspace, call.now)
        key = tx.update(changed, expected_version=version, action="reset" if body.reset_usage is True else "update")
    return Answer(body=Nothing(), version=key.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Delete a key: it opens nothing any more."""
    with call.change() as tx:
        key = _find(call, tx, "delete")
        tx.archive(key, expected_version=call.expect(key))


def _patched(call: Call[KeyPatch, Nothing], key: ApiKey, organisation: Organisation) -> ApiKey:
    body = call.body
    usage, rates = key.usage_limits, key.rate_limits
    if body.usage_limits is not UNSET:
        usage = read_usage_limits(body.usage_limits, usage, path="usage_limits", today=call.now.date(), most=1)
    if body.rate_limits is not UNSET:
        rates = read_rate_limits(body.rate_limits, rates, path="rate_limits")
    is_reset = body.reset_usage is True
    scopes = key.scopes
    if body.scopes is not UNSET:
        scopes = read_scopes(body.scopes, key.kind, key.scopes)
        check_grant(call.principal, set(scopes) - set(key.scopes))
    rotation = key.rotation
    if body.rotation_policy is not UNSET:
        rotation = read_rotation(body.rotation_policy, organisation, call.now)
    return msgspec.structs.replace(
        key,
        name=given(body.name, key.name),
        description=given(body.description, key.description),
        status=given(body.status, key.status),
        scopes=scopes,
        usage_limits=restarted(usage, call.now) if is_reset else usage,
        rate_limits=rates,
        last_reset_at=call.now if is_reset else key.last_reset_at,
        defaults=key.defaults if body.defaults is UNSET else _defaults(key.defaults, body.defaults),
        expires_at=given(body.expires_at, key.expires_at),
        alert_emails=key.alert_emails if body.alert_emails is UNSET else tuple(body.alert_emails or ()),
        providers=key.providers if body.providers is UNSET else tuple(body.providers or ()),
        rotation=rotation,
    )


# ---- parts


def _kind(type: str, sub_type: str) -> KeyKind:
    """Return the kind that two segments of a path name. Raises InvalidRequest."""
    level = {"organisation": "organisation", "organization": "organisation", "workspace": "workspace"}.get(type)
    if level is None:
        raise InvalidRequest("type: must be one of organisation, workspace", path="type")
    person = {"": "service", "NOT_GIVEN": "service", "service": "service", "user": "user"}.get(sub_type)
    if person is None:
        raise InvalidRequest("sub_type: must be one of service, user", path="sub_type")
    if level == "organisation":
        if person == "user":
            raise InvalidRequest("sub_type: a user's key belongs to a workspace; use workspace/user", path="sub_type")
        return "organisation-service"
    return "workspace-service" if person == "service" else "workspace-user"


def _scopes_for(kind: KeyKind, asked: Sequence[str] | None) -> tuple[str, ...]:
    if asked is not None:
        return read_scopes(asked, kind)
    if kind == "organisation-service":
        raise InvalidRequest("scopes: is missing; say what the organisation's key may do", path="scopes")
    return _USUAL_SCOPES


def _find(call: Call[Any, Any], view: Reading, action: str) -> ApiKey:
    """Return the key that the path names, when the caller may do this to keys of its kind."""
    id = call.parameters["id"]
    key = view.find(ApiKey, id)
    if key is None:
        declared = find_declared(call, id)
        if declared is not None:
            raise refuse_change(declared)
        raise NotFound(f"There is no API key {id[:64]!r}", path="id")
    call.require(f"{_RESOURCES[key.kind]}.{action}")
    return key


def _check_organisation(call: Call[KeyBody, Nothing], asked: str | None) -> None:
    if asked is not None and asked != call.principal.organisation_id:
        raise Forbidden("The key belongs to another organisation", path="organisation_id", wire_code="AB03")


def _user(view: Reading, kind: KeyKind, asked: str | None, workspace: Workspace | None) -> User | None:
    """Return the person of a user's key: a member of the workspace, or an admin of the organisation."""
    if kind != "workspace-user":
        if asked is not None:
            raise InvalidRequest("user_id: only a user's key has a person; use workspace/user", path="user_id")
        return None
    assert workspace is not None
    if asked is None:
        raise InvalidRequest("user_id: is missing; say whose key it is", path="user_id")
    user = view.find(User, asked)
    if user is None or user.status != "active":
        raise InvalidRequest("user_id: there is no such user", path="user_id")
    if user.role == "member" and view.find(Member, user.id, workspace_id=workspace.id) is None:
        raise InvalidRequest("user_id: not a member of the workspace; add the user to it first", path="user_id")
    most = workspace.settings.get("user_api_key_count", -1)
    if 0 <= most <= view.count(ApiKey, user_id=user.id, workspace_id=workspace.id):
        raise Conflict(f"The workspace allows {most} keys for each user; delete one first", path="user_id")
    return user


def _end_of(body: KeyBody, workspace: Workspace | None, user: User | None, now: datetime) -> datetime | None:
    """Return when a new key ends; a person's key that says nothing lives as long as the workspace says."""
    usual = workspace.settings.get("user_api_key_ttl", 0) if workspace is not None and user is not None else 0
    return now + timedelta(seconds=usual) if body.expires_at is None and usual > 0 else body.expires_at


def _check_end(end: datetime | None, organisation: Organisation, workspace: Workspace | None, now: datetime) -> None:
    """Refuse a key that has ended already, or lives longer than the organisation or workspace allows."""
    if end is not None and end <= now:
        raise InvalidRequest("expires_at: must be in the future", path="expires_at")
    own = workspace.settings.get("user_api_key_max_ttl", 0) if workspace is not None else 0
    longest = [seconds for seconds in (organisation.api_key_max_ttl_s, own) if seconds]
    if longest and (end is None or end > now + timedelta(seconds=min(longest))):
        raise InvalidRequest(
            f"expires_at: a key may live for at most {min(longest)} seconds; give an earlier time", path="expires_at"
        )


def _defaults(old: KeyDefaults, body: KeyDefaultsBody | None) -> KeyDefaults:
    if body is None:
        return KeyDefaults()
    override = body.allow_config_override
    return KeyDefaults(
        metadata=old.metadata if body.metadata is UNSET else (body.metadata or {}),
        config_id=given(body.config_id, old.config_id),
        allow_config_override=old.allow_config_override if override is UNSET else override is not False,
        recording=read_recording(body.recording, old.recording),
    )


def _completed(defaults: KeyDefaults, kind: KeyKind, organisation: Organisation) -> KeyDefaults:
    """Return the defaults of a new key with what the organisation's metadata schema fills in."""
    if kind == "organisation-service":
        return defaults
    metadata = completed(organisation.key_metadata_schema, defaults.metadata)
    return msgspec.structs.replace(defaults, metadata=metadata)


def _declared(call: Call[Any, Any], keys: Sequence[GatewayKey]) -> list[KeyView]:
    """Return keys that are declared outside of the database: when they were made nobody knows."""
    views = write_keys(call, [as_entity(key) for key in keys])
    return [
        msgspec.structs.replace(view, source=key.source or "", created_at=None, last_updated_at=None)
        for view, key in zip(views, keys, strict=True)
    ]


def _any_of(action: str) -> tuple[str, ...]:
    return tuple(f"{resource}.{action}" for resource in _RESOURCES.values())


_MOUNTS = ("/v1", "/v2")
_KEYS: tuple[Literal["organisation"], Literal["service"]] = ("organisation", "service")

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api-keys/{type}/{sub_type}",
        access=needs(*_any_of("create"), keys=_KEYS),
        summary="Make an API key and tell its text, this once",
        body=KeyBody,
        reply=KeyMade,
        handler=create,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="POST",
        path="/api-keys/{id}",
        access=needs(*_any_of("create"), keys=_KEYS),
        summary="Make a service key",
        body=KeyBody,
        reply=KeyMade,
        handler=create_service,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="POST",
        path="/api-keys/{id}/rotate",
        access=needs(*_any_of("rotate"), keys=_KEYS),
        summary="Give an API key a new text; the old one opens for a while",
        body=RotateBody,
        reply=KeyRotated,
        handler=rotate,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="GET",
        path="/api-keys",
        access=needs(*_any_of("list"), keys=_KEYS),
        summary="List API keys",
        query=KeyQuery,
        reply=Page[KeyView],
        handler=list_,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="GET",
        path="/api-keys/{id}",
        access=needs(*_any_of("read"), keys=_KEYS),
        summary="Show an API key and how far its budget is used",
        reply=KeyView,
        handler=retrieve,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="PUT",
        path="/api-keys/{id}",
        access=needs(*_any_of("update"), keys=_KEYS),
        summary="Change an API key",
        body=KeyPatch,
        handler=update,
        mounts=_MOUNTS,
    ),
    Endpoint(
        method="DELETE",
        path="/api-keys/{id}",
        access=needs(*_any_of("delete"), keys=_KEYS),
        summary="Delete an API key",
        handler=delete,
        mounts=_MOUNTS,
    ),
)
