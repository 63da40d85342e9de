"""A process of Python threads does more on one CPU than on all of them.

Only one of its threads runs Python at a time (the interpreter lock), so several CPUs add next to nothing; but each
hand-over from a thread to another wakes a second CPU, which has nothing of the first one's work in its caches. The
process therefore keeps to one CPU of those it may use, if there is one to which no other such process keeps, and
moves to another one when others want this one while that one idles. Other programs are not kept from it.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from runtime.engine.background import Background

log = structlog.get_logger()

_STAT = Path("/proc/stat")
_THREADS = Path("/proc/self/task")
_NAME = "\0orderly-cpu-{}"
#: Columns of a line of /proc/stat in which the CPU did nothing (proc_stat(5)): idle, iowait.
_IDLE = slice(3, 5)
#: Of a CPU: it is worth a move to have so much more of one.
_MORE = 0.25
_FIRST_LOOK = 1.0
_LOOK_EVERY = (4.0, 8.0)


@dataclass(frozen=True)
class Look:
    """Seconds since the machine, or this process, began."""

    at: float
    idle: Mapping[int, float]
    mine: float


def freest(before: Look, now: Look, mine: int | None = None) -> list[int]:
    """The CPUs in the order in which one would be on them, after what was seen: ``mine`` is behind those only that
    had clearly more to give."""
    passed = max(now.at - before.at, 1e-9)
    free = {cpu: (idle - before.idle.get(cpu, idle)) / passed for cpu, idle in now.idle.items()}
    if mine in free:
        free[mine] += (now.mine - before.mine) / passed + _MORE
    return sorted(free, key=lambda cpu: -free[cpu])


@contextmanager
def kept(wanted: bool) -> Iterator[None]:
    """Until it ends this process is on one CPU, with all threads it starts meanwhile; call it before any is
    started. Nothing happens where that cannot be said to the system, or one CPU is all there is."""
    if not wanted or not hasattr(os, "sched_setaffinity") or not _STAT.exists():
        yield
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        yield
        return
    keeper = Keeper(allowed)
    background = Background("one-cpu", keeper.look, _FIRST_LOOK)
    background.start()
    try:
        yield
    finally:
        background.stop()
        keeper.close()
        _move_all(allowed)


class Keeper:
    """Has the process on one of the ``allowed`` CPUs from the start: any that is not taken."""

    def __init__(self, allowed: set[int]) -> None:
        self._allowed = allowed
        self._seen = _look(allowed)
        in_turn = random.sample(sorted(allowed), len(allowed))
        claims = ((cpu, _claim(cpu)) for cpu in in_turn)
        self.cpu, self._claimed = next((found for found in claims if found[1]), (in_turn[0], None))
        _move_all({self.cpu})

    def look(self) -> float:
        """Moves where that is worth it; seconds until the next look, which two processes do not take together."""
        seen = _look(self._allowed)
        cpu = next(iter(freest(self._seen, seen, self.cpu)), self.cpu)
        self._seen = seen
        if cpu != self.cpu and _move_all({cpu}):
            log.info("process.moved", cpu=cpu, before=self.cpu)
            self.close()
            self.cpu, self._claimed = cpu, _claim(cpu)
        return random.uniform(*_LOOK_EVERY)  # noqa: S311  spreads them

    def close(self) -> None:
        if self._claimed is not None:
            self._claimed.close()


def _claim(cpu: int) -> socket.socket | None:
    """Says to others of its kind that this process keeps to it, until it is closed or the process has ended; a name
    in the abstract namespace is in no folder (unix(7)). ``None`` where another one does."""
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claimed.bind(_NAME.format(cpu))
    except OSError:
        claimed.close()
        return None
    return claimed


def _look(allowed: set[int]) -> Look:
    ticks = os.sysconf("SC_CLK_TCK")
    idle = {}
    for line in _STAT.read_text().splitlines():
        name, _, counts = line.partition(" ")
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in allowed:
            idle[int(name[3:])] = sum(int(count) for count in counts.split()[_IDLE]) / ticks
    return Look(time.monotonic(), idle, time.process_time())


def _move_all(cpus: set[int]) -> bool:
    """False where the system refuses it, as when a container's CPUs were changed meanwhile. Threads have the CPUs
    of who started them, so it is done twice: the second time finds those that were started during the first."""
    for _ in range(2):
        for thread in _THREADS.iterdir():
            try:
                os.sched_setaffinity(int(thread.name), cpus)
            except ProcessLookupError:
                continue
            except OSError as error:
                log.warning("process.not_moved", cpus=sorted(cpus), why=str(error))
                return False
    return True
