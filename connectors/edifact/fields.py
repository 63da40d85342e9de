"""The fields of one segment by readable names, checked on the way."""

from __future__ import annotations

from typing import Any

from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.lossless import Element, Segment, parts_of
from connectors.edifact.schema import Position, SegmentSchema, Slot
from connectors.edifact.values import ANY, Repertoire, wrong, wrong_date
from connectors.sdk.edi import NOWHERE, Fault, Place

#: Element number, its position, the segment's schema and its name: where a value stands.
Where = tuple[int, Position, SegmentSchema, tuple[str | int, ...]]


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

    def fields(self, segment: Segment, shape: SegmentSchema, name: tuple[str | int, ...] = ()) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        self._segment_id = segment["id"]
        elements, positions = segment["elements"], shape.positions
        if len(elements) > len(positions):
            self._note_surplus(elements, shape, name)
        is_narrow = self._is_narrow
        for number, (element, position) in enumerate(zip(elements, positions, strict=False), 1):
            if not element:
                continue
            if isinstance(element, str):
                slot = position.slots[0]
                if not (slot.is_plain and len(element) <= slot.longest and element.isprintable()) or is_narrow:
                    self._check(element, slot, number, 1, position, name)
                if len(slot.path) == 1:
                    fields[slot.path[0]] = element  # type: ignore[index]
                else:
                    _put(fields, slot.path, element)
                if position.needed and position.needed != (0,):
                    self._note_missing_parts((element,), position, number, name)
            elif isinstance(element, list):
                self._composite(fields, element, position.slots, (number, position, shape, name))
            else:
                self._repeated(fields, element["repeat"], position, (number, position, shape, name))
        for index in shape.mandatory:
            if index >= len(elements) or not _is_given(elements[index]):
                self._note_missing_element(shape.positions[index], index + 1, name)
        if shape.date is not None:
            self._check_date(fields, shape, name)
        if self._notes_trailing and elements and _ends_empty(elements[-1]):
            self._note("trailing_separators", f"segment {segment['id']} ends in separators without data", name=name)
        return fields

    def _composite(self, fields: dict[str, Any], parts: list[str], slots: tuple[Slot, ...], where: Where) -> None:
        number, position, shape, name = where
        if len(parts) > len(slots):
            self._note_surplus_parts(parts, shape, position, number, name)
        is_narrow = self._is_narrow
        for part, (slot, text) in enumerate(zip(slots, parts, strict=False), 1):
            if text:
                if not (slot.is_plain and len(text) <= slot.longest and text.isprintable()) or is_narrow:
                    self._check(text, slot, number, part, position, name)
                if len(slot.path) == 1:
                    fields[slot.path[0]] = text  # type: ignore[index]
                else:
                    _put(fields, slot.path, text)
        if position.needed:
            self._note_missing_parts(parts, position, number, name)

    def _repeated(
        self,
        fields: dict[str, Any],
        repetitions: list[str | list[str]],
        position: Position,
        where: Where,
    ) -> None:
        for one, slots in zip(repetitions, position.repetitions, strict=False):
            self._composite(fields, [one] if isinstance(one, str) else one, slots, where)

    def _check(
        self, text: str, slot: Slot, number: int, part: int, position: Position, name: tuple[str | int, ...]
    ) -> None:
        found = wrong(text, slot, self._repertoire)
        if found is None and self._pattern and not self._pattern.fullmatch(text):
            found = "character_repertoire", "holds a character that the character set of UNB S001 does not have"
        if found is not None:
            code, sentence = found
            message = f"{self._words(slot, position, number, part)} {text[:60]!r} {sentence}"
            self._note(code, message, slot, number, part, position, name, text)

    def _check_date(self, fields: dict[str, Any], shape: SegmentSchema, name: tuple[str | int, ...]) -> None:
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
        self, parts: list[str] | tuple[str], position: Position, number: int, name: tuple[str | int, ...]
    ) -> None:
        for index in position.needed:
            if (index >= len(parts) or not parts[index]) and any(parts):
                slot = position.slots[index]
                message = f"{self._words(slot, position, number, index + 1)} is missing and must be given"
                self._note("element_missing", message, slot, number, index + 1, position, name)

    def _note_missing_element(self, position: Position, number: int, name: tuple[str | int, ...]) -> None:
        slot = next((one for one in position.slots if one.mandatory), position.slots[0])
        part = position.slots.index(slot) + 1
        message = f"{self._words(slot, position, number, part)} is missing and must be given"
        self._note("element_missing", message, slot, number, part, position, name)

    def _note_surplus(self, elements: list[Element], shape: SegmentSchema, name: tuple[str | int, ...]) -> None:
        known = len(shape.positions)
        message = f"{shape.title} ({shape.id}) has {len(elements)} elements, only {known} are defined"
        self._note("elements_too_many", message, number=known + 1, name=name)

    def _note_surplus_parts(
        self,
        parts: list[str],
        shape: SegmentSchema,
        position: Position,
        number: int,
        name: tuple[str | int, ...],
    ) -> None:
        known = len(position.slots)
        what = f"element {number} of {shape.title} ({shape.id})"
        message = f"{what} has {len(parts)} components, only {known} are defined"
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
        name: tuple[str | int, ...] = (),
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
            name="/".join(map(str, (*name, *(slot.path if slot else ())))) or None,
        )
        self._judge(one)

    def _judge(self, one: Fault) -> None:
        judged = self._checks.judged(one)
        if judged is not None:
            self.faults.append(judged)


def _put(fields: dict[str, Any], path: tuple[str | int, ...], value: str) -> None:
    """Into a list of texts or of objects; what is left out before it is an empty text or object."""
    many = fields.setdefault(str(path[0]), [])
    index = int(path[1])
    empty: Any = "" if len(path) == 2 else {}
    while len(many) <= index:
        many.append(empty.copy() if isinstance(empty, dict) else empty)
    if len(path) == 2:
        many[index] = value
    else:
        many[index][path[2]] = value


def _is_given(element: Element) -> bool:
    return any(parts_of(element))


def _ends_empty(element: Element) -> bool:
    return not element or (isinstance(element, list) and not element[-1])
