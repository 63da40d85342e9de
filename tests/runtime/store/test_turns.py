"""Runs that wait for a connection are called in turn, whichever store keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.model.run import RunState
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.store import ClientStore
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database
from tests.runtime.store.rows import commit, started

ERP, PORTAL = "connection:erp", "connection:portal"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[SharedStore]:
    if request.param == "sqlite":
        opened: SharedStore = SqliteStore(tmp_path / "orderly.db", clock=clock)
    else:
        database: Database = request.getfixturevalue("database")
        opened = database.open(tmp_path, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def mercy(store: SharedStore) -> ClientStore:
    store.register_client("mercy", "Mercy")
    return store.for_client("mercy")


@pytest.fixture
def waits(store: SharedStore, mercy: ClientStore, clock: Clock) -> Callable[..., str]:
    """A run that waits for so many minutes, for a connection unless the holder is empty."""

    def made(minutes: float, holder: str = ERP, state: RunState = RunState.WAITING) -> str:
        lease = started(mercy, store)
        commit(store, lease, state, due_at=clock() + timedelta(minutes=minutes), held_by=holder)
        return lease.run

    return made


def test_the_oldest_that_wait_for_a_connection_come_now_and_no_others(
    store: SharedStore, mercy: ClientStore, waits: Callable[..., str]
) -> None:
    first, second, third = waits(50), waits(10), waits(30)
    waits(5, PORTAL), waits(5, ""), waits(5, ERP, RunState.HELD)

    called = mercy.next_in_line(ERP, 2)

    assert list(called) == [(first, "normal"), (second, "normal")]
    assert set(store.due()) == {first, second}
    assert list(mercy.next_in_line(ERP, 2)) == [(third, "normal")], "who was called is not called again"
    assert list(mercy.next_in_line(ERP, 2)) == []
    assert mercy.run(first).state is RunState.WAITING


def test_one_of_the_line_may_be_called_for_later(
    store: SharedStore, mercy: ClientStore, waits: Callable[..., str], clock: Clock
) -> None:
    first, second = waits(50), waits(60)

    called = mercy.next_in_line(ERP, 1, clock() + timedelta(minutes=1))

    assert [run for run, _ in called] == [first]
    assert list(store.due()) == []
    clock.forward(60)
    assert list(store.due()) == [first]
    assert [run for run, _ in mercy.next_in_line(ERP, 9)] == [second]


def test_another_clients_line_is_left_alone(store: SharedStore, waits: Callable[..., str]) -> None:
    waits(50)
    store.register_client("other", "Other")

    assert list(store.for_client("other").next_in_line(ERP, 9)) == []
    assert list(store.due()) == []
