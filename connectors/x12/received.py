"""Interchanges as they come in for a client: whose they are, and what their profile makes of faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sdk import BlobRef, BusinessError, Context, Output
from connectors.sdk.edi import Fault, Place
from connectors.sdk.exchange import Duplicates, SetEntry
from connectors.sdk.partner import terms_of
from connectors.sdk.receiving import Incoming
from connectors.x12 import schema
from connectors.x12.checked import Checked, CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.codec import check, parties
from connectors.x12.events import Event, GroupBegins, InterchangeBegins, SetRead, segments_of
from connectors.x12.fault import fault
from connectors.x12.ledger import WORDING, answered_by, comes_once, key_of
from connectors.x12.lossless import Interchange, Segment, text_of
from connectors.x12.named import set_type
from connectors.x12.profile import Profile, find, profile
from connectors.x12.translation import translate, translation

_USAGES = {"T": "test", "P": "production", "I": "information"}


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
    came before, and what it holds was taken then; ``answer`` is what it was acknowledged with."""

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
    answer: BlobRef | None = None


class Received(Incoming[CheckedInterchange, CheckedGroup, CheckedSet]):
    """One interchange of a partner, taking shape while it is read."""

    wording = WORDING

    def __init__(self, interchange: Interchange, partner: str | None, strict: bool, context: Context) -> None:
        super().__init__()
        self._header = interchange["header"]
        self._parties = parties(interchange)
        self.number = text_of(self._header, 13)
        self.usage = text_of(self._header, 15)
        self.partner = partner or self._find(context)
        self._profile = profile(self.partner, context.partner(self.partner))
        self._policy = self._profile.policy(strict=strict)
        terms = terms_of(self.partner, context.partner(self.partner))
        self._inward = translation(self._profile, terms).inward()
        self._version = schema.DEFAULT_VERSION

    @property
    def duplicates(self) -> Duplicates:
        return self._profile.duplicates

    def pass_on(self, event: Event) -> Event:
        """A piece of it, once it counts in the digest, with their codes made ours in a set that is declared."""
        self.read(segments_of(event))
        if isinstance(event, GroupBegins):
            self._version = schema.nearest(text_of(event.header, 8) if event.header else "")
        if isinstance(event, SetRead) and schema.transaction_set(set_type(event.transaction_set), self._version):
            translate(event.transaction_set["segments"], self._version, self._inward)
        return event

    def entries(self) -> list[SetEntry]:
        return [
            SetEntry(
                one.type,
                one.control_number,
                group.control_number,
                key_of(one.type, one.document, _version(group)),
                answered_by(one.type, one.document, _version(group)),
                self.checked.is_good and group.is_good and one.is_good,
            )
            for group, one in self.documents
        ]

    def comes_once(self, at: int) -> bool:
        group, one = self.documents[at]
        return comes_once(one.type, one.document, _version(group))

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
                self.put(one)
            case CheckedGroup():
                self.close(one)
            case CheckedInterchange():
                one.faults[:0] = self._policy.apply(self._partner_faults(one.place, self._profile))
                self.end(one)

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
            groups=[self._group(group) for group, _ in self.groups],
            acknowledgements=[self._ta1(one) for one in self.checked.segments if one["id"] == "TA1"],
            path=self.checked.place.path,
            duplicate=self.is_duplicate,
            answer=self.answer,
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
        for group, sets in self.groups:
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
            message = (
                f"ISA15 is {self.usage!r} ({_USAGES.get(self.usage, 'unknown')}), partner {self.partner} is set up"
                f" here for {ours.usage!r} ({_USAGES[ours.usage]}): test and production never cross"
            )
            yield fault("usage_mismatch", message, place, segment_id="ISA", element=15)


def receive(events: Iterable[Event], partner: str | None, strict: bool, context: Context) -> list[Received]:
    """Every interchange of a stream. Raises ``X12Error``, ``BusinessError`` for an unknown sender."""
    begun: list[Received] = []

    def noticing() -> Iterator[Event]:
        for event in events:
            if isinstance(event, InterchangeBegins):
                begun.append(Received(event.interchange, partner, strict, context))
            yield begun[-1].pass_on(event) if begun else event

    ended = 0
    for one in check(noticing()):
        begun[ended].take(one)
        ended += isinstance(one, CheckedInterchange)
    return begun


def _version(group: CheckedGroup) -> str:
    return schema.nearest(text_of(group.header, 8)) if group.header else schema.DEFAULT_VERSION
