"""Saved routing configs and their versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "configs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger()),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_configs"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_configs_organisation_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_configs_workspace_id"),
    )
    op.create_index("ix_configs_organisation_id", "configs", ["organisation_id"])
    op.create_index("ix_configs_workspace_id", "configs", ["workspace_id"])
    is_there = sa.column("status") != "archived"
    op.create_index(
        "ux_configs_organisation_id_slug",
        "configs",
        ["organisation_id", "slug"],
        unique=True,
        sqlite_where=is_there,
        postgresql_where=is_there,
    )
    op.create_table(
        "config_versions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("secret_field", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_config_versions"),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name="fk_config_versions_config_id"),
    )
    op.create_index("ux_config_versions_config_id_number", "config_versions", ["config_id", "number"], unique=True)
