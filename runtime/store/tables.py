"""The tables, declared once: statements, migrations and the conversion of rows are derived from them.

Every row carries ``client``. Times are integer microseconds since 1970 UTC, JSON is compact text of ASCII only
(so that no character a message may carry is one that a database refuses). ``attempt``, ``event`` and ``audit``
are only ever added to. There are no foreign keys: rows of one run are written by one unit, and retention
removes them in batches of its own order.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from runtime.model.run import IntentState, OutcomeState, RunState

metadata = MetaData()


class Time(BigInteger):
    """An instant: microseconds since 1970 UTC in the row, an aware ``datetime`` outside."""


class Json(Text):
    """Compact JSON in the row, a Python value outside; NULL is ``None``."""


class Flag(Integer):
    """0 or 1 in the row, ``bool`` outside."""


def _text(name: str, default: str | None = "") -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=default)


def _state(name: str, words: type) -> Column[Any]:
    return Column(name, Text, nullable=False, info={"word": words})


def _time(name: str, nullable: bool = True) -> Column[Any]:
    return Column(name, Time, nullable=nullable)


def _id() -> Column[Any]:
    return Column("id", Text, primary_key=True)


def _client() -> Column[Any]:
    return Column("client", Text, nullable=False)


def _sequence(name: str) -> Column[Any]:
    """A number that grows with every row and is never given out again."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _position() -> tuple[Column[Any], ...]:
    return (_client(), _text("run", None), _text("node", None), _text("iteration", None))


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


_SMALL: dict[str, Any] = {"sqlite_with_rowid": False}

client = Table("client", metadata, _id(), _text("name"), _time("created_at", False))

release = Table(
    "release", metadata,
    _client(), _text("hash", None), Column("content", Json, nullable=False), _time("created_at", False),
    PrimaryKeyConstraint("client", "hash"),
)  # fmt: skip

message = Table(
    "message", metadata,
    _id(), _client(), Column("raw", Text), _text("content_type"), Column("headers", Json), Column("body", Json),
    _text("digest"), _time("created_at", False),
)  # fmt: skip

#: ``due_at`` is when the run may be acquired: now, a wake-up time, or the end of its lease; empty: not at all.
#: ``seen`` is what ``signals`` was when the lease was taken.
run = Table(
    "run", metadata,
    _id(), _client(), _text("flow"), _text("version"), _text("release"), _text("message"),
    _state("state", RunState), _text("source"), Column("identity", Text), _time("created_at", False),
    _time("checkpoint_at", False), _time("due_at"), _time("finished_at"), _text("why"), Column("outcome", Text),
    Column("reply", Json), Column("caller_run", Text), Column("caller_node", Text),
    Column("caller_iteration", Text), Column("caller_waits", Flag), Column("reprocess_of", Text),
    Column("fence", Integer, nullable=False), Column("signals", Integer, nullable=False),
    Column("seen", Integer, nullable=False), _text("owner"), _text("held_by"), Column("order_key", Text),
    _text("lane"),
    Index("run_due", "lane", "due_at", **_where("due_at IS NOT NULL")),
    Index("run_newest", "client", "id"),
    Index("run_state", "client", "state", "id"),
    Index("run_flow", "client", "flow", "id"),
    Index("run_order", "client", "flow", "order_key", "id", **_where("order_key IS NOT NULL")),
    Index("run_held", "client", "held_by", "id", **_where("state = 'held'")),
    Index("run_line", "client", "held_by", "id", **_where("state = 'waiting' AND held_by <> ''")),
    Index("run_reprocess", "reprocess_of", **_where("reprocess_of IS NOT NULL")),
)  # fmt: skip

attempt = Table(
    "attempt", metadata,
    _sequence("seq"), *_position(), Column("number", Integer, nullable=False), _text("kind"),
    _time("started_at", False), _time("finished_at", False), _text("result"), Column("error", Json),
    Column("input", Json),
    Index("attempt_run", "run"),
    sqlite_autoincrement=True,
)  # fmt: skip

