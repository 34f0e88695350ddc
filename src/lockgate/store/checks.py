"""What must hold before something is written, whoever asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Raw
from sqlalchemy import Connection, select

from lockgate.core.metadata import Metadata, merge
from lockgate.entities import (
    ApiKey,
    Entity,
    Integration,
    IntegrationModel,
    Invite,
    Organisation,
    ProviderRecord,
    SecretReference,
    User,
    Workspace,
    WorkspaceAccess,
)
from lockgate.entities.entity import NULL
from lockgate.errors import Conflict, Forbidden, InvalidRequest
from lockgate.plan.metadata_schema import read_schema
from lockgate.store.kinds import Kind, kind_of
from lockgate.store.reading import Reading
from lockgate.store.rows import write_row

E = TypeVar("E", bound=Entity)


def check_scope(view: Reading, kind: Kind[E], entity: E) -> None:
    """Refuse to write what lies outside of the scope. Raises Forbidden."""
    scope = view.scope
    if scope.organisation_id is not None and entity.organisation_id != scope.organisation_id:
        raise Forbidden(f"the {kind.noun} belongs to another organisation")
    if scope.workspace_id is None:
        return
    is_inside = False
    match kind.workspace:
        case "organisation" | "granted" | "people":
            pass
        case "itself":
            is_inside = entity.id == scope.workspace_id
        case "own" | "shared":
            is_inside = getattr(entity, "workspace_id", None) == scope.workspace_id
        case "parent":
            assert isinstance(entity, IntegrationModel)
            owner = view.find(Integration, entity.integration_id)
            is_inside = owner is not None and owner.workspace_id == scope.workspace_id
    if not is_inside:
        raise Forbidden(f"the {kind.noun} does not belong to this workspace alone, so it cannot be changed from here")


def check_links(connection: Connection, kind: Kind[E], entity: E) -> None:
    """Refuse links to what is not there, is archived or belongs to another organisation. Raises InvalidRequest."""
    for link in kind.links:
        id = getattr(entity, link.field)
        if id is None:
            continue
        other = kind_of(link.type)
        row = connection.execute(select(other.table).where(other.table.c.id == id)).one_or_none()
        if row is None or row.organisation_id != entity.organisation_id or row.status == "archived":
            raise InvalidRequest(f"there is no {other.noun} {id!r}", path=link.field)


def check_unique(connection: Connection, kind: Kind[E], entity: E) -> None:
    """Refuse a name that somebody else has. Raises Conflict."""
    row: Mapping[str, object] = write_row(kind, entity)
    table = kind.table
    for names in (kind.unique, kind.also_unique):
        if not names:
            continue
        query = select(table.c.id).where(table.c.status != "archived", table.c.id != entity.id)
        query = query.where(*(table.c[name] == row[name] for name in names))
        if connection.execute(query.limit(1)).first() is not None:
            field = names[-1].removesuffix("_key")
            raise Conflict(_taken(kind, entity, field), path=None if _is_inner(field) else field)


def _taken(kind: Kind[E], entity: E, field: str) -> str:
    if _is_inner(field):
        return f"there is such a {kind.noun} already"
    article = "an" if kind.noun[0] in "aeioA" else "a"
    return f"there is {article} {kind.noun} with the {field} {getattr(entity, field)!r} already; choose another"


def _is_inner(field: str) -> bool:
    """Tell whether a field is none that somebody chose."""
    return field.endswith("_id") or field == "token_digest"


def check_rules(view: Reading, entity: Entity, old: Entity | None) -> None:
    """Refuse what contradicts the rules of its own kind. Raises InvalidRequest, Forbidden or Conflict."""
    match entity:
        case ApiKey():
            _check_api_key(view, entity, old)
        case ProviderRecord() if old is None:
            _check_provider(view, entity)
        case Integration():
            _check_mappings(view, entity)
        case WorkspaceAccess() if old is None:
            _check_access(view, entity)
        case Workspace() if old is None and entity.is_default:
            if view.count(Workspace, organisation_id=entity.organisation_id, is_default=True):
                raise Conflict("there is a default workspace already")
        case Workspace() if not isinstance(old, Workspace) or old.defaults.metadata != entity.defaults.metadata:
            organisation = view.get(Organisation, entity.organisation_id)
            _check_metadata(organisation.workspace_metadata_schema, entity.defaults.metadata)
        case User() if isinstance(old, User) and old.role == "owner":
            if entity.role != "owner" or entity.status != "active":
                check_other_owner(view, old)
        case Invite() if entity.state == "pending" and entity.status == "active":
            _check_invite(view, entity)


def check_other_owner(view: Reading, owner: User) -> None:
    """Refuse to lose an organisation's last owner. Raises Conflict."""
    owners = view.all(User, organisation_id=owner.organisation_id, role="owner", status="active")
    if all(other.id == owner.id for other in owners):
        raise Conflict("the last owner cannot be demoted or removed")


