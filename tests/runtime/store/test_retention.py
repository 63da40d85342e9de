"""What was kept long enough goes, with everything that is only its own; what somebody may still need stays."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from connectors.sdk import BlobRef
from runtime.model.run import EventRow, ExceptionRow, RunState
from runtime.store import exchange_retention, references, retention, tables
from runtime.store.blobs import FolderBlobs, Place
from runtime.store.connection import DIALECT
from runtime.store.retention import DailyCount, Retention
from runtime.store.shared import SharedClientStore, SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement, Tx
from runtime.store.store import NotFound
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import (
    SECONDS,
    approval,
    child,
    commit,
    decision,
    done,
    exception,
    expect,
    new,
    once,
    started,
    tried,
    wait,
)

DAY = 86_400.0
FLOW = "requisition_to_order"
_STAY = {"client", "identity", "statistic"}


def _every(table: Table) -> Callable[[Tx], list[Any]]:
    return lambda tx: tx.all(Statement(select(table)))


class Keeping:
    """One client's store, its retention and a clock."""

    def __init__(self, store: SharedStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        store.register_client("mercy", "Mercy General Hospital")
        self.mercy: SharedClientStore = store.for_client("mercy")
        self.retention = Retention(store.backend("mercy"), "mercy")

    def finished(self, identity: str | None = None, state: RunState = RunState.DONE, **more: Any) -> str:
        lease = started(self.mercy, self.store, identity, **more)
        commit(self.store, lease, state)
        return lease.run

    def old(self, days: float = 30, flow: str = FLOW) -> list[str]:
        """Runs that finished before then."""
        before = self.clock() - timedelta(days=days)
        return [
            run
            for batch in self.retention.finished(flow, dict.fromkeys((RunState.DONE, RunState.CANCELLED), before))
            for run in batch
        ]

    def keep(self, days: float = 30) -> int:
        return self.retention.remove_runs(self.old(days))

    def rows(self) -> dict[str, int]:
        """How many rows each table has, but those that outlive runs; tables without rows are left out."""
        counted = {name: len(self.store.read(_every(table))) for name, table in tables.metadata.tables.items()}
        return {name: count for name, count in counted.items() if count and name not in _STAY}

    def events(self, days: float, **passed: int) -> int:
        before = self.clock() - timedelta(days=days)
        found = self.retention.old_events(before, passed, 2**62)
        return sum(self.retention.remove_events(batch) for batch in found)


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keeping]:
    clock = Clock()
    if request.param == "sqlite":
        store: SharedStore = SqliteStore(tmp_path / "orderly.db", clock=clock)
    else:
        store = request.getfixturevalue("database").open(tmp_path, clock=clock)
    yield Keeping(store, clock)
    store.close()


def full(house: Keeping, identity: str) -> str:
    """A finished run with a row in every table that runs have rows in."""
    raw = house.mercy.blobs.put(b"raw " + identity.encode())
    lease = started(house.mercy, house.store, identity, keys=(("requisition", identity),), raw=raw.blob)
    commit(
        house.store, lease, intents=(once("send"),), expectations=(expect("send", identity),),
        timers=(wait("rest", identity),), approvals=(approval(),), exceptions=(exception(),),
        attempts=(tried("send", house.clock()),), child=child("call", lease.run),
        outcomes=(done("send", {"content": raw.model_dump(by_alias=True)}),),
    )  # fmt: skip
    house.mercy.allocate("x12:acme", 999_999_999, lease.run, "send", "")
    house.mercy.publish(EventRow("x12.997", identity, {}))
    house.mercy.publish(EventRow("purchase_order.acknowledged", identity, {}))
    (asked,) = house.mercy.story(lease.run).approvals
    house.mercy.decide(asked.id, decision("omar", "approved"))
    (raised,) = house.mercy.story(lease.run).exceptions
    house.mercy.resolve_exception(raised.id, "lena", "paid")
    commit(house.store, lease, RunState.DONE)
    return lease.run


