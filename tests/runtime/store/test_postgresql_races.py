"""Several processes at once see to it that nothing is missed, lost or done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg import conninfo
from sqlalchemy import bindparam, select, update

from runtime.model.run import EventRow, OutcomeState, RunState
from runtime.store import tables
from runtime.store.postgresql import PostgresqlStore
from runtime.store.signals import append
from runtime.store.statements import Statement, Tx
from runtime.store.store import Refused
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database
from tests.runtime.store.rows import (
    approval,
    child,
    commit,
    decision,
    done,
    expect,
    new,
    outcome,
    started,
    wait,
)
from tests.runtime.store.units import MY_PID, at_once, until


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Iterator[PostgresqlStore]:
    store = database.open(tmp_path)
    yield store
    store.close()


def waiting_for_locks(database: Database) -> int:
    found = database.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s",
        conninfo.conninfo_to_dict(database.url)["user"],
    )
    return int(found[0][0])


def test_a_unit_that_lost_a_deadlock_is_run_again(store: PostgresqlStore) -> None:
    for name in ("one", "two"):
        store.register_client(name, "")
    tables_client = tables.client
    add = Statement(
        update(tables_client)
        .where(tables_client.c.id == bindparam("of"))
        .values(name=tables_client.c.name + bindparam("more", type_=tables_client.c.name.type))
    )
    together = threading.Barrier(2)

    def unit(first: str, second: str) -> Callable[[Tx], None]:
        met: list[bool] = []

        def crossing(tx: Tx) -> None:
            tx.run(add, {"of": first, "more": first[0]})
            if not met:
                met.append(True)
                together.wait(20)
            tx.run(add, {"of": second, "more": first[0]})

        return crossing

    for future in at_once(lambda: store.transact(unit("one", "two")), lambda: store.transact(unit("two", "one"))):
        assert future.result() is None

    names = store.read(lambda tx: tx.all(Statement(select(tables_client.c.name))))
    assert [sorted(name) for (name,) in names] == [["o", "t"], ["o", "t"]]


def test_one_position_gets_one_control_number_from_many_that_ask_at_once(store: PostgresqlStore) -> None:
    mercy = store.for_client("mercy")

    asked = at_once(*[lambda: mercy.allocate("isa", 999, "run1", "edi", "")] * 8)

    assert {future.result() for future in asked} == {1}


def test_positions_of_events_become_visible_in_their_order(store: PostgresqlStore, database: Database) -> None:
    """A subscription that has read up to one event never finds an earlier position later."""
    mercy, appended, go_on = store.for_client("mercy"), threading.Event(), threading.Event()
    lease = started(mercy, store)

    def first(tx: Tx) -> None:
        row = {"client": "mercy", "id": "1", "type": "e", "key": "1", "data": None, "run": lease.run, "node": ""}
        append(tx, [{**row, "at": tx.now}])
        tx.all(MY_PID)
        appended.set()
        go_on.wait(20)

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(store.transact, first)
        appended.wait(20)
        quick = threads.submit(commit, store, lease, events=(EventRow("e", "2", None),))
        until(lambda: waiting_for_locks(database) == 1)
        before = mercy.events_after(0, [])
        other = store.for_client("other").publish(EventRow("e", "3", None))
        go_on.set()
        slow.result()
        quick.result()

    assert before == []
    assert other == []
    assert [event.key for event in mercy.events_after(0, [])] == ["1", "2"]


@pytest.mark.parametrize("waits_by", ["expectation", "timer"])
def test_an_event_and_what_waits_for_it_never_miss_each_other(store: PostgresqlStore, waits_by: str) -> None:
    mercy = store.for_client("mercy")
    leases = [started(mercy, store) for _ in range(40)]

    for number, lease in enumerate(leases):
        key = str(number)
        more: dict[str, Any] = (
            {"expectations": (expect("send", key, event="e"),)}
            if waits_by == "expectation"
            else {"timers": (wait("w", key, event="e"),)}
        )
        futures = at_once(
            lambda lease=lease, more=more: commit(store, lease, RunState.WAITING, **more),
            lambda key=key: mercy.publish(EventRow("e", key, {})),
        )
        for future in futures:
            future.result()

    stories = [mercy.story(lease.run) for lease in leases]
    if waits_by == "expectation":
        assert {story.expectations[0].state for story in stories} == {"met"}
    else:
        assert {(story.timers[0].state, story.run.state) for story in stories} == {("fired", RunState.READY)}


def test_a_caller_and_the_end_of_the_run_it_waits_for_never_miss_each_other(store: PostgresqlStore) -> None:
    mercy = store.for_client("mercy")
    for number in range(40):
        called, caller = started(mercy, store, f"C-{number}", flow="child_flow"), started(mercy, store)
        waits = child("call", caller.run, waits=True, identity=f"C-{number}")

        futures = at_once(
            lambda called=called: commit(store, called, RunState.DONE),
            lambda caller=caller, waits=waits: commit(store, caller, RunState.WAITING, child=waits),
        )

        for future in futures:
            future.result()
        assert mercy.run(caller.run).state is RunState.READY


def test_a_caller_and_the_reprocessing_of_the_run_it_finds_never_miss_each_other(store: PostgresqlStore) -> None:
    mercy = store.for_client("mercy")
    for number in range(40):
        found, caller = started(mercy, store, f"C-{number}", flow="child_flow"), started(mercy, store)
        commit(store, found, RunState.DEAD)
        waits = child("call", caller.run, waits=True, identity=f"C-{number}")
        again = new(f"C-{number}", flow="child_flow", reprocess_of=found.run)

        called, reprocessed = at_once(
            lambda caller=caller, waits=waits: commit(store, caller, RunState.WAITING, child=waits),
            lambda again=again: mercy.create_run(again),
        )

        called.result()
        assert [run.id for run in mercy.story(caller.run).children] == [reprocessed.result().run]


def test_decisions_given_at_once_are_all_kept(store: PostgresqlStore) -> None:
    mercy = store.for_client("mercy")
    commit(store, started(mercy, store), RunState.WAITING, approvals=(approval(needs=9),))
    (asked,) = mercy.approvals().rows

    futures = at_once(
        *[lambda user=user: mercy.decide(asked.id, decision(user, "open")) for user in ("anna", "omar", "lena")]
    )

    assert {future.result().run for future in futures} == {asked.run}
    assert {made["user"] for made in mercy.approval(asked.id).decisions} == {"anna", "omar", "lena"}


def test_a_run_is_redriven_or_reprocessed_but_not_both(store: PostgresqlStore) -> None:
    mercy = store.for_client("mercy")
    for number in range(30):
        lease = started(mercy, store, f"R-{number}")
        commit(store, lease, RunState.DEAD, outcomes=(outcome("a", OutcomeState.DEAD),))

        futures = at_once(
            lambda lease=lease: mercy.redrive(lease.run),
            lambda lease=lease, number=number: mercy.create_run(new(f"R-{number}", reprocess_of=lease.run)),
        )

        refused = [future.exception() for future in futures]
        assert [type(error) for error in refused if error is not None] == [Refused]


def test_an_overdue_expectation_is_raised_by_one_of_two_that_look(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    stores = [database.open(tmp_path, clock=clock) for _ in range(2)]
    mercy = stores[0].for_client("mercy")
    expected = tuple(expect("send", str(number)) for number in range(20))
    commit(stores[0], started(mercy, stores[0]), RunState.DONE, outcomes=(done("send"),), expectations=expected)
    clock.forward(3600)

    found = [future.result() for future in at_once(*[store.overdue for store in stores])]
    found += [store.overdue() for store in stores]

    assert sorted(row.event_key for each in found for _, row in each) == sorted(map(str, range(20)))
    assert len(mercy.exceptions(limit=100).rows) == 20
    for store in stores:
        store.close()
