"""Ten thousand runs that wait: what they cost, and who is woken."""

from __future__ import annotations

import gc
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtime.model.run import LANES, EventRow
from runtime.services import Services
from runtime.store import leases, signals, turns
from runtime.store.connection import DIALECT
from runtime.store.statements import Statement
from tests.faults.crowd import comes_to, opened, store_runs, write_pack

pytestmark = pytest.mark.timeout(300)

WAITING, FIRST = 10_000, 1_000
#: What 9,000 more waiting runs may add to the memory of the process: the caches of the database fill (16 MB of the
#: writer, 4 MB of each reader), and that is all.
BOUND = 48 * 2**20

FLOWS: list[dict[str, Any]] = [
    {
        "flow": name, "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"},
        "nodes": [node, {"id": "told", "type": "publish", "parameters": {"event": "told", "key": "=n"}}],
    }
    for name, node in {
        "for_an_event": {
            "id": "wait", "type": "wait", "parameters": {"event": "arrived", "key": "=n", "within": "2d"},
        },
        "for_a_time": {"id": "wait", "type": "wait", "parameters": {"until": "=at"}},
        "for_a_person": {
            "id": "approve", "type": "approve", "on": {
                name: [{"id": f"stop_{name}", "type": "end", "parameters": {"outcome": name}}]
                for name in ("rejected", "expired")
            },
            "parameters": {"policy": "all", "document": "=$", "requester": "=n & '@mercy.example'"},
        },
    }.items()
]  # fmt: skip
POLICY = {
    "policy": "all", "rules": [],
    "otherwise": {"approvers": [{"role": "procurement_manager", "needs": 1}]},
}  # fmt: skip


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    """Opened and not started."""
    pack = write_pack(tmp_path / "pack", *FLOWS, policies={"all": POLICY})
    with opened(tmp_path, pack, clock=clock) as made:
        yield made


def bodies(numbers: range) -> list[dict[str, Any]]:
    begin = Clock().now
    return [{"n": f"N{n}", "at": (begin + timedelta(minutes=n + 10)).isoformat()} for n in numbers]


def store_waiting(services: Services, numbers: range) -> dict[str, list[str]]:
    """The numbers over the three flows in turn; the runs by flow."""
    given = bodies(numbers)
    return {
        flow["flow"]: store_runs(services, flow["flow"], given[place :: len(FLOWS)])
        for place, flow in enumerate(FLOWS)
    }


def memory() -> int:
    gc.collect()
    used: int = psutil.Process().memory_info().rss
    return used


