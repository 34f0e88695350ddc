"""Answers that are kept for callers who ask twice with the same Idempotency-Key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "replies",
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "caller", "key", name="pk_replies"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_replies_organisation_id"),
    )
    op.create_index("ix_replies_created_at", "replies", ["created_at"])
