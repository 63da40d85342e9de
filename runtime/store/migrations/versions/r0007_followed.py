"""What was sent and by when its acknowledgement is due. What was written before it has no deadline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("within", "sent_at", "due_at", "overdue_at"):
        op.add_column("interchange", sa.Column(name, sa.BigInteger(), nullable=True))
    _index("interchange_due", "interchange", "due_at", "due_at IS NOT NULL")
    _index("interchange_written", "interchange", "run", "state = 'written'")
    _index("control_number_given", "control_number", "run", "state = 'given'")


def _index(name: str, table: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], unique=False, sqlite_where=where, postgresql_where=where)
