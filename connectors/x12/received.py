"""Interchanges as they come in for a client: whose they are, and what their profile makes of faults."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sdk import BusinessError, Context, Output
from connectors.sdk.edi import Fault, Place
from connectors.x12.checked import Checked, CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.codec import check, parties
from connectors.x12.events import (
    Between,
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    SetRead,
)
from connectors.x12.fault import fault
from connectors.x12.lossless import Interchange, Segment, text_of
from connectors.x12.profile import Profile, find, profile


class SetOutput(Output):
    """``accepted`` is false where the set, its group or its interchange has a fault that rejects.

    ``segments`` is the lossless view, given only where there is no named view because the type is not declared.
    ``path`` is where the set stands in the lossless view.
    """

    type: str
    set_control_number: str
    group_control_number: str
    functional_identifier: str
    interchange_control_number: str
    partner: str
    usage: str
    accepted: bool
    faults: list[dict[str, Any]]
    document: dict[str, Any] | None
    segments: list[dict[str, Any]] | None = None
    path: str = ""


class GroupOutput(Output):
    """``faults`` are the group's own, those of its sets stand with them; ``sets_included`` is GE01 as received."""

    functional_identifier: str
    group_control_number: str
    version: str
    sets_included: str
    accepted: bool
    faults: list[dict[str, Any]]
    path: str


class InterchangeAcknowledgementOutput(Output):
    """A TA1 that was received. ``acknowledgement_key`` is partner and ISA13 of what we sent."""

    acknowledgement_key: str
    interchange_control_number: str
    code: str
    note_code: str
    date: str
    time: str


class InterchangeOutput(Output):
    """``faults`` are its own and the partner's rules; ``date`` and ``time`` are ISA09 and ISA10. ``duplicate``: it
    came before, and what it holds was taken then."""

    interchange_control_number: str
    partner: str
    usage: str
    date: str
    time: str
    acknowledgement_requested: bool
    accepted: bool
    faults: list[dict[str, Any]]
    groups: list[GroupOutput]
    acknowledgements: list[InterchangeAcknowledgementOutput]
    path: str
    duplicate: bool = False


