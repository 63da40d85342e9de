"""What retention needs: counts of what was removed, and for each blob the runs and events that name it."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CLAIM = re.compile(r'"\$blob":"(sha256:[0-9a-f]{64})"')
#: Kind, and the rows that may name blobs: client, owner, JSON.
_NAMING = [
    ("run", "SELECT r.client, r.id, m.body FROM run r JOIN message m ON m.id = r.message WHERE m.body LIKE :named"),
    ("run", "SELECT client, run, output FROM outcome WHERE output LIKE :named"),
    ("event", "SELECT client, id, data FROM event WHERE data LIKE :named"),
]
_INSERT = (
    "INSERT INTO blob_reference (client, blob, kind, owner) VALUES (:client, :blob, :kind, :owner)"
    " ON CONFLICT DO NOTHING"
)


def upgrade() -> None:
    op.create_table(
        "statistic",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), server_default="", nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("statistic_day", "statistic", ["client", "day"], unique=False)
    op.create_index(
        "blob_reference_owner",
        "blob_reference",
        ["owner"],
        unique=False,
        sqlite_where=sa.text("kind <> 'message'"),
        postgresql_where=sa.text("kind <> 'message'"),
    )
    _remember_blobs()


def _remember_blobs() -> None:
    """What earlier versions stored says nowhere but in its JSON which blobs it needs."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('orderly.client', '*', true)"))
    for kind, naming in _NAMING:
        found = connection.execute(sa.text(naming), {"named": '%"$blob":"sha256:%'}).fetchall()
        rows = [
            {"client": client, "blob": blob, "kind": kind, "owner": owner}
            for client, owner, text in found
            for blob in _CLAIM.findall(text)
        ]
        if rows:
            connection.execute(sa.text(_INSERT), rows)