outcome = Table(
    "outcome", metadata,
    *_position(), _state("state", OutcomeState), _text("name"), Column("output", Json), Column("error", Json),
    Column("attempts", Integer, nullable=False), _time("due_at"), Column("undo", Json), _text("engine"),
    _time("started_at"), _time("finished_at"), Column("unread", Flag, nullable=False, server_default="0"),
    PrimaryKeyConstraint("run", "node", "iteration"),
)  # fmt: skip

intent = Table(
    "intent", metadata,
    *_position(), _text("effect"), _text("operation"), Column("connection", Text), Column("parameters", Json),
    Column("look_up", Json), _state("state", IntentState), Column("fence", Integer, nullable=False),
    _time("opened_at"),
    PrimaryKeyConstraint("run", "node", "iteration"),
)  # fmt: skip

expectation = Table(
    "expectation", metadata,
    _id(), *_position(), _text("event_type"), _text("event_key"), Column("within", Float, nullable=False),
    _time("due_at"), _text("state"),
    UniqueConstraint("run", "node", "iteration", "event_type", "event_key"),
    Index("expectation_event", "client", "event_type", "event_key"),
    Index("expectation_due", "due_at", **_where("state = 'open'")),
)  # fmt: skip

timer = Table(
    "timer", metadata,
    *_position(), _time("due_at"), Column("event_type", Text), Column("event_key", Text), _text("state"),
    Column("event", Json),
    PrimaryKeyConstraint("run", "node", "iteration"),
    Index("timer_event", "client", "event_type", "event_key", **_where("state = 'open'")),
)  # fmt: skip

identity = Table(
    "identity", metadata,
    _client(), _text("flow"), _text("identity"), _text("run"), _text("digest"), _time("created_at", False),
    PrimaryKeyConstraint("client", "flow", "identity"), **_SMALL,
)  # fmt: skip

business_key = Table(
    "business_key", metadata,
    _client(), _text("run"), _text("name"), _text("value"),
    PrimaryKeyConstraint("run", "name"),
    Index("business_key_value", "client", "value", "run"), **_SMALL,
)  # fmt: skip

#: Which run a ``call_flow`` started or found; one per position, however often it is tried.
call = Table(
    "call", metadata,
    *_position(), _text("child"), Column("waits", Flag, nullable=False),
    PrimaryKeyConstraint("run", "node", "iteration"),
    Index("call_child", "child"), **_SMALL,
)  # fmt: skip

exception = Table(
    "exception", metadata,
    _id(), _client(), _text("kind"), _text("owner"), _text("message"), _text("node"), _text("iteration"),
    _text("field"), Column("details", Json), Column("run", Text), Column("raw", Text),
    Column("expectation", Text), _text("state"), _text("assignee"), _text("note"), _text("flow"),
    _time("at", False), _time("resolved_at"), _text("resolved_by"),
    Index("exception_newest", "client", "state", "id"),
    Index("exception_run", "run", **_where("run IS NOT NULL")),
)  # fmt: skip

approval = Table(
    "approval", metadata,
    _id(), *_position(), _text("policy"), _text("policy_hash"), Column("document", Json),
    _text("document_hash"), _text("requester"), _text("role"), Column("needs", Integer, nullable=False),
    _text("reason"), _text("flow"), _text("state"), Column("decisions", Json, info={"tuple": True}),
    _time("created_at", False), _time("due_at"), _time("decided_at"),
    Index("approval_newest", "client", "state", "id"),
    Index("approval_run", "run"),
    Index("approval_due", "due_at", **_where("state = 'open' AND due_at IS NOT NULL")),
)  # fmt: skip

event = Table(
    "event", metadata,
    _sequence("position"), _client(), _text("id"), _text("type"), _text("key"), Column("data", Json),
    _text("run"), _text("node"), _time("at", False),
    Index("event_key", "client", "type", "key", "position"),
    Index("event_run", "run"),
    sqlite_autoincrement=True,
)  # fmt: skip

