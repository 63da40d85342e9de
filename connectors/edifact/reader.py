"""From bytes to the lossless view, all at once or as a stream of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.edifact import detect
from connectors.edifact.charsets import checked, decode, encoding_of
from connectors.edifact.detect import BLANK, Beginning
from connectors.edifact.errors import EdifactError
from connectors.edifact.events import Event, InterchangeBegins, Rest, gathered
from connectors.edifact.limits import Limits, past
from connectors.edifact.lossless import Document, Interchange, Segment
from connectors.edifact.placing import Placing
from connectors.edifact.segment import Signs
from connectors.edifact.window import Window, blocks

_BEGINNINGS = ("UNA", "UNB")
_LINE_ENDS = str.maketrans("", "", "\r\n")


def read(raw: bytes, *, encoding: str | None = None, limits: Limits = Limits()) -> Document:  # noqa: B008
    """The lossless view of a file of one or more interchanges; ``write`` gives the same bytes back.

    ``encoding`` replaces the character set that UNB names. Wrong counts, numbers and missing trailers are no
    errors here (see ``faults``). Raises ``EdifactError`` where the file does not begin with an interchange, has
    service characters that cannot work, or goes past the limits.
    """
    if len(raw) > limits.size:
        message = f"the file has {len(raw)} bytes, more than the {limits.size} allowed"
        raise past(message, "file_too_large", limits.size)
    return gathered(stream(blocks(raw), encoding=encoding, limits=limits))


def stream(
    chunks: Iterable[bytes],
    *,
    encoding: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> Iterator[Event]:
    """The same as events, with one message in memory. Chunks of 64 to 256 KB are best.

    Raises ``EdifactError`` as ``read``, when the place is reached.
    """
    window = Window(chunks, limits)
    before, beginning = detect.first(window)
    while True:
        reading = _Reading(window, before, beginning, limits, encoding)
        yield from reading.events()
        before, following = detect.following(window, limits.segment)
        before = reading.left + before
        if following is None:
            break
        beginning = following
    if before:
        yield Rest(before)


class _Reading:
    """One interchange being read. ``left`` is text that was read and belongs to none of its segments."""

    def __init__(
        self, window: Window, before: str, beginning: Beginning, limits: Limits, encoding: str | None
    ) -> None:
        by_mark = "utf-8" if detect.has_byte_order_mark(before) else None
        self.left = ""
        self._window, self._limits = window, limits
        self._signs = Signs(beginning.delimiters)
        self._encoding = checked(encoding or by_mark or encoding_of(beginning.syntax_id))
        self._blank = "".join(one for one in BLANK if one not in beginning.delimiters.characters())
        self._has_header, self._read, self._ended = beginning.has_header, 0, False
        self._placing = Placing(limits)
        self._tree: Interchange = {
            "before": before,
            "una": beginning.una,
            "encoding": self._encoding,
            "delimiters": beginning.delimiters.as_json(),
            "glue": "",
            "wrapped": False,
            "header": None,
            "segments": [],
            "groups": [],
            "trailer": None,
        }

    def events(self) -> Iterator[Event]:
        """Up to UNZ, the beginning of another interchange, or the end of the stream."""
        window, signs = self._window, self._signs
        window.restart()
        if self._tree["una"] is not None:
            window.at += 9
        if not self._has_header:
            yield InterchangeBegins(self._tree)
        while not self._ended and (pieces := window.batch(signs.terminator, signs.release)):
            yield from self._events_of(self._parsed(pieces))
        if not self._ended:
            yield from self._events_of(self._unterminated())
        yield from self._placing.end()

    def _events_of(self, segments: list[Segment]) -> Iterator[Event]:
        if segments and self._has_header and self._tree["header"] is None:
            self._tree["header"] = segments.pop(0)
            yield InterchangeBegins(self._tree)
        yield from self._placing.events(segments, self._window.position)

    def _parsed(self, pieces: list[str]) -> list[Segment]:
        """The segments of a batch up to the end of the interchange; the window stands behind them."""
        split, blank, most = self._signs.split, self._blank, self._limits.elements
        glue, wrapped = self._tree["glue"], self._tree["wrapped"]
        is_ascii = "".join(pieces).isascii()
        segments: list[Segment] = []
        for index, piece in enumerate(pieces):
            body = piece.lstrip(blank)
            if not body:
                self._note_empty(piece)
                continue
            tag = body[:3]
            if tag in _BEGINNINGS and self._read and self._begins_another(pieces, index, len(body)):
                break
            if self._read < 2 or wrapped or self.left or not (is_ascii or body.isascii()):
                segment = self._unusual(body)
                self._note_glue(segment, piece[: len(piece) - len(body)])
                glue, wrapped = self._tree["glue"], self._tree["wrapped"]
            else:
                segment = split(body)
                if (len(piece) != len(body) or glue) and (lead := piece[: len(piece) - len(body)]) != glue:
                    segment["glue"] = lead
            if len(segment["elements"]) > most:
                raise self._too_many(segment)
            self._read += 1
            segments.append(segment)
            if tag == "UNZ" and segment["id"] == "UNZ":
                self._end(pieces, index + 1)
                break
        return segments

    def _unusual(self, body: str) -> Segment:
        """A segment that begins the interchange, stands in wrapped lines, or holds more than ASCII."""
        if not self._read and ("\r" in body or "\n" in body):
            self._tree["wrapped"] = self._has_header
        unwrapped = body.translate(_LINE_ENDS) if self._tree["wrapped"] else body
        segment = self._split(unwrapped)
        if unwrapped == body:
            return segment
        used = segment.get("encoding", self._encoding)
        raw, fitting = decode(body, used)
        if fitting != used:  # a line end parts the bytes of one character
            segment = self._signs.split(unwrapped)
            segment["encoding"], raw = "latin-1", body
        segment["raw"] = raw
        return segment

    def _split(self, body: str) -> Segment:
        return self._signs.split(body) if body.isascii() else self._signs.split_decoded(body, self._encoding)

    def _note_glue(self, segment: Segment, lead: str) -> None:
        lead, self.left = self.left + lead, ""
        if self._read == 1:
            self._tree["glue"] = lead
        elif self._read == 0:
            if lead or not self._has_header:
                segment["glue"] = lead
        elif lead != self._tree["glue"]:
            segment["glue"] = lead

    def _note_empty(self, piece: str) -> None:
        self.left += piece + self._signs.terminator
        if len(self.left) > self._limits.segment:
            message = f"empty segments of more than {self._limits.segment} bytes follow each other"
            raise past(message, "segment_too_long", self._window.position)

    def _begins_another(self, pieces: list[str], index: int, length: int) -> bool:
        """Whether an interchange begins at this piece; then the window is moved there."""
        window = self._window
        end = window.at
        start = window.start + sum(map(len, pieces[: index + 1])) + index - length
        behind = end - start
        window.at = start
        if detect.at(window) is None:
            window.at += behind
            return False
        window.at -= len(pieces[index]) - length
        self._ended = True
        return True

    def _end(self, pieces: list[str], count: int) -> None:
        self._window.at = self._window.start + sum(map(len, pieces[:count])) + count
        self._ended = True

    def _unterminated(self) -> list[Segment]:
        window = self._window
        rest = window.text[window.at :]
        body = rest.lstrip(self._blank)
        if not body:
            return []
        window.at = len(window.text)
        segment = self._unusual(body)
        self._note_glue(segment, rest[: len(rest) - len(body)])
        segment["unterminated"] = True
        if len(segment["elements"]) > self._limits.elements:
            raise self._too_many(segment)
        return [segment]

    def _too_many(self, segment: Segment) -> EdifactError:
        message = f"segment {segment['id'][:12]!r} has more than {self._limits.elements} elements"
        return past(message, "segment_too_long", self._window.position)
