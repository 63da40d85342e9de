"""From the lossless view back to bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.edifact.charsets import checked
from connectors.edifact.delimiters import Delimiters, from_una
from connectors.edifact.events import (
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    LooseSegment,
    MessageRead,
    Rest,
    events_of,
)
from connectors.edifact.lossless import Document, Interchange, Segment
from connectors.edifact.segment import Signs
from connectors.edifact.shape import bad, document_of

_LINE_ENDS = str.maketrans("", "", "\r\n")


def write(document: Document) -> bytes:
    """The bytes of a lossless view: exactly those that ``read`` was given.

    Raises ``EdifactError`` where the JSON is no lossless view, a character does not fit the encoding, or a
    delimiter in the data cannot be released.
    """
    return b"".join(write_stream(events_of(document_of(document))))


def write_stream(events: Iterable[Event]) -> Iterator[bytes]:
    """The same for events as ``stream`` gives them, piece by piece."""
    writing: _Writing | None = None
    for event in events:
        match event:
            case InterchangeBegins(interchange):
                writing = _Writing(interchange)
                yield writing.beginning()
            case MessageRead(message):
                assert writing is not None
                yield writing.segments(message["segments"])
            case GroupBegins(segment) | GroupEnds(segment) | InterchangeEnds(segment) | LooseSegment(segment):
                assert writing is not None
                yield writing.segments([segment] if segment is not None else [])
            case Rest(text):
                yield _encoded(text, "latin-1", "trailing")


class _Writing:
    """One interchange."""

    def __init__(self, interchange: Interchange) -> None:
        self._tree = interchange
        self._signs = Signs(delimiters_of(interchange))
        self._encoding = checked(interchange["encoding"])

    def beginning(self) -> bytes:
        tree = self._tree
        una = "" if tree["una"] is None else f"UNA{tree['una']}"
        before = _encoded(tree["before"] + una, "latin-1", "before")
        header = tree["header"]
        return before if header is None else before + self._segment(header, header.get("glue", ""))

    def segments(self, segments: list[Segment]) -> bytes:
        usual = self._tree["glue"]
        return b"".join(self._segment(segment, segment.get("glue", usual)) for segment in segments)

    def _segment(self, segment: Segment, glue: str) -> bytes:
        encoding = checked(segment["encoding"]) if "encoding" in segment else self._encoding
        text = self._text(segment)
        end = "" if segment.get("unterminated") is True else self._signs.terminator
        return _encoded(glue, "latin-1", "glue") + _encoded(text + end, encoding, segment["id"])

    def _text(self, segment: Segment) -> str:
        raw = segment.get("raw")
        if raw is not None:
            body = raw.translate(_LINE_ENDS) if self._tree["wrapped"] else raw
            again = self._signs.split(body)
            if (again["id"], again["elements"]) == (segment["id"], segment["elements"]) and self._is_one(body):
                return raw
        return self._signs.join(segment)

    def _is_one(self, body: str) -> bool:
        """Whether no terminator in it ends the segment."""
        release, terminator = self._signs.release, self._signs.terminator
        if release:
            body = body.replace(release * 2, "").replace(release + terminator, "")
        return terminator not in body


def delimiters_of(interchange: Interchange) -> Delimiters:
    """Those that stand in the view. Raises ``EdifactError`` where they cannot work or UNA says otherwise."""
    delimiters = Delimiters(**interchange["delimiters"])
    una = interchange["una"]
    if una is not None and from_una(una, "4" if delimiters.repetition else "3") != delimiters:
        raise bad("/una", f"una is {una!r}, the delimiters say {delimiters.una()!r}")
    return delimiters


def _encoded(text: str, encoding: str, place: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise bad(place, f"{character!r} cannot be written as {encoding}", "character_set") from None
