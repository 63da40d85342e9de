"""HL7 v2: bytes to JSON and back."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from connectors.hl7.codec import build, read, strictly, view, write
from connectors.hl7.feed import feed_of, places
from connectors.hl7.patient import withhold
from connectors.hl7.split import MEDIA_TYPE, SplitFile
from connectors.sdk import BlobRef, Connector, Context, Output, Parameters, Read, Write


class ReadParameters(Parameters):
    content: BlobRef | str = Field(
        description="The message: a stored blob, or text.",
        examples=["=$trigger.content", "MSH|^~\\&|WARD|MERCY|ORDERLY|MERCY|20261120||OMS^O05|W1|P|2.5.1\r"],
    )
    charset: str | None = Field(
        default=None,
        description="Character set of the channel, by table 0211 or a common name; goes before MSH-18.",
        examples=["UNICODE UTF-8", "8859/1", "cp1252"],
    )
    group_by: str | None = Field(
        default=None,
        pattern=r"^[A-Z][A-Z0-9]{2}$",
        description="Segment that opens a group; without it ORC, and RGS, FT1 or MFE in SIU, DFT and MFN.",
        examples=["ORC", "RQD"],
    )
    strict: bool = Field(
        default=False,
        description="Refuse what is otherwise read with a warning, and messages without required fields.",
        examples=[True],
    )


class SegmentOutput(Output):
    id: str = Field(
        description="Name of the segment, also of Z ones; ? for a line that begins with no known name.",
        examples=["RQD"],
    )
    occurrence: int = Field(description="0 for the first segment of this name.", examples=[0])
    group: int = Field(description="0 in the head, then counted by the segment that opens a group.", examples=[1])
    fields: dict[str, str | None] = Field(
        description='Every valued leaf, decoded, by field.component; null for HL7\'s "".',
        examples=[{"1.1": "1", "2.1": "ITM-1001", "2.2": "Nitrile gloves", "5.1": "4"}],
    )


class FeedOutput(Output):
    partner: str = Field(description="Name of the partner whose profile it is.", examples=["mercy_wards"])
    fields: dict[str, str] = Field(
        description="Where this sender puts what mappings ask for by name.", examples=[{"quantity": "RQD-3.1"}]
    )


class ReadOutput(Output):
    type: str = Field(description="MSH-9.1 and MSH-9.2.", examples=["OMS^O05"])
    structure: str = Field(description="MSH-9.3, or nothing.", examples=["OMS_O05"])
    control_id: str = Field(description="MSH-10.", examples=["W1"])
    version: str = Field(description="MSH-12.", examples=["2.5.1"])
    charset: str = Field(description="Character set it was read in.", examples=["utf-8"])
    charset_source: str = Field(description="Who said so.", examples=["MSH-18"])
    delimiters: str = Field(description="MSH-1 and MSH-2.", examples=["|^~\\&"])
    warnings: list[str] = Field(description="What was unusual.", examples=[[]])
    segments: list[SegmentOutput] = Field(description="All segments in place.", examples=[[]])
    withheld: list[str] = Field(
        description="Segments and fields about a patient that are left out.", examples=[["PID", "PV1-19"]]
    )
    feed: FeedOutput | None = Field(default=None, description="The sender's feed profile, where it has one.")


class ReadMessage(Read[ReadParameters]):
    """Read an HL7 v2 message into JSON, without what is about a patient.

    A feed profile (a partner whose ``hl7`` names MSH-3 and MSH-4) may let fields through, each with a reason.
    """

    name = "read"
    Parameters = ReadParameters
    Output = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> Any:
        raw = context.content(parameters.content)
        charset = "utf-8" if isinstance(parameters.content, str) else parameters.charset
        message = read(raw, charset)
        seen = view(strictly(message) if parameters.strict else message, parameters.group_by)
        known = feed_of(message, context.partners())
        if known is None:
            return withhold(seen)
        name, feed = known
        kept = frozenset(entry.field for entry in feed.keep)
        return {**withhold(seen, kept), "feed": {"partner": name, "fields": places(feed)}}


class WriteParameters(Parameters):
    document: dict[str, Any] = Field(
        description="What `hl7.read` gives; `segments` is enough. MSH-7 and MSH-10 are given where absent.",
        examples=[{"segments": [{"id": "MSH", "fields": {"9.1": "ORS", "9.2": "O06", "12.1": "2.5.1"}}]}],
    )


class WriteOutput(Output):
    content: BlobRef = Field(description="The message.")
    control_id: str = Field(description="MSH-10.", examples=["17"])


class WriteMessage(Write[WriteParameters]):
    """Write JSON as an HL7 v2 message.

    A control id that it has to give is allocated for the node, so a retry writes the same. Raises ``Hl7Error``
    naming the place of what cannot be written.
    """

    name = "write"
    Parameters = WriteParameters
    Output = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        message = build(_complete(parameters.document, context))
        view(message)
        return WriteOutput(content=context.blobs.put(write(message), MEDIA_TYPE), control_id=message.control_id)


def _complete(document: dict[str, Any], context: Context) -> dict[str, Any]:
    segments = document.get("segments")
    header = segments[0] if isinstance(segments, list) and segments else None
    if not isinstance(header, dict) or not isinstance(header.get("fields"), dict):
        return document
    fields = dict(header["fields"])
    fields.setdefault("7.1", context.now().strftime("%Y%m%d%H%M%S%z"))
    if not fields.get("10.1"):
        fields["10.1"] = str(context.allocate("hl7"))
    return {**document, "segments": [{**header, "fields": fields}, *segments[1:]]}  # type: ignore[index]


connector = Connector(
    name="hl7",
    title="HL7 v2",
    operations=(ReadMessage, WriteMessage, SplitFile),
    part="connectors.hl7.feed:PART",
)
