"""Connections break, and the server goes away: every unit is stored once all the same, or its caller is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg import conninfo
from sqlalchemy import text

from runtime.model.run import EventRow, IntentState, RunState
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql_errors import CommitUnknown
from runtime.store.statements import Statement, Tx
from runtime.store.store import Unavailable
from tests.runtime.store.database import Database
from tests.runtime.store.proxy import Mishap, Proxy
from tests.runtime.store.rows import (
    commit,
    done,
    new,
    once,
    started,
)
from tests.runtime.store.units import MY_PID, at_once, note, notes, until


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Iterator[PostgresqlStore]:
    store = database.open(tmp_path)
    yield store
    store.close()


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    parts = conninfo.conninfo_to_dict(server)
    with Proxy(str(parts.get("host", "127.0.0.1")), int(parts.get("port") or 5432)) as proxy:
        yield proxy


@pytest.fixture
def distant(database: Database, proxy: Proxy, tmp_path: Path) -> Iterator[PostgresqlStore]:
    """A store that reaches its database through the proxy."""
    url = conninfo.make_conninfo(database.url, host="127.0.0.1", port=proxy.port)
    store = database.open(tmp_path, url=url)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("mishap", "tried"), [(Mishap.REPLY_LOST, 1), (Mishap.REQUEST_LOST, 2), (Mishap.SILENCE, 1)]
)
def test_a_unit_whose_commit_met_a_mishap_is_stored_once(
    proxy: Proxy, database: Database, tmp_path: Path, mishap: Mishap, tried: int
) -> None:
    url = conninfo.make_conninfo(database.url, host="127.0.0.1", port=proxy.port)
    store = database.open(tmp_path, url=url, patience=1.0 if mishap is Mishap.SILENCE else 10.0)
    times: list[int] = []

    def unit(tx: Tx) -> str:
        times.append(note("anna.berg")(tx))
        return "stored"

    proxy.next_commit = mishap
    assert store.transact(unit) == "stored"

    assert proxy.befell.is_set()
    assert len(times) == tried
    assert notes(store) == ["anna.berg"]
    assert store.transact(note("omar.said")) == 1
    store.close()


def test_a_commit_of_a_run_whose_reply_is_lost_counts_and_the_lease_goes_on(
    distant: PostgresqlStore, proxy: Proxy
) -> None:
    mercy = distant.for_client("mercy")
    lease = started(mercy, distant)

    proxy.next_commit = Mishap.REPLY_LOST
    commit(distant, lease, intents=(once("order"),))
    proxy.next_commit = Mishap.REPLY_LOST
    ended = commit(distant, lease, RunState.DONE, outcomes=(done("order", 1),), events=(EventRow("e", "k", None),))

    assert ended.state is RunState.DONE
    story = mercy.story(lease.run)
    assert [row.state for row in story.intents] == [IntentState.SETTLED]
    assert len(story.events) == 1


def test_a_database_that_does_not_come_back_leaves_the_commit_unknown(
    proxy: Proxy, database: Database, tmp_path: Path
) -> None:
    url = conninfo.make_conninfo(database.url, host="127.0.0.1", port=proxy.port)
    store = database.open(tmp_path, url=url, patience=0.5)

    def unit(tx: Tx) -> None:
        note("anna.berg")(tx)
        proxy.refuse = True
        proxy.next_commit = Mishap.REPLY_LOST

    with pytest.raises(CommitUnknown, match="stored whole or not at all"):
        store.transact(unit)

    proxy.refuse = False
    assert notes(store) == ["anna.berg"]
    store.close()


def test_a_backend_that_is_terminated_in_the_middle_of_a_unit_does_not_fail_it(
    store: PostgresqlStore, database: Database
) -> None:
    times: list[int] = []

    def unit(tx: Tx) -> str:
        times.append(note(f"try {len(times)}")(tx))
        if len(times) == 1:
            (row,) = tx.all(MY_PID)
            assert database.sql("SELECT pg_terminate_backend(%s, 10000)", row[0]) == [(True,)]
        note("second line")(tx)
        return "stored"

    assert store.transact(unit) == "stored"

    assert notes(store) == ["try 1", "second line"]


def test_sessions_that_died_while_they_were_idle_are_not_noticed(
    store: PostgresqlStore, database: Database
) -> None:
    at_once(*[lambda: store.transact(note("before"))] * 4)

    ended = database.sql(
        "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE usename = %s",
        conninfo.conninfo_to_dict(database.url)["user"],
    )

    assert ended[0][0] >= 1
    assert len(notes(store)) == 4
    assert store.transact(note("after")) == 1


def test_a_database_that_is_away_is_said_to_be_and_found_again(distant: PostgresqlStore, proxy: Proxy) -> None:
    mercy = distant.for_client("mercy")
    proxy.refuse = True
    proxy.cut()

    for reach in (lambda: mercy.create_run(new("R-1/0")), distant.due):
        with pytest.raises(Unavailable, match=f"127.0.0.1:{proxy.port}.*cannot be reached.*See that it runs"):
            reach()

    proxy.refuse = False
    assert not mercy.create_run(new("R-1/0")).duplicate
    assert len(distant.due()) == 1


def test_a_session_that_the_server_has_forgotten_stores_a_unit_once(
    store: PostgresqlStore, database: Database
) -> None:
    """Its row is removed when it is old; a unit that reads nothing would hear of that after its COMMIT only."""
    mercy = store.for_client("mercy")
    mercy.create_run(new("R-1"))
    database.sql("DELETE FROM last_unit")

    run = mercy.create_run(new())

    assert {row.id for row in mercy.runs().rows} >= {run.run}
    assert len(mercy.runs().rows) == 2


def test_a_unit_that_waits_for_a_lock_does_not_put_the_clock_back(
    store: PostgresqlStore, database: Database
) -> None:
    """What the database said when the unit began is old when the lock is given."""
    store.transact(note("anna.berg"))
    held, go_on = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        tx.lock("a name")
        tx.all(MY_PID)
        held.set()
        go_on.wait(20)

    def wait(tx: Tx) -> None:
        tx.lock("a name")
        tx.all(MY_PID)

    with ThreadPoolExecutor(2) as threads:
        holding = threads.submit(store.transact, hold)
        assert held.wait(20)
        waiting = threads.submit(store.transact, wait)
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        )
        until(lambda: database.sql(asked) == [(1,)])
        database.sql("SELECT pg_sleep(1)")
        go_on.set()
        holding.result()
        waiting.result()

    (said,) = database.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0]
    behind = said - store.transact(lambda tx: tx.now)
    assert behind < 500_000


def test_what_is_reckoned_is_never_ahead_of_the_database(store: PostgresqlStore) -> None:
    def both(tx: Tx) -> int:
        (row,) = tx.all(Statement(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")))
        return int(row[0]) - tx.now

    behind = [store.transact(both) for _ in range(200)]

    assert min(behind) >= 0
