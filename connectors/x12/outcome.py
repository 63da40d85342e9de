"""What became of an interchange, in the little that an acknowledgement needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from connectors.sdk.edi import Fault, Judged, Policy
from connectors.x12.checked import Checked, CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.events import events_of
from connectors.x12.examine import check
from connectors.x12.lossless import Document, text_of


@dataclass(frozen=True)
class SetOutcome:
    """``is_good`` is false where the set is rejected, for whatever reason."""

    type: str
    control_number: str
    faults: list[Fault]
    is_good: bool


@dataclass(frozen=True)
class GroupOutcome(Judged):
    """``sets_included`` is GE01 as received."""

    functional_identifier: str
    control_number: str
    sets_included: str
    faults: list[Fault]
    sets: list[SetOutcome] = field(default_factory=list)


@dataclass(frozen=True)
class InterchangeOutcome(Judged):
    """``date`` and ``time`` are ISA09 and ISA10. ``holds_acknowledgements``: TA1 segments stand in it."""

    control_number: str
    date: str
    time: str
    acknowledgement_requested: bool
    holds_acknowledgements: bool
    faults: list[Fault]
    groups: list[GroupOutcome] = field(default_factory=list)


def outcomes(document: Document, *, strict: bool = False) -> Iterator[InterchangeOutcome]:
    """The outcomes of a lossless view."""
    return gathered(check(events_of(document), Policy(strict=strict)))


def gathered(checked: Iterable[Checked]) -> Iterator[InterchangeOutcome]:
    """Each interchange's outcome when it is complete."""
    gathering = Gathering()
    for one in checked:
        if (outcome := gathering.take(one)) is not None:
            yield outcome


class Gathering:
    """Outcomes that take shape as a check goes on; of sets no more is kept than an outcome needs."""

    def __init__(self) -> None:
        self._sets: list[SetOutcome] = []
        self._groups: list[GroupOutcome] = []

    def take(self, one: Checked) -> InterchangeOutcome | None:
        """The outcome of the interchange that this completes."""
        match one:
            case CheckedSet():
                if one.has_header:
                    self._sets.append(SetOutcome(one.type, one.control_number, one.faults, one.is_good))
            case CheckedGroup():
                if one.header is not None:
                    self._groups.append(_group(one, self._sets))
                self._sets = []
            case CheckedInterchange():
                outcome, self._groups = _interchange(one, self._groups), []
                return outcome
        return None


def _group(one: CheckedGroup, sets: list[SetOutcome]) -> GroupOutcome:
    included = text_of(one.trailer, 1) if one.trailer else ""
    return GroupOutcome(one.functional_identifier, one.control_number, included, one.faults, sets)


def _interchange(one: CheckedInterchange, groups: list[GroupOutcome]) -> InterchangeOutcome:
    return InterchangeOutcome(
        one.control_number,
        text_of(one.header, 9),
        text_of(one.header, 10),
        text_of(one.header, 14) == "1",
        any(segment["id"] == "TA1" for segment in one.segments),
        one.faults,
        groups,
    )
