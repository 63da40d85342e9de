"""Declared schemas of messages: data under ``sets/<directory>/``, loaded on first use.

``elements.json`` has the formats of data elements (EDED, ISO 9735 notation: ``an..35``, ``n8``), ``segments.json``
composites and segments (EDCD, EDSD), and ``<MESSAGE>.json`` the order, groups and maximum use of segments (EDMD).
``service`` has what belongs to the syntax and not to a directory. A directory may derive its elements and segments
from another and say only what differs (see ``connectors.sdk.tables``). A message, segment or directory is added by
adding data, here or in a folder of one's own. Tables that do not fit together raise ``Misconfigured``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from connectors.edifact.element import Expected, Position, Slot, expected
from connectors.sdk.tables import UNFIT, Data, Tables, folders, misfit

SETS = Path(__file__).with_name("sets")
SERVICE = "service"
DEFAULT_DIRECTORY = "D96A"
_FORMAT = re.compile(r"(an|a|n)(\d+)?(?:\.\.(\d+))?")
_RELEASE = re.compile(r"D(\d\d)([A-Z])")


@dataclass(frozen=True)
class SegmentSchema:
    """``positions[0]`` is the first element after the tag, and so is ``expected[0]``. ``names`` are the keys in the
    named view."""

    id: str
    title: str
    positions: tuple[Position, ...]
    names: frozenset[str]
    mandatory: tuple[int, ...]
    date: tuple[str, str] | None
    expected: tuple[Expected, ...] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Use:
    """A segment, or a group that begins with it, at its place in a message."""

    segment: SegmentSchema
    name: str
    mandatory: bool
    maximum: int
    group: str = ""
    contents: Contents | None = None

    @property
    def repeats(self) -> bool:
        return self.maximum != 1


@dataclass(frozen=True)
class Contents:
    """What stands in a message or group, in order; ``by_tag`` finds the indexes of a tag.

    ``section`` is the index of UNS, which parts the sections of a message; without one it is past the end.
    """

    uses: tuple[Use, ...]
    by_tag: dict[str, tuple[int, ...]] = field(repr=False)
    mandatory: tuple[int, ...]
    section: int

    def tags(self) -> Iterator[str]:
        for use in self.uses:
            yield use.segment.id
            yield from use.contents.tags() if use.contents else ()


@dataclass(frozen=True)
class MessageSchema:
    """A message without UNH and UNT."""

    type: str
    directory: str
    title: str
    contents: Contents
    tags: frozenset[str]


@cache
def directories() -> tuple[str, ...]:
    """Those that have declarations, oldest first: ``D96A``, ``D01B``."""
    return tuple(sorted((name for name in _tables().versions() if name != SERVICE), key=_age))


def _age(directory: str) -> tuple[int, str]:
    found = _RELEASE.fullmatch(directory)
    if found is None:
        return (0, directory)
    year = int(found[1])
    return (year + (1900 if year > 80 else 2000), found[2])


@cache
def message_types(directory: str = DEFAULT_DIRECTORY) -> tuple[str, ...]:
    """Types of the declared messages of a directory: ``ORDERS``."""
    return tuple(_tables().documents(directory))


@cache
def nearest(directory: str, message_type: str) -> str:
    """The declared directory to read a message of this one by: itself, else the newest before it that has the
    message, else the oldest that has it; empty where none has."""
    having = [one for one in directories() if message_type in message_types(one)]
    if directory in having:
        return directory
    if not having or not _RELEASE.fullmatch(having[0]):
        return ""
    older = [one for one in having if _age(one) < _age(directory)]
    return older[-1] if older else having[0]


@cache
def message(message_type: str, directory: str = DEFAULT_DIRECTORY) -> MessageSchema | None:
    """The schema of a message, or None where it is not declared."""
    if directory not in directories() or message_type not in message_types(directory):
        return None
    data = _load(directory, message_type)
    try:
        contents = _contents(data["contents"], directory)
        return MessageSchema(message_type, directory, data["title"], contents, frozenset(contents.tags()))
    except UNFIT as error:
        raise misfit(f"edifact/{directory}/{message_type}.json", error) from error


@cache
def segment(tag: str, directory: str = DEFAULT_DIRECTORY) -> SegmentSchema | None:
    """The schema of a segment, of the directory or of the service segments, or None."""
    home = next((one for one in (directory, SERVICE) if tag in _load(one, "segments")), None)
    if home is None:
        return None
    try:
        return _segment(tag, _load(home, "segments")[tag], home)
    except UNFIT as error:
        raise misfit(f"edifact/{home}/segments.json", error, within=tag) from error


def _segment(tag: str, data: Data, home: str) -> SegmentSchema:
    positions = tuple(position for item in data["elements"] for position in _positions(item, home))
    slots = [slot for position in positions for slot in position.slots]
    if len({slot.path for slot in slots}) < len(slots):
        raise ValueError("two elements have one name")
    return SegmentSchema(
        tag,
        data["title"],
        positions,
        frozenset(slot.name for slot in slots),
        tuple(index for index, position in enumerate(positions) if position.mandatory),
        _date(slots),
        tuple(map(expected, positions)),
    )


def _date(slots: list[Slot]) -> tuple[str, str] | None:
    """The names of a date (2380) and its format (2379), where a segment has them."""
    names = {slot.reference: slot.name for slot in slots}
    return (names["2380"], names["2379"]) if {"2380", "2379"} <= names.keys() else None


def tags(directory: str) -> tuple[str, ...]:
    """Tags of the segments that a directory declares, or ``service``."""
    return tuple(_load(directory, "segments"))


def derives_from(directory: str) -> str | None:
    """The directory that this one says only the differences to."""
    return _tables().derives_from(directory)


@cache
def _tables() -> Tables:
    return Tables(folders("edifact", SETS), "[A-Z]*.json", inherits=False)


def _load(directory: str, name: str) -> Data:
    return _tables().load(directory, name)


def _contents(items: list[dict[str, Any]], directory: str) -> Contents:
    uses = tuple(_use(item, directory) for item in items)
    by_tag: dict[str, tuple[int, ...]] = {}
    for index, use in enumerate(uses):
        by_tag[use.segment.id] = (*by_tag.get(use.segment.id, ()), index)
    mandatory = tuple(index for index, use in enumerate(uses) if use.mandatory)
    return Contents(uses, by_tag, mandatory, by_tag.get("UNS", (len(uses),))[0])


def _use(item: dict[str, Any], directory: str) -> Use:
    declared = segment(item["segment"], directory)
    if declared is None:
        raise ValueError(f"{item['name']} is a segment {item['segment']}, which no segments.json declares")
    contents = _contents(item["contents"], directory) if "contents" in item else None
    return Use(declared, item["name"], item["use"] == "M", item["max"], item.get("group", ""), contents)


def _positions(item: dict[str, Any], directory: str) -> Iterator[Position]:
    is_mandatory = item.get("use") == "M"
    if "composite" not in item:
        for slot in _slots(item, directory):
            yield Position("", slot.mandatory, (slot,))
        return
    if "repeat" in item:
        repetitions = tuple(_parts(item, directory, index) for index in range(item["repeat"]))
        yield Position(item["composite"], is_mandatory, repetitions[0], repetitions)
        return
    for index in range(item.get("times", 1)):
        yield Position(item["composite"], is_mandatory and index == 0, _parts(item, directory, index))


def _parts(item: dict[str, Any], directory: str, index: int) -> tuple[Slot, ...]:
    within = (item["name"], index) if "name" in item else ()
    return tuple(slot for part in item["components"] for slot in _slots(part, directory, within))


def _slots(item: dict[str, Any], directory: str, within: tuple[str | int, ...] = ()) -> Iterator[Slot]:
    for index in range(item.get("times", 1)):
        last = (item["name"], index) if "times" in item else (item["name"],)
        yield _slot(item, directory, (*within, *last), item.get("use") == "M" and index == 0)


def _slot(item: dict[str, Any], directory: str, path: tuple[str | int, ...], is_mandatory: bool) -> Slot:
    dictionary = _load(directory, "elements")
    if item["element"] not in dictionary:
        raise ValueError(f"{item['name']} is an element {item['element']}, which no elements.json declares")
    declared = dictionary[item["element"]]
    entry = declared if isinstance(declared, dict) else {"format": declared}
    found = _FORMAT.fullmatch(entry["format"])
    if found is None:
        raise ValueError(f"element {item['element']} has the format {entry['format']!r}")
    type, least, most = found[1], found[2], found[3]
    shortest = int(least) if least else 0
    codes = frozenset(entry.get("codes", ()))
    return Slot(path, item["element"], type, shortest, int(most or shortest), codes, is_mandatory)
