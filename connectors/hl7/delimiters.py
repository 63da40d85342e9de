"""The delimiters a message declares in its first segment (HL7 v2.5.1, 2.5.4 and 2.15.9.1-2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from connectors.hl7.errors import Hl7Error

HEADERS = ("MSH", "FHS", "BHS")
TRAILERS = ("FTS", "BTS")
_LINE_END = re.compile(r"[\r\n]")


@dataclass(frozen=True)
class Delimiters:
    """``""`` stands for one that the message does not have; then nothing is split or escaped by it."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it stands in the message."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


def declared(text: str) -> Delimiters:
    """Delimiters of a text that begins with MSH, FHS or BHS.

    Raises ``Hl7Error`` where they cannot be told: no such segment, no field separator, or two alike.
    """
    if not text.startswith(HEADERS):
        raise Hl7Error(
            "the message does not begin with an MSH, FHS or BHS segment",
            code="100",
            next_action="send a message that begins with MSH and its delimiters, such as MSH|^~\\&",
        )
    line = _LINE_END.split(text, maxsplit=1)[0]
    separator = line[3:4]
    return _of(line[:3], separator, line[4:].split(separator, 1)[0] if separator else "")


def redeclared(line: str, before: Delimiters) -> Delimiters:
    """Those that a header inside a file declares; ``before`` where they cannot be told."""
    try:
        return declared(line)
    except Hl7Error:
        return before


@lru_cache(maxsize=64)
def _of(header: str, separator: str, characters: str) -> Delimiters:
    if not _usable(separator, characters):
        raise Hl7Error(
            f"{header}-1 and {header}-2 do not declare usable delimiters",
            field=f"{header}-2",
            next_action="declare one field separator and up to five different others, such as |^~\\&",
        )
    return Delimiters(separator, *(characters[n : n + 1] for n in range(5)))


def _usable(separator: str, characters: str) -> bool:
    used = separator + characters
    return (
        bool(separator)
        and 1 <= len(characters) <= 5
        and len(set(used)) == len(used)
        and not any(character.isalnum() or character.isspace() for character in used)
    )
