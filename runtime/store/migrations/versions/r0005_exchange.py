"""The exchange ledger. Whether numbers given out before it were sent is not known: they are never called void."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _interchange()
    _sets()
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('orderly.client', '*', true)"))
    connection.execute(sa.text("UPDATE control_number SET state = 'before_ledger' WHERE state = 'given'"))


def _interchange() -> None:
    op.create_table(
        "interchange",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("direction", sa.Text(), server_default="", nullable=False),
        sa.Column("standard", sa.Text(), server_default="", nullable=False),
        sa.Column("partner", sa.Text(), server_default="", nullable=False),
        sa.Column("usage", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("blob", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("acknowledgements", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "interchange_number",
        "interchange",
        ["client", "direction", "standard", "partner", "usage", "number"],
        unique=False,
    )
    op.create_index("interchange_newest", "interchange", ["client", "id"], unique=False)
    op.create_index("interchange_run", "interchange", ["run"], unique=False)


def _sets() -> None:
    keyed = sa.text("key <> ''")
    op.create_table(
        "interchange_set",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("interchange", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("group_number", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("errors", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("interchange", "place"),
    )
    op.create_index(
        "interchange_set_key",
        "interchange_set",
        ["client", "key"],
        unique=False,
        sqlite_where=keyed,
        postgresql_where=keyed,
    )
    op.create_index(
        "interchange_set_group", "interchange_set", ["client", "group_number", "interchange"], unique=False
    )
