"""Changing the database: each write checks tenancy, links, names and versions, and leaves an audit entry and a line in
the change feed, all in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from lockgate.core.secret import Secret
from lockgate.entities import Actor, ApiKey, AuditAction, Config, Entity, Organisation, Workspace
from lockgate.entities.secret_fields import mask
from lockgate.errors import Conflict, InvalidRequest
from lockgate.store import audit, tables
from lockgate.store.checks import check_links, check_rules, check_scope, check_unique
from lockgate.store.envelope import Vault
from lockgate.store.ids import new_id
from lockgate.store.kinds import Kind, kind_of
from lockgate.store.limit_ids import identified
from lockgate.store.reading import Reading
from lockgate.store.references import check_deletion, goes_with
from lockgate.store.rows import write_row, write_version

E = TypeVar("E", bound=Entity)
Secrets = Mapping[str, Secret | None]
"""By field, in the names of ``entities.secret_fields``; None removes one."""

_KEPT_CHANGES = 10_000
_RESTORABLE = timedelta(days=30)


class Transaction(Reading):
    """One change of the control plane, which may consist of many writes. It sees what it has written."""

    def __init__(self, connection: Connection, actor: Actor, vault: Vault, now: datetime) -> None:
        super().__init__(connection, actor.scope, vault)
        self.actor = actor
        self.now = now
        """The time of everything in this transaction."""
        self._ids = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what is done inside when it raises; what was done before stays, and the transaction goes on."""
        with self.connection.begin_nested():
            yield

    def insert(self, entity: E, *, secrets: Secrets | None = None, action: AuditAction = "create") -> E:
        """Store a new entity and return it with id, version and times.

        Raises Conflict when its name is taken, InvalidRequest when something that it links to is not there, Forbidden
        outside of the scope.
        """
        kind = kind_of(type(entity))
        id = entity.id or self._new_id()
        organisation = id if kind.type is Organisation else entity.organisation_id or self.scope.organisation_id
        if not organisation:
            raise InvalidRequest(f"a {kind.noun} belongs to an organisation", path="organisation_id")
        entity = msgspec.structs.replace(
            entity,
            id=id,
            organisation_id=organisation,
            version=1,
            created_at=self.now,
            updated_at=self.now,
            created_by=self.actor.id,
            updated_by=self.actor.id,
        )
        entity = self._with_version(identified(entity, self._new_id))
        entity = self._with_masks(entity, {}, secrets or {})
        self._check(kind, entity, None)
        self.connection.execute(insert(kind.table).values(write_row(kind, entity)))
        self._after_write(kind, entity, secrets or {})
        self._log(kind, action, None, entity)
        return entity

    def update(
        self,
        entity: E,
        *,
        secrets: Secrets | None = None,
        expected_version: int | None = None,
        action: AuditAction = "update",
    ) -> E:
        """Store a changed entity and return it with its new version. What is the same is not written.

        Fields that are fixed (slug, workspace, kind ...) must be as they were. ``expected_version`` is what a client
        read; without it the entity's own version counts. Raises Conflict when it is not the stored one.
        """
        kind = kind_of(type(entity))
        old = self.get(kind.type, entity.id, with_archived=True)
        _check_version(kind, old, entity.version if expected_version is None else expected_version)
        if old.status == "archived":
            raise Conflict(f"the {kind.noun} is deleted")
        if entity.status == "archived":
            raise ValueError("archive is what archives")
        new = msgspec.structs.replace(
            entity,
            organisation_id=old.organisation_id,
            version=old.version,
            created_at=old.created_at,
            updated_at=old.updated_at,
            archived_at=old.archived_at,
            created_by=old.created_by,
            updated_by=old.updated_by,
        )
        for field in kind.fixed:
            if getattr(new, field) != getattr(old, field):
                raise InvalidRequest(f"the {field} of a {kind.noun} cannot be changed", path=field)
        return self._replace(kind, old, new, secrets or {}, action)

    def _replace(self, kind: Kind[E], old: E, new: E, secrets: Secrets, action: AuditAction) -> E:
        new = identified(new, self._new_id)
        new = self._with_masks(new, getattr(old, "masks", {}), secrets)
        if new == old and not secrets:
            return old
        new = msgspec.structs.replace(new, version=old.version + 1, updated_at=self.now, updated_by=self.actor.id)
        new = self._with_version(new)
        self._check(kind, new, old)
        table = kind.table
        done = self.connection.execute(
            update(table).where(table.c.id == old.id, table.c.version == old.version).values(write_row(kind, new))
        )
        if done.rowcount != 1:
            raise Conflict(f"the {kind.noun} has changed since it was read; read it again")
        self._after_write(kind, new, secrets)
        self._log(kind, action, old, new)
        return new

    def archive(self, entity: Entity, *, force: bool = False, expected_version: int | None = None) -> None:
        """Delete an entity and what goes with it: providers with their integration, keys with their user.

        It stays readable for those who ask for the archived, and can be restored for 30 days; its secrets are wiped.
        Members, access and models of integrations are removed altogether. Raises Conflict, naming who refers to it,
        unless it is forced; what can never be deleted (a default workspace, a last owner) cannot be forced either.
        """
        kind = kind_of(type(entity))
        old = self.get(kind.type, entity.id)
        _check_version(kind, old, expected_version)
        check_scope(self, kind, old)
        everything = self.unconfined()
        check_deletion(everything, old, force=force)
        for other in goes_with(everything, old):
            self._archive(kind_of(type(other)), other)
        self._archive(kind, old)

    def restore(self, type: type[E], id: str) -> E:
        """Bring an archived entity back, without its secrets and without what was deleted with it.

        Raises NotFound, or Conflict when it was deleted too long ago or its name has been taken.
        """
        kind = kind_of(type)
        old = self.get(type, id, with_archived=True)
        if old.status != "archived" or old.archived_at is None:
            return old
        if self.now - old.archived_at > _RESTORABLE:
            raise Conflict(f"the {kind.noun} was deleted more than {_RESTORABLE.days} days ago")
        return self._replace(kind, old, msgspec.structs.replace(old, status="active", archived_at=None), {}, "restore")

    def _archive(self, kind: Kind[E], old: E) -> None:
        self.vault.wipe(self.connection, old.id)
        table = kind.table
        if not kind.is_kept:
            self.connection.execute(delete(table).where(table.c.id == old.id))
            self._log(kind, "delete", old, None)
            return
        changed: dict[str, object] = {"masks": {}} if "masks" in old.__struct_fields__ else {}
        new = msgspec.structs.replace(
            old,
            status="archived",
            version=old.version + 1,
            updated_at=self.now,
            archived_at=self.now,
            updated_by=self.actor.id,
            **changed,
        )
        self.connection.execute(update(table).where(table.c.id == old.id).values(write_row(kind, new)))
        if isinstance(old, ApiKey):
            self.connection.execute(delete(tables.api_key_texts).where(tables.api_key_texts.c.api_key_id == old.id))
        self._log(kind, "delete", old, new)

    def note(
        self, action: AuditAction, resource_type: str, resource_id: str, *, workspace_id: str | None = None
    ) -> None:
        """Write an audit entry about something that changes no entity: a login, an export, a secret that was shown."""
        change = audit.Change(
            action=action,
            resource_type=resource_type,
            resource_id=resource_id,
            organisation_id=self.scope.organisation_id,
            workspace_id=workspace_id or self.scope.workspace_id,
            before=None,
            after=None,
        )
        audit.append(self.connection, self.vault, self.actor, change, self.now)

    def _check(self, kind: Kind[E], entity: E, old: E | None) -> None:
        """Refuse what must not be written."""
        check_scope(self, kind, entity)
        check_links(self.connection, kind, entity)
        check_unique(self.connection, kind, entity)
        check_rules(self.unconfined(), entity, old)

    # ---- parts of a write

    def _with_masks(self, entity: E, old: Mapping[str, str], secrets: Secrets) -> E:
        """Return the entity with a mask for each secret that will be stored; a config's text has its own already."""
        if isinstance(entity, Config):
            return entity
        if "masks" not in entity.__struct_fields__:
            if secrets:
                raise ValueError(f"a {type(entity).__name__} has no secrets")
            return entity
        masks = dict(old)
        for field, value in secrets.items():
            masks.pop(field, None)
            if value is not None:
                masks[field] = mask(value.reveal())
        references: Mapping[str, str] = getattr(entity, "references", {})
        for field in references:
            if secrets.get(field) is not None:
                raise ValueError(f"{field} is given as a secret and as a reference")
            masks.pop(field, None)
        return msgspec.structs.replace(entity, masks=masks)

    def _with_version(self, entity: E) -> E:
        """Return a config with the id of the version that this write makes, others as they are."""
        return msgspec.structs.replace(entity, version_id=self._new_id()) if isinstance(entity, Config) else entity

    def _new_id(self) -> str:
        self._ids += 1
        return new_id(self.now, self._ids)

    def _after_write(self, kind: Kind[E], entity: E, secrets: Secrets) -> None:
        """Write what stands in other tables."""
        if secrets:
            self.vault.put(self.connection, entity.organisation_id, entity.id, secrets, self.now)
        for field in getattr(entity, "references", {}):
            self.vault.put(self.connection, entity.organisation_id, entity.id, {field: None}, self.now)
        if isinstance(entity, ApiKey):
            self._write_texts(entity)
        if isinstance(entity, Config):
            self.connection.execute(insert(tables.config_versions).values(write_version(entity)))

    def _write_texts(self, key: ApiKey) -> None:
        texts = tables.api_key_texts
        self.connection.execute(delete(texts).where(texts.c.api_key_id == key.id))
        for text in key.texts:
            if self.connection.execute(select(texts).where(texts.c.digest == text.digest)).first() is not None:
                raise Conflict("there is an API key with this text already")
            self.connection.execute(insert(texts).values(digest=text.digest, api_key_id=key.id))

    def _log(self, kind: Kind[E], action: AuditAction, before: E | None, after: E | None) -> None:
        """Write the audit entry and the line in the change feed."""
        entity = after if after is not None else before
        assert entity is not None
        workspace = entity.id if isinstance(entity, Workspace) else getattr(entity, "workspace_id", None)
        change = audit.Change(
            action=action,
            resource_type=kind.resource,
            resource_id=entity.id,
            organisation_id=entity.organisation_id,
            workspace_id=workspace,
            before=before,
            after=after,
        )
        audit.append(self.connection, self.vault, self.actor, change, self.now)
        revision = self.revision() + 1
        row = {
            "revision": revision,
            "at": self.now,
            "organisation_id": entity.organisation_id,
            "resource_type": kind.resource,
            "resource_id": entity.id,
            "action": action,
        }
        changes = tables.changes
        self.connection.execute(insert(changes).values(row))
        self.connection.execute(delete(changes).where(changes.c.revision <= revision - _KEPT_CHANGES))


def _check_version(kind: Kind[E], stored: E, expected: int | None) -> None:
    if expected is not None and expected != stored.version:
        raise Conflict(
            f"the {kind.noun} has changed since it was read: it is at version {stored.version}; read it again"
        )
