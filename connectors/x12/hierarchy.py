"""HL loops as a tree: a shipment has orders, an order packs, a pack items (X12.22, segment HL).

In the named view a level stands in its parent under the name of its code (HL03), declared with the set. The
fields of HL stay, so what was read is written back as it was; where no level has a number, levels are numbered
in the order of the tree and parent, level code and child code are filled in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from connectors.sdk.edi import Fault, Place
from connectors.x12.fault import fault
from connectors.x12.schema import SetSchema, Use

#: Levels whose code the set does not name.
OTHER = "other_levels"

Fields = dict[str, Any]


@dataclass
class Hierarchy:
    """The levels of one set while it is read."""

    use: Use
    _found: list[tuple[int, Fields]] = field(default_factory=list)

    @classmethod
    def of(cls, declared: SetSchema) -> Hierarchy | None:
        return None if declared.hierarchy is None else cls(declared.hierarchy)

    def note(self, position: int, level: Fields) -> None:
        """A level that was read; ``position`` is that of its HL, as AK302 counts."""
        self._found.append((position, level))

    def check(self, place: Place) -> Iterator[Fault]:
        """Numbers that repeat, parents that do not stand before, child codes that are not true."""
        seen: set[str] = set()
        parents = {str(level["parent"]) for _, level in self._found if "parent" in level}
        for position, level in self._found:
            number, parent = level.get("number", ""), level.get("parent")
            told = [
                (1, "hl_number_repeated", f"HL01 {number!r} is used twice", number in seen),
                (
                    2,
                    "hl_parent_unknown",
                    f"HL02 names level {parent!r}, none before has it",
                    _is_lost(parent, seen),
                ),
                (4, "hl_child_code_wrong", f"HL04 of level {number!r} is not true", _is_untrue(level, parents)),
            ]
            for element, code, message, is_wrong in told:
                if is_wrong:
                    where = place.within(f"/segments/{position - 1}")
                    yield fault(code, message, where, segment=position, segment_id="HL", element=element)
            seen.add(number)

    def plant(self, fields: Fields, faults: list[Fault]) -> list[Fault]:
        """Puts the levels into a tree; the same faults with their names in it.

        Levels whose numbers do not go up stay a list, since the order of the file would be lost.
        """
        levels: list[Fields] = fields.get(self.use.name, [])
        if not _go_up(levels):
            return faults
        fields.pop(self.use.name, None)
        names = dict(self.use.levels)
        paths: list[str] = []
        by_number: dict[str, tuple[Fields, str]] = {}
        for level in levels:
            holder, path = by_number.get(level.get("parent", ""), (fields, ""))
            name = names.get(level.get("level", ""), OTHER)
            children = holder.setdefault(name, [])
            paths.append(f"{path}{name}/{len(children)}")
            children.append(level)
            by_number[level["number"]] = (level, f"{paths[-1]}/")
        return [_renamed(one, self.use.name, paths) for one in faults]


def fell(document: Fields, declared: SetSchema) -> tuple[Fields, list[str]]:
    """The document with its tree as a list of levels, and where each of them stood in the tree."""
    use = declared.hierarchy
    if use is None or use.name in document:
        return document, []
    names = {name: code for code, name in use.levels} | {OTHER: ""}
    found = list(_walk(document, names, None, ""))
    if not found:
        return document, []
    whole = {key: value for key, value in document.items() if key not in names}
    if not any("number" in level for level, *_ in found):
        _number(found)
    levels = [(level, path) for level, _, path in found]
    if all(str(level.get("number", "")).isdigit() for level, _ in levels):
        levels.sort(key=lambda one: int(one[0]["number"]))
    return whole | {use.name: [level for level, _ in levels]}, [path for _, path in levels]


def _walk(
    holder: Fields, names: dict[str, str], parent: Fields | None, place: str
) -> Iterator[tuple[Fields, Fields | None, str]]:
    """Copies of levels without their children, with their parents' copies, in the order of the tree."""
    for name, code in names.items():
        given = holder.get(name, [])
        for index, level in enumerate(given if isinstance(given, list) else [given]):
            path = f"{place}{name}/{index}"
            if not isinstance(level, dict):
                yield {"level": level}, parent, path
                continue
            own = {key: value for key, value in level.items() if key not in names}
            if code:
                own.setdefault("level", code)
            if parent is not None and "number" in parent:
                own.setdefault("parent", parent["number"])
            yield own, parent, path
            yield from _walk(level, names, own, f"{path}/")


def _number(found: list[tuple[Fields, Fields | None, str]]) -> None:
    parents = {id(parent) for _, parent, _ in found if parent is not None}
    for number, (level, parent, _) in enumerate(found, 1):
        level["number"] = str(number)
        if parent is not None:
            level.setdefault("parent", parent["number"])
        level.setdefault("child_code", "1" if id(level) in parents else "0")


def renamed(faults: list[Fault], declared: SetSchema, paths: list[str]) -> list[Fault]:
    """Faults in the list of levels, with the names that the levels have in the tree."""
    use = declared.hierarchy
    return faults if use is None else [_renamed(one, use.name, paths) for one in faults]


def _renamed(one: Fault, name: str, paths: list[str]) -> Fault:
    prefix, _, rest = (one.name or "").partition("/")
    index, _, inner = rest.partition("/")
    if prefix != name or not index.isdigit() or int(index) >= len(paths):
        return one
    return replace(one, name=f"{paths[int(index)]}/{inner}".rstrip("/"))


def _is_lost(parent: str | None, seen: set[str]) -> bool:
    return parent is not None and parent not in seen


def _is_untrue(level: Fields, parents: set[str]) -> bool:
    return level.get("child_code") not in (None, "1" if level.get("number", "") in parents else "0")


def _go_up(levels: list[Fields]) -> bool:
    numbers = [str(level.get("number", "")) for level in levels]
    if not all(one.isascii() and one.isdigit() and len(one) <= 12 for one in numbers):
        return False
    return all(int(one) < int(following) for one, following in pairwise(numbers))
