"""Which runs a restore brought back, and room for large blobs in a database that several machines share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restored",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "large_blob",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("put_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "blob"),
    )
    op.create_index("large_blob_content", "large_blob", ["content"], unique=True)
    op.create_index("large_blob_put", "large_blob", ["client", "put_at"], unique=False)
    op.create_table(
        "blob_part",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.Column("put_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content", "number"),
    )
    op.create_index(
        "blob_part_first",
        "blob_part",
        ["client", "put_at"],
        unique=False,
        sqlite_where=sa.text("number = 0"),
        postgresql_where=sa.text("number = 0"),
    )
