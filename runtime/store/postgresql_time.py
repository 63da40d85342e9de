"""The time of the database, which machines whose clocks differ agree on."""

from __future__ import annotations

import threading
import time
from typing import Final

#: In microseconds: so long what was heard is reckoned on without asking again.
_LATELY: Final = 1_000_000
#: Goes on while the machine sleeps, where there is such a clock (clock_gettime(2)).
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def here() -> int:
    """Microseconds of this machine's own clock, which nobody sets."""
    return time.clock_gettime_ns(_CLOCK) // 1000


class DatabaseTime:
    """In microseconds since the epoch. Safe for threads."""

    def __init__(self) -> None:
        self._ahead = 0
        self._heard_at: int | None = None
        self._lock = threading.Lock()

    def heard(self, said: int, asked_at: int) -> None:
        """The database said that it was so late, after it was asked then (``here``) and before now.

        Between the two may lie the wait for a lock, so that an answer that came late says little: what is known
        stays as long as it is possible after it. What is reckoned is never ahead of the database.
        """
        now = here()
        least, most = said - now, said - asked_at
        with self._lock:
            self._ahead = least if self._heard_at is None else min(max(self._ahead, least), most)
            self._heard_at = now

    def now(self) -> int:
        """Reckoned from when it was last heard."""
        return here() + self._ahead

    def lately(self) -> int | None:
        """The same, unless it was heard too long ago."""
        heard_at = self._heard_at
        return None if heard_at is None or here() - heard_at > _LATELY else self.now()
