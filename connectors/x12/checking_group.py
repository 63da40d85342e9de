"""A functional group checked as it passes: numbers, counts, trailers, and what stands outside its sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from connectors.sdk.edi import NOWHERE, Fault, Place, other_separator
from connectors.sdk.edi_numbers import Numbers
from connectors.x12 import schema
from connectors.x12.checked import CheckedGroup, CheckedSet
from connectors.x12.delimiters import Delimiters
from connectors.x12.fault import fault
from connectors.x12.lossless import Segment, TransactionSet, text_of
from connectors.x12.named import set_type, view
from connectors.x12.numbers import is_count, same_number


class GroupCheck:
    """One group, open."""

    def __init__(self, header: Segment | None, place: Place, delimiters: Delimiters, named: bool) -> None:
        self._header, self._delimiters, self._named = header, delimiters, named
        self._number = text_of(header, 6) if header else ""
        self._place = replace(place, group=self._number or None)
        self._given = text_of(header, 8) if header else schema.DEFAULT_VERSION
        self._version = schema.nearest(self._given)
        self._between = self._sets = self._headers = 0
        self._seen = Numbers()
        self._faults = list(self._header_faults())

    def _header_faults(self) -> Iterator[Fault]:
        header, where = self._header, self._place.within("/header")
        if header is None:
            yield fault("group_header_missing", "segments stand outside any GS-GE group", self._place)
            return
        yield from loose_ends(header, where, self._delimiters.segment)
        if self._given[:6] not in schema.versions():
            message = f"version {self._given!r} is not declared, read as {self._version}"
            yield fault("group_version_undeclared", message, where, segment_id="GS", element=8)
        if not (self._number.isascii() and self._number.isdigit() and len(self._number) <= 9):
            message = f"GS06, the number of the group, is {self._number!r} and not one of 1 to 9 digits"
            yield fault("group_header_invalid", message, where, segment_id="GS", element=6)
        elif len(text_of(header, 1)) != 2:
            message = f"GS01 {text_of(header, 1)!r} is no functional identifier of two characters"
            yield fault("group_header_invalid", message, where, segment_id="GS", element=1)

    def between(self, segment: Segment) -> None:
        where = self._place.within(f"/segments/{self._between}")
        self._between += 1
        told = other_separator(segment["id"], self._delimiters.element, "ISA")
        message = f"segment {segment['id'][:12]!r} stands outside any transaction set{told}"
        self._faults.append(fault("segment_outside_set", message, where))
        self._faults += loose_ends(segment, where, self._delimiters.segment)

    def set(self, one: TransactionSet) -> CheckedSet:
        place = self._place.within(f"/sets/{self._sets}")
        self._sets += 1
        first = one["segments"][0]
        if first["id"] != "ST":
            told = other_separator(first["id"], self._delimiters.element, "ISA")
            message = f"segments from {first['id'][:12]!r} on stand outside any ST-SE transaction set{told}"
            return CheckedSet([fault("segment_outside_set", message, place)], "", "", place, one, None, False)
        self._headers += 1
        number = text_of(first, 2)
        place = place.in_set(number or None)
        found = [*self._envelope(one["segments"], place), *self._numbered(number, place)]
        document = None
        if self._named:
            document, more = check_set(one, place, self._version, self._delimiters)
            found += more
        return CheckedSet(found, text_of(first, 1), number, place, one, document)

    def _envelope(self, segments: list[Segment], place: Place) -> Iterator[Fault]:
        header, trailer, count = segments[0], segments[-1], len(segments)
        if not text_of(header, 1):
            yield fault("set_type_missing", "ST01 does not say which transaction set this is", place, segment=1)
        if not text_of(header, 2):
            yield fault("set_number_missing", "ST02, the number of the transaction set, is empty", place, segment=1)
        for index in [index for index, one in enumerate(segments) if len(one) > 2]:
            yield from loose_ends(segments[index], place.within(f"/segments/{index}"), self._delimiters.segment)
        if trailer["id"] != "SE":
            message = f"transaction set {place.set} has no SE: it is cut off, or its end was lost"
            yield fault("set_trailer_missing", message, place, segment=count, segment_id="SE")
            return
        where = {"segment": count, "segment_id": "SE"}
        place = place.within(f"/segments/{count - 1}")
        if text_of(header, 2) != text_of(trailer, 2):
            message = f"ST02 says transaction set {text_of(header, 2)}, SE02 says {text_of(trailer, 2)}"
            yield fault("set_number_mismatch", message, place, element=2, **where)
        if not is_count(text_of(trailer, 1), count):
            message = f"SE01 says {text_of(trailer, 1)!r} segments, there are {count}"
            yield fault("set_segment_count", message, place, element=1, **where)

    def _numbered(self, number: str, place: Place) -> Iterator[Fault]:
        if number and not self._seen.add(number):
            message = f"transaction set number {number} occurs twice in this group"
            yield fault("set_number_repeated", message, place, segment=1, segment_id="ST", element=2)

    def end(self, trailer: Segment | None) -> CheckedGroup:
        self._faults += self._trailer(trailer)
        identifier = text_of(self._header, 1) if self._header else ""
        return CheckedGroup(self._faults, self._header, trailer, self._number, identifier, self._place)

    def _trailer(self, trailer: Segment | None) -> Iterator[Fault]:
        if trailer is None:
            message = f"functional group {self._number} has no GE: it is cut off, or its end was lost"
            yield fault("group_trailer_missing", message, self._place, segment_id="GE")
            return
        where = self._place.within("/trailer")
        yield from loose_ends(trailer, where, self._delimiters.segment)
        if self._header is not None and not same_number(self._number, text_of(trailer, 2)):
            message = f"GS06 says group {self._number}, GE02 says {text_of(trailer, 2)}"
            yield fault("group_number_mismatch", message, where, segment_id="GE", element=2)
        if not is_count(text_of(trailer, 1), self._headers):
            message = f"GE01 says {text_of(trailer, 1)!r} transaction sets, there are {self._headers}"
            yield fault("group_set_count", message, where, segment_id="GE", element=1)


def check_set(
    transaction_set: TransactionSet,
    place: Place = NOWHERE,
    version: str = schema.DEFAULT_VERSION,
    delimiters: Delimiters = Delimiters(),  # noqa: B008 - immutable
) -> tuple[dict[str, Any] | None, list[Fault]]:
    """The named view of a set and the faults in its segments; no view where its type is not declared."""
    type = set_type(transaction_set)
    declared = schema.transaction_set(type, version)
    if declared is None:
        known = ", ".join(schema.set_types(version))
        message = f"transaction set {type or '(without type)'} is not one that can be read here ({known})"
        return None, [fault("set_not_supported", message, place)]
    return view(transaction_set, declared, place, delimiters)


def loose_ends(segment: Segment, place: Place, terminator: str) -> Iterator[Fault]:
    """A segment without terminator, and empty segments after one."""
    if segment.get("unterminated"):
        message = f"segment {segment['id'][:12]}, where the file or the interchange ends, has no terminator"
        yield fault("last_segment_unterminated", message, place)
    if terminator in segment.get("glue", ""):
        yield fault("empty_segment", f"an empty segment follows {segment['id'][:12]}", place)
