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
    """One statement extends all of them, three times in a lease's length, and one the places that this process has
    at its peers."""

    def __init__(self, store: Store, seconds: float) -> None:
        self.owner = f"{os.getpid()}-{new_id()}"
        self._store = store
        self._seconds = seconds
        self._held: dict[str, Lease] = {}
        self._places: set[str] = set()
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
            held, places = list(self._held.values()), list(self._places)
        try:
            self._store.extend(held, 0.0)
            self._store.keep_places(self.owner, places, 0.0)
        except StoreError as error:
            log.warning("leases.not_given_back", why=str(error), count=len(held))

    @contextmanager
    def held(self, lease: Lease) -> Iterator[None]:
        """The lease is kept meanwhile; one that is not written yet once ``hold`` says that it is."""
        if lease.written:
            self.hold(lease)
        try:
            yield
        finally:
            with self._lock:
                known = self._held.get(lease.run)
                if known is not None and known.fence == lease.fence:
                    del self._held[lease.run]

    def keep_place(self, id: str) -> None:
        """A place at a peer is kept from now on, until ``leave_place``; one that nobody keeps lapses."""
        with self._lock:
            self._places.add(id)

    def leave_place(self, id: str) -> None:
        with self._lock:
            self._places.discard(id)

    def hold(self, lease: Lease) -> None:
        with self._lock:
            self._held[lease.run] = lease

    def as_written(self, lease: Lease) -> Lease:
        """The same, as the first commit under it made it, where there was one."""
        with self._lock:
            known = self._held.get(lease.run)
        return known if known is not None and known.fence == lease.fence else lease

    def holds(self, lease: Lease) -> bool:
        """False once a beat found that somebody else took the run."""
        with self._lock:
            return self._held.get(lease.run) == lease

    def _beat(self) -> float:
        with self._lock:
            mine, places = list(self._held.values()), list(self._places)
        try:
            kept = set(self._store.extend(mine, self._seconds)) if mine else set()
            self._store.keep_places(self.owner, places, self._seconds)
        except StoreError as error:
            log.warning("leases.not_extended", why=str(error), count=len(mine))
            return self._seconds / 3
        with self._lock:
            for lease in set(mine) - kept:
                if self._held.get(lease.run) == lease:
                    del self._held[lease.run]
        return self._seconds / 3
