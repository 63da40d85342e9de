"""UN/EDIFACT: read what partners send, write what they are sent."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from connectors.edifact.answering import AcknowledgeEdifact
from connectors.edifact.outgoing import MEDIA_TYPE
from connectors.edifact.received import InterchangeOutput, MessageOutput, receive
from connectors.edifact.reconciling import ReconcileEdifact
from connectors.edifact.writing import PreflightEdifact, WriteEdifact
from connectors.sdk import BlobRef, Connector, Content, Context, Output, Parameters, Read
from connectors.sdk.receiving import ReusedAs, Strict, enter


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
    strict: Strict = False
    reused: ReusedAs = "raise"


class ReadOutput(Output):
    """Number, partner and test indicator are those of the first interchange; each message and interchange carries
    its own.

    ``faults`` are those of interchanges and groups; a message's faults stand with the message. ``messages`` are
    those to be taken: none of an interchange that came before. ``duplicate``: all of it came before.
    """

    interchange_control_number: str
    partner: str
    test: bool
    accepted: bool
    messages: list[MessageOutput]
    faults: list[dict[str, Any]]
    raw: BlobRef
    interchanges: list[InterchangeOutput] = []
    duplicate: bool = False


class ReadEdifact(Read[ReadParameters]):
    """Read an EDIFACT interchange: its messages in the named view, and every fault.

    What was read is entered in the exchange ledger. Raises ``EdifactError`` (rejected) for bytes that are no
    interchange, ``BusinessError`` for an unknown sender and, unless ``reused`` makes a fault of it, for a control
    number that was used before with other content.
    """

    name = "read"
    Parameters: ClassVar[type[Parameters]] = ReadParameters
    Output: ClassVar[type[Output] | None] = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        given = parameters.content
        raw = given if isinstance(given, BlobRef) else context.blobs.put(context.content(given), MEDIA_TYPE)
        with context.blobs.open(raw) as file:
            received = receive(file, parameters.partner, parameters.strict, context)
        enter(received, raw, context, raises=parameters.reused == "raise")
        faults = [found for one in received for found in one.envelope_faults()]
        first = received[0]
        return ReadOutput(
            interchange_control_number=first.number,
            partner=first.partner,
            test=first.is_test,
            accepted=all(found.severity != "reject" for found in faults),
            messages=[message for one in received if not one.is_duplicate for message in one.messages()],
            faults=[found.as_json() for found in faults],
            raw=raw,
            interchanges=[one.output() for one in received],
            duplicate=all(one.is_duplicate for one in received),
        )


connector = Connector(
    name="edifact",
    title="UN/EDIFACT",
    operations=(ReadEdifact, PreflightEdifact, WriteEdifact, AcknowledgeEdifact, ReconcileEdifact),
    pages="connectors.edifact.pages:pages",
    trading="connectors.edifact.trading:trading",
)
