"""Is a value what its element declares: type, length, characters, code (ISO 9735-1, sections 6 and 10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from connectors.edifact.element import NUMBER, Slot

_NO_DIGIT_FIRST = re.compile(r"-?[.,][0-9]+")

#: Formats of data element 2379 that are a point in time, as digits; 718 and 719 are two of them.
_FORMATS = {
    "2": "%d%m%y",
    "101": "%y%m%d",
    "102": "%Y%m%d",
    "201": "%y%m%d%H%M",
    "202": "%y%m%d%H%M%S",
    "203": "%Y%m%d%H%M",
    "204": "%Y%m%d%H%M%S",
    "401": "%H%M",
    "402": "%H%M%S",
    "609": "%y%m",
    "610": "%Y%m",
}
_PERIODS = {"713": "201", "717": "101", "718": "102", "719": "203"}
_LENGTHS = {"%y": 2, "%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}


@dataclass(frozen=True)
class Repertoire:
    """Characters that may be used: those of an encoding and, where given, a pattern for whole values."""

    encoding: str = "utf-8"
    pattern: re.Pattern[str] | None = None

    def bad(self, value: str) -> str | None:
        """The first character that may not be used, if there is one."""
        if value.isascii() and value.isprintable():
            return None
        return next((one for one in value if not self._may(one)), None)

    def _may(self, character: str) -> bool:
        if ord(character) < 32 or ord(character) == 127 or 0xD800 <= ord(character) < 0xE000:
            return False
        try:
            character.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


ANY = Repertoire()


def wrong(value: str, slot: Slot, repertoire: Repertoire = ANY) -> tuple[str, str] | None:
    """A fault code and the rest of a sentence that begins with the element and its value, or None."""
    bad = repertoire.bad(value)
    if bad is not None:
        return "element_character", f"holds the character {bad!r}, which this interchange cannot carry"
    length = len(value.lstrip("-").replace(".", "").replace(",", "")) if slot.type == "n" else len(value)
    if length > slot.longest:
        return "element_too_long", f"has {length} characters, at most {slot.longest} are allowed"
    if length < slot.shortest:
        return "element_too_short", f"has {length} characters, at least {slot.shortest} are needed"
    return _type(value, slot)


def _type(value: str, slot: Slot) -> tuple[str, str] | None:
    if slot.type == "n" and not NUMBER.fullmatch(value):
        if _NO_DIGIT_FIRST.fullmatch(value):
            return "element_number", "needs a digit before its decimal mark"
        return "element_number", "is not a number"
    if slot.type == "a" and any(character.isdigit() for character in value):
        return "element_type", "must be letters, it holds digits"
    if slot.codes and value not in slot.codes:
        return "element_code", f"is none of the codes {', '.join(sorted(slot.codes))}"
    return None


@lru_cache(4_096)
def wrong_date(value: str, format: str) -> str | None:
    """What is wrong with a date by its format (data element 2379); None also for formats not known here."""
    if format in _PERIODS:
        half, pattern = len(value) // 2, _FORMATS[_PERIODS[format]]
        first, second = value[:half], value[half:].lstrip("-")
        if "-" in value:
            first, _, second = value.partition("-")
        found = _wrong_point(first, pattern) or _wrong_point(second, pattern)
    else:
        known = _FORMATS.get(format)
        found = _wrong_point(value, known) if known else None
    return f"is no date or time of format {format}: {found}" if found else None


def _wrong_point(value: str, pattern: str) -> str | None:
    length = sum(_LENGTHS[pattern[at : at + 2]] for at in range(0, len(pattern), 2))
    if len(value) != length or not (value.isascii() and value.isdigit()):
        return f"it must have {length} digits"
    given: dict[str, Any] = {}
    at = 0
    for sign in (pattern[place : place + 2] for place in range(0, len(pattern), 2)):
        given[sign] = int(value[at : at + _LENGTHS[sign]])
        at += _LENGTHS[sign]
    year = given.get("%Y", 2000 + given.get("%y", 0))
    hour, is_midnight = given.get("%H", 0), given.get("%H") == 24 and not given.get("%M", 0)
    try:
        datetime(  # noqa: DTZ001 - only whether there is such a day
            year,
            given.get("%m", 1),
            given.get("%d", 1),
            0 if is_midnight else hour,
            given.get("%M", 0),
            given.get("%S", 0),
        )
    except ValueError:
        return "there is no such day or time"
    return None
