"""All tables of the first version. A revision that was released is never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("key_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_hash"),
    )
    op.create_index("api_key_client", "api_key", ["client", "id"], unique=False)
    op.create_table(
        "approval",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), server_default="", nullable=False),
        sa.Column("policy_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("document_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("requester", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("needs", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("decisions", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approval_newest", "approval", ["client", "state", "id"], unique=False)
    op.create_index("approval_run", "approval", ["run"], unique=False)
    op.create_index(
        "approval_due",
        "approval",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open' AND due_at IS NOT NULL"),
        postgresql_where=sa.text("state = 'open' AND due_at IS NOT NULL"),
    )
    op.create_table(
        "attempt",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("input", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("attempt_run", "attempt", ["run"], unique=False)
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_newest", "audit", ["client", "seq"], unique=False)
    op.create_index("audit_subject", "audit", ["client", "subject", "at"], unique=False)
    op.create_table(
        "blob_reference",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("client", "blob", "kind", "owner"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "business_key",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("run", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("business_key_value", "business_key", ["client", "value", "run"], unique=False)
    op.create_table(
        "call",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("child", sa.Text(), server_default="", nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run", "node", "iteration"),
        sqlite_with_rowid=False,
    )
    op.create_index("call_child", "call", ["child"], unique=False)
    op.create_table(
        "client",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "connection_state",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "name"),
    )
    op.create_table(
        "control_number",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), server_default="", nullable=False),
        sa.Column("run", sa.Text(), server_default="", nullable=False),
        sa.Column("node", sa.Text(), server_default="", nullable=False),
        sa.Column("iteration", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "series", "run", "node", "iteration"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "control_series",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "series"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cursor",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "name"),
    )
    op.create_table(
        "event",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), server_default="", nullable=False),
        sa.Column("node", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sqlite_autoincrement=True,
    )
    op.create_index("event_key", "event", ["client", "type", "key", "position"], unique=False)
    op.create_index("event_run", "event", ["run"], unique=False)
    op.create_table(
        "exception",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("node", sa.Text(), server_default="", nullable=False),
        sa.Column("iteration", sa.Text(), server_default="", nullable=False),
        sa.Column("field", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("expectation", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("exception_newest", "exception", ["client", "state", "id"], unique=False)
    op.create_index(
        "exception_run",
        "exception",
        ["run"],
        unique=False,
        sqlite_where=sa.text("run IS NOT NULL"),
        postgresql_where=sa.text("run IS NOT NULL"),
    )
    op.create_table(
        "expectation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), server_default="", nullable=False),
        sa.Column("event_key", sa.Text(), server_default="", nullable=False),
        sa.Column("within", sa.Float(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run", "node", "iteration", "event_type", "event_key"),
    )
    op.create_index(
        "expectation_due",
        "expectation",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("expectation_event", "expectation", ["client", "event_type", "event_key"], unique=False)
    op.create_table(
        "identity",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("identity", sa.Text(), server_default="", nullable=False),
        sa.Column("run", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "flow", "identity"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intent",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), server_default="", nullable=False),
        sa.Column("operation", sa.Text(), server_default="", nullable=False),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("parameters", sa.Text(), nullable=True),
        sa.Column("look_up", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run", "node", "iteration"),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "outcome",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("undo", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("unread", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("run", "node", "iteration"),
    )
    op.create_table(
        "release",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "hash"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("release", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("caller_run", sa.Text(), nullable=True),
        sa.Column("caller_node", sa.Text(), nullable=True),
        sa.Column("caller_iteration", sa.Text(), nullable=True),
        sa.Column("caller_waits", sa.Integer(), nullable=True),
        sa.Column("reprocess_of", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("signals", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("held_by", sa.Text(), server_default="", nullable=False),
        sa.Column("order_key", sa.Text(), nullable=True),
        sa.Column("lane", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "run_due",
        "run",
        ["lane", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("run_flow", "run", ["client", "flow", "id"], unique=False)
    op.create_index(
        "run_held",
        "run",
        ["client", "held_by", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index("run_newest", "run", ["client", "id"], unique=False)
    op.create_index(
        "run_order",
        "run",
        ["client", "flow", "order_key", "id"],
        unique=False,
        sqlite_where=sa.text("order_key IS NOT NULL"),
        postgresql_where=sa.text("order_key IS NOT NULL"),
    )
    op.create_index(
        "run_reprocess",
        "run",
        ["reprocess_of"],
        unique=False,
        sqlite_where=sa.text("reprocess_of IS NOT NULL"),
        postgresql_where=sa.text("reprocess_of IS NOT NULL"),
    )
    op.create_index("run_state", "run", ["client", "state", "id"], unique=False)
    op.create_table(
        "secret",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("key_id", sa.Text(), server_default="", nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "name"),
    )
    op.create_table(
        "small_blob",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), server_default="", nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("client", "blob"),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("session_user", "session", ["client", "user"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tick",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), server_default="", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("client", "flow", "due_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "timer",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("event_key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("event", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run", "node", "iteration"),
    )
    op.create_index(
        "timer_event",
        "timer",
        ["client", "event_type", "event_key"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), server_default="", nullable=False),
        sa.Column("login_folded", sa.Text(), server_default="", nullable=False),
        sa.Column("mail", sa.Text(), server_default="", nullable=False),
        sa.Column("mail_folded", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), server_default="", nullable=False),
        sa.Column("disabled", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client", "login_folded"),
    )
    op.create_index(
        "user_mail",
        "user",
        ["client", "mail_folded"],
        unique=True,
        sqlite_where=sa.text("mail_folded <> ''"),
        postgresql_where=sa.text("mail_folded <> ''"),
    )