class Received:
    """One interchange of a partner, taking shape while it is read."""

    def __init__(self, interchange: Interchange, partner: str | None, strict: bool, context: Context) -> None:
        self._header = interchange["header"]
        self._parties = parties(interchange)
        self.number = text_of(self._header, 13)
        self.usage = text_of(self._header, 15)
        self.partner = partner or self._find(context)
        self._profile = profile(self.partner, context.partner(self.partner))
        self._policy = self._profile.policy(strict=strict)
        self._loose: list[CheckedSet] = []
        self._groups: list[tuple[CheckedGroup, list[CheckedSet]]] = []
        self._checked: CheckedInterchange | None = None
        self._digest = hashlib.sha256()
        self.is_duplicate = False

    @property
    def digest(self) -> str:
        """Of its segments as they were read: equal for the same content, whatever stands between segments."""
        return f"sha256:{self._digest.hexdigest()}"

    @property
    def profile(self) -> Profile:
        return self._profile

    def note(self, event: Event) -> None:
        """A piece of it, for the digest."""
        for segment in _segments(event):
            self._digest.update(f"{segment['id']}{segment['elements']}\n".encode("utf-8", "surrogatepass"))

    def read_sets(self) -> list[tuple[CheckedGroup, CheckedSet]]:
        """Each with its group, in their order."""
        return [(group, one) for group, sets in self._groups for one in sets]

    def judged(self, found: Fault) -> Fault | None:
        """As the partner's profile takes it."""
        return next(iter(self._policy.apply([found])), None)

    def take(self, one: Checked) -> None:
        """What a check gives, in its order; the interchange itself comes last."""
        one.faults[:] = self._policy.apply(one.faults)
        match one:
            case CheckedSet():
                if one.document is not None:
                    one.segments["segments"] = []
                self._loose.append(one)
            case CheckedGroup():
                self._groups.append((one, self._loose))
                self._loose = []
            case CheckedInterchange():
                one.faults[:0] = self._policy.apply(self._partner_faults(one.place, self._profile))
                self._checked = one

    @property
    def checked(self) -> CheckedInterchange:
        assert self._checked is not None, "the interchange has not ended"
        return self._checked

    def envelope_faults(self) -> list[Fault]:
        """Faults of the interchange and its groups."""
        return [*self.checked.faults, *(found for group, _ in self._groups for found in group.faults)]

    def output(self) -> InterchangeOutput:
        return InterchangeOutput(
            interchange_control_number=self.number,
            partner=self.partner,
            usage=self.usage,
            date=text_of(self._header, 9),
            time=text_of(self._header, 10),
            acknowledgement_requested=text_of(self._header, 14) == "1",
            accepted=self.checked.is_good,
            faults=[found.as_json() for found in self.checked.faults],
            groups=[self._group(group) for group, _ in self._groups],
            acknowledgements=[self._ta1(one) for one in self.checked.segments if one["id"] == "TA1"],
            path=self.checked.place.path,
            duplicate=self.is_duplicate,
        )

    def _group(self, group: CheckedGroup) -> GroupOutput:
        return GroupOutput(
            functional_identifier=group.functional_identifier,
            group_control_number=group.control_number,
            version=text_of(group.header, 8) if group.header else "",
            sets_included=text_of(group.trailer, 1) if group.trailer else "",
            accepted=self.checked.is_good and group.is_good,
            faults=[found.as_json() for found in group.faults],
            path=group.place.path,
        )

    def _ta1(self, segment: Segment) -> InterchangeAcknowledgementOutput:
        number, date, time, code, note = (text_of(segment, element) for element in range(1, 6))
        return InterchangeAcknowledgementOutput(
            acknowledgement_key=f"{self.partner}/{number}",
            interchange_control_number=number,
            code=code,
            note_code=note,
            date=date,
            time=time,
        )

    def sets(self) -> Iterator[SetOutput]:
        for group, sets in self._groups:
            is_open = self.checked.is_good and group.is_good
            for one in sets:
                yield self._set(one, group, is_open and one.is_good)

    def _set(self, one: CheckedSet, group: CheckedGroup, accepted: bool) -> SetOutput:
        return SetOutput(
            type=one.type,
            set_control_number=one.control_number,
            group_control_number=group.control_number,
            functional_identifier=group.functional_identifier,
            interchange_control_number=self.number,
            partner=self.partner,
            usage=self.usage,
            accepted=accepted,
            faults=[found.as_json() for found in one.faults],
            document=one.document,
            segments=[{**segment} for segment in one.segments["segments"]] if one.document is None else None,
            path=one.place.path,
        )

    def _find(self, context: Context) -> str:
        found = find(self._parties, self.usage, context.partners())
        if found is None:
            sender = self._parties[0]
            raise BusinessError(
                f"interchange {self.number} comes from {sender.qualifier}/{sender.id}, "
                "whom no partner profile names",
                kind="unknown_trading_partner",
                field="ISA06",
                next_action="add a partner profile with these ids as x12.theirs, then redrive",
                details={"qualifier": sender.qualifier, "id": sender.id},
            )
        return found

    def _partner_faults(self, place: Place, ours: Profile) -> Iterator[Fault]:
        sender, receiver = self._parties
        place = place.within("/header")
        if not ours.theirs.is_party(sender):
            message = f"ISA says it comes from {sender.qualifier}/{sender.id}, not from partner {self.partner}"
            yield fault("sender_mismatch", message, place, segment_id="ISA", element=6)
        if not ours.ours.is_party(receiver):
            message = f"ISA says it is for {receiver.qualifier}/{receiver.id}, which we are not"
            yield fault("receiver_mismatch", message, place, segment_id="ISA", element=8)
        if self.usage != ours.usage:
            message = f"ISA15 is {self.usage!r}, partner {self.partner} is set up for {ours.usage!r}"
            yield fault("usage_mismatch", message, place, segment_id="ISA", element=15)


def receive(events: Iterable[Event], partner: str | None, strict: bool, context: Context) -> list[Received]:
    """Every interchange of a stream. Raises ``X12Error``, ``BusinessError`` for an unknown sender."""
    begun: list[Received] = []

    def noticing() -> Iterator[Event]:
        for event in events:
            if isinstance(event, InterchangeBegins):
                begun.append(Received(event.interchange, partner, strict, context))
            if begun:
                begun[-1].note(event)
            yield event

    ended = 0
    for one in check(noticing()):
        begun[ended].take(one)
        ended += isinstance(one, CheckedInterchange)
    return begun


def _segments(event: Event) -> Iterable[Segment]:
    match event:
        case InterchangeBegins(interchange):
            return [interchange["header"]]
        case SetRead(transaction_set):
            return transaction_set["segments"]
        case Between(segment):
            return [segment]
        case GroupBegins(edge) | GroupEnds(edge) | InterchangeEnds(edge):
            return [] if edge is None else [edge]
    return []
