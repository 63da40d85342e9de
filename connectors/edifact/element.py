"""Data elements as a schema declares them, and made ready for many values.

Reading asks of nearly every value whether it is what its element declares, and the answer is nearly always yes. So
that is asked at once, of all components of an element by one pattern; only what is not found good is looked at by
``values``, which knows what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

#: Between components when they are matched. A component that holds it has one more, and does not match.
JOINED_BY = "\x1f"
NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")
_DIGITS = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[A-Za-z ]+")
_PRINTED = r"[ -~\xa1-\xac\xae-\xff]"  # of Latin-1; other printable characters are looked at closely


@dataclass(frozen=True)
class Slot:
    """One text: a simple element or a component. ``path`` says where it stands in the fields of its segment:
    a name, a name and the index in a list of texts, or a list's name, the index and a name.

    ``shortest`` and ``longest`` are in characters.
    """

    path: tuple[str | int, ...]
    reference: str
    type: str
    shortest: int
    longest: int
    codes: frozenset[str]
    mandatory: bool

    @property
    def name(self) -> str:
        return str(self.path[0])

    @property
    def words(self) -> str:
        """For a sentence: ``line number``."""
        return str(next(part for part in reversed(self.path) if isinstance(part, str))).replace("_", " ")


class Expected(NamedTuple):
    """One data element made ready for many values: most are found good at once, others are looked at closely.

    A single text of ``shortest`` to ``longest`` characters is good where ``is_good`` says so, and ``key`` is its
    name in the fields. Components joined by ``JOINED_BY`` are good where ``patterns`` at their number says so, and
    ``keys`` are their names. Both are None where one stands in a list. ``mandatory`` is 0 or 1. ``needs_more``
    where a component other than the first must be given.
    """

    shortest: int
    longest: int
    is_good: Callable[[str], Any]
    key: str | None
    patterns: list[Callable[[str], Any]]
    keys: tuple[str, ...] | None
    mandatory: int
    needs_more: bool
    position: Position


@dataclass(frozen=True)
class Position:
    """One data element of a segment. ``composite`` is empty for a simple one, which has a single slot.

    ``repetitions`` has the slots of each repetition where it may be repeated (syntax version 4); the first are
    ``slots``. ``needed`` are the indexes of components that must be given where the element is.
    """

    composite: str
    mandatory: bool
    slots: tuple[Slot, ...]
    repetitions: tuple[tuple[Slot, ...], ...] = ()

    @cached_property
    def needed(self) -> tuple[int, ...]:
        return tuple(index for index, slot in enumerate(self.slots) if slot.mandatory)

    @property
    def reference(self) -> str:
        return self.composite or self.slots[0].reference


def expected(position: Position) -> Expected:
    first, slots = position.slots[0], position.slots
    patterns: list[Callable[[str], Any]] = []
    patterns += (_Unused(position, count, patterns) for count in range(len(slots) + 1))
    return Expected(
        first.shortest,
        first.longest,
        _is_good(first),
        first.name if len(first.path) == 1 else None,
        patterns,
        tuple(slot.name for slot in slots) if all(len(slot.path) == 1 for slot in slots) else None,
        int(position.mandatory),
        position.needed not in ((), (0,)),
        position,
    )


@dataclass(frozen=True)
class _Unused:
    """Takes the place of a pattern that nothing was matched with yet: few of them ever are."""

    position: Position
    count: int
    patterns: list[Callable[[str], Any]]

    def __call__(self, text: str) -> Any:
        self.patterns[self.count] = _pattern(self.position, self.count)
        return self.patterns[self.count](text)


def _is_good(slot: Slot) -> Callable[[str], Any]:
    """Signs and decimal marks are no part of a number's length, so they pass only where none is too short."""
    if slot.codes:
        return slot.codes.__contains__
    if slot.type == "n":
        return (NUMBER if slot.shortest < 2 else _DIGITS).fullmatch
    return _LETTERS.fullmatch if slot.type == "a" else str.isprintable


def _pattern(position: Position, count: int) -> Callable[[str], Any]:
    """Matches so many components, each of which is good or, where it need not be given, empty."""
    if not count or any(index >= count for index in position.needed):
        return _no
    parts = (one if slot.mandatory else f"(?:{one})?" for slot in position.slots[:count] for one in [_one(slot)])
    return re.compile(JOINED_BY.join(parts)).fullmatch


def _one(slot: Slot) -> str:
    shortest, longest = max(slot.shortest, 1), slot.longest
    if slot.codes:
        fitting = sorted(one for one in slot.codes if shortest <= len(one) <= longest)
        return f"(?:{'|'.join(map(re.escape, fitting))})" if fitting else r"(?!)"
    if slot.type == "n" and slot.shortest < 2:
        return f"(?![^{JOINED_BY}]{{{longest + 1}}}){NUMBER.pattern}"
    of = {"n": "[0-9]", "a": "[A-Za-z ]"}.get(slot.type, _PRINTED)
    return f"{of}{{{shortest},{longest}}}"


def _no(text: str) -> bool:
    return False
