"""Interchanges go after their runs, and not while anything is compared with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.sdk.exchange import Exchanged, Rules, SetEntry
from runtime.model.run import RunState
from runtime.store import tables
from runtime.store.retention import Retention
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import commit, started

DAY = 86_400.0


class House:
    """One client's store with a clock; what partner acme and it exchange, each in a run of its own."""

    def __init__(self, store: SharedStore, clock: Clock) -> None:
        self.store, self.clock = store, clock
        store.register_client("mercy", "Mercy General Hospital")
        self.mercy = store.for_client("mercy")
        self.retention = Retention(store.backend("mercy"), "mercy", window=3, batch=2)

    def came(self, number: int, state: RunState = RunState.DONE, *keys: str) -> str:
        """An 855 that was read; its run."""
        lease = started(self.mercy, self.store)
        sets = [SetEntry("855", f"{place:04d}", "1", key) for place, key in enumerate(keys, 1)]
        self.mercy.interchanges.at("supplier_inbox", lease.run, "read", "").received(
            self.one(number, sets), Rules()
        )
        commit(self.store, lease, state)
        return lease.run

    def went(self, number: int, within: timedelta | None = None) -> str:
        """An 850 that was written; its run."""
        lease = started(self.mercy, self.store)
        sets = [SetEntry("850", "0001", str(number), "PO-1")]
        self.mercy.interchanges.at("order", lease.run, "edi", "").written(self.one(number, sets, within))
        commit(self.store, lease, RunState.DONE)
        return lease.run

    def one(self, number: int, sets: list[SetEntry], within: timedelta | None = None) -> Exchanged:
        ref = self.mercy.blobs.put(f"interchange {number}".encode(), "application/edi-x12")
        return Exchanged("x12", "acme", "T", f"{number:09d}", ref.blob, ref, sets, within=within)

    def forget_runs(self, *runs: str) -> None:
        assert self.retention.remove_runs(runs) == len(runs)

    def keep(self, days: float = 90) -> int:
        """As if duplicates were looked for so many days back."""
        since = self.clock() - timedelta(days=days)
        old = self.retention.interchanges.old(since, lambda standard, partner: since)
        return sum(self.retention.interchanges.remove(batch) for batch in old)

    def left(self) -> list[str]:
        return [row["number"].lstrip("0") for row in reversed(self.mercy.interchanges.listed().rows)]


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    clock = Clock()
    if request.param == "sqlite":
        store: SharedStore = SqliteStore(tmp_path / "orderly.db", clock=clock)
    else:
        store = request.getfixturevalue("database").open(tmp_path, clock=clock)
    yield House(store, clock)
    store.close()


def test_what_was_exchanged_goes_after_its_run_with_its_sets_and_bytes(house: House) -> None:
    runs = [house.came(1, RunState.DONE, "PO-1", "PO-2"), house.went(7), house.came(2)]
    ref = house.one(1, []).content
    house.clock.forward(91 * DAY)
    assert house.keep() == 0, "their runs are still there"

    house.forget_runs(*runs)

    assert house.keep() == 2
    assert house.left() == ["2"]
    assert house.retention.needed([ref.blob]) == []
    sets = house.store.read(lambda tx: tx.all(Statement(select(tables.interchange_set.c.key))))
    assert sets == []


def test_within_the_window_a_duplicate_is_still_known_though_its_run_is_gone(house: House) -> None:
    first = house.came(1)
    house.clock.forward(89 * DAY)
    house.forget_runs(first)
    house.came(2)
    assert house.keep() == 0

    house.came(1)

    assert [row["state"] for row in house.mercy.interchanges.listed(number="1").rows] == ["duplicate", "received"]


def test_the_last_number_that_came_stays_so_that_the_next_gap_is_seen(house: House) -> None:
    runs = [house.came(number) for number in (1, 2, 3)]
    house.clock.forward(400 * DAY)
    house.forget_runs(*runs)

    assert house.keep() == 2
    assert house.left() == ["3"]
    lease = started(house.mercy, house.store)
    found = house.mercy.interchanges.at("inbox", lease.run, "read", "").received(house.one(6, []), Rules())

    assert (found.missing, found.after) == (2, "000000003")


def test_what_was_removed_does_not_look_as_if_it_had_never_come(house: House) -> None:
    """The run of number 1 waits for somebody and stays: between it and 4 nothing is missing."""
    house.came(1, RunState.EXCEPTION)
    gone = [house.came(number) for number in (2, 3)]
    house.clock.forward(91 * DAY)
    house.forget_runs(*gone)
    house.came(4)

    assert house.keep() == 2

    assert house.left() == ["1", "4"]
    [told] = house.mercy.interchanges.numbers()["received"]
    assert (told["missing"], told["gaps"]) == (0, [])
    house.came(1)
    assert house.mercy.interchanges.listed(number="000000001").rows[0]["state"] == "duplicate"


def test_what_is_still_to_be_acknowledged_stays_until_somebody_has_seen_to_it(house: House) -> None:
    run = house.went(7, timedelta(days=100))
    house.clock.forward(91 * DAY)
    house.forget_runs(run)
    house.store.follow_up()
    assert house.keep(0) == 0, "its acknowledgement is awaited"

    house.clock.forward(101 * DAY)
    [late] = house.store.follow_up()
    house.clock.forward(DAY)
    assert house.keep(0) == 0, "it is overdue"

    house.mercy.resolve_exception(late.exception, "lena", "they have it")

    assert house.keep(0) == 1


def test_a_partner_that_cannot_be_judged_keeps_everything(house: House) -> None:
    runs = [house.came(1), house.came(2)]
    house.clock.forward(400 * DAY)
    house.forget_runs(*runs)

    assert list(house.retention.interchanges.old(house.clock(), lambda standard, partner: None)) == []


def test_they_are_handed_out_a_few_at_a_time_and_fewer_where_they_hold_many_sets(house: House) -> None:
    runs = [house.came(number) for number in range(1, 6)]
    runs.append(house.came(6, RunState.DONE, *(f"PO-{n}" for n in range(1_999))))
    runs.append(house.came(7, RunState.DONE, "PO-A", "PO-B"))
    house.came(8)
    house.clock.forward(91 * DAY)
    house.forget_runs(*runs)

    old = house.retention.interchanges.old(house.clock(), lambda standard, partner: house.clock())

    assert [len(batch) for batch in old] == [2, 2, 2, 1]
