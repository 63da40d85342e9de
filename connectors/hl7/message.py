"""A message as it came: lossless, immutable, and read no further than it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from connectors.hl7 import charsets, escapes
from connectors.hl7.delimiters import HEADERS, TRAILERS, Delimiters, declared, redeclared
from connectors.hl7.errors import Hl7Error

#: The value that says "delete what you have" (HL7 v2.5.1, 2.5.3.7); absent is something else.
NULL = '""'

_ENDS = re.compile(r"(\r\n|\r|\n)")
_PREFIX = re.compile(rb"[\x0b\r\n\x00 \t]*")
_SUFFIX = re.compile(rb"\x1c[\r\n\x00]*\Z")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True)
class Place:
    """A place in a message: ``RQD[0]-3[0].2.1``. Segment and repetition count from 0 as in JSON; field,
    component and subcomponent from 1 as in the standard. What is left out is the first."""

    segment: str
    occurrence: int
    field: int
    repetition: int = 0
    component: int = 1
    subcomponent: int = 1

    @classmethod
    def parse(cls, path: str) -> Place:
        """Raises ``ValueError`` for what is not a path."""
        match = _PATH.fullmatch(path)
        if match is None or "0" in (match[3], match[5], match[6]):
            raise ValueError(f"{path!r} is not a path like RQD[0]-3.2: segment, field, component, subcomponent")
        segment, occurrence, number, repetition, component, subcomponent = match.groups()
        return cls(
            segment,
            int(occurrence or 0),
            int(number),
            int(repetition or 0),
            int(component or 1),
            int(subcomponent or 1),
        )


@dataclass(frozen=True)
class Segment:
    """One line. ``text`` is what stands there, delimiters and escapes and all."""

    text: str
    delimiters: Delimiters
    charset: str = "utf-8"

    @cached_property
    def id(self) -> str:
        """The name, also of unknown and Z segments; of a line without any the line itself."""
        return self.text[:3] if self.text[3:4] in ("", self.delimiters.field) else self._parts[0]

    @cached_property
    def _parts(self) -> list[str]:
        parts = self.text.split(self.delimiters.field)
        if parts[0] in HEADERS:
            parts.insert(1, self.delimiters.field)
        return parts

    def __len__(self) -> int:
        """The number of the last field."""
        return len(self._parts) - 1

    def field(self, number: int) -> str | None:
        """Field ``number`` as it stands; ``None`` beyond the last."""
        return self._parts[number] if number < len(self._parts) else None

    def get(self, number: int, repetition: int = 0, component: int = 1, subcomponent: int = 1) -> str | None:
        """The decoded leaf; ``None`` where it is absent or empty, ``NULL`` where it is ``""``."""
        whole = self.field(number)
        if not whole:
            return None
        if number <= 2 and self.id in HEADERS:
            return whole if (repetition, component, subcomponent) == (0, 1, 1) else None
        leaf: str | None = whole
        for delimiter, index in (
            (self.delimiters.repetition, repetition),
            (self.delimiters.component, component - 1),
            (self.delimiters.subcomponent, subcomponent - 1),
        ):
            leaf = _nth(leaf, delimiter, index) if leaf else None
        return escapes.decode(leaf, self.delimiters, self.charset) if leaf else None

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Every valued leaf with its place behind the dash: ``("3.2", "text")``, ``("3[1].1", ...)``,
        ``("3.1.2", ...)``; repetition 0 and subcomponent 1 are not written."""
        for number in range(1, len(self._parts)):
            whole = self._parts[number]
            if number <= 2 and self.id in HEADERS:
                yield f"{number}.1", whole
            elif whole:
                yield from self._leaves_of(number, whole)

    def _leaves_of(self, number: int, whole: str) -> Iterator[tuple[str, str]]:
        for r, repetition in enumerate(_split(whole, self.delimiters.repetition)):
            start = f"{number}[{r}]" if r else f"{number}"
            for c, component in enumerate(_split(repetition, self.delimiters.component), 1):
                for s, leaf in enumerate(_split(component, self.delimiters.subcomponent), 1):
                    if leaf:
                        place = f"{start}.{c}.{s}" if s > 1 else f"{start}.{c}"
                        yield place, escapes.decode(leaf, self.delimiters, self.charset)


def _split(text: str, delimiter: str) -> list[str]:
    return text.split(delimiter) if delimiter else [text]


def _nth(text: str, delimiter: str, index: int) -> str | None:
    parts = _split(text, delimiter)
    return parts[index] if index < len(parts) else None


