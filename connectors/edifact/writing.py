"""What a partner is sent: looked at, numbered and written as one interchange."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from connectors.edifact.acknowledgement import MESSAGE
from connectors.edifact.ledger import STANDARD, key_of
from connectors.edifact.outgoing import MEDIA_TYPE, Messages, content, numbered, outgoing
from connectors.edifact.preflight import preflight
from connectors.edifact.profile import profile
from connectors.edifact.reply import ECHOED
from connectors.sdk import Context, Output, Parameters, Read, Write
from connectors.sdk.partner import terms_of
from connectors.sdk.writing import BusinessKey, Going, OneOrSeveral, PreflightOutput, Written, enter, looked_at

_ORDER = {
    "beginning": {"document_type": "220", "document_number": "PO-1001", "function": "9"},
    "dates": [{"qualifier": "137", "value": "20261124", "format": "102"}],
    "lines": [{"line_number": "1", "item": "4000862141404", "item_type": "EN"}],
    "section_control": {"section": "S"},
}


class PreflightParameters(Parameters):
    partner: str = Field(description="name of the partner it is to go to", examples=["acme"])
    message: str = Field(description="type of the message", examples=["ORDERS"])
    document: dict[str, Any] = Field(description="the message in the named view", examples=[_ORDER])
    key: BusinessKey = None


class PreflightEdifact(Read[PreflightParameters]):
    """Look at a message as ``write`` does before it is sent; nothing is numbered or written.

    Raises ``BusinessError`` with everything that is wrong and its segments marked.
    """

    name = "preflight"
    Parameters: ClassVar[type[Parameters]] = PreflightParameters
    Output: ClassVar[type[Output] | None] = PreflightOutput

    def run(self, parameters: PreflightParameters, context: Context) -> PreflightOutput:
        partner, given = parameters.partner, context.partner(parameters.partner)
        to, terms = profile(partner, given), terms_of(partner, given)
        key = parameters.key or key_of(parameters.message, parameters.document)
        ready = preflight(parameters.message, parameters.document, to, terms, partner, key, context)
        return PreflightOutput.of(key, ready.warnings, given, terms)


class WriteParameters(OneOrSeveral):
    partner: str = Field(description="name of the partner it goes to", examples=["acme"])
    message: str = Field(description="type of the message", examples=["ORDERS"])
    document: dict[str, Any] | None = Field(
        default=None, description="the message in the named view", examples=[_ORDER]
    )


class WriteOutput(Written):
    """``acknowledgement_key`` is partner and UNB 0020, which is what a CONTRL returns in UCI."""

    group_reference: str = ""
    message_references: list[str] = []


class WriteEdifact(Write[WriteParameters]):
    """Write a message, or several of one type, as an EDIFACT interchange for a partner.

    Control numbers are allocated for the node, so a retry writes the same numbers. Raises ``BusinessError``
    with everything that is wrong and its segments marked, where the document breaks the message's schema or the
    partner would refuse it; then nothing is written or numbered.
    """

    name = "write"
    Parameters: ClassVar[type[Parameters]] = WriteParameters
    Output: ClassVar[type[Output] | None] = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        partner, type = parameters.partner, parameters.message
        to, terms = profile(partner, context.partner(partner)), terms_of(partner, context.partner(partner))
        passed, refused = looked_at(
            parameters,
            lambda document: key_of(type, document),
            lambda key, document: preflight(type, document, to, terms, partner, key, context),
        )
        if not passed:
            return WriteOutput(refused=refused, awaiting=terms.awaiting.model_dump())
        messages: Messages = [(type, one.ready.segments) for one in passed]
        envelope = outgoing(to, context)
        if type == MESSAGE:
            envelope = replace(envelope, checks=ECHOED)
        content(envelope, messages, partner)
        envelope = numbered(envelope, to, context)
        number = envelope.control_reference
        group = "" if envelope.group_reference is None else str(envelope.group_reference)
        references = [str(at) for at in range(1, len(passed) + 1)]
        written = context.blobs.put(content(envelope, messages, partner), MEDIA_TYPE)
        going = Going(
            STANDARD, partner, to.usage, type, written, number, group, references, is_answered=type != MESSAGE
        )
        return WriteOutput(
            **enter(going, passed, refused, terms, context),
            group_reference=group,
            message_references=references,
            acknowledgement_key=f"{partner}/{number}",
        )
