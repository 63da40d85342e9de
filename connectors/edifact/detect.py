"""Where an interchange begins, and with which service characters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.edifact.delimiters import Delimiters, by_default, from_una
from connectors.edifact.errors import EdifactError
from connectors.edifact.limits import past
from connectors.edifact.window import Window

BLANK = " \t\r\n\0\x1a"
_LOOK_AHEAD = 1_024
_UNA = 9
_SERVICE = re.compile(f"[{BLANK}]*(UN[BGH])")
_LINES = re.compile(r"UNB\+[^'\r\n]{1,800}([\r\n])[\r\n]*UN[GH]\+")
_USUAL_SYNTAX, _USUAL_DATE = re.compile("[A-Z]{4}[1-4]"), re.compile("[0-9]{6}([0-9]{2})?:[0-9]{4}")
_FOLLOWS = re.compile(f"[{BLANK}]*UN[GHZ][^A-Za-z0-9]")
_BOM = "\xef\xbb\xbf"
_LEADING = re.compile(f"(?:{_BOM})?[{BLANK}]*")
_POSSIBLE = re.compile(r"(?<![A-Za-z0-9])UN(?:A|B[^A-Za-z0-9\s])")


@dataclass(frozen=True)
class Beginning:
    """``una`` is None where there is none; ``syntax_id`` and ``syntax_version`` are those of UNB S001."""

    una: str | None
    delimiters: Delimiters
    syntax_id: str
    syntax_version: str
    has_header: bool


def first(window: Window) -> tuple[str, Beginning]:
    """What stands before the first interchange, and its beginning; ``at`` is moved there.

    Raises ``EdifactError`` where the stream begins with none.
    """
    before = _skip(window)
    found = at(window, is_first=True)
    if found is None:
        window.has(12)
        seen = window.text[window.at : window.at + 12]
        raise EdifactError(
            f"this is no EDIFACT interchange: it should begin with UNA or UNB, found {seen!r}"
            if seen
            else "this is no EDIFACT interchange: there is nothing in it",
            position=window.position,
            code="header_missing",
            next_action="check that it is an EDIFACT file, complete and not encrypted or compressed",
        )
    return before, found


def following(window: Window, limit: int) -> tuple[str, Beginning | None]:
    """The text up to the next interchange, and its beginning; None at the end of the stream.

    Raises ``EdifactError`` for text past the limit.
    """
    if (found := at(window)) is not None:
        return "", found
    parts: list[str] = []
    while True:
        possible = _POSSIBLE.search(window.text, window.at)
        if possible is not None:
            parts.append(window.take(possible.start()))
            found = at(window)
            if found is not None:
                return "".join(parts), found
            parts.append(window.take(window.at + 3))
            continue
        parts.append(window.take(max(window.at, len(window.text) - 4)))
        if not window.fill():
            parts.append(window.take(len(window.text)))
            return "".join(parts), None
        if len(parts) > limit or sum(map(len, parts)) > limit:
            raise past(f"more than {limit} bytes stand between two interchanges", "text_outside", window.position)


def at(window: Window, *, is_first: bool = False) -> Beginning | None:
    """The interchange that begins where the window stands, or None.

    The first of a file may lack UNB. Raises ``EdifactError`` for one whose service characters cannot work.
    """
    window.has(_LOOK_AHEAD)
    text = window.text[window.at : window.at + _LOOK_AHEAD]
    try:
        return _una(text, is_first) if text.startswith("UNA") else _plain(text, is_first)
    except EdifactError as error:
        if not is_first:
            return None
        raise EdifactError(
            error.message, position=window.position, code=error.code, next_action=error.next_action
        ) from None


def glued(text: str, separator: str) -> bool:
    """Whether an interchange begins with this text, which stands in the midst of a segment whose end was lost.

    Data may hold the letters UNB, so more is asked than at the beginning of a segment: syntax, sender, receiver,
    date and time; where it has another separator than the segment, which might quote one, what may follow too.
    """
    try:
        found = _una(text, False) if text.startswith("UNA") else _plain(text, False)
    except EdifactError:
        return False
    if found is None or not found.has_header or not _USUAL_SYNTAX.fullmatch(found.syntax_id + found.syntax_version):
        return False
    signs = found.delimiters
    header, _, behind = text[text.index("UNB") :].partition(signs.segment)
    elements = header.split(signs.element)
    if len(elements) < 6 or not (elements[2] and elements[3]):
        return False
    is_dated = _USUAL_DATE.fullmatch(elements[4].replace(signs.component, ":")) is not None
    return is_dated and (signs.element == separator or _FOLLOWS.match(behind) is not None)


def _una(text: str, is_first: bool) -> Beginning | None:
    una = text[3:_UNA]
    service = _SERVICE.match(text, _UNA)
    if len(una) < 6 or not (service or is_first):
        return None
    has_header = service is not None and service[1] == "UNB"
    syntax = _syntax(text[service.end() :], una[1], una[0], una[5]) if has_header and service else ("", "")
    return Beginning(una, from_una(una, syntax[1]), *syntax, has_header)


def _plain(text: str, is_first: bool) -> Beginning | None:
    if text[:3] not in (("UNB", "UNG", "UNH") if is_first else ("UNB",)):
        return None
    default = by_default(text[3:4], "3")
    if default is None:
        return None
    if text[:3] != "UNB":
        return Beginning(None, default, "", "", False)
    syntax = _syntax(text[3:], default.element, default.component, default.segment)
    delimiters = by_default(text[3], syntax[1])
    assert delimiters is not None
    lines = _LINES.match(text)
    if lines:
        delimiters = Delimiters(repetition=delimiters.repetition, segment=lines[1])
    return Beginning(None, delimiters, *syntax, True)


def _syntax(text: str, element: str, component: str, terminator: str) -> tuple[str, str]:
    """S001 of the text that follows ``UNB``: 0001 and 0002."""
    whole = text.split(terminator, 1)[0].split(element, 2)
    parts = whole[1].split(component) if len(whole) > 1 else [""]
    return parts[0].strip(BLANK)[:8], (parts[1].strip(BLANK)[:2] if len(parts) > 1 else "")


def _skip(window: Window) -> str:
    window.has(_LOOK_AHEAD)
    match = _LEADING.match(window.text)
    assert match is not None
    window.at = match.end()
    return match[0]


def has_byte_order_mark(before: str) -> bool:
    return _BOM in before
