"""Files of messages, read as a stream (HL7 v2.5.1, 2.10.3 and 2.15.2-2.15.7): any of FHS, BHS, BTS, FTS may be
missing, a message that cannot be read does not disturb its neighbours, and no byte is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

from connectors.hl7.delimiters import HEADERS, Delimiters
from connectors.hl7.errors import Hl7Error
from connectors.hl7.message import Message, Segment, read
from connectors.hl7.pieces import Piece, pieces

Kind = Literal["FHS", "BHS", "MSH", "BTS", "FTS", ""]

_BLANK = "\x0b\x1c\r\n\x00 \t"
_BEGINS = re.compile(rf"[{_BLANK}]*(MSH|[FB][HT]S)(?![0-9A-Za-z])([^\r\n]*)")


@dataclass(frozen=True)
class Part:
    """A piece of a file: ``raw`` is what stands there from byte ``offset`` on. ``message`` is what an MSH, FHS or
    BHS begins, ``trailer`` a BTS or FTS; where neither could be read ``fault`` says why."""

    kind: Kind
    raw: bytes
    offset: int
    message: Message | None = None
    trailer: Segment | None = None
    fault: Hl7Error | None = None


class Batch:
    """The parts of a file in order, once; their ``raw`` together is the file.

    ``warnings`` (what is missing or counted wrongly) and ``messages`` are whole at the end. Never raises for what
    the bytes are: what cannot be read is a part with a ``fault``. Holds one part at a time, of at most ``longest``
    characters; what is longer comes in several, each with a fault.
    """

    def __init__(self, file: BinaryIO, charset: str | None = None, *, longest: int = 10_000_000) -> None:
        self._file, self._charset, self._longest = file, charset, longest
        self._delimiters: Delimiters | None = None
        self._envelope = _Envelope()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._envelope.warnings)

    @property
    def messages(self) -> int:
        """Messages so far, those that cannot be read as well."""
        return self._envelope.messages

    @property
    def batches(self) -> int:
        """BHS segments so far."""
        return self._envelope.batches

    def __iter__(self) -> Iterator[Part]:
        for piece in pieces(self._file, self._longest):
            part = self._part(piece)
            self._envelope.take(part)
            yield part
        self._envelope.end()

    def _part(self, piece: Piece) -> Part:
        found = _BEGINS.match(piece.text)
        kind = cast("Kind", found[1] if found else "")
        fault = None
        if piece.torn:
            fault = _too_long(kind, self._longest)
        elif kind in HEADERS:
            try:
                message = read(piece.raw, self._charset, marked=piece.marked)
            except Hl7Error as error:
                fault = error
            else:
                if self._delimiters is None or kind != "MSH":
                    self._delimiters = message.delimiters
                return Part(kind, piece.raw, piece.offset, message)
        elif found:
            return Part(
                kind,
                piece.raw,
                piece.offset,
                trailer=Segment(found[1] + found[2], self._delimiters or Delimiters()),
            )
        elif piece.text.strip(_BLANK):
            fault = _stray(piece)
        return Part(kind, piece.raw, piece.offset, fault=fault)


def _too_long(kind: str, longest: int) -> Hl7Error:
    return Hl7Error(
        f"a piece of a file is longer than {longest} characters",
        field=kind or "MSH",
        next_action="send it by itself, or raise the limit",
    )


def _stray(piece: Piece) -> Hl7Error:
    return Hl7Error(
        f"{len(piece.raw)} bytes at byte {piece.offset} belong to no message",
        code="100",
        next_action="send files that begin with MSH, FHS or BHS",
    )


class _Envelope:
    """Who opened what, and whether the counts hold."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.messages = self.batches = 0
        self._open: list[str] = []
        self._in_batch = self._in_file = 0

    def take(self, part: Part) -> None:
        if part.fault is not None and part.kind != "MSH":
            return
        if part.kind == "MSH":
            self.messages, self._in_batch = self.messages + 1, self._in_batch + 1
        elif part.kind == "BHS":
            self._close("BHS", part)
            self._open.append("BHS")
            self.batches, self._in_file, self._in_batch = self.batches + 1, self._in_file + 1, 0
        elif part.kind == "FHS":
            self._close("FHS", part)
            self._open, self._in_file, self._in_batch = ["FHS"], 0, 0
        elif part.trailer is not None:
            self._trailer(part, part.trailer)

    def _trailer(self, part: Part, trailer: Segment) -> None:
        header = "BHS" if part.kind == "BTS" else "FHS"
        if header == "FHS":
            self._close("BHS", part)
        if header in self._open:
            self._open = self._open[: self._open.index(header)]
        else:
            self.warnings.append(f"{part.kind} at byte {part.offset}: there is no {header} before it")
        counted = self._in_batch if header == "BHS" else self._in_file or int(self.messages > 0)
        said, noun = trailer.get(1), "messages" if header == "BHS" else "batches"
        if said is not None and said.strip().lstrip("0") != (str(counted) if counted else ""):
            self.warnings.append(f"{part.kind}-1 at byte {part.offset} does not say {counted}: so many {noun}")
        self._in_batch = 0
        if header == "FHS":
            self._in_file = 0

    def _close(self, header: str, part: Part) -> None:
        """What is still open from ``header`` on is so without its trailer."""
        at = self._open.index(header) if header in self._open else len(self._open)
        for left in self._open[at:]:
            self.warnings.append(f"{part.kind} at byte {part.offset}: the {left} before it has no {left[0]}TS")
        self._open = self._open[:at]

    def end(self) -> None:
        for left in self._open:
            self.warnings.append(f"at the end: {left} has no {left[0]}TS")
