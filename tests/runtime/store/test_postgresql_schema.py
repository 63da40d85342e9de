"""The schema on PostgreSQL, and the second wall between clients that stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, select, text, update

from connectors.sdk import Misconfigured
from runtime.model.run import RunState
from runtime.store import migrations, postgresql_schema, tables
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql_session import Text
from runtime.store.postgresql_tx import DIALECT
from runtime.store.statements import Statement, Tx
from runtime.store.store import StoreError, Unavailable
from tests.runtime.store.database import Database
from tests.runtime.store.rows import (
    approval,
    commit,
    once,
    started,
)
from tests.runtime.store.test_statements import statements
from tests.runtime.store.units import note


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Iterator[PostgresqlStore]:
    store = database.open(tmp_path)
    yield store
    store.close()


def test_a_transaction_of_one_client_sees_and_writes_no_row_of_another(
    store: PostgresqlStore, database: Database
) -> None:
    """Whatever SQL it runs: the statements here name no client."""
    assert store.walled
    store.register_client("mercy", "Mercy")
    lease = started(store.for_client("mercy"), store, "R-1/0", keys=(("po", "1"),))
    commit(store, lease, RunState.WAITING, approvals=(approval(),), intents=(once("order"),))
    mine, other = store.backend("mercy"), store.backend("other")
    everything = [Statement(select(table)) for table in tables.metadata.sorted_tables]

    def seen(backend: Any) -> int:
        return sum(len(backend.read(lambda tx, all=all: tx.all(all))) for all in everything)

    assert seen(other) == 0
    assert seen(mine) == seen(store) > 5
    assert other.transact(lambda tx: tx.run(Statement(update(tables.run).values(why="mine now")))) == 0
    with pytest.raises(StoreError, match="row-level security"):
        other.transact(note("a row of mercy"))
    with pytest.raises(StoreError, match="row-level security"):
        mine.transact(lambda tx: tx.run(Statement(update(tables.run).values(client="other"))))
    assert database.sql("SELECT DISTINCT client, why FROM run") == [("mercy", "")]


def test_a_session_that_is_nobodys_sees_nothing(store: PostgresqlStore, database: Database) -> None:
    started(store.for_client("mercy"), store)

    with psycopg.connect(database.url) as connection:
        assert connection.execute(f"SELECT count(*) FROM {database.schema}.run").fetchone() == (0,)


def test_every_table_of_rows_of_clients_has_the_wall(store: PostgresqlStore, database: Database) -> None:
    walled = database.sql(
        "SELECT relname::text FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
        " WHERE relnamespace = to_regnamespace(%s) AND relrowsecurity AND relforcerowsecurity",
        database.schema,
    )

    assert {name for (name,) in walled} == set(tables.metadata.tables)


def test_a_user_whom_no_wall_binds_is_told(database: Database, tmp_path: Path, capsys: Any) -> None:
    if database.admin == database.url:
        pytest.skip("the user given in ORDERLY_TEST_POSTGRESQL is bound: name a superuser there")

    database.open(tmp_path).close()
    store = database.open(tmp_path, url=database.admin)

    assert not store.walled
    assert "neither superuser nor BYPASSRLS" in capsys.readouterr().out
    store.close()


def test_the_migrations_make_the_tables_that_are_declared(store: PostgresqlStore, database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(database.url, options=f"-c search_path={database.schema}")

    engine = create_engine("postgresql+psycopg://", creator=connect)
    with engine.connect() as connection:
        own = {"include_name": lambda name, kind, _: kind != "table" or name != "last_unit"}
        differences = compare_metadata(MigrationContext.configure(connection, opts=own), tables.metadata)
    engine.dispose()

    assert differences == []


def test_every_statement_is_one_that_the_server_understands(store: PostgresqlStore, database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True, options=f"-c search_path={database.schema}") as connection:
        for name, statement in statements():
            result = connection.pgconn.prepare(b"", Text(statement.compiled(DIALECT)[0]).sql)
            assert not result.error_message, name


@pytest.mark.parametrize(("revision", "advice"), [("9999", "newer version"), ("0000", "orderly db upgrade")])
def test_a_schema_of_another_version_is_left_alone(
    fresh: Database, tmp_path: Path, revision: str, advice: str
) -> None:
    fresh.open(tmp_path).close()
    fresh.sql("UPDATE alembic_version SET version_num = %s", revision)

    with pytest.raises(Unavailable, match=advice):
        fresh.open(tmp_path)

    assert fresh.sql("SELECT version_num FROM alembic_version") == [(revision,)]


def test_what_only_postgresql_has_is_laid_anew_where_it_is_another_ones(fresh: Database, tmp_path: Path) -> None:
    fresh.open(tmp_path).close()
    fresh.sql("DROP POLICY one_client ON run; COMMENT ON TABLE alembic_version IS 'of before'")

    assert postgresql_schema.upgrade(fresh.address()) == migrations.HEAD

    assert fresh.sql("SELECT count(*) FROM pg_policy WHERE polrelid = 'run'::regclass") == [(1,)]


def test_a_schema_that_is_not_ours_is_left_alone(fresh: Database, tmp_path: Path) -> None:
    with psycopg.connect(fresh.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {fresh.schema}")
        connection.execute(f"CREATE TABLE {fresh.schema}.things (id text)")

    with pytest.raises(Unavailable, match="not those of Orderly"):
        fresh.open(tmp_path)


def test_an_address_that_cannot_be_is_misconfigured_and_no_error_shows_the_password(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not the address of a PostgreSQL database"):
        PostgresqlStore("mysql://somewhere", data=tmp_path)
    with pytest.raises(Misconfigured, match=r"schema .* cannot be used"):
        PostgresqlStore("postgresql://127.0.0.1/x", data=tmp_path, schema='x"; DROP')
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/none") as away:
        PostgresqlStore("postgresql://me:secret-word@127.0.0.1:1/none", data=tmp_path)

    assert "secret-word" not in str(away.value)


def test_hot_statements_use_an_index(store: PostgresqlStore) -> None:
    """What runs for every message never scans a table, row-level security or not."""
    queries = [
        "SELECT id FROM run WHERE due_at <= 1 AND state IN ('ready','leased') ORDER BY due_at, id LIMIT 5",
        "SELECT * FROM run WHERE client = 'mercy' ORDER BY id DESC LIMIT 5",
        "UPDATE run SET fence = 2 WHERE id = 'r' AND fence = 1 AND state = 'leased'",
        "SELECT * FROM outcome WHERE run = 'r'",
        "SELECT * FROM timer WHERE client = 'm' AND event_type = 'e' AND event_key = 'k' AND state = 'open'",
        "SELECT * FROM expectation WHERE client = 'm' AND event_type = 'e' AND event_key = 'k'",
        "SELECT * FROM expectation WHERE state = 'open' AND due_at <= 1",
        "SELECT run FROM business_key WHERE client = 'm' AND value = 'v'",
        "UPDATE last_unit SET number = 1 WHERE session = 's'",
    ]

    def plans(tx: Tx) -> list[str]:
        tx.run(Statement(text("SET LOCAL enable_seqscan = off")))
        return [str(tx.all(Statement(text(f"EXPLAIN {query}")))) for query in queries]

    for query, plan in zip(queries, store.backend("mercy").transact(plans), strict=True):
        assert "Index" in plan, (query, plan)
        assert "Seq Scan" not in plan, (query, plan)
