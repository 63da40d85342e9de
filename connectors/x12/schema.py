"""Declared schemas of transaction sets: data under ``sets/<version>/``, loaded on first use.

``elements.json`` is the element dictionary (X12.3), ``segments.json`` the segment directory (X12.22) with its
syntax notes, and ``<set>.json`` the order, loops and maximum use of segments (X12.1 and the set's own table).
A version may derive from another and say only what differs (see ``derive``). A set, segment or version is added
by adding data, here or in a folder of one's own. Tables that do not fit together raise ``Misconfigured``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from connectors.sdk.tables import UNFIT, misfit
from connectors.x12.derive import load, set_names, version_names
from connectors.x12.syntax import Note, note
from connectors.x12.totals import Total, total

DEFAULT_VERSION = "004010"


@dataclass(frozen=True)
class Element:
    """A simple element, or a component of a composite one. Lengths are in characters."""

    name: str
    reference: str
    title: str
    type: str
    shortest: int
    longest: int
    codes: tuple[str, ...]
    mandatory: bool


@dataclass(frozen=True)
class Composite:
    """An element made of components."""

    name: str
    reference: str
    components: tuple[Element, ...]
    mandatory: bool


@dataclass(frozen=True)
class Slot:
    """One position of a segment. ``path`` says where its value stands in the named view."""

    declared: Element | Composite
    path: tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class SegmentSchema:
    """``slots[0]`` is element 01. ``names`` are the keys its fields take in the named view."""

    id: str
    title: str
    slots: tuple[Slot, ...]
    notes: tuple[Note, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(str(slot.path[0]) for slot in self.slots)


@dataclass(frozen=True, eq=False)
class Use:
    """A segment, or a loop that begins with it, at its place in a set. ``maximum`` is None where unlimited.

    ``levels`` is given for the HL loop: the name in the tree of each hierarchical level code (HL03).
    """

    segment: SegmentSchema
    name: str
    mandatory: bool
    maximum: int | None
    contents: Contents | None = None
    levels: tuple[tuple[str, str], ...] = ()

    @cached_property
    def repeats(self) -> bool:
        return self.maximum != 1

    @property
    def is_loop(self) -> bool:
        return self.contents is not None


@dataclass(frozen=True, eq=False)
class Contents:
    """What may stand in a set or a loop, in its order."""

    uses: tuple[Use, ...]

    @cached_property
    def places(self) -> dict[str, tuple[int, ...]]:
        """Where each segment id may stand."""
        found: dict[str, tuple[int, ...]] = {}
        for index, use in enumerate(self.uses):
            found[use.segment.id] = (*found.get(use.segment.id, ()), index)
        return found

    @cached_property
    def mandatory(self) -> tuple[int, ...]:
        return tuple(index for index, use in enumerate(self.uses) if use.mandatory)

    def ids(self) -> Iterator[str]:
        for use in self.uses:
            yield use.segment.id
            if use.contents is not None:
                yield from use.contents.ids()


@dataclass(frozen=True, eq=False)
class SetSchema:
    """A transaction set without ST and SE. ``totals`` must balance.

    ``key`` is where the named view has the number by which the business knows the document, ``once`` whether a
    number comes once, and ``answers`` the type of the set that a document of this number answers.
    """

    type: str
    version: str
    title: str
    functional_identifier: str
    contents: Contents
    totals: tuple[Total, ...] = ()
    key: tuple[str, ...] = ()
    once: bool = False
    answers: str = ""

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(self.contents.ids())

    @cached_property
    def hierarchy(self) -> Use | None:
        """The HL loop of a set that has one."""
        return next((use for use in self.contents.uses if use.levels), None)


def versions() -> list[str]:
    """Versions that have declarations, such as ``004010``."""
    return version_names()


def nearest(version: str) -> str:
    """The declared version for a GS08 such as ``004010VICS``: the same, else that of the standard it names or the
    next older one, else the oldest."""
    if version in versions():
        return version
    older = [one for one in versions() if one.isdigit() and one <= version[:6]]
    return older[-1] if older and version[:6].isdigit() else DEFAULT_VERSION


def set_types(version: str = DEFAULT_VERSION) -> list[str]:
    """Types of the declared sets, such as ``850``."""
    return set_names(version)


@cache
def transaction_set(set_type: str, version: str = DEFAULT_VERSION) -> SetSchema | None:
    """The schema of a set, or None where it is not declared."""
    if set_type not in set_types(version):
        return None
    data = load(version, set_type)
    try:
        return SetSchema(
            set_type,
            version,
            data["title"],
            data["functional_identifier"],
            _contents(data["contents"], version),
            tuple(total(one) for one in data.get("totals", ())),
            tuple(data["key"].split("/")) if "key" in data else (),
            data.get("once", False),
            data.get("answers", ""),
        )
    except UNFIT as error:
        raise misfit(f"x12/{version}/{set_type}.json", error) from error


@cache
def segment(segment_id: str, version: str = DEFAULT_VERSION) -> SegmentSchema | None:
    """The schema of a segment, or None where it is not declared."""
    data = load(version, "segments").get(segment_id)
    if data is None:
        return None
    try:
        slots = tuple(slot for item in data["elements"] for slot in _slots(item, version))
        return SegmentSchema(segment_id, data["title"], slots, tuple(note(one) for one in data.get("syntax", ())))
    except UNFIT as error:
        raise misfit(f"x12/{version}/segments.json", error, within=segment_id) from error


def _contents(items: list[dict[str, Any]], version: str) -> Contents:
    return Contents(tuple(_use(item, version) for item in items))


def _use(item: dict[str, Any], version: str) -> Use:
    loop = "loop" in item
    named = item["loop"] if loop else item["segment"]
    declared = segment(named, version)
    if declared is None:
        raise ValueError(f"{item['name']} is a segment {named}, which no segments.json declares")
    return Use(
        declared,
        item["name"],
        item["use"] == "M",
        None if item["max"] == ">1" else int(item["max"]),
        _contents(item["contents"][1:], version) if loop else None,
        tuple(item.get("levels", {}).items()),
    )


def _slots(item: dict[str, Any], version: str) -> Iterator[Slot]:
    if "repeat" in item:
        for index in range(item["repeat"]):
            for inner in item["elements"]:
                element = _element(inner, version)
                yield Slot(element, (item["name"], index, element.name))
    elif "composite" in item:
        components = tuple(_element(inner, version) for inner in item["components"])
        yield Slot(Composite(item["name"], item["composite"], components, item.get("use") == "M"), (item["name"],))
    else:
        yield Slot(_element(item, version), (item["name"],))


def _element(item: dict[str, Any], version: str) -> Element:
    """The entry of the dictionary; a segment may narrow or widen it where it stands."""
    dictionary = load(version, "elements")
    if item["element"] not in dictionary:
        raise ValueError(f"{item['name']} is an element {item['element']}, which no elements.json declares")
    entry = dictionary[item["element"]] | item
    return Element(
        item["name"],
        item["element"],
        entry["title"],
        entry["type"],
        entry["min"],
        entry["max"],
        tuple(entry.get("codes", ())),
        item.get("use") == "M",
    )
