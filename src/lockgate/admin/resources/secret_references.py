"""``/secret-references``: where secrets are kept that Lockgate does not store.

The managers ``env`` and ``file`` work. Those of vaults are stored, so that a configuration can be moved here, and
refused where somebody wants to use them. Source: control-plane specification, section 2.11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.admin.slugs import Slug, slugified
from lockgate.admin.times import write_time
from lockgate.core.secret import Secret
from lockgate.entities import SecretReference
from lockgate.entities.secret_fields import AUTH_CONFIG, is_mask, is_secret_setting
from lockgate.errors import InvalidRequest, NotFound
from lockgate.store.reading import Reading

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Manager: TypeAlias = Literal["aws_sm", "azure_kv", "hashicorp_vault", "env", "file"]
Value: TypeAlias = str | int | float | bool | None
AuthConfig: TypeAlias = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=100)], Value], Meta(max_length=50)]
Names: TypeAlias = Annotated[list[Name], Meta(max_length=500)]
Tags: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=50)]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "LOCKGATE_"
"""Variables of the gateway itself: its master key must not become somebody's credential."""
_MAX_VALUE = 10_000


class SecretReferenceBody(Struct, frozen=True, kw_only=True):
    """A reference to be made."""

    name: Name
    slug: Slug | None = None
    description: Text | None = None
    manager_type: Manager
    auth_config: AuthConfig | None = None
    secret_path: Annotated[str, Meta(min_length=1, max_length=1000)]
    """The variable's name, the file's path, or the path in the vault."""
    secret_key: Name | None = None
    """Which value, where the secret holds several."""
    allow_all_workspaces: bool | UnsetType = UNSET
    allowed_workspaces: Names | None = None
    tags: Tags | None = None


class SecretReferencePatch(Struct, frozen=True, kw_only=True):
    """What changes: what is missing stays, null clears; ``auth_config`` is merged by name."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    auth_config: AuthConfig | UnsetType | None = UNSET
    secret_path: Annotated[str, Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    secret_key: Name | UnsetType | None = UNSET
    allow_all_workspaces: bool | UnsetType = UNSET
    allowed_workspaces: Names | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET


class SecretReferenceQuery(PageQuery, frozen=True, kw_only=True):
    """Which references."""

    manager_type: Manager | None = None
    search: str | None = None
    tags: str | None = None
    """A JSON list of tags, or tags with commas between them; all must be there."""


class SecretReferenceMade(Struct, frozen=True, kw_only=True):
    """A new reference."""

    id: str
    slug: str
    object: str = "secret-reference"


class SecretReferenceView(Struct, frozen=True, kw_only=True):
    """A reference; secrets in ``auth_config`` are masked."""

    id: str
    slug: str
    name: str
    description: str | None
    manager_type: str
    auth_config: dict[str, Raw | str]
    secret_path: str
    secret_key: str | None
    allow_all_workspaces: bool
    allowed_workspaces: list[str]
    tags: list[str]
    status: str
    organisation_id: str
    created_at: str
    last_updated_at: str
    object: str = "secret-reference"


def create(call: Call[SecretReferenceBody, Nothing]) -> SecretReferenceMade:
    """Make a reference."""
    body = call.body
    settings, secrets = _split(body.auth_config or {})
    _check_place(body.manager_type, body.secret_path)
    with call.change() as tx:
        allowed = _workspaces(call, tx, body.allowed_workspaces or ())
        allows_all = not allowed if isinstance(body.allow_all_workspaces, UnsetType) else body.allow_all_workspaces
        reference = tx.insert(
            SecretReference(
                name=body.name,
                slug=body.slug or slugified(body.name) or "secret",
                description=body.description,
                manager=body.manager_type,
                settings=settings,
                secret_path=body.secret_path,
                secret_key=body.secret_key,
                allow_all_workspaces=allows_all,
                allowed_workspaces=() if allows_all else allowed,
                tags=tuple(body.tags or ()),
            ),
            secrets={name: secret for name, secret in secrets.items() if secret is not None},
        )
    return SecretReferenceMade(id=reference.id, slug=reference.slug)


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show a reference."""
    with call.view() as view:
        reference = _find(call, view)
    return Answer(body=_view(reference), version=reference.version)


