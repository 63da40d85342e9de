"""What is wrong or unusual in a message, without refusing it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from connectors.hl7 import names
from connectors.hl7.errors import Hl7Error
from connectors.hl7.message import Message, Segment

_ID = re.compile(r"[A-Z][A-Z0-9]{2}")


@dataclass(frozen=True)
class Finding:
    """``where`` is a path like ``RQD[0]-5``, ``code`` of table 0357 where one fits."""

    severity: Literal["error", "warning"]
    where: str
    message: str
    code: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(message: Message) -> list[Finding]:
    """Findings in the order of the message. Values are never repeated in them."""
    found = [*_reading(message), *(Finding("warning", "MSH-18", warning, "103") for warning in message.warnings)]
    seen: Counter[str] = Counter()
    for segment in message.segments:
        at = f"{segment.id}[{seen[segment.id]}]"
        seen[segment.id] += 1
        if not _ID.fullmatch(segment.id):
            found.append(
                Finding(
                    "error", f"line {sum(seen.values())}", "this line does not begin with a segment name", "100"
                )
            )
        else:
            found.extend(_segment(segment, at, message.version if seen["MSH"] else ""))
    if not seen["MSH"]:
        found.append(Finding("error", "MSH", "there is no MSH segment", "100"))
    return found


def _reading(message: Message) -> Iterator[Finding]:
    """What was taken for granted to read it at all."""
    version = message.version if message.text.startswith("MSH") else ""
    if version and (tables := names.known_version(version)) != version:
        yield Finding(
            "warning", "MSH[0]-12", f"this version is not known: checked by the tables of {tables}", "203"
        )
    if message.charset_source == "fallback":
        said = "no character set is named and the bytes are not UTF-8: read as Windows-1252"
        yield Finding("warning", "MSH[0]-18", said, "103")


def strictly(message: Message) -> Message:
    """The message, for a channel that takes nothing unusual. Raises ``Hl7Error`` for the first error of ``check``,
    else the first thing that reading it had to guess or pass over."""
    findings = check(message)
    wrong = [finding for finding in findings if finding.severity == "error"]
    for finding in (*wrong, *(Finding("warning", "MSH", remark, "103") for remark in message.remarks)):
        raise Hl7Error(
            f"{finding.message} (and {len(findings) - 1} more)" if len(findings) > 1 else finding.message,
            field=finding.where,
            code=finding.code or "102",
            next_action="have the sender correct it, or let the channel be less strict",
        )
    return message


def _segment(segment: Segment, at: str, version: str) -> Iterator[Finding]:
    known = names.fields(version, segment.id)
    if known is None:
        if not segment.id.startswith("Z"):
            yield Finding("warning", at, f"version {version or '?'} has no segment of this name", "100")
        return
    for field in known:
        value = segment.field(field.number)
        if field.required and not value:
            yield Finding("error", f"{at}-{field.number}", f"required: {field.name}", "101")
        elif value and not field.repeats and _repeats(segment, field.number):
            yield Finding(
                "warning", f"{at}-{field.number}", f"does not repeat in this version: {field.name}", "102"
            )
    if any(segment.field(number) for number in range(len(known) + 1, len(segment) + 1)):
        yield Finding("warning", at, f"has values beyond its last field, {len(known)}", "102")


def _repeats(segment: Segment, number: int) -> bool:
    delimiter = segment.delimiters.repetition
    header = segment.id in ("MSH", "FHS", "BHS") and number <= 2
    return bool(delimiter) and not header and delimiter in (segment.field(number) or "")
