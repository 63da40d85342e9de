"""A backup of one kind of store can be restored into another one: everything arrives, and numbers go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.sdk import BlobRef
from runtime.model.run import EventRow, RunState
from runtime.store import backup, tables
from runtime.store.postgresql_copy import fill
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement
from runtime.store.store import Refused, Unavailable
from runtime.store.vault import Vault
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database
from tests.runtime.store.rows import (
    approval,
    child,
    commit,
    done,
    exception,
    expect,
    new,
    once,
    started,
    tried,
    wait,
)

Opener = Callable[[str], SharedStore]
RAW = b"ISA*00*~" * 100_000
ODD = {"odd": 'tab\t newline\n backslash \\N \\. "quoted" \u2603 \U0001f9ea', "nothing": None, "nul": "\0"}


@pytest.fixture
def opened(tmp_path: Path, database: Database) -> Iterator[Opener]:
    """A store of that kind, the same one each time."""
    clock, stores = Clock(), []

    def open(kind: str) -> SharedStore:
        if kind == "sqlite":
            store: SharedStore = SqliteStore(tmp_path / "data" / "orderly.db", clock=clock)
        else:
            store = database.open(tmp_path / "machine", clock=clock)
        stores.append(store)
        return store

    yield open
    for store in stores:
        store.close()


def rows(store: SharedStore) -> dict[str, list[Any]]:
    """Of every table but those of large blobs and what a process keeps for itself."""
    found = {}
    for table in tables.metadata.sorted_tables:
        if table not in (tables.large_blob, tables.blob_part):
            query = Statement(select(table).order_by(*table.primary_key))
            found[table.name] = store.read(lambda tx, query=query: tx.all(query))  # type: ignore[misc]
    return found


def furnish(store: SharedStore, data: Path) -> tuple[str, BlobRef]:
    """A row in nearly every table; a run that waits, and the large blob that it came with."""
    store.register_client("mercy", "Mercy General Hospital")
    store.register_client("hope", "Hope Clinic")
    mercy = store.for_client("mercy")
    ref = mercy.blobs.put(RAW, "application/edi-x12")
    store.for_client("hope").blobs.put(b"of another client")
    lease = started(mercy, store, "R-1/0", keys=(("requisition", "R-1"),), raw=ref.blob, body=ODD)
    commit(
        store, lease, intents=(once("send"),), expectations=(expect("send", "R-1"),), timers=(wait("rest", "R-1"),),
        approvals=(approval(),), exceptions=(exception(),), attempts=(tried("send", store.now()),),
        child=child("call", lease.run), outcomes=(done("send", {"content": ref.model_dump(by_alias=True)}),),
    )  # fmt: skip
    commit(store, lease, RunState.WAITING, why="for its child")
    mercy.create_run(new("R-2", raw="sha256:" + "a" * 64, raw_bytes=bytes(range(256))))
    mercy.allocate("x12:acme", 999_999_999, lease.run, "send", "")
    for number in range(3):
        mercy.publish(EventRow("arrived", str(number), {"n": number}))
    mercy.audit("omar", "tested", "all")
    Vault(store, data, {}).for_client("mercy").put("erp", "s3cret")
    return lease.run, ref


def moved(store: SharedStore, folder: Path) -> Path:
    """The backup."""
    backup.make(store, folder, store.now(), files={}, keys={})
    return folder


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_a_store_holds_is_in_its_backup(opened: Opener, tmp_path: Path, kind: str) -> None:
    store = opened(kind)
    run, ref = furnish(store, tmp_path)

    made = backup.make(store, tmp_path / "backup", store.now(), files={}, keys={})

    assert (made.clients, made.blobs) == (["hope", "mercy"], 2)
    with backup.unpacked(tmp_path / "backup", made, tmp_path / "new", None):
        pass
    again = SqliteStore(tmp_path / "new" / "orderly.db", clock=store.now)
    assert rows(again) == rows(store)
    assert again.for_client("mercy").story(run).raw == ref.blob
    assert again.for_client("mercy").blobs.read(ref) == RAW
    again.close()


def test_a_backup_of_sqlite_fills_postgresql(opened: Opener, database: Database, tmp_path: Path) -> None:
    old, target = opened("sqlite"), database.address()
    run, ref = furnish(old, tmp_path)
    source = moved(old, tmp_path / "backup")

    fill(target, source / "orderly.db", source / "blobs")

    store = opened("postgresql")
    assert rows(store) == rows(old)
    mercy = store.for_client("mercy")
    assert mercy.blobs.read(ref) == RAW
    assert mercy.story(run).body == ODD
    assert not store.for_client("hope").blobs.places[0].holds(ref.blob)  # type: ignore[attr-defined]
    assert Vault(store, tmp_path, {}).for_client("mercy").get("erp") == "s3cret"
    commit_of_nobody = store.backend("hope").read(lambda tx: tx.all(Statement(select(tables.run))))
    assert commit_of_nobody == [], "the wall between clients stands again"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_number_is_never_given_out_again(opened: Opener, database: Database, tmp_path: Path, kind: str) -> None:
    """Also where the rows with the highest numbers are gone: positions of subscriptions depend on it."""
    store = opened(kind)
    furnish(store, tmp_path)
    store.transact(lambda tx: tx.run(Statement(tables.event.delete())))
    source = moved(store, tmp_path / "backup")
    other = SqliteStore(source / "orderly.db", clock=store.now)
    other.for_client("mercy").publish(EventRow("arrived", "next", {}))
    (found,) = rows(other)["event"]
    other.close()
    source = moved(store, tmp_path / "once_more")
    store.close()
    database.empty()

    fill(database.address(), source / "orderly.db", source / "blobs")

    again = opened("postgresql")
    again.for_client("mercy").publish(EventRow("arrived", "next", {}))
    (row,) = rows(again)["event"]
    assert (row[0], found[0]) == (4, 4)


def test_a_database_that_holds_rows_is_not_filled(opened: Opener, database: Database, tmp_path: Path) -> None:
    source = moved(opened("sqlite"), tmp_path / "backup")
    store = opened("postgresql")
    store.register_client("mercy", "Mercy")

    with pytest.raises(Refused, match="holds rows already"):
        fill(database.address(), source / "orderly.db", source / "blobs")

    assert store.client_names() == ["mercy"]


def test_a_database_is_filled_whole_or_not_at_all(opened: Opener, database: Database, tmp_path: Path) -> None:
    """A text that PostgreSQL cannot hold, in the last table but one."""
    old = opened("sqlite")
    furnish(old, tmp_path)
    source = moved(old, tmp_path / "backup")
    with closing(sqlite3.connect(source / "orderly.db")) as connection:
        connection.execute("UPDATE user SET name = 'x'")
        connection.execute("UPDATE audit SET subject = 'a' || char(0) || 'b'")
        connection.commit()

    with pytest.raises((Unavailable, Refused), match="NUL"):
        fill(database.address(), source / "orderly.db", source / "blobs")

    store = opened("postgresql")
    assert not any(rows(store).values())
    assert database.sql("SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname = 'run'") == [(True,)]


def test_a_backup_of_postgresql_made_while_others_write_is_of_one_moment(opened: Opener, tmp_path: Path) -> None:
    """What is committed after its first look is not in it, rows and blobs alike."""
    store = opened("postgresql")
    store.register_client("mercy", "Mercy")
    mercy = store.for_client("mercy")
    first = mercy.blobs.put(b"there before")
    mercy.create_run(new("R-1", raw=first.blob))

    with store.snapshot() as snapshot:
        store.for_client("mercy").audit("omar", "late", "s")
        snapshot.rows_to(tmp_path / "early.db")
        mercy.create_run(new("R-2", raw=mercy.blobs.put(b"came late").blob))
        place = mercy.blobs.places[0]  # type: ignore[attr-defined]
        assert place.remove([first.blob], place.now() + 1, lambda blobs: []) == 1
        copied = snapshot.blobs_to(tmp_path / "blobs", "mercy")

    assert copied == 1
    with closing(sqlite3.connect(tmp_path / "early.db")) as connection:
        assert connection.execute("SELECT identity FROM run").fetchall() == [("R-1",)]


def test_blobs_of_rows_that_are_removed_while_a_file_is_backed_up_are_in_the_backup(
    opened: Opener, tmp_path: Path
) -> None:
    """Retention takes a run away after the rows were copied, and would take its blob before that is copied."""
    store = opened("sqlite")
    assert isinstance(store, SqliteStore)
    store.register_client("mercy", "Mercy")
    ref = store.for_client("mercy").blobs.put(b"needed by what was copied")

    with store.snapshot() as snapshot:
        snapshot.rows_to(tmp_path / "early.db")
        removed = store.blob_folder("mercy").remove([ref.blob], float("inf"), lambda blobs: [])
        copied = snapshot.blobs_to(tmp_path / "blobs", "mercy")

    assert (removed, copied) == (None, 1)
