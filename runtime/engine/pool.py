"""The in-process dispatcher: a queue for each lane and a few threads."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import structlog

from runtime.engine.dispatcher import NORMAL
from runtime.model.run import LANES

log = structlog.get_logger()

URGENT, BULK = LANES[0], LANES[-1]


def takers(threads: int) -> list[tuple[str, ...]]:
    """For each thread the lanes it takes from, first the one it prefers.

    A quarter of the threads is there for bulk and helps the others while there is none; nobody else touches bulk,
    so that a catalogue of any length keeps no more than these busy. One of four or more takes nothing but what is
    urgent. A thread that is alone takes everything, the urgent first.
    """
    for_bulk = max(1, threads // 4) if threads > 1 else 0
    for_urgent = 1 if threads >= 4 else 0
    for_normal = threads - for_bulk - for_urgent
    if threads == 1:
        return [LANES]
    return [(BULK, URGENT, NORMAL)] * for_bulk + [(URGENT, NORMAL)] * for_normal + [(URGENT,)] * for_urgent


class Pool:
    """A run that is rung while it waits in a queue is queued once; one that is rung while it is advanced is
    advanced again."""

    def __init__(self, threads: int = 8) -> None:
        self._takers = takers(threads)
        self._queues: dict[str, OrderedDict[str, None]] = {lane: OrderedDict() for lane in LANES}
        self._busy: set[str] = set()
        self._again: dict[str, str] = {}
        self._lock = threading.Lock()
        self._filled = {taken: threading.Condition(self._lock) for taken in set(self._takers)}
        self._closed = False
        self._workers: list[threading.Thread] = []

    @property
    def alive(self) -> bool:
        """False where a worker has ended although nobody closed the pool."""
        return self._closed or all(worker.is_alive() for worker in self._workers)

    def ring(self, run: str, lane: str = NORMAL) -> None:
        with self._lock:
            if self._closed:
                return
            if run in self._busy:
                self._again[run] = lane
            else:
                self._put(run, lane)

    def serve(self, advance: Callable[[str], object]) -> None:
        for number, lanes in enumerate(self._takers):
            worker = threading.Thread(
                target=self._work, args=(advance, lanes), name=f"worker-{number}", daemon=True
            )
            worker.start()
            self._workers.append(worker)

    def close(self, seconds: float = 30.0) -> None:
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                queue.clear()
            for filled in self._filled.values():
                filled.notify_all()
        until = time.monotonic() + seconds
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))

    def _put(self, run: str, lane: str) -> None:
        """Wakes one of each kind of thread that takes from the lane: who comes too late sleeps on."""
        lane = lane if lane in self._queues else NORMAL
        self._queues[lane][run] = None
        for taken, filled in self._filled.items():
            if lane in taken:
                filled.notify()

    def _next(self, lanes: Sequence[str]) -> str | None:
        """``None`` once the pool is closed."""
        filled = self._filled[tuple(lanes)]
        with self._lock:
            while not self._closed:
                for lane in lanes:
                    if self._queues[lane]:
                        run, _ = self._queues[lane].popitem(last=False)
                        self._busy.add(run)
                        return run
                filled.wait()
            return None

    def _work(self, advance: Callable[[str], object], lanes: Sequence[str]) -> None:
        while (run := self._next(lanes)) is not None:
            try:
                advance(run)
            except Exception:
                log.error("run.broke", run=run, exc_info=True)
            finally:
                with self._lock:
                    self._busy.discard(run)
                    lane = self._again.pop(run, None)
                    if lane is not None and not self._closed:
                        self._put(run, lane)
