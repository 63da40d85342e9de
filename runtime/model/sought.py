"""What people look for among runs and exceptions, and what they say when they do something about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runtime.model.run import RunState


@dataclass(frozen=True)
class Sought:
    """Everything that is given has to hold; what is empty holds for all.

    ``text`` is the value of a business key, an identity or an id, whole; with ``*`` at its end, how a business key
    or an id begins. ``kind`` is that of an exception; of a run, that of the failure that it shows, or the type of
    its error (``NotSent``, ``Rejected``, …). ``owner`` is that of an exception; runs have those of their flows,
    which whoever asks knows and names in ``flows``. ``left_alone`` are runs that nobody has reprocessed. Of an
    exception ``state`` is ``open`` or ``resolved``. Times are those at which the run or the exception came,
    ``since`` inclusive, ``until`` exclusive.
    """

    text: str = ""
    flows: tuple[str, ...] = ()
    kind: str = ""
    owner: str = ""
    assignee: str = ""
    states: tuple[RunState, ...] = ()
    state: str = ""
    left_alone: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Said:
    """Who does something, and why: what the audit keeps of it, in the commit that does it. ``more`` are facts
    beside that, without what documents say."""

    by: str
    why: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def details(self) -> dict[str, Any]:
        return {**({"why": self.why} if self.why else {}), **self.more}


@dataclass(frozen=True)
class Onto:
    """The release that a redriven run goes on with instead of the one it pinned."""

    release: str
    version: str
