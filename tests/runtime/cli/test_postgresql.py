"""Upgrade, backup and restore of a PostgreSQL store, as an operator does them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import StaticPool, create_engine

from runtime.store import migrations, postgresql_schema, tables
from tests.faults.fleet import database as empty_database
from tests.runtime.cli.command import Desk, until
from tests.runtime.cli.test_housekeeping import approve, elsewhere, is_over, waiting, with_omar


@pytest.fixture
def url() -> Iterator[str]:
    with empty_database() as url:
        yield url


@pytest.fixture
def other_url() -> Iterator[str]:
    with empty_database() as url:
        yield url


@pytest.fixture
def shared(desk: Desk, url: str) -> Desk:
    """With its rows in PostgreSQL."""
    desk.store = url
    return desk


def as_of(revision: str, url: str) -> None:
    """Makes the database one of an earlier revision, with the same rows in the columns it had, and the wall between
    clients that it had."""
    from alembic import command

    made = migrations.config()
    with psycopg.connect(url, options="-c orderly.client=* -c search_path=orderly") as connection:
        connection.execute("ALTER SCHEMA orderly RENAME TO later; CREATE SCHEMA orderly")
        connection.commit()
        engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
        with engine.begin() as transaction:
            made.attributes["connection"] = transaction
            command.upgrade(made, revision)
            _take_rows(connection)


def _take_rows(connection: psycopg.Connection[Any]) -> None:
    old = connection.execute(
        "SELECT table_name::text, array_agg(column_name::text) FROM information_schema.columns"
        " WHERE table_schema = 'orderly' AND table_name <> 'alembic_version' GROUP BY table_name"
    ).fetchall()
    for table, names in old:
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        put = sql.SQL("INSERT INTO orderly.{0} ({1}) SELECT {1} FROM later.{0}")
        connection.execute(put.format(sql.Identifier(table), columns))
        connection.execute(postgresql_schema._wall(tables.metadata.tables[table]))
    connection.execute("DROP SCHEMA later CASCADE")


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_runs_that_are_open_when_the_database_is_upgraded_go_on(shared: Desk, url: str, revision: str) -> None:
    shared.outbox.mkdir()
    claim = {"$blob": "sha256:" + "ab" * 32, "size": 7, "type": "text/plain"}
    with shared.serving():
        run = waiting(with_omar(shared), "A-1")
        resting = shared.run("pause", {"number": "P-1", "file": claim}, "--timeout", "0")["run"]
    as_of(revision, url)
    for verb in (["runs", "list"], ["serve", "--port", "0"]):
        assert "orderly db upgrade" in shared.problem(*verb)["detail"]

    told = shared.answer("db", "upgrade")

    assert (told["before"], told["schema"]) == (revision, migrations.HEAD)
    assert url.rpartition("/")[2] in told["database"]
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('orderly.client', '*', true)")
        kept = connection.execute("SELECT owner FROM orderly.blob_reference WHERE kind = 'run'").fetchall()
    assert kept == [(resting,)]
    with shared.serving():
        until(is_over(shared, resting), "the run that rested to be done", 60)
        approve(shared, run)
        until(is_over(shared, run), "the approved run to be done", 60)
    assert shared.answer("db", "upgrade")["before"] == migrations.HEAD


def test_a_database_of_a_newer_version_is_left_alone(shared: Desk, url: str) -> None:
    waiting(shared, "A-1")
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE orderly.alembic_version SET version_num = '9999'")

    for verb in (["runs", "list"], ["db", "upgrade"]):
        assert "newer version" in shared.problem(*verb)["detail"]


def test_a_database_that_a_server_works_with_is_neither_upgraded_nor_held(shared: Desk, url: str) -> None:
    with shared.serving():
        assert shared.answer("db", "upgrade")["before"] == migrations.HEAD, "nothing to do is no harm"
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE orderly.alembic_version SET version_num = '0002'")
        for verb in (["db", "upgrade"], ["db", "hold", "--backup", "of today"]):
            problem = shared.problem(*verb)
            assert "is in use" in problem["detail"]
            assert "Stop every orderly" in problem["detail"]


def restored(made: dict[str, Any], new: Desk) -> Any:
    """Under the key of the old machine."""
    return new.answer("restore", made["backup"], "--data", str(new.data), "--key-file", made["key_file"])


@pytest.mark.parametrize(
    ("before", "after"), [("postgresql",) * 2, ("sqlite", "postgresql"), ("postgresql", "sqlite")]
)
def test_a_backup_comes_back_into_either_store_and_its_runs_are_held(
    desk: Desk, url: str, other_url: str, before: str, after: str
) -> None:
    desk.store = url if before == "postgresql" else ""
    with desk.serving():
        run = waiting(with_omar(desk), "A-1")
        desk.answer("connection", "set-secret", "erp", given="s3cret\n")
        made = desk.answer("backup", str(desk.data.with_name("backup")))
        waiting(desk, "A-2")
    new = elsewhere(desk)
    new.store = other_url if after == "postgresql" else ""

    told = restored(made, new)

    assert [(row["client"], row["held"]) for row in told["clients"]] == [("mercy", 1)]
    assert (new.data / "orderly.db").exists() == (after == "sqlite")
    with new.serving():
        assert [row["id"] for row in new.answer("runs", "list")["runs"]] == [run]
        assert new.answer("runs", "show", run)["state"] == "held"
        approve(new, run)
        new.answer("runs", "release", run)
        until(is_over(new, run), "the released run to be done", 60)


def test_a_database_that_is_in_use_is_not_restored_into(shared: Desk) -> None:
    waiting(shared, "A-1")
    made = shared.answer("backup", str(shared.data.with_name("backup")))
    new = elsewhere(shared)
    new.store = shared.store

    problem = new.problem("restore", made["backup"], "--data", str(new.data))

    assert "holds rows already" in problem["detail"]
    assert not new.data.exists()


def test_a_restore_into_a_file_elsewhere_is_refused(desk: Desk, tmp_path: Path) -> None:
    waiting(desk, "A-1")
    made = desk.answer("backup", str(desk.data.with_name("backup")))
    new = elsewhere(desk)
    new.store = str(tmp_path / "elsewhere.db")

    assert "unset ORDERLY_STORE" in new.problem("restore", made["backup"], "--data", str(new.data))["next_action"]


def test_what_was_brought_back_by_other_means_is_held_by_a_command(desk: Desk, url: str) -> None:
    """As after pg_restore, or a copied file."""
    for store in (url, ""):
        desk.store = store
        run = waiting(desk, "A-1")

        (told,) = desk.answer("db", "hold", "--backup", "the dump of Monday")["clients"]

        assert (told["client"], told["held"]) == ("mercy", 1)
        shown = desk.answer("runs", "show", run)
        assert (shown["state"], "the dump of Monday" in shown["why"]) == ("held", True)
        assert desk.answer("runs", "release", "--all") == {"released": [run]}


def test_there_is_nothing_to_hold_where_there_is_no_database(desk: Desk) -> None:
    assert "there is no database" in desk.problem("db", "hold", "--backup", "x")["detail"]
    assert not (desk.data / "orderly.db").exists()
