"""SQLite keeps every promise of a store, and those of a file that belongs to one process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from runtime.model.run import RunState
from runtime.store import migrations, tables
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement, Tx
from runtime.store.store import Overtaken, StoreError, Unavailable
from tests.runtime.store.rows import SECONDS, commit, new, once, started
from tests.runtime.store.suite import Opener, StoreSuite

ROOT = Path(__file__).parents[3]


class TestSqlite(StoreSuite):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda clock: SqliteStore(tmp_path / "orderly.db", clock=clock)


class TestRelaxedSqlite(StoreSuite):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda clock: SqliteStore(tmp_path / "orderly.db", clock=clock, relaxed=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "orderly.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def test_what_was_stored_is_there_after_the_store_was_closed_and_opened(path: Path) -> None:
    first = SqliteStore(path)
    run = first.for_client("mercy").create_run(new("R-1/0")).run
    first.close()

    second = SqliteStore(path)

    assert second.for_client("mercy").run(run).state is RunState.READY
    second.close()


_POSTING = """
import sys
from pathlib import Path
from runtime.model.run import NewRun
from runtime.store.sqlite import SqliteStore
from concurrent.futures import ThreadPoolExecutor

mercy = SqliteStore(Path(sys.argv[1])).for_client("mercy")

def post(number):
    run = mercy.create_run(NewRun("f", "1", "r", {"n": number}, "d", "test", f"R-{number}")).run
    sys.stdout.write(f"{run}\\n")
    sys.stdout.flush()

with ThreadPoolExecutor(4) as threads:
    list(threads.map(post, range(100_000)))
"""


def test_nothing_that_was_acknowledged_is_lost_at_a_kill(path: Path) -> None:
    """Each id is printed after ``create_run`` returned; the process gets SIGKILL in full run."""
    posting = subprocess.Popen(
        [sys.executable, "-c", _POSTING, str(path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert posting.stdout is not None
    printed = [posting.stdout.readline() for _ in range(200)]
    posting.send_signal(signal.SIGKILL)
    printed += posting.stdout.readlines()
    posting.wait(20)
    posting.stdout.close()

    store = SqliteStore(path)
    stored = set(store.due(limit=1_000_000))

    acknowledged = {line.strip() for line in printed if line.endswith("\n")}
    assert len(acknowledged) >= 200
    assert acknowledged <= stored
    store.close()


def test_a_second_process_is_told_who_has_the_store(path: Path, store: SqliteStore) -> None:
    opening = "import sys; from pathlib import Path; from runtime.store.sqlite import SqliteStore; " \
              "SqliteStore(Path(sys.argv[1]))"  # fmt: skip

    second = subprocess.run([sys.executable, "-c", opening, str(path)], cwd=ROOT, capture_output=True, text=True)

    assert second.returncode == 1
    assert f"InUse: {path} is in use by process {os.getpid()}: stop that process" in second.stderr


def test_a_set_up_that_is_killed_half_way_leaves_nothing_and_is_made_by_the_next_start(path: Path) -> None:
    """All of the schema or none of it: what is half there is taken for the database of somebody else."""
    dying = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from runtime.store.migrations import prepare

@event.listens_for(Engine, "before_cursor_execute")
def die(connection, cursor, statement, *more):
    if "CREATE TABLE interchange" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

prepare(Path(sys.argv[1]))
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    killed = subprocess.run([sys.executable, "-c", dying, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)

    store = SqliteStore(path)

    assert store.client_names() == []
    store.close()


def test_the_lock_goes_with_its_process(path: Path) -> None:
    SqliteStore(path).close()

    SqliteStore(path).close()

    assert path.with_name("orderly.db.lock").exists()


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    mercy = store.for_client("mercy")
    store.close()
    store.close()

    with pytest.raises(Unavailable, match="closed"):
        mercy.create_run(new())
    with pytest.raises(Unavailable, match="closed"):
        store.due()


def test_closing_finishes_what_stands_in_line(path: Path) -> None:
    store = SqliteStore(path)
    mercy, reached, go_on = store.for_client("mercy"), threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        reached.set()
        go_on.wait(20)

    first = threading.Thread(target=store.transact, args=(slow,))
    first.start()
    reached.wait(20)
    created: list[str] = []
    second = threading.Thread(target=lambda: created.append(mercy.create_run(new()).run))
    closing = threading.Thread(target=store.close)
    second.start()
    while store.waiting == 0:
        pass
    closing.start()
    go_on.set()
    for thread in (first, second, closing):
        thread.join(20)

    again = SqliteStore(path)
    assert again.due() == created
    again.close()


def test_a_unit_that_raises_undoes_itself_and_raises_at_its_caller(store: SqliteStore) -> None:
    mercy = store.for_client("mercy")

    def unit(tx: Tx) -> None:
        tx.run(Statement(text("DELETE FROM run")))
        raise LookupError("mine")

    run = mercy.create_run(new()).run
    with pytest.raises(LookupError, match="mine"):
        store.transact(unit)

    assert mercy.run(run).id == run


def test_a_statement_that_the_database_refuses_is_a_store_error(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="no such table"):
        store.transact(lambda tx: tx.run(Statement(text("DELETE FROM nowhere"))))
    with pytest.raises(StoreError):
        store.for_client("mercy").create_run(new("\ud800"))


def test_readers_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="readonly"):
        store.read(lambda tx: tx.run(Statement(text("DELETE FROM run"))))


def test_a_full_disk_is_unavailable_and_passes_when_there_is_room(store: SqliteStore) -> None:
    """SQLite's own page limit stands for the disk: it gives the same error."""
    mercy = store.for_client("mercy")
    run = mercy.create_run(new("R-1/0")).run
    pages = store.transact(lambda tx: tx.one(Statement(text("PRAGMA page_count"))))
    assert pages is not None
    store.transact(lambda tx: tx.all(Statement(text(f"PRAGMA max_page_count = {pages[0]}"))))

    with pytest.raises(Unavailable, match="disk is full"):
        mercy.create_run(new("R-2/0", body={"note": "x" * 1_000_000}))

    assert mercy.run(run).id == run
    store.transact(lambda tx: tx.all(Statement(text("PRAGMA max_page_count = 1073741823"))))
    assert not mercy.create_run(new("R-2/0", body={"note": "x" * 1_000_000})).duplicate


