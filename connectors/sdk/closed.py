"""Whether the bytes of a document tell by themselves that they are all there."""

from __future__ import annotations

import re

_BLANK = b" \t\r\n\x00\x1a"
#: The first element's name (XML 1.0, section 3.1), after declaration, comments and instructions. Atomic, so that no
#: input makes it look twice.
_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->|<![A-Z][^\[>]*(?:\[.*?\]\s*)?>)*+<([^\s<>/!?]+)", re.DOTALL
)
_TRAILER = re.compile(rb"(?>\s+|<!--.*?-->|<\?.*?\?>)*+\Z", re.DOTALL)
_TAIL = 4096


def closed(data: bytes) -> bool:
    """False for an X12 interchange without IEA (X12.5), an EDIFACT one without UNZ (ISO 9735, section 7) and an
    XML document without its root's end tag. Of other bytes nobody can tell: True."""
    start = data.lstrip(_BLANK)
    if start[:3] == b"ISA":
        return len(start) > 105 and _ends_in(data, b"IEA" + start[3:4], start[105:106])
    if start[:3] == b"UNA":
        return len(start) > 8 and _ends_in(data, b"UNZ" + start[4:5], start[8:9])
    if start[:3] == b"UNB":
        return _ends_in(data, b"UNZ+", b"'")
    if start.removeprefix(b"\xef\xbb\xbf")[:1] != b"<":
        return True
    root = _ROOT.match(data)
    return root is not None and _root_ends(data[-_TAIL:], root[1])


def _ends_in(data: bytes, tag: bytes, terminator: bytes) -> bool:
    """The last segment has this tag and its terminator."""
    blank = bytes(byte for byte in _BLANK if byte != terminator[0])
    whole = data[-_TAIL:].rstrip(blank)
    if terminator in _BLANK:
        whole = whole.rstrip(_BLANK) + terminator
    if not whole.endswith(terminator):
        return False
    last = whole[:-1].rpartition(terminator)[2]
    return last.lstrip(_BLANK).startswith(tag)


def _root_ends(tail: bytes, name: bytes) -> bool:
    end = tail.rfind(b"</" + name)
    if end < 0:
        return re.search(rb"<" + re.escape(name) + rb"(?:\s[^<>]*)?/>\s*\Z", tail) is not None
    after = tail.find(b">", end)
    return after >= 0 and tail[end + 2 + len(name) : after].strip() == b"" and bool(_TRAILER.match(tail, after + 1))
