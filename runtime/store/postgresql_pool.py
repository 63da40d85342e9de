"""Sessions that are open, handed from thread to thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.store.postgresql_session import Session
from runtime.store.store import Unavailable


class Pool:
    """At most ``size`` sessions at one time, opened when they are needed; the latest used is the next used.

    ``patience`` is how many seconds to wait for one that is free.
    """

    def __init__(self, connect: Callable[[], Session], size: int, patience: float) -> None:
        self._connect = connect
        self._size = size
        self._patience = patience
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[Session] = []
        self._gate = threading.Lock()
        self._closed = threading.Event()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Raises ``Unavailable`` where there is none, and after ``close``."""
        if not self._free.acquire(timeout=self._patience):
            raise Unavailable(
                f"all {self._size} connections to the database are busy since {self._patience:g} s: look for long"
                " transactions and locks in pg_stat_activity; nothing was stored, try again later"
            )
        try:
            session = self._take()
            try:
                yield session
            finally:
                self._give(session)
        finally:
            self._free.release()

    def forget(self) -> None:
        """Closes what is idle: the server these sessions were opened with has gone."""
        with self._gate:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def pause(self, seconds: float) -> None:
        """Raises ``Unavailable`` where the pool is closed meanwhile."""
        if self._closed.wait(seconds):
            raise Unavailable("the store is closed: this process is stopping, send it again after the restart")

    def close(self) -> None:
        """Sessions in use are closed when they are given back."""
        self._closed.set()
        self.forget()

    def _take(self) -> Session:
        self.pause(0)
        with self._gate:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give(self, session: Session) -> None:
        with self._gate:
            if session.usable and not self._closed.is_set():
                self._idle.append(session)
                return
        session.close()
