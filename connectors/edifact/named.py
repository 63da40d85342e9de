"""From a message to its named view: groups and elements by readable names, checked on the way.

A segment that may occur once is an object, one that may occur more often a list, also when there is just one.
A group is an object that holds the fields of its first segment and, by name, what follows in it. Values are
text as received; empty elements are absent. ``unknown_segments`` keeps what the schema has no place for.
"""

from __future__ import annotations

from typing import Any

from connectors.edifact import schema
from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.fields import Fields, Name, Where, words_of
from connectors.edifact.lossless import Message, Segment, text_of
from connectors.edifact.schema import Contents, MessageSchema, SegmentSchema, Use
from connectors.edifact.values import ANY, Repertoire
from connectors.sdk.edi import NOWHERE, Fault, Place

UNKNOWN = "unknown_segments"


def view(
    message: Message,
    declared: MessageSchema,
    place: Place = NOWHERE,
    checks: Checks = AS_USUAL,
    repertoire: Repertoire = ANY,
) -> tuple[dict[str, Any], list[Fault]]:
    """The named view and every fault found. ``repertoire`` limits the characters of values."""
    reading = _Reading(message["segments"], declared, place, checks, repertoire)
    return reading.document(), reading.faults


class _Level:
    """Where the reading stands among the contents of one group, or of the message.

    What stands behind UNS is not reached before it.
    """

    __slots__ = ("at", "by_tag", "contents", "counts", "end", "fields", "name")

    def __init__(self, contents: Contents, fields: dict[str, Any], name: Name) -> None:
        self.contents, self.by_tag = contents, contents.by_tag
        self.fields, self.name = fields, name
        self.at, self.end = 0, contents.section
        self.counts = [0] * len(contents.uses)

    def find(self, tag: str) -> int:
        """The index of the use that takes this tag, or -1; one that is full takes none."""
        for index in self.by_tag.get(tag, ()):
            if self.at <= index <= self.end and self.counts[index] < self.contents.uses[index].maximum:
                return index
        return -1

    def full(self, tag: str) -> Use | None:
        """The use that would take it, were it not full."""
        for index in self.by_tag.get(tag, ()):
            if self.at <= index <= self.end:
                return self.contents.uses[index]
        return None


class _OverRepeatedError(Exception):
    """An element of this segment has more repetitions than declared."""


