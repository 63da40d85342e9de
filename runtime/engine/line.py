"""The line before one connection: runs that were not let through, and whose turn is next.

All of them are rows that come due by themselves some time. Only the first comes soon; those behind it are called,
one for each place that becomes free, the oldest first. So a run that waits costs nothing however long a peer is
out, and nobody storms a peer that is back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

#: Whoever is not called comes by itself so long after the first, and each one later than the one before: should all
#: calls be lost, as with a process that is killed, one of the line comes soon and has the others called.
_PATIENCE = timedelta(seconds=30)
_APART = timedelta(seconds=1)
#: In seconds: how long a place is kept for a run that was called, and a refusal may be on its way to the disk.
_KEPT = 2.0
_ON_ITS_WAY = 1.0


class Line:
    """As one process knows it. ``stands``: there may be somebody in it, also from before this process began. Not
    safe for threads: whoever has it holds a lock."""

    def __init__(self) -> None:
        self.stands = True
        self._first: datetime | None = None
        self._behind = 0
        self._joined_at = float("-inf")
        self._called: dict[str, float] = {}
        self._being_called = 0

    @property
    def coming(self) -> int:
        """Runs that were called and are on their way, or are just being called: places are kept for them."""
        late = time.monotonic() - _KEPT
        self._called = {run: at for run, at in self._called.items() if at > late}
        return len(self._called) + self._being_called

    def arrive(self, run: str, stood: bool) -> None:
        """A run comes; ``stood``: from the line, whichever process it joined it in."""
        self._called.pop(run, None)
        self.stands = self.stands or stood

    def join(self, now: datetime, due: datetime) -> datetime:
        """When a run that may go on at ``due`` comes again by itself."""
        self.stands = True
        self._joined_at = time.monotonic()
        if not self.expected(now) or self._first is None or due < self._first:
            self._first = due
            return due
        self._behind += 1
        return max(due, self._first) + _PATIENCE + self._behind * _APART

    def expected(self, now: datetime) -> bool:
        """Whether somebody comes by itself soon."""
        return self._first is not None and self._first > now

    def expect(self, due: datetime) -> None:
        """One of the line comes then."""
        self._first = due

    def call(self, wanted: int) -> None:
        """So many are being called; ``called`` follows."""
        self._being_called += wanted

    def called(self, runs: Sequence[str], wanted: int, *, more: bool) -> None:
        """These come, of so many that were wanted. Without ``more`` nobody is left, but for who joined a moment
        ago."""
        now = time.monotonic()
        self._being_called -= wanted
        self._called |= dict.fromkeys(runs, now)
        if not more:
            self._behind = 0
            self.stands = now - self._joined_at < _ON_ITS_WAY
