"""A duty is one process's at a time, on either database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.engine.watch import Watch
from runtime.store.backlog import due_runs
from runtime.store.duty import Duty
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from tests.runtime.console.house import until
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import new


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[SharedStore]:
    opened: SharedStore
    if request.param == "sqlite":
        opened = SqliteStore(tmp_path / "orderly.db", clock=clock)
    else:
        opened = request.getfixturevalue("database").open(tmp_path, clock=clock)
    yield opened
    opened.close()


def test_a_duty_is_the_first_ones_until_nothing_is_heard_of_it(store: SharedStore, clock: Clock) -> None:
    first, second = Duty(store, "clock", "a", 10), Duty(store, "clock", "b", 10)

    assert [first.claim(), second.claim()] == [True, False]
    clock.forward(9)
    assert [first.claim(), second.claim()] == [True, False], "it was heard of"
    clock.forward(10)
    assert [second.claim(), first.claim()] == [True, False], "it was not"


def test_a_duty_that_is_given_up_is_free_at_once_and_only_its_owner_can(store: SharedStore) -> None:
    first, second, third = (Duty(store, "clock", owner, 10) for owner in "abc")
    assert first.claim()

    second.give_up()
    assert not third.claim()
    first.give_up()

    assert third.claim()


def test_duties_of_other_names_are_others(store: SharedStore) -> None:
    assert Duty(store, "clock", "a", 10).claim()
    assert Duty(store, "archive", "b", 10).claim()


def test_of_many_that_claim_at_once_one_gets_it(store: SharedStore) -> None:
    duties = [Duty(store, "clock", f"p{number}", 10) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda duty: duty.claim(), duties))

    assert sum(got) == 1


def test_a_watch_has_the_duty_when_it_started_and_not_when_it_stopped(store: SharedStore) -> None:
    first, second = (Watch(Duty(store, "clock", owner, 30)) for owner in "ab")

    first.start()
    second.start()
    assert [first.on_duty(), second.on_duty()] == [True, False]
    first.stop()
    second.stop()

    assert not first.on_duty()
    assert Duty(store, "clock", "c", 30).claim(), "nothing is left to wait for"


def test_a_watch_that_cannot_claim_any_more_is_off_duty_before_another_one_is_on(store: SharedStore) -> None:
    """Its own clock says so, before its time in the store has run out."""
    watch = Watch(Duty(store, "clock", "a", 1.0))
    watch.start()
    assert watch.on_duty()
    began = time.monotonic()

    store.close()
    until(lambda: not watch.on_duty(), "the watch to be off duty")
    took = time.monotonic() - began
    watch.stop()

    assert took < 1.3


def test_due_runs_of_a_lane_are_counted_up_to_a_number(store: SharedStore) -> None:
    client = store.for_client("mercy")
    client.create_run(new(lane="bulk"))
    counted = [due_runs(store, "normal", 3)]
    for _ in range(4):
        client.create_run(new())
        counted.append(due_runs(store, "normal", 3))

    assert counted == [0, 1, 2, 3, 3]
