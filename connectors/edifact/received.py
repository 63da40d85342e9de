"""Interchanges as they come in for a client: whose they are, and what their profile makes of faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from connectors.edifact import codec
from connectors.edifact.acknowledgement import MESSAGE
from connectors.edifact.codec import CheckedGroup, CheckedInterchange, CheckedMessage, Fault
from connectors.edifact.events import segments_of
from connectors.edifact.fault import fault
from connectors.edifact.ledger import TERMS, answered_by, comes_once, key_of
from connectors.edifact.lossless import Interchange, Segment, text_of
from connectors.edifact.named import header_of
from connectors.edifact.profile import Profile, find, profile, usage_of
from connectors.edifact.translation import translated
from connectors.sdk import BlobRef, BusinessError, Context, Output
from connectors.sdk.edi import Place
from connectors.sdk.exchange import Duplicates, SetEntry
from connectors.sdk.partner import terms_of
from connectors.sdk.receiving import Digest, Incoming

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


class Received(Incoming):
    """One interchange that came in, and the partner it is from."""

    terms = TERMS

    def __init__(
        self, checked: CheckedInterchange, tree: Interchange, partner: str, rules: Profile, *, strict: bool
    ) -> None:
        self.checked, self.partner = checked, partner
        self.is_test = is_test(tree)
        self.usage = usage_of(self.is_test)
        self.number = checked.control_reference
        self._tree, self._rules, self._checks = tree, rules, rules.judged(strict=strict)
        found = [self.judged(one) for one in self._partner_faults(codec.parties(tree))]
        checked.faults[:0] = [one for one in found if one is not None]

    @property
    def digest(self) -> str:
        digest = Digest()
        for event in codec.events_of({"interchanges": [self._tree], "trailing": ""}):
            digest.add(segments_of(event))
        return str(digest)

    @property
    def place(self) -> Place:
        return self.checked.place

    @property
    def duplicates(self) -> Duplicates:
        return self._rules.duplicates

    @property
    def is_accepted(self) -> bool:
        return self.checked.is_good

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
            for group, one in self._headed
        ]

    def comes_once(self, at: int) -> bool:
        one = self._headed[at][1]
        return comes_once(one.type, one.document)

    def judged(self, found: Fault) -> Fault | None:
        return self._checks.judged(found)

    def note(self, found: Fault) -> None:
        self.checked.faults.append(found)

    def note_entry(self, at: int, found: Fault) -> None:
        one = self._headed[at][1]
        one.faults.append(replace(found, place=one.place))

    @cached_property
    def _headed(self) -> list[tuple[CheckedGroup, CheckedMessage]]:
        """Each message with its group, without segments that stand outside any."""
        return [
            (group, one)
            for group in self.checked.groups
            for one in group.messages
            if header_of(one.message) is not None
        ]

    def _takes(self, group: CheckedGroup, one: CheckedMessage) -> bool:
        return bool(one.type) and self.checked.is_good and group.is_good and one.is_good

    def envelope_faults(self) -> list[Fault]:
        """Faults of the interchange and its groups."""
        return [*self.checked.faults, *(found for group in self.checked.groups for found in group.faults)]

    def output(self) -> InterchangeOutput:
        return InterchangeOutput(
            interchange_control_number=self.number,
            partner=self.partner,
            test=self.is_test,
            acknowledgement_requested=bool(text_of(self.checked.header, 9)),
            accepted=self.checked.is_good,
            faults=_told(self.checked.faults),
            groups=[self._group(group) for group in self.checked.groups],
            types=sorted({one.type for _, one in self._headed}),
            header=_shown(self.checked.header, _UNB_PASSWORD),
            path=self.place.path,
            duplicate=self.is_duplicate,
            answer=self.answer,
        )

    def _group(self, group: CheckedGroup) -> GroupOutput:
        return GroupOutput(
            group_reference=group.reference,
            accepted=self.checked.is_good and group.is_good,
            faults=_told(group.faults),
            rejected=[found for one in group.messages for found in _rejected(one)],
            header=_shown(group.header, _UNG_PASSWORD),
        )

    def messages(self) -> Iterator[MessageOutput]:
        for group in self.checked.groups:
            for one in group.messages:
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

    def _partner_faults(self, parties: tuple[codec.Party, codec.Party]) -> Iterator[Fault]:
        (sender, receiver), ours = parties, self._rules
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


def receive(raw: bytes, partner: str | None, strict: bool, context: Context) -> Iterator[Received]:
    """Each interchange by the rules of the partner it is from: their character set and their checks. Raises
    ``EdifactError``, ``BusinessError`` for an unknown sender."""
    document = codec.read(raw)
    for number, interchange in enumerate(document["interchanges"]):
        whose = partner or _partner_of(interchange, context)
        rules = profile(whose, context.partner(whose))
        if rules.character_set:
            again = codec.read(raw, encoding=rules.character_set)
            interchange = again["interchanges"][number]
        is_last = number == len(document["interchanges"]) - 1
        rest = document["trailing"] if is_last else ""
        ours = translated(interchange, rules, terms_of(whose, context.partner(whose)))
        alone: codec.Document = {"interchanges": [ours], "trailing": rest}
        [checked] = codec.examine(alone, rules.judged(strict=strict), first=number)
        yield Received(checked, interchange, whose, rules, strict=strict)


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
