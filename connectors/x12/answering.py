"""``x12.acknowledge``: the TA1 and 997s that answer what ``x12.read`` put out."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, Field

from connectors.sdk import BlobRef, Context, Output, Parameters, Write
from connectors.sdk.answering import again, faults_from, is_quarantined, one_file, parsed, to_answer
from connectors.sdk.edi import Fault
from connectors.sdk.exchange import Exchanged, SetEntry
from connectors.x12 import codec
from connectors.x12.fault import STANDARD as CHECKS
from connectors.x12.ledger import STANDARD
from connectors.x12.lossless import text_of
from connectors.x12.outcome import GroupOutcome, InterchangeOutcome, SetOutcome
from connectors.x12.outgoing import MEDIA_TYPE, delimiters_of, outgoing
from connectors.x12.profile import Acknowledging, profile
from connectors.x12.received import InterchangeOutput, SetOutput

READER = "x12.read"


class AcknowledgeParameters(Parameters):
    received: dict[str, Any] = Field(
        description="what x12.read put out",
        examples=[{"partner": "acme", "interchanges": [], "sets": []}],
    )
    partner: str | None = Field(
        default=None,
        description="name of the partner who sent it and gets the answer; as x12.read found it where absent",
        examples=["acme"],
    )


class AnswerOutput(Output):
    """One TA1 or 997. ``code`` is TA104 or AK901: A accepted, E with errors noted, P partly, R rejected.

    ``acknowledgement_key`` is partner and ISA13 or GS06 of what is acknowledged: what the sender waits for.
    """

    kind: str
    acknowledgement_key: str
    code: str


class AcknowledgeOutput(Output):
    """``content`` and the numbers are absent where there is nothing to answer, or the profile wants no answer.

    ``repeated``: it answers a duplicate with what the first was answered with.
    """

    content: BlobRef | None = None
    interchange_control_number: str | None = None
    group_control_number: str | None = None
    acknowledgements: list[AnswerOutput] = []
    repeated: bool = False


class _Read(BaseModel):
    """What is needed of the output of ``x12.read``."""

    duplicate: bool = False
    partner: str
    interchanges: list[InterchangeOutput]
    sets: list[SetOutput]


class AcknowledgeX12(Write[AcknowledgeParameters]):
    """Answer what was read with a TA1 and 997s, as the partner's profile says.

    A rejected interchange that is answered with a TA1 gets no 997; one whose number was used before with other
    content gets a TA1 (025) unless the profile never gives one, and no 997 in any case. Control numbers are
    allocated for the node, and only where there is something to send. An acknowledgement is never acknowledged.
    A duplicate is answered with the bytes that the first was answered with; where others came with it, these stand
    before the new answer in one file.
    """

    name = "acknowledge"
    Parameters: ClassVar[type[Parameters]] = AcknowledgeParameters
    Output: ClassVar[type[Output] | None] = AcknowledgeOutput

    def run(self, parameters: AcknowledgeParameters, context: Context) -> AcknowledgeOutput:
        received = parsed(_Read, parameters.received, READER)
        partner = parameters.partner or received.partner
        to = profile(partner, context.partner(partner))
        ours = (one for one in received.interchanges if one.partner == partner)
        came = to_answer(ours, STANDARD, lambda one: one.usage, context)
        stored = again(one.answer for one in came if one.duplicate)
        asking = [one for one in came if not one.duplicate or (received.duplicate and one.answer is None)]
        answers = _Answers(partner, to.acknowledge)
        for index, one in enumerate(asking):
            answers.add(_interchange(one, received.sets), index, is_reused=is_quarantined(one.faults))
        if not answers.told:
            return _again(stored, context) if stored else AcknowledgeOutput()
        envelope = outgoing(to, delimiters_of(to, partner), context)
        document = codec.interchange(envelope, answers.sets, answers.segments)
        number = f"{envelope.interchange_control_number:09d}"
        group = str(envelope.group_control_number) if answers.sets else None
        content = context.blobs.put(codec.write(document), MEDIA_TYPE)
        sets = [SetEntry(type, f"{place:04d}", group or "") for place, (type, _) in enumerate(answers.sets, 1)]
        context.exchange.written(Exchanged(STANDARD, partner, to.usage, number, content.blob, content, sets))
        kept = [one for one in asking if not is_quarantined(one.faults)]
        for usage in sorted({one.usage for one in kept}):
            numbers = [one.interchange_control_number for one in kept if one.usage == usage]
            context.exchange.answered(STANDARD, partner, usage, numbers, content)
        return AcknowledgeOutput(
            content=one_file([*stored, content], MEDIA_TYPE, context),
            interchange_control_number=number,
            group_control_number=group,
            acknowledgements=answers.told,
        )


def _again(stored: list[BlobRef], context: Context) -> AcknowledgeOutput:
    """What was stored, with the numbers of the first."""
    one, *_ = codec.read(context.blobs.read(stored[0]))["interchanges"]
    group = next((text_of(group["header"], 6) for group in one["groups"] if group["header"]), None)
    return AcknowledgeOutput(
        content=one_file(stored, MEDIA_TYPE, context),
        interchange_control_number=text_of(one["header"], 13),
        group_control_number=group,
        repeated=True,
    )


class _Answers:
    def __init__(self, partner: str, wanted: Acknowledging) -> None:
        self._partner, self._wanted = partner, wanted
        self.segments: list[codec.Segment] = []
        self.sets: list[tuple[str, dict[str, Any]]] = []
        self.told: list[AnswerOutput] = []

    def add(self, outcome: InterchangeOutcome, index: int, *, is_reused: bool) -> None:
        """Of a number that was used before there is no 997: it would speak of the groups of the first."""
        wants_ta1 = self._wanted.ta1 != "never" if is_reused else self._wants_ta1(outcome)
        ta1 = codec.interchange_acknowledgement(outcome) if wants_ta1 else None
        if ta1 is not None:
            self.segments.append(ta1)
            self._tell("TA1", str(ta1["elements"][0]), str(ta1["elements"][3]))
        if self._wanted.functional and not is_reused and (ta1 is None or outcome.is_good):
            for one in codec.functional(outcome, index, warnings=self._wanted.warnings):
                self.sets.append(("997", one.document))
                self._tell("997", one.group_control_number, one.code)

    def _wants_ta1(self, outcome: InterchangeOutcome) -> bool:
        match self._wanted.ta1:
            case "always":
                return True
            case "never":
                return False
            case "rejected":
                return outcome.acknowledgement_requested or not outcome.is_good
        return outcome.acknowledgement_requested

    def _tell(self, kind: str, number: str, code: str) -> None:
        self.told.append(AnswerOutput(kind=kind, acknowledgement_key=f"{self._partner}/{number}", code=code))


def _interchange(one: InterchangeOutput, sets: list[SetOutput]) -> InterchangeOutcome:
    groups = [
        GroupOutcome(
            group.functional_identifier,
            group.group_control_number,
            group.sets_included,
            _faults(group.faults),
            [
                _set(found)
                for found in sets
                if found.path.startswith(f"{group.path}/") and (found.type or found.set_control_number)
            ],
        )
        for group in one.groups
    ]
    return InterchangeOutcome(
        one.interchange_control_number,
        one.date,
        one.time,
        one.acknowledgement_requested,
        bool(one.acknowledgements),
        _faults(one.faults),
        groups,
    )


def _set(one: SetOutput) -> SetOutcome:
    return SetOutcome(one.type, one.set_control_number, _faults(one.faults), one.accepted)


def _faults(told: list[dict[str, Any]]) -> list[Fault]:
    return faults_from(told, CHECKS, READER)
