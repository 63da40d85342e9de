"""Rings on their way to a broker: whoever rings goes on at once, also while the broker is down."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from runtime.model.run import LANES

log = structlog.get_logger()
_LONGEST_PAUSE = 5.0


class Ringer:
    """One thread that sends. ``send(run, lane)`` and ``rest()``, which is called every few idle seconds, raise one
    of ``lost`` where the broker does not answer; then what there is to ring waits, each run once and ``most`` of
    each lane: beyond that the oldest is dropped, for the sweeper will ring it again. What is urgent is sent first.
    """

    def __init__(
        self, send: Callable[[str, str], None], rest: Callable[[], None], lost: tuple[type[Exception], ...], *,
        most: int = 10_000, idle: float = 5.0,
    ) -> None:  # fmt: skip
        self._send = send
        self._rest = rest
        self._lost = lost
        self._most = most
        self._idle = idle
        self._waiting: dict[str, OrderedDict[str, None]] = {lane: OrderedDict() for lane in LANES}
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="ringer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._closed.is_set() or self._thread.is_alive()

    def ring(self, run: str, lane: str) -> None:
        with self._changed:
            if self._closed.is_set():
                return
            line = self._waiting[lane]
            line[run] = None
            if len(line) > self._most:
                line.popitem(last=False)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Takes no more; sends what waits unless the broker is down."""
        with self._changed:
            self._closed.set()
            self._changed.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            ring = self._next()
            if ring is None and self._closed.is_set():
                return
            try:
                self._rest() if ring is None else self._send(*ring)
            except self._lost as error:
                if self._closed.is_set():
                    return
                self._pause(ring, error)
                continue
            if self._failures:
                log.info("broker.back")
                self._failures = 0

    def _next(self) -> tuple[str, str] | None:
        """``None`` after some idle seconds, and at the end."""
        until = time.monotonic() + self._idle
        with self._changed:
            while True:
                for lane, line in self._waiting.items():
                    if line:
                        return line.popitem(last=False)[0], lane
                left = until - time.monotonic()
                if left <= 0 or self._closed.is_set():
                    return None
                self._changed.wait(left)

    def _pause(self, ring: tuple[str, str] | None, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("broker.lost", why=f"{type(error).__name__}: {error}")
        if ring is not None:
            with self._changed:
                run, lane = ring
                self._waiting[lane][run] = None
                self._waiting[lane].move_to_end(run, last=False)
        self._closed.wait(min(0.1 * 2.0 ** min(self._failures, 10), _LONGEST_PAUSE))