@dataclass(frozen=True)
class Message:
    """What ``read`` returns. ``prefix`` and ``suffix`` are bytes around the text that say nothing: a byte order
    mark, blank lines or an MLLP start block before it, an MLLP end block behind it."""

    text: str
    delimiters: Delimiters
    charset: str = "utf-8"
    charset_source: str = "UTF-8"
    prefix: bytes = b""
    suffix: bytes = b""
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def lines(self) -> tuple[tuple[Segment, str], ...]:
        """Every line with its own end (CR, LF, CRLF, or nothing at the very end), blank ones too. A header
        inside (of a batch that was read whole) declares the delimiters of what follows it."""
        parts = _ENDS.split(self.text)
        texts, ends = parts[0::2], [*parts[1::2], ""]
        delimiters = envelope = self.delimiters
        found = []
        for text, end in zip(texts, ends, strict=True):
            if text[:3] in HEADERS:
                delimiters = redeclared(text, delimiters)
                envelope = delimiters if text[:3] != "MSH" else envelope
            elif text[:3] in TRAILERS:
                delimiters = envelope
            found.append((Segment(text, delimiters, self.charset), end))
        return tuple(found if texts[-1] else found[:-1])

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Every line that is not blank, in place."""
        return tuple(segment for segment, _ in self.lines if segment.text)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """``warnings``, and the lines that are no segments. Values are never repeated in them."""
        strange = [n for n, segment in enumerate(self.segments, 1) if not _SEGMENT.fullmatch(segment.id)]
        return self.warnings + tuple(f"segment {n} does not begin with a segment name" for n in strange)

    @cached_property
    def header(self) -> Segment:
        """The (first) MSH segment. Raises ``Hl7Error`` where there is none."""
        if self.text.startswith("MSH"):
            return Segment(_ENDS.split(self.text, maxsplit=1)[0], self.delimiters, self.charset)
        return self.segment("MSH")

    def segment(self, id: str, occurrence: int = 0) -> Segment:
        """Raises ``Hl7Error`` where the message has no such segment."""
        found = [segment for segment in self.segments if segment.id == id]
        if occurrence < len(found):
            return found[occurrence]
        raise Hl7Error(
            f"the message has {len(found)} {id} segments",
            field=f"{id}[{occurrence}]",
            code="100",
            next_action=f"send a message with the {id} segment in it",
        )

    def get(self, path: str) -> str | None:
        """The decoded leaf at ``RQD[0]-3.2``; ``None`` where absent, ``NULL`` where it is ``""``.

        Raises ``ValueError`` for what is not a path.
        """
        place = Place.parse(path)
        found = [segment for segment in self.segments if segment.id == place.segment]
        if place.occurrence >= len(found):
            return None
        return found[place.occurrence].get(place.field, place.repetition, place.component, place.subcomponent)

    @property
    def type(self) -> str:
        """``OMS^O05``: MSH-9.1 and MSH-9.2, whatever the delimiters."""
        code, event = self.header.get(9) or "", self.header.get(9, 0, 2) or ""
        return f"{code}^{event}" if event else code

    @property
    def control_id(self) -> str:
        """MSH-10, or ``""``."""
        return self.header.get(10) or ""

    @property
    def version(self) -> str:
        """MSH-12.1, or ``""``."""
        return self.header.get(12) or ""


def read(raw: bytes, charset: str | None = None, *, marked: str = "") -> Message:
    """Reads bytes that hold a message, or a batch, without changing any of them.

    ``charset`` is the channel's setting and goes before MSH-18; ``marked`` is the character set that a byte order
    mark at the beginning of the file named, where ``raw`` is a later piece of it. Raises ``Hl7Error`` where there
    is no MSH (FHS, BHS) with delimiters to read by; all other faults are warnings or kept as they stand.
    """
    bom, rest, own = charsets.split_bom(raw)
    marked = own or marked
    wide = charsets.wide(charset, rest, marked)
    if wide:
        lead, tail = _wide_edges(rest, wide)
    else:
        lead, tail = _PREFIX.match(rest)[0], _tail(rest) if b"\x1c" in rest else b""  # type: ignore[index]
    choice = charsets.choose(rest[len(lead) : len(rest) - len(tail)], marked, charset)
    return Message(
        choice.text, declared(choice.text), choice.charset, choice.source, bom + lead, tail, choice.warnings
    )


def _wide_edges(rest: bytes, charset: str) -> tuple[bytes, bytes]:
    """Prefix and suffix of UTF-16 text: two bytes for each one of the usual."""
    narrow = rest.decode(charset, "replace").encode("latin-1", "replace")
    lead, tail = _PREFIX.match(narrow)[0], _tail(narrow)  # type: ignore[index]
    return lead.decode("latin-1").encode(charset), tail.decode("latin-1").encode(charset)


def _tail(rest: bytes) -> bytes:
    match = _SUFFIX.search(rest)
    return match[0] if match else b""


def write(message: Message) -> bytes:
    """The message as bytes; of one that was read, the same bytes."""
    return message.prefix + charsets.encode(message.text, message.charset) + message.suffix
