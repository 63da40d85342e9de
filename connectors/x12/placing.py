"""Segments of one interchange, put into groups and transaction sets as they come."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.x12.buffer import AHEAD, PORTION, Buffer, Limits
from connectors.x12.errors import X12Error
from connectors.x12.events import Between, Event, GroupBegins, GroupEnds, InterchangeEnds, SetRead
from connectors.x12.header import is_interchange
from connectors.x12.lossless import Segment
from connectors.x12.scanner import Scanner

_CONTROL = frozenset(("ISA", "IEA", "GS", "GE", "ST", "SE"))


class Placing:
    """What is open, and what may stand there."""

    def __init__(self, buffer: Buffer, scanner: Scanner, limits: Limits) -> None:
        self._buffer, self._scanner, self._limits = buffer, scanner, limits
        self._set: list[Segment] | None = None
        self._set_begins = self._outside = 0
        self._group_is_open = False
        self._had_groups = False
        self._had_sets = False

    def events(self) -> Iterator[Event]:
        """Up to IEA, the next ISA or the end of the source."""
        trailer: Segment | None = None
        for run in self._runs():
            for part in run:
                if self._set is not None and (len(part) > 1 or part[0]["id"] not in _CONTROL):
                    self._set += part
                elif part[0]["id"] == "IEA":
                    trailer = part[0]
                else:
                    for segment in part:
                        yield from self._place(segment)
            self._check_size(self._set)
            if trailer is not None:
                break
        yield from self._close_group(None)
        yield InterchangeEnds(trailer, self._buffer.position)

    def _runs(self) -> Iterator[Iterator[list[Segment]]]:
        """Runs before the next interchange. An ISA that cannot be read as one is a segment like any other."""
        runs = self._scanner.runs()
        while self._buffer.need(AHEAD) or self._buffer.ahead:
            if self._buffer.raw.startswith(b"ISA", self._buffer.at) and is_interchange(self._buffer):
                return
            yield next(runs)

    def _place(self, segment: Segment) -> Iterator[Event]:
        match segment["id"]:
            case "GS":
                yield from self._close_group(None)
                yield from self._open_group(segment)
            case "GE":
                if not self._group_is_open:
                    yield from self._open_group(None)
                yield from self._close_group(segment)
            case "ST":
                yield from self._open_set(segment)
            case "SE":
                if self._set is None:
                    yield from self._open_set(segment)
                else:
                    self._set.append(segment)
                yield from self._close_set()
            case _:
                yield from self._place_other(segment)

    def _place_other(self, segment: Segment) -> Iterator[Event]:
        if self._set is not None:
            self._set.append(segment)
        elif self._group_is_open and self._had_sets:
            yield from self._open_set(segment)
        else:
            if self._had_groups and not self._group_is_open:
                yield from self._open_group(None)
            self._outside += 1
            if self._outside > self._limits.segments:
                raise self._too_many(f"more than {self._limits.segments} segments stand outside transaction sets")
            yield Between(segment)

    def _open_group(self, header: Segment | None) -> Iterator[Event]:
        self._group_is_open, self._had_groups, self._had_sets = True, True, False
        yield GroupBegins(header)

    def _close_group(self, trailer: Segment | None) -> Iterator[Event]:
        yield from self._close_set()
        if self._group_is_open:
            self._group_is_open = False
            yield GroupEnds(trailer)

    def _open_set(self, first: Segment) -> Iterator[Event]:
        yield from self._close_set()
        if not self._group_is_open:
            yield from self._open_group(None)
        self._set, self._had_sets = [first], True
        self._set_begins = self._buffer.position

    def _close_set(self) -> Iterator[Event]:
        if self._set is not None:
            self._check_size(self._set)
            finished, self._set = self._set, None
            yield SetRead({"segments": finished})

    def _check_size(self, segments: list[Segment] | None) -> None:
        limits, size = self._limits, self._buffer.position - self._set_begins
        if segments is not None and (len(segments) > limits.segments or size > limits.set_size + 2 * PORTION):
            raise self._too_many(
                f"a transaction set has more than {limits.segments} segments or {limits.set_size} bytes"
            )

    def _too_many(self, message: str) -> X12Error:
        return X12Error(
            message,
            position=self._buffer.position,
            code="too_many_segments",
            next_action="ask the sender to split it into several transaction sets",
        )