def _check_api_key(view: Reading, key: ApiKey, old: Entity | None) -> None:
    if (key.kind == "organisation-service") != (key.workspace_id is None):
        raise InvalidRequest(
            "a key of kind organisation-service has no workspace, all others have one", path="workspace_id"
        )
    if (key.kind == "workspace-user") != (key.user_id is not None):
        raise InvalidRequest("a key of kind workspace-user has a user, the others have none", path="user_id")
    if not 1 <= len(key.texts) <= 2:
        raise InvalidRequest("a key has one text, or two while it is being rotated", path="texts")
    before = old if isinstance(old, ApiKey) else None
    if key.workspace_id is not None and (before is None or before.defaults.metadata != key.defaults.metadata):
        workspace = view.get(Workspace, key.workspace_id)
        schema = view.get(Organisation, key.organisation_id).key_metadata_schema
        _check_metadata(schema, merge(workspace.defaults.metadata, key.defaults.metadata))
    if before is not None and before.expires_at == key.expires_at:
        return
    organisation = view.get(Organisation, key.organisation_id)
    longest_s = organisation.api_key_max_ttl_s
    if longest_s is not None and not _ends_within(key.created_at, key.expires_at, longest_s):
        raise InvalidRequest(
            f"keys of this organisation live for at most {longest_s / 86400:g} days; give an earlier end",
            path="expires_at",
        )


def _check_metadata(schema: Raw, metadata: Metadata) -> None:
    """Refuse metadata that the organisation's schema does not allow. Raises InvalidRequest that names all of it."""
    if schema == NULL:
        return
    faults = read_schema(msgspec.json.decode(schema), "schema").faults(metadata)
    if faults:
        raise InvalidRequest(
            f"defaults.metadata: {'; '.join(faults)} (the organisation's metadata schema)", path="defaults.metadata"
        )


def _ends_within(begin: datetime, end: datetime | None, longest_s: int) -> bool:
    return end is not None and (end - begin).total_seconds() <= longest_s


def _check_provider(view: Reading, provider: ProviderRecord) -> None:
    """A provider uses an integration of its own workspace, or one that is shared with it."""
    integration = view.find(Integration, provider.integration_id)
    if integration is not None and integration.workspace_id == provider.workspace_id:
        return
    is_shared = view.count(
        WorkspaceAccess, integration_id=provider.integration_id, workspace_id=provider.workspace_id, is_enabled=True
    )
    if not is_shared:
        raise Forbidden("the integration is not shared with this workspace")


def _check_access(view: Reading, access: WorkspaceAccess) -> None:
    if view.get(Integration, access.integration_id).workspace_id is not None:
        raise InvalidRequest("the integration belongs to one workspace, and cannot be shared", path="integration_id")


def _check_mappings(view: Reading, integration: Integration) -> None:
    """Each secret is mapped once, to a reference that the integration's workspace may use."""
    targets = [mapping.target_field for mapping in integration.secret_mappings]
    for target in targets:
        if targets.count(target) > 1:
            raise InvalidRequest(f"{target} is mapped twice", path="secret_mappings")
    for mapping in integration.secret_mappings:
        found = view.unconfined().find(
            SecretReference, mapping.secret_reference_id, organisation_id=integration.organisation_id
        )
        if found is None or not _may_use(found, integration.workspace_id):
            raise InvalidRequest(
                f"there is no secret reference {mapping.secret_reference_id!r}", path="secret_mappings"
            )


def _may_use(reference: SecretReference, workspace_id: str | None) -> bool:
    return reference.allow_all_workspaces or (workspace_id is not None and workspace_id in reference.allowed_workspaces)


def _check_invite(view: Reading, invite: Invite) -> None:
    organisation, email = invite.organisation_id, invite.email.casefold()
    if view.count(User, organisation_id=organisation, email_key=email):
        raise Conflict(f"{invite.email!r} is a user of this organisation already", path="email")
    others = view.all(Invite, state="pending", organisation_id=organisation, email_key=email)
    if any(other.id != invite.id for other in others):
        raise Conflict(f"{invite.email!r} is invited already: send that invitation again, or cancel it", path="email")
    for place in invite.workspaces:
        if view.find(Workspace, place.workspace_id, organisation_id=organisation) is None:
            raise InvalidRequest(f"there is no workspace {place.workspace_id!r}", path="workspaces")
