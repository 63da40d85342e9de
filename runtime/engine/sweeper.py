"""Rings what is runnable and not leased: due waits, retries, leases that ran out, rings that were lost. Raises
what is overdue, and keeps the exchange ledger."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from runtime.engine.background import Background
from runtime.engine.dispatcher import Ring
from runtime.model.run import LANES
from runtime.store.store import Store, StoreError

log = structlog.get_logger()

#: In seconds: what is due and was rung is not looked at again for so long, for it stands in line for a worker.
_REST = 0.2
#: In seconds: how often the exchange ledger is looked at.
_FOLLOW_UP = 5.0


class Sweeper:
    """Sleeps until the next thing is due, between ``shortest`` and ``longest`` seconds. ``grace`` is for rings
    that take time: a run that was made ready is left alone for so many seconds, because whoever did that rang it,
    and what the sweeper rang is rung again only after them. Nothing is done while ``on_duty`` says no."""

    def __init__(
        self,
        store: Store,
        ring: Ring,
        longest: float = 1.0,
        *,
        shortest: float = 0.02,
        grace: float = 0.0,
        on_duty: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._ring = ring
        self._longest = longest
        self._shortest = shortest
        self._grace = grace
        self._on_duty = on_duty
        self._rung: dict[str, float] = {}
        self._followed: float | None = None
        self._background = Background("sweeper", self._work)

    @property
    def alive(self) -> bool:
        return self._background.alive

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def sweep(self) -> int:
        """One pass; how many runs were rung."""
        now = time.monotonic()
        lanes = {run: lane for lane in LANES for run in self._store.due(grace=self._grace, lanes=[lane])}
        still = {run: at for run, at in self._rung.items() if now - at < self._grace}
        self._rung = {run: still[run] for run in lanes if run in still}
        fresh = [run for run in lanes if run not in self._rung]
        for run in fresh:
            self._ring(run, lanes[run])
            self._rung[run] = now
        for client, row in self._store.overdue():
            log.warning("expectation.overdue", client=client, event=row.event_type, key=row.event_key)
        self._follow_up(now)
        return len(fresh)

    def _follow_up(self, now: float) -> None:
        """Nobody waits for it, so it is not done at every pass."""
        if self._followed is not None and now - self._followed < _FOLLOW_UP:
            return
        self._followed = now
        for late in self._store.follow_up():
            log.warning(
                "acknowledgement.overdue", client=late.client, partner=late.partner, number=late.number,
                exception=late.exception,
            )  # fmt: skip

    def _pause(self) -> float:
        due = self._store.next_due()
        if due is None:
            return self._longest
        ahead = (due - self._store.now()).total_seconds()
        return min(self._longest, max(self._shortest, ahead if ahead > 0 else _REST))

    def _work(self) -> float:
        if not self._on_duty():
            return self._longest
        try:
            self.sweep()
            return self._pause()
        except StoreError as error:
            log.error("sweeper.store", why=str(error))
            return self._longest
