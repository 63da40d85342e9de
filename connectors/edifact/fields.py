"""The fields of one segment by readable names, checked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.edifact.element import JOINED_BY, Position, Slot
from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.lossless import Element, Segment, parts_of
from connectors.edifact.schema import SegmentSchema
from connectors.edifact.values import ANY, Repertoire, wrong, wrong_date
from connectors.sdk.edi import NOWHERE, Fault, Place

#: The way to a segment in the named view: names, indexes (None for what is no list), and ways in front of them.
Name = tuple[Any, ...]

#: Element number, its position, the segment's schema and its name: where a value stands.
Where = tuple[int, Position, SegmentSchema, Name]


def check_segment(
    segment: Segment, declared: SegmentSchema, place: Place = NOWHERE, checks: Checks = AS_USUAL, position: int = 1
) -> tuple[dict[str, Any], list[Fault]]:
    """The fields of one segment by name, and their faults; ``position`` counts from UNH."""
    reading = Fields(place, checks, ANY)
    reading.at = position - 1
    return reading.fields(segment, declared), reading.faults


class Fields:
    """The fields of single segments."""

    def __init__(self, place: Place, checks: Checks, repertoire: Repertoire) -> None:
        self.faults: list[Fault] = []
        self.at = 0
        self._segment_id = ""
        self._place, self._checks, self._repertoire = place, checks, repertoire
        self._notes_trailing = checks.wants("trailing_separators")
        self._pattern = repertoire.pattern if checks.wants("character_repertoire") else None
        self._is_narrow = self._pattern is not None or repertoire.encoding != ANY.encoding

    def fields(self, segment: Segment, shape: SegmentSchema, name: Name = ()) -> dict[str, Any]:
        """This runs for all that is read: what is good passes with few steps, the rest is looked at closely."""
        fields: dict[str, Any] = {}
        self._segment_id = segment["id"]
        elements, is_narrow = segment["elements"], self._is_narrow
        if len(elements) > len(shape.expected):
            self._note_surplus(segment, shape, name)
        number = given = 0
        for element, expected in zip(elements, shape.expected):  # noqa: B905 - one may be longer, and saying so takes time
            number += 1
            if not element:
                continue
            shortest, longest, is_good, key, patterns, keys, mandatory, needs_more, position = expected
            if type(element) is str:
                if not (shortest <= len(element) <= longest and is_good(element)) or is_narrow:
                    self._check(element, position.slots[0], number, 1, position, name)
                if key is not None:
                    fields[key] = element
                else:
                    _put(fields, position.slots[0].path, element)
                if needs_more:
                    self._note_missing_parts((element,), position, number, name)
                given += mandatory
            elif type(element) is list:
                if (
                    is_narrow
                    or len(element) >= len(patterns)
                    or not patterns[len(element)](JOINED_BY.join(element))
                ):
                    self._composite(fields, element, position.slots, (number, position, shape, name))
                    continue
                if keys is not None and "" not in element:
                    fields.update(zip(keys, element))  # noqa: B905
                    given += mandatory
                    continue
                for slot, text in zip(position.slots, element):  # noqa: B905
                    if text:
                        _put(fields, slot.path, text)
                if any(element):
                    given += mandatory
            elif isinstance(element, dict):
                self._repeated(fields, element["repeat"], (number, position, shape, name))
        if given < len(shape.mandatory):
            self._note_missing_elements(elements, shape, name)
        if shape.date is not None:
            self._check_date(fields, shape, name)
        if self._notes_trailing and elements and _ends_empty(elements[-1]):
            self._note("trailing_separators", f"segment {segment['id']} ends in separators without data", name=name)
        return fields

    def _composite(self, fields: dict[str, Any], parts: list[str], slots: tuple[Slot, ...], where: Where) -> None:
        number, position, _, name = where
        if len(parts) > len(slots):
            self._note_surplus_parts(parts, where)
        for part, (slot, text) in enumerate(zip(slots, parts, strict=False), 1):
            if text:
                self._check(text, slot, number, part, position, name)
                _put(fields, slot.path, text)
        self._note_missing_parts(parts, position, number, name)

    def _repeated(self, fields: dict[str, Any], repetitions: list[str | list[str]], where: Where) -> None:
        for one, slots in zip(repetitions, where[1].repetitions, strict=False):
            self._composite(fields, [one] if isinstance(one, str) else one, slots, where)

    def _check(self, text: str, slot: Slot, number: int, part: int, position: Position, name: Name) -> None:
        found = wrong(text, slot, self._repertoire)
        if found is None and self._pattern and not self._pattern.fullmatch(text):
            found = "character_repertoire", "holds a character that the character set of UNB S001 does not have"
        if found is not None:
            code, sentence = found
            message = f"{self._words(slot, position, number, part)} {text[:60]!r} {sentence}"
            self._note(code, message, slot, number, part, position, name, text)

    def _check_date(self, fields: dict[str, Any], shape: SegmentSchema, name: Name) -> None:
        assert shape.date is not None
        value, format = fields.get(shape.date[0]), fields.get(shape.date[1])
        if value is None or format is None or (sentence := wrong_date(value, format)) is None:
            return
        for number, position in enumerate(shape.positions, 1):
            for part, slot in enumerate(position.slots, 1):
                if slot.reference == "2380":
                    message = f"{self._words(slot, position, number, part)} {value[:60]!r} {sentence}"
                    self._note("element_date", message, slot, number, part, position, name, value)

    def _note_missing_parts(
        self, parts: list[str] | tuple[str], position: Position, number: int, name: Name
    ) -> None:
        for index in position.needed:
            if (index >= len(parts) or not parts[index]) and any(parts):
                slot = position.slots[index]
                message = f"{self._words(slot, position, number, index + 1)} is missing and must be given"
                self._note("element_missing", message, slot, number, index + 1, position, name)

    def _note_missing_elements(self, elements: list[Element], shape: SegmentSchema, name: Name) -> None:
        for index in shape.mandatory:
            if index >= len(elements) or not any(parts_of(elements[index])):
                self._note_missing_element(shape.positions[index], index + 1, name)

    def _note_missing_element(self, position: Position, number: int, name: Name) -> None:
        slot = next((one for one in position.slots if one.mandatory), position.slots[0])
        part = position.slots.index(slot) + 1
        message = f"{self._words(slot, position, number, part)} is missing and must be given"
        self._note("element_missing", message, slot, number, part, position, name)

    def _note_surplus(self, segment: Segment, shape: SegmentSchema, name: Name) -> None:
        known, given = len(shape.positions), len(segment["elements"])
        message = f"{shape.title} ({shape.id}) has {given} elements, only {known} are defined"
        self._note("elements_too_many", message, number=known + 1, name=name)

    def _note_surplus_parts(self, given: list[str], where: Where) -> None:
        number, position, shape, name = where
        known = len(position.slots)
        what = f"element {number} of {shape.title} ({shape.id})"
        message = f"{what} has {len(given)} components, only {known} are defined"
        self._note("components_too_many", message, None, number, known + 1, position, name)

    def _words(self, slot: Slot, position: Position, number: int, part: int) -> str:
        """``NAD postal code (element 8, 3251)``: what a clerk and a programmer look for."""
        component = f", component {part}" if len(position.slots) > 1 else ""
        return f"{self._segment_id} {slot.words} (element {number}{component}, {slot.reference})"

    def _note(
        self,
        code: str,
        message: str,
        slot: Slot | None = None,
        number: int | None = None,
        part: int | None = None,
        position: Position | None = None,
        name: Name = (),
        value: str | None = None,
    ) -> None:
        is_composite = position is not None and bool(position.composite)
        one = fault(
            code,
            message,
            self._place.within(f"/segments/{self.at}"),
            segment=self.at + 1,
            segment_id=self._segment_id,
            element=number,
            component=part if is_composite else None,
            reference=slot.reference if slot else position.reference if position else None,
            value=value[:99] if value is not None else None,
            name="/".join(words_of((*name, *(slot.path if slot else ())))) or None,
        )
        self._judge(one)

    def _judge(self, one: Fault) -> None:
        judged = self._checks.judged(one)
        if judged is not None:
            self.faults.append(judged)


def words_of(name: Name) -> Iterator[str]:
    for part in name:
        if isinstance(part, tuple):
            yield from words_of(part)
        elif part is not None:
            yield str(part)


def _put(fields: dict[str, Any], path: tuple[Any, ...], value: str) -> None:
    """Under its name, or into a list of texts or of objects; what is left out before it there is empty."""
    if len(path) == 1:
        fields[path[0]] = value
        return
    many, index = fields.setdefault(path[0], []), path[1]
    if len(path) == 2:
        many += [""] * (index - len(many))
        many.append(value)
        return
    while len(many) <= index:
        many.append({})
    many[index][path[2]] = value


def _ends_empty(element: Element) -> bool:
    return not element or (isinstance(element, list) and not element[-1])
