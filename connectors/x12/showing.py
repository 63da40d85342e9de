"""A file for the terminal, segment by segment, while it streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from connectors.x12 import schema
from connectors.x12.events import Event, GroupBegins, InterchangeBegins, segments_of
from connectors.x12.lossless import Element, Segment, text_of


def showing(events: Iterable[Event], show: Callable[[dict[str, Any]], None]) -> Iterator[Event]:
    """The same events; each segment is shown as it passes, with title, paths and names."""
    version, component = schema.DEFAULT_VERSION, ""
    for event in events:
        match event:
            case InterchangeBegins(interchange):
                version, component = schema.DEFAULT_VERSION, interchange["delimiters"]["component"]
            case GroupBegins(header) if header is not None:
                version = schema.nearest(text_of(header, 8))
        for segment in segments_of(event):
            show(_named(segment, version, component))
        yield event


def _named(segment: Segment, version: str, component: str) -> dict[str, Any]:
    declared = schema.segment(segment["id"], version)
    slots = declared.slots if declared else ()
    elements = [
        {
            "path": f"{segment['id']}{number:02d}",
            "name": slots[number - 1].declared.name if number <= len(slots) else "",
            "value": text,
        }
        for number, element in enumerate(segment["elements"], 1)
        if (text := _plain(element, component))
    ]
    return {"id": segment["id"], "title": declared.title if declared else "not declared", "elements": elements}


def _plain(element: Element, component: str) -> str:
    if isinstance(element, dict):
        return " | ".join(_plain(one, component) for one in element["repeat"])
    return component.join(element) if isinstance(element, list) else element
