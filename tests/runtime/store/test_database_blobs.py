"""Large bytes in the database: in parts, complete or absent, the same for every machine."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.sdk import BlobRef, Misconfigured
from runtime.store.database_blobs import PART, DatabaseBlobs, parts
from runtime.store.postgresql import PostgresqlStore
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.store import Unavailable
from tests.runtime.store.clock import Clock
from tests.runtime.store.database import Database
from tests.runtime.store.rows import new

ROOT = Path(__file__).parents[3]
DAY = 86_400.0
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[SharedStore]:
    if request.param == "sqlite":
        store: SharedStore = SqliteStore(tmp_path / "orderly.db", clock=clock)
    else:
        store = request.getfixturevalue("database").open(tmp_path, clock=clock)
    yield store
    store.close()


@pytest.fixture
def blobs(store: SharedStore) -> DatabaseBlobs:
    """With parts of four bytes."""
    return DatabaseBlobs(store.backend("mercy"), "mercy", part=4)


def rows(store: SharedStore) -> tuple[int, int]:
    """Blobs and parts."""
    from sqlalchemy import func, select

    from runtime.store import tables
    from runtime.store.statements import Statement

    found = [
        store.read(lambda tx, counted=counted: tx.one(counted))
        for counted in (
            Statement(select(func.count()).select_from(table)) for table in (tables.large_blob, tables.blob_part)
        )
    ]
    return found[0][0], found[1][0]


@pytest.mark.parametrize("data", [b"", b"abc", b"abcd", b"abcde", b"0123456789ab", bytes(range(256))])
def test_bytes_come_back_whatever_their_length(blobs: DatabaseBlobs, data: bytes) -> None:
    ref = blobs.put(data, "application/edi-x12")

    assert (ref.blob, ref.size) == ("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    assert blobs.read(ref) == data


def test_a_blob_is_read_from_anywhere(blobs: DatabaseBlobs) -> None:
    ref = blobs.put(b"0123456789abcdef!")

    with blobs.open(ref) as stream:
        assert stream.seek(7) == 7
        assert stream.read(6) == b"789abc"
        assert stream.seek(0, 2) == 17
        assert stream.read() == b""
        assert stream.seek(-1, 2) == 16
        assert stream.read() == b"!"
        assert stream.seek(0) == 0
        assert stream.readline() == b"0123456789abcdef!"


def test_the_same_bytes_are_kept_once_whole_or_in_pieces(blobs: DatabaseBlobs, store: SharedStore) -> None:
    first = blobs.put(b"abcdefghij")

    again = blobs.put(piece for piece in (b"ab", b"", b"cdefgh", b"ij"))

    assert again == first
    assert rows(store) == (1, 3)


def test_bytes_of_another_client_are_not_stored_here(blobs: DatabaseBlobs, store: SharedStore) -> None:
    ref = blobs.put(b"secret order")

    other = DatabaseBlobs(store.backend("other"), "other", part=4)

    assert not other.holds(ref.blob)
    with pytest.raises(Misconfigured, match="not stored"):
        other.open(ref)
    assert other.remove([ref.blob], 2e10, lambda blobs: []) == 0
    assert blobs.read(ref) == b"secret order"


@pytest.mark.parametrize(("error", "told"), [(ConnectionResetError, Unavailable), (LookupError, LookupError)])
def test_bytes_that_break_off_leave_no_blob(
    blobs: DatabaseBlobs, store: SharedStore, clock: Clock, error: type[Exception], told: type[Exception]
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"0123456789"
        raise error("peer gone")

    with pytest.raises(told, match="peer gone"):
        blobs.put(pieces())

    assert rows(store)[0] == 0
    blobs.tidy(clock().timestamp() + 1)
    assert rows(store) == (0, 0)


def test_what_died_half_put_is_tidied_up_a_day_later_and_nothing_else(
    blobs: DatabaseBlobs, store: SharedStore, clock: Clock
) -> None:
    whole = blobs.put(b"whole and long")
    blobs._put_part("died", 0, b"half")
    blobs._put_part("died", 1, b"more")
    assert blobs.tidy(blobs.now() - DAY) == 0
    clock.forward(2 * DAY)

    assert blobs.tidy(blobs.now() - DAY) == 1

    assert rows(store) == (1, 4)
    assert blobs.read(whole) == b"whole and long"


def test_a_blob_whose_first_parts_were_tidied_away_is_not_kept(blobs: DatabaseBlobs, clock: Clock) -> None:
    def slowly() -> Iterator[bytes]:
        yield b"0123456789"
        clock.forward(2 * DAY)
        blobs.tidy(blobs.now() - DAY)
        yield b"abc"

    with pytest.raises(Unavailable, match="send it again"):
        blobs.put(slowly())


def test_a_blob_that_is_removed_while_it_is_read_is_told(blobs: DatabaseBlobs) -> None:
    ref = blobs.put(b"0123456789")

    with blobs.open(ref) as stream:
        assert stream.read(2) == b"01"
        assert blobs.remove([ref.blob], blobs.now() + 1, lambda blobs: []) == 1
        with pytest.raises(Misconfigured, match="not stored"):
            stream.read()


def test_pieces_are_cut_to_one_size() -> None:
    given = [b"a", b"", b"bcdefghij", b"k"]

    assert list(parts(given, 4)) == [b"abcd", b"efgh", b"ijk"]
    assert list(parts(given, 11)) == [b"abcdefghijk"]
    assert list(parts([], 4)) == []


def test_neither_side_has_the_whole_in_memory(database: Database, tmp_path: Path) -> None:
    """24 MB put and read, in far less."""
    store, size, piece = database.open(tmp_path), 24_000_000, bytes(range(250)) * 40
    blobs = store.for_client("mercy").blobs
    tracemalloc.start()

    ref = blobs.put(piece for _ in range(size // len(piece)))
    digest = hashlib.sha256()
    with blobs.open(ref) as stream:
        while part := stream.read(PART):
            digest.update(part)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    store.close()
    assert (ref.size, "sha256:" + digest.hexdigest()) == (size, ref.blob)
    assert peak < 6_000_000


_READING = """
import sys
from pathlib import Path
from connectors.sdk import BlobRef
from runtime.store.postgresql import PostgresqlStore

