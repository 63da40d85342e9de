"""Everything wrong with a file, all of it: envelope counts and numbers, and each set against its schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.sdk.edi import Fault, Policy
from connectors.x12.checked import Checked, CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.checking import Checking
from connectors.x12.events import Event, events_of
from connectors.x12.lossless import Document

_USUAL = Policy()


def check(events: Iterable[Event], policy: Policy = _USUAL, *, named: bool = True) -> Iterator[Checked]:
    """Each set when it is complete, then its group, then its interchange, with their own faults.

    One transaction set is in memory at a time. Without ``named`` only envelopes are checked and sets have no
    named view. Never stops at a fault; raises what ``events`` raises.
    """
    return Checking(policy, named).run(events)


def examine(document: Document, *, strict: bool = False, policy: Policy = _USUAL) -> list[CheckedInterchange]:
    """Every interchange with its groups, sets and their faults. ``strict`` makes each warning a rejection."""
    return gather(check(events_of(document), Policy(policy.verdicts, policy.strict or strict)))


def gather(checked: Iterable[Checked]) -> list[CheckedInterchange]:
    """The tree of what ``check`` gives one by one."""
    interchanges: list[CheckedInterchange] = []
    groups: list[CheckedGroup] = []
    sets: list[CheckedSet] = []
    for one in checked:
        match one:
            case CheckedSet():
                sets.append(one)
            case CheckedGroup():
                one.sets.extend(sets)
                groups.append(one)
                sets = []
            case CheckedInterchange():
                one.groups.extend(groups)
                interchanges.append(one)
                groups = []
    return interchanges


def faults(document: Document, *, strict: bool = False, policy: Policy = _USUAL) -> list[Fault]:
    """All faults of a lossless view. Never stops at the first, never raises for one."""
    return [
        one for interchange in examine(document, strict=strict, policy=policy) for one in interchange.all_faults()
    ]
