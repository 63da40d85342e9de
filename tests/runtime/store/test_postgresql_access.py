"""Users, sessions, API keys and secrets keep their promises on PostgreSQL too, behind its second wall."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.access import Access
from runtime.store.postgresql import PostgresqlStore
from runtime.store.vault import Vault
from tests.runtime.access.test_access import *  # noqa: F403  its tests run here again, on the fixtures below
from tests.runtime.access.test_access import PASSWORD
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database
from tests.runtime.store.test_vault import *  # noqa: F403


@pytest.fixture
def store(database: Database, tmp_path: Path, clock: Clock) -> Iterator[PostgresqlStore]:
    store = database.open(tmp_path, clock=clock)
    yield store
    store.close()


@pytest.fixture
def access(store: PostgresqlStore) -> Access:
    access = Access(store.backend("mercy"), "mercy")
    access.users.create("Anna.Berg", PASSWORD, mail="Anna.Berg@mercy.example", roles=["requester"])
    return access


@pytest.fixture
def vault(store: PostgresqlStore, tmp_path: Path) -> Vault:
    return Vault(store, tmp_path, {})
