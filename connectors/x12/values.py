"""Is a value what its element declares: type, length, characters, code (X12.6, section 3.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from connectors.x12.schema import Element

_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9](?:[0-9]{1,2})?)?")


_DIGITS, _CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASIC = _CAPITALS + _DIGITS + " !\"&'()*+,-./:;?="
#: The character sets of X12.6, section 3.3: basic, and extended without its national characters.
SETS = {"basic": frozenset(_BASIC), "extended": frozenset(_BASIC + _CAPITALS.lower() + "%@[]_{}\\|<>~#$")}


@dataclass(frozen=True)
class Repertoire:
    """Characters that may be used. Delimiters never may, because X12 has no way to escape them. ``only`` narrows
    them to one of ``SETS``."""

    delimiters: str = ""
    encoding: str = "utf-8"
    only: str = ""

    def bad(self, value: str) -> str | None:
        """The first character that may not be used, if there is one."""
        if (
            not self.only
            and value.isascii()
            and value.isprintable()
            and not any(c in value for c in self.delimiters)
        ):
            return None
        return next((c for c in value if not self.may(c)), None)

    def may(self, character: str) -> bool:
        if character in self.delimiters or ord(character) < 32 or 127 <= ord(character) < 160:
            return False
        if self.only and character not in SETS[self.only]:
            return False
        try:
            character.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


ANY = Repertoire()


def wrong(value: str, element: Element, repertoire: Repertoire = ANY) -> tuple[str, str] | None:
    """A fault code and the rest of a sentence that begins with the element and its value, or None."""
    bad = repertoire.bad(value)
    if bad is not None:
        return "element_character", f"holds the character {bad!r}, which this interchange cannot carry"
    length = len(value.lstrip("-").replace(".", "")) if element.type[0] in "NR" else len(value)
    if length > element.longest:
        return "element_too_long", f"has {length} characters, at most {element.longest} are allowed"
    if length < element.shortest:
        return "element_too_short", f"has {length} characters, at least {element.shortest} are needed"
    if element.codes and value not in element.codes:
        return "element_code", f"is not one of the codes {', '.join(element.codes)}"
    return _wrong_type(value, element.type)


def _wrong_type(value: str, type: str) -> tuple[str, str] | None:
    if type[0] == "N" and not _INTEGER.fullmatch(value):
        return "element_character", "is not a whole number"
    if type == "R" and not _DECIMAL.fullmatch(value):
        return "element_character", "is not a decimal number"
    if type == "TM" and not _TIME.fullmatch(value):
        return "element_time", "is not a time (HHMM or HHMMSS)"
    if type == "DT" and not _is_date(value):
        return "element_date", "is not a date (CCYYMMDD)"
    return None


def _is_date(value: str) -> bool:
    if not re.fullmatch("[0-9]{6}|[0-9]{8}", value):
        return False
    try:
        datetime.strptime(value, "%Y%m%d" if len(value) == 8 else "%y%m%d")  # noqa: DTZ007 - a date only
    except ValueError:
        return False
    return True
