"""From the lossless view back to bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.sdk.lossless import LosslessView
from connectors.x12.delimiters import Delimiters, Marks
from connectors.x12.errors import X12Error
from connectors.x12.lossless import Document, Interchange, Segment, TransactionSet

VIEW = LosslessView("x12", X12Error)
_bad, _object, _list, _text = VIEW.bad, VIEW.object_at, VIEW.list_at, VIEW.text_at
_ENCODINGS = ("utf-8", "latin-1", "ascii")


def write(document: Document) -> bytes:
    """The bytes of a lossless view: exactly those that ``read`` was given.

    Raises ``X12Error`` where the JSON is no lossless view or an element holds a delimiter.
    """
    interchanges = _list(_object(document, "document"), "interchanges", "document")
    parts: list[bytes] = []
    encoding = "utf-8"
    for number, interchange in enumerate(interchanges):
        place = f"/interchanges/{number}"
        encoding = _encoding(_object(interchange, place), place)
        parts += _interchange(interchange, encoding, place)
    if document.get("trailing_encoding") is not None:
        encoding = _encoding({"encoding": document["trailing_encoding"]}, "/trailing_encoding")
    parts.append(_encode(_text(document, "trailing", "document"), encoding, "/trailing"))
    return b"".join(parts)


def _interchange(interchange: Interchange, encoding: str, place: str) -> Iterator[bytes]:
    delimiters = _delimiters(interchange, place)
    if "header" not in interchange:
        raise _bad(place, "the ISA segment, header, is missing")
    glue = _text(interchange, "glue", place)
    marks = _marks(delimiters, encoding, encoding, place)
    texts = [_text(interchange, "before", place)]
    for where, segment in walk(interchange, place):
        own = _object(segment, where).get("encoding")
        if own is None:
            texts.append(_segment(segment, marks, where))
        else:
            yield _encode("".join(texts), encoding, place)
            own = _encoding(segment, where)
            yield _encode(_segment(segment, _marks(delimiters, encoding, own, where), where), own, where)
            texts = []
        if segment.get("unterminated") is not True:
            texts += (delimiters.segment, _text(segment, "glue", where) if "glue" in segment else glue)
    yield _encode("".join(texts), encoding, place)


def _marks(delimiters: Delimiters, encoding: str, shown_in: str, place: str) -> Marks:
    try:
        return delimiters.marks(encoding, shown_in)
    except UnicodeError:
        raise _bad(place, f"a delimiter cannot be written as {encoding} or {shown_in}") from None


def walk(interchange: Interchange, place: str = "") -> Iterator[tuple[str, Segment]]:
    """Every segment in the order of the file, with its JSON pointer."""
    yield f"{place}/header", interchange["header"]
    yield from _walk_list(interchange, "segments", place)
    for number, group in enumerate(_list(interchange, "groups", place)):
        yield from _walk_group(_object(group, place), f"{place}/groups/{number}")
    trailer = interchange.get("trailer")
    if trailer is not None:
        yield f"{place}/trailer", trailer


def _walk_group(group: Any, place: str) -> Iterator[tuple[str, Segment]]:
    if group.get("header") is not None:
        yield f"{place}/header", group["header"]
    yield from _walk_list(group, "segments", place)
    for number, one in enumerate(_list(group, "sets", place)):
        yield from walk_set(_object(one, place), f"{place}/sets/{number}")
    if group.get("trailer") is not None:
        yield f"{place}/trailer", group["trailer"]


def walk_set(transaction_set: TransactionSet | Any, place: str = "") -> Iterator[tuple[str, Segment]]:
    """Every segment of a set, with its JSON pointer."""
    yield from _walk_list(transaction_set, "segments", place)


def _walk_list(holder: Any, key: str, place: str) -> Iterator[tuple[str, Segment]]:
    for number, segment in enumerate(_list(holder, key, place)):
        yield f"{place}/{key}/{number}", segment


def _segment(segment: Segment, marks: Marks, place: str) -> str:
    """The segment without its terminator."""
    name = _text(segment, "id", place)
    elements = _list(segment, "elements", place)
    texts = [one if isinstance(one, str) else _element(one, marks, place) for one in elements]
    text = marks.element.join([name, *texts])
    is_binary = segment.get("binary") is True
    if not is_binary and (text.count(marks.element) != len(elements) or marks.segment in text):
        raise _bad(place, f"segment {name} has an element that holds a delimiter: {text[:80]!r}")
    return text


def _element(element: Any, marks: Marks, place: str) -> str:
    """Of one that is no text."""
    if isinstance(element, dict) and isinstance(element.get("repeat"), list) and marks.repetition:
        return marks.repetition.join(_composite(one, marks, place) for one in element["repeat"])
    return _composite(element, marks, place)


def _composite(element: Any, marks: Marks, place: str) -> str:
    if isinstance(element, str):
        return element
    if isinstance(element, list) and all(isinstance(component, str) for component in element):
        return marks.component.join(element)
    raise _bad(place, 'an element must be text, a list of texts, or {"repeat": [...]} with a repetition separator')


def _delimiters(interchange: Interchange, place: str) -> Delimiters:
    given = _object(interchange.get("delimiters"), f"{place}/delimiters")
    names = ("element", "component", "segment", "repetition")
    return Delimiters(**{name: _text(given, name, f"{place}/delimiters") for name in names})


def _encoding(interchange: Any, place: str) -> str:
    encoding = interchange.get("encoding", "utf-8")
    if encoding not in _ENCODINGS:
        raise _bad(place, f"encoding must be one of {', '.join(_ENCODINGS)}, not {encoding!r}")
    return str(encoding)


def _encode(text: str, encoding: str, place: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise _bad(place, f"{text[error.start]!r} cannot be written as {encoding}") from None
