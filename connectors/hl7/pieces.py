"""Where one message of a stream ends and the next begins; no byte is lost, and none is held longer than needed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from connectors.hl7 import charsets

_ID = r"(?=(?:MSH|[FB][HT]S)(?:[^0-9A-Za-z]|\Z))"
_BEGIN = re.compile(rf"\x0b{_ID}|(?:\A|(?<=[\r\n\x1c])){_ID}")
#: Longer than what must be seen to know a beginning.
_AHEAD = 8
_CHUNK = 65_536


@dataclass(frozen=True)
class Piece:
    """From one MSH, FHS, BHS, BTS or FTS to the next. ``text`` stands for ``raw`` character by byte (in UTF-16 by
    two), and is no decoding; ``marked`` is the character set that the file's byte order mark named."""

    raw: bytes
    offset: int
    text: str
    marked: str
    torn: bool


class _Cutter:
    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._text, self._searched, self._torn = "", 0, False

    def feed(self, text: str, *, last: bool = False) -> Iterator[tuple[str, bool]]:
        """Pieces that are whole, and whether each is only part of one that is too long."""
        self._text += text
        decided = len(self._text) - (0 if last else _AHEAD)
        start = 0
        for begin in _BEGIN.finditer(self._text, self._searched):
            if start < begin.start() <= decided:
                yield self._text[start : begin.start()], self._torn
                start, self._torn = begin.start(), False
        self._text = self._text[start:]
        self._searched = max(0, decided - start)
        if last and self._text:
            yield self._text, self._torn
        elif len(self._text) > self._longest:
            yield self._text[:-_AHEAD], True
            self._text, self._searched, self._torn = self._text[-_AHEAD:], 0, True


def pieces(file: BinaryIO, longest: int) -> Iterator[Piece]:
    """Cuts a stream; ``raw`` of all pieces together is what the file holds. A piece longer than ``longest`` comes
    in several, each ``torn``."""
    bom, chunk, marked = charsets.split_bom(file.read(_CHUNK))
    charset = marked if marked.startswith("utf-16") else "latin-1"
    decoder, cutter, offset = codecs.getincrementaldecoder(charset)("surrogatepass"), _Cutter(longest), 0
    while True:
        for text, torn in cutter.feed(decoder.decode(chunk), last=not chunk):
            raw = bom + text.encode(charset, "surrogatepass")
            yield Piece(raw, offset, text, marked, torn)
            offset, bom = offset + len(raw), b""
        if not chunk:
            break
        chunk = file.read(_CHUNK)
    half = bom + decoder.getstate()[0]
    if half:
        yield Piece(half, offset, "" if half == bom else "?", marked, torn=False)
