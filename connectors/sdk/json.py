"""Strict JSON, for what comes from outside: a document means the same to everybody who reads it.

Source: RFC 8259, narrowed to I-JSON (RFC 7493): UTF-8, no member twice (2.3), no lone surrogates (2.1), and
numbers that a double holds exactly enough (2.2).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

#: Whole numbers up to this one are the same to every reader (RFC 7493, 2.2).
LARGEST_WHOLE: Final = 2**53 - 1
_DEEPEST: Final = 200
_LONGEST_NUMBER: Final = 400
_TOKENS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]|-?(?:\d[\d.eE+-]*|Infinity)|NaN', re.DOTALL)
_STRINGS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")
_ONE_KIND: Final = str.maketrans("{}", "[]")
#: Strings, the keys among them with their colon, and the ends of objects.
_KEYS: Final = re.compile(r'("(?:[^"\\]|\\.)*+")(\s*:)?|[{}]')
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPES: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class NotJson(ValueError):
    """What is wrong and where; ``line`` and ``column`` count from 1 and are 0 where that says nothing."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class _KeyTwice(Exception):
    """In some object."""


class _BadNumber(Exception):
    def __init__(self, token: str, why: str) -> None:
        super().__init__(token)
        self.token = token
        self.why = why


def parse_json(raw: bytes | str) -> Any:
    """The document. Raises ``NotJson`` that says what is wrong and where: not UTF-8, not JSON, nested more than
    200 levels deep, a key twice in one object, a number that is not finite, a whole number beyond 2^53, half of a
    surrogate pair."""
    text = _text(raw)
    if text.count("[") + text.count("{") > _DEEPEST and _may_be_deep(text) and _depth(text) > _DEEPEST:
        raise NotJson(f"nested too deeply: more than {_DEEPEST} levels")
    try:
        document = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite, parse_int=_whole
        )
    except json.JSONDecodeError as error:
        raise _not_json("not JSON", text, error.pos, f": {error.msg}") from error
    except _BadNumber as bad:
        at = next(token.start() for token in _TOKENS.finditer(text) if token[0] == bad.token)
        raise _not_json(bad.token[:40], text, at, f" {bad.why}") from None
    except _KeyTwice:
        key, at = _second(text)
        raise _not_json(f"the key {key!r}", text, at, " stands twice in one object") from None
    if _SURROGATE.search(text):
        _refuse_half_pairs(text)
    return document


def _text(raw: bytes | str) -> str:
    try:
        if isinstance(raw, bytes):
            return raw.decode("utf-8")
        raw.encode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise NotJson(f"half of a surrogate pair at character {error.start}") from error
    return raw


def _may_be_deep(text: str) -> bool:
    """Whether brackets are left once as many levels as allowed were taken away, the innermost first; they are, too,
    where they do not match. A fraction of what counting them one by one costs."""
    outside = _STRINGS.sub("", text) if "\\" in text else "".join(text.split('"')[::2])
    brackets = _NO_BRACKETS.sub("", outside).translate(_ONE_KIND)
    for _ in range(_DEEPEST):
        if not brackets:
            return False
        brackets = brackets.replace("[]", "")
    return bool(brackets)


def _depth(text: str) -> int:
    """How deep arrays and objects nest; brackets inside strings do not count."""
    depth = deepest = 0
    for mark in _TOKENS.finditer(text):
        if mark[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in "]}":
            depth -= 1
    return deepest


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _KeyTwice
    return made


def _second(text: str) -> tuple[str, int]:
    """The first key that its object has already, and where it stands; the text is JSON up to there."""
    objects: list[set[str]] = []
    for token in _KEYS.finditer(text):
        if token[0] == "{":
            objects.append(set())
        elif token[0] == "}":
            objects.pop()
        elif token[2]:
            key = json.loads(token[1])
            if key in objects[-1]:
                return key, token.start()
            objects[-1].add(key)
    raise AssertionError("no key stands twice")


def _constant(token: str) -> NoReturn:
    raise _BadNumber(token, "is not JSON")


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise _BadNumber(token, "is too large for a number: write it as a string")
    return value


def _whole(token: str) -> int:
    if len(token) <= _LONGEST_NUMBER and abs(value := int(token)) <= LARGEST_WHOLE:
        return value
    raise _BadNumber(token, "is a whole number beyond 2^53, which not every reader keeps: write it as a string")


def _refuse_half_pairs(text: str) -> None:
    for escape in _ESCAPES.finditer(text):
        if escape[1] is not None:
            why = " is half of a surrogate pair and stands for no character"
            raise _not_json(escape[0], text, escape.start(), why)


def _not_json(what: str, text: str, at: int, why: str) -> NotJson:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return NotJson(f"{what} at line {line}, column {column}{why}", line, column)
