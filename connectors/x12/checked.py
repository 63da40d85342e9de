"""What a check found: sets, groups and interchanges with the faults that are their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.edi import Fault, Judged, Place
from connectors.x12.lossless import Segment, TransactionSet


@dataclass(frozen=True)
class _Checked(Judged):
    faults: list[Fault]


@dataclass(frozen=True)
class CheckedSet(_Checked):
    """One transaction set, its named view (None where its type is not declared) and its own faults.

    ``has_header`` is false for segments that stand outside any ST-SE.
    """

    type: str
    control_number: str
    place: Place
    segments: TransactionSet
    document: dict[str, Any] | None
    has_header: bool = True


@dataclass(frozen=True)
class CheckedGroup(_Checked):
    """One functional group; the faults of its sets are with them. A stream leaves ``sets`` empty."""

    header: Segment | None
    trailer: Segment | None
    control_number: str
    functional_identifier: str
    place: Place
    sets: list[CheckedSet] = field(default_factory=list)


@dataclass(frozen=True)
class CheckedInterchange(_Checked):
    """One interchange; the faults of its groups are with them. A stream leaves ``groups`` empty."""

    header: Segment
    control_number: str
    place: Place
    segments: list[Segment] = field(default_factory=list)
    groups: list[CheckedGroup] = field(default_factory=list)

    def all_faults(self) -> Iterator[Fault]:
        yield from self.faults
        for group in self.groups:
            yield from group.faults
            for one in group.sets:
                yield from one.faults


Checked = CheckedSet | CheckedGroup | CheckedInterchange
