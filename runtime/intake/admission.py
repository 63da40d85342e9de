"""Back-pressure: nothing more is taken than can be worked on, so that a flood costs its senders time and us no
memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from runtime.model.run import LANES
from runtime.store.store import Unavailable

T = TypeVar("T")
_LOOK_AGAIN = 0.25


class Overloaded(Unavailable):
    """Not now. ``status`` is what HTTP calls it, ``retry_after`` when to try again, in seconds."""

    def __init__(self, message: str, status: int, retry_after: int) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Admission:
    """``waiting`` tells how many units stand in line for the store's writer, ``due`` counts the runs of a lane that
    could be advanced now, up to a number; it is asked once a second at most for each. A lane that is full keeps
    nothing away from the others."""

    def __init__(
        self, waiting: Callable[[], int], due: Callable[[str, int], int], *, most_waiting: int, most_due: int
    ) -> None:
        self._waiting = waiting
        self._due = due
        self._most_waiting = most_waiting
        self._most_due = most_due
        self._counted = dict.fromkeys(LANES, 0)
        self._count_at = dict.fromkeys(LANES, 0.0)
        self._lock = threading.Lock()
        self._never = threading.Event()

    def check(self, lane: str = "") -> None:
        """Raises ``Overloaded`` where there is no room; without a lane, where nothing at all is taken."""
        if (waiting := self._waiting()) > self._most_waiting:
            raise Overloaded(f"{waiting} others wait to be stored", 503, 2)
        if lane and self._due_runs(lane) > self._most_due:
            raise Overloaded(f"more than {self._most_due} {lane} runs wait for their turn", 429, 10)

    def patiently(self, seconds: float, take: Callable[[], T]) -> T:
        """Holds the caller back until there is room for what it takes. Raises ``Overloaded`` where that lasts
        longer."""
        until = time.monotonic() + seconds
        while True:
            try:
                return take()
            except Overloaded:
                if time.monotonic() >= until:
                    raise
            self._never.wait(_LOOK_AGAIN)

    def _due_runs(self, lane: str) -> int:
        with self._lock:
            if (now := time.monotonic()) < self._count_at[lane]:
                return self._counted[lane]
            self._count_at[lane] = now + 1.0
        self._counted[lane] = self._due(lane, self._most_due + 1)
        return self._counted[lane]
