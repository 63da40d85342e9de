"""``mllp.send``: one message out over a connection that stays, and what its receiver says of it."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from connectors.hl7.codec import Answer, Hl7Error, Message, about_a_patient, answer, read
from connectors.mllp.answers import asks_for_both, asks_for_success, silence_is_success
from connectors.mllp.line import Line
from connectors.mllp.settings import MllpSettings
from connectors.sdk import (
    BlobRef,
    BusinessError,
    Call,
    Context,
    Effect,
    Misconfigured,
    NotSent,
    Outcome,
    Output,
    Parameters,
    Rejected,
)

MEDIA_TYPE = "application/hl7-v2"
_WITHHELD = "its words are withheld, they may name the patient"
#: An application acknowledgement that came by itself: its key is MSA-2, its data code, control_id and error.
ACKNOWLEDGED = "hl7.acknowledged"


class SendParameters(Parameters):
    content: BlobRef | str = Field(
        description="The message: a stored blob, sent as it is, or text, sent as UTF-8.",
        examples=["=$nodes.answer.content"],
    )


class SendOutput(Output):
    code: str = Field(description="MSA-1: AA, or CA where no other was asked for or has come.", examples=["AA"])
    control_id: str = Field(description="MSA-2, the MSH-10 that was sent.", examples=["W1"])
    text: str = Field(description="MSA-3 or ERR-8, or nothing.", examples=[""])
    acknowledgement: BlobRef = Field(description="The acknowledgement as it came.")


class SendMessage(Call[SendParameters]):
    """Send an HL7 v2 message and wait until its receiver acknowledges it.

    AE and CE are the receiver's business: a ``BusinessError`` of kind ``hl7_not_processed``, never sent again. AR
    and CR say that nothing was taken: ``NotSent``, so the node's retries decide how often it is tried. No answer in
    time closes the connection and is ``OutcomeUnknown``: MSH-10 is the same for every try.

    Where MSH-15 and MSH-16 ask for both (HL7 v2.5.1, 2.9.3), CA ends the sending, and the application
    acknowledgement decides: AE and AR are a ``BusinessError``. One that has not come when ``application_within`` is
    over is the outcome ``accepted``, and the event ``hl7.acknowledged`` when it comes here after all.
    """

    name = "send"
    effect = Effect.ONCE
    outcomes = ("done", "accepted")
    needs = {"direction": "send"}
    Parameters = SendParameters
    Output = SendOutput

    def run(self, parameters: SendParameters, context: Context) -> SendOutput | Outcome:
        raw = context.content(parameters.content)
        message = _answerable(raw)
        both = asks_for_both(message)
        settings = context.connection.settings
        assert isinstance(settings, MllpSettings)
        if settings.direction != "send":
            raise Misconfigured(
                "this connection listens: nothing can be sent to it",
                field="direction",
                next_action="name a connection whose direction is send",
            )
        line = context.resource("mllp.line", lambda: _line(settings, context), Line.close)
        first, second = line.exchange(raw, both)
        personal = about_a_patient({segment.id for segment in message.segments})
        output = _output(second or first, context, settings, committed=second is not None, personal=personal)
        if both and output.code == "CA" and not silence_is_success(message):
            return Outcome("accepted", output)
        return output


def _output(
    reply: bytes, context: Context, settings: MllpSettings, *, committed: bool, personal: bool
) -> SendOutput:
    """What is positive. ``committed``: CA came before, so that it is never sent again, whatever is said now.
    ``personal``: the message is about a patient, whom the receiver's words may name: they stay in the bytes."""
    said = answer(read(reply))
    if personal and said.text:
        said = replace(said, text=_WITHHELD)
    ref = context.blobs.put(reply, MEDIA_TYPE)
    if not said.positive:
        raise _refused(said, f"{settings.host}:{settings.port}", committed, ref)
    return SendOutput(code=said.code, control_id=said.control_id, text=said.text, acknowledgement=ref)


def _refused(said: Answer, where: str, committed: bool, kept: BlobRef) -> BusinessError | NotSent:
    told = f"{where} answered {said.code}: {said.text or 'without a reason'}"
    code = said.error or said.code
    answered = kept.model_dump(mode="json", by_alias=True)
    facts = {"control_id": said.control_id, "error": said.error, "acknowledgement": answered}
    if committed or said.code in ("AE", "CE"):
        return BusinessError(
            told, kind="hl7_not_processed", code=code, details=facts,
            next_action="correct the message with whoever runs the receiving system, then reprocess",
        )  # fmt: skip
    return NotSent(
        told, code=code, details=facts,
        next_action="it is tried again; if it stays so, ask whoever runs the receiving system",
    )  # fmt: skip


def _answerable(raw: bytes) -> Message:
    """Raises ``Rejected``: without MSH-10 no answer could be told to be this message's, and where none is asked for
    nobody would ever know."""
    try:
        message = read(raw)
        control_id, answered = message.control_id, asks_for_success(message)
    except Hl7Error as error:
        raise Rejected(error.message, code=error.code, next_action=error.next_action) from error
    if not control_id:
        raise Rejected("MSH-10 is missing", code="101", next_action="give the message a control id")
    if not answered:
        raise Rejected(
            "the message asks for no answer that says it arrived",
            code="103",
            next_action="leave MSH-15 and MSH-16 empty, or write AL into MSH-15",
        )
    return message


def _line(settings: MllpSettings, context: Context) -> Line:
    """The context is that of whoever connects first: what it gives is the same for all runs of the client."""

    def tell(reply: bytes) -> None:
        said = answer(read(reply))
        kept = context.blobs.put(reply, MEDIA_TYPE).model_dump(mode="json", by_alias=True)
        facts = {"code": said.code, "control_id": said.control_id, "error": said.error, "acknowledgement": kept}
        context.publish(ACKNOWLEDGED, said.control_id, facts)

    return Line(settings, context.log, tell)
