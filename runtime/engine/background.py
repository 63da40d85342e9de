"""What goes on beside the runs: one thread for one task, started once and stopped once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger()
_AFTER_A_BUG: Final = 1.0


class Background:
    """``work`` is done again and again; it returns for how many seconds to rest. What it raises against all
    expectation is logged, and it is tried again a second later: one bad thing does not end the task for all.
    ``rest`` comes before the first time. ``stopping`` is for work that waits in between."""

    def __init__(self, name: str, work: Callable[[], float], rest: float = 0.0) -> None:
        self.stopping = threading.Event()
        self._work = work
        self._rest = rest
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """False where it was started, nobody stopped it, and it has ended all the same."""
        return self._thread.ident is None or self.stopping.is_set() or self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the work in hand is done."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        rest = self._rest
        while not self.stopping.wait(rest):
            try:
                rest = self._work()
            except Exception:
                log.error("background.bug", task=self._thread.name, exc_info=True)
                rest = _AFTER_A_BUG
