"""The ``gzip`` connector: ``gzip.read`` and ``gzip.write``."""

from __future__ import annotations

from pydantic import Field

from connectors.gzip import codec
from connectors.sdk import BlobRef, Connector, Content, Context, Output, Parameters, Read, Write
from connectors.sdk.unpacking import Allowance, UnpackParameters


class ReadParameters(UnpackParameters):
    content: BlobRef = Field(description="the packed file", examples=["=$trigger.content"])
    type: str = Field(
        default="application/octet-stream", description="media type of what is in it", examples=["text/csv"]
    )


class ReadOutput(Output):
    content: BlobRef = Field(description="what was in it")


class ReadFile(Read[ReadParameters]):
    """Unpack a gzip file."""

    name = "read"
    Parameters = ReadParameters
    Output = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        left = Allowance(parameters, parameters.content.size, "the file")
        with context.blobs.open(parameters.content) as file:
            return ReadOutput(content=context.blobs.put(left.counted(codec.read(file)), parameters.type))


class WriteParameters(Parameters):
    content: Content = Field(description="what is packed: a stored blob, or text", examples=["ISA*00*..."])


class WriteOutput(Output):
    content: BlobRef = Field(description="the packed file")


class WriteFile(Write[WriteParameters]):
    """Pack a file by gzip."""

    name = "write"
    Parameters = WriteParameters
    Output = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        packed = b"".join(codec.write(context.content(parameters.content)))
        return WriteOutput(content=context.blobs.put(packed, codec.MEDIA_TYPE))


connector = Connector(name="gzip", title="gzip files", operations=(ReadFile, WriteFile))
