"""Who created which batch at a provider, and how many of its results are charged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "batch_owners",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text()),
        sa.Column("file_id", sa.Text()),
        sa.Column("charged_lines", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_batch_owners"),
    )
    op.create_index("ix_batch_owners_created_at", "batch_owners", ["created_at"])
