"""Finding interchanges in a stream: leading blanks, the ISA with its delimiters, and text that belongs to none."""

from __future__ import annotations

import re

from connectors.x12.buffer import AHEAD, Buffer, Limits, too_long
from connectors.x12.delimiters import Delimiters, detect
from connectors.x12.errors import X12Error
from connectors.x12.lossless import Interchange
from connectors.x12.scanner import Scanner

_LEADING = re.compile(rb"(?:\xef\xbb\xbf){0,2}[ \t\r\n]*")
_HEADER = re.compile(rb"ISA(?=[^A-Za-z0-9 \r\n])")


def next_interchange(
    buffer: Buffer, limits: Limits, encoding: str | None, is_first: bool
) -> tuple[Interchange, Scanner] | None:
    """The next ISA that can be read. Only the first of a file must be; what lies between is kept as text."""
    before = _leading(buffer, limits) if is_first else _junk(buffer, limits)
    if before is None:
        return None
    encoding, delimiters, size = _detect(buffer, encoding, before)
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
    if size > limits.segment or not _HEADER.match(buffer.raw, buffer.at + size):
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
    while looked <= limits.segment:
        buffer.need(looked + AHEAD)
        match = _HEADER.search(buffer.raw, buffer.at + looked)
        if match is None and buffer.is_whole:
            return None
        if match is None:
            looked = max(buffer.ahead - 3, looked)
        else:
            looked = match.start() - buffer.at
            if looked <= limits.segment and is_interchange(buffer, looked):
                return looked
            looked += 3
    raise too_long(f"more than {limits.segment} bytes that belong to no interchange", buffer)


def is_interchange(buffer: Buffer, offset: int = 0) -> bool:
    buffer.need(offset + AHEAD)
    if not _HEADER.match(buffer.raw, buffer.at + offset):
        return False
    try:
        _detect(buffer, None, offset)
    except X12Error:
        return False
    return True


def _detect(buffer: Buffer, encoding: str | None, offset: int) -> tuple[str, Delimiters, int]:
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
