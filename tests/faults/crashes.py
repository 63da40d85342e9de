"""A server that ends itself at a crash point, and is started again by whoever watches it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.store.crash import UNNAMED, Side, Step
from tests.faults.forked import Ended
from tests.faults.server import Server


def points(steps: set[Step]) -> list[str]:
    """Both sides of each, in the order of their declaration."""
    return [f"{step}.{side}" for step in Step if step in steps for side in Side]


def reached(log: str, point: str) -> bool:
    """Whether a process said that it ends at this very point."""
    return f"crash point {point.partition(':')[0]} reached" in log


def died(ended: Ended, point: str) -> None:
    """Raises ``AssertionError`` where that process did not end there."""
    assert ended.code == -signal.SIGKILL, f"nobody passed {point}: {ended.code}, {ended.output}{ended.errors}"
    assert reached(ended.errors, point), ended.errors


@contextmanager
def crashing(server: Server, point: str, dead: Callable[[], None]) -> Iterator[None]:
    """Started with the switch; as soon as it is dead ``dead`` is called, and it is started without the switch.

    Raises ``AssertionError`` at the end where it never came to the point."""
    server.environment["ORDERLY_CRASH_AT"] = point
    served = server.launch()
    del server.environment["ORDERLY_CRASH_AT"]
    failed: list[BaseException] = []

    def watch() -> None:
        code = server.died()
        if code == UNNAMED:
            failed.append(AssertionError(server.log.read_text().splitlines()[-1]))
        if not reached(server.log.read_text(), point):
            return
        try:
            assert code == -signal.SIGKILL, code
            dead()
            server.start()
        except BaseException as error:  # noqa: BLE001  raised below
            failed.append(error)

    watching = threading.Thread(target=watch, name="watch")
    watching.start()
    assert served or reached(server.log.read_text(), point), server.log.read_text()
    try:
        yield
    finally:
        if not failed and not reached(server.log.read_text(), point):
            os.kill(server.pid, signal.SIGKILL)
        watching.join(60)
        if failed:
            raise failed[0]
    assert reached(server.log.read_text(), point), f"nothing of the day passed {point}"
