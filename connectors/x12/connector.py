"""X12 4010: read what partners send, write what they are sent."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from connectors.sdk import BlobRef, Connector, Content, Context, Output, Parameters, Read, Write
from connectors.sdk.exchange import Exchanged, SetEntry
from connectors.x12 import codec
from connectors.x12.answering import AcknowledgeX12
from connectors.x12.ledger import STANDARD, enter, key_of
from connectors.x12.outgoing import MEDIA_TYPE, delimiters_of, outgoing
from connectors.x12.profile import profile
from connectors.x12.received import InterchangeOutput, SetOutput, receive
from connectors.x12.reconciling import ReconcileX12


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
    strict: bool = Field(default=False, description="treat every warning as a rejection", examples=[False])


class ReadOutput(Output):
    """Numbers, partner and usage are those of the first interchange; each set and interchange carries its own.

    ``faults`` are those of all interchanges and groups; a set's faults stand with the set. ``duplicate``: all of it
    was taken before; ``answer`` is what it was acknowledged with then, to be sent again.
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
    interchange, ``BusinessError`` for an unknown sender and for a control number that was used before with other
    content.
    """

    name = "read"
    Parameters: ClassVar[type[Parameters]] = ReadParameters
    Output: ClassVar[type[Output] | None] = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        raw = _stored(parameters.content, context)
        with context.blobs.open(raw) as file:
            received = receive(codec.stream(file), parameters.partner, parameters.strict, context)
        told = enter(received, raw, context)
        faults = [found for one in received for found in one.envelope_faults()]
        first = received[0]
        return ReadOutput(
            interchange_control_number=first.number,
            partner=first.partner,
            usage=first.usage,
            accepted=all(found.severity != "reject" for found in faults),
            sets=[one_set for one in received for one_set in one.sets()],
            faults=[found.as_json() for found in faults],
            raw=raw,
            interchanges=[one.output() for one in received],
            duplicate=all(one.is_duplicate for one in received),
            answer=next((reception.answer for reception in told if reception.answer), None),
        )


def _stored(content: Content, context: Context) -> BlobRef:
    if isinstance(content, BlobRef):
        return content
    return context.blobs.put(context.content(content), MEDIA_TYPE)


class WriteParameters(Parameters):
    partner: str = Field(description="name of the partner it goes to", examples=["acme"])
    set: str = Field(description="type of the transaction set", examples=["850"])
    document: dict[str, Any] = Field(
        description="the transaction set in the named view",
        examples=[
            {
                "beginning": {
                    "purpose": "00",
                    "order_type": "NE",
                    "order_number": "PO-1001",
                    "order_date": "20261124",
                },
                "lines": [{"line_number": "1", "quantity": "10", "unit": "BX", "unit_price": "7.20"}],
            }
        ],
    )

    key: str | None = Field(
        default=None,
        description="business key for the exchange ledger; the document's own number where absent",
        examples=["PO-1001"],
    )


class WriteOutput(Output):
    """``acknowledgement_key`` is partner and GS06, which is what a 997 returns in AK102.

    ``interchange_acknowledgement_key`` is partner and ISA13, which is what a TA1 returns in TA101.
    """

    content: BlobRef
    interchange_control_number: str
    group_control_number: str
    set_control_numbers: list[str]
    acknowledgement_key: str
    interchange_acknowledgement_key: str = ""


class WriteX12(Write[WriteParameters]):
    """Write a transaction set as an X12 interchange for a partner.

    Control numbers are allocated for the node, so a retry writes the same numbers. Raises ``BusinessError``
    naming element and value where the document breaks the set's schema; then nothing is written or numbered.
    """

    name = "write"
    Parameters: ClassVar[type[Parameters]] = WriteParameters
    Output: ClassVar[type[Output] | None] = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        to = profile(parameters.partner, context.partner(parameters.partner))
        signs = delimiters_of(to, parameters.partner)
        codec.from_named(parameters.set, parameters.document, to.version, signs, to.encoding)
        envelope = outgoing(to, signs, context, acknowledgement_requested=to.acknowledgement_requested)
        document = codec.interchange(envelope, [(parameters.set, parameters.document)])
        group, number = str(envelope.group_control_number), f"{envelope.interchange_control_number:09d}"
        content = context.blobs.put(codec.write(document), MEDIA_TYPE)
        key = parameters.key or key_of(parameters.set, parameters.document)
        entry = SetEntry(parameters.set, "0001", group, key)
        context.exchange.written(
            Exchanged(STANDARD, parameters.partner, to.usage, number, content.blob, content, [entry])
        )
        return WriteOutput(
            content=content,
            interchange_control_number=number,
            group_control_number=group,
            set_control_numbers=["0001"],
            acknowledgement_key=f"{parameters.partner}/{group}",
            interchange_acknowledgement_key=f"{parameters.partner}/{number}",
        )


connector = Connector(
    name="x12",
    title="ANSI X12",
    operations=(ReadX12, WriteX12, AcknowledgeX12, ReconcileX12),
    command="connectors.x12.cli:group",
)
