"""The ISA segment: whether an interchange begins at a place, with which delimiters, and how it is encoded."""

from __future__ import annotations

import re

from connectors.x12.buffer import AHEAD, Buffer
from connectors.x12.delimiters import Delimiters, detect
from connectors.x12.errors import X12Error

HEADER = re.compile(rb"ISA(?=[^A-Za-z0-9 \r\n])")
#: A cheap look before the header is decoded: ISA01 has two characters at most.
_LIKELY = re.compile(rb"ISA([^A-Za-z0-9 \r\n][\x80-\xbf]?)[A-Za-z0-9 ]{0,2}\1")
_FOLLOWS = re.compile(rb"[ \t\r\n\0\x1a]*(?:(?:GS|TA1|ISB|IEA|ISA)[^A-Za-z0-9]|\Z)")
_CODE, _QUALIFIER = re.compile("[A-Z0-9 ]{0,2}"), re.compile("[A-Z0-9]{1,2} ?")
_USUAL = {
    1: _CODE, 3: _CODE, 5: _QUALIFIER, 7: _QUALIFIER, 9: re.compile("[0-9]{6}([0-9]{2})?"),
    10: re.compile("[0-9]{4,8}"), 12: re.compile("[0-9]{5}"), 13: re.compile(" *[0-9]{1,9} *"),
    14: re.compile("[01]"), 15: re.compile("[TPI]"),
}  # fmt: skip


def is_interchange(buffer: Buffer, offset: int = 0) -> bool:
    """Whether an ISA that can be read stands there, where a segment may begin."""
    buffer.need(offset + AHEAD)
    if not HEADER.match(buffer.raw, buffer.at + offset):
        return False
    try:
        detected(buffer, None, offset)
    except X12Error:
        return False
    return True


def is_glued(buffer: Buffer, offset: int, separator: str) -> bool:
    """Whether an interchange begins in the midst of a segment, whose end was lost.

    Data may hold the letters ISA, so more is asked than at the beginning of a segment: the qualifiers, date, time,
    version, number and indicators of a usual ISA; where it has another separator than the segment, which might
    quote one, a segment that may follow ISA too.
    """
    buffer.need(offset + AHEAD)
    begins = buffer.at + offset
    if not _LIKELY.match(buffer.raw, begins):
        return False
    try:
        encoding, delimiters, size = detected(buffer, None, offset)
    except X12Error:
        return False
    elements = buffer.raw[begins : begins + size].decode(encoding)[:-1].split(delimiters.element)[1:]
    if not all(usual.fullmatch(elements[number - 1]) for number, usual in _USUAL.items()):
        return False
    behind = buffer.raw[begins + size : begins + AHEAD]
    return delimiters.element == separator or _FOLLOWS.match(behind) is not None


def detected(buffer: Buffer, encoding: str | None, offset: int) -> tuple[str, Delimiters, int]:
    """Encoding, delimiters and length in bytes, terminator included, of the ISA that begins at ``offset``."""
    buffer.need(offset + AHEAD)
    raw = buffer.raw[buffer.at : buffer.at + offset + AHEAD]
    problem = X12Error("")
    for one in (encoding or "utf-8", "latin-1"):
        text = raw[offset:].decode(one, "surrogateescape")
        try:
            delimiters, end = detect(text, 0)
        except X12Error as error:
            problem = error
            continue
        header = text[: end + 1].encode(one, "surrogateescape")
        if decodes(raw[:offset] + header, one):
            return one, delimiters, len(header)
    raise X12Error(
        problem.message, position=buffer.position + offset, code=problem.code, next_action=problem.next_action
    )


def decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
