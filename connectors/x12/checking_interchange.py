"""An interchange checked as it passes: its header, numbers, counts and trailer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from connectors.sdk.edi import Fault, Place, cut_off, other_separator, text_outside
from connectors.x12 import schema
from connectors.x12.checked import CheckedGroup, CheckedInterchange
from connectors.x12.checking_group import GroupCheck, loose_ends
from connectors.x12.delimiters import HEADER_LENGTH, Delimiters, has_repetition
from connectors.x12.fault import fault
from connectors.x12.lossless import Interchange, Segment, text_of
from connectors.x12.numbers import is_count, same_number
from connectors.x12.values import wrong

#: Elements of ISA that are looked at: dates, standard, version, number, indicators; the parties are the profile's.
_HEADER_ELEMENTS = (9, 10, 12, 13, 14, 15)
#: What may stand between ISA and GS, and between GE and IEA (X12.5, X12.6).
_BETWEEN_GROUPS = ("TA1", "TA3", "ISB", "ISE")


class InterchangeCheck:
    """One interchange, open. ``position`` is the byte at which what stands before it begins."""

    def __init__(self, interchange: Interchange, number: int, named: bool, position: int | None) -> None:
        self._header, self._named = interchange["header"], named
        self._control_number = text_of(self._header, 13)
        self._place = Place(interchange=self._control_number, path=f"/interchanges/{number}")
        self._terminator = interchange["delimiters"]["segment"]
        self._delimiters = Delimiters(**interchange["delimiters"])
        self._segments: list[Segment] = []
        self._groups = self._headers = 0
        self._encoding = interchange["encoding"]
        self._faults = list(self.outside(interchange["before"], None, position, "/before"))
        self._faults += self._header_faults(interchange)
        self._faults += self._glue(self._header, "/header")
        self.group: GroupCheck | None = None

    def _header_faults(self, interchange: Interchange) -> Iterator[Fault]:
        where = self._place.within("/header")
        length = 4 + sum(len(str(element)) + 1 for element in self._header["elements"])
        if length != HEADER_LENGTH:
            message = f"the ISA segment has {length} characters instead of {HEADER_LENGTH}"
            yield fault("interchange_header_length", message, where, segment_id="ISA")
        if has_repetition(text_of(self._header, 12)) and not interchange["delimiters"]["repetition"]:
            message = f"ISA11 is {text_of(self._header, 11)!r}, from version 00402 on it separates repetitions"
            yield fault("repetition_separator_invalid", message, where, segment_id="ISA", element=11)
        yield from self._header_elements(where)

    def _header_elements(self, where: Place) -> Iterator[Fault]:
        declared = schema.segment("ISA")
        assert declared is not None
        for number in _HEADER_ELEMENTS:
            element = declared.slots[number - 1].declared
            value = text_of(self._header, number)
            if isinstance(element, schema.Element) and (found := wrong(value, element)) is not None:
                message = f"ISA{number:02d} ({element.title}) {value[:20]!r} {found[1]}"
                yield fault(
                    "interchange_header_element", message, where, segment_id="ISA", element=number, value=value[:99]
                )

    def between(self, segment: Segment) -> None:
        if self.group is not None:
            self.group.between(segment)
            return
        if segment["id"] not in _BETWEEN_GROUPS:
            where = self._place.within(f"/segments/{len(self._segments)}")
            told = other_separator(segment["id"], self._delimiters.element, "ISA")
            message = f"segment {segment['id'][:12]!r} stands outside any GS-GE group{told}"
            self._faults.append(fault("group_header_missing", message, where))
        self._faults += self._glue(segment, f"/segments/{len(self._segments)}")
        self._segments.append(segment)

    def open(self, header: Segment | None) -> None:
        place = self._place.within(f"/groups/{self._groups}")
        self._groups += 1
        self._headers += header is not None
        self.group = GroupCheck(header, place, self._delimiters, self._named)

    def close(self, trailer: Segment | None) -> CheckedGroup:
        assert self.group is not None
        closed, self.group = self.group.end(trailer), None
        return closed

    def end(self, trailer: Segment | None, position: int | None) -> CheckedInterchange:
        """``position`` is the byte behind it."""
        self._faults += self._trailer(trailer, position)
        if trailer is not None:
            self._faults += self._glue(trailer, "/trailer")
        return CheckedInterchange(self._faults, self._header, self._control_number, self._place, self._segments)

    def _trailer(self, trailer: Segment | None, position: int | None) -> Iterator[Fault]:
        number = self._control_number
        if trailer is None:
            message = cut_off(f"interchange {number} has no IEA", position)
            yield fault("interchange_trailer_missing", message, self._place, segment_id="IEA")
            return
        where = self._place.within("/trailer")
        if not same_number(number, text_of(trailer, 2)):
            message = f"ISA13 says interchange {number}, IEA02 says {text_of(trailer, 2)}"
            yield fault("interchange_number_mismatch", message, where, segment_id="IEA", element=2)
        if not is_count(text_of(trailer, 1), self._headers):
            message = f"IEA01 says {text_of(trailer, 1)!r} functional groups, there are {self._headers}"
            yield fault("interchange_group_count", message, where, segment_id="IEA", element=1)

    def _glue(self, segment: Segment, path: str) -> Iterator[Fault]:
        return loose_ends(segment, self._place.within(path), self._terminator)

    def outside(self, text: str, encoding: str | None, position: int | None, path: str) -> Iterator[Fault]:
        """Of text before or behind it, which begins at the byte ``position``; in its own encoding unless told."""
        signs = self._delimiters
        parts = re.compile(rf"(?:\b|_)(?:GS|ST|SE|GE|IEA|TA1){re.escape(signs.element)}")
        told = text_outside(text, text.encode(encoding or self._encoding, "replace"), position, parts)
        if told is not None:
            place = Place(path=path) if path == "/trailing" else self._place.within(path)
            yield fault(*told, place)
