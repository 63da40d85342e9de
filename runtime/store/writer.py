"""Group commit: one caller at a time writes, for all that stand in line, with one transaction and one fsync."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog

from runtime.store import crash
from runtime.store.connection import SqliteTx, translated
from runtime.store.store import Unavailable

T = TypeVar("T")
log = structlog.get_logger()
_BATCH = 200


class _Job(Generic[T]):
    """A unit and the caller that waits for it; a lock is the cheapest thing to wait on. ``leads``: whoever waits
    for this one is woken to write."""

    __slots__ = ("durable", "error", "leads", "result", "unit", "woken")

    def __init__(self, unit: Callable[[SqliteTx], T], durable: bool) -> None:
        self.unit = unit
        self.durable = durable
        self.leads = False
        self.result: T
        self.error: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class Writer:
    """Units in the order they came, each in a savepoint, one COMMIT for all that stand in line.

    Whoever comes while nobody writes does it, for itself and for those who came meanwhile, and then hands on to the
    first who waits. A thread of its own for that would cost two switches of threads for every commit, which is more
    than the commit itself computes.

    A unit that raises undoes only itself; a COMMIT that fails fails every caller of its batch with ``Unavailable``.
    """

    def __init__(self, connect: Callable[[], SqliteTx], *, relaxed: bool = False) -> None:
        self._relaxed = relaxed
        self._gate = threading.Lock()
        self._line: list[_Job[Any]] = []
        self._led = False
        self._closed = False
        self._synced = True
        self._tx = connect()

    def submit(self, unit: Callable[[SqliteTx], T], durable: bool) -> T:
        job = _Job(unit, durable)
        with self._gate:
            if self._closed:
                raise Unavailable("the store is closed: this process is stopping, send it again after the restart")
            leads = self._stand_in_line(job)
        return self._written(job, leads)

    @property
    def waiting(self) -> int:
        return len(self._line)

    def close(self) -> None:
        """Finishes what stands in line."""
        last: _Job[None] = _Job(lambda tx: None, True)
        with self._gate:
            if self._closed:
                return
            self._closed = True
            leads = self._stand_in_line(last)
        try:
            self._written(last, leads)
        except Unavailable:
            log.error("store.last_commit_failed", exc_info=True)
        finally:
            self._tx.close()

    def _stand_in_line(self, job: _Job[Any]) -> bool:
        """True where nobody writes: the caller has to."""
        self._line.append(job)
        leads, self._led = not self._led, True
        return leads

    def _written(self, job: _Job[T], leads: bool) -> T:
        if not leads:
            self._wait(job)
        if leads or job.leads:
            self._lead(job)
        if job.error is not None:
            raise job.error
        return job.result

    def _wait(self, job: _Job[Any]) -> None:
        """Whoever is interrupted meanwhile leaves the line, unless the unit is being written."""
        try:
            job.woken.acquire()
        except BaseException:
            with self._gate:
                if job in self._line:
                    self._line.remove(job)
            if job.leads:
                self._hand_on()
            raise

    def _lead(self, mine: _Job[Any]) -> None:
        batch: list[_Job[Any]] = []
        try:
            with self._gate:
                batch, self._line = self._line[:_BATCH], self._line[_BATCH:]
            self._commit(batch)
        finally:
            self._hand_on()
            for job in batch:
                if job is not mine:
                    job.woken.release()

    def _hand_on(self) -> None:
        with self._gate:
            if self._line:
                self._line[0].leads = True
                self._line[0].woken.release()
            else:
                self._led = False

    def _commit(self, batch: list[_Job[Any]]) -> None:
        begun = False
        try:
            self._sync(not self._relaxed and any(job.durable for job in batch))
            self._tx.execute("BEGIN IMMEDIATE")
            begun = True
            for job in batch:
                self._run(job)
            if crash.armed:
                crash.before_commit(job.unit for job in batch if job.error is None)
            self._tx.execute("COMMIT")
            if crash.armed:
                crash.after_commit(job.unit for job in batch if job.error is None)
        except sqlite3.Error as error:
            self._fail(batch, error, translated(error))
        except BaseException as error:
            if self._tx.in_transaction or not begun:
                self._fail(batch, error, "whoever wrote it was interrupted")
            raise

    def _run(self, job: _Job[Any]) -> None:
        self._tx.begin_unit()
        self._tx.execute("SAVEPOINT unit")
        try:
            job.result = job.unit(self._tx)
        except Exception as error:
            job.error = error
            if not self._tx.in_transaction:
                cause = error.__cause__
                raise cause if isinstance(cause, sqlite3.Error) else sqlite3.OperationalError(str(error)) from error
            self._tx.execute("ROLLBACK TO unit")
        self._tx.execute("RELEASE unit")

    def _fail(self, batch: list[_Job[Any]], error: BaseException, why: object) -> None:
        for job in batch:
            if job.error is None:
                failure = Unavailable(f"nothing was stored: {why}")
                failure.__cause__ = error
                job.error = failure
        if self._tx.in_transaction:
            self._tx.execute("ROLLBACK")

    def _sync(self, wanted: bool) -> None:
        """Leases need no fsync of their own: the next durable commit carries them to the disk."""
        if wanted != self._synced:
            self._tx.execute(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
            self._synced = wanted