class _Reading(Fields):
    """A whole message."""

    def __init__(
        self,
        segments: list[Segment],
        declared: MessageSchema,
        place: Place,
        checks: Checks,
        repertoire: Repertoire,
    ) -> None:
        super().__init__(place, checks, repertoire)
        first = 1 if segments and segments[0]["id"] == "UNH" else 0
        last = len(segments) - (1 if len(segments) > first and segments[-1]["id"] == "UNT" else 0)
        self._segments, self._first, self._last = segments, first, last
        self._declared = declared
        self._levels: list[_Level] = []
        self._unknown: list[dict[str, Any]] = []

    def document(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        levels = self._levels = [_Level(self._declared.contents, fields, ())]
        for at in range(self._first, self._last):
            self.at, segment = at, self._segments[at]
            tag = segment["id"]
            level = levels[-1]
            index = level.find(tag)
            if index < 0 and (depth := self._fits_above(tag)) >= 0:
                while len(levels) > depth + 1:
                    self._close()
                level = levels[depth]
                index = level.find(tag)
            if index < 0:
                self._set_aside(segment)
            else:
                self._take(segment, level, index)
        self.at = self._last
        while levels:
            self._close()
        if self._unknown:
            fields[UNKNOWN] = self._unknown
        return fields

    def _fits_above(self, tag: str) -> int:
        """The depth of the nearest level above that takes this tag, or -1."""
        for depth in range(len(self._levels) - 2, -1, -1):
            if self._levels[depth].find(tag) >= 0:
                return depth
        return -1

    def _take(self, segment: Segment, level: _Level, index: int) -> None:
        use, before = level.contents.uses[index], level.counts[index]
        is_one = use.maximum == 1
        name = (level.name, use.name, None if is_one else before)
        try:
            value = self.fields(segment, use.segment, name)
        except _OverRepeatedError:
            self.faults = [one for one in self.faults if one.segment != self.at + 1]
            self._note_repetition(segment, use.segment)
            return
        level.at = index
        level.counts[index] = before + 1
        if index == level.end:
            level.end = len(level.counts)
        if is_one:
            level.fields[use.name] = value
        elif before:
            level.fields[use.name].append(value)
        else:
            level.fields[use.name] = [value]
        if use.contents is not None:
            self._levels.append(_Level(use.contents, value, name))

    def _repeated(self, fields: dict[str, Any], repetitions: list[str | list[str]], where: Where) -> None:
        if len(repetitions) > len(where[1].repetitions):
            raise _OverRepeatedError
        super()._repeated(fields, repetitions, where)

    def _note_surplus(self, segment: Segment, shape: SegmentSchema, name: Name) -> None:
        if _over_repeated(segment, shape):
            raise _OverRepeatedError
        super()._note_surplus(segment, shape, name)

    def _close(self) -> None:
        level = self._levels.pop()
        for index in level.contents.mandatory:
            if not level.counts[index]:
                self._note_missing_segment(level.contents.uses[index], level.name)

    def _note_missing_segment(self, use: Use, name: Name) -> None:
        """Its position is that of the last segment before the place where it should stand (UCS 0096)."""
        what = f"segment {use.segment.id} ({use.segment.title})"
        one = fault(
            "segment_missing",
            f"{what} is missing and must be given",
            self._place.within(f"/segments/{max(self.at - 1, 0)}"),
            segment=self.at,
            segment_id=use.segment.id,
            name="/".join(words_of((*name, use.name))),
        )
        self._judge(one)

    def _note_repetition(self, segment: Segment, shape: SegmentSchema) -> None:
        number = _over_repeated(segment, shape)
        message = f"element {number} of segment {segment['id']} is repeated more often than this message foresees"
        self._note("element_repeated", message, number=number)
        self._keep(segment)

    def _set_aside(self, segment: Segment) -> None:
        tag = self._segment_id = segment["id"]
        full = next((use for level in reversed(self._levels) if (use := level.full(tag)) is not None), None)
        if full is not None:
            code = "group_over_maximum" if full.contents else "segment_over_maximum"
            message = f"segment {tag} occurs more often than the {full.maximum} times allowed here"
        elif tag in self._declared.tags:
            code, message = "segment_out_of_sequence", f"segment {tag} does not belong at this place"
        elif schema.segment(tag, self._declared.directory):
            code = "segment_not_in_message"
            message = f"segment {tag} is not declared for {self._declared.type}; it was kept aside"
        else:
            code, message = "segment_unrecognised", f"segment {tag[:12]!r} is not known; it was kept aside"
        self._note(code, message)
        self._keep(segment)

    def _keep(self, segment: Segment) -> None:
        self._unknown.append({"position": self.at + 1, "segment": segment})


def _over_repeated(segment: Segment, shape: SegmentSchema) -> int | None:
    """The number of an element that has more repetitions than declared."""
    for number, element in enumerate(segment["elements"], 1):
        if isinstance(element, dict):
            positions = shape.positions[number - 1 : number]
            if not positions or len(element["repeat"]) > len(positions[0].repetitions):
                return number
    return None


def header_of(message: Message) -> Segment | None:
    """UNH, or None where the segments stand outside any message."""
    first = message["segments"][0] if message["segments"] else None
    return first if first is not None and first["id"] == "UNH" else None


def message_type(message: Message) -> str:
    """UNH S009 0065, or ``""`` where there is no UNH."""
    return text_of(header_of(message), 2)


def directory(message: Message) -> str:
    """UNH S009 0052 and 0054: ``D96A``."""
    header = header_of(message)
    return text_of(header, 2, 2) + text_of(header, 2, 3)
