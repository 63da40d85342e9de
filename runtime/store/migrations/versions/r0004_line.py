"""Runs that wait for a connection are found in their order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waiting = sa.text("state = 'waiting' AND held_by <> ''")
    op.create_index(
        "run_line",
        "run",
        ["client", "held_by", "id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
