"""X12 4010: read what partners send, write what they are sent."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from connectors.sdk import BlobRef, Connector, Content, Context, Output, Parameters, Read
from connectors.sdk.receiving import ReusedAs, Strict, enter
from connectors.x12 import codec
from connectors.x12.answering import AcknowledgeX12
from connectors.x12.outgoing import MEDIA_TYPE
from connectors.x12.received import InterchangeOutput, SetOutput, receive
from connectors.x12.reconciling import ReconcileX12
from connectors.x12.writing import PreflightX12, WriteX12


class ReadParameters(Parameters):
    content: Content = Field(
        description="the interchange, as a stored blob or as text",
        examples=[{"$blob": "sha256:" + "0" * 64, "size": 612, "type": MEDIA_TYPE}],
    )
    partner: str | None = Field(
        default=None,
        description="name of the partner who sent it; found by the ISA sender where absent",
        examples=["acme"],
    )
    strict: Strict = False
    reused: ReusedAs = "raise"


class ReadOutput(Output):
    """Numbers, partner and usage are those of the first interchange; each set and interchange carries its own.

    ``faults`` are those of all interchanges and groups; a set's faults stand with the set. ``duplicate``: all of it
    was taken before; ``answer`` is what it was acknowledged with then, to be sent again. Where only some of its
    interchanges came before, ``sets`` leaves theirs out.
    """

    interchange_control_number: str
    partner: str
    usage: str
    accepted: bool
    sets: list[SetOutput]
    faults: list[dict[str, Any]]
    raw: BlobRef
    interchanges: list[InterchangeOutput] = []
    duplicate: bool = False
    answer: BlobRef | None = None


class ReadX12(Read[ReadParameters]):
    """Read an X12 interchange: its transaction sets in the named view, and every fault.

    What was read is entered in the exchange ledger. Raises ``X12Error`` (rejected) for bytes that are no
    interchange, ``BusinessError`` for an unknown sender and, unless ``reused`` makes a fault of it, for a control
    number that was used before with other content.
    """

    name = "read"
    Parameters: ClassVar[type[Parameters]] = ReadParameters
    Output: ClassVar[type[Output] | None] = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        raw = _stored(parameters.content, context)
        with context.blobs.open(raw) as file:
            received = receive(codec.stream(file), parameters.partner, parameters.strict, context)
        enter(received, raw, context, raises=parameters.reused == "raise")
        is_duplicate = all(one.is_duplicate for one in received)
        faults = [found for one in received for found in one.envelope_faults()]
        first = received[0]
        return ReadOutput(
            interchange_control_number=first.number,
            partner=first.partner,
            usage=first.usage,
            accepted=all(found.severity != "reject" for found in faults),
            sets=[one_set for one in received if is_duplicate or not one.is_duplicate for one_set in one.sets()],
            faults=[found.as_json() for found in faults],
            raw=raw,
            interchanges=[one.output() for one in received],
            duplicate=is_duplicate,
            answer=next((one.answer for one in received if one.answer), None),
        )


def _stored(content: Content, context: Context) -> BlobRef:
    if isinstance(content, BlobRef):
        return content
    return context.blobs.put(context.content(content), MEDIA_TYPE)


connector = Connector(
    name="x12",
    title="ANSI X12",
    operations=(ReadX12, PreflightX12, WriteX12, AcknowledgeX12, ReconcileX12),
    pages="connectors.x12.pages:pages",
    trading="connectors.x12.trading:trading",
)
