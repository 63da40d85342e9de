"""The codes of a set's segments made the partner's, or ours."""

from __future__ import annotations

from connectors.sdk.partner import Terms
from connectors.sdk.translation import Change, Translation
from connectors.x12 import schema
from connectors.x12.lossless import Element, Segment
from connectors.x12.profile import Profile
from connectors.x12.schema import Slot

_UNIT = "355"
#: Elements that people read: name, address, city, descriptions and messages. All others identify something.
_TEXTS = frozenset({"3", "19", "93", "166", "352", "369", "933"})


def translation(profile: Profile, terms: Terms) -> Translation:
    """Between our codes and those of a partner, by element number."""
    return Translation.of(terms, profile.codes, _UNIT, _TEXTS)


def translate(segments: list[Segment], version: str, change: Change | None) -> None:
    """Every value of a segment that is declared, in place."""
    if change is None:
        return
    for segment in segments:
        declared = schema.segment(segment["id"], version)
        if declared is not None:
            elements = segment["elements"]
            for index, slot in enumerate(declared.slots[: len(elements)]):
                elements[index] = _changed(elements[index], slot, change)


def _changed(element: Element, slot: Slot, change: Change) -> Element:
    declared = slot.declared
    if isinstance(element, dict):
        return element
    if isinstance(declared, schema.Element):
        return change(declared.reference, element) if isinstance(element, str) else element
    if isinstance(element, str):
        return change(declared.components[0].reference, element)
    named = declared.components
    return [change(named[place].reference, one) if place < len(named) else one for place, one in enumerate(element)]
