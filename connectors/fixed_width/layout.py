"""What a layout says: records, and where in them their fields stand."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from connectors.sdk import Coerced, Model


class FieldLayout(Model):
    """One field of a record."""

    name: str = Field(min_length=1, description="its key in JSON", examples=["quantity"])
    start: int = Field(ge=1, le=100_000, description="its first position, from 1", examples=[9])
    length: int = Field(ge=1, le=100_000, description="positions it takes", examples=[7])
    align: Literal["left", "right"] = Field(
        default="left", description="on which side its value stands", examples=["right"]
    )
    fill: str = Field(default=" ", min_length=1, max_length=1, description="what fills the rest", examples=["0"])
    decimals: int | None = Field(
        default=None,
        ge=0,
        le=18,
        description="last digits that stand behind a decimal point which is not written: 0012500 is 125.00",
        examples=[2],
    )
    required: bool = Field(default=False, description="whether it may not be empty", examples=[True])

    @property
    def end(self) -> int:
        """The position behind it, from 0."""
        return self.start - 1 + self.length


class RecordLayout(Model):
    """One kind of line."""

    record: str = Field(min_length=1, description="its name in JSON", examples=["line"])
    starts_with: str = Field(
        default="",
        description="what its lines begin with; empty for the only kind, or for all others",
        examples=["L"],
    )
    fields: Annotated[list[FieldLayout], Coerced] = Field(
        min_length=1,
        description="in any order; what stands between them is left out, and written as blanks",
        examples=[[{"name": "item", "start": 2, "length": 12}]],
    )

    @property
    def length(self) -> int:
        return max(field.end for field in self.fields)

    @model_validator(mode="after")
    def _fields_stand_apart(self) -> Self:
        names = [field.name for field in self.fields]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"record {self.record} has two fields {name!r}")
        placed = sorted(self.fields, key=lambda field: field.start)
        for before, after in pairwise(placed):
            if before.end >= after.start:
                raise ValueError(
                    f"fields {before.name!r} and {after.name!r} of record {self.record} "
                    f"share position {after.start}"
                )
        return self


class Layout(Model):
    """The records of a file."""

    records: Annotated[list[RecordLayout], Coerced] = Field(
        min_length=1,
        description="kinds of lines; the one with the longest fitting `starts_with` is taken",
        examples=[[{"record": "line", "fields": [{"name": "item", "start": 1, "length": 12}]}]],
    )
    charset: str = Field(
        default="utf-8",
        description="character set; positions count characters. cp1140 and cp500 are EBCDIC",
        examples=["cp1252"],
    )
    line_end: Literal["any", "crlf", "lf", "none"] = Field(
        default="any",
        description="what ends a line; any reads all and writes crlf. With none all records have the same length "
        "and follow one another",
        examples=["none"],
    )

    @model_validator(mode="after")
    def _records_can_be_told_apart(self) -> Self:
        names = [record.record for record in self.records]
        starts = [record.starts_with for record in self.records]
        for said, values in (("record", names), ("starts_with", starts)):
            if len(set(values)) < len(values):
                raise ValueError(f"two records have the same {said}")
        if self.line_end == "none" and len({record.length for record in self.records}) > 1:
            raise ValueError("without line ends all records have to be of one length")
        return self

    def of(self, line: str) -> RecordLayout | None:
        """The record that a line is."""
        fitting = [record for record in self.records if line.startswith(record.starts_with)]
        return max(fitting, key=lambda record: len(record.starts_with), default=None)
