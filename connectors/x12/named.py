"""From a transaction set to its named view: loops and elements by readable names, checked on the way.

A segment that may occur once is an object, one that may occur more often a list, also when there is just one.
A loop is an object that holds the fields of its first segment and, by name, what follows in it. Values are
text as received; empty elements are absent. HL loops are a tree (see ``hierarchy``). ``unknown_segments`` keeps
what the schema has no place for.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from connectors.sdk.edi import NOWHERE, Fault, Place
from connectors.x12 import schema
from connectors.x12.delimiters import Delimiters
from connectors.x12.elements import ElementReader
from connectors.x12.fault import fault
from connectors.x12.hierarchy import Hierarchy
from connectors.x12.lossless import Segment, TransactionSet, text_of
from connectors.x12.schema import Contents, SetSchema, Use
from connectors.x12.shape import shape
from connectors.x12.values import ANY, Repertoire

UNKNOWN = "unknown_segments"
#: Faults of one set that are listed; the others are counted.
MOST_FAULTS = 10_000
_ANY_DELIMITERS = Delimiters()

Fields = dict[str, Any]


def view(
    transaction_set: TransactionSet,
    declared: SetSchema,
    place: Place = NOWHERE,
    delimiters: Delimiters = _ANY_DELIMITERS,
    repertoire: Repertoire = ANY,
) -> tuple[Fields, list[Fault]]:
    """The named view and every fault found. ``repertoire`` limits the characters of values."""
    reading = _Reading(transaction_set["segments"], declared, place, delimiters, repertoire)
    return reading.document(), reading.faults


class _Level:
    """Where the reading stands among the contents of one loop, or of the set."""

    __slots__ = ("at", "contents", "counts")

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.at = 0
        self.counts: dict[int, int] = {}

    def find(self, segment_id: str) -> int:
        """The next place of this segment that has room; -1 for none."""
        for index in self.contents.places.get(segment_id, ()):
            if index >= self.at:
                maximum = self.contents.uses[index].maximum
                if maximum is None or self.counts.get(index, 0) < maximum:
                    return index
        return -1

    def last(self, segment_id: str) -> Use | None:
        """The last place of this segment, with room or without."""
        places = self.contents.places.get(segment_id)
        return self.contents.uses[places[-1]] if places and places[-1] >= self.at else None


class _Reading:
    def __init__(
        self,
        segments: list[Segment],
        declared: SetSchema,
        place: Place,
        delimiters: Delimiters,
        repertoire: Repertoire,
    ) -> None:
        first = 1 if segments and segments[0]["id"] == "ST" else 0
        last = len(segments) - (1 if len(segments) > first and segments[-1]["id"] == "SE" else 0)
        self._segments, self._at, self._last = segments, first, last
        self._declared, self._place = declared, place
        self._slow = ElementReader(delimiters, repertoire, self._note)
        self._is_free = repertoire is ANY
        self._levels: list[_Level] = []
        self._unknown: list[Fields] = []
        self._hierarchy = Hierarchy.of(declared)
        self._omitted = 0
        self.faults: list[Fault] = []

    def document(self) -> Fields:
        fields = self._contents(self._declared.contents, "")
        if self._unknown:
            fields[UNKNOWN] = self._unknown
        self._totals()
        self._note_omitted()
        if self._hierarchy is not None:
            self.faults += islice(self._hierarchy.check(self._place), MOST_FAULTS)
            self.faults = self._hierarchy.plant(fields, self.faults)
        return fields

    def _contents(self, contents: Contents, name: str) -> Fields:
        level = _Level(contents)
        self._levels.append(level)
        fields: Fields = {}
        segments, counts = self._segments, level.counts
        while self._at < self._last:
            segment = segments[self._at]
            index = level.find(segment["id"])
            if index >= 0:
                level.at = index
                counts[index] = counts.get(index, 0) + 1
                self._take(segment, contents.uses[index], fields, name)
            elif self._fits_above(segment["id"]):
                break
            else:
                self._set_aside(segment, level.last(segment["id"]))
        self._levels.pop()
        self._note_missing(level, name)
        return fields

    def _fits_above(self, segment_id: str) -> bool:
        """Whether an outer loop goes on with this segment, be it one too many."""
        for depth in range(len(self._levels) - 2, -1, -1):
            if self._levels[depth].last(segment_id) is not None:
                return True
        return False

    def _take(self, segment: Segment, use: Use, fields: Fields, name: str) -> None:
        many: list[Fields] | None = None
        if use.repeats:
            many = fields.get(use.name)
            if many is None:
                many = fields[use.name] = []
        value = shape(use.segment).fields(segment["elements"]) if self._is_free else None
        if value is None or use.contents is not None:
            name = f"{name}{use.name}" if many is None else f"{name}{use.name}/{len(many)}"
        if value is None:
            value = self._slow.fields(segment, use.segment, name)
        if use.levels and self._hierarchy is not None:
            self._hierarchy.note(self._at + 1, value)
        self._at += 1
        if use.contents is not None:
            value |= self._contents(use.contents, f"{name}/")
        if many is None:
            fields[use.name] = value
        else:
            many.append(value)

    def _note(self, code: str, message: str, **where: Any) -> None:
        if len(self.faults) >= MOST_FAULTS:
            self._omitted += 1
            return
        segment_id = self._segments[self._at]["id"] if self._at < len(self._segments) else None
        place = self._place.within(f"/segments/{self._at}")
        where.setdefault("segment_id", segment_id)
        self.faults.append(fault(code, message, place, segment=self._at + 1, **where))

    def _note_omitted(self) -> None:
        if self._omitted:
            message = f"{self._omitted} more faults of this transaction set are not listed"
            self.faults.append(fault("faults_omitted", message, self._place))

    def _note_missing(self, level: _Level, name: str) -> None:
        for index in level.contents.mandatory:
            if index not in level.counts:
                use = level.contents.uses[index]
                message = f"segment {use.segment.id} ({use.segment.title}) is missing and must be given"
                self._note("segment_missing", message, segment_id=use.segment.id, name=f"{name}{use.name}")

    def _set_aside(self, segment: Segment, full: Use | None) -> None:
        code, message = _misplaced(segment["id"], full, self._declared)
        self._note(code, message)
        self._unknown.append({"position": self._at + 1, "segment": segment})
        self._at += 1

    def _totals(self) -> None:
        for total in self._declared.totals:
            for index, said, found in total.unbalanced(self._segments):
                self._at = index
                where = f"{total.segment_id}{total.element:02d}"
                message = f"{where} says {said.normalize():f}, the segments add up to {found.normalize():f}"
                self._note(total.code, message, element=total.element, value=f"{said:f}"[:99])


def _misplaced(segment_id: str, full: Use | None, declared: SetSchema) -> tuple[str, str]:
    if full is not None:
        code = "loop_over_maximum" if full.is_loop else "segment_over_maximum"
        return code, f"segment {segment_id} occurs more often than the {full.maximum} times allowed here"
    if segment_id in declared.ids:
        return "segment_out_of_sequence", f"segment {segment_id} does not belong at this place"
    if schema.segment(segment_id, declared.version):
        return (
            "segment_not_in_set",
            f"segment {segment_id} is not declared for set {declared.type}; it was kept aside",
        )
    return "segment_unrecognised", f"segment {segment_id!r} is not known; it was kept aside"


def set_type(transaction_set: TransactionSet) -> str:
    """ST01, or ``""`` where the set has no ST."""
    first = transaction_set["segments"][0] if transaction_set["segments"] else None
    return text_of(first, 1) if first is not None and first["id"] == "ST" else ""
