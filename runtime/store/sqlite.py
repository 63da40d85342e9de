"""The embedded store: one SQLite file that belongs to one process."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from sqlalchemy import text

from runtime.model.run import Lease, Loaded
from runtime.store import leases, loading, migrations
from runtime.store.blobs import ClientBlobs, FolderBlobs
from runtime.store.connection import SqliteTx, connect
from runtime.store.places import empty_places
from runtime.store.private import private_file
from runtime.store.shared import SharedStore, system_clock
from runtime.store.snapshot import FileSnapshot, of_file
from runtime.store.statements import Statement, Tx
from runtime.store.store import InUse, StoreError, Unavailable
from runtime.store.writer import Writer

T = TypeVar("T")


class SqliteStore(SharedStore):
    """WAL, synchronous=FULL, one writer at a time with group commit, readers beside it.

    ``path`` is the database file; ``<path>.lock`` says which process has it, blobs lie in ``blobs`` beside it.
    Opening it ends the leases of the process that had it before, for that one is gone.
    An empty database is set up; ``Unavailable`` is raised where another process has it, where it was written by
    a newer version, and where it has to be upgraded first. ``relaxed`` leaves out the fsync of each commit: a
    power failure or a crash of the machine may then forget the last commits, a crash of the process never does.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = system_clock, relaxed: bool = False) -> None:
        super().__init__(clock)
        self._path = path
        self._blobs: dict[str, ClientBlobs] = {}
        self._readers: SimpleQueue[SqliteTx] = SimpleQueue()
        self._closed = False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _Lock(path.with_name(path.name + ".lock"))
        try:
            if not path.exists():
                private_file(path)
            migrations.prepare(path)
            private_file(path)
            self._writer = Writer(lambda: connect(path, clock, readonly=False), relaxed=relaxed)
        except BaseException:
            self._lock.release()
            raise
        try:
            self.transact(leases.end_all)
            self.transact(empty_places)
        except BaseException:
            self.close()
            raise

    def transact(self, unit: Callable[[Tx], T], *, durable: bool = True) -> T:
        return self._writer.submit(unit, durable)

    def read(self, query: Callable[[Tx], T]) -> T:
        reader = self._reader()
        try:
            reader.begin_unit()
            reader.execute("BEGIN")
            try:
                return query(reader)
            finally:
                reader.execute("ROLLBACK")
        finally:
            if self._closed:
                reader.close()
            else:
                self._readers.put(reader)

    def begin(self, run: str, owner: str, seconds: float) -> tuple[Lease, Loaded] | None:
        return self.read(lambda tx: loading.look(tx, run, owner)) or super().begin(run, owner, seconds)

    @property
    def waiting(self) -> int:
        """Units that stand in line for the writer."""
        return self._writer.waiting

    def blobs(self, client: str) -> ClientBlobs:
        if client not in self._blobs:
            self._blobs[client] = ClientBlobs(self, client, self.blob_folder(client))
        return self._blobs[client]

    def blob_folder(self, client: str) -> FolderBlobs:
        return FolderBlobs(self._path.parent / "blobs", client)

    @property
    def path(self) -> Path:
        """The database file; its log of commits lies in ``<path>-wal``."""
        return self._path

    def damage(self) -> list[str]:
        """What is wrong with the file, the first few things; reads all of it. Empty where it is sound."""
        try:
            found = self.read(lambda tx: [str(row[0]) for row in tx.all(Statement(text("PRAGMA quick_check(5)")))])
        except StoreError as error:
            if not isinstance(error.__cause__, sqlite3.DatabaseError):
                raise
            return [str(error.__cause__)]
        return [] if found == ["ok"] else found

    def snapshot(self) -> AbstractContextManager[FileSnapshot]:
        return of_file(self._path, self.client_names(), self.blob_folder)

    def close(self) -> None:
        """Finishes what is being written, then lets the next process in."""
        if self._closed:
            return
        self._closed = True
        try:
            self._writer.close()
            while not self._readers.empty():
                self._readers.get_nowait().close()
        finally:
            self._lock.release()

    def _reader(self) -> SqliteTx:
        if self._closed:
            raise Unavailable("the store is closed: this process is stopping, try again after the restart")
        try:
            return self._readers.get_nowait()
        except Empty:
            return connect(self._path, self._clock, readonly=True)


class _Lock:
    """Held as long as the process lives; the kernel lets go of it however the process ends."""

    def __init__(self, path: Path) -> None:
        self._file = private_file(path).open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise InUse(
                f"{path.with_suffix('')} is in use by process {holder}: stop that process, or leave the work to it"
                " (commands find a running server by themselves when they are given the same --data)"
            ) from error
        self._file.seek(0)
        self._file.truncate()
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()