url, schema, data, run = sys.argv[1:]
store = PostgresqlStore(url, data=Path(data), schema=schema)
mercy = store.for_client("mercy")
raw = mercy.story(run).raw
sys.stdout.buffer.write(mercy.blobs.read(BlobRef(blob=raw, size=0)))
store.close()
"""


def test_what_one_machine_took_another_one_reads(database: Database, tmp_path: Path) -> None:
    """Two processes that have nothing in common but the database."""
    store, raw = database.open(tmp_path / "web"), b"ISA*00*~" * 100_000
    sum = "sha256:" + hashlib.sha256(raw).hexdigest()
    run = store.for_client("mercy").create_run(new("R-1", raw=sum, raw_bytes=raw)).run
    store.close()

    given = [database.url, database.schema, str(tmp_path / "worker"), run]
    told = subprocess.run([sys.executable, "-c", _READING, *given], cwd=ROOT, capture_output=True, timeout=60)

    assert (told.returncode, told.stdout == raw) == (0, True), told.stderr
    assert not (tmp_path / "web" / "blobs").exists()


def test_large_bytes_that_an_earlier_version_kept_in_its_folder_are_found(
    database: Database, tmp_path: Path
) -> None:
    store = database.open(tmp_path)
    blobs = store.blobs("mercy")
    ref = blobs.places[1].put(b"of before")

    assert blobs.read(ref) == b"of before"
    with pytest.raises(Misconfigured, match="not stored"):
        blobs.open(BlobRef(blob=OTHER, size=1))
    store.close()


def test_the_same_bytes_put_by_many_at_once_are_kept_once(database: Database, tmp_path: Path) -> None:
    from tests.runtime.store.units import at_once

    store = database.open(tmp_path)
    backend = store.backend("mercy")

    def put() -> BlobRef:
        return DatabaseBlobs(backend, "mercy", part=4).put(b"0123456789")

    found: list[Callable[[], BlobRef]] = [put] * 6
    refs = {future.result().blob for future in at_once(*found)}

    assert len(refs) == 1
    assert rows(store) == (1, 3)
    store.close()


def test_a_blob_put_again_while_it_is_removed_stays(database: Database, tmp_path: Path) -> None:
    """The one that removes holds the row; the one that puts waits for it and makes it anew."""
    store: PostgresqlStore = database.open(tmp_path)
    blobs = DatabaseBlobs(store.backend("mercy"), "mercy", part=4)
    ref = blobs.put(b"0123456789")
    asked, putting = threading.Event(), threading.Event()
    again = threading.Thread(target=lambda: (putting.set(), blobs.put(b"0123456789")))

    def needed(_: object) -> list[str]:
        if not asked.is_set():
            asked.set()
            again.start()
            putting.wait(20)
        return []

    assert blobs.remove([ref.blob], blobs.now() + DAY, needed) == 1
    again.join(20)

    assert blobs.read(ref) == b"0123456789"
    assert rows(store) == (1, 3)
    store.close()
