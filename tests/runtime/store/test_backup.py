"""A backup is whole, of one moment, and made while others write; after a restore nothing goes on by itself."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.model.run import IntentState, OutcomeState, RunState
from runtime.store import backup, restore
from runtime.store.backup import Manifest
from runtime.store.restore import Held, Restored
from runtime.store.snapshot import copy_blobs
from runtime.store.sqlite import SqliteStore
from runtime.store.store import NotFound, Refused, Unavailable
from runtime.store.vault import Keys, Vault, VaultError, key_path
from tests.runtime.store.clock import Clock
from tests.runtime.store.rows import SECONDS, commit, done, new, once, outcome, started, wait


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(data: Path, clock: Clock) -> Iterator[SqliteStore]:
    store = SqliteStore(data / "orderly.db", clock=clock)
    store.register_client("mercy", "Mercy General Hospital")
    yield store
    store.close()


def made(store: SqliteStore, target: Path, **keys: Path) -> Manifest:
    return backup.make(
        store, target, store.now(), files={}, keys={f"{name}.key": path for name, path in keys.items()}
    )


def unpacked(source: Path, data: Path, key_file: Path | None = None) -> SqliteStore:
    """The store of a new data folder."""
    with backup.unpacked(source, backup.read(source), data, key_file):
        pass
    return SqliteStore(data / "orderly.db")


def test_what_was_stored_is_in_the_backup_and_comes_back(store: SqliteStore, tmp_path: Path) -> None:
    mercy = store.for_client("mercy")
    ref = mercy.blobs.put(b"ISA*00*~" * 10_000, "application/edi-x12")
    run = mercy.create_run(new("R-1/0", raw=ref.blob)).run

    manifest = made(store, tmp_path / "backup")

    assert (manifest.clients, manifest.blobs, manifest.keys) == (["mercy"], 1, [])
    again = unpacked(tmp_path / "backup", tmp_path / "new")
    assert again.for_client("mercy").story(run).raw == ref.blob
    assert again.for_client("mercy").blobs.read(ref) == b"ISA*00*~" * 10_000
    again.close()


def test_a_backup_made_while_others_write_is_of_one_moment(store: SqliteStore, tmp_path: Path) -> None:
    """Each run is stored after the one before it, and each needs a blob of its own: the backup holds the first so
    many of them, without a gap, and the blob of every one of them."""
    mercy, enough, stop = store.for_client("mercy"), threading.Event(), threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            ref = mercy.blobs.put(f"order {len(written)}".encode())
            written.append(mercy.create_run(new(f"R-{len(written)}", raw=ref.blob, body={"n": "x" * 4000})).run)
            if len(written) == 100:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    enough.wait(30)
    before = len(written)
    made(store, tmp_path / "backup")
    stop.set()
    writer.join(30)

    again = unpacked(tmp_path / "backup", tmp_path / "new")
    copied = sorted(run.id for run in again.for_client("mercy").runs(limit=1_000_000).rows)
    assert len(copied) >= before
    assert copied == sorted(written[: len(copied)])
    blobs = again.blob_folder("mercy")
    for run in copied:
        raw = again.for_client("mercy").story(run).raw
        assert raw in blobs.names()
    again.close()


def test_nothing_is_removed_while_blobs_are_copied(store: SqliteStore, tmp_path: Path) -> None:
    folder = store.blob_folder("mercy")
    store.blobs("mercy").put(b"old and not needed")
    found = []

    class Watched(type(folder)):  # type: ignore[misc]
        def names(self) -> Iterator[str]:
            for name in super().names():
                found.append(folder.remove([name], float("inf"), lambda blobs: []))
                yield name

    watched = Watched(store._path.parent / "blobs", "mercy")

    assert copy_blobs(watched, tmp_path / "blobs", "mercy") == 1
    assert found == [None]


def test_a_backup_is_readable_by_this_user_only(store: SqliteStore, tmp_path: Path) -> None:
    store.blobs("mercy").put(b"secret order")

    made(store, tmp_path / "backup")

    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700


def test_a_place_that_is_taken_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "mine").write_text("do not overwrite")

    with pytest.raises(Refused, match="not empty"):
        made(store, tmp_path / "backup")
    made(store, tmp_path / "good")
    with pytest.raises(Refused, match="not empty"):
        unpacked(tmp_path / "good", tmp_path / "backup")

    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["mine"]


def test_a_backup_that_breaks_off_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    ref = store.blobs("mercy").put(b"will be damaged")
    path = next((store._path.parent / "blobs" / "mercy").glob("[0-9a-f][0-9a-f]/*"))
    path.write_bytes(b"damaged")

    with pytest.raises(Refused, match=f"{ref.blob} of client mercy is damaged"):
        made(store, tmp_path / "backup")

    assert sorted(each.name for each in tmp_path.iterdir()) == ["data"]


def test_a_damaged_database_is_not_backed_up_as_if_it_were_sound(data: Path, tmp_path: Path) -> None:
    """One page of a table that nothing reads at a start."""
    SqliteStore(data / "orderly.db").close()
    with closing(sqlite3.connect(data / "orderly.db")) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'attempt'")
        ((size,),) = connection.execute("PRAGMA page_size")
    with (data / "orderly.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    damaged = SqliteStore(data / "orderly.db")

    with pytest.raises(Refused, match="the database is damaged"):
        made(damaged, tmp_path / "backup")

    assert not (tmp_path / "backup").exists()
    damaged.close()


def test_a_place_that_cannot_be_written_is_told(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(Unavailable, match="could not be written"):
        made(store, tmp_path / "file" / "backup")


@pytest.mark.parametrize("what", ["manifest.json", "orderly.db", "blob"])
def test_a_backup_that_was_damaged_is_not_restored(store: SqliteStore, tmp_path: Path, what: str) -> None:
    store.blobs("mercy").put(b"x" * 100)
    made(store, tmp_path / "backup")
    found = (tmp_path / "backup").glob("blobs/mercy/[0-9a-f][0-9a-f]/*")
    path = next(found) if what == "blob" else tmp_path / "backup" / what
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")

    with pytest.raises(Refused, match=r"damaged|cannot be read"):
        unpacked(tmp_path / "backup", tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_a_backup_of_a_newer_version_is_not_restored(store: SqliteStore, tmp_path: Path) -> None:
    made(store, tmp_path / "backup")
    manifest = tmp_path / "backup" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema": "9999"}))

    with pytest.raises(Refused, match="newer version"):
        backup.read(tmp_path / "backup")


# key files


def test_secrets_open_again_with_the_key_file_and_not_without(
    store: SqliteStore, data: Path, tmp_path: Path
) -> None:
    Vault(store, data, {}).for_client("mercy").put("erp", "s3cret")
    made(store, tmp_path / "without")
    made(store, tmp_path / "with", vault=key_path(data, {}))

    lost = unpacked(tmp_path / "without", tmp_path / "lost")
    with pytest.raises(VaultError, match="add that key"):
        Vault(lost, tmp_path / "lost", {}).for_client("mercy").get("erp")
    lost.close()
    for name, source, key_file in [("whole", "with", None), ("given", "without", key_path(data, {}))]:
        again = unpacked(tmp_path / source, tmp_path / name, key_file)
        assert Vault(again, tmp_path / name, {}).for_client("mercy").get("erp") == "s3cret"
        assert Keys(tmp_path / name / "vault.key").current
        again.close()


# what a restore does to runs


@pytest.fixture
def restored(store: SqliteStore) -> SqliteStore:
    """As if it had just been brought back: what ``hold`` is for."""
    return store


def hold(store: SqliteStore, distance: int = 1000) -> list[Held]:
    return restore.hold(store, backup="the backup of today", distance=distance, by="omar")


def test_every_open_run_is_held_and_no_other(restored: SqliteStore, clock: Clock) -> None:
    mercy = restored.for_client("mercy")
    kept = (RunState.DONE, RunState.CANCELLED, RunState.DEAD, RunState.EXCEPTION)
    going = (RunState.WAITING, RunState.UNCERTAIN)
    runs = {}
    for state in (*kept, *going):
        lease = started(mercy, restored, f"R-{state}")
        commit(restored, lease, state, due_at=clock() + timedelta(hours=1) if state in going else None)
        runs[state] = lease.run
    leased = started(mercy, restored, "R-leased")
    ready = mercy.create_run(new("R-ready")).run
    commit(restored, by_connection := started(mercy, restored), RunState.HELD, held_by="connection:erp")

    (told,) = hold(restored)

    assert (told.client, told.held) == ("mercy", 5)
    for state in kept:
        assert mercy.run(runs[state]).state is state
    for id in (leased.run, ready, by_connection.run, *(runs[state] for state in going)):
        run = mercy.run(id)
        assert (run.state, run.held_by, run.due_at) == (RunState.HELD, "restore", None)
        assert run.why == "restored from the backup of today: look at the peers, then release it"
    clock.forward(86_400)
    assert list(restored.due()) == []


def test_a_run_behind_another_one_of_its_key_stays_behind_it(restored: SqliteStore) -> None:
    mercy = restored.for_client("mercy")
    first = mercy.create_run(new("R-1", order_key="PO-1")).run
    second = mercy.create_run(new("R-2", order_key="PO-1")).run
    hold(restored)

    assert list(mercy.let_go("restore")) == [first]

    assert mercy.run(second).held_by == "order"
    lease = restored.acquire(first, "one", SECONDS)
    assert lease is not None
    commit(restored, lease, RunState.DONE)
    assert mercy.run(second).state is RunState.READY


def test_an_effect_that_was_under_way_is_uncertain(restored: SqliteStore, clock: Clock) -> None:
    """Its look-up is due as soon as the run goes on; where nobody can be asked, a person is."""
    mercy = restored.for_client("mercy")
    asks = once("create", look_up={"type": "soap.call", "connection": "erp", "parameters": {}})
    one, two, over = (started(mercy, restored, f"R-{number}") for number in range(3))
    commit(restored, one, intents=(asks,))
    commit(restored, two, RunState.WAITING, intents=(once("create"),), timers=(wait("rest", "1"),))
    commit(restored, over, intents=(once("create"),))
    commit(restored, over, RunState.WAITING, outcomes=(done("create", {"Number": "1"}),))
    retried = started(mercy, restored, "R-4")
    commit(
        restored, retried, RunState.WAITING, intents=(asks,),
        outcomes=(outcome("create", OutcomeState.RETRYING, attempts=2, due_at=clock()),),
    )  # fmt: skip

    (told,) = hold(restored)

    assert told.uncertain == 3
    found = {run: mercy.story(run).outcomes[0] for run in (one.run, two.run, over.run, retried.run)}
    assert found[over.run].state is OutcomeState.DONE
    assert found[one.run].state is found[two.run].state is found[retried.run].state is OutcomeState.UNCERTAIN
    assert (found[one.run].due_at, found[two.run].due_at, found[retried.run].attempts) == (clock(), None, 2)
    (asked,) = mercy.exceptions().rows
    assert (asked.kind, asked.run, asked.node) == ("uncertain", two.run, "create")
    assert mercy.story(one.run).intents[0].state is IntentState.OPEN


def test_control_numbers_jump_past_those_that_may_have_been_used(restored: SqliteStore) -> None:
    mercy = restored.for_client("mercy")
    assert mercy.allocate("x12:acme", 999_999_999, "r1", "write", "") == 1

    hold(restored, distance=500)

    assert mercy.allocate("x12:acme", 999_999_999, "r1", "write", "") == 1, "the same node keeps its number"
    assert mercy.allocate("x12:acme", 999_999_999, "r2", "write", "") == 502


def test_control_numbers_that_jump_over_their_end_begin_again(restored: SqliteStore) -> None:
    mercy = restored.for_client("mercy")
    for run in range(9):
        mercy.allocate("short", 9, str(run), "write", "")

    hold(restored, distance=5)

    assert mercy.allocate("short", 9, "next", "write", "") == 6


def test_a_restore_is_audited_for_every_client(restored: SqliteStore) -> None:
    restored.register_client("other", "Other")
    restored.for_client("mercy").create_run(new("R-1"))

    hold(restored)

    trails = [restored.for_client(client).audit_trail()[0] for client in ("mercy", "other")]
    assert [(entry["actor"], entry["action"], entry["details"]["held"]) for entry in trails] == [
        ("omar", "restore.made", 1), ("omar", "restore.made", 0),
    ]  # fmt: skip


def test_one_run_is_released_and_the_others_stay(restored: SqliteStore, clock: Clock) -> None:
    mercy = restored.for_client("mercy")
    one, two = mercy.create_run(new("R-1")).run, mercy.create_run(new("R-2")).run
    hold(restored)

    Restored(restored, "mercy").release(one)

    assert (mercy.run(one).state, mercy.run(one).due_at, mercy.run(one).why) == (RunState.READY, clock(), "")
    assert mercy.run(two).state is RunState.HELD
    assert list(restored.due()) == [one]


def test_only_what_a_restore_holds_is_released(restored: SqliteStore) -> None:
    mercy = restored.for_client("mercy")
    commit(restored, lease := started(mercy, restored), RunState.HELD, held_by="connection:erp")
    restored_runs = Restored(restored, "mercy")

    with pytest.raises(Refused, match="held by connection:erp"):
        restored_runs.release(lease.run)
    with pytest.raises(NotFound):
        restored_runs.release("nobody")


def test_a_worker_of_before_the_restore_cannot_commit(restored: SqliteStore) -> None:
    """It may have been stopped, not killed: its lease is worth nothing any more."""
    from runtime.store.store import StaleLease

    lease = started(restored.for_client("mercy"), restored)

    hold(restored)

    with pytest.raises(StaleLease):
        commit(restored, lease, RunState.DONE)
