"""The tables of the database, as SQLAlchemy Core describes them. Migrations make them; a test compares the two.

An entity's row has its identity, owner, state and what must be unique or searched in typed columns, and the rest of
the Struct as JSON in ``document``. Secrets have a table of their own and are in no document.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, stored as whole milliseconds since 1970: the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what is stored."""
        return None if value is None else (value - _EPOCH) // _MILLISECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return the time again."""
        return None if value is None else _EPOCH + value * _MILLISECOND


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _link(name: str, target: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, ForeignKey(f"{target}.id"), nullable=null, index=True)


def _entities(name: str, *columns: Column[str] | Column[bool] | Column[datetime]) -> Table:
    """Describe the table of an entity."""
    return Table(
        name,
        metadata,
        Column("id", Text, primary_key=True),
        _text("organisation_id") if name == "organisations" else _link("organisation_id", "organisations"),
        _text("status"),
        Column("version", Integer, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("updated_at", Moment, nullable=False),
        Column("archived_at", Moment),
        *columns,
        Column("document", Text, nullable=False),
    )


def _unique_while_active(table: Table, *names: str) -> None:
    """Let a name be taken again once its owner is archived."""
    is_there: ColumnElement[bool] = table.c.status != "archived"
    columns = [table.c[name] for name in names]
    label = f"ux_{table.name}_{'_'.join(names)}"
    Index(label, *columns, unique=True, sqlite_where=is_there, postgresql_where=is_there)


organisations = _entities("organisations", _text("slug"), _text("name"))
workspaces = _entities(
    "workspaces", _text("slug"), _text("name"), _text("name_key"), Column("is_default", Boolean, nullable=False)
)
users = _entities("users", _text("email"), _text("email_key"), _text("role"))
members = _entities("members", _link("workspace_id", "workspaces"), _link("user_id", "users"), _text("role"))
invites = _entities(
    "invites",
    _text("email"),
    _text("email_key"),
    _text("role"),
    _text("state"),
    _text("token_digest"),
    Column("expires_at", Moment, nullable=False),
)
api_keys = _entities(
    "api_keys",
    _text("kind"),
    _link("workspace_id", "workspaces", null=True),
    _link("user_id", "users", null=True),
    _text("name"),
)
integrations = _entities(
    "integrations",
    _text("slug"),
    _text("name"),
    _text("provider"),
    _link("workspace_id", "workspaces", null=True),
    Column("is_hidden", Boolean, nullable=False),
)
integration_models = _entities("integration_models", _link("integration_id", "integrations"), _text("slug"))
workspace_access = _entities(
    "workspace_access",
    _link("integration_id", "integrations"),
    _link("workspace_id", "workspaces"),
    Column("is_enabled", Boolean, nullable=False),
)
providers = _entities(
    "providers",
    _link("workspace_id", "workspaces"),
    _link("integration_id", "integrations"),
    _text("slug"),
    _text("name"),
)
configs = _entities("configs", _link("workspace_id", "workspaces"), _text("slug"), _text("name"))
usage_policies = _entities("usage_policies", _link("workspace_id", "workspaces"), _text("name"))
rate_policies = _entities("rate_policies", _link("workspace_id", "workspaces"), _text("name"))
secret_references = _entities("secret_references", _text("slug"), _text("name"), _text("manager"))

_unique_while_active(organisations, "slug")
_unique_while_active(workspaces, "organisation_id", "slug")
_unique_while_active(workspaces, "organisation_id", "name_key")
_unique_while_active(users, "organisation_id", "email_key")
_unique_while_active(members, "workspace_id", "user_id")
_unique_while_active(invites, "token_digest")
_unique_while_active(integrations, "organisation_id", "slug")
_unique_while_active(integration_models, "integration_id", "slug")
_unique_while_active(workspace_access, "integration_id", "workspace_id")
_unique_while_active(providers, "workspace_id", "slug")
_unique_while_active(configs, "organisation_id", "slug")
_unique_while_active(secret_references, "organisation_id", "slug")

config_versions = Table(
    "config_versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("config_id", Text, ForeignKey("configs.id"), nullable=False),
    Column("number", Integer, nullable=False),
    _text("name"),
    _text("text"),
    _text("secret_field", null=True),
    Column("created_at", Moment, nullable=False),
    _text("created_by", null=True),
    Index("ux_config_versions_config_id_number", "config_id", "number", unique=True),
)

api_key_texts = Table(
    "api_key_texts",
    metadata,
    Column("digest", Text, primary_key=True),
    _link("api_key_id", "api_keys"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    _link("organisation_id", "organisations"),
    Column("ciphertext", LargeBinary, nullable=False),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Text, primary_key=True),
    _text("master_key_id"),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    _text("organisation_id", null=True),
    _text("resource_type"),
    _text("resource_id"),
    _text("action"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    _text("organisation_id", null=True),
    _text("workspace_id", null=True),
    _text("actor_kind"),
    _text("actor_id", null=True),
    _text("action"),
    _text("resource_type"),
    _text("resource_id"),
    _text("method", null=True),
    _text("uri", null=True),
    _text("request_id", null=True),
    _text("client_ip", null=True),
    _text("document"),
    _text("digest"),
    Index("ix_audit_entries_organisation_id_at", "organisation_id", "at"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    _text("digest"),
    _text("seal"),
)

replies = Table(
    "replies",
    metadata,
    Column("organisation_id", Text, ForeignKey("organisations.id"), primary_key=True),
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("request_digest"),
    Column("created_at", Moment, nullable=False, index=True),
    Column("ciphertext", LargeBinary, nullable=False),
)

batch_owners = Table(
    "batch_owners",
    metadata,
    Column("workspace_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _text("slug"),
    Column("key_id", Text),
    Column("file_id", Text),
    Column("charged_lines", Integer, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("hold", Text),
)

told = Table(
    "told",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
)
