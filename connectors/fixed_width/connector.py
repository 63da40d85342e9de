"""The ``fixed_width`` connector: ``fixed_width.read`` and ``fixed_width.write``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.fixed_width import codec
from connectors.fixed_width.layout import Layout
from connectors.sdk import (
    BlobRef,
    Coerced,
    Connector,
    Content,
    Context,
    Output,
    Parameters,
    Read,
    Rejected,
    Write,
)
from connectors.sdk.text import decoded

_LAYOUT = {"records": [{"record": "line", "fields": [{"name": "item", "start": 1, "length": 12}]}]}


class ReadParameters(Parameters):
    content: Content = Field(description="the file: a stored blob, or text", examples=["=$trigger.content"])
    layout: Layout = Field(description="records and their fields", examples=[_LAYOUT])
    bad_lines: Literal["refuse", "collect"] = Field(
        default="refuse",
        description="what lines that do not fit the layout do: the file is refused, or they come as `faults`",
        examples=["collect"],
    )
    most: int = Field(
        default=100_000, ge=1, le=1_000_000, description="lines of the longest file taken", examples=[100_000]
    )


class RecordOutput(Output):
    line: int = Field(description="line of the file, from 1", examples=[2])
    record: str = Field(description="name of its layout", examples=["line"])
    fields: dict[str, str] = Field(description="values without what fills them", examples=[{"item": "ITM-1001"}])


class FaultOutput(Output):
    line: int = Field(description="line of the file, from 1", examples=[17])
    message: str = Field(description="what is wrong, without values", examples=["no record begins with 'X'"])


class ReadOutput(Output):
    records: list[RecordOutput] = Field(description="in the order of the file", examples=[[]])
    faults: list[FaultOutput] = Field(description="lines that do not fit the layout", examples=[[]])


class ReadFile(Read[ReadParameters]):
    """Read fixed-width records."""

    name = "read"
    Parameters = ReadParameters
    Output = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        text, _ = decoded(context.content(parameters.content), parameters.layout.charset, "the file")
        records: list[RecordOutput] = []
        faults: list[FaultOutput] = []
        for number, found in enumerate(codec.read(text, parameters.layout)):
            if number == parameters.most:
                raise Rejected(
                    f"the file has more than {parameters.most} lines",
                    next_action="raise 'most', or have the sender split the file",
                    code="too_many",
                )
            if isinstance(found, codec.Fault):
                faults.append(FaultOutput(line=found.line, message=found.message))
            else:
                records.append(RecordOutput(line=found.line, record=found.record, fields=found.fields))
        if faults and parameters.bad_lines == "refuse":
            raise Rejected(
                f"line {faults[0].line}: {faults[0].message}"
                + (f" ({len(faults)} lines are bad)" if len(faults) > 1 else ""),
                next_action="correct the layout or the file, or set bad_lines: collect and see to `faults`",
                code="bad_lines",
                details={"line": faults[0].line},
            )
        return ReadOutput(records=records, faults=faults)


class WriteParameters(Parameters):
    layout: Layout = Field(description="records and their fields", examples=[_LAYOUT])
    records: Annotated[list[dict[str, Any]], Coerced] = Field(
        description="each with `record`, which may be left out where the layout has one kind, and `fields`",
        examples=[[{"record": "line", "fields": {"item": "ITM-1001"}}]],
    )


class WriteOutput(Output):
    content: BlobRef = Field(description="the file")
    records: int = Field(description="lines", examples=[2])


class WriteFile(Write[WriteParameters]):
    """Write fixed-width records."""

    name = "write"
    Parameters = WriteParameters
    Output = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        content = b"".join(codec.write(parameters.records, parameters.layout))
        return WriteOutput(content=context.blobs.put(content, "text/plain"), records=len(parameters.records))


connector = Connector(name="fixed_width", title="Files of fixed-width records", operations=(ReadFile, WriteFile))
