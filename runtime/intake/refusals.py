"""What the log is told of senders who are turned away; a flood of them does not fill the disk."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.visible import visible

_WINDOW: Final = timedelta(minutes=1)
_MOST_LINES: Final = 60
_LONGEST_NAME: Final = 80
_STRANGERS: Final = ""


@dataclass
class _Budget:
    """What one kind of refusal may write in the minute that began ``since``."""

    since: datetime | None = None
    told: set[tuple[str, str, str]] = field(default_factory=set)
    not_told: int = 0

    def missing_before(self, now: datetime) -> int:
        """How many were left out since it was last said, where a new minute begins."""
        if self.since is not None and abs(now - self.since) < _WINDOW:
            return 0
        missing, self.not_told = self.not_told, 0
        self.since, self.told = now, set()
        return missing

    def takes(self, key: tuple[str, str, str]) -> bool:
        if key in self.told or len(self.told) >= _MOST_LINES:
            self.not_told += 1
            return False
        self.told.add(key)
        return True


class Refusals:
    """One line a minute for each address and reason, 60 lines a minute for each event, and 60 for all names that
    nobody has here: whoever makes up names leaves no real sender untold. What was left out is counted in the first
    line of the same kind in a later minute, as ``not_told``. ``now`` is the time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._budgets: defaultdict[str, _Budget] = defaultdict(_Budget)

    def tell(
        self,
        write: Callable[..., None],
        event: str,
        client: str,
        flow: str,
        why: str,
        *,
        known: bool,
        **more: str | None,
    ) -> None:
        """Writes by ``write(event, ...)``, or counts. Client and flow are a stranger's words unless ``known``."""
        facts = {"client": visible(client[:_LONGEST_NAME]), "flow": visible(flow[:_LONGEST_NAME]), "why": why}
        with self._lock:
            budget = self._budgets[event if known else _STRANGERS]
            missing = budget.missing_before(self._now())
            if not budget.takes((facts["client"], facts["flow"], why)):
                return
        write(event, **facts, **more, **({"not_told": missing} if missing else {}))
