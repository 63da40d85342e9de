"""Shapes of the lossless view: JSON that keeps every byte of an EDIFACT file."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Repeated(TypedDict):
    """An element with repetitions (syntax version 4)."""

    repeat: list[str | list[str]]


#: A simple element is text, a composite one a list of components.
Element = str | list[str] | Repeated


class Segment(TypedDict):
    """``elements[0]`` is the first after the tag. Empty elements, trailing ones too, are kept as ``""``.

    ``glue`` is the text before the tag, where it differs from the interchange's. ``raw`` is the segment as
    received where writing its elements gives something else (needless release characters, wrapped lines); it
    is written as long as the elements are what it says. ``encoding`` is how this segment's bytes were read
    where the interchange's character set does not fit. ``unterminated``: the file ends in it, or
    another interchange begins.
    """

    id: str
    elements: list[Element]
    glue: NotRequired[str]
    raw: NotRequired[str]
    encoding: NotRequired[str]
    unterminated: NotRequired[bool]


class Message(TypedDict):
    """From UNH to UNT, both included; segments that stand outside any message form one without UNH."""

    segments: list[Segment]


class Group(TypedDict):
    """UNG to UNE; without header it holds the messages that stand in no group.

    ``segments`` are those between UNG and the first UNH.
    """

    header: Segment | None
    segments: list[Segment]
    messages: list[Message]
    trailer: Segment | None


class DelimiterNames(TypedDict):
    """One character each; ``release`` and ``repetition`` are empty where there is none."""

    component: str
    element: str
    decimal: str
    release: str
    repetition: str
    segment: str


class Interchange(TypedDict):
    """UNB to UNZ; ``segments`` are those between UNB and the first UNG or UNH.

    ``before`` is the text (as Latin-1) that stands before UNA or UNB, ``una`` the six characters after UNA or
    None, ``glue`` what stands before each segment but UNB. ``header`` is None where there is no UNB. ``ends_at`` is
    the byte of the file behind it, when it was read; nothing is written of it.
    """

    before: str
    una: str | None
    encoding: str
    delimiters: DelimiterNames
    glue: str
    wrapped: bool
    header: Segment | None
    segments: list[Segment]
    groups: list[Group]
    trailer: Segment | None
    ends_at: NotRequired[int]


class Document(TypedDict):
    """``trailing`` is what follows the last interchange (as Latin-1) and belongs to none."""

    interchanges: list[Interchange]
    trailing: str


def text_of(segment: Segment | None, number: int, component: int = 1) -> str:
    """Component ``component`` of element ``number`` (both from 1) as text; ``""`` where there is none."""
    if segment is None or number > len(segment["elements"]):
        return ""
    element = segment["elements"][number - 1]
    if isinstance(element, dict):
        element = element["repeat"][0] if element["repeat"] else ""
    if isinstance(element, str):
        return element if component == 1 else ""
    return element[component - 1] if component <= len(element) else ""


def parts_of(element: Element) -> list[str]:
    """The components of an element, of its first repetition where it has some."""
    if isinstance(element, dict):
        element = element["repeat"][0] if element["repeat"] else ""
    return [element] if isinstance(element, str) else element
