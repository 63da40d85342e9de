"""What may be wrong with a reply: pure, on the lossless view of an X12 or EDIFACT interchange or on its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

#: The lossless view of one file with one interchange, of either codec.
Tree = dict[str, Any]
_Segment = dict[str, Any]

#: Segment, element and component (both from 1) where a reply names what it answers, and its own number or code.
_ANSWERS = {"BAK": (3, 0), "PRF": (1, 0), "BIG": (4, 0), "AK1": (2, 0), "UCI": (1, 0), "RFF": (1, 2)}
_OWN = {"BAK": (8, 0), "BSN": (2, 0), "BIG": (2, 0), "BGM": (2, 0), "AK9": (1, 0), "UCI": (4, 0)}
_QUANTITY = {"ACK": (2, 0), "SN1": (2, 0), "IT1": (2, 0), "QTY": (1, 2), "AK9": (2, 0), "UCI": (4, 0)}
_REJECTING = {"AK9": "R", "UCI": "4"}


def truncated(content: bytes) -> bytes:
    """Its first two thirds."""
    return content[: len(content) * 2 // 3]


def wrong_count(tree: Tree) -> Tree:
    """SE01 or UNT 0074 of the first set is one too high."""
    return _changed(tree, lambda one: _count_up(next(_sets(one))["segments"][-1]))


def wrong_total(tree: Tree) -> Tree:
    """IEA01 or UNZ 0036 is one too high."""
    return _changed(tree, lambda one: _count_up(one["trailer"]))


def other_content(tree: Tree) -> Tree:
    """The same control numbers around a document with another number, or an acknowledgement that rejects."""

    def change(one: Tree) -> None:
        for segment in _segments(one):
            if segment["id"] in _OWN:
                own = _text(segment, *_OWN[segment["id"]])
                _set(segment, *_OWN[segment["id"]], _REJECTING.get(segment["id"], f"{own}-B"))

    return _changed(tree, change)


def unknown_reference(tree: Tree) -> Tree:
    """It answers an order, or a control number, that nobody sent."""

    def change(one: Tree) -> None:
        for segment in _segments(one):
            is_number = segment["id"] in ("AK1", "UCI")
            if segment["id"] in _ANSWERS and (segment["id"] != "RFF" or _text(segment, 1, 1) == "ON"):
                _set(segment, *_ANSWERS[segment["id"]], "999999" if is_number else "PO-NOBODY-SENT")

    return _changed(tree, change)


def other_environment(tree: Tree) -> Tree:
    """The test indicator (ISA15, UNB 0035) says the opposite of the order's."""

    def change(one: Tree) -> None:
        header = one["header"]
        if header["id"] == "ISA":
            header["elements"][14] = "P" if header["elements"][14] == "T" else "T"
        elif len(header["elements"]) < 11:
            header["elements"] += [""] * (10 - len(header["elements"])) + ["1"]
        else:
            header["elements"] = _without_end(header["elements"][:10])

    return _changed(tree, change)


def bad_set(tree: Tree) -> Tree:
    """A set whose quantity is no number stands behind the first good one; the envelope counts it."""

    def change(one: Tree) -> None:
        group = one["groups"][0]
        sets = group["sets"] if "sets" in group else group["messages"]
        spoilt = deepcopy(sets[0])
        for segment in spoilt["segments"]:
            if segment["id"] in _QUANTITY:
                _set(segment, *_QUANTITY[segment["id"]], "MANY")
        sets.insert(1, spoilt)
        is_x12 = "sets" in group
        for number, each in enumerate(sets, 1):
            reference = f"{number:04d}" if is_x12 else str(number)
            each["segments"][0]["elements"][1 if is_x12 else 0] = reference
            each["segments"][-1]["elements"][1] = reference
        _count_up(group["trailer"] if is_x12 else one["trailer"])

    return _changed(tree, change)


#: Damages of the one file that is sent.
OF_TREE: dict[str, Callable[[Tree], Tree]] = {
    "wrong_count": wrong_count,
    "wrong_total": wrong_total,
    "unknown_reference": unknown_reference,
    "other_environment": other_environment,
    "bad_set": bad_set,
}
#: All of them; ``duplicate`` and ``other_content`` are a second file behind the good one.
DAMAGES = (*OF_TREE, "truncated", "duplicate", "other_content")


def _changed(tree: Tree, change: Callable[[Tree], None]) -> Tree:
    copy = deepcopy(tree)
    change(copy["interchanges"][0])
    return copy


def _sets(one: Tree) -> Iterator[Tree]:
    for group in one["groups"]:
        yield from group["sets"] if "sets" in group else group["messages"]


def _segments(one: Tree) -> Iterator[_Segment]:
    for each in _sets(one):
        yield from each["segments"]


def _text(segment: _Segment, element: int, component: int) -> str:
    found = segment["elements"][element - 1]
    return str(found[component - 1] if component else found)


def _set(segment: _Segment, element: int, component: int, value: str) -> None:
    if component:
        segment["elements"][element - 1][component - 1] = value
    else:
        segment["elements"][element - 1] = value


def _count_up(trailer: _Segment) -> None:
    trailer["elements"][0] = str(int(trailer["elements"][0]) + 1)


def _without_end(elements: list[Any]) -> list[Any]:
    while elements and not elements[-1]:
        elements.pop()
    return elements
