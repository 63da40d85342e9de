"""UN/EDIFACT: read what partners send, write what they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from connectors.edifact import codec
from connectors.edifact.acknowledgement import MESSAGE
from connectors.edifact.codec import CheckedGroup, CheckedInterchange, CheckedMessage, Envelope, Fault
from connectors.edifact.fault import fault
from connectors.edifact.lossless import Interchange, text_of
from connectors.edifact.profile import Profile, find, profile
from connectors.edifact.reply import ECHOED
from connectors.sdk import (
    BlobRef,
    BusinessError,
    Connector,
    Content,
    Context,
    Misconfigured,
    Output,
    Parameters,
    Read,
    Write,
)
from connectors.sdk.edi import Place

MEDIA_TYPE = "application/edifact"


class ReadParameters(Parameters):
    content: Content = Field(
        description="the interchange, as a stored blob or as text",
        examples=[{"$blob": "sha256:" + "0" * 64, "size": 612, "type": MEDIA_TYPE}],
    )
    partner: str | None = Field(
        default=None,
        description="name of the partner who sent it; found by the UNB sender where absent",
        examples=["acme"],
    )
    strict: bool = Field(default=False, description="treat every warning as a rejection", examples=[False])


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


class ReadOutput(Output):
    """Number, partner and test indicator are those of the first interchange; each message carries its own.

    ``faults`` are those of interchanges and groups; a message's faults stand with the message.
    """

    interchange_control_number: str
    partner: str
    test: bool
    accepted: bool
    messages: list[MessageOutput]
    faults: list[dict[str, Any]]
    raw: BlobRef


class ReadEdifact(Read[ReadParameters]):
    """Read an EDIFACT interchange: its messages in the named view, and every fault.

    Raises ``EdifactError`` (rejected) for bytes that are no interchange, ``BusinessError`` for an unknown sender.
    """

    name = "read"
    Parameters: ClassVar[type[Parameters]] = ReadParameters
    Output: ClassVar[type[Output] | None] = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        content = parameters.content
        raw = context.content(content)
        received = list(_received(raw, parameters, context))
        faults = [found for one in received for found in one.envelope_faults()]
        first = received[0]
        return ReadOutput(
            interchange_control_number=first.checked.control_reference,
            partner=first.partner,
            test=first.is_test,
            accepted=all(found.severity != "reject" for found in faults),
            messages=[message for one in received for message in one.messages()],
            faults=[found.as_json() for found in faults],
            raw=content if isinstance(content, BlobRef) else context.blobs.put(raw, MEDIA_TYPE),
        )


def _received(raw: bytes, parameters: ReadParameters, context: Context) -> Iterator[_Received]:
    """Each interchange by the rules of the partner it is from: their character set and their checks."""
    document = codec.read(raw)
    for number, interchange in enumerate(document["interchanges"]):
        partner = parameters.partner or _partner_of(interchange, context)
        rules = profile(partner, context.partner(partner))
        if rules.character_set:
            again = codec.read(raw, encoding=rules.character_set)
            interchange = again["interchanges"][number]
        is_last = number == len(document["interchanges"]) - 1
        rest = document["trailing"] if is_last else ""
        alone: codec.Document = {"interchanges": [interchange], "trailing": rest}
        [checked] = codec.examine(alone, rules.judged(strict=parameters.strict), first=number)
        yield _Received(checked, interchange, partner, rules, strict=parameters.strict)


def _partner_of(interchange: Interchange, context: Context) -> str:
    found = find(codec.parties(interchange), _is_test(interchange), context.partners())
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


def _is_test(interchange: Interchange) -> bool:
    return text_of(interchange["header"], 11) == "1"


class _Received:
    """One interchange that came in, and the partner it is from."""

    def __init__(
        self, checked: CheckedInterchange, tree: Interchange, partner: str, rules: Profile, *, strict: bool
    ) -> None:
        self.checked, self.partner = checked, partner
        self.is_test = _is_test(tree)
        checks = rules.judged(strict=strict)
        found = (checks.judged(one) for one in self._partner_faults(codec.parties(tree), rules))
        self._faults = [one for one in found if one is not None]

    def envelope_faults(self) -> list[Fault]:
        groups = [found for group in self.checked.groups for found in group.faults]
        return [*self._faults, *self.checked.faults, *groups]

    def messages(self) -> Iterator[MessageOutput]:
        is_good = self.checked.is_good and all(one.severity != "reject" for one in self._faults)
        for group in self.checked.groups:
            for one in group.messages:
                yield self._message(one, group, bool(one.type) and is_good and group.is_good and one.is_good)

    def _message(self, one: CheckedMessage, group: CheckedGroup, accepted: bool) -> MessageOutput:
        segments = [{**segment} for segment in one.message["segments"]]
        return MessageOutput(
            type=one.type,
            directory=one.directory,
            message_reference=one.reference,
            group_reference=group.reference,
            interchange_control_number=self.checked.control_reference,
            partner=self.partner,
            test=self.is_test,
            accepted=accepted,
            faults=[found.as_json() for found in one.faults],
            document=one.document,
            segments=segments if one.document is None else None,
        )

    def _partner_faults(self, parties: tuple[codec.Party, codec.Party], ours: Profile) -> Iterator[Fault]:
        sender, receiver = parties
        place = Place(interchange=self.checked.control_reference or None)
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


class WriteParameters(Parameters):
    partner: str = Field(description="name of the partner it goes to", examples=["acme"])
    message: str = Field(description="type of the message", examples=["ORDERS"])
    document: dict[str, Any] = Field(
        description="the message in the named view",
        examples=[
            {
                "beginning": {"document_type": "220", "document_number": "PO-1001", "function": "9"},
                "dates": [{"qualifier": "137", "value": "20261124", "format": "102"}],
                "lines": [{"line_number": "1", "item": "4000862141404", "item_type": "EN"}],
                "section_control": {"section": "S"},
            }
        ],
    )


class WriteOutput(Output):
    """``acknowledgement_key`` is partner and UNB 0020, which is what a CONTRL returns in UCI."""

    content: BlobRef
    interchange_control_number: str
    group_reference: str
    message_references: list[str]
    acknowledgement_key: str


class WriteEdifact(Write[WriteParameters]):
    """Write a message as an EDIFACT interchange for a partner.

    Control numbers are allocated for the node, so a retry writes the same numbers. Raises ``BusinessError``
    naming element and value where the document breaks the message's schema; then nothing is written or numbered.
    """

    name = "write"
    Parameters: ClassVar[type[Parameters]] = WriteParameters
    Output: ClassVar[type[Output] | None] = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        to = profile(parameters.partner, context.partner(parameters.partner))
        messages = [(parameters.message, parameters.document)]
        _content(
            _envelope(parameters.message, to, context, "0", 0 if to.groups else None), messages, parameters.partner
        )
        reference = str(context.allocate(to.series("unb")))
        group = context.allocate(to.series("ung")) if to.groups else None
        content = _content(
            _envelope(parameters.message, to, context, reference, group), messages, parameters.partner
        )
        return WriteOutput(
            content=context.blobs.put(content, MEDIA_TYPE),
            interchange_control_number=reference,
            group_reference="" if group is None else str(group),
            message_references=["1"],
            acknowledgement_key=f"{parameters.partner}/{reference}",
        )


def _envelope(type: str, to: Profile, context: Context, reference: str, group: int | None) -> Envelope:
    return Envelope(
        sender=to.ours.party(),
        receiver=to.theirs.party(),
        control_reference=reference,
        at=context.now(),
        syntax=to.syntax,
        syntax_version=to.syntax_version,
        version=to.version,
        is_test=to.test,
        group_reference=group,
        application_reference=to.application_reference,
        agreement=to.agreement,
        acknowledgement_requested=to.acknowledgement_requested,
        delimiters=to.signs(),
        with_una=to.una,
        encoding=to.character_set,
        glue="\n" if to.line_ends else "",
        checks=ECHOED if type == MESSAGE else to.judged(),
    )


def _content(envelope: Envelope, messages: list[tuple[str, dict[str, Any]]], partner: str) -> bytes:
    try:
        return codec.write(codec.interchange(envelope, messages))
    except codec.EdifactError as error:
        raise Misconfigured(
            f"the profile of partner {partner!r} cannot be used to write: {error.message}",
            next_action=f"correct the edifact part of partners/{partner}.json: delimiters, character set, ids",
            field="edifact",
        ) from None


connector = Connector(
    name="edifact",
    title="UN/EDIFACT",
    operations=(ReadEdifact, WriteEdifact),
    command="connectors.edifact.cli:group",
)
