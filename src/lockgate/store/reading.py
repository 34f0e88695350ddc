"""Reading from the database, always within a scope: the one place where tenants are kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, desc, false, func, or_, select, true

from lockgate.core.secret import Secret
from lockgate.entities import (
    EVERYTHING,
    ApiKey,
    AuditEntry,
    Config,
    ConfigVersion,
    Entity,
    Estate,
    Integration,
    IntegrationModel,
    Member,
    Organisation,
    ProviderRecord,
    RatePolicy,
    Scope,
    SecretReference,
    UsagePolicy,
    User,
    Workspace,
    WorkspaceAccess,
)
from lockgate.errors import Forbidden, InvalidRequest, NotFound
from lockgate.store import audit, tables
from lockgate.store.envelope import Vault
from lockgate.store.filters import Wanted, conditions, is_storable
from lockgate.store.kinds import INTEGRATION, Kind, kind_of
from lockgate.store.rows import read_row, read_version

E = TypeVar("E", bound=Entity)


class Page(Struct, Generic[E], frozen=True, kw_only=True):
    """One page of a list, and how many there are on all pages."""

    items: tuple[E, ...]
    total: int


class Reading:
    """What there is, at one moment, for somebody with a scope.

    Archived entities are left out unless they are asked for. Filters (``**equals``) name typed columns: every entity
    has id, organisation_id, status; the others are in ``store.kinds``. A sequence means any of its values.
    """

    def __init__(self, connection: Connection, scope: Scope, vault: Vault) -> None:
        self.connection = connection
        """For this package alone, as is the vault."""
        self.vault = vault
        self.scope = scope

    def find(self, type: type[E], name: str, *, with_archived: bool = False, **equals: Wanted) -> E | None:
        """Return the entity of that id or slug, or None. An id goes before a slug, the living before the archived.

        Raises InvalidRequest when a slug stands for several, because the scope has several workspaces.
        """
        if not is_storable(name):
            return None
        kind = kind_of(type)
        columns = kind.table.c
        query = self._select(kind, with_archived, equals).where(
            or_(*(columns[column] == name for column in kind.names))
        )
        best_first = (desc(columns.id == name), columns.status == "archived", columns.updated_at.desc())
        found = [read_row(kind, row) for row in self.connection.execute(query.order_by(*best_first).limit(2))]
        if len(found) == 2 and found[0].id != name and found[1].status != "archived":
            raise InvalidRequest(f"there are several of that name: say which workspace the {kind.noun} is in")
        return found[0] if found else None

    def get(self, type: type[E], name: str, *, with_archived: bool = False, **equals: Wanted) -> E:
        """Return the entity of that id or slug. Raises NotFound, also for what the scope does not show."""
        found = self.find(type, name, with_archived=with_archived, **equals)
        if found is None:
            raise NotFound(f"there is no {kind_of(type).noun} {name[:255]!r}")
        return found

    def all(self, type: type[E], *, with_archived: bool = False, **equals: Wanted) -> tuple[E, ...]:
        """Return all that match, the newest first."""
        kind = kind_of(type)
        rows = self.connection.execute(_newest_first(kind, self._select(kind, with_archived, equals)))
        return tuple(read_row(kind, row) for row in rows)

    def page(
        self,
        type: type[E],
        *,
        page: int = 0,
        size: int = 100,
        search: str | None = None,
        with_archived: bool = False,
        **equals: Wanted,
    ) -> Page[E]:
        """Return one page of what matches, the newest first; ``page`` counts from 0.

        ``search`` is looked for in names and slugs; the case of ASCII letters does not matter.
        """
        kind = kind_of(type)
        query = self._select(kind, with_archived, equals)
        if search:
            query = query.where(*_holds(kind, search))
        total = self.connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        rows = self.connection.execute(_newest_first(kind, query).limit(size).offset(page * size))
        return Page(items=tuple(read_row(kind, row) for row in rows), total=total)

    def count(self, type: type[E], *, with_archived: bool = False, **equals: Wanted) -> int:
        """Return how many match."""
        query = self._select(kind_of(type), with_archived, equals)
        return self.connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()

    def find_api_key(self, digest: str) -> ApiKey | None:
        """Return the key that a text opens, by the hex digest of the text; rotation deadlines are not looked at."""
        ids = select(tables.api_key_texts.c.api_key_id).where(tables.api_key_texts.c.digest == digest)
        kind = kind_of(ApiKey)
        row = self.connection.execute(self._select(kind, False, {}).where(kind.table.c.id.in_(ids))).one_or_none()
        return read_row(kind, row) if row is not None else None

    def secrets_of(self, entity: Entity) -> dict[str, Secret]:
        """Return the secrets that are stored for an entity, by field. Raises Forbidden for one that is only shared."""
        self._check_secrets(entity)
        return {field: secret for (_, field), secret in self.vault.get(self.connection, entity.id).items()}

    def audit_entries(
        self,
        *,
        page: int = 0,
        size: int = 50,
        since: datetime | None = None,
        until: datetime | None = None,
        **equals: Wanted,
    ) -> tuple[tuple[AuditEntry, ...], int]:
        """Return one page of the audit log, the newest first, and how many entries match.

        Filters are the fields of AuditEntry. Somebody confined to a workspace sees that workspace's entries.
        """
        return audit.page_of(self.connection, self.scope, page=page, size=size, since=since, until=until, equals=equals)

    def unconfined(self) -> Reading:
        """Return the same moment without the scope, for rules that concern what the scope does not show."""
        return Reading(self.connection, EVERYTHING, self.vault)

    def revision(self) -> int:
        """Return the position in the change feed."""
        revision: int = self.connection.execute(
            select(func.coalesce(func.max(tables.changes.c.revision), 0))
        ).scalar_one()
        return revision

    def estate(self) -> Estate:
        """Return everything that is active, as this transaction sees it. Not confined to the scope."""
        return Estate(
            revision=self.revision(),
            organisations=self._everything(Organisation),
            workspaces=self._everything(Workspace),
            users=self._everything(User),
            members=self._everything(Member),
            api_keys=self._everything(ApiKey),
            integrations=self._everything(Integration),
            integration_models=self._everything(IntegrationModel),
            workspace_access=self._everything(WorkspaceAccess),
            providers=self._everything(ProviderRecord),
            configs=self._everything(Config),
            config_versions=self._config_versions(),
            usage_policies=self._everything(UsagePolicy),
            rate_policies=self._everything(RatePolicy),
            secret_references=self._everything(SecretReference),
            secrets=self.vault.get(self.connection),
        )

    # ---- inside

    def _everything(self, type: type[E]) -> tuple[E, ...]:
        kind = kind_of(type)
        rows = self.connection.execute(select(kind.table).where(kind.table.c.status != "archived"))
        return tuple(read_row(kind, row) for row in rows)

    def _config_versions(self) -> tuple[ConfigVersion, ...]:
        configs, versions = tables.configs.c, tables.config_versions
        kept = select(versions).join_from(versions, tables.configs).where(configs.status != "archived")
        return tuple(read_version(row) for row in self.connection.execute(kept))

    def _select(self, kind: Kind[E], with_archived: bool, equals: Mapping[str, Wanted]) -> Select[Any]:
        query = select(kind.table).where(self._is_visible(kind))
        if not with_archived and "status" not in equals:
            query = query.where(kind.table.c.status != "archived")
        return query.where(*conditions(kind.table, equals))

    def _is_visible(self, kind: Kind[E]) -> ColumnElement[bool]:
        """Return the condition that the scope puts on a kind's rows."""
        columns, scope = kind.table.c, self.scope
        inside: ColumnElement[bool] = true()
        if scope.organisation_id is not None:
            inside = columns.organisation_id == scope.organisation_id
        workspace_id = scope.workspace_id
        if workspace_id is None:
            return inside
        match kind.workspace:
            case "organisation":
                return inside if kind.type is Organisation else false()
            case "itself":
                return inside & (columns.id == workspace_id)
            case "own" | "granted":
                return inside & (columns.workspace_id == workspace_id)
            case "shared":
                access = tables.workspace_access.c
                granted = select(access.integration_id).where(access.workspace_id == workspace_id, access.is_enabled)
                shared = columns.workspace_id.is_(None) & columns.id.in_(granted)
                return inside & ((columns.workspace_id == workspace_id) | shared)
            case "parent":
                seen = select(INTEGRATION.table.c.id).where(self._is_visible(INTEGRATION))
                return inside & columns.integration_id.in_(seen)
            case "people":
                people = select(tables.members.c.user_id).where(tables.members.c.workspace_id == workspace_id)
                return inside & columns.id.in_(people)

    def _check_secrets(self, entity: Entity) -> None:
        kind = kind_of(type(entity))
        seen = self.get(kind.type, entity.id, with_archived=True)
        owner = self.get(Integration, seen.integration_id) if isinstance(seen, IntegrationModel) else seen
        confined = self.scope.workspace_id
        if confined is not None and getattr(owner, "workspace_id", None) != confined:
            raise Forbidden(f"the {kind.noun} belongs to the organisation; its secrets do not show in a workspace")


def _holds(kind: Kind[E], search: str) -> list[ColumnElement[bool]]:
    """Return the condition that a searched column holds a text. SQLite knows the case of ASCII letters only."""
    if not is_storable(search):
        return [false()]
    folded = "".join(letter.lower() if letter.isascii() else letter for letter in search)
    columns = [kind.table.c[name] for name in kind.search]
    exact = [column.contains(search, autoescape=True) for column in columns]
    return [or_(*(func.lower(column).contains(folded, autoescape=True) for column in columns), *exact)]


def _newest_first(kind: Kind[E], query: Select[Any]) -> Select[Any]:
    return query.order_by(kind.table.c.created_at.desc(), kind.table.c.id.desc())
