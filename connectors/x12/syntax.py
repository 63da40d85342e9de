"""Syntax notes of segments: which elements need, exclude or accompany each other (X12.6, section 3.8.3.3).

A note is written as the standard writes it: a letter and two digits for each element. P all or none, R at least
one, E at most one, C if the first then all others, L if the first then at least one of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WORDS = {
    "P": "{all} must be given together or not at all",
    "R": "at least one of {all} must be given",
    "E": "only one of {all} may be given",
    "C": "where {first} is given, {rest} must be given too",
    "L": "where {first} is given, at least one of {rest} must be given too",
}


@dataclass(frozen=True)
class Note:
    """``elements`` count from 1."""

    condition: str
    elements: tuple[int, ...]

    def broken_at(self, present: Sequence[bool]) -> int | None:
        """The element where the note is broken, or None. ``present`` begins with element 01."""
        given = [number <= len(present) and bool(present[number - 1]) for number in self.elements]
        absent = next((number for number, has in zip(self.elements, given, strict=True) if not has), None)
        match self.condition:
            case "P":
                return absent if any(given) else None
            case "R":
                return None if any(given) else self.elements[0]
            case "E":
                used = [number for number, has in zip(self.elements, given, strict=True) if has]
                return used[1] if len(used) > 1 else None
            case "C":
                return absent if given[0] else None
            case _:
                return self.elements[1] if given[0] and not any(given[1:]) else None

    def sentence(self, segment_id: str) -> str:
        """What the note asks, in words."""
        names = [f"{segment_id}{number:02d}" for number in self.elements]
        words = _WORDS[self.condition]
        return words.format(all=_listed(names), first=names[0], rest=_listed(names[1:]))


def note(text: str) -> Note:
    """A note such as ``P0304``."""
    assert text[0] in _WORDS, f"{text!r} is no syntax note"
    assert len(text) % 2, f"{text!r} is no syntax note"
    return Note(text[0], tuple(int(text[at : at + 2]) for at in range(1, len(text), 2)))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
