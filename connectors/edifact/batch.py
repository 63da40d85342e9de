"""A stretch of text cut into segments, and what stands before each.

Where every terminator is followed by the interchange's own glue, and none is released, one split at C speed does
it; any other stretch is looked at piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_FIRST_VISIBLE = "!"  # blanks, and control characters that may be delimiters, come before it


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of segments without glue and terminator.

    ``leads`` is what stands before each, empty segments included; None where it is ``glue`` before all.
    ``rest`` are empty segments behind the last.
    """

    bodies: list[str]
    glue: str
    leads: list[str] | None = None
    rest: str = ""

    def lead(self, index: int) -> str:
        """What stands before a segment."""
        return self.glue if self.leads is None else self.leads[index]

    def begins(self, index: int) -> int:
        """Where in the text what stands before this segment begins; after the last: where ``rest`` does."""
        leads = len(self.glue) * index if self.leads is None else sum(map(len, self.leads[:index]))
        return leads + sum(map(len, self.bodies[:index])) + index

    def longest(self) -> int:
        """The length of the longest segment with what stands before it."""
        if self.leads is None:
            return max(map(len, self.bodies)) + len(self.glue)
        return max((len(lead) + len(body) for lead, body in zip(self.leads, self.bodies, strict=True)), default=0)


def cut(text: str, terminator: str, release: str, glue: str, blank: str) -> Batch:
    """The segments of text that ends in a terminator. ``blank`` are the characters that may stand between two."""
    if text.startswith(glue) and not (release and release + terminator in text):
        end = terminator + glue
        if not glue or text.count(terminator) == text.count(end) + 1:
            bodies = text[len(glue) : -1].split(end)
            if min(bodies) >= _FIRST_VISIBLE:
                return Batch(bodies, glue)
    return _piecewise(text, terminator, release, glue, blank)


def _piecewise(text: str, terminator: str, release: str, glue: str, blank: str) -> Batch:
    bodies: list[str] = []
    leads: list[str] = []
    before = ""
    for piece in _pieces(text, terminator, release):
        body = piece.lstrip(blank)
        if body:
            bodies.append(body)
            leads.append(before + piece[: len(piece) - len(body)])
            before = ""
        else:
            before += piece + terminator
    return Batch(bodies, glue, leads, before)


def _pieces(text: str, terminator: str, release: str) -> Iterator[str]:
    """What ends in a terminator that is not released."""
    held = ""
    for piece in text[:-1].split(terminator):
        whole = held + piece if held else piece
        if release and piece.endswith(release) and (len(whole) - len(whole.rstrip(release))) % 2:
            held = whole + terminator
        else:
            held = ""
            yield whole
