"""The ``csv`` connector: ``csv.read`` and ``csv.write``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.csv import codec
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
    Strings,
    Write,
)
from connectors.sdk.text import charset_name, decoded


class ReadParameters(Parameters):
    content: Content = Field(description="the file: a stored blob, or text", examples=["=$trigger.content"])
    charset: str | None = Field(
        default=None,
        description="character set; by default that of the byte order mark, UTF-8, or else Windows-1252",
        examples=["cp1252"],
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="between values; by default the one of , ; tab | that the first line has most of",
        examples=[";"],
    )
    quote: str = Field(
        default='"',
        min_length=1,
        max_length=1,
        description="around values that hold the delimiter, a line end or itself (doubled)",
        examples=['"'],
    )
    header: bool = Field(default=True, description="whether the first line names the columns", examples=[False])
    columns: Strings | None = Field(
        default=None,
        description="columns that the header has to name; without a header, the names of all columns in order",
        examples=[["item", "quantity"]],
    )
    skip: int = Field(
        default=0, ge=0, le=1_000, description="lines before the header that say nothing", examples=[2]
    )
    trim: bool = Field(default=False, description="take blanks around values away", examples=[True])
    bad_lines: Literal["refuse", "collect"] = Field(
        default="refuse",
        description="what lines with too many or too few values do: the file is refused, or they come as `faults`",
        examples=["collect"],
    )
    most: int = Field(
        default=100_000, ge=1, le=1_000_000, description="rows of the longest file taken", examples=[100_000]
    )

    @field_validator("charset")
    @classmethod
    def _is_charset(cls, value: str | None) -> str | None:
        return value if value is None or charset_name(value) else None

    @model_validator(mode="after")
    def _names_its_columns(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError("without a header, columns has to name them")
        return self


class FaultOutput(Output):
    line: int = Field(description="line of the file, from 1", examples=[17])
    message: str = Field(description="what is wrong, without values", examples=["3 values for 4 columns"])


class ReadOutput(Output):
    columns: list[str] = Field(description="names in order", examples=[["item", "quantity"]])
    rows: list[dict[str, str]] = Field(
        description="one object for each line, all values text", examples=[[{"item": "ITM-1001", "quantity": "4"}]]
    )
    faults: list[FaultOutput] = Field(description="lines that are no rows", examples=[[]])
    charset: str = Field(description="character set it was read in", examples=["utf-8"])
    delimiter: str = Field(description="delimiter it was read with", examples=[";"])


class ReadFile(Read[ReadParameters]):
    """Read CSV into rows."""

    name = "read"
    Parameters = ReadParameters
    Output = ReadOutput

    def run(self, parameters: ReadParameters, context: Context) -> ReadOutput:
        text, charset = decoded(context.content(parameters.content), parameters.charset, "the file")
        table = codec.read(
            text,
            delimiter=parameters.delimiter,
            quote=parameters.quote,
            columns=parameters.columns,
            header=parameters.header,
            skip=parameters.skip,
            trim=parameters.trim,
            most=parameters.most,
        )
        if table.faults and parameters.bad_lines == "refuse":
            raise Rejected(
                codec.told(table.faults),
                next_action="have the file corrected, or set bad_lines: collect and see to `faults` in the flow",
                code="bad_lines",
                details={"line": table.faults[0].line},
            )
        return ReadOutput(
            columns=table.columns,
            rows=table.rows,
            faults=[FaultOutput(line=fault.line, message=fault.message) for fault in table.faults],
            charset=charset,
            delimiter=table.delimiter,
        )


class WriteParameters(Parameters):
    rows: Annotated[list[dict[str, Any]], Coerced] = Field(
        description="one object for each line; values are text, numbers, true, false or null",
        examples=[[{"item": "ITM-1001", "quantity": "4"}]],
    )
    columns: Strings | None = Field(
        default=None,
        description="which, in order; by default the keys as they come up. A row with another key is refused",
        examples=[["item", "quantity"]],
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="between values", examples=[";"])
    charset: str = Field(
        default="utf-8", description="character set; utf-8-sig writes a byte order mark", examples=["cp1252"]
    )
    header: bool = Field(default=True, description="whether the first line names the columns", examples=[False])
    quote: Literal["needed", "all"] = Field(
        default="needed", description="which values are put in quotes", examples=["all"]
    )
    line_end: Literal["crlf", "lf"] = Field(default="crlf", description="RFC 4180 says crlf", examples=["lf"])
    formulas: Literal["keep", "disarm"] = Field(
        default="keep",
        description="disarm puts ' before text that a spreadsheet would compute (= + - @), for files people open",
        examples=["disarm"],
    )

    @field_validator("charset")
    @classmethod
    def _is_charset(cls, value: str) -> str:
        charset_name(value)
        return value


class WriteOutput(Output):
    content: BlobRef = Field(description="the file")
    rows: int = Field(description="lines without the header", examples=[2])


class WriteFile(Write[WriteParameters]):
    """Write rows as CSV."""

    name = "write"
    Parameters = WriteParameters
    Output = WriteOutput

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        marked = charset_name(parameters.charset) == "utf-8-sig"
        lines = codec.write(
            parameters.rows,
            columns=parameters.columns,
            delimiter=parameters.delimiter,
            quote_all=parameters.quote == "all",
            header=parameters.header,
            line_end={"crlf": "\r\n", "lf": "\n"}[parameters.line_end],
            charset="utf-8" if marked else parameters.charset,
            disarm=parameters.formulas == "disarm",
        )
        content = (b"\xef\xbb\xbf" if marked else b"") + b"".join(lines)
        return WriteOutput(content=context.blobs.put(content, "text/csv"), rows=len(parameters.rows))


connector = Connector(name="csv", title="CSV files", operations=(ReadFile, WriteFile))
