"""The schema on PostgreSQL: the same revisions, and what only PostgreSQL has, laid over the tables after them.

What is laid over: row-level security on every table that has rows of clients, and the table by which a session
finds out whether its last unit was committed. It is derived from the declared tables, so that a new table gets
it too; a comment on ``alembic_version`` says which one lies there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table

from runtime.store import migrations, tables
from runtime.store.postgresql_address import Address
from runtime.store.postgresql_errors import failed
from runtime.store.store import Unavailable

_LAST_UNIT = """
CREATE TABLE IF NOT EXISTS last_unit (session text PRIMARY KEY, number bigint NOT NULL, at bigint NOT NULL)
WITH (fillfactor = 50);
"""
_WALL = """
ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS one_client ON "{table}";
CREATE POLICY one_client ON "{table}" USING (current_setting('orderly.client', true) IN ("{column}", '*'));
"""
#: Tables whose rows change with every commit: what that leaves behind is cleared away early.
_BUSY = ("run", "intent", "expectation", "last_unit", "connection_place")
_VACUUM = """
ALTER TABLE "{table}" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
"""
#: Sessions that ended without a word leave a row.
_FORGET = "DELETE FROM last_unit WHERE at < (extract(epoch FROM now() - interval '7 days') * 1000000)::bigint"
_TABLES = (
    "SELECT relname::text, obj_description(oid, 'pg_class') FROM pg_class"
    " WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p')"
)
_SEES_ALL = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


def overlay() -> str:
    """SQL that may be carried out again at any time."""
    walls = [_wall(table) for table in tables.metadata.sorted_tables]
    return "".join([_LAST_UNIT, *walls, *(_VACUUM.format(table=name) for name in _BUSY)])


def _wall(table: Table) -> str:
    return _WALL.format(table=table.name, column="client" if "client" in table.c else "id")


def _name_of_overlay() -> str:
    return "orderly " + hashlib.sha256(overlay().encode()).hexdigest()[:16]


def prepare(address: Address) -> bool:
    """Sets up an empty schema, one process at a time. Returns whether the second wall holds: whether this user
    is bound by row-level security. Raises ``Unavailable`` for a schema that is older, newer or something else,
    and where the user may not create it."""
    with connected(address, "orderly set-up") as connection:
        revision, laid, others = _look(connection, address.schema)
        if revision is None and others:
            raise Unavailable(
                f"PostgreSQL at {address.where} holds tables, but not those of Orderly: choose another schema"
            )
        if revision not in (None, migrations.HEAD):
            migrations.refuse(f"PostgreSQL at {address.where}", str(revision))
        if revision is None or laid != _name_of_overlay():
            upgrade(address)
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address.schema)))
        connection.execute(_FORGET)
        found = connection.execute(_SEES_ALL).fetchone()
        return found is not None and not found[0]


def is_current(address: Address) -> bool:
    """Whether there is nothing to upgrade."""
    with connected(address, "orderly set-up") as connection:
        revision, laid, _ = _look(connection, address.schema)
        return revision == migrations.HEAD and laid == _name_of_overlay()


def check_unused(address: Address) -> None:
    """Raises ``Unavailable`` where processes of Orderly are at work in the schema."""
    with connected(address, "orderly set-up") as connection:
        marks = sql.Identifier(address.schema, "last_unit")
        if connection.execute("SELECT to_regclass(%s)", [f"{address.schema}.last_unit"]).fetchone() == (None,):
            return
        asked = sql.SQL(
            "SELECT count(*), string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', ')"
            " FROM {} JOIN pg_stat_activity ON application_name = session"
        )
        row = connection.execute(asked.format(marks)).fetchone()
    if row is not None and row[0]:
        raise Unavailable(
            f"PostgreSQL at {address.where} is in use: {row[0]} sessions from {row[1]}. Stop every orderly web,"
            " worker, clock and serve that works with it, then try again"
        )


def upgrade(address: Address) -> str | None:
    """Brings the schema to this version, all or nothing; of several processes the first does it and the others
    wait. Returns the revision before; ``None`` for an empty schema. Raises ``Unavailable``."""
    with connected(address, "orderly set-up") as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"orderly {address.schema}"])
        if connection.execute("SELECT to_regnamespace(%s)", [address.schema]).fetchone() == (None,):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(address.schema)))
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address.schema)))
        revision, laid, _ = _look(connection, address.schema)
        if revision is not None and revision > migrations.HEAD:
            migrations.refuse(f"PostgreSQL at {address.where}", revision)
        if revision != migrations.HEAD or laid != _name_of_overlay():
            _migrate(connection)
        return revision


def _migrate(connection: psycopg.Connection[Any]) -> None:
    from sqlalchemy import StaticPool, create_engine

    connection.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    with engine.begin() as transaction:
        migrations.upgrade_in(transaction)
        connection.execute(overlay())
        name = sql.Literal(_name_of_overlay())
        connection.execute(sql.SQL("COMMENT ON TABLE alembic_version IS {}").format(name))


@contextmanager
def connected(address: Address, application: str) -> Iterator[psycopg.Connection[Any]]:
    """In autocommit, for what no session is for. Raises ``Unavailable``, also for what is done inside."""
    try:
        with address.connect(application) as connection:
            yield connection
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise failed(error.sqlstate or "08000", message, address.where) from error


def _look(connection: psycopg.Connection[Any], schema: str) -> tuple[str | None, str | None, bool]:
    """The revision if there is one, which overlay lies on it, and whether there are other tables."""
    found: dict[str, str | None] = dict(connection.execute(_TABLES, [schema]).fetchall())
    if "alembic_version" not in found:
        return None, None, bool(found)
    version = sql.Identifier(schema, "alembic_version")
    row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(version)).fetchone()
    return (row[0] if row else None), found["alembic_version"], len(found) > 1
