"""The ``zip`` connector: ``zip.read`` and ``zip.write``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from connectors.sdk import (
    BlobRef,
    Coerced,
    Connector,
    Content,
    Context,
    Model,
    Output,
    Parameters,
    Read,
    Write,
)
from connectors.sdk.files import media_type
from connectors.sdk.unpacking import Allowance, UnpackParameters
from connectors.zip import codec


class ReadParameters(UnpackParameters):
    content: BlobRef = Field(description="the archive", examples=["=$trigger.content"])
    glob: str = Field(default="*", description="which files; `*` also stands for `/`", examples=["*.xml"])
    most: int = Field(
        default=1_000, ge=1, le=100_000, description="files of the largest archive taken", examples=[50]
    )


class FileOutput(Output):
    name: str = Field(description="path within the archive", examples=["invoices/4711.xml"])
    content: BlobRef = Field(description="its bytes")
    size: int = Field(description="bytes", examples=[512])


class ReadOutput(Output):
    files: list[FileOutput] = Field(description="in the order of the archive", examples=[[]])


class ReadArchive(Read[ReadParameters]):
    """Unpack a zip archive."""

    name = "read"
    Parameters = ReadParameters
    Output = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        data = context.blobs.read(parameters.content)
        left = Allowance(parameters, len(data), "the archive")
        files = []
        for member in codec.read(data, parameters.most):
            if fnmatchcase(member.name, parameters.glob):
                stored = context.blobs.put(left.counted(member.chunks), media_type(member.name))
                files.append(FileOutput(name=member.name, content=stored, size=stored.size))
        return ReadOutput(files=files)


class FileToPack(Model):
    """A file for the archive."""

    name: str = Field(description="path within the archive", examples=["invoices/4711.xml"])
    content: Content = Field(description="a stored blob, or text", examples=["<Invoice/>"])


class WriteParameters(Parameters):
    files: Annotated[list[FileToPack], Coerced] = Field(
        min_length=1,
        description="what is packed, in order",
        examples=[[{"name": "1.xml", "content": "<Invoice/>"}]],
    )


class WriteOutput(Output):
    content: BlobRef = Field(description="the archive")
    files: int = Field(description="how many are in it", examples=[2])


class WriteArchive(Write[WriteParameters]):
    """Pack files into a zip archive."""

    name = "write"
    Parameters = WriteParameters
    Output = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        packed = codec.write((file.name, context.content(file.content)) for file in parameters.files)
        return WriteOutput(content=context.blobs.put(packed, "application/zip"), files=len(parameters.files))


connector = Connector(name="zip", title="Zip archives", operations=(ReadArchive, WriteArchive))
