"""A segment schema, compiled once: one match tells that a segment has no fault, one zip names its elements.

The match is sufficient, not necessary: what it does not take is looked at element by element (``named``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from connectors.x12.lossless import Element as Value
from connectors.x12.schema import Composite, Element, SegmentSchema, Slot

_SEPARATOR = "\x1d"
_TEXT = "[^\x00-\x1f\x7f-\x9f\ud800-\udfff]"
#: Dates that every month has; by length.
_DAY = "(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])"
_DATE = {8: "[12][0-9]{3}" + _DAY, 6: "[0-9]{2}" + _DAY}
_MINUTE = "(?:[01][0-9]|2[0-3])[0-5][0-9]"
_TIME = {4: _MINUTE, 6: _MINUTE + "[0-5][0-9]"}
_MOST_PLANS = 1_000
_OFTEN = 50

Fields = dict[str, Any]
Presence = tuple[bool, ...]


class Shape:
    """What a sound segment looks like, and the names its elements take."""

    def __init__(self, schema: SegmentSchema) -> None:
        self._schema = schema
        self._pattern = re.compile(_pattern(schema.slots))
        self._plans: dict[Presence, Plan] = {}

    def fields(self, elements: list[Value]) -> Fields | None:
        """The named fields of a sound segment of simple elements; None where it needs a closer look."""
        try:
            text = _SEPARATOR.join(elements)  # type: ignore[arg-type]
        except TypeError:
            return None
        if text.count(_SEPARATOR) >= (len(elements) or 1):
            return None
        presence = tuple(map(bool, elements))
        plan = self._plans.get(presence)
        if plan is not None:
            return plan.fields(elements) if plan.is_sound(text) else None
        if self._pattern.fullmatch(text) is None:
            return None
        plan = self._planned(presence)
        return None if plan is None else plan.fields(elements)

    def _planned(self, presence: Presence) -> Plan | None:
        """None where a syntax note is broken."""
        if any(note.broken_at(presence) is not None for note in self._schema.notes):
            return None
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        plan = self._plans[presence] = Plan(self._schema.slots, presence, self._pattern)
        return plan


class Plan:
    """Where the elements of a segment go, for one choice of elements that are given."""

    def __init__(self, slots: tuple[Slot, ...], presence: Presence, pattern: re.Pattern[str]) -> None:
        self.is_sound: Callable[[str], Any] = self._counting
        self._slots, self._presence, self._general, self._uses = slots, presence, pattern.fullmatch, 0
        given = [index for index, is_given in enumerate(presence) if is_given]
        self._is_flat = all(len(slots[index].path) == 1 and _is_simple(slots[index]) for index in given)
        self._names = [str(slots[index].path[0]) for index in given]
        self._steps = [(index, *_target(slots[index])) for index in given]

    def _counting(self, text: str) -> Any:
        """One choice of elements is matched faster by a pattern of its own, made once it was met often."""
        self._uses += 1
        if self._uses == _OFTEN:
            values = (
                _value(slot.declared) if is_given else ""
                for slot, is_given in zip(self._slots, self._presence, strict=False)
            )
            self.is_sound = re.compile(_SEPARATOR.join(values)).fullmatch
        return self._general(text)

    def fields(self, elements: list[Value]) -> Fields:
        if self._is_flat:
            return dict(zip(self._names, filter(None, elements), strict=True))
        fields: Fields = {}
        for index, name, entry, inner in self._steps:
            if entry is not None:
                many = fields.get(name)
                if many is None:
                    many = fields[name] = []
                while len(many) <= entry:
                    many.append({})
                many[entry][inner] = elements[index]
            elif inner:
                fields[name] = {inner: elements[index]}
            else:
                fields[name] = elements[index]
        return fields


@cache
def shape(schema: SegmentSchema) -> Shape:
    """The compiled schema."""
    return Shape(schema)


def _is_simple(slot: Slot) -> bool:
    return not isinstance(slot.declared, Composite)


def _target(slot: Slot) -> tuple[str, int | None, str]:
    """Name, entry of a repeating group, and name within; a composite given as text is its first component."""
    if len(slot.path) == 3:
        group, entry, name = slot.path
        return str(group), int(entry), str(name)
    inner = slot.declared.components[0].name if isinstance(slot.declared, Composite) else ""
    return str(slot.path[0]), None, inner


def _pattern(slots: tuple[Slot, ...]) -> str:
    """Elements from the last to the first, each with those that may follow it."""
    whole, must_follow = "", False
    for slot in reversed(slots):
        value = _value(slot.declared)
        one = value if slot.declared.mandatory else f"(?:{value})?"
        rest = _SEPARATOR + whole if must_follow else f"(?:{_SEPARATOR}{whole})?"
        whole = one + (rest if slot is not slots[-1] else "")
        must_follow = must_follow or slot.declared.mandatory
    return whole


def _value(declared: Element | Composite) -> str:
    if isinstance(declared, Composite):
        first, *others = declared.components
        return "(?!)" if any(one.mandatory for one in others) else _value(first)
    shortest, longest = declared.shortest, declared.longest
    if declared.codes:
        return "(?:" + "|".join(re.escape(code) for code in declared.codes) + ")"
    match declared.type[0], declared.type:
        case "N", _:
            return f"-?[0-9]{{{shortest},{longest}}}"
        case _, "R":
            return _number(shortest, longest)
        case _, "DT":
            return _one_of(_DATE, shortest, longest)
        case _, "TM":
            return _one_of(_TIME, shortest, longest)
    return f"{_TEXT}{{{shortest},{longest}}}"


def _number(shortest: int, longest: int) -> str:
    places = min(4, longest - 1)
    if longest - places < shortest or not places:
        return f"-?[0-9]{{{shortest},{longest}}}"
    return f"-?(?:[0-9]{{{shortest},{longest - places}}}(?:\\.[0-9]{{0,{places}}})?)"


def _one_of(patterns: dict[int, str], shortest: int, longest: int) -> str:
    fitting = [pattern for length, pattern in patterns.items() if shortest <= length <= longest]
    return "(?:" + "|".join(fitting) + ")" if fitting else "(?!)"
