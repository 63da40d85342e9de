"""The leases this process holds, and the one beat that keeps them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from runtime.engine.background import Background
from runtime.model.ids import new_id
from runtime.model.run import Lease
from runtime.store.store import Store, StoreError

log = structlog.get_logger()


class Leases:
    """One statement extends all of them, three times in a lease's length."""

    def __init__(self, store: Store, seconds: float) -> None:
        self.owner = f"{os.getpid()}-{new_id()}"
        self._store = store
        self._seconds = seconds
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._background = Background("leases", self._beat, seconds / 3)

    @property
    def alive(self) -> bool:
        return self._background.alive

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        """Ends the beat and gives back what is still held, so that another worker may go on at once."""
        self._background.stop()
        with self._lock:
            held = list(self._held.values())
        try:
            self._store.extend(held, 0.0)
        except StoreError as error:
            log.warning("leases.not_given_back", why=str(error), count=len(held))

    @contextmanager
    def held(self, lease: Lease) -> Iterator[None]:
        with self._lock:
            self._held[lease.run] = lease
        try:
            yield
        finally:
            with self._lock:
                if self._held.get(lease.run) == lease:
                    del self._held[lease.run]

    def holds(self, lease: Lease) -> bool:
        """False once a beat found that somebody else took the run."""
        with self._lock:
            return self._held.get(lease.run) == lease

    def _beat(self) -> float:
        with self._lock:
            mine = list(self._held.values())
        try:
            kept = set(self._store.extend(mine, self._seconds)) if mine else set()
        except StoreError as error:
            log.warning("leases.not_extended", why=str(error), count=len(mine))
            return self._seconds / 3
        with self._lock:
            for lease in set(mine) - kept:
                if self._held.get(lease.run) == lease:
                    del self._held[lease.run]
        return self._seconds / 3
