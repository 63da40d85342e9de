"""A file as JSON while it streams: the lossless view, the named view, and segment by segment with names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from connectors.edifact import schema
from connectors.edifact.checked import Checked, CheckedGroup, CheckedInterchange, CheckedMessage
from connectors.edifact.events import (
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    LooseSegment,
    MessageRead,
    Rest,
    segments_of,
)
from connectors.edifact.lossless import Element, Segment, parts_of
from connectors.edifact.named import directory, message_type
from connectors.sdk.printing import LosslessPrinting, NamedPrinting
from connectors.sdk.spool import Spool

_BEFORE_SEGMENTS = ("before", "una", "encoding", "delimiters", "glue", "wrapped", "header")


def lossless(events: Iterable[Event], to: Spool) -> None:
    """What ``gathered`` gives, as JSON."""
    trailing, printing = "", LosslessPrinting(to, "messages")
    for event in events:
        match event:
            case MessageRead(message):
                printing.document(message)
            case LooseSegment(segment):
                printing.segment(segment)
            case InterchangeBegins(interchange):
                head: Mapping[str, Any] = interchange
                printing.begin_interchange({key: head[key] for key in _BEFORE_SEGMENTS})
            case GroupBegins(header):
                printing.begin_group(header)
            case GroupEnds(trailer):
                printing.end_group(trailer)
            case InterchangeEnds(trailer, position):
                printing.end_interchange(trailer, position)
            case Rest(text):
                trailing = text
    printing.end()
    to.put(trailing, "trailing")


def named(checked: Iterable[Checked], to: Spool) -> None:
    """Messages by readable names, each with its faults; what is wrong with their envelopes stands behind them."""
    printing = NamedPrinting(to, "messages")
    for one in checked:
        match one:
            case CheckedMessage():
                printing.document(_message(one))
            case CheckedGroup():
                printing.end_group(one.faults)
            case CheckedInterchange():
                printing.end_interchange(one.control_reference, one.faults)


def _message(one: CheckedMessage) -> dict[str, Any]:
    return {
        "type": one.type,
        "directory": one.directory,
        "message_reference": one.reference,
        "group_reference": one.place.group or "",
        "faults": [found.as_json() for found in one.faults],
        "document": one.document,
    }


def showing(events: Iterable[Event], show: Callable[[dict[str, Any]], None]) -> Iterator[Event]:
    """The same events; each segment is shown as it passes, with title, paths and names."""
    for event in events:
        by = schema.SERVICE
        if isinstance(event, MessageRead):
            message = event.message
            by = schema.nearest(directory(message), message_type(message)) or schema.DEFAULT_DIRECTORY
        for segment in segments_of(event):
            show(_named_segment(segment, by))
        yield event


def _named_segment(segment: Segment, directory: str) -> dict[str, Any]:
    declared = schema.segment(segment["id"], directory)
    elements = [
        entry
        for number, element in enumerate(segment["elements"], 1)
        for entry in _named_element(element, number, declared)
    ]
    return {"id": segment["id"], "title": declared.title if declared else "not declared", "elements": elements}


def _named_element(
    element: Element, number: int, declared: schema.SegmentSchema | None
) -> Iterator[dict[str, str]]:
    position = declared.positions[number - 1] if declared and number <= len(declared.positions) else None
    repeated = element["repeat"] if isinstance(element, dict) else [element]
    for one in repeated:
        for part, text in enumerate(parts_of(one), 1):
            if not text:
                continue
            slot = position.slots[part - 1] if position and part <= len(position.slots) else None
            path = f"{number}" if position and not position.composite else f"{number}.{part}"
            yield {
                "path": path,
                "reference": slot.reference if slot else "",
                "name": slot.words if slot else "",
                "value": text,
            }
