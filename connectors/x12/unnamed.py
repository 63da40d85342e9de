"""From a named view to the segments of a transaction set, refused where its schema is broken."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from connectors.sdk import Misconfigured
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
    shape = declared(set_type, version)
    writing = _Writing(Repertoire(delimiters.characters(), encoding))
    flat, paths = fell(document, shape) if isinstance(document, dict) else (document, [])
    segments = writing.document(flat, shape)
    whole: list[Segment] = [{"id": "ST", "elements": [set_type, "0001"]}, *segments]
    found = view({"segments": whole}, shape, delimiters=delimiters, repertoire=writing.repertoire)[1]
    faults = renamed(writing.faults, shape, paths) + [one for one in found if one.severity == "reject"]
    if faults:
        raise DocumentError(set_type, faults)
    return segments


class _Writing:
    def __init__(self, repertoire: Repertoire) -> None:
        self.repertoire = repertoire
        self.faults: list[Fault] = []

    def document(self, document: Any, shape: SetSchema) -> list[Segment]:
        fields = self._object(document, "")
        segments = self._contents(shape.contents, fields, "")
        self._unknown_names(fields, {use.name for use in shape.contents.uses} | {UNKNOWN}, "")
        for kept in self._many(fields.get(UNKNOWN)):
            self._put_back(kept, segments)
        return segments

    def _contents(self, contents: Contents | None, fields: dict[str, Any], name: str) -> list[Segment]:
        segments: list[Segment] = []
        for use in contents.uses if contents is not None else ():
            given = self._many(fields.get(use.name))
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
        value = _get(fields, slot.path)
        place = "/".join([name, *map(str, slot.path)])
        if not isinstance(slot.declared, Composite):
            return self._text(value, place)
        if value is None:
            return ""
        given = self._object(value, place)
        self._unknown_names(given, {one.name for one in slot.declared.components}, f"{place}/")
        parts = [self._text(given.get(one.name), f"{place}/{one.name}") for one in slot.declared.components]
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
            given = self._many(fields.get(group))
            for index, one in enumerate(given):
                place = f"{name}/{group}/{index}"
                self._unknown_names(self._object(one, place), names, f"{place}/")
            if len(given) > counts[group]:
                message = f"{name}/{group} has {len(given)} entries, at most {counts[group]} have a place"
                self.faults.append(fault("elements_too_many", message, name=f"{name}/{group}"))

    def _put_back(self, kept: Any, segments: list[Segment]) -> None:
        entry = self._object(kept, UNKNOWN)
        position, segment = entry.get("position"), entry.get("segment")
        if isinstance(position, int) and isinstance(segment, dict) and _is_plain(segment):
            copy: Segment = {"id": segment["id"], "elements": segment["elements"]}
            segments.insert(max(position - 2, 0), copy)
        else:
            self._wrong(UNKNOWN, "an object with position and segment", kept)

    def _text(self, value: Any, name: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            self._wrong(name, "text", value)
            return ""
        return value

    def _object(self, value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._wrong(name or "document", "an object", value)
        return {}

    @staticmethod
    def _many(value: Any) -> list[Any]:
        if value is None:
            return []
        return value if isinstance(value, list) else [value]

    def _wrong(self, name: str, expected: str, value: Any) -> None:
        message = f"{name} must be {expected}, it is {value!r:.60}"
        self.faults.append(fault("value_shape", message, name=name))

    def _unknown_names(self, fields: dict[str, Any], names: Collection[str], prefix: str) -> None:
        for key in fields:
            if key not in names:
                close = get_close_matches(str(key), names, 1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(names))}"
                message = f"{prefix}{key} is not a name of this view; {hint}"
                self.faults.append(fault("name_unknown", message, name=f"{prefix}{key}"))


def _get(fields: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    if len(path) == 1:
        return fields.get(str(path[0]))
    group, index, name = path
    many = fields.get(str(group))
    given = many if isinstance(many, list) else [] if many is None else [many]
    entry = given[int(index)] if int(index) < len(given) else None
    return entry.get(name) if isinstance(entry, dict) else None


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
