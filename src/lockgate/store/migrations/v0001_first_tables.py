"""The first tables. A frozen copy of how ``store.tables`` was: what is released is not edited."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.sql.expression import ColumnElement

revision = "0001"
down_revision = None

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


def _entities(name: str, *columns: Column[str] | Column[bool] | Column[int]) -> Table:
    """Describe the table of an entity."""
    return Table(
        name,
        metadata,
        Column("id", Text, primary_key=True),
        _text("organisation_id") if name == "organisations" else _link("organisation_id", "organisations"),
        _text("status"),
        Column("version", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("archived_at", BigInteger),
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
    Column("expires_at", BigInteger, nullable=False),
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
_unique_while_active(secret_references, "organisation_id", "slug")

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
    Column("created_at", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    _text("organisation_id", null=True),
    _text("resource_type"),
    _text("resource_id"),
    _text("action"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
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


def upgrade() -> None:
    """Make them."""
    metadata.create_all(op.get_bind())