def test_a_run_goes_with_everything_that_is_only_its_own(house: Keeping) -> None:
    before = house.rows()
    run = full(house, "R-1/0")
    (called,) = house.mercy.story(run).children
    child_lease = house.store.acquire(called.id, "one", SECONDS)
    assert child_lease is not None
    commit(house.store, child_lease, RunState.DONE)
    house.clock.forward(31 * DAY)

    assert house.keep() == 1
    assert house.retention.remove_runs(house.old(flow="child_flow")) == 1
    assert house.events(30) == 2
    assert sweep(house, days=-1) == 1

    after = house.rows()
    assert after.pop("control_series") == 1, "the series goes on where it was"
    assert after == before
    with pytest.raises(NotFound):
        house.mercy.story(run)


def test_a_caller_stays_while_a_run_that_it_started_is_not_over(house: Keeping) -> None:
    """Also where it does not wait for it: whoever looks at the one looks for the other."""
    lease = started(house.mercy, house.store, "R-1/0")
    commit(house.store, lease, child=child("call", lease.run), outcomes=(done("call"),))
    commit(house.store, lease, RunState.DONE)
    (called,) = house.mercy.story(lease.run).children
    house.clock.forward(31 * DAY)
    assert house.keep() == 0

    child_lease = house.store.acquire(called.id, "one", SECONDS)
    assert child_lease is not None
    commit(house.store, child_lease, RunState.DONE)

    assert house.keep() == 1


def test_a_run_stays_while_its_caller_is_not_over(house: Keeping) -> None:
    lease = started(house.mercy, house.store, "R-1/0", flow="parent")
    commit(
        house.store, lease, RunState.WAITING, child=child("call", lease.run, waits=True), intents=(once("send"),)
    )
    (called,) = house.mercy.story(lease.run).children
    child_lease = house.store.acquire(called.id, "one", SECONDS)
    assert child_lease is not None
    commit(house.store, child_lease, RunState.DONE, intents=(once("order"),))
    house.clock.forward(31 * DAY)

    assert house.retention.remove_runs([called.id]) == 0

    assert house.mercy.story(called.id).intents[0].node == "order"


def test_a_run_stays_as_long_as_the_one_it_was_reprocessed_as(house: Keeping) -> None:
    """What that one may do again depends on what this one did."""
    old = house.finished("R-1/0", RunState.CANCELLED)
    lease = started(house.mercy, house.store, "R-1/0", reprocess_of=old)
    commit(house.store, lease, RunState.DONE)
    house.clock.forward(31 * DAY)

    assert house.retention.remove_runs([old]) == 0

    assert house.retention.remove_runs([lease.run]) == 1
    assert house.retention.remove_runs([old]) == 1


def test_a_duplicate_after_the_run_is_gone_is_still_a_duplicate(house: Keeping) -> None:
    run = house.finished("R-1/0")
    house.clock.forward(31 * DAY)
    assert house.keep() == 1

    again = house.mercy.create_run(new("R-1/0"))

    assert (again.run, again.duplicate, again.state) == (run, True, RunState.DONE)


def test_a_run_that_is_not_over_stays_however_old_it_is(house: Keeping) -> None:
    states = [
        RunState.WAITING,
        RunState.HELD,
        RunState.DEAD,
        RunState.EXCEPTION,
        RunState.UNCERTAIN,
        RunState.READY,
    ]
    runs = [house.finished(f"R-{state}", state) for state in states]
    runs.append(started(house.mercy, house.store, "R-leased").run)
    house.clock.forward(3650 * DAY)

    assert house.old() == []
    assert house.retention.remove_runs(runs) == 0
    assert {house.mercy.run(run).id for run in runs} == set(runs)


@pytest.mark.parametrize(
    ("open_thing", "close"),
    [
        ({"expectations": (expect("send", "PO-1"),)}, lambda m, r: m.publish(EventRow("x12.997", "PO-1", {}))),
        ({"exceptions": (exception(),)}, lambda m, r: m.resolve_exception(m.story(r).exceptions[0].id, "l", "ok")),
        ({"approvals": (approval(),)}, lambda m, r: m.decide(m.story(r).approvals[0].id, decision("o", "approved"))),
    ],
    ids=["expectation", "exception", "approval"],
)  # fmt: skip
def test_a_run_that_somebody_still_waits_for_stays(
    house: Keeping, open_thing: dict[str, Any], close: Callable[[SharedClientStore, str], None]
) -> None:
    lease = started(house.mercy, house.store, "R-1/0")
    commit(house.store, lease, RunState.DONE, **open_thing)
    house.clock.forward(31 * DAY)
    assert (house.keep(), house.mercy.run(lease.run).state) == (0, RunState.DONE)

    close(house.mercy, lease.run)

    assert house.keep() == 1


