"""One database of each system for a session; each test has a table of its own in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.sql.servers import Database, mariadb

_POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


def _database(system: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    if system == "mariadb":
        url = request.getfixturevalue("mariadb_url")
    elif system == "postgresql":
        url = os.environ.get("ORDERLY_TEST_POSTGRESQL", _POSTGRESQL)
        if not url:
            pytest.skip("ORDERLY_TEST_POSTGRESQL is empty")
    else:
        sqlite3.connect(folder / "1.db").close()
        url = f"sqlite:///{folder / '1.db'}"
    made = Database(url)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    yield from _database(request.param, request, tmp_path)


@pytest.fixture(params=["postgresql", "mariadb"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Those that have a server."""
    yield from _database(request.param, request, tmp_path)


@pytest.fixture
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """One that asks for a password."""
    yield from _database("mariadb", request, tmp_path)
