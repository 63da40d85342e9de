"""From a named view to the segments of a message, refused where its schema is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.edifact import schema
from connectors.edifact.delimiters import Delimiters
from connectors.edifact.element import Position, Slot
from connectors.edifact.errors import DocumentError, EdifactError
from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.lossless import Element, Segment
from connectors.edifact.named import UNKNOWN, view
from connectors.edifact.schema import Contents, MessageSchema, SegmentSchema, Use
from connectors.edifact.segment import Signs
from connectors.edifact.shape import segment_of
from connectors.edifact.totals import check_totals
from connectors.edifact.values import Repertoire
from connectors.sdk import Misconfigured
from connectors.sdk.drafting import Drafting, many, value_at
from connectors.sdk.edi import NOWHERE, Fault


def declared(message_type: str, directory: str = schema.DEFAULT_DIRECTORY) -> MessageSchema:
    """The schema of a message. Raises ``Misconfigured`` for one that is not declared."""
    found = schema.message(message_type, directory)
    if found is None:
        known = ", ".join(f"{one} {at}" for at in schema.directories() for one in schema.message_types(at))
        raise Misconfigured(
            f"EDIFACT message {message_type!r} of directory {directory} is not declared",
            next_action=f"use one of: {known}",
            field="message",
        )
    return found


def from_named(
    message_type: str,
    document: dict[str, Any],
    directory: str = schema.DEFAULT_DIRECTORY,
    delimiters: Delimiters = Delimiters(),  # noqa: B008 - immutable
    repertoire: Repertoire = Repertoire(),  # noqa: B008 - immutable
    checks: Checks = AS_USUAL,
) -> list[Segment]:
    """The segments between UNH and UNT. A list of one may be given as its only item.

    Raises ``DocumentError`` with every fault that ``checks`` rejects (unknown name, missing, too long, wrong
    type, a character that cannot be sent), ``Misconfigured`` for a message that is not declared.
    """
    segments, found = drafted(message_type, document, directory, delimiters, repertoire, checks)
    rejected = [one for one in found if one.severity == "reject"]
    if rejected:
        raise DocumentError(message_type, rejected)
    return segments


def drafted(
    message_type: str,
    document: dict[str, Any],
    directory: str,
    delimiters: Delimiters,
    repertoire: Repertoire,
    checks: Checks,
    translate: Callable[[list[Segment]], None] = lambda _: None,
) -> tuple[list[Segment], list[Fault]]:
    """The same segments with everything that ``checks`` does not ignore. ``translate`` may change values before
    they are looked at. Raises ``Misconfigured`` for a message that is not declared."""
    shape = declared(message_type, directory)
    writing = _Writing(delimiters, repertoire)
    segments = writing.document(document, shape)
    translate(segments)
    whole: list[Segment] = [{"id": "UNH", "elements": ["1", message_type]}, *segments]
    found = view({"segments": whole}, shape, NOWHERE, checks, repertoire)[1]
    return segments, [*writing.faults, *found, *check_totals(whole, NOWHERE, checks)]


class _Writing(Drafting):
    def __init__(self, delimiters: Delimiters, repertoire: Repertoire) -> None:
        super().__init__(fault)
        self._signs, self._repertoire = Signs(delimiters), repertoire

    def document(self, document: Any, shape: MessageSchema) -> list[Segment]:
        fields = self._object(document, "")
        self._unknown_names(fields, {use.name for use in shape.contents.uses} | {UNKNOWN}, "")
        segments = self._contents(shape.contents, fields, "")
        for kept in many(fields.get(UNKNOWN)):
            self._put_back(kept, segments)
        return segments

    def _contents(self, contents: Contents, fields: dict[str, Any], name: str) -> list[Segment]:
        segments: list[Segment] = []
        for use in contents.uses:
            for index, value in enumerate(many(fields.get(use.name))):
                place = f"{name}{use.name}/{index}" if use.repeats else f"{name}{use.name}"
                segments += self._use(use, self._object(value, place), place)
        return segments

    def _use(self, use: Use, fields: dict[str, Any], name: str) -> list[Segment]:
        inner = {one.name for one in use.contents.uses} if use.contents else set()
        self._unknown_names(fields, use.segment.names | inner, f"{name}/")
        first = self._segment(use.segment, fields, name)
        rest = self._contents(use.contents, fields, f"{name}/") if use.contents else []
        return [first, *rest] if first["elements"] or rest else []

    def _segment(self, shape: SegmentSchema, fields: dict[str, Any], name: str) -> Segment:
        elements = [self._position(position, fields, name) for position in shape.positions]
        while elements and not elements[-1]:
            elements.pop()
        self._check_lists(shape, fields, name)
        segment: Segment = {"id": shape.id, "elements": elements}
        try:
            self._signs.join(segment)
        except EdifactError as error:
            self._note("element_character", f"{shape.title}: {error.message}", name)
        return segment

    def _position(self, position: Position, fields: dict[str, Any], name: str) -> Element:
        if not position.repetitions:
            return self._parts(position.slots, fields, name)
        repeated = [self._parts(slots, fields, name) for slots in position.repetitions]
        while len(repeated) > 1 and not repeated[-1]:
            repeated.pop()
        return {"repeat": repeated} if len(repeated) > 1 else repeated[0]

    def _parts(self, slots: tuple[Slot, ...], fields: dict[str, Any], name: str) -> str | list[str]:
        parts = [self._text(value_at(fields, slot.path), name, slot.path) for slot in slots]
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return parts if len(parts) > 1 else parts[0]

    def _check_lists(self, shape: SegmentSchema, fields: dict[str, Any], name: str) -> None:
        """Lists within a segment: no longer than there is place for, and of nothing but what they may hold."""
        names: dict[str, set[str]] = {}
        counts: dict[str, int] = {}
        every = [slots for one in shape.positions for slots in (one.repetitions or (one.slots,))]
        for slot in (slot for slots in every for slot in slots if len(slot.path) > 1):
            names.setdefault(slot.name, set()).update(map(str, slot.path[2:]))
            counts[slot.name] = int(slot.path[1]) + 1
        for key, count in counts.items():
            given = many(fields.get(key))
            self._too_many(given, count, f"{name}/{key}")
            for index, one in enumerate(given):
                place = f"{name}/{key}/{index}"
                if names[key]:
                    self._unknown_names(self._object(one, place), names[key], f"{place}/")

    def _put_back(self, kept: Any, segments: list[Segment]) -> None:
        entry = self._object(kept, UNKNOWN)
        position = entry.get("position")
        if not isinstance(position, int) or "segment" not in entry:
            self._wrong(UNKNOWN, "an object with position and segment", kept)
            return
        try:
            given = segment_of(entry["segment"], f"/{UNKNOWN}")
            segment: Segment = {"id": given["id"], "elements": given["elements"]}
            bad = self._repertoire.bad(self._signs.join(segment))
        except EdifactError as error:
            self._note("value_shape", error.message, UNKNOWN)
            return
        if bad is not None:
            message = f"segment {segment['id']} holds the character {bad!r}, which this interchange cannot carry"
            self._note("element_character", message, UNKNOWN)
        segments.insert(max(position - 2, 0), segment)
