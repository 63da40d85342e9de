"""Requisitions posted as a portal posts them: the same webhook again, for as long as it gets no good answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.faults.outside import Outside

_PAUSE = 0.1


class Load:
    """Requisitions on their way, eight at a time."""

    def __init__(
        self, outside: Outside, posting: ThreadPoolExecutor, numbers: list[str], seconds: float
    ) -> None:  # fmt: skip
        self.numbers = numbers
        self.refused: list[int] = []
        self._outside = outside
        self._until = time.monotonic() + seconds
        self._never = threading.Event()
        self._posted: list[Future[str]] = [posting.submit(self._post, number) for number in self.numbers]

    def accepted(self) -> list[str]:
        """The run of each requisition, once all were taken. Raises ``TimeoutError``."""
        return [posted.result(max(0.0, self._until - time.monotonic()) + 60) for posted in self._posted]

    def _post(self, number: str) -> str:
        body, webhook_id = self._outside.requisition(number), f"msg_{number}"
        while time.monotonic() < self._until:
            try:
                (reply,) = self._outside.portal.send(body, webhook_id=webhook_id)
            except ConnectionError:
                self._never.wait(_PAUSE)
                continue
            if reply.status in (200, 202):
                return str(reply.body["run"])
            self.refused.append(reply.status)
            self._never.wait(_PAUSE)
        raise TimeoutError(f"{number} was never taken; refused with {self.refused}")


@contextmanager
def load(outside: Outside, count: int, seconds: float = 90.0, first: int = 0) -> Iterator[Load]:
    """``REQ-0000`` and so on, or from ``first`` on."""
    numbers = [f"REQ-{number:04}" for number in range(first, first + count)]
    with ThreadPoolExecutor(8) as posting:
        yield Load(outside, posting, numbers, seconds)
