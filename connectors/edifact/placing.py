"""Which group and message a segment belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.edifact.events import (
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeEnds,
    LooseSegment,
    MessageRead,
)
from connectors.edifact.limits import Limits, past
from connectors.edifact.lossless import Segment

#: What begins or ends something within an interchange, or ends it.
SERVICE = frozenset(("UNH", "UNT", "UNG", "UNE", "UNZ"))


class Placing:
    """One interchange being put together; what is missing is left out, nothing is lost."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._in_group = self._has_groups = self._has_messages = False
        self._message: list[Segment] | None = None
        self._trailer: Segment | None = None
        self._position = 0

    def run(self, segments: list[Segment], position: int) -> Iterator[Event]:
        """For segments that begin and end nothing and stand before the byte ``position``.

        Raises ``EdifactError`` for a message past the limit.
        """
        self._position = position
        if self._message is not None:
            self._message += segments
        elif self._has_messages:
            self._message = segments
        else:
            if self._has_groups and not self._in_group:
                yield from self._open_group(None)
            yield from map(LooseSegment, segments)
        self._check_size()

    def one(self, segment: Segment, position: int) -> Iterator[Event]:
        """The same for any segment after UNB."""
        tag = segment["id"]
        if tag not in SERVICE:
            yield from self.run([segment], position)
            return
        self._position = position
        if tag == "UNH":
            yield from self._close_message()
            if not self._in_group:
                yield from self._open_group(None)
            self._message, self._has_messages = [segment], True
        elif tag == "UNT":
            if self._message is None:
                if not self._in_group:
                    yield from self._open_group(None)
                self._message, self._has_messages = [], True
            self._message.append(segment)
            yield from self._close_message()
        elif tag == "UNG":
            yield from self._open_group(segment)
        elif tag == "UNE":
            if not self._in_group:
                yield from self._open_group(None)
            yield from self._close_group(segment)
        else:
            self._trailer = segment

    def end(self, position: int) -> Iterator[Event]:
        """At UNZ or where the interchange breaks off, before this byte."""
        yield from self._close_group(None)
        yield InterchangeEnds(self._trailer, position)

    def _open_group(self, header: Segment | None) -> Iterator[Event]:
        yield from self._close_group(None)
        self._in_group = self._has_groups = True
        self._has_messages = False
        yield GroupBegins(header)

    def _close_group(self, trailer: Segment | None) -> Iterator[Event]:
        yield from self._close_message()
        if self._in_group:
            self._in_group = self._has_messages = False
            yield GroupEnds(trailer)

    def _close_message(self) -> Iterator[Event]:
        if self._message is not None:
            self._check_size()
            message, self._message = self._message, None
            yield MessageRead({"segments": message})

    def _check_size(self) -> None:
        if self._message is not None and len(self._message) > self._limits.segments:
            message = f"a message has more than {self._limits.segments} segments"
            raise past(message, "too_many_segments", self._position)
