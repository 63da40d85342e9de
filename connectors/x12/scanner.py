"""Segments out of a stream of bytes, a run at a time: split by terminator, then by element separator.

A stretch in which every terminator is followed by the interchange's own glue, and nothing needs a closer look,
is found by one search and split at once. Any other segment is taken by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from connectors.x12.buffer import AHEAD, PORTION, Buffer, Limits, too_long
from connectors.x12.delimiters import Delimiters, Marks
from connectors.x12.header import is_glued
from connectors.x12.lossless import Element, Repeated, Segment

_BLANKS = b" \t\r\n\0\x1a"
_BINARY = {b"BIN": 1, b"BDS": 2}
#: Bytes that what follows a segment may be told by, and the shortest stretch that is looked at.
_SPECIAL, _LEAST = 16, 128
_ISA = b"ISA"
_CONTROL = frozenset(("GS", "GE", "ST", "SE"))


class Scanner:
    """The segments of one interchange after its ISA; bytes that ``encoding`` cannot read are kept as Latin-1."""

    def __init__(self, buffer: Buffer, delimiters: Delimiters, encoding: str, limits: Limits) -> None:
        self._buffer, self._limits, self._encoding = buffer, limits, encoding
        self._marks = delimiters.marks(encoding, encoding)
        self._latin = delimiters.marks(encoding, "latin-1")
        self._terminator = delimiters.segment.encode(encoding)
        self._element = delimiters.element
        self._separator = delimiters.element.encode(encoding)
        signs = delimiters.characters().encode(encoding)
        blanks = bytes(one for one in _BLANKS if one not in signs)
        self._blank = re.compile(b"(?:[" + re.escape(blanks) + b"]|" + re.escape(self._terminator) + b")*")
        self._glue = b""
        self._reach = PORTION
        self.glue = self._take_glue()
        self._set_glue(self.glue.encode(encoding), blanks)

    def _set_glue(self, glue: bytes, blanks: bytes) -> None:
        """After this, ``_odd`` finds the first terminator that needs a closer look, but for those that other glue
        follows, which ``_other`` finds.

        Its group 1 matches where more than the glue follows, else it is a segment that is not like others.
        """
        self._glue = glue
        self._end = self._terminator + glue
        self._end_text = self._end.decode(self._encoding)
        terminator, end = re.escape(self._terminator), re.escape(self._end)
        separator = re.escape(self._separator)
        special = (
            b"(?:BIN|BDS)" + separator + b"|IEA(?:" + separator + b"|" + terminator + b")|ISA[^A-Za-z0-9 \r\n]"
        )
        follows = b"(?:([" + re.escape(blanks) + b"]|" + terminator + b")|(?=" + special + b"))"
        self._odd = re.compile(end + follows)  # begins with what is searched for: then it is found fast
        self._other = re.compile(terminator + b"(?!" + re.escape(glue) + b")")
        self._special = re.compile(special)

    def runs(self) -> Iterator[Iterator[list[Segment]]]:
        """Runs of segments, at most ``PORTION`` bytes each, up to the end of the source.

        A run comes in parts, each split only when it is asked for, so that one set is in memory as objects: a
        part is a single segment, or several that are none of GS, ST, SE and GE. A segment that looks like ISA is
        a run of its own, and so is IEA; who reads on decides what they are.
        """
        buffer = self._buffer
        while buffer.need(AHEAD) or buffer.ahead:
            stop = buffer.at if self._special.match(buffer.raw, buffer.at) else self._regular()
            yield self._run(stop) if stop > buffer.at else iter([[self._single()]])

    def _regular(self) -> int:
        """Where the regular stretch that begins here ends; here, where there is none.

        Where stretches are short only a little is looked at each time.
        """
        buffer, raw, at, end = self._buffer, self._buffer.raw, self._buffer.at, self._end
        last = raw.rfind(end, at, at + self._reach)
        if not buffer.is_whole and last + len(end) + len(self._terminator) > len(raw):
            last = raw.rfind(end, at, max(last, at))
        stop = last + len(end) if last >= 0 else at
        regular = self._before_odd(stop) if last >= 0 else at
        self._reach = min(self._reach * 4, PORTION) if regular == stop else max(self._reach // 4, _LEAST)
        return self._before_glued(regular)

    def _before_odd(self, stop: int) -> int:
        """Where what is regular ends, at the latest at ``stop``."""
        raw, at, end = self._buffer.raw, self._buffer.at, self._end
        odd = self._odd.search(raw, at, stop + len(end) + _SPECIAL)
        first = stop if odd is None or odd.start() >= stop else odd.start()
        if self._glue and raw.count(self._terminator, at, first) > raw.count(end, at, first):
            other = self._other.search(raw, at, first)
            assert other is not None
            first = other.start()
        elif first == stop:
            return stop
        elif odd is not None and odd[1] is None:
            return first + len(end)
        before = raw.rfind(end, at, first)
        return at if before < 0 else before + len(end)

    def _before_glued(self, stop: int) -> int:
        """``stop``, or where the segment begins in whose midst another interchange does, or may: that is seen when
        the segment is taken by itself."""
        buffer, raw, at = self._buffer, self._buffer.raw, self._buffer.at
        seen = len(raw) if buffer.is_whole else len(raw) - AHEAD
        found = raw.find(_ISA, at, stop)
        while found >= 0:
            if found > seen or is_glued(buffer, found - at, self._element):
                before = raw.rfind(self._end, at, found)
                return at if before < 0 else before + len(self._end)
            found = raw.find(_ISA, found + 1, stop)
        return stop

    def _run(self, stop: int) -> Iterator[list[Segment]]:
        piece = self._buffer.raw[self._buffer.at : stop - len(self._end)]
        try:
            text = piece.decode(self._encoding)
        except UnicodeDecodeError:
            self._buffer.at = stop
            return ([self._of_bytes(one)] for one in piece.split(self._end))
        texts = text.split(self._end_text)
        if max(map(len, texts)) > min(self._limits.elements, self._limits.segment):
            self._check_limits(texts)
        self._buffer.at = stop
        marks = self._marks
        is_simple = not (marks.component in text or (marks.repetition and marks.repetition in text))
        return self._parts(texts, is_simple)

    def _parts(self, texts: list[str], is_simple: bool) -> Iterator[list[Segment]]:
        begun = 0
        for index in [index for index, text in enumerate(texts) if text[:2] in _CONTROL]:
            if begun < index:
                yield self._segments(texts[begun:index], is_simple)
            yield self._segments(texts[index : index + 1], is_simple)
            begun = index + 1
        if begun < len(texts):
            yield self._segments(texts[begun:], is_simple)

    def _segments(self, texts: list[str], is_simple: bool) -> list[Segment]:
        marks, separator = self._marks, self._marks.element
        if not is_simple:
            return [_segment(one, marks) for one in texts]
        segments: list[Segment] = []
        for text in texts:
            elements: list[Any] = text.split(separator)
            segments.append({"id": elements.pop(0), "elements": elements})
        return segments

    def _check_limits(self, texts: list[str]) -> None:
        lengths = (len(one.encode(self._encoding)) + len(self._end) for one in texts)
        for text, begins in zip(texts, accumulate(lengths, initial=0), strict=False):
            if len(text) > self._limits.segment or text.count(self._marks.element) > self._limits.elements:
                self._buffer.at += begins
                raise self._too_long(text)

    def _too_long(self, text: str) -> Exception:
        return too_long(
            f"segment {text.split(self._marks.element)[0][:12]!r} has more than {self._limits.segment} bytes "
            f"or {self._limits.elements} elements",
            self._buffer,
        )

    def _single(self) -> Segment:
        segment = self._binary()
        if segment is not None:
            return segment
        size = self._buffer.find(self._terminator, self._limits.segment)
        is_terminated = size >= 0
        if not is_terminated:
            size = self._buffer.ahead
        glued = self._glued(min(size, self._limits.segment))
        if glued:
            size, is_terminated = glued, False
        piece = self._buffer.raw[self._buffer.at : self._buffer.at + min(size, self._limits.segment)]
        if size > self._limits.segment or piece.count(self._separator) > self._limits.elements:
            raise self._too_long(piece[:64].decode("latin-1"))
        segment = self._of_bytes(piece)
        self._buffer.at += size
        if not is_terminated:
            segment["unterminated"] = True
            return segment
        return self._with_glue(segment)

    def _glued(self, size: int) -> int:
        """How far ahead, within ``size`` bytes, another interchange begins within the segment; 0: nowhere."""
        buffer = self._buffer
        found = buffer.raw.find(_ISA, buffer.at + 1, buffer.at + size)
        while found >= 0:
            offset = found - buffer.at
            if is_glued(buffer, offset, self._element):
                return offset
            found = buffer.raw.find(_ISA, buffer.at + offset + 1, buffer.at + size)
        return 0

    def _with_glue(self, segment: Segment) -> Segment:
        self._buffer.at += len(self._terminator)
        glue = self._take_glue()
        if glue != self.glue:
            segment["glue"] = glue
        return segment

    def _take_glue(self) -> str:
        size, longest = 0, self._limits.segment
        while size <= longest:
            self._buffer.need(size + AHEAD)
            match = self._blank.match(self._buffer.raw, self._buffer.at)
            size = match.end() - self._buffer.at if match else 0
            is_seen = self._buffer.is_whole or self._buffer.ahead - size >= len(self._terminator)
            if is_seen and size <= longest:
                return self._buffer.take(size).decode(self._encoding)
        raise too_long(f"more than {longest} blanks follow a segment", self._buffer)

    def _of_bytes(self, piece: bytes) -> Segment:
        try:
            return _segment(piece.decode(self._encoding), self._marks)
        except UnicodeDecodeError:
            return {**_segment(piece.decode("latin-1"), self._latin), "encoding": "latin-1"}

    def _binary(self) -> Segment | None:
        """BIN and BDS say how many bytes their data has; ``None`` for others and where the number is wrong."""
        buffer = self._buffer
        head = buffer.raw[buffer.at : buffer.at + 64].split(self._separator)
        before = _BINARY.get(head[0])
        if before is None or len(head) < before + 2 or not re.fullmatch(b"[0-9]{1,15}", head[before]):
            return None
        start = sum(len(part) + len(self._separator) for part in head[: before + 1])
        size = int(head[before])
        if size > self._limits.binary:
            raise too_long(f"binary data of {size} bytes, at most {self._limits.binary} are taken", buffer)
        buffer.need(start + size + len(self._terminator))
        if not buffer.raw.startswith(self._terminator, buffer.at + start + size):
            return None
        segment = self._of_binary(head[: before + 1], buffer.raw[buffer.at + start : buffer.at + start + size])
        buffer.at += start + size
        return self._with_glue(segment)

    def _of_binary(self, head: list[bytes], data: bytes) -> Segment:
        parts = [*head, data]
        try:
            name, *elements = [part.decode(self._encoding) for part in parts]
            return {"id": name, "elements": [*elements], "binary": True}
        except UnicodeDecodeError:
            name, *elements = [part.decode("latin-1") for part in parts]
            return {"id": name, "elements": [*elements], "binary": True, "encoding": "latin-1"}


def _segment(text: str, marks: Marks) -> Segment:
    name, *parts = text.split(marks.element)
    if marks.component in text or (marks.repetition and marks.repetition in text):
        return {"id": name, "elements": [_element(part, marks) for part in parts]}
    return {"id": name, "elements": [*parts]}


def _element(part: str, marks: Marks) -> Element:
    if marks.repetition and marks.repetition in part:
        return Repeated(repeat=[_composite(one, marks) for one in part.split(marks.repetition)])
    return _composite(part, marks)


def _composite(part: str, marks: Marks) -> str | list[str]:
    return part.split(marks.component) if marks.component in part else part
