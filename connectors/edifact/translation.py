"""The codes of a message's segments made the partner's, or ours."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.edifact import schema
from connectors.edifact.element import Position, Slot
from connectors.edifact.lossless import Element, Message, Segment
from connectors.edifact.named import directory, message_type
from connectors.edifact.profile import Profile
from connectors.sdk.partner import Terms
from connectors.sdk.translation import Change, Translation

_UNIT = "6411"
#: Elements that people read: names, streets, cities, descriptions and free text. All others identify something.
_TEXTS = frozenset({"3036", "3042", "3124", "3164", "3412", "4440", "7008"})


def translation(profile: Profile, terms: Terms) -> Translation:
    """Between our codes and those of a partner, by data element."""
    return Translation.of(terms, profile.codes, _UNIT, _TEXTS)


def translate_message(message: Message, change: Change | None) -> None:
    """Every value of a message, in place, by the directory it is read by."""
    if change is not None and (by := schema.nearest(directory(message), message_type(message))):
        translate(message["segments"], by, change)


def translate(segments: Sequence[Segment], directory: str, change: Change | None) -> None:
    """Every value of a segment that is declared, in place."""
    if change is None:
        return
    for segment in segments:
        declared = schema.segment(segment["id"], directory)
        if declared is not None:
            elements = segment["elements"]
            for index, position in enumerate(declared.positions[: len(elements)]):
                elements[index] = _changed(elements[index], position, change)


def _changed(element: Element, position: Position, change: Change) -> Element:
    if isinstance(element, str):
        return change(position.slots[0].reference, element)
    if isinstance(element, list):
        return _parts(element, position.slots, change)
    repeated: list[str | list[str]] = []
    for each in element["repeat"]:
        parts = _parts([each] if isinstance(each, str) else each, position.slots, change)
        repeated.append(parts[0] if isinstance(each, str) else parts)
    return {"repeat": repeated}


def _parts(parts: list[str], slots: tuple[Slot, ...], change: Change) -> list[str]:
    return [change(slots[place].reference, one) if place < len(slots) else one for place, one in enumerate(parts)]
