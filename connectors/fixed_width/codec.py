"""Fixed-width records, without I/O: every line comes out as a record or as a fault, and nothing is cut to fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.fixed_width.layout import FieldLayout, Layout, RecordLayout
from connectors.sdk import Rejected
from connectors.sdk.text import encoded

_DIGITS = re.compile(r"([+-]?)([0-9]+)")


@dataclass(frozen=True)
class Record:
    """``line`` counts from 1."""

    line: int
    record: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Fault:
    line: int
    message: str


def read(text: str, layout: Layout) -> Iterator[Record | Fault]:
    """One for each line that is not blank. Where a sender left out blanks at the end of a line they are added."""
    for number, line in enumerate(_lines(text, layout), 1):
        if not line.strip(" \x1a\x00"):
            continue
        record = layout.of(line)
        if record is None:
            yield Fault(number, f"no record begins with {line[:1]!r}")
        else:
            yield _record(number, line, record)


def _lines(text: str, layout: Layout) -> Iterator[str]:
    if layout.line_end == "none":
        length = layout.records[0].length
        body = text.rstrip("\r\n\x1a")
        return (body[at : at + length] for at in range(0, len(body), length))
    if layout.line_end == "any":
        return iter(re.split(r"\r\n|\n|\r|\x85", text))
    return iter(text.split({"crlf": "\r\n", "lf": "\n"}[layout.line_end]))


def _record(number: int, line: str, record: RecordLayout) -> Record | Fault:
    if line[record.length :].strip(" \x1a"):
        return Fault(number, f"record {record.record} has {len(line)} positions, the layout {record.length}")
    whole = line.ljust(record.length)
    fields: dict[str, str] = {}
    for field in record.fields:
        try:
            fields[field.name] = _value(whole[field.start - 1 : field.end], field)
        except ValueError as error:
            return Fault(number, f"field {field.name} of record {record.record} {error}")
    return Record(number, record.record, fields)


def _value(raw: str, field: FieldLayout) -> str:
    """Raises ``ValueError`` that says what is wrong with it, without the value."""
    stripped = raw.lstrip(field.fill) if field.align == "right" else raw.rstrip(field.fill)
    if not stripped and raw.strip():
        stripped = field.fill  # zeros all over are a zero
    value = stripped.strip()
    if not value and field.required:
        raise ValueError("is empty")
    return value if field.decimals is None or not value else _pointed(value, field.decimals)


def _pointed(value: str, decimals: int) -> str:
    match = _DIGITS.fullmatch(value)
    if match is None:
        raise ValueError("is no number")
    sign, digits = match[1].replace("+", ""), match[2].rjust(decimals + 1, "0")
    whole = digits[: len(digits) - decimals].lstrip("0") or "0"
    return sign + whole + ("." + digits[len(digits) - decimals :] if decimals else "")


def write(records: Sequence[Mapping[str, Any]], layout: Layout) -> Iterator[bytes]:
    """Each ``{"record", "fields"}`` as a line. Raises ``Rejected`` naming the place of what does not fit: a value
    that is too long, no number, missing, or not in the charset; an unknown record or field."""
    known = {record.record: record for record in layout.records}
    end = {"any": "\r\n", "crlf": "\r\n", "lf": "\n", "none": ""}[layout.line_end]
    for number, given in enumerate(records):
        place = f"records/{number}"
        kind = str(given.get("record", layout.records[0].record if len(known) == 1 else ""))
        fields = given.get("fields")
        if kind not in known or not isinstance(fields, Mapping):
            raise _refused(place, f"is no record of the layout: {', '.join(known)}", "give record and fields")
        yield encoded(_line(known[kind], fields, f"{place}/fields") + end, layout.charset, place)


def _line(record: RecordLayout, values: Mapping[str, Any], place: str) -> str:
    unknown = next((name for name in values if all(field.name != name for field in record.fields)), None)
    if unknown is not None:
        raise _refused(
            f"{place}/{unknown}", f"is no field of record {record.record}", "leave it out, or lay it out"
        )
    line = [" "] * record.length
    line[: len(record.starts_with)] = record.starts_with[: record.length]
    for field in record.fields:
        line[field.start - 1 : field.end] = _printed(values.get(field.name), field, f"{place}/{field.name}")
    text = "".join(line)
    if not text.startswith(record.starts_with):
        raise _refused(place, f"would not begin with {record.starts_with!r}", "see the fields at its beginning")
    return text


def _printed(value: Any, field: FieldLayout, place: str) -> str:
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise _refused(place, f"is {type(value).__name__}, not text or number", "map it to text first")
    text = "" if value is None else str(value)
    if not text and field.required:
        raise _refused(place, "is empty and required", "give it a value")
    if text and field.decimals is not None:
        text = _unpointed(text, field.decimals, place)
    if len(text) > field.length:
        raise _refused(place, f"has {len(text)} positions, the layout {field.length}", "shorten it in the mapping")
    if any(character in text for character in "\r\n"):
        raise _refused(place, "holds a line end", "replace it in the mapping")
    if field.align == "left":
        return text.ljust(field.length, field.fill)
    if field.fill == "0" and text[:1] in ("-", "+"):
        return text[0] + text[1:].rjust(field.length - 1, "0")
    return text.rjust(field.length, field.fill)


def _unpointed(text: str, decimals: int, place: str) -> str:
    try:
        shifted = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        raise _refused(place, "is no number", "give it as decimal text") from None
    if not shifted.is_finite() or shifted != shifted.to_integral_value():
        raise _refused(place, f"has more than {decimals} decimals", "round it in the mapping, with $dec_round")
    return f"{shifted.to_integral_value():f}"


def _refused(place: str, why: str, advice: str) -> Rejected:
    return Rejected(f"{place} {why}", next_action=advice, code="value", details={"field": place})
