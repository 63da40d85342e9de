"""The service characters of an interchange: UNA, and what holds without it (ISO 9735-1, sections 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.edifact.errors import EdifactError
from connectors.edifact.lossless import DelimiterNames

REPETITION_SINCE = "4"
_NAMES = ("component", "element", "decimal", "release", "repetition", "segment")


@dataclass(frozen=True)
class Delimiters:
    """One character each. ``release`` and ``repetition`` are empty where there is none.

    Raises ``EdifactError`` for letters, digits and blanks, and where two are the same.
    """

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    repetition: str = ""
    segment: str = "'"

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _NAMES if name != "decimal"}
        used = {name: character for name, character in given.items() if character or name not in _OPTIONAL}
        for name, character in used.items():
            _refuse_unfit(name, character)
        if len(self.decimal) != 1:
            raise _unfit("decimal", self.decimal)
        if len(set(used.values())) < len(used):
            raise EdifactError(
                f"two service characters are the same: {used}",
                code="delimiters_clash",
                next_action="check the six characters after UNA; each must be different",
            )

    def characters(self) -> str:
        """Those that separate or release; data may hold them only when released."""
        return self.component + self.element + self.release + self.repetition + self.segment

    def as_json(self) -> DelimiterNames:
        return {
            "component": self.component,
            "element": self.element,
            "decimal": self.decimal,
            "release": self.release,
            "repetition": self.repetition,
            "segment": self.segment,
        }

    def una(self) -> str:
        """The six characters that stand after UNA."""
        return (
            self.component
            + self.element
            + self.decimal
            + (self.release or " ")
            + (self.repetition or " ")
            + self.segment
        )


_OPTIONAL = ("release", "repetition")


def _refuse_unfit(name: str, character: str) -> None:
    blank = character in " \0" or (name != "segment" and character in "\r\n")
    if len(character) != 1 or character.isalnum() or blank or ord(character) > 127:
        raise _unfit(name, character)


def _unfit(name: str, character: str) -> EdifactError:
    return EdifactError(
        f"{character!r} cannot be the {name} character: it must be one character, no letter, digit or blank",
        code="delimiter_unfit",
        next_action="check the six characters after UNA",
    )


#: Without UNA: level A, which all levels use in practice, and the separators of level B of syntax 1 to 3.
LEVEL_A = Delimiters()
LEVEL_B = Delimiters(component="\x1f", element="\x1d", release="", segment="\x1c")


def from_una(una: str, syntax_version: str) -> Delimiters:
    """From the six characters after UNA; the fifth separates repetitions from syntax version 4 on.

    Raises ``EdifactError`` where they cannot work.
    """
    component, element, decimal, release, repetition, segment = tuple(una)
    return Delimiters(
        component,
        element,
        decimal,
        release.strip(),
        repetition.strip() if syntax_version >= REPETITION_SINCE else "",
        segment,
    )


def by_default(element: str, syntax_version: str) -> Delimiters | None:
    """Where there is no UNA, by the character that follows UNB; None where that is no standard one."""
    if element == LEVEL_B.element:
        return LEVEL_B
    if element != LEVEL_A.element:
        return None
    return Delimiters(repetition="*") if syntax_version >= REPETITION_SINCE else LEVEL_A
