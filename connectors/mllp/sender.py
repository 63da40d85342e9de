"""``mllp.send``: one message out over a connection that stays, and what its receiver says of it."""

from __future__ import annotations

import threading

from pydantic import Field

from connectors.hl7.codec import Hl7Error, answer, read
from connectors.mllp.answers import asks_for_success
from connectors.mllp.settings import MllpSettings
from connectors.mllp.tls import Tls
from connectors.mllp.transport import Sender
from connectors.sdk import (
    BlobRef,
    BusinessError,
    Call,
    Context,
    Effect,
    Log,
    Misconfigured,
    NotSent,
    Output,
    Parameters,
    Rejected,
)


class SendParameters(Parameters):
    content: BlobRef | str = Field(
        description="The message: a stored blob, sent as it is, or text, sent as UTF-8.",
        examples=["=$nodes.answer.content"],
    )


class SendOutput(Output):
    code: str = Field(description="MSA-1: AA or CA.", examples=["AA"])
    control_id: str = Field(description="MSA-2, the MSH-10 that was sent.", examples=["W1"])
    text: str = Field(description="MSA-3 or ERR-8, or nothing.", examples=[""])
    acknowledgement: BlobRef = Field(description="The acknowledgement as it came.")


class SendMessage(Call[SendParameters]):
    """Send an HL7 v2 message and wait until its receiver acknowledges it.

    AE and CE are the receiver's business: a ``BusinessError`` of kind ``hl7_not_processed``, never sent again. AR
    and CR say that nothing was taken: ``NotSent``, so the node's retries decide how often it is tried. No answer in
    time closes the connection and is ``OutcomeUnknown``: MSH-10 is the same for every try.
    """

    name = "send"
    effect = Effect.ONCE
    needs = {"direction": "send"}
    Parameters = SendParameters
    Output = SendOutput

    def run(self, parameters: SendParameters, context: Context) -> SendOutput:
        raw = context.content(parameters.content)
        _can_be_answered(raw)
        settings = context.connection.settings
        assert isinstance(settings, MllpSettings)
        if settings.direction != "send":
            raise Misconfigured(
                "this connection listens: nothing can be sent to it",
                field="direction",
                next_action="name a connection whose direction is send",
            )
        reply = context.resource("mllp.line", lambda: _line(settings, context.log), Line.close).exchange(raw)
        said = answer(read(reply))
        told = f"{settings.host}:{settings.port} answered {said.code}: {said.text or 'without a reason'}"
        facts = {"control_id": said.control_id, "error": said.error}
        if said.code in ("AE", "CE"):
            raise BusinessError(
                told, kind="hl7_not_processed", code=said.error or said.code, details=facts,
                next_action="correct the message with whoever runs the receiving system, then reprocess",
            )  # fmt: skip
        if not said.positive:
            raise NotSent(
                told, code=said.error or said.code, details=facts,
                next_action="it is tried again; if it stays so, ask whoever runs the receiving system",
            )  # fmt: skip
        ref = context.blobs.put(reply, "application/hl7-v2")
        return SendOutput(code=said.code, control_id=said.control_id, text=said.text, acknowledgement=ref)


def _can_be_answered(raw: bytes) -> None:
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


def connected(settings: MllpSettings, tls: Tls | None) -> Sender:
    """Raises like ``Sender``."""
    context = tls.context() if tls else None
    return Sender(settings.host, settings.port, settings.answer_within.total_seconds(), context)


class Line:
    """The connection to a listener, shared by threads: one message at a time, connected when it is needed. One that
    the peer left, or on which something unasked for lies (a late acknowledgement), is given up before sending."""

    def __init__(self, settings: MllpSettings, tls: Tls | None) -> None:
        self._settings, self._tls = settings, tls
        self._one_at_a_time = threading.Lock()
        self._sender: Sender | None = None

    def exchange(self, message: bytes) -> bytes:
        """Raises like ``Sender``."""
        with self._one_at_a_time:
            if self._sender is not None and (self._sender.closed or self._sender.stale()):
                self._hang_up()
            if self._sender is None:
                self._sender = connected(self._settings, self._tls)
            return self._sender.exchange(message)

    def _hang_up(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def close(self) -> None:
        """Hangs up; after a message in hand was answered."""
        with self._one_at_a_time:
            self._hang_up()


def _line(settings: MllpSettings, log: Log) -> Line:
    return Line(settings, Tls(settings, "client", log) if settings.tls else None)