def list_(call: Call[Nothing, SecretReferenceQuery]) -> Page[SecretReferenceView]:
    """List references."""
    query, page = call.query, window(call.query, default=20, most=100)
    filters: dict[str, Any] = {} if query.manager_type is None else {"manager": query.manager_type}
    with call.view() as view:
        if query.tags is not None:
            wanted = _read_tags(query.tags)
            text = (query.search or "").casefold()
            found = [
                each
                for each in view.all(SecretReference, **filters)
                if wanted <= set(each.tags) and (text in each.name.casefold() or text in each.slug.casefold())
            ]
            first = page.number * page.size
            return Page(total=len(found), data=[_view(each) for each in found[first : first + page.size]])
        listed = view.page(SecretReference, page=page.number, size=page.size, search=query.search, **filters)
    return Page(total=listed.total, data=[_view(reference) for reference in listed.items])


def update(call: Call[SecretReferencePatch, Nothing]) -> Answer:
    """Change a reference; its slug and manager stay."""
    body = call.body
    with call.change() as tx:
        reference = _find(call, tx)
        version = call.expect(reference)
        settings, secrets = _merged(reference, body.auth_config)
        path = given(body.secret_path, reference.secret_path)
        _check_place(reference.manager, path)
        allows_all, allowed = _access(call, tx, reference)
        changed = msgspec.structs.replace(
            reference,
            name=given(body.name, reference.name),
            description=given(body.description, reference.description),
            settings=settings,
            secret_path=path,
            secret_key=given(body.secret_key, reference.secret_key),
            allow_all_workspaces=allows_all,
            allowed_workspaces=allowed,
            tags=reference.tags if isinstance(body.tags, UnsetType) else tuple(body.tags or ()),
        )
        reference = tx.update(changed, secrets=secrets, expected_version=version)
    return Answer(body=Nothing(), version=reference.version)


def delete(call: Call[Nothing, Nothing]) -> None:
    """Delete a reference that nobody uses."""
    with call.change() as tx:
        reference = _find(call, tx)
        tx.archive(reference, expected_version=call.expect(reference))


def _find(call: Call[Any, Nothing], view: Reading) -> SecretReference:
    reference = view.find(SecretReference, call.parameters["id"])
    if reference is None:
        raise NotFound("There is no such secret reference", path="id")
    return reference


def _check_place(manager: str, path: str) -> None:
    """Refuse a place that cannot hold somebody's secret. Raises InvalidRequest."""
    if manager == "env" and not _VARIABLE.fullmatch(path):
        raise InvalidRequest("secret_path: must be the name of an environment variable", path="secret_path")
    if manager == "env" and path.startswith(_OURS):
        raise InvalidRequest(f"secret_path: variables named {_OURS}... are the gateway's own", path="secret_path")
    if manager == "file" and not path.startswith("/"):
        raise InvalidRequest("secret_path: must be the absolute path of a file", path="secret_path")


def _split(config: Mapping[str, Value]) -> tuple[dict[str, Raw], dict[str, Secret | None]]:
    """Return what may be shown and what is secret. A null stands for removal, and is in the secrets only."""
    settings: dict[str, Raw] = {}
    secrets: dict[str, Secret | None] = {}
    for name, value in config.items():
        path = f"auth_config.{name}"
        if isinstance(value, str) and len(value) > _MAX_VALUE:
            raise InvalidRequest(f"{path}: must have at most {_MAX_VALUE} characters", path=path)
        if not is_secret_setting(name):
            if value is not None:
                settings[name] = Raw(msgspec.json.encode(value))
        elif value is None:
            secrets[AUTH_CONFIG + name] = None
        elif not isinstance(value, str):
            raise InvalidRequest(f"{path}: expected text", path=path)
        elif is_mask(value):
            raise InvalidRequest(f"{path}: is the mask of a secret; send the secret, or leave it out", path=path)
        else:
            secrets[AUTH_CONFIG + name] = Secret(value)
    return settings, secrets


