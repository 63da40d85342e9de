"""``edifact.acknowledge``: the CONTRLs that answer what ``edifact.read`` put out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from pydantic import BaseModel, Field

from connectors.edifact import codec
from connectors.edifact.acknowledgement import MESSAGE, Acknowledgement, acknowledge
from connectors.edifact.checked import CheckedGroup, CheckedInterchange, CheckedMessage
from connectors.edifact.codec import Envelope, Fault
from connectors.edifact.fault import STANDARD as CHECKS
from connectors.edifact.ledger import STANDARD
from connectors.edifact.lossless import Segment, text_of
from connectors.edifact.outgoing import MEDIA_TYPE, content, numbered, outgoing
from connectors.edifact.profile import Acknowledging, Profile, profile, usage_of
from connectors.edifact.received import GroupOutput, InterchangeOutput, RejectedOutput
from connectors.edifact.reply import ECHOED, answered_in, fits
from connectors.sdk import BlobRef, Context, Output, Parameters, Write
from connectors.sdk.answering import again, faults_from, is_quarantined, one_file, parsed, to_answer
from connectors.sdk.edi import NOWHERE
from connectors.sdk.exchange import Exchanged, SetEntry

READER = "edifact.read"
#: 0031: the sender wants to know that it arrived, and no more.
_RECEIPT = "2"


class AcknowledgeParameters(Parameters):
    received: dict[str, Any] = Field(
        description="what edifact.read put out",
        examples=[{"partner": "acme", "interchanges": [], "messages": []}],
    )
    partner: str | None = Field(
        default=None,
        description="name of the partner who sent it and gets the answer; as edifact.read found it where absent",
        examples=["acme"],
    )


class AnswerOutput(Output):
    """One CONTRL. ``code`` is 0083 of UCI: 4 rejected, 7 acknowledged but for ``rejected`` messages, 8 received.

    ``acknowledgement_key`` is partner and UNB 0020 of what is acknowledged: what the sender waits for.
    """

    kind: str = MESSAGE
    acknowledgement_key: str
    code: str
    rejected: int


class AcknowledgeOutput(Output):
    """``content`` and the number are absent where there is nothing to answer, or the profile wants no answer.

    ``repeated``: it answers duplicates, and nothing else, with what the first were answered with.
    """

    content: BlobRef | None = None
    interchange_control_number: str | None = None
    acknowledgements: list[AnswerOutput] = []
    repeated: bool = False


class _Read(BaseModel):
    """What is needed of the output of ``edifact.read``."""

    partner: str
    interchanges: list[InterchangeOutput]


class AcknowledgeEdifact(Write[AcknowledgeParameters]):
    """Answer what was read with one CONTRL for each interchange, as the partner's profile says.

    They go in one interchange with the profile's envelope. A control number is allocated for the node, and only
    where there is something to send. A CONTRL is never answered. A duplicate is answered with the bytes that the
    first was answered with; where others came with it, these stand before the new answer in one file.
    """

    name = "acknowledge"
    Parameters: ClassVar[type[Parameters]] = AcknowledgeParameters
    Output: ClassVar[type[Output] | None] = AcknowledgeOutput

    def run(self, parameters: AcknowledgeParameters, context: Context) -> AcknowledgeOutput:
        received = parsed(_Read, parameters.received, READER)
        partner = parameters.partner or received.partner
        to = profile(partner, context.partner(partner))
        ours = (one for one in received.interchanges if one.partner == partner)
        came = to_answer(ours, STANDARD, lambda one: usage_of(one.test), context)
        stored = again(one.answer for one in came if one.duplicate)
        asking = [one for one in came if not (one.duplicate and one.answer is not None)]
        answers = [_answer(one, to.acknowledge) for one in asking if _is_answered(one, to.acknowledge)]
        if not answers:
            return _again(stored, context) if stored else AcknowledgeOutput()
        envelope = numbered(_envelope(answers, to, context), to, context)
        documents = [(MESSAGE, one.document) for one in answers]
        written = context.blobs.put(content(envelope, documents, partner), MEDIA_TYPE)
        number = envelope.control_reference
        entries = [SetEntry(MESSAGE, str(place)) for place, _ in enumerate(documents, 1)]
        context.exchange.written(Exchanged(STANDARD, partner, to.usage, number, written.blob, written, entries))
        for is_test in (False, True):
            references = [one.control_reference for one in answers if one.is_test == is_test and one.is_kept]
            context.exchange.answered(STANDARD, partner, usage_of(is_test), references, written)
        return AcknowledgeOutput(
            content=one_file([*stored, written], MEDIA_TYPE, context),
            interchange_control_number=number,
            acknowledgements=[
                AnswerOutput(
                    acknowledgement_key=f"{partner}/{one.control_reference}", code=one.action, rejected=one.rejected
                )
                for one in answers
            ],
        )


@dataclass(frozen=True)
class _Answer(Acknowledgement):
    """``rejected`` messages are told in it. ``is_kept``: a duplicate of what it answers gets it again."""

    is_test: bool
    rejected: int
    is_kept: bool


def _is_answered(one: InterchangeOutput, wanted: Acknowledging) -> bool:
    header = cast("Segment | None", one.header)
    if not (one.interchange_control_number and text_of(header, 2)) or set(one.types) - {""} == {MESSAGE}:
        return False
    match wanted.contrl:
        case "always":
            return True
        case "never":
            return False
        case "rejected" if not (one.accepted and all(_is_whole(group) for group in one.groups)):
            return True
    return one.acknowledgement_requested


def _is_whole(group: GroupOutput) -> bool:
    return group.accepted and not group.rejected


def _answer(one: InterchangeOutput, wanted: Acknowledging) -> _Answer:
    checked = _interchange(one)
    receipt_only = wanted.receipt_only or text_of(checked.header, 9) == _RECEIPT
    document = acknowledge(checked, receipt_only=receipt_only)
    told = [document, *document.get("groups", ())]
    rejected = sum(len(each.get("messages", ())) for each in told)
    version = text_of(checked.header, 1, 2)
    is_kept = not is_quarantined(one.faults)
    return _Answer(0, one.interchange_control_number, version, document, one.test, rejected, is_kept)


def _envelope(answers: Sequence[_Answer], to: Profile, context: Context) -> Envelope:
    """The profile's, in the syntax version of what is answered; in UTF-8 where what is repeated needs it."""
    usual = outgoing(to, context)
    plain = replace(
        usual,
        syntax_version=answered_in(one.syntax_version for one in answers),
        group_reference=None,
        acknowledgement_requested=False,
        application_reference="",
        checks=ECHOED,
    )
    if all(fits(one.document, plain.written_in()) for one in answers):
        return plain
    return replace(plain, syntax="UNOW", encoding="utf-8")


