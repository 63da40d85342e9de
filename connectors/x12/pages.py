"""The reference page of the declared sets."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sdk.tables_page import Described, Edition, Row, page
from connectors.x12 import schema
from connectors.x12.derive import derives_from, load
from connectors.x12.schema import Contents, Element, SegmentSchema, SetSchema, Slot

_HOW = (
    "A name within another stands in that loop, whose first segment's elements stand beside it. Elements are told"
    " by position, name in the named view, number in the dictionary, type, length, M where mandatory."
)


def pages() -> dict[str, str]:
    """Text by file name."""
    return {
        "SETS.md": page("Declared sets of X12", "Set", _HOW, [_edition(version) for version in schema.versions()])
    }


def _edition(version: str) -> Edition:
    found = (schema.transaction_set(type, version) for type in schema.set_types(version))
    segments = (schema.segment(id, version) for id in load(version, "segments"))
    return Edition(
        version,
        derives_from(version) or "",
        {one.type: _document(one) for one in found if one is not None},
        {one.id: _segment(one) for one in segments if one is not None},
    )


def _document(one: SetSchema) -> Described:
    lines = [f"Functional identifier {one.functional_identifier}."]
    if one.key:
        lines.append(f"Business key `{'/'.join(one.key)}`{', which comes once' if one.once else ''}.")
    if one.answers:
        lines.append(f"Answers the {one.answers} of the same key.")
    return Described(one.type, one.title, tuple(lines), tuple(_rows(one.contents, "")))


def _rows(contents: Contents, within: str) -> Iterator[Row]:
    for use in contents.uses:
        name = f"{within}{use.name}"
        levels = ", ".join(f"{code} `{level}`" for code, level in use.levels)
        notes = "loop" if use.is_loop else ""
        maximum = "" if use.maximum is None else str(use.maximum)
        yield Row(name, use.segment.id, use.mandatory, maximum, f"{notes}; by HL03: {levels}" if levels else notes)
        if use.contents is not None:
            yield from _rows(use.contents, f"{name}/")


def _segment(one: SegmentSchema) -> Described:
    lines = [_position(number, slot) for number, slot in enumerate(one.slots, 1) if slot.path[1:2] in ((), (0,))]
    lines += [f"note {note.condition}{''.join(f'{number:02d}' for number in note.elements)}" for note in one.notes]
    return Described(one.id, one.title, tuple(lines))


def _position(number: int, slot: Slot) -> str:
    name = "/".join("…" if part == 0 else str(part) for part in slot.path)
    if isinstance(slot.declared, Element):
        return f"{number:02d} `{name}` {_element(slot.declared)}"
    parts = ", ".join(f"`{part.name}` {_element(part)}" for part in slot.declared.components)
    return f"{number:02d} `{name}` {slot.declared.reference}{' M' if slot.declared.mandatory else ''} ({parts})"


def _element(one: Element) -> str:
    codes = f" {'|'.join(one.codes)}" if 0 < len(one.codes) <= 12 else ""
    return f"{one.reference} {one.type} {one.shortest}/{one.longest}{codes}{' M' if one.mandatory else ''}"
