"""PostgreSQL keeps every promise of a store, and is one for several processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from runtime.store.postgresql import PostgresqlStore
from runtime.store.statements import Statement, Tx
from runtime.store.store import StoreError, Unavailable
from tests.runtime.store.database import Database
from tests.runtime.store.rows import (
    SECONDS,
    new,
    started,
)
from tests.runtime.store.suite import Opener, StoreSuite
from tests.runtime.store.units import at_once, note, notes

ROOT = Path(__file__).parents[3]


class TestPostgresql(StoreSuite):
    @pytest.fixture
    def opener(self, database: Database, tmp_path: Path) -> Opener:
        return lambda clock: database.open(tmp_path, clock=clock)


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Iterator[PostgresqlStore]:
    store = database.open(tmp_path)
    yield store
    store.close()


_RACING = """
import sys
from pathlib import Path
from runtime.model.run import Checkpoint, EventRow, NewRun, RunState
from runtime.store.postgresql import PostgresqlStore

url, schema, data, me = sys.argv[1:]
store = PostgresqlStore(url, data=Path(data), schema=schema)
mercy = store.for_client("mercy")
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    created = mercy.create_run(NewRun("f", "1", "r", {"n": number}, "d", "test", f"R-{number}"))
    lease = store.acquire(created.run, me, 30)
    if lease is not None:
        event = EventRow("seen", str(number), {"by": me})
        committed = store.commit(lease, Checkpoint(state=RunState.DONE, events=(event,)), 30)
        print(number, created.run, lease.fence, committed.state, flush=True)
store.close()
"""


def test_of_two_processes_that_race_for_identities_and_leases_each_is_won_by_one(
    database: Database, tmp_path: Path
) -> None:
    given = [sys.executable, "-c", _RACING, database.url, database.schema, str(tmp_path)]
    racing = [
        subprocess.Popen([*given, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        for name in ("one", "two")
    ]
    for process in racing:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(lambda process: process.communicate("go\n", 60)[0], racing))

    advanced = [line.split() for line in "".join(told).splitlines()]
    assert [process.returncode for process in racing] == [0, 0]
    assert Counter(int(number) for number, *_ in advanced) == dict.fromkeys(range(100), 1)
    assert {(fence, state) for _, _, fence, state in advanced} == {("1", "done")}
    assert database.sql("SELECT count(*), count(DISTINCT identity) FROM run") == [(100, 100)]
    assert database.sql("SELECT count(*) FROM message") == [(100,)]
    assert len(set(database.sql("SELECT key FROM event"))) == 100


def test_two_that_start_at_once_set_up_one_schema(fresh: Database, tmp_path: Path) -> None:
    started_at_once = at_once(*[lambda: fresh.open(tmp_path)] * 4)

    stores = [future.result() for future in started_at_once]
    run = stores[0].for_client("mercy").create_run(new()).run
    assert [store.due() for store in stores] == [[run]] * 4
    for store in stores:
        store.close()


def test_a_unit_that_raises_undoes_itself_and_raises_at_its_caller(store: PostgresqlStore) -> None:
    def unit(tx: Tx) -> None:
        note("lost")(tx)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        store.transact(unit)

    assert notes(store) == []


def test_a_statement_that_the_database_refuses_is_a_store_error_that_says_where(store: PostgresqlStore) -> None:
    with pytest.raises(StoreError, match=r'relation "nowhere" does not exist.*orderly db upgrade') as refused:
        store.transact(lambda tx: tx.run(Statement(text("DELETE FROM nowhere"))))
    assert "5432" in str(refused.value)
    assert not isinstance(refused.value, Unavailable)

    for identity in ("\ud800", "R-1\0/0"):
        with pytest.raises(StoreError, match=r"NUL|Unicode"):
            store.for_client("mercy").create_run(new(identity))
    assert store.due() == []


def test_what_returns_nothing_fails_the_unit_all_the_same(store: PostgresqlStore) -> None:
    """It is sent with COMMIT, which then does not happen."""
    store.register_client("mercy", "Mercy")
    double = Statement(text("INSERT INTO client (id, name, created_at) VALUES ('mercy', '', 0)"))

    def unit(tx: Tx) -> None:
        note("lost")(tx)
        tx.many(double, [{}])

    with pytest.raises(StoreError, match="duplicate key"):
        store.transact(unit)

    assert notes(store) == []


def test_a_statement_that_takes_too_long_is_given_up(database: Database, tmp_path: Path) -> None:
    store = database.open(tmp_path, patience=0.2)

    with pytest.raises(Unavailable, match="took longer than it may"):
        store.transact(lambda tx: tx.all(Statement(text("SELECT pg_sleep(20)"))))

    assert store.transact(note("after")) == 1
    store.close()


def test_a_closed_store_says_so(store: PostgresqlStore) -> None:
    mercy = store.for_client("mercy")
    store.close()
    store.close()

    with pytest.raises(Unavailable, match="closed"):
        mercy.create_run(new())
    with pytest.raises(Unavailable, match="closed"):
        store.due()


def test_large_bodies_pass(store: PostgresqlStore) -> None:
    body = {"lines": ["x" * 1000] * 8000}

    run = store.for_client("mercy").create_run(new(body=body)).run

    assert store.for_client("mercy").story(run).body == body


def test_small_bytes_and_large_ones_lie_in_the_database(store: PostgresqlStore, tmp_path: Path) -> None:
    mercy, small, large = store.for_client("mercy"), bytes(range(256)), bytes(100_000)
    refs = [mercy.blobs.put(large)]

    mercy.create_run(new(raw="sha256:" + "0" * 64, raw_bytes=small))

    assert mercy.blobs.read(refs[0]) == large
    assert mercy.blobs.read(refs[0].model_copy(update={"blob": "sha256:" + "0" * 64})) == small
    assert list(tmp_path.rglob("*")) == []


def test_now_is_the_time_of_the_database_and_leases_are_counted_by_it(
    store: PostgresqlStore, database: Database
) -> None:
    def clock() -> int:
        return int(database.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0][0])

    before = clock()
    inside = store.transact(lambda tx: tx.now)
    reckoned = store.now().timestamp() * 1_000_000
    lease = started(store.for_client("mercy"), store)
    after = clock()

    assert before < inside < after
    assert before - 100_000 < reckoned < after + 100_000
    ((ends,),) = database.sql("SELECT due_at FROM run WHERE id = %s", lease.run)
    assert inside < ends - SECONDS * 1_000_000 < after
