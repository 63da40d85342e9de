"""The elements of one segment, by name, each looked at closely: what is wrong with it, and with their company."""

from __future__ import annotations

from typing import Any, Protocol

from connectors.x12.delimiters import Delimiters
from connectors.x12.lossless import Element, Segment
from connectors.x12.schema import Composite, SegmentSchema, Slot
from connectors.x12.schema import Element as Declared
from connectors.x12.values import Repertoire, wrong

Fields = dict[str, Any]


class Notice(Protocol):
    """Takes a fault in the segment at hand."""

    def __call__(self, code: str, message: str, **where: Any) -> None: ...


class ElementReader:
    """Gives the fields of segments and tells ``notice`` of their faults."""

    def __init__(self, delimiters: Delimiters, repertoire: Repertoire, notice: Notice) -> None:
        self._delimiters, self._repertoire, self._notice = delimiters, repertoire, notice

    def fields(self, segment: Segment, schema: SegmentSchema, name: str) -> Fields:
        """``name`` is the place of the segment in the named view."""
        fields: Fields = {}
        elements, slots = segment["elements"], schema.slots
        for number, slot in enumerate(slots, 1):
            element = elements[number - 1] if number <= len(elements) else ""
            value = self._value(element, slot, schema.id, number, name)
            if value:
                _put(fields, slot.path, value)
        if len(elements) > len(slots):
            self._notice(
                "elements_too_many",
                f"{schema.title} ({schema.id}) has {len(elements)} elements, only {len(slots)} are defined",
                element=len(slots) + 1,
                value=self.text(elements[len(slots)])[:99],
                name=name,
            )
        self._syntax(schema, elements, name)
        return fields

    def _syntax(self, schema: SegmentSchema, elements: list[Element], name: str) -> None:
        present = [bool(self.text(one)) for one in elements[: len(schema.slots)]]
        for note in schema.notes:
            number = note.broken_at(present)
            if number is not None:
                code = "element_excluded" if note.condition == "E" else "element_condition"
                declared = schema.slots[number - 1].declared
                title = declared.title if isinstance(declared, Declared) else declared.name
                message = f"{schema.id}{number:02d} ({title}): {note.sentence(schema.id)}"
                self._notice(code, message, element=number, reference=declared.reference, name=name)

    def _value(self, element: Element, slot: Slot, segment_id: str, number: int, name: str) -> str | dict[str, str]:
        name = "/".join([name, *map(str, slot.path)])
        declared = slot.declared
        where = f"{segment_id}{number:02d}"
        if not isinstance(declared, Composite):
            text = self.text(element)
            self._check(text, declared, where, name, element=number)
            return text
        parts = element if isinstance(element, list) else [self.text(element)]
        if not any(parts):
            if declared.mandatory:
                message = f"{where} ({declared.name}) is missing and must be given"
                self._notice("element_missing", message, name=name, element=number, reference=declared.reference)
            return {}
        return self._components(parts, declared, where, number, name)

    def _components(
        self, parts: list[str], declared: Composite, where: str, number: int, name: str
    ) -> dict[str, str]:
        named: dict[str, str] = {}
        for place, component in enumerate(declared.components, 1):
            text = parts[place - 1] if place <= len(parts) else ""
            inner = f"{name}/{component.name}"
            self._check(text, component, f"{where}-{place}", inner, element=number, component=place)
            if text:
                named[component.name] = text
        if len(parts) > len(declared.components):
            message = f"{where} has {len(parts)} components, only {len(declared.components)} are defined"
            value = parts[len(declared.components)][:99]
            self._notice("components_too_many", message, element=number, value=value, name=name)
        return named

    def text(self, element: Element) -> str:
        """An element as it stood between its separators."""
        if isinstance(element, dict):
            return self._delimiters.repetition.join(self.text(one) for one in element["repeat"])
        return self._delimiters.component.join(element) if isinstance(element, list) else element

    def _check(self, text: str, declared: Declared, where: str, name: str, **numbers: int) -> None:
        reference = declared.reference
        if not text:
            if declared.mandatory:
                message = f"{where} ({declared.title}) is missing and must be given"
                self._notice("element_missing", message, reference=reference, name=name, **numbers)
            return
        found = wrong(text, declared, self._repertoire)
        if found is not None:
            code, sentence = found
            message = f"{where} ({declared.title}) {text[:60]!r} {sentence}"
            self._notice(code, message, reference=reference, value=text[:99], name=name, **numbers)


def _put(fields: Fields, path: tuple[str | int, ...], value: Any) -> None:
    if len(path) == 1:
        fields[str(path[0])] = value
        return
    group, index, name = path
    many = fields.setdefault(str(group), [])
    while len(many) <= int(index):
        many.append({})
    many[int(index)][name] = value
