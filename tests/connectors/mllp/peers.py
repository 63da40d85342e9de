"""A door that remembers, and a listener on a free port for one test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connectors.mllp.connector import ListenForMessages, ListenParameters
from connectors.mllp.settings import MllpSettings
from connectors.sdk import Arrival, Listening, Receipt
from tests.harness import MemoryContext


class Door:
    """Accepts what has a new identity, in memory; ``decide`` may answer or raise instead."""

    def __init__(self, decide: Callable[[Arrival], Receipt | None] = lambda arrival: None) -> None:
        self.decide = decide
        self.arrivals: list[Arrival] = []
        self._first: dict[str | None, str] = {}
        self._lock = threading.Lock()

    def __call__(self, arrival: Arrival) -> Receipt:
        decided = self.decide(arrival)
        if decided is not None:
            return decided
        with self._lock:
            if arrival.identity in self._first:
                return Receipt("duplicate", self._first[arrival.identity])
            self.arrivals.append(arrival)
            run = self._first[arrival.identity] = f"run{len(self.arrivals)}"
            return Receipt("accepted", run)


@contextmanager
def listening(door: Door, **settings: Any) -> Iterator[tuple[str, int]]:
    """``mllp.listen`` on a free port; gives host and port."""
    with started(door, **settings) as listener:
        host, _, port = listener.address.rpartition(":")
        yield host, int(port)


@contextmanager
def started(door: Door, **settings: Any) -> Iterator[Listening]:
    context = MemoryContext(MllpSettings(**{"port": 0, "drain": "5s", **settings}), type="mllp")
    listener = ListenForMessages().listen(ListenParameters(), context, door)
    try:
        yield listener
    finally:
        listener.close()


def message(control_id: str = "C1", *, rest: str = "", accept: str = "", application: str = "") -> bytes:
    """A small requisition with MSH-10, MSH-15 and MSH-16 of choice."""
    return (
        f"MSH|^~\\&|WARD|MERCY|ORDERLY|MERCY|20261124||OMS^O05^OMS_O05|{control_id}|P|2.5.1|||{accept}|{application}\r"
        f"ORC|NW|R1\rRQD|1|ITM-1001|||4|BX\r{rest}"
    ).encode()