def test_a_child_stays_as_long_as_its_caller_is_not_over(house: Keeping) -> None:
    caller = started(house.mercy, house.store, "R-1/0")
    created = commit(house.store, caller, child=child("call", caller.run, waits=True)).child
    lease = house.store.acquire(created.run, "one", SECONDS)
    assert lease is not None
    commit(house.store, lease, RunState.DONE)
    house.clock.forward(31 * DAY)
    assert house.retention.remove_runs([created.run]) == 0

    again = house.store.acquire(caller.run, "one", SECONDS) or caller
    commit(house.store, again, RunState.DONE)

    assert house.retention.remove_runs([created.run]) == 1


def test_each_state_has_its_own_age(house: Keeping) -> None:
    house.finished("R-1/0")
    cancelled = house.finished("R-2/0", RunState.CANCELLED)
    house.clock.forward(10 * DAY)
    now = house.clock()

    batches = house.retention.finished(
        FLOW, {RunState.DONE: now - timedelta(days=365), RunState.CANCELLED: now - timedelta(days=7)}
    )

    assert list(batches) == [[cancelled]]


def test_many_runs_are_found_in_batches_oldest_first(house: Keeping) -> None:
    """The sizes are those of a small house, so that a few runs are many."""
    house.retention = Retention(house.store.backend("mercy"), "mercy", window=4, batch=3)
    old = [house.finished(f"R-{number}/0") for number in range(10)]
    house.clock.forward(31 * DAY)
    young = [house.finished(f"R-{number}/0") for number in range(10, 20)]
    before = {RunState.DONE: house.clock() - timedelta(days=30)}

    found = list(house.retention.finished(FLOW, before))

    assert [run for batch in found for run in batch] == old
    assert max(map(len, found)) <= 3
    assert house.retention.remove_runs(old) == 10
    assert list(house.retention.finished(FLOW, before)) == []
    assert {house.mercy.run(run).id for run in young} == set(young)


def test_what_was_removed_is_counted_by_day_and_counts_are_only_appended(house: Keeping) -> None:
    house.finished("R-1/0")
    house.finished("R-2/0", RunState.CANCELLED)
    house.clock.forward(31 * DAY)
    assert house.keep() == 2
    first = house.store.read(lambda tx: tx.all(Statement(select(tables.statistic))))
    house.finished("R-3/0")
    house.finished("R-4/0")
    house.clock.forward(31 * DAY)
    assert house.keep() == 2

    kept = house.store.read(lambda tx: tx.all(Statement(select(tables.statistic))))
    assert kept[: len(first)] == first
    assert house.retention.daily_counts() == [
        DailyCount("2026-11-24", FLOW, "cancelled", "", 1),
        DailyCount("2026-11-24", FLOW, "done", "", 1),
        DailyCount("2026-12-25", FLOW, "done", "", 2),
    ]


def test_only_this_clients_runs_go(house: Keeping) -> None:
    other = house.store.for_client("other")
    lease = started(other, house.store, "R-1/0")
    commit(house.store, lease, RunState.DONE)
    house.clock.forward(31 * DAY)

    assert house.retention.flows() == []
    assert house.keep() == 0
    assert other.run(lease.run).state is RunState.DONE


# events


def test_an_event_stays_until_its_age_its_run_and_every_subscription_have_passed(house: Keeping) -> None:
    lease = started(house.mercy, house.store, "R-1/0")
    commit(house.store, lease, RunState.DONE, events=(EventRow("issued", "PO-1", {}),))
    house.mercy.publish(EventRow("issued", "PO-2", {}))
    (first, second) = house.mercy.events_after(0, ["issued"])
    assert house.events(30) == 0, "too young"
    house.clock.forward(31 * DAY)

    assert house.events(30, issued=first.position) == 0, "one has its run, the other was not passed"
    house.keep()
    assert house.events(30, issued=first.position) == 1
    assert [event.key for event in house.mercy.events_after(0, [])] == ["PO-2"]
    assert house.events(30, issued=second.position) == 1


