"""What was found about messages, groups and interchanges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.edifact.lossless import Message, Segment
from connectors.sdk.edi import Fault, Judged, Place


@dataclass(frozen=True)
class CheckedMessage(Judged):
    """One message, its named view (None where its type is not declared) and its own faults.

    ``directory`` is as received, such as ``D96A``.
    """

    type: str
    reference: str
    directory: str
    place: Place
    message: Message
    document: dict[str, Any] | None
    faults: list[Fault]


@dataclass(frozen=True)
class CheckedGroup(Judged):
    """One group, without header what stands in none; the faults of its messages are with them."""

    header: Segment | None
    reference: str
    place: Place
    faults: list[Fault] = field(default_factory=list)
    messages: list[CheckedMessage] = field(default_factory=list)


@dataclass(frozen=True)
class CheckedInterchange(Judged):
    """One interchange; the faults of its groups are with them."""

    header: Segment | None
    control_reference: str
    place: Place
    faults: list[Fault] = field(default_factory=list)
    groups: list[CheckedGroup] = field(default_factory=list)

    def all_faults(self) -> Iterator[Fault]:
        yield from self.faults
        for group in self.groups:
            yield from group.faults
            for one in group.messages:
                yield from one.faults


Checked = CheckedMessage | CheckedGroup | CheckedInterchange


def assembled(stream: Iterable[Checked]) -> list[CheckedInterchange]:
    """What ``examining`` gives, each message in its group and each group in its interchange."""
    done: list[CheckedInterchange] = []
    groups: list[CheckedGroup] = []
    members: list[CheckedMessage] = []
    for one in stream:
        if isinstance(one, CheckedMessage):
            members.append(one)
        elif isinstance(one, CheckedGroup):
            groups.append(replace(one, messages=members))
            members = []
        else:
            done.append(replace(one, groups=groups))
            groups = []
    return done
