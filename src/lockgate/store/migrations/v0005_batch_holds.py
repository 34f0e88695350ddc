"""What budgets reserve for a batch until all its results are charged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("batch_owners", sa.Column("hold", sa.Text()))
