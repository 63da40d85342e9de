"""A file for the terminal, segment by segment, while it streams."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.sdk.visible import visible
from connectors.x12 import schema
from connectors.x12.events import (
    Between,
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    SetRead,
)
from connectors.x12.lossless import Element, Segment, text_of

_IN_MEMORY = 1024 * 1024


class Spool:
    """A JSON object with one long list, printed only when it is complete; a large one waits on disk."""

    def __init__(self, name: str) -> None:
        spooled = tempfile.SpooledTemporaryFile
        self._file = spooled(_IN_MEMORY, mode="w+", encoding="utf-8")
        self._file.write(f"{{{json.dumps(name)}: [")
        self._separator = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, entry: Any) -> None:
        self._file.write(self._separator + json.dumps(entry))
        self._separator = ", "

    def print(self, others: dict[str, Any]) -> None:
        """``others`` stand beside the list."""
        self._file.write("], " + json.dumps(others)[1:])
        self._file.seek(0)
        shutil.copyfileobj(self._file, sys.stdout)
        click.echo()


def showing(events: Iterable[Event], show: Callable[[dict[str, Any]], None]) -> Iterator[Event]:
    """The same events; each segment is shown as it passes, with title, paths and names."""
    version, component = schema.DEFAULT_VERSION, ""
    for event in events:
        match event:
            case InterchangeBegins(interchange):
                version, component = schema.DEFAULT_VERSION, interchange["delimiters"]["component"]
            case GroupBegins(header) if header is not None:
                version = schema.nearest(text_of(header, 8))
        for segment in _segments(event):
            show(_named(segment, version, component))
        yield event


def _segments(event: Event) -> list[Segment]:
    match event:
        case InterchangeBegins(interchange):
            return [interchange["header"]]
        case SetRead(transaction_set):
            return transaction_set["segments"]
        case Between(segment):
            return [segment]
        case GroupBegins(segment) | GroupEnds(segment) | InterchangeEnds(segment) if segment is not None:
            return [segment]
    return []


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


def print_segment(console: Console, segment: dict[str, Any]) -> None:
    """Title, then a line for each element that is given."""
    console.print(Text(f"{segment['id']}  {segment['title']}", style="bold"))
    table = Table(show_header=False, box=None, padding=(0, 1))
    for element in segment["elements"]:
        table.add_row(f"  {element['path']}", element["name"], Text(visible(element["value"])))
    console.print(table)


def _plain(element: Element, component: str) -> str:
    if isinstance(element, dict):
        return " | ".join(_plain(one, component) for one in element["repeat"])
    return component.join(element) if isinstance(element, list) else element