def test_positions_are_not_given_out_again_after_events_are_gone(house: Keeping) -> None:
    house.mercy.publish(EventRow("issued", "PO-1", {}))
    (gone,) = house.mercy.events_after(0, [])
    house.clock.forward(31 * DAY)
    assert house.events(30) == 1

    house.mercy.publish(EventRow("issued", "PO-2", {}))

    assert house.mercy.events_after(0, [])[0].position > gone.position


# exceptions without a run, ticks


def test_resolved_exceptions_without_a_run_go_and_let_go_of_their_bytes(house: Keeping) -> None:
    raw = house.mercy.blobs.put(b"unreadable")
    id = house.mercy.raise_exception(ExceptionRow("unreadable", "it", "what is this", raw=raw.blob, flow="inbox"))
    house.mercy.raise_exception(ExceptionRow("unreadable", "it", "open", flow="inbox"))
    house.mercy.resolve_exception(id, "lena", "thrown away")

    ((found, flow, at),) = house.retention.resolved("")
    assert (found, flow, at) == (id, "inbox", house.clock())
    assert house.retention.needed([raw.blob]) == [raw.blob]
    house.retention.remove_exceptions([id])

    assert house.retention.resolved("") == []
    assert house.retention.needed([raw.blob]) == []
    assert len(house.mercy.exceptions().rows) == 1


def test_old_ticks_go_and_the_last_one_stays_for_the_clock(house: Keeping) -> None:
    for _ in range(3):
        house.mercy.tick("nightly", house.clock(), None)
        house.clock.forward(DAY)
    last = house.mercy.last_tick("nightly")
    house.clock.forward(100 * DAY)

    assert house.retention.flows() == ["nightly"]
    assert house.retention.remove_ticks("nightly", house.clock()) is False

    assert house.mercy.last_tick("nightly") == last
    assert house.rows()["tick"] == 1


# blobs


def place_of(house: Keeping) -> Place:
    return house.store.blobs("mercy").places[0]


def aged(house: Keeping, ref: BlobRef, days: float) -> None:
    """As if it had been put so long ago."""
    place = place_of(house)
    then = place.now() - days * DAY
    if isinstance(place, FolderBlobs):
        os.utime(place._path(ref.blob), (then, then))
    else:
        put = Statement(update(tables.large_blob).values(put_at=int(then * 1e6)))
        house.store.transact(lambda tx: tx.run(put))


def sweep(house: Keeping, days: float = 1) -> int | None:
    place = place_of(house)
    before = place.now() - days * DAY
    return place.remove(list(place.old(before)), before, house.retention.needed)


def test_a_blob_stays_until_the_last_run_that_names_it_is_gone(house: Keeping) -> None:
    """It came with one run, was an output of a second, the body of a third and the data of an event."""
    ref = house.mercy.blobs.put(b"ISA*00*~", "application/edi-x12")
    claim = ref.model_dump(by_alias=True)
    raw = house.finished("R-1", raw=ref.blob)
    lease = started(house.mercy, house.store, "R-2")
    commit(house.store, lease, RunState.DONE, outcomes=(done("write", {"content": [claim]}),))
    body = house.finished("R-3", body={"file": claim})
    house.mercy.publish(EventRow("arrived", "1", {"file": claim}))
    aged(house, ref, 2)
    house.clock.forward(31 * DAY)

    for run in (raw, lease.run, body):
        assert sweep(house) == 0
        assert house.retention.remove_runs([run]) == 1
    assert sweep(house) == 0
    assert house.events(30) == 1

    assert sweep(house) == 1
    assert not place_of(house).holds(ref.blob)
    assert "blob_part" not in house.rows()


def test_a_blob_that_is_being_stored_is_not_lost(house: Keeping) -> None:
    """The bytes are there before the row that needs them: they are young, also where they were there long ago."""
    ref = house.mercy.blobs.put(b"on its way")
    assert sweep(house) == 0
    aged(house, ref, 2)
    assert house.mercy.blobs.put(b"on its way") == ref

    assert sweep(house) == 0

    aged(house, ref, 2)
    assert sweep(house) == 1


def test_nothing_is_removed_while_somebody_relies_on_the_folder(tmp_path: Path) -> None:
    folder = FolderBlobs(tmp_path, "mercy")
    ref = folder.put(b"old")

    with folder.kept():
        assert folder.remove([ref.blob], float("inf"), lambda blobs: []) is None

    assert folder.remove([ref.blob], float("inf"), lambda blobs: []) == 1


