"""A throw-away schema of a plain user in the PostgreSQL that tests may use, and that schema emptied."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo, sql

from runtime.store import tables
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql_address import Address

DEFAULT = "postgresql://postgres@127.0.0.1:5432/postgres"
_HOW = (
    "apt-get install -y postgresql, and let user postgres in from 127.0.0.1 (trust in pg_hba.conf);"
    " or name another one in ORDERLY_TEST_POSTGRESQL"
)


@dataclass(frozen=True)
class Database:
    """``url`` is that of a user whom row-level security binds; ``sql`` asks as the one who may do everything."""

    admin: str
    url: str
    schema: str

    def open(self, data: Path, **more: Any) -> PostgresqlStore:
        given = {"url": self.url, "schema": self.schema, "patience": 10.0, **more}
        return PostgresqlStore(given.pop("url"), data=data, **given)

    def address(self) -> Address:
        return Address(self.url, self.schema)

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.admin, autocommit=True, options="-c orderly.client=*") as connection:
            connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.schema)))
            found = connection.execute(query, values or None)
            return found.fetchall() if found.description else []

    def empty(self) -> None:
        if self.sql("SELECT to_regclass('alembic_version')") != [(None,)]:
            sequences = self.sql("SELECT sequencename FROM pg_sequences WHERE schemaname = %s", self.schema)
            deleted = [f'DELETE FROM "{name}"' for name in tables.metadata.tables]
            self.sql("; ".join([*deleted, *(f"ALTER SEQUENCE {name} RESTART" for (name,) in sequences)]))

    def drop(self) -> None:
        self.sql(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")


def _admin() -> str:
    given = os.environ.get("ORDERLY_TEST_POSTGRESQL", DEFAULT)
    if not given:
        pytest.skip(f"no PostgreSQL: {_HOW}")
    try:
        psycopg.connect(given, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        pytest.skip(f"PostgreSQL does not answer ({' '.join(str(error).split())}): {_HOW}")
    return given


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a user that is neither superuser nor BYPASSRLS, made for these tests where there is none."""
    admin = _admin()
    name, password = f"orderly_test_{secrets.token_hex(4)}", secrets.token_hex(16)
    with psycopg.connect(admin, autocommit=True) as connection:
        found = connection.execute(
            "SELECT rolsuper OR rolbypassrls, rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        unbound, may_create = found.fetchone() or (True, False)
        if not unbound:
            yield admin
            return
        if not may_create:
            pytest.skip("row-level security does not bind this user, who may not create one that it binds")
        database = connection.info.dbname
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.execute(f'GRANT CREATE ON DATABASE "{database}" TO {name}')
        yield conninfo.make_conninfo(admin, user=name, password=password)
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="session")
def _schema(server: str) -> Iterator[Database]:
    database = Database(_admin(), server, f"orderly_test_{secrets.token_hex(4)}")
    yield database
    database.drop()


@pytest.fixture
def database(_schema: Database) -> Database:
    """With no rows in it."""
    _schema.empty()
    return _schema


@pytest.fixture
def fresh(server: str) -> Iterator[Database]:
    """A schema that does not exist yet."""
    database = Database(_admin(), server, f"orderly_test_{secrets.token_hex(4)}")
    yield database
    database.drop()
