"""From bytes to the lossless view, all at once or as a stream of events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from connectors.edifact import detect
from connectors.edifact.batch import Batch, cut
from connectors.edifact.charsets import checked, decode, encoding_of
from connectors.edifact.detect import BLANK, Beginning
from connectors.edifact.errors import EdifactError
from connectors.edifact.events import Event, InterchangeBegins, Rest, gathered
from connectors.edifact.limits import Limits, past
from connectors.edifact.lossless import Document, Interchange, Segment
from connectors.edifact.placing import SERVICE, Placing
from connectors.edifact.segment import Signs
from connectors.edifact.window import Window, blocks

_MARK = re.compile("UN[AB]")
_BEGINNINGS = frozenset(("UNA", "UNB"))
_LOOKED_AT = SERVICE | _BEGINNINGS
#: Tells how an interchange is encoded.
Choice = Callable[[Interchange], str | None]
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
    encoding: str | Choice | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> Iterator[Event]:
    """The same as events, with one message in memory. Chunks of 64 to 256 KB are best.

    ``encoding`` may be what chooses one, or none, for an interchange of which the header is known. Raises
    ``EdifactError`` as ``read``, when the place is reached.
    """
    window = Window(chunks, limits)
    before, beginning = detect.first(window)
    while True:
        reading = _Reading(window, before, beginning, limits, encoding)
        yield from reading.events()
        before, following = detect.following(window, limits.outside)
        before = reading.left + before
        if following is None:
            break
        beginning = following
    if before:
        yield Rest(before)


class _Reading:
    """One interchange being read. ``left`` is text that was read and belongs to none of its segments.

    ``_stop`` is the byte at which another begins, once that is seen.
    """

    def __init__(
        self, window: Window, before: str, beginning: Beginning, limits: Limits, encoding: str | Choice | None
    ) -> None:
        self._choice = encoding if callable(encoding) else None
        encoding = None if callable(encoding) else encoding
        by_mark = "utf-8" if detect.has_byte_order_mark(before) else None
        self.left = ""
        self._window, self._limits = window, limits
        self._signs = Signs(beginning.delimiters)
        self._encoding = checked(encoding or by_mark or encoding_of(beginning.syntax_id))
        self._blank = "".join(one for one in BLANK if one not in beginning.delimiters.characters())
        self._has_header, self._read, self._ended = beginning.has_header, 0, False
        self._is_decoded = self._is_long = False
        self._stop: int | None = None
        self._first: Segment | None = None
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
        window = self._window
        window.restart()
        if self._tree["una"] is not None:
            window.at += 9
        while not self._ended and (text := self._batch()):
            yield from self._events_of(text)
        if not self._ended:
            yield from self._unterminated()
        if self._read < 2:
            yield from self._begin()
        yield from self._placing.end(window.position - len(self.left))

    def _batch(self) -> str:
        """The next text that ends in a terminator of this interchange; empty where it has no more."""
        window, signs = self._window, self._signs
        if self._stop is not None:
            return ""
        try:
            text = window.batch(signs.terminator, signs.release)
        except EdifactError:
            window.start = window.at
            if self._glued(window.text[window.at : window.at + self._limits.segment]) < 0:
                raise
            text = ""
        else:
            window.start = window.at - len(text)
            glued = self._glued(text or window.text[window.at :])
            if text and glued >= 0:
                window.at = window.start
                window.at = window.last(signs.terminator, signs.release, window.start + glued)
                text = window.text[window.start : window.at]
        return text

    def _glued(self, text: str) -> int:
        """Where in text that begins at the window's ``start`` another interchange begins, be it in the midst of a
        segment, which is noted; -1: nowhere."""
        if "UNB" not in text and "UNA" not in text:
            return -1
        window, element = self._window, self._signs.element
        for found in _MARK.finditer(text):
            at = found.start()
            is_own = not self._read and not text[:at].strip(self._blank)
            if not is_own and detect.glued(window.behind(window.start + at), element):
                self._stop = window.offset + window.start + at
                return at
        return -1

    def _events_of(self, text: str) -> Iterator[Event]:
        """Of a batch up to the end of the interchange; the window stands behind it.

        What begins or ends something is looked at by itself. The runs between are split only when their turn
        comes: what lives in memory as objects is one message, not a batch.
        """
        glue = self._tree["glue"] if self._read > 1 else ""
        batch = cut(text, self._signs.terminator, self._signs.release, glue, self._blank)
        self._check_lengths(batch)
        self._is_decoded = text.isascii() or self._encoding == "latin-1"
        begun = 0
        for index in self._single(text, batch.bodies):
            if begun < index:
                yield from self._run(batch, begun, index)
            begun = index + 1
            if batch.bodies[index][:3] in _BEGINNINGS and self._read and self._begins_another(batch, index):
                return
            segment = self._one(batch.bodies[index], batch.lead(index))
            yield from self._placed(segment)
            if segment["id"] == "UNZ":
                self._window.at = self._window.start + batch.begins(index + 1)
                self._ended = True
                return
        if begun < len(batch.bodies):
            yield from self._run(batch, begun, len(batch.bodies))
        self._note_empty(batch.rest)

    def _single(self, text: str, bodies: list[str]) -> Iterator[int]:
        """The indexes of segments to be looked at one by one; asks after each what the one before has changed."""
        begun = 0
        while begun < len(bodies) and (self._read < 2 or self.left or self._tree["wrapped"]):
            yield begun
            begun += 1
        if begun == len(bodies):
            return
        found = [index for index, body in enumerate(bodies) if body[:3] in _LOOKED_AT]
        if self._is_disguised(text):
            release = self._signs.release
            found = sorted({*found, *(index for index, body in enumerate(bodies) if release in body)})
        yield from (index for index in found if index >= begun) if begun else found

    def _is_disguised(self, text: str) -> bool:
        """Whether a tag that begins or ends something may hold a needless release character."""
        release = self._signs.release
        return bool(release) and (f"U{release}N" in text or f"UN{release}" in text or f"{release}UN" in text)

    def _run(self, batch: Batch, begin: int, end: int) -> Iterator[Event]:
        """Of segments of which none begins or ends anything."""
        bodies = batch.bodies[begin:end]
        signs, encoding = self._signs, self._encoding
        if self._is_decoded:
            segments = signs.split_all(bodies)
        else:
            segments = [
                signs.split(body) if body.isascii() else signs.split_decoded(body, encoding) for body in bodies
            ]
        if batch.leads is not None:
            usual = self._tree["glue"]
            for segment, lead in zip(segments, batch.leads[begin:end], strict=True):
                if lead != usual:
                    segment["glue"] = lead
        if self._is_long:
            for segment in segments:
                self._check_elements(segment)
        self._read += len(segments)
        return self._placing.run(segments, self._window.position)

    def _one(self, body: str, lead: str) -> Segment:
        segment = self._unusual(body)
        if self._choice is not None and not self._read:
            header = segment if self._has_header else None
            if chosen := self._choice({**self._tree, "header": header}):
                self._encoding = self._tree["encoding"] = checked(chosen)
                self._is_decoded = False
                segment = self._unusual(body)
        self._note_glue(segment, lead)
        self._check_elements(segment)
        return segment

    def _placed(self, segment: Segment) -> Iterator[Event]:
        """The first waits for the second, with which the glue of the interchange is known."""
        self._read += 1
        if self._read == 1:
            self._first = segment
            return
        if self._read == 2:
            yield from self._begin()
        yield from self._placing.one(segment, self._window.position)

    def _begin(self) -> Iterator[Event]:
        first = self._first
        if self._has_header:
            self._tree["header"] = first
        yield InterchangeBegins(self._tree)
        if first is not None and not self._has_header:
            yield from self._placing.one(first, self._window.position)

    def _check_lengths(self, batch: Batch) -> None:
        longest = batch.longest()
        self._is_long = longest > self._limits.elements
        if longest > self._limits.segment:
            for index, body in enumerate(batch.bodies):
                self._window.limit(len(batch.lead(index)) + len(body), self._window.start + batch.begins(index))

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

    def _note_empty(self, text: str) -> None:
        self.left += text
        if len(self.left) > self._limits.segment:
            message = f"empty segments of more than {self._limits.segment} bytes follow each other"
            raise past(message, "segment_too_long", self._window.position)

    def _begins_another(self, batch: Batch, index: int) -> bool:
        """Whether an interchange begins at this segment; then the window is moved there."""
        window, lead = self._window, batch.lead(index)
        start = window.start + batch.begins(index) + len(lead)
        behind = window.at - start
        window.at = start
        if detect.at(window) is None:
            window.at += behind
            return False
        self.left += lead  # looking may have read on: text before this place is gone from the window
        self._ended = True
        return True

    def _unterminated(self) -> Iterator[Event]:
        window = self._window
        end = len(window.text) if self._stop is None else self._stop - window.offset
        rest = window.text[window.at : end]
        body = rest.lstrip(self._blank)
        if not body:
            return
        window.at = end
        whole = body.rstrip("".join(one for one in self._blank if one != " ")) or body
        segment = self._one(whole, rest[: len(rest) - len(body)])
        self.left = body[len(whole) :]
        segment["unterminated"] = True
        yield from self._placed(segment)

    def _check_elements(self, segment: Segment) -> None:
        if len(segment["elements"]) > self._limits.elements:
            message = f"segment {segment['id'][:12]!r} has more than {self._limits.elements} elements"
            raise past(message, "segment_too_long", self._window.position)