def test_the_same_bytes_put_while_they_are_removed_are_there_afterwards(house: Keeping) -> None:
    ref = house.mercy.blobs.put(b"removed and put at once")
    aged(house, ref, 2)
    place, asked, putting = place_of(house), threading.Event(), threading.Event()

    def needed(blobs: Any) -> list[str]:
        asked.set()
        putting.wait(20)
        return []

    removing = threading.Thread(target=place.remove, args=([ref.blob], place.now() - DAY, needed))
    removing.start()
    asked.wait(20)
    again = threading.Thread(target=house.mercy.blobs.put, args=(b"removed and put at once",))
    again.start()
    putting.set()
    removing.join(20)
    again.join(20)

    assert house.mercy.blobs.read(ref) == b"removed and put at once"


def test_small_bytes_go_with_the_last_run_that_needs_them(house: Keeping) -> None:
    ref = BlobRef.model_validate({"$blob": "sha256:" + "a" * 64, "size": 3, "type": "text/plain"})
    runs = [house.finished(f"R-{n}", raw=ref.blob, raw_bytes=b"abc") for n in range(2)]
    house.clock.forward(31 * DAY)

    house.retention.remove_runs(runs[:1])
    assert house.mercy.blobs.read(ref) == b"abc"
    house.retention.remove_runs(runs[1:])

    assert "small_blob" not in house.rows()


def test_what_died_half_written_is_tidied_up(tmp_path: Path) -> None:
    folder = FolderBlobs(tmp_path, "mercy")
    folder.put(b"whole")
    left = tmp_path / "mercy" / "aside" / "0123"
    left.write_bytes(b"half")
    assert folder.tidy(time.time() - DAY) == 0

    os.utime(left, (0, 0))

    assert folder.tidy(time.time() - DAY) == 1
    assert len(list(folder.names())) == 1


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *((retention, name) for name in ("_OLDEST", "_OVER", "_ITS_NUMBERS", "_RESOLVED", "_TICKS")),
        *((references, name) for name in ("_LET_GO", "NEEDED")),
        *((exchange_retention, name) for name in ("_OLDEST", "_OVER", "_REMOVE_SETS", "_COUNT_NO_MORE")),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_looking_for_what_is_old_scans_no_table(tmp_path: Path, module: Any, name: str) -> None:
    """As SQLite plans it; ten thousand old runs and a million young ones are ten thousand steps."""
    SqliteStore(tmp_path / "orderly.db").close()
    sql, values = getattr(module, name).compiled(DIALECT)
    given = {**dict.fromkeys(re.findall(r":(\w+)", sql), ""), "most": 5, **values}
    connection = sqlite3.connect(tmp_path / "orderly.db")

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]

    connection.close()
    assert not [step for step in plan if step.startswith("SCAN")], plan


def test_the_bytes_as_they_came_may_go_before_their_run(house: Keeping) -> None:
    """By media type, once the run is over; those of a run with an open exception and of another type stay, and so
    does everything that was made of them."""
    hl7 = {"content_type": "application/hl7-v2"}
    gone, other = (
        house.finished(f"R-{n}", raw=f"sha256:{n:064}", raw_bytes=b"MSH %d" % n, **more)
        for n, more in enumerate((hl7, {"content_type": "text/csv"}))
    )
    troubled = started(house.mercy, house.store, "R-3", raw="sha256:" + "3" * 64, raw_bytes=b"MSH 3", **hl7)
    commit(house.store, troubled, RunState.EXCEPTION, exceptions=(exception(),))
    house.clock.forward(31 * DAY)
    before = house.clock() - timedelta(days=30)

    removed = sum(map(house.retention.remove_raw, house.retention.old_raw("application/hl7-v2", before)))

    assert removed == 1
    assert house.mercy.story(gone).raw is None
    assert house.mercy.story(gone).body == {"total": "12.50"}
    assert house.mercy.story(other).raw is not None
    assert house.mercy.story(troubled.run).raw is not None
    assert house.rows()["small_blob"] == 2
    assert list(house.retention.old_raw("application/hl7-v2", before)) == []
