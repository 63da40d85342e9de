"""From a named view to the segments of a transaction set, refused where its schema is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.sdk import Misconfigured
from connectors.sdk.drafting import Drafting, many, value_at
from connectors.sdk.edi import Fault
from connectors.x12 import schema
from connectors.x12.delimiters import Delimiters
from connectors.x12.errors import DocumentError
from connectors.x12.fault import fault
from connectors.x12.hierarchy import fell, renamed
from connectors.x12.lossless import Element, Segment
from connectors.x12.named import UNKNOWN, view
from connectors.x12.schema import Composite, Contents, SegmentSchema, SetSchema, Slot, Use
from connectors.x12.values import Repertoire


def declared(set_type: str, version: str = schema.DEFAULT_VERSION) -> SetSchema:
    """The schema of a set. Raises ``Misconfigured`` for one that is not declared."""
    found = schema.transaction_set(set_type, version)
    if found is None:
        raise Misconfigured(
            f"X12 set {set_type!r} of version {version} is not declared",
            next_action=f"use one of: {', '.join(schema.set_types(version))}",
            field="set",
        )
    return found


def from_named(
    set_type: str,
    document: dict[str, Any],
    version: str = schema.DEFAULT_VERSION,
    delimiters: Delimiters = Delimiters(),  # noqa: B008 - immutable
    encoding: str = "ascii",
) -> list[Segment]:
    """The segments between ST and SE. A list of one may be given as its only item.

    Raises ``DocumentError`` with every fault (unknown name, missing, too long, wrong type, a character that is
    a delimiter, a control character or outside ``encoding``), ``Misconfigured`` for a set that is not declared.
    """
    repertoire = Repertoire(delimiters.characters(), encoding)
    segments, faults = drafted(set_type, document, version, delimiters, repertoire)
    rejected = [one for one in faults if one.severity == "reject"]
    if rejected:
        raise DocumentError(set_type, rejected)
    return segments


def drafted(
    set_type: str,
    document: dict[str, Any],
    version: str,
    delimiters: Delimiters,
    repertoire: Repertoire,
    translate: Callable[[list[Segment]], None] = lambda _: None,
) -> tuple[list[Segment], list[Fault]]:
    """The same segments with every fault and warning, whatever they are. ``translate`` may change values before
    they are looked at. Raises ``Misconfigured`` for a set that is not declared."""
    shape = declared(set_type, version)
    writing = _Writing(fault)
    flat, paths = fell(document, shape) if isinstance(document, dict) else (document, [])
    segments = writing.document(flat, shape)
    translate(segments)
    whole: list[Segment] = [{"id": "ST", "elements": [set_type, "0001"]}, *segments]
    found = view({"segments": whole}, shape, delimiters=delimiters, repertoire=repertoire)[1]
    return segments, renamed(writing.faults, shape, paths) + found


class _Writing(Drafting):
    def document(self, document: Any, shape: SetSchema) -> list[Segment]:
        fields = self._object(document, "")
        segments = self._contents(shape.contents, fields, "")
        self._unknown_names(fields, {use.name for use in shape.contents.uses} | {UNKNOWN}, "")
        for kept in many(fields.get(UNKNOWN)):
            self._put_back(kept, segments)
        return segments

    def _contents(self, contents: Contents | None, fields: dict[str, Any], name: str) -> list[Segment]:
        segments: list[Segment] = []
        for use in contents.uses if contents is not None else ():
            given = many(fields.get(use.name))
            for index, value in enumerate(given):
                place = f"{name}{use.name}/{index}" if use.repeats else f"{name}{use.name}"
                segments += self._use(use, self._object(value, place), place)
        return segments

    def _use(self, use: Use, fields: dict[str, Any], name: str) -> list[Segment]:
        names = (
            use.segment.names | {inner.name for inner in use.contents.uses} if use.contents else use.segment.names
        )
        self._unknown_names(fields, names, f"{name}/")
        first = self._segment(use.segment, fields, name)
        rest = self._contents(use.contents, fields, f"{name}/")
        return [first, *rest] if first["elements"] or rest else []

    def _segment(self, shape: SegmentSchema, fields: dict[str, Any], name: str) -> Segment:
        elements = [self._element(slot, fields, name) for slot in shape.slots]
        while elements and not elements[-1]:
            elements.pop()
        self._repeats(shape, fields, name)
        return {"id": shape.id, "elements": elements}

    def _element(self, slot: Slot, fields: dict[str, Any], name: str) -> Element:
        value = value_at(fields, slot.path)
        if not isinstance(slot.declared, Composite):
            return self._text(value, name, slot.path)
        if value is None:
            return ""
        place = "/".join([name, *map(str, slot.path)])
        given = self._object(value, place)
        self._unknown_names(given, {one.name for one in slot.declared.components}, f"{place}/")
        parts = [self._text(given.get(one.name), place, (one.name,)) for one in slot.declared.components]
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return parts if len(parts) > 1 else parts[0]

    def _repeats(self, shape: SegmentSchema, fields: dict[str, Any], name: str) -> None:
        groups: dict[str, set[str]] = {}
        counts: dict[str, int] = {}
        for slot in shape.slots:
            if len(slot.path) == 3:
                groups.setdefault(str(slot.path[0]), set()).add(str(slot.path[2]))
                counts[str(slot.path[0])] = int(slot.path[1]) + 1
        for group, names in groups.items():
            given = many(fields.get(group))
            for index, one in enumerate(given):
                place = f"{name}/{group}/{index}"
                self._unknown_names(self._object(one, place), names, f"{place}/")
            self._too_many(given, counts[group], f"{name}/{group}")

    def _put_back(self, kept: Any, segments: list[Segment]) -> None:
        entry = self._object(kept, UNKNOWN)
        position, segment = entry.get("position"), entry.get("segment")
        if isinstance(position, int) and isinstance(segment, dict) and _is_plain(segment):
            copy: Segment = {"id": segment["id"], "elements": segment["elements"]}
            segments.insert(max(position - 2, 0), copy)
        else:
            self._wrong(UNKNOWN, "an object with position and segment", kept)


def _is_plain(segment: dict[str, Any]) -> bool:
    """Whether it is a segment of the lossless view without repetitions."""
    elements = segment.get("elements")
    return (
        isinstance(segment.get("id"), str)
        and isinstance(elements, list)
        and all(
            isinstance(one, str) or (isinstance(one, list) and all(isinstance(part, str) for part in one))
            for one in elements
        )
    )