def _merged(
    reference: SecretReference, config: dict[str, Value] | UnsetType | None
) -> tuple[Mapping[str, Raw], dict[str, Secret | None]]:
    """Return settings and secrets with what a partial update says."""
    if isinstance(config, UnsetType):
        return reference.settings, {}
    if config is None:
        return {}, dict.fromkeys(reference.masks)
    settings, secrets = _split(config)
    kept = {name: value for name, value in reference.settings.items() if config.get(name, "") is not None}
    return {**kept, **settings}, secrets


def _access(
    call: Call[SecretReferencePatch, Nothing], view: Reading, reference: SecretReference
) -> tuple[bool, tuple[str, ...]]:
    """Return who may use it: naming workspaces switches ``all`` off, and ``all`` forgets the names."""
    body = call.body
    asked, asks_all = body.allowed_workspaces, body.allow_all_workspaces
    if asks_all is True:
        return True, ()
    if not isinstance(asked, UnsetType):
        return False, _workspaces(call, view, asked or ())
    if asks_all is False:
        return False, reference.allowed_workspaces
    return reference.allow_all_workspaces, reference.allowed_workspaces


def _workspaces(call: Call[Any, Nothing], view: Reading, names: list[str] | tuple[()]) -> tuple[str, ...]:
    found = (call.workspace(view, name, f"allowed_workspaces[{i}]") for i, name in enumerate(names))
    return tuple(dict.fromkeys(each.id for each in found))


def _read_tags(text: str) -> set[str]:
    try:
        return set(msgspec.json.decode(text, type=list[str]))
    except msgspec.MsgspecError:
        return {tag.strip() for tag in text.split(",") if tag.strip()}


def _view(reference: SecretReference) -> SecretReferenceView:
    masked = {name.removeprefix(AUTH_CONFIG): mask for name, mask in reference.masks.items()}
    return SecretReferenceView(
        id=reference.id,
        slug=reference.slug,
        name=reference.name,
        description=reference.description,
        manager_type=reference.manager,
        auth_config={**reference.settings, **masked},
        secret_path=reference.secret_path,
        secret_key=reference.secret_key,
        allow_all_workspaces=reference.allow_all_workspaces,
        allowed_workspaces=list(reference.allowed_workspaces),
        tags=list(reference.tags),
        status=reference.status.upper(),
        organisation_id=reference.organisation_id,
        created_at=write_time(reference.created_at),
        last_updated_at=write_time(reference.updated_at),
    )


_PATH = "/secret-references"

ENDPOINTS = (
    Endpoint(
        method="POST",
        path=_PATH,
        access=needs("secret_references.create", keys=("organisation",)),
        summary="Make a secret reference",
        body=SecretReferenceBody,
        reply=SecretReferenceMade,
        handler=create,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        access=needs("secret_references.list", keys=("organisation",)),
        summary="List secret references",
        query=SecretReferenceQuery,
        reply=Page[SecretReferenceView],
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path=_PATH + "/{id}",
        access=needs("secret_references.read", keys=("organisation",)),
        summary="Show a secret reference",
        reply=SecretReferenceView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path=_PATH + "/{id}",
        access=needs("secret_references.update", keys=("organisation",)),
        summary="Change a secret reference",
        body=SecretReferencePatch,
        handler=update,
    ),
    Endpoint(
        method="DELETE",
        path=_PATH + "/{id}",
        access=needs("secret_references.delete", keys=("organisation",)),
        summary="Delete a secret reference that nobody uses",
        handler=delete,
    ),
)
