"""What a supplier sends, at once or late."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connectors.simulators.supplier_robot import Reply


class Outbox:
    """``send`` is called with each reply once, one at a time. What is late keeps a timer of its own."""

    def __init__(self, send: Callable[[Reply], None]) -> None:
        self._send = send
        self._delays: dict[str, float] = {}
        self._waiting: dict[threading.Timer, Reply] = {}
        self._timers: list[threading.Timer] = []
        self._lock = threading.RLock()

    def delay(self, kind: str, seconds: float) -> None:
        """Replies of this kind that are put from now on wait so long."""
        with self._lock:
            self._delays[kind] = seconds

    def put(self, reply: Reply) -> None:
        with self._lock:
            if reply.kind not in self._delays:
                self._send(reply)
                return
            timer = threading.Timer(self._delays[reply.kind], lambda: self._due(timer))
            timer.name = "supplier-late"
            self._waiting[timer] = reply
            self._timers.append(timer)
            timer.start()

    def release(self) -> None:
        """Sends what waits, oldest first, and ends all delays."""
        with self._lock:
            self._delays.clear()
            for timer in list(self._waiting):
                self._due(timer)

    def close(self) -> None:
        """Drops what waits and ends its threads."""
        with self._lock:
            self._waiting.clear()
        for timer in self._timers:
            timer.cancel()
            timer.join()

    def _due(self, timer: threading.Timer) -> None:
        """Whoever comes first sends: the timer, or a release."""
        with self._lock:
            reply = self._waiting.pop(timer, None)
            if reply is not None:
                timer.cancel()
                self._send(reply)
