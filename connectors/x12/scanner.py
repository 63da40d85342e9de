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
from connectors.x12.lossless import Element, Repeated, Segment

_BLANKS = b" \t\r\n\0\x1a"
_BINARY = {b"BIN": 1, b"BDS": 2}


class Scanner:
    """The segments of one interchange after its ISA; bytes that ``encoding`` cannot read are kept as Latin-1."""

    def __init__(self, buffer: Buffer, delimiters: Delimiters, encoding: str, limits: Limits) -> None:
        self._buffer, self._limits, self._encoding = buffer, limits, encoding
        self._marks = delimiters.marks(encoding, encoding)
        self._latin = delimiters.marks(encoding, "latin-1")
        self._terminator = delimiters.segment.encode(encoding)
        self._separator = delimiters.element.encode(encoding)
        signs = delimiters.characters().encode(encoding)
        blanks = bytes(one for one in _BLANKS if one not in signs)
        self._blank = re.compile(b"(?:[" + re.escape(blanks) + b"]|" + re.escape(self._terminator) + b")*")
        self._glue = b""
        self.glue = self._take_glue()
        self._set_glue(self.glue.encode(encoding), blanks)

    def _set_glue(self, glue: bytes, blanks: bytes) -> None:
        """After this, ``_odd`` finds the first terminator that needs a closer look.

        Its group 1 matches where the glue is another one, else a segment follows that is not like others.
        """
        self._glue = glue
        self._end = self._terminator + glue
        self._end_text = self._end.decode(self._encoding)
        terminator, end = re.escape(self._terminator), re.escape(self._end)
        separator = re.escape(self._separator)
        special = (
            b"(?:BIN|BDS)" + separator + b"|IEA(?:" + separator + b"|" + terminator + b")|ISA[^A-Za-z0-9 \r\n]"
        )
        other = end + b"(?:[" + re.escape(blanks) + b"]|" + terminator + b")"
        if glue:
            other += b"|" + terminator + b"(?!" + re.escape(glue) + b")"
        self._odd = re.compile(b"(" + other + b")|" + end + b"(?=" + special + b")")
        self._special = re.compile(special)

    def runs(self) -> Iterator[list[Segment]]:
        """Runs of segments, at most ``PORTION`` bytes each, up to the end of the source.

        A segment that looks like ISA is a run of its own, and so is IEA; who reads on decides what they are.
        """
        buffer = self._buffer
        while buffer.need(AHEAD) or buffer.ahead:
            stop = buffer.at if self._special.match(buffer.raw, buffer.at) else self._regular()
            yield self._run(stop) if stop > buffer.at else [self._single()]

    def _regular(self) -> int:
        """Where the regular stretch that begins here ends; here, where there is none."""
        buffer, raw, at, end = self._buffer, self._buffer.raw, self._buffer.at, self._end
        last = raw.rfind(end, at, at + PORTION)
        if not buffer.is_whole and last + len(end) + len(self._terminator) > len(raw):
            last = raw.rfind(end, at, max(last, at))
        if last < 0:
            return at
        stop = last + len(end)
        odd = self._odd.search(raw, at, stop + AHEAD)
        if odd is None or odd.start() >= stop:
            return stop
        if odd[1] is None:
            return odd.start() + len(end)
        before = raw.rfind(end, at, odd.start())
        return at if before < 0 else before + len(end)

    def _run(self, stop: int) -> list[Segment]:
        piece = self._buffer.raw[self._buffer.at : stop - len(self._end)]
        try:
            text = piece.decode(self._encoding)
        except UnicodeDecodeError:
            run = [self._of_bytes(one) for one in piece.split(self._end)]
            self._buffer.at = stop
            return run
        texts = text.split(self._end_text)
        if max(map(len, texts)) > min(self._limits.elements, self._limits.segment):
            self._check_limits(texts)
        self._buffer.at = stop
        marks = self._marks
        if marks.component in text or (marks.repetition and marks.repetition in text):
            return [_segment(one, marks) for one in texts]
        separator = marks.element
        split: list[list[Any]] = [one.split(separator) for one in texts]
        return [{"id": parts[0], "elements": parts[1:]} for parts in split]

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
        piece = self._buffer.raw[self._buffer.at : self._buffer.at + min(size, self._limits.segment)]
        if size > self._limits.segment or piece.count(self._separator) > self._limits.elements:
            raise self._too_long(piece[:64].decode("latin-1"))
        segment = self._of_bytes(piece)
        self._buffer.at += size
        if not is_terminated:
            segment["unterminated"] = True
            return segment
        return self._with_glue(segment)

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
