"""A file checked as it passes: each set when it is complete, then its group, then its interchange."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from connectors.sdk.edi import Policy
from connectors.x12.checked import Checked, CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.checking_group import GroupCheck
from connectors.x12.checking_interchange import InterchangeCheck
from connectors.x12.events import (
    Between,
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    SetRead,
    StreamEnds,
)

C = TypeVar("C", CheckedSet, CheckedGroup, CheckedInterchange)


class Checking:
    """One file that passes. Paths of places are JSON pointers into its lossless view."""

    def __init__(self, policy: Policy, named: bool) -> None:
        self._policy, self._named = policy, named
        self._count = -1
        self._waiting: CheckedInterchange | None = None
        self._interchange: InterchangeCheck | None = None
        self._position: int | None = 0

    def run(self, events: Iterable[Event]) -> Iterator[Checked]:
        for event in events:
            match event, self._interchange:
                case SetRead(transaction_set), InterchangeCheck(group=GroupCheck() as group):
                    yield self._judged(group.set(transaction_set))
                case InterchangeBegins(interchange), _:
                    yield from self._release()
                    self._count += 1
                    self._interchange = InterchangeCheck(interchange, self._count, self._named, self._position)
                case GroupBegins(header), InterchangeCheck() as current:
                    current.open(header)
                case Between(segment), InterchangeCheck() as current:
                    current.between(segment)
                case GroupEnds(trailer), InterchangeCheck() as current:
                    yield self._judged(current.close(trailer))
                case InterchangeEnds(trailer, position), InterchangeCheck() as current:
                    self._waiting, self._position = current.end(trailer, position), position
                case StreamEnds(trailing, encoding), InterchangeCheck() as current:
                    if self._waiting is not None:
                        self._waiting.faults.extend(
                            current.outside(trailing, encoding, self._position, "/trailing")
                        )
                    yield from self._release()

    def _release(self) -> Iterator[Checked]:
        """The interchange that is complete; text after the last one is a fault of it."""
        if self._waiting is not None:
            yield self._judged(self._waiting)
            self._waiting = None

    def _judged(self, one: C) -> C:
        """Its faults as the policy sees them."""
        one.faults[:] = self._policy.apply(one.faults)
        return one
