"""Acknowledgements (HL7 v2.5.1, 2.9 and 2.15.1, 2.15.5, 2.15.8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connectors.hl7 import charsets, escapes
from connectors.hl7.delimiters import Delimiters
from connectors.hl7.message import Message, Segment

Code = Literal["AA", "AE", "AR", "CA", "CE", "CR"]
Leaf = Callable[[str], str]

#: Table 0357, message error condition codes.
TABLE_0357 = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}


@dataclass(frozen=True)
class Fault:
    """Content of an ERR segment: a code of table 0357, a place such as ``RQD-5`` (may be empty), a sentence for
    the person at the sender's, and one for the sender's technician. None of them holds patient data."""

    code: str = "207"
    location: str = ""
    message: str = ""
    diagnostic: str = ""


@dataclass(frozen=True)
class Answer:
    """What an acknowledgement says: MSA-1, MSA-2, MSA-3 or ERR-8, ERR's code of table 0357, and ERR-7."""

    code: str
    control_id: str
    text: str = ""
    error: str = ""
    diagnostic: str = ""

    @property
    def positive(self) -> bool:
        """AA or CA."""
        return self.code in ("AA", "CA")


def is_acknowledgement(message: Message) -> bool:
    """True for ACK and MCF and for every response, which is a message with MSA: none is ever acknowledged."""
    return message.header.get(9) in ("ACK", "MCF") or any(segment.id == "MSA" for segment in message.segments)


def acknowledge(
    message: Message | None,
    code: Code,
    text: str = "",
    fault: Fault | None = None,
    *,
    at: datetime,
    control_id: str,
) -> bytes:
    """The general acknowledgement ``ACK^<event>^ACK`` for ``message``, in its delimiters, character set and
    version; sender and receiver are swapped. ``None`` stands for a message whose MSH could not be read:
    MSA-2 is then empty. ``control_id`` becomes MSH-10 of the acknowledgement."""
    delimiters = message.delimiters if message else Delimiters()
    charset = message.charset if message else "utf-8"
    version = (message.version if message else "") or "2.5.1"

    def leaf(value: str) -> str:
        known = value.encode(charset, "replace").decode(charset)
        return escapes.encode(known, delimiters, charset) if delimiters.escape else _plain(known, delimiters)

    msa = ["MSA", code, _as_it_stands(message, 10), leaf(text) if _number(version) < (2, 7) else ""]
    lines = [_header(message, delimiters, at, leaf(control_id), version), msa]
    if fault is not None:
        lines.append(_fault(fault, delimiters, leaf, modern=_number(version) >= (2, 5)))
    joined = "".join(delimiters.field.join(line).rstrip(delimiters.field) + "\r" for line in lines)
    return charsets.encode(joined, charset)


def _header(
    message: Message | None, delimiters: Delimiters, at: datetime, control_id: str, version: str
) -> list[str]:
    event = [*_as_it_stands(message, 9).split(delimiters.component), ""][1] if message else ""
    kind = delimiters.component.join(("ACK", event, "ACK") if event else ("ACK",))
    charset = _as_it_stands(message, 18)
    return [
        "MSH",
        delimiters.encoding_characters,
        *(_as_it_stands(message, number) for number in (5, 6, 3, 4)),
        at.strftime("%Y%m%d%H%M%S%z"),
        "",
        kind,
        control_id,
        _as_it_stands(message, 11) or "P",
        _as_it_stands(message, 12) or version,
        *(("", "", "", "", "", charset) if charset else ()),
    ]


def _fault(fault: Fault, delimiters: Delimiters, leaf: Leaf, *, modern: bool) -> list[str]:
    segment, sequence, *place = _location(fault.location)
    name = TABLE_0357.get(fault.code, "")
    if modern:
        location = delimiters.component.join((segment, sequence, *place)).rstrip(delimiters.component)
        code = delimiters.component.join((fault.code, name, "HL70357"))
        return ["ERR", "", location, code, "E", "", "", leaf(fault.diagnostic), leaf(fault.message)]
    code = (delimiters.subcomponent or " ").join((fault.code, name, "HL70357"))
    return ["ERR", delimiters.component.join((segment, sequence, place[0], code))]


_LOCATION = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?)?")


def _location(path: str) -> tuple[str, ...]:
    """The components of ERL (2.A.28) for ``RQD[2]-5.1``: segment, sequence, field, repetition, component and
    subcomponent, all counted from 1."""
    match = _LOCATION.fullmatch(path)
    if match is None:
        return ("", "", "", "", "", "")
    segment, occurrence, field, repetition, component, subcomponent = match.groups(default="")
    sequence = str(int(occurrence) + 1) if occurrence else "1" if field else ""
    return segment, sequence, field, str(int(repetition) + 1) if repetition else "", component, subcomponent


def _plain(text: str, delimiters: Delimiters) -> str:
    special = delimiters.field + delimiters.encoding_characters
    return "".join(" " if character in special or character < " " else character for character in text)


def _as_it_stands(message: Message | None, number: int) -> str:
    return (message.header.field(number) or "") if message else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def acknowledge_batch(
    header: Message | None, answers: Iterable[bytes], *, at: datetime, control_id: str
) -> Iterator[bytes]:
    """The acknowledgements of a file in a batch of their own (2.10.3.3), piece by piece: BHS with sender and
    receiver swapped and BHS-11 of the BHS (or FHS) that is answered in BHS-12, the answers, BTS with their count.
    ``None`` stands for a file without either."""
    delimiters = header.delimiters if header else Delimiters()
    leader = header.segments[0] if header else None

    def field(number: int) -> str:
        return (leader.field(number) or "") if leader else ""

    now, charset = at.strftime("%Y%m%d%H%M%S%z"), header.charset if header else "utf-8"
    bhs = ["BHS", delimiters.encoding_characters, field(5), field(6), field(3), field(4), now, "", "", ""]
    line = delimiters.field.join([*bhs, control_id, field(11)]).rstrip(delimiters.field)
    yield charsets.encode(line + "\r", charset)
    count = 0
    for count, one in enumerate(answers, 1):  # noqa: B007
        yield one
    yield charsets.encode(f"BTS{delimiters.field}{count}\r", charset)


def answer(message: Message) -> Answer:
    """What a received acknowledgement says. Raises ``Hl7Error`` where it has no MSA segment."""
    msa = message.segment("MSA")
    fault = next((segment for segment in message.segments if segment.id == "ERR"), None)
    return Answer(
        msa.get(1) or "",
        msa.get(2) or "",
        msa.get(3) or (_user_message(fault) if fault else ""),
        _fault_code(fault) if fault else "",
        (fault.get(7) or "") if fault else "",
    )


def _user_message(fault: Segment) -> str:
    return fault.get(8) or fault.get(7) or ""


def _fault_code(fault: Segment) -> str:
    return fault.get(3) or fault.get(1, 0, 4) or ""