#: Events that wait for others to the same partner; a row goes when its batch does. ``restored``: nobody has let it
#: go since a restore.
batch_item = Table(
    "batch_item", metadata,
    _client(), _text("flow", None), Column("position", BigInteger, nullable=False), _text("partner", None),
    Column("bytes", BigInteger, nullable=False), Column("urgent", Flag, nullable=False, server_default="0"),
    _time("at", False), Column("restored", Flag, nullable=False, server_default="0"),
    PrimaryKeyConstraint("client", "flow", "position"), **_SMALL,
)  # fmt: skip

subscription = Table(
    "subscription", metadata,
    _client(), _text("name"), Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("client", "name"), **_SMALL,
)  # fmt: skip

tick = Table(
    "tick", metadata,
    _client(), _text("flow"), _time("due_at", False), Column("run", Text),
    PrimaryKeyConstraint("client", "flow", "due_at"), **_SMALL,
)  # fmt: skip

cursor = Table(
    "cursor", metadata,
    _client(), _text("name"), Column("value", Json), _time("changed_at", False),
    PrimaryKeyConstraint("client", "name"),
)  # fmt: skip

connection_state = Table(
    "connection_state", metadata,
    _client(), _text("name"), _text("state"), _text("why"), Column("data", Json), _time("until"),
    _time("changed_at", False),
    PrimaryKeyConstraint("client", "name"),
)  # fmt: skip

#: At a connection with bounds: who asks (``asking``), was called from the line (``called``), or asked within the
#: last minute (``asked``).
connection_place = Table(
    "connection_place", metadata,
    _client(), _text("name"), _text("id", None), _text("owner"), _text("run"), _text("state"),
    _time("asked_at", False), _time("until", False),
    PrimaryKeyConstraint("client", "name", "id"), **_SMALL,
)  # fmt: skip

#: The last number given out of each series.
control_series = Table(
    "control_series", metadata,
    _client(), _text("series"), Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("client", "series"), **_SMALL,
)  # fmt: skip

#: ``given`` until its run has ended, then ``sent`` or ``void``; ``before_ledger`` where nobody knows.
control_number = Table(
    "control_number", metadata,
    _client(), _text("series"), _text("run"), _text("node"), _text("iteration"),
    Column("number", BigInteger, nullable=False), _text("state"), _time("created_at", False),
    PrimaryKeyConstraint("client", "series", "run", "node", "iteration"),
    Index("control_number_given", "run", **_where("state = 'given'")), **_SMALL,
)  # fmt: skip

#: Who needs a blob: ``kind`` is the table, ``owner`` its id. That of a message is found by its raw bytes.
blob_reference = Table(
    "blob_reference", metadata,
    _client(), _text("blob"), _text("kind"), _text("owner"),
    PrimaryKeyConstraint("client", "blob", "kind", "owner"),
    Index("blob_reference_owner", "owner", **_where("kind <> 'message'")), **_SMALL,
)  # fmt: skip

#: What became of runs that were removed, by the day (UTC, ``2026-11-24``) they were created. Every batch appends
#: its own counts: sums are for whoever asks.
statistic = Table(
    "statistic", metadata,
    _sequence("seq"), _client(), _text("day"), _text("flow"), _text("state"), _text("outcome"),
    Column("runs", BigInteger, nullable=False), _time("removed_at", False),
    Index("statistic_day", "client", "day"),
    sqlite_autoincrement=True,
)  # fmt: skip

