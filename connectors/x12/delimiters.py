"""Finding the delimiters of an interchange by its ISA segment (X12.5, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from connectors.x12.errors import X12Error
from connectors.x12.lossless import DelimiterNames

HEADER_LIMIT = 256
HEADER_LENGTH = 106
FIRST_VERSION_WITH_REPETITION = "00402"
_AGAIN = "ask the sender for the file again, as text that begins with ISA"


class Marks(NamedTuple):
    """Delimiters in text; more than one character each where UTF-8 is read as Latin-1."""

    element: str
    component: str
    segment: str
    repetition: str


@dataclass(frozen=True)
class Delimiters:
    """One character each; ``repetition`` is empty before version 00402."""

    element: str = "*"
    component: str = ">"
    segment: str = "~"
    repetition: str = ""

    def __post_init__(self) -> None:
        given = {"element": self.element, "component": self.component, "segment": self.segment}
        if self.repetition:
            given["repetition"] = self.repetition
        for name, character in given.items():
            _refuse_unfit(name, character)
        if len(set(given.values())) < len(given):
            raise X12Error(
                f"two delimiters are the same character: {given}",
                code="delimiters_clash",
                next_action="use four different characters as delimiters",
            )

    def characters(self) -> str:
        return self.element + self.component + self.segment + self.repetition

    def marks(self, encoding: str, shown_in: str) -> Marks:
        """How they look to who reads bytes of one encoding as another. Raises ``UnicodeError``."""
        given = (self.element, self.component, self.segment, self.repetition)
        return Marks(*(one.encode(encoding).decode(shown_in) for one in given))

    def as_json(self) -> DelimiterNames:
        return {
            "element": self.element,
            "component": self.component,
            "repetition": self.repetition,
            "segment": self.segment,
        }


def _refuse_unfit(name: str, character: str) -> None:
    blank = character in " \0" or (name != "segment" and character in "\r\n")
    if len(character) != 1 or character.isalnum() or blank:
        raise X12Error(
            f"{character!r} cannot be the {name} delimiter: it must be one character, no letter, digit or blank",
            code="delimiter_unfit",
            next_action="check that the ISA segment has its 16 elements and ends in a terminator",
        )


def detect(text: str, start: int) -> tuple[Delimiters, int]:
    """Delimiters of the ISA at ``start`` and the offset of its terminator, by counting its 16 separators.

    Raises ``X12Error`` where there are fewer, or where the delimiters are alphanumeric or clash.
    """
    element = text[start + 3 : start + 4]
    _refuse_unfit("element", element)
    at = start + 3
    for counted in range(1, 16):
        at = text.find(element, at + 1, start + HEADER_LIMIT)
        if at < 0:
            raise X12Error(
                f"the ISA segment has {counted} of its 16 elements",
                code="header_incomplete",
                next_action=_AGAIN,
            )
    if len(text) < at + 3:
        raise X12Error("the file ends inside the ISA segment", code="header_incomplete", next_action=_AGAIN)
    header = text[start:at].split(element)
    found = Delimiters(element, text[at + 1], text[at + 2], _repetition(header))
    if found.segment in text[start:at]:
        raise X12Error(
            f"the ISA segment ends before its 16 elements are complete, or {found.segment!r} is not its terminator",
            code="header_incomplete",
            next_action=_AGAIN,
        )
    return found, at + 2


def _repetition(header: list[str]) -> str:
    """ISA11 is a repetition separator from 00402 on; ``U`` and blanks left over from 4010 mean none."""
    if not has_repetition(header[12]) or header[11].strip() in ("", "U"):
        return ""
    return header[11]


def has_repetition(version: str) -> bool:
    """Whether ISA11 is a separator in this version of ISA12."""
    return version >= FIRST_VERSION_WITH_REPETITION