def _again(stored: list[BlobRef], context: Context) -> AcknowledgeOutput:
    """What was stored, with the number of the first."""
    one, *_ = codec.read(context.blobs.read(stored[0]))["interchanges"]
    return AcknowledgeOutput(
        content=one_file(stored, MEDIA_TYPE, context),
        interchange_control_number=text_of(one["header"], 5),
        repeated=True,
    )


def _interchange(one: InterchangeOutput) -> CheckedInterchange:
    """As it was checked, in what an answer tells of it."""
    header = cast("Segment | None", one.header)
    groups = [_group(group) for group in one.groups]
    return CheckedInterchange(header, one.interchange_control_number, NOWHERE, _faults(one.faults), groups)


def _group(one: GroupOutput) -> CheckedGroup:
    rejected = [_message(each) for each in one.rejected]
    header = cast("Segment | None", one.header)
    return CheckedGroup(header, one.group_reference, NOWHERE, _faults(one.faults), rejected)


def _message(one: RejectedOutput) -> CheckedMessage:
    message: codec.Message = {"segments": [cast("Segment", one.header)]}
    return CheckedMessage(one.type, one.message_reference, "", NOWHERE, message, None, _faults(one.faults))


def _faults(told: list[dict[str, Any]]) -> list[Fault]:
    return faults_from(told, CHECKS, READER)
