"""The doctor looks at the database, the broker and who keeps time, and says what to do next."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.governance import servers
from runtime.governance.finding import Finding, Status
from runtime.store.duty import Duty
from runtime.store.health import Server
from runtime.store.postgresql import PostgresqlStore
from runtime.store.sqlite import SqliteStore
from tests.brokers import queue_of_its_own, rabbitmq_url, redis_url
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database, _schema, database, server

__all__ = ["_schema", "database", "server"]

HEALTHY = Server("db:5432/orderly", "15.2", True, 40_000_000, 12, 100, True, True)


class Described(SqliteStore):
    """A store that says of its server what the test says."""

    described: Server | None = None

    def server(self) -> Server | None:
        return self.described


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Described]:
    store = Described(tmp_path / "orderly.db")
    yield store
    store.close()


def found(checks: Iterator[Finding]) -> dict[str, Status]:
    told = list(checks)
    for finding in told:
        assert finding.status is Status.OK or (finding.why and finding.next_action), finding
    return {finding.check: finding.status for finding in told}


def different(**facts: object) -> Server:
    return Server(**{**vars(HEALTHY), **facts})  # type: ignore[arg-type]


def test_a_file_is_no_server(store: Described) -> None:
    assert list(servers.database(store)) == list(servers.timekeeper(store, True)) == []
    assert found(servers.durability(store, False)) == {"durability": Status.OK}


def test_relaxed_is_told_with_where_to_read_what_it_forgets(store: Described) -> None:
    (finding,) = servers.durability(store, True)

    assert (finding.status, "runtime/store/README.md" in finding.next_action) == (Status.WARNING, True)
    assert (Path(__file__).parents[3] / "runtime/store/README.md").is_file()


@pytest.mark.parametrize(
    ("facts", "check", "status"),
    [
        ({}, "", Status.OK),
        ({"open": 90}, "connections of the database", Status.WARNING),
        ({"walled": False}, "wall between clients", Status.WARNING),
        ({"private": False}, "encryption", Status.WARNING),
    ],
)
def test_what_a_database_lacks_is_told(
    store: Described, facts: dict[str, object], check: str, status: Status
) -> None:
    store.described = different(**facts)

    told = found(servers.database(store))

    assert told["store"] is Status.OK
    assert {name for name, each in told.items() if each is not Status.OK} == ({check} if check else set())
    assert told.get(check, Status.OK) is status


def test_a_database_that_does_not_flush_is_an_error(store: Described) -> None:
    store.described = different(flushes=False)

    assert found(servers.durability(store, False)) == {"durability": Status.ERROR}


def test_a_database_describes_itself(database: Database, tmp_path: Path) -> None:
    store: PostgresqlStore = database.open(tmp_path)

    told = store.server()

    assert told.walled
    assert told.flushes
    assert told.private
    assert 0 < told.open <= told.most
    assert told.size > 1_000_000
    assert {"store", "connections of the database"} <= found(servers.database(store)).keys()
    store.close()


def test_a_clock_process_that_is_silent_is_an_error(tmp_path: Path) -> None:
    clock = Clock()
    store = Described(tmp_path / "orderly.db", clock=clock)
    store.described = HEALTHY
    assert found(servers.timekeeper(store, True)) == {"clock process": Status.ERROR}
    assert found(servers.timekeeper(store, False)) == {}, "without processes nobody is missed"

    Duty(store, "clock", "one", 15).claim()

    assert found(servers.timekeeper(store, True)) == {"clock process": Status.OK}
    clock.forward(120)
    assert found(servers.timekeeper(store, True)) == {"clock process": Status.ERROR}
    store.close()


@pytest.mark.parametrize("url", [rabbitmq_url, redis_url])
def test_a_broker_that_answers_is_told_and_nothing_is_made_there(url: Callable[[], str]) -> None:
    address, queue = url(), f"orderly_test_{secrets.token_hex(6)}"

    told = found(servers.broker(address, queue))

    assert told.pop("broker") is Status.OK
    assert set(told.values()) <= {Status.OK}
    assert found(servers.broker(address, queue)) == {"broker": Status.OK, **told}


def test_rings_that_nobody_takes_are_an_error() -> None:
    from runtime.engine.brokered import BrokeredDispatcher

    url = rabbitmq_url()
    with queue_of_its_own(url) as queue:
        dispatcher = BrokeredDispatcher(url, queue=queue)
        dispatcher.ring("run-1")
        dispatcher.close()

        told = [each for each in servers.broker(url, queue) if each.check == "broker queue"]

    assert [(each.status, each.what) for each in told] == [
        (Status.ERROR, f"1 rings lie in {queue}.normal, and nobody takes them")
    ]


@pytest.mark.parametrize(
    "url", ["amqp://guest:secret-word@127.0.0.1:1", "redis://:secret-word@127.0.0.1:1/0", "x:y"]
)
def test_a_broker_that_cannot_be_used_is_told_without_its_password(url: str) -> None:
    (finding,) = servers.broker(url, "orderly")

    assert finding.status is Status.ERROR
    assert finding.next_action
    assert "secret-word" not in str(finding)


def test_no_broker_is_no_finding() -> None:
    assert list(servers.broker("", "orderly")) == []
