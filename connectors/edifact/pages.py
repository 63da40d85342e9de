"""The reference page of the declared messages."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.edifact import schema
from connectors.edifact.element import Position, Slot
from connectors.edifact.schema import Contents, MessageSchema, SegmentSchema
from connectors.sdk.tables_page import Described, Edition, Row, page

_HOW = (
    "A name within another stands in that group, whose first segment's elements stand beside it. Elements are told"
    " by position, name in the named view, number in the directory, format, M where mandatory. `service` has the"
    " segments of the syntax."
)


def pages() -> dict[str, str]:
    """Text by file name."""
    editions = [_edition(one) for one in (*schema.directories(), schema.SERVICE)]
    return {"SETS.md": page("Declared messages of EDIFACT", "Message", _HOW, editions)}


def _edition(directory: str) -> Edition:
    messages = (schema.message(type, directory) for type in schema.message_types(directory))
    segments = (schema.segment(tag, directory) for tag in schema.tags(directory))
    return Edition(
        directory,
        schema.derives_from(directory) or "",
        {one.type: _message(one) for one in messages if one is not None},
        {one.id: _segment(one) for one in segments if one is not None},
    )


def _message(one: MessageSchema) -> Described:
    return Described(one.type, one.title, (), tuple(_rows(one.contents, "")))


def _rows(contents: Contents, within: str) -> Iterator[Row]:
    for use in contents.uses:
        name = f"{within}{use.name}"
        yield Row(name, use.segment.id, use.mandatory, str(use.maximum), use.group)
        if use.contents is not None:
            yield from _rows(use.contents, f"{name}/")


def _segment(one: SegmentSchema) -> Described:
    return Described(one.id, one.title, tuple(_position(number, of) for number, of in enumerate(one.positions, 1)))


def _position(number: int, one: Position) -> str:
    must = " M" if one.mandatory else ""
    if not one.composite:
        return f"{number} {_slot(one.slots[0])}"
    often = f", up to {len(one.repetitions)} times" if one.repetitions else ""
    return f"{number} {one.composite}{must} ({', '.join(_slot(slot) for slot in one.slots)}{often})"


def _slot(one: Slot) -> str:
    length = str(one.longest) if one.shortest == one.longest else f"..{one.longest}"
    name = "/".join(str(part) for part in one.path)
    return f"`{name}` {one.reference} {one.type}{length}{' M' if one.mandatory else ''}"