def test_every_commit_is_flushed_but_those_of_leases(path: Path) -> None:
    """PRAGMA synchronous as the units see it: 2 is FULL, 1 is NORMAL."""
    asked = Statement(text("PRAGMA synchronous"))
    seen = {}
    for relaxed in (False, True):
        store = SqliteStore(path, relaxed=relaxed)
        for durable in (True, False):
            row = store.transact(lambda tx: tx.one(asked), durable=durable)
            assert row is not None
            seen[relaxed, durable] = row[0]
        store.close()

    assert seen == {(False, True): 2, (False, False): 1, (True, True): 1, (True, False): 1}


# the schema


def test_the_migrations_make_the_tables_that_are_declared(path: Path, store: SqliteStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    engine.dispose()

    assert differences == []


def test_the_migrations_make_the_same_sql_as_the_declarations(
    path: Path, store: SqliteStore, tmp_path: Path
) -> None:
    """Primary keys, defaults, partial indexes and storage options too."""
    store.close()
    declared = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    tables.metadata.create_all(declared)
    declared.dispose()

    def written(file: Path) -> dict[str, str]:
        connection = sqlite3.connect(file)
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        connection.close()
        return {
            name: " ".join(sql.split()) for name, sql in rows if name not in ("alembic_version", "sqlite_sequence")
        }

    assert written(path) == written(tmp_path / "declared.db")


def test_the_newest_revision_is_the_one_that_a_start_looks_for() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migrations.config()).get_heads() == [migrations.HEAD]


def test_every_row_carries_its_client() -> None:
    without = {name for name, table in tables.metadata.tables.items() if "client" not in table.c}

    assert without == {"client"}


@pytest.mark.parametrize(("revision", "advice"), [("9999", "newer version"), ("0000", "orderly db upgrade")])
def test_a_database_of_another_version_is_left_alone(path: Path, revision: str, advice: str) -> None:
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.commit()
    connection.close()

    with pytest.raises(Unavailable, match=advice):
        SqliteStore(path)
    with pytest.raises(Unavailable, match=advice):
        SqliteStore(path)


def test_a_file_that_is_no_database_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database" * 100)
    with pytest.raises(Unavailable, match="cannot be read as a database"):
        SqliteStore(tmp_path / "text.db")

    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE things (id)")
    connection.close()
    with pytest.raises(Unavailable, match="not one of Orderly"):
        SqliteStore(tmp_path / "other.db")


def test_hot_statements_use_an_index(store: SqliteStore) -> None:
    """What runs for every message never scans a table."""
    started(store.for_client("mercy"), store, "R-1/0")
    queries = [
        "SELECT id FROM run WHERE due_at <= 1 AND state IN ('ready','leased') ORDER BY due_at, id LIMIT 5",
        "SELECT * FROM run WHERE client = 'mercy' ORDER BY id DESC LIMIT 5",
        "SELECT * FROM timer WHERE client = 'm' AND event_type = 'e' AND event_key = 'k' AND state = 'open'",
        "SELECT * FROM expectation WHERE client = 'm' AND event_type = 'e' AND event_key = 'k'",
        "SELECT * FROM expectation WHERE state = 'open' AND due_at <= 1",
        "SELECT run FROM business_key WHERE client = 'm' AND value = 'v'",
    ]
    for query in queries:
        plan = store.read(lambda tx, query=query: tx.all(Statement(text(f"EXPLAIN QUERY PLAN {query}"))))  # type: ignore[misc]
        assert not any("SCAN" in row[3] and "INDEX" not in row[3] for row in plan), (query, plan)


def test_a_run_that_is_cancelled_while_it_begins_writes_nothing(tmp_path: Path) -> None:
    """It is not leased before its first commit, so it can be cancelled."""
    store = SqliteStore(tmp_path / "orderly.db")
    try:
        store.register_client("mercy", "Mercy")
        mercy = store.for_client("mercy")
        run = mercy.create_run(new("R-1/0")).run
        begun = store.begin(run, "one", SECONDS)
        assert begun is not None
        assert not begun[0].written

        mercy.cancel(run, "not wanted")

        with pytest.raises(Overtaken, match="was cancelled, or another worker began with it"):
            commit(store, begun[0], intents=(once("order"),))
        story = mercy.story(run)
        assert (story.run.state, story.intents) == (RunState.CANCELLED, [])
    finally:
        store.close()
