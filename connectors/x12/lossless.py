"""Shapes of the lossless view: JSON that keeps every byte of an X12 file."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Repeated(TypedDict):
    """An element with repetitions (ISA12 from 00402 on)."""

    repeat: list[str | list[str]]


#: A simple element is text, a composite one a list of components.
Element = str | list[str] | Repeated


class Segment(TypedDict):
    """``elements[0]`` is element 01. Empty elements, trailing ones too, are kept as ``""``.

    ``glue`` is the text between the terminator and the next segment, where it differs from the interchange's.
    ``binary`` marks BIN and BDS, whose last element may hold delimiters. ``unterminated``: the file ends in it, or
    another interchange begins.
    ``encoding`` is given where it is not the interchange's.
    """

    id: str
    elements: list[Element]
    glue: NotRequired[str]
    binary: NotRequired[bool]
    unterminated: NotRequired[bool]
    encoding: NotRequired[str]


class TransactionSet(TypedDict):
    """From ST to SE, both included; segments that stand outside any set form one without ST."""

    segments: list[Segment]


class Group(TypedDict):
    """GS to GE; ``segments`` are those between GS and the first ST."""

    header: Segment | None
    segments: list[Segment]
    sets: list[TransactionSet]
    trailer: Segment | None


class DelimiterNames(TypedDict):
    """One character each; ``repetition`` is empty where there is none."""

    element: str
    component: str
    repetition: str
    segment: str


class Interchange(TypedDict):
    """ISA to IEA; ``segments`` are those between ISA and the first GS (TA1, ISB).

    ``before`` is the text that stands before ISA, ``glue`` what follows each segment's terminator. ``ends_at`` is
    the byte of the file behind it, when it was read; nothing is written of it.
    """

    before: str
    encoding: str
    delimiters: DelimiterNames
    glue: str
    header: Segment
    segments: list[Segment]
    groups: list[Group]
    trailer: Segment | None
    ends_at: NotRequired[int]


class Document(TypedDict):
    """``trailing`` is what follows the last interchange and belongs to none.

    ``trailing_encoding`` is given where it is not that of the last interchange.
    """

    interchanges: list[Interchange]
    trailing: str
    trailing_encoding: NotRequired[str]


def text_of(segment: Segment, number: int, component: str = ":") -> str:
    """Element ``number`` (from 1) as plain text without the blanks that pad it; ``""`` where there is none."""
    if number > len(segment["elements"]):
        return ""
    element = segment["elements"][number - 1]
    if isinstance(element, dict):
        first = element["repeat"][0] if element["repeat"] else ""
        element = first
    return (component.join(element) if isinstance(element, list) else element).strip()
