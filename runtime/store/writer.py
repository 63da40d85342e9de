"""Group commit: one thread writes, many callers share its transaction and its fsync."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from runtime.store import crash
from runtime.store.connection import SqliteTx, translated
from runtime.store.store import Unavailable

T = TypeVar("T")
_BATCH = 200


class _Job(Generic[T]):
    """A unit and the caller that waits for it; a lock is the cheapest thing to wait on."""

    __slots__ = ("done", "durable", "error", "result", "unit")

    def __init__(self, unit: Callable[[SqliteTx], T], durable: bool) -> None:
        self.unit = unit
        self.durable = durable
        self.result: T
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Writer:
    """Units in the order they came, each in a savepoint, one COMMIT for all that stand in line.

    ``connect`` is called on the writer's own thread. A unit that raises undoes only itself; a COMMIT that fails
    fails every caller of its batch with ``Unavailable``.
    """

    def __init__(self, connect: Callable[[], SqliteTx], *, relaxed: bool = False) -> None:
        self._queue: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._relaxed = relaxed
        self._gate = threading.Lock()
        self._closed = False
        self._connect = connect
        self._tx: SqliteTx
        self._synced = True
        self._opened: _Job[None] = _Job(lambda tx: None, True)
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()
        self._opened.done.acquire()
        if self._opened.error is not None:
            raise self._opened.error

    def submit(self, unit: Callable[[SqliteTx], T], durable: bool) -> T:
        job = _Job(unit, durable)
        with self._gate:
            if self._closed:
                raise Unavailable("the store is closed: this process is stopping, send it again after the restart")
            self._queue.put(job)
        job.done.acquire()
        if job.error is not None:
            raise job.error
        return job.result

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def close(self) -> None:
        """Finishes what stands in line, then ends the thread."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            self._tx = self._connect()
        except BaseException as error:  # noqa: BLE001  raised by the constructor
            self._opened.error = error
            return
        finally:
            self._opened.done.release()
        going = True
        while going:
            batch, going = self._batch()
            if batch:
                self._commit(batch)
                for job in batch:
                    job.done.release()
        self._tx.close()

    def _batch(self) -> tuple[list[_Job[Any]], bool]:
        batch: list[_Job[Any]] = []
        job = self._queue.get()
        while job is not None:
            batch.append(job)
            if len(batch) == _BATCH:
                return batch, True
            try:
                job = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[_Job[Any]]) -> None:
        try:
            self._sync(not self._relaxed and any(job.durable for job in batch))
            self._tx.execute("BEGIN IMMEDIATE")
            for job in batch:
                self._run(job)
            if crash.armed:
                crash.before_commit(job.unit for job in batch if job.error is None)
            self._tx.execute("COMMIT")
            if crash.armed:
                crash.after_commit(job.unit for job in batch if job.error is None)
        except sqlite3.Error as error:
            self._fail(batch, error)

    def _run(self, job: _Job[Any]) -> None:
        self._tx.begin_unit()
        self._tx.execute("SAVEPOINT unit")
        try:
            job.result = job.unit(self._tx)
        except BaseException as error:
            job.error = error
            if not self._tx.in_transaction:
                raise sqlite3.OperationalError(str(error)) from error
            self._tx.execute("ROLLBACK TO unit")
        self._tx.execute("RELEASE unit")

    def _fail(self, batch: list[_Job[Any]], error: sqlite3.Error) -> None:
        if self._tx.in_transaction:
            self._tx.execute("ROLLBACK")
        for job in batch:
            if job.error is None:
                failure = Unavailable(f"nothing was stored: {translated(error)}")
                failure.__cause__ = error
                job.error = failure

    def _sync(self, wanted: bool) -> None:
        """Leases need no fsync of their own: the next durable commit carries them to the disk."""
        if wanted != self._synced:
            self._tx.execute(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
            self._synced = wanted