def asked(services: Services, query: str) -> list[tuple[Any, ...]]:
    """As somebody from outside would read the file."""
    with closing(sqlite3.connect(f"file:{services.settings.data / 'orderly.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def told(services: Services) -> list[str]:
    return [event.key for event in services.clients["mercy"].store.events_after(0, ["told"])]


def test_ten_thousand_waiting_runs_cost_rows_and_each_signal_wakes_its_own(
    services: Services, clock: Clock
) -> None:
    """Ten thousand runs that wait for an event, a time or a person hold no thread, no file and no object, and what
    one of them waits for wakes that one alone."""
    store, process = services.clients["mercy"].store, psutil.Process()
    first = store_waiting(services, range(FIRST))
    services.start()
    comes_to(services, waiting=FIRST)
    threads, files, used, objects = threading.active_count(), process.num_fds(), memory(), len(gc.get_objects())

    store_waiting(services, range(FIRST, WAITING))
    comes_to(services, waiting=WAITING)

    assert threading.active_count() == threads
    readers = 2 * services.settings.threads
    assert process.num_fds() <= files + readers, (
        "at most a reader for each worker, which has the database and its log"
    )
    assert memory() - used < BOUND
    assert len(gc.get_objects()) - objects < (WAITING - FIRST) / 2, "not one object is kept for each of them"

    (woken,) = store.publish(EventRow("arrived", "N300", {"n": 300}))
    services.ring(woken)
    comes_to(services, waiting=WAITING - 1, done=1)
    assert woken in first["for_an_event"]
    assert told(services) == ["N300"]

    clock.now += timedelta(minutes=11, seconds=1)
    comes_to(services, waiting=WAITING - 2, done=2)
    assert told(services) == ["N300", "N1"]

    person = first["for_a_person"][4]
    (approval,) = store.story(person).approvals
    store.decide(approval.id, lambda row: ({"by": "omar", "decision": "approved"}, "approved"))
    services.ring(person)
    comes_to(services, waiting=WAITING - 3, done=3)
    assert told(services) == ["N300", "N1", "N14"]

    assert asked(services, "SELECT state, fence, count(*) FROM run GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("done", 2, 3), ("waiting", 1, WAITING - 3),
    ]  # fmt: skip
    assert services.ailing() == []


#: What is asked again and again while runs wait, the index that answers it, and with what.
QUESTIONS: dict[str, tuple[Statement, str, dict[str, Any]]] = {
    "what is due": (leases._DUE, "run_due", {"lane": LANES[1], "now": 5, "long_ago": 5, "most": 100}),
    "when the next run is due": (leases._NEXT_RUN, "run_due", {"lane": LANES[1]}),
    "when the next expectation is due": (leases._NEXT_EXPECTATION, "expectation_due", {}),
    "when the next approval is due": (leases._NEXT_APPROVAL, "approval_due", {}),
    "whom an event wakes": (
        signals._FIRE, "timer_event", {"of_client": "mercy", "type": "arrived", "key": "none", "event": "{}"},
    ),
    "whom a free place at a peer calls": (
        turns.OLDEST, "run_line",
        {"client": "mercy", "holder": "connection:none", "most": 4, "due": 5},
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_while_runs_wait_reads_an_index_and_not_the_runs(question: str, services: Services) -> None:
    """The sweeper, an event and a peer that is free find whom they look for by an index: with 10,000 waiting runs
    that takes as many steps of the database as with 100."""
    statement, index, given = QUESTIONS[question]
    sql, values = statement.compiled(DIALECT)
    given = {**values, **given}
    steps = []
    for count in (100, WAITING - 100):
        wait_in_the_store(services, count)
        with closing(sqlite3.connect(services.settings.data / "orderly.db")) as connection:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
            steps.append(counted(connection, sql, given))
            connection.rollback()

    read = [line for line in plan if line.startswith(("SCAN", "SEARCH"))]
    assert any(f"INDEX {index} (" in line or line.endswith(f"INDEX {index}") for line in read), plan
    assert not any(line.startswith("SCAN run") and "INDEX" not in line for line in plan), plan
    assert steps[1] <= steps[0] + 50, steps


def wait_in_the_store(services: Services, count: int) -> None:
    """So many more runs that wait as the engine leaves them: for a time, an event, a person, a connection."""
    runs = store_runs(services, "for_an_event", [{"n": "x"}] * count)
    far = 4_000_000_000_000_000

    def unit(tx: Any) -> None:
        tx.execute(f"UPDATE run SET state = 'waiting', due_at = {far}, fence = 1 WHERE state = 'ready'")
        tx.execute("UPDATE run SET held_by = 'connection:erp' WHERE state = 'waiting'")
        for number, run in enumerate(runs):
            tx.execute(
                "INSERT INTO timer (client, run, node, iteration, due_at, event_type, event_key, state)"
                f" VALUES ('mercy', '{run}', 'wait', '', {far}, 'arrived', '{number}', 'open')"
            )

    services.store.transact(unit)


def counted(connection: sqlite3.Connection, sql: str, given: dict[str, Any]) -> int:
    """How many instructions of its virtual machine SQLite runs."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(step, 1)
    connection.execute(sql, given).fetchall()
    connection.set_progress_handler(None, 0)
    return steps
