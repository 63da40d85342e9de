"""How a run gets to somebody who advances it. A ring may be lost or doubled: rows are the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from runtime.model.run import LANES

#: The lane of a run that nothing is said of.
NORMAL = "normal"


def shares(threads: int, lanes: Sequence[str] = LANES) -> dict[str, int]:
    """How a process of its own parts its threads among the lanes it works for: a quarter each for what is urgent
    and for bulk, the rest for normal work, no lane without one. A single lane has them all."""
    if len(lanes) == 1:
        return {lanes[0]: threads}
    quarter = max(1, threads // 4)
    parts = {lane: quarter for lane in lanes if lane != NORMAL}
    if NORMAL in lanes:
        parts[NORMAL] = max(1, threads - sum(parts.values()))
    return {lane: parts[lane] for lane in lanes}


class Ring(Protocol):
    def __call__(self, run: str, lane: str = "") -> None:
        """Somebody goes on with this run, soon. ``lane`` spares a look at the run to whoever knows it."""


class Dispatcher(Protocol):
    @property
    def alive(self) -> bool:
        """False where a thread that should work has ended although nobody closed the dispatcher."""

    def ring(self, run: str, lane: str = NORMAL) -> None:
        """Go on with this run, soon, by workers of that lane. Never blocks, never raises."""

    def serve(self, advance: Callable[[str], object]) -> None:
        """Starts to call ``advance`` for every ring; returns at once."""

    def close(self, seconds: float = 30.0) -> None:
        """Takes no more rings, lets what is under way finish, for so long at most."""
