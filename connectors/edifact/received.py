"""Interchanges as they come in for a client: whose they are, and what their profile makes of faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from connectors.edifact import codec
from connectors.edifact.acknowledgement import MESSAGE
from connectors.edifact.checked import Checked
from connectors.edifact.codec import CheckedGroup, CheckedInterchange, CheckedMessage, Fault
from connectors.edifact.events import Event, InterchangeBegins, MessageRead, segments_of
from connectors.edifact.fault import fault
from connectors.edifact.ledger import WORDING, answered_by, comes_once, key_of
from connectors.edifact.lossless import Interchange, Segment, text_of
from connectors.edifact.named import header_of
from connectors.edifact.profile import find, profile, usage_of
from connectors.edifact.translation import translate_message, translation
from connectors.sdk import BlobRef, BusinessError, Context, Output
from connectors.sdk.edi import Place
from connectors.sdk.exchange import Duplicates, SetEntry
from connectors.sdk.partner import terms_of
from connectors.sdk.receiving import Incoming

#: S005 of UNB and 0058 of UNG.
_UNB_PASSWORD, _UNG_PASSWORD = 6, 8


class MessageOutput(Output):
    """``accepted`` is false where the message, its group or its interchange has a fault that rejects.

    ``segments`` is the lossless view, given only where there is no named view because the type is not declared.
    """

    type: str
    directory: str
    message_reference: str
    group_reference: str
    interchange_control_number: str
    partner: str
    test: bool
    accepted: bool
    faults: list[dict[str, Any]]
    document: dict[str, Any] | None
    segments: list[dict[str, Any]] | None = None


class RejectedOutput(Output):
    """A message that has faults of its own that reject it, as a CONTRL tells of it: ``header`` is UNH."""

    type: str
    message_reference: str
    header: dict[str, Any]
    faults: list[dict[str, Any]]


class GroupOutput(Output):
    """``header`` is UNG without its password, absent for what stands in no group; ``faults`` are its own."""

    group_reference: str
    accepted: bool
    faults: list[dict[str, Any]]
    rejected: list[RejectedOutput]
    header: dict[str, Any] | None = None


class InterchangeOutput(Output):
    """``header`` is UNB without its password, ``types`` are those of its messages, ``faults`` its own and those of
    the partner's rules. ``duplicate``: it came before, and what it holds was taken then; ``answer`` is what it was
    acknowledged with."""

    interchange_control_number: str
    partner: str
    test: bool
    acknowledgement_requested: bool
    accepted: bool
    faults: list[dict[str, Any]]
    groups: list[GroupOutput]
    types: list[str]
    header: dict[str, Any] | None = None
    path: str
    duplicate: bool = False
    answer: BlobRef | None = None


class Received(Incoming[CheckedInterchange, CheckedGroup, CheckedMessage]):
    """One interchange of a partner, taking shape while it is read."""

    wording = WORDING

    def __init__(self, interchange: Interchange, partner: str | None, strict: bool, context: Context) -> None:
        super().__init__()
        self._header = interchange["header"]
        self._parties = codec.parties(interchange)
        self.is_test = is_test(interchange)
        self.usage = usage_of(self.is_test)
        self.number = text_of(interchange["header"], 5)
        self.partner = partner or _partner_of(interchange, context)
        given = context.partner(self.partner)
        self.rules = profile(self.partner, given)
        self.checks = self.rules.judged(strict=strict)
        self._change = translation(self.rules, terms_of(self.partner, given)).inward()

    def pass_on(self, event: Event) -> Event:
        """A piece of it, once it counts in the digest, with their codes made ours in a message."""
        self.read(segments_of(event))
        if isinstance(event, MessageRead):
            translate_message(event.message, self._change)
        return event

    def take(self, one: Checked) -> None:
        """What a check gives, in its order; the interchange itself comes last. Of a message that has a named view
        no more than its header is kept beside."""
        match one:
            case CheckedMessage():
                if one.document is not None:
                    del one.message["segments"][1:]
                self.put(one)
            case CheckedGroup():
                self.close(one)
            case CheckedInterchange():
                found = [self.judged(each) for each in self._partner_faults()]
                one.faults[:0] = [each for each in found if each is not None]
                self.end(one)

    @property
    def duplicates(self) -> Duplicates:
        return self.rules.duplicates

    def entries(self) -> list[SetEntry]:
        return [
            SetEntry(
                one.type,
                one.reference,
                group.reference,
                key_of(one.type, one.document),
                answered_by(one.type, one.document),
                self._takes(group, one),
            )
            for group, one in self.documents
        ]

    def comes_once(self, at: int) -> bool:
        one = self.documents[at][1]
        return comes_once(one.type, one.document)

    def judged(self, found: Fault) -> Fault | None:
        return self.checks.judged(found)

    def is_document(self, one: CheckedMessage) -> bool:
        return header_of(one.message) is not None

    def _takes(self, group: CheckedGroup, one: CheckedMessage) -> bool:
        return bool(one.type) and self.checked.is_good and group.is_good and one.is_good

    def output(self) -> InterchangeOutput:
        return InterchangeOutput(
            interchange_control_number=self.number,
            partner=self.partner,
            test=self.is_test,
            acknowledgement_requested=bool(text_of(self._header, 9)),
            accepted=self.checked.is_good,
            faults=_told(self.checked.faults),
            groups=[self._group(*each) for each in self.groups],
            types=sorted({one.type for _, one in self.documents}),
            header=_shown(self._header, _UNB_PASSWORD),
            path=self.checked.place.path,
            duplicate=self.is_duplicate,
            answer=self.answer,
        )

    def _group(self, group: CheckedGroup, messages: list[CheckedMessage]) -> GroupOutput:
        return GroupOutput(
            group_reference=group.reference,
            accepted=self.checked.is_good and group.is_good,
            faults=_told(group.faults),
            rejected=[found for one in messages for found in _rejected(one)],
            header=_shown(group.header, _UNG_PASSWORD),
        )

    def messages(self) -> Iterator[MessageOutput]:
        for group, messages in self.groups:
            for one in messages:
                yield self._message(one, group)

    def _message(self, one: CheckedMessage, group: CheckedGroup) -> MessageOutput:
        return MessageOutput(
            type=one.type,
            directory=one.directory,
            message_reference=one.reference,
            group_reference=group.reference,
            interchange_control_number=self.number,
            partner=self.partner,
            test=self.is_test,
            accepted=self._takes(group, one),
            faults=_told(one.faults),
            document=one.document,
            segments=[{**segment} for segment in one.message["segments"]] if one.document is None else None,
        )

    def _partner_faults(self) -> Iterator[Fault]:
        (sender, receiver), ours = self._parties, self.rules
        place = Place(interchange=self.number or None)
        if not ours.theirs.party().is_same(sender):
            message = f"UNB says it comes from {sender.id!r}, not from partner {self.partner}"
            yield fault("sender_mismatch", message, place, segment_id="UNB", element=2)
        if not ours.ours.party().is_same(receiver):
            message = f"UNB says it is for {receiver.id!r}, which we are not"
            yield fault("receiver_mismatch", message, place, segment_id="UNB", element=3)
        if self.is_test != ours.test:
            carried = "carries the test indicator" if self.is_test else "carries no test indicator"
            expected = "test" if ours.test else "production"
            message = f"UNB {carried}, partner {self.partner} is set up for {expected}"
            yield fault("test_indicator_mismatch", message, place, segment_id="UNB", element=11)


def receive(file: BinaryIO, partner: str | None, strict: bool, context: Context) -> list[Received]:
    """Every interchange of a file that passes, each by the rules of the partner it is from: their character set and
    their checks. Raises ``EdifactError``, ``BusinessError`` for an unknown sender."""
    begun: list[Received] = []

    def character_set(interchange: Interchange) -> str | None:
        return Received(interchange, partner, strict, context).rules.character_set or None

    def noticing() -> Iterator[Event]:
        for event in codec.stream(codec.portions(file), encoding=character_set):
            if isinstance(event, InterchangeBegins):
                begun.append(Received(event.interchange, partner, strict, context))
            yield begun[-1].pass_on(event)

    ended = 0
    for one in codec.examining(noticing(), lambda _: begun[-1].checks):
        begun[ended].take(one)
        ended += isinstance(one, CheckedInterchange)
    return begun


def _partner_of(interchange: Interchange, context: Context) -> str:
    found = find(codec.parties(interchange), is_test(interchange), context.partners())
    if found is None:
        sender = codec.parties(interchange)[0]
        raise BusinessError(
            f"interchange {text_of(interchange['header'], 5)} comes from {sender.id!r} (qualifier "
            f"{sender.qualifier!r}), whom no partner profile names",
            kind="unknown_trading_partner",
            field="0004",
            next_action="add a partner profile with these ids as edifact.theirs, then redrive",
            details={"qualifier": sender.qualifier, "id": sender.id},
        )
    return found


def is_test(interchange: Interchange) -> bool:
    """UNB 0035."""
    return text_of(interchange["header"], 11) == "1"


def _rejected(one: CheckedMessage) -> Iterator[RejectedOutput]:
    header = header_of(one.message)
    if header is not None and not one.is_good and one.type != MESSAGE:
        yield RejectedOutput(
            type=one.type, message_reference=one.reference, header={**header}, faults=_told(one.faults)
        )


def _shown(header: Segment | None, password: int) -> dict[str, Any] | None:
    """A header as others may see it: without the password in that element, and without its bytes as received."""
    if header is None:
        return None
    elements = ["" if number == password else one for number, one in enumerate(header["elements"], 1)]
    return {"id": header["id"], "elements": elements}


def _told(faults: list[Fault]) -> list[dict[str, Any]]:
    return [found.as_json() for found in faults]
