"""Unique device identifications as they are scanned, of the issuing agencies GS1, HIBCC and ICCBBA.

Formats: GS1 General Specifications, section 7.8; ANSI/HIBC 2.6; ISBT 128 for products of human origin (ICCBBA);
together, with delimiters and lengths, in the FDA's "UDI Formats by FDA-Accredited Issuing Agency", version 1.3 of
2017-01-27. Application identifiers were compared with the GS1 Barcode Engine (``src/c-lib/ai.c``). What does not
hold (a check digit, a length, a date) is not guessed at: then nothing is read. Years of two digits are of this
century; those of ICCBBA have three (0 to 8 this millennium, 9 the last century).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

_FNC1 = "\x1d"
_SYMBOLOGY = re.compile(r"\](?:C1|d2|Q3|e0|J1)")
_BRACKETED = re.compile(r"\((\d{2,4})\)([^(]+)")
#: Lengths of values whose end no FNC1 marks, by the first two digits of the application identifier.
_FIXED = {
    "00": 18, "01": 14, "02": 14, "03": 14, "04": 16, **{str(n): 6 for n in range(11, 20)}, "20": 2,
    **{str(n): 6 for n in range(31, 37)}, "41": 13,
}  # fmt: skip
_THREE = ("23", "24", "25", "40", "41", "42", "71")
_FOUR = ("31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82")

_MOD_43 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
_HIBCC_PRIMARY = re.compile(r"[A-Z][A-Z0-9]{4,21}[0-9]")
#: A date behind its digit, and its form: m month, d day, y year, j day of the year, h hour.
_HIBCC_DATES = {"2": "mmddyy", "3": "yymmdd", "4": "yymmddhh", "5": "yyjjj", "6": "yyjjjhh", "7": ""}

_ICCBBA = re.compile(
    r"=\+(?P<compound>\d{5})|=/(?P<device>[A-Z0-9]{16})|=\)(?P<container>[A-Z0-9]{10})|&\)(?P<container_lot>[A-Z0-9]{10})"
    r"|=,(?P<serial>[A-Z0-9]{6})|=>(?P<expires>\d{6})|=\}(?P<manufactured>\d{6})|&,1(?P<lot>[A-Z0-9]{18})"
    r"|=(?P<donation>[A-NP-Z1-9][A-Z0-9]{14})"
)


def gtin_holds(text: str) -> bool:
    """8, 12, 13 or 14 digits, the last being right (GS1 General Specifications, section 7.9)."""
    if len(text) not in (8, 12, 13, 14) or not (text.isascii() and text.isdigit()):
        return False
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return weighted % 10 == 0


def parts(carrier: str) -> dict[str, str]:
    """``agency`` and what it says of ``device_identifier``, ``lot``, ``serial``, ``expires`` and ``manufactured``;
    dates are ISO 8601. Empty for what is no identification of these agencies, or is one with a mistake in it."""
    text = carrier.strip(" \r\n\t")
    try:
        if text.startswith(("+", "*+")):
            return {"agency": "HIBCC", **dict(_hibcc(_bare(carrier)))}
        if text.startswith(("=/", "=)", "=+")):
            return {"agency": "ICCBBA", **dict(_iccbba(text))}
        return {"agency": "GS1", **dict(_gs1(_SYMBOLOGY.sub("", text, count=1).strip(_FNC1)))}
    except (ValueError, OverflowError):
        return {}


def _gs1(text: str) -> Iterator[tuple[str, str]]:
    elements = _bracketed(text) if text.startswith("(") else _concatenated(text)
    if not gtin_holds(elements.get("01", "")):
        raise ValueError("no GTIN, or its check digit is wrong")
    yield "device_identifier", elements["01"]
    for identifier, name in (("10", "lot"), ("21", "serial")):
        if identifier in elements:
            yield name, elements[identifier]
    for identifier, name in (("17", "expires"), ("11", "manufactured")):
        if identifier in elements:
            yield name, _date(elements[identifier], "yymmdd")


def _bracketed(text: str) -> dict[str, str]:
    if "".join(f"({identifier}){value}" for identifier, value in _BRACKETED.findall(text)) != text:
        raise ValueError("something stands outside of the elements")
    return {identifier: value.strip(" " + _FNC1) for identifier, value in _BRACKETED.findall(text)}


def _concatenated(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while text:
        width = 4 if text[:2] in _FOUR else 3 if text[:2] in _THREE else 2
        identifier, text = text[:width], text[width:]
        length = _FIXED.get(identifier[:2])
        if length is None:
            value, _, text = text.partition(_FNC1)
        else:
            value, text = text[:length], text[length:].removeprefix(_FNC1)
        if not identifier.isdigit() or not value or len(value) > 90 or (length and len(value) != length):
            raise ValueError("an element is cut short")
        found.setdefault(identifier, value)
    return found


def _bare(carrier: str) -> str:
    """What the symbol holds. Its last sign, the check character, may be a space: below the symbol, where asterisks
    stand around it, that is written as an underscore (HIBCC, terms of the data structure formatter)."""
    text = carrier.strip("\r\n\t").lstrip(" ")
    if text.startswith("*"):
        text = text.rstrip(" ").strip("*")
        return f"{text[:-1]} " if text.endswith("_") else text
    bare = text.rstrip(" ")
    return bare if _right(bare) else f"{bare} "


def _right(text: str) -> bool:
    return _MOD_43[sum(map(_MOD_43.index, text[:-1])) % 43] == text[-1]


def _hibcc(text: str) -> Iterator[tuple[str, str]]:
    if not _right(text):
        raise ValueError("the check character is wrong")
    primary, *more = text[1:-1].split("/")
    if _HIBCC_PRIMARY.fullmatch(primary) is None:
        raise ValueError("no labeler, product and unit of measure")
    yield "device_identifier", primary
    for part in more:
        yield from _hibcc_secondary(part)


def _hibcc_secondary(part: str) -> Iterator[tuple[str, str]]:
    if part.startswith(("14D", "16D")):
        yield "expires" if part[1] == "4" else "manufactured", _date(part[3:], "yyyymmdd")
    elif part.startswith("$"):
        rest = part.lstrip("$")
        name = "serial" if rest.startswith("+") else "lot"
        rest = rest.removeprefix("+")
        if part.startswith("$$"):
            expires, rest = _hibcc_date(rest)
            yield from [("expires", expires)] if expires else []
        yield from [(name, rest)] if rest else []
    elif part.startswith("S"):
        yield "serial", part[1:]
    elif part[:5].isdigit():
        yield "expires", _date(part[:5], "yyjjj")
        yield from [("lot", part[5:])] if part[5:] else []


def _hibcc_date(rest: str) -> tuple[str, str]:
    """The expiration date, behind a quantity where there is one, and what follows it."""
    rest = rest[{"8": 3, "9": 6}.get(rest[:1], 0) :]
    if rest[:1] in ("0", "1"):
        return _date(rest[:4], "mmyy"), rest[4:]
    form = _HIBCC_DATES.get(rest[:1])
    if form is None:
        raise ValueError("no form of a date")
    end = 1 + len(form)
    return (_date(rest[1:end], form) if form else ""), rest[end:]


def _iccbba(text: str) -> Iterator[tuple[str, str]]:
    names = {"device": "device_identifier", "container": "device_identifier", "container_lot": "lot"}
    at = 0
    while at < len(text):
        found = _ICCBBA.match(text, at)
        if found is None:
            raise ValueError("no data structure begins here")
        kind, value = str(found.lastgroup), found[str(found.lastgroup)]
        if kind in ("expires", "manufactured"):
            yield kind, _date(("1" if value[0] == "9" else "2") + value, "yyyyjjj")
        elif kind not in ("donation", "compound"):
            yield names.get(kind, kind), value
        at = found.end()


def _date(digits: str, form: str) -> str:
    """ISO 8601. No day, or day 00, is the last of the month."""
    if len(digits) != len(form) or not digits.isascii() or not digits.isdigit():
        raise ValueError("no date")
    said = {letter: digits[form.index(letter) : form.rindex(letter) + 1] for letter in dict.fromkeys(form)}
    year = int(said["y"]) if len(said["y"]) == 4 else 2000 + int(said["y"])
    if "j" in said:
        found = date(year, 1, 1) + timedelta(days=int(said["j"]) - 1)
        if found.year != year:
            raise ValueError("no day of that year")
        return found.isoformat()
    month = int(said["m"])
    day = int(said.get("d", "0")) or monthrange(year, month)[1]
    return date(year, month, day).isoformat()
