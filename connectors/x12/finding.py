"""Finding interchanges in a stream: leading blanks, the ISA with its delimiters, and text that belongs to none."""

from __future__ import annotations

import re

from connectors.x12.buffer import AHEAD, Buffer, Limits, too_long
from connectors.x12.errors import X12Error
from connectors.x12.header import HEADER, detected, is_interchange
from connectors.x12.lossless import Interchange
from connectors.x12.scanner import Scanner

_LEADING = re.compile(rb"(?:\xef\xbb\xbf){0,2}[ \t\r\n]*")


def next_interchange(
    buffer: Buffer, limits: Limits, encoding: str | None, is_first: bool
) -> tuple[Interchange, Scanner] | None:
    """The next ISA that can be read. Only the first of a file must be; what lies between is kept as text."""
    before = _leading(buffer, limits) if is_first else _junk(buffer, limits)
    if before is None:
        return None
    encoding, delimiters, size = detected(buffer, encoding, before)
    text = buffer.take(before).decode(encoding)
    header = buffer.take(size).decode(encoding)
    scanner = Scanner(buffer, delimiters, encoding, limits)
    interchange: Interchange = {
        "before": text,
        "encoding": encoding,
        "delimiters": delimiters.as_json(),
        "glue": scanner.glue,
        "header": {"id": "ISA", "elements": [*header[:-1].split(delimiters.element)[1:]]},
        "segments": [],
        "groups": [],
        "trailer": None,
    }
    return interchange, scanner


def _leading(buffer: Buffer, limits: Limits) -> int:
    """Length of the byte order mark and blanks before the first ISA. Raises ``X12Error`` where no ISA follows."""
    size = 0
    while size <= limits.segment:
        buffer.need(size + AHEAD)
        match = _LEADING.match(buffer.raw, buffer.at)
        size = match.end() - buffer.at if match else 0
        if buffer.is_whole or buffer.ahead > size:
            break
    if size > limits.segment or not HEADER.match(buffer.raw, buffer.at + size):
        raise _no_header(buffer, size)
    return size


def _no_header(buffer: Buffer, size: int) -> X12Error:
    found = buffer.raw[buffer.at + size : buffer.at + size + 12]
    seen = repr(found.decode("utf-8", "replace")) if found else "nothing"
    return X12Error(
        f"this is no X12 interchange: it should begin with ISA, found {seen}",
        position=buffer.position + size,
        code="header_missing",
        next_action="check that it is an X12 file, complete and not encrypted or compressed",
    )


def _junk(buffer: Buffer, limits: Limits) -> int | None:
    """Length of what lies before the next readable ISA; None where no other comes."""
    looked = 0
    while looked <= limits.outside:
        buffer.need(looked + AHEAD)
        match = HEADER.search(buffer.raw, buffer.at + looked)
        if match is None and buffer.is_whole:
            return None
        if match is None:
            looked = max(buffer.ahead - 3, looked)
        else:
            looked = match.start() - buffer.at
            if looked <= limits.outside and is_interchange(buffer, looked):
                return looked
            looked += 3
    raise too_long(f"more than {limits.outside} bytes that belong to no interchange", buffer)