#: Bytes small enough to be kept in the commit that needs them; larger ones lie in the blob folder.
small_blob = Table(
    "small_blob", metadata,
    _client(), _text("blob"), Column("bytes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("client", "blob"),
)  # fmt: skip

#: Where several machines share the store, what is larger is kept here: ``content`` names the parts.
large_blob = Table(
    "large_blob", metadata,
    _client(), _text("blob"), _text("content"), Column("size", BigInteger, nullable=False), _time("put_at", False),
    PrimaryKeyConstraint("client", "blob"),
    Index("large_blob_content", "content", unique=True),
    Index("large_blob_put", "client", "put_at"),
)  # fmt: skip

#: All parts of a content but the last are of one size.
blob_part = Table(
    "blob_part", metadata,
    _client(), _text("content"), Column("number", Integer, nullable=False),
    Column("bytes", LargeBinary, nullable=False), _time("put_at", False),
    PrimaryKeyConstraint("content", "number"),
    Index("blob_part_first", "client", "put_at", **_where("number = 0")),
)  # fmt: skip

#: Runs that were open when a backup was made that was restored, and runs that such a run has started since. What
#: they did after the backup nobody here knows.
restored = Table(
    "restored", metadata,
    _client(), _text("run", None), _time("at", False),
    PrimaryKeyConstraint("run"), **_SMALL,
)  # fmt: skip

#: ``login`` and ``mail`` are as written, the ``_folded`` columns are what is compared.
user = Table(
    "user", metadata,
    _id(), _client(), _text("login"), _text("login_folded"), _text("mail"), _text("mail_folded"), _text("name"),
    Column("roles", Json, nullable=False), _text("password"), Column("disabled", Flag, nullable=False),
    _time("created_at", False),
    UniqueConstraint("client", "login_folded"),
    Index("user_mail", "client", "mail_folded", unique=True, **_where("mail_folded <> ''")),
)  # fmt: skip

session = Table(
    "session", metadata,
    Column("token_hash", Text, primary_key=True), _client(), _text("user"), _time("created_at", False),
    _time("expires_at", False),
    Index("session_user", "client", "user"),
)  # fmt: skip

api_key = Table(
    "api_key", metadata,
    _id(), _client(), _text("name"), _text("key_hash"), Column("scopes", Json, nullable=False),
    _time("created_at", False), _time("revoked_at"),
    UniqueConstraint("key_hash"),
    Index("api_key_client", "client", "id"),
)  # fmt: skip

audit = Table(
    "audit", metadata,
    _sequence("seq"), _client(), _time("at", False), _text("actor"), _text("action"), _text("subject"),
    Column("details", Json),
    Index("audit_newest", "client", "seq"),
    Index("audit_subject", "client", "subject", "at"),
    sqlite_autoincrement=True,
)  # fmt: skip

secret = Table(
    "secret", metadata,
    _client(), _text("name"), _text("key_id"), Column("nonce", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False), _time("changed_at", False),
    PrimaryKeyConstraint("client", "name"),
)  # fmt: skip

#: The exchange ledger: what was sent to partners (``out``) and came from them (``in``). ``serial`` is the control
#: number where it is one; ``ordinal`` the place in its file; ``answer`` the blob it was acknowledged with.
#: ``within`` is how many microseconds after ``sent_at`` an acknowledgement is due; ``due_at`` is when, while it is
#: waited for, and ``overdue_at`` the same once that has passed.
interchange = Table(
    "interchange", metadata,
    _id(), *_position(), Column("ordinal", Integer, nullable=False), _text("flow"), _text("direction"),
    _text("standard"), _text("partner"), _text("usage"), _text("number"), Column("serial", BigInteger),
    _text("digest"), _text("blob"), Column("size", BigInteger, nullable=False), _text("media"), _text("state"),
    Column("acknowledgements", Json), Column("answer", Json), _time("at", False), _time("changed_at", False),
    Column("within", BigInteger), _time("sent_at"), _time("due_at"), _time("overdue_at"),
    Index("interchange_number", "client", "direction", "standard", "partner", "usage", "number"),
    Index("interchange_newest", "client", "id"),
    Index("interchange_run", "run"),
    Index("interchange_due", "due_at", **_where("due_at IS NOT NULL")),
    Index("interchange_written", "run", **_where("state = 'written'")),
)  # fmt: skip

#: Transaction sets and messages of an interchange, in their order. ``key`` is a business key.
interchange_set = Table(
    "interchange_set", metadata,
    _client(), _text("interchange", None), Column("place", Integer, nullable=False), _text("type"),
    _text("number"), _text("group_number"), _text("key"), _text("state"), _text("code"), Column("errors", Json),
    PrimaryKeyConstraint("interchange", "place"),
    Index("interchange_set_key", "client", "key", **_where("key <> ''")),
    Index("interchange_set_group", "client", "group_number", "interchange"),
)  # fmt: skip
