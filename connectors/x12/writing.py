"""What a partner is sent: looked at, numbered and written as one interchange."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from connectors.sdk import Context, Output, Parameters, Read, Write
from connectors.sdk.partner import terms_of
from connectors.sdk.writing import BusinessKey, Going, OneOrSeveral, PreflightOutput, Written, enter, looked_at
from connectors.x12 import codec
from connectors.x12.ledger import STANDARD, key_of
from connectors.x12.outgoing import MEDIA_TYPE, delimiters_of, outgoing
from connectors.x12.preflight import preflight
from connectors.x12.profile import profile

_ORDER = {
    "beginning": {"purpose": "00", "order_type": "NE", "order_number": "PO-1001", "order_date": "20261124"},
    "lines": [{"line_number": "1", "quantity": "10", "unit": "BX", "unit_price": "7.20"}],
}


class PreflightParameters(Parameters):
    partner: str = Field(description="name of the partner it is to go to", examples=["acme"])
    set: str = Field(description="type of the transaction set", examples=["850"])
    document: dict[str, Any] = Field(description="the transaction set in the named view", examples=[_ORDER])
    key: BusinessKey = None


class PreflightX12(Read[PreflightParameters]):
    """Look at a transaction set as ``write`` does before it is sent; nothing is numbered or written.

    Raises ``BusinessError`` with everything that is wrong and its segments marked.
    """

    name = "preflight"
    Parameters: ClassVar[type[Parameters]] = PreflightParameters
    Output: ClassVar[type[Output] | None] = PreflightOutput

    def run(self, parameters: PreflightParameters, context: Context) -> PreflightOutput:
        partner, given = parameters.partner, context.partner(parameters.partner)
        to, terms = profile(partner, given), terms_of(partner, given)
        key = parameters.key or key_of(parameters.set, parameters.document, to.version)
        ready = preflight(parameters.set, parameters.document, to, terms, partner, key, context)
        return PreflightOutput.of(key, ready.warnings, given, terms)


class WriteParameters(OneOrSeveral):
    partner: str = Field(description="name of the partner it goes to", examples=["acme"])
    set: str = Field(description="type of the transaction set", examples=["850"])
    document: dict[str, Any] | None = Field(
        default=None, description="the transaction set in the named view", examples=[_ORDER]
    )


class WriteOutput(Written):
    """``acknowledgement_key`` is partner and GS06, which is what a 997 returns in AK102,
    ``interchange_acknowledgement_key`` partner and ISA13, which is what a TA1 returns in TA101."""

    group_control_number: str = ""
    set_control_numbers: list[str] = []
    interchange_acknowledgement_key: str = ""


class WriteX12(Write[WriteParameters]):
    """Write a transaction set, or several of one type, as an X12 interchange for a partner.

    Control numbers are allocated for the node, so a retry writes the same numbers. Raises ``BusinessError``
    with everything that is wrong and its segments marked, where the document breaks the set's schema or the
    partner would refuse it; then nothing is written or numbered.
    """

    name = "write"
    Parameters: ClassVar[type[Parameters]] = WriteParameters
    Output: ClassVar[type[Output] | None] = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        partner, type = parameters.partner, parameters.set
        to, terms = profile(partner, context.partner(partner)), terms_of(partner, context.partner(partner))
        signs = delimiters_of(to, partner)
        passed, refused = looked_at(
            parameters,
            lambda document: key_of(type, document, to.version),
            lambda key, document: preflight(type, document, to, terms, partner, key, context),
        )
        if not passed:
            return WriteOutput(refused=refused, awaiting=terms.awaiting.model_dump())
        envelope = outgoing(to, signs, context, acknowledgement_requested=to.acknowledgement_requested)
        document = codec.interchange(envelope, [(type, one.ready.segments) for one in passed])
        group, number = str(envelope.group_control_number), f"{envelope.interchange_control_number:09d}"
        numbers = [f"{at:04d}" for at in range(1, len(passed) + 1)]
        content = context.blobs.put(codec.write(document), MEDIA_TYPE)
        going = Going(STANDARD, partner, to.usage, type, content, number, group, numbers, is_answered=type != "997")
        return WriteOutput(
            **enter(going, passed, refused, terms, context),
            group_control_number=group,
            set_control_numbers=numbers,
            acknowledgement_key=f"{partner}/{group}",
            interchange_acknowledgement_key=f"{partner}/{number}",
        )
