"""An interchange as a sequence of events, so that a file of any size is read with one message in memory.

The order is InterchangeBegins, then GroupBegins, then LooseSegment and MessageRead, then GroupEnds and
InterchangeEnds, for each interchange; at last Rest, where something follows. A group without header holds
what stands in no group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.edifact.lossless import Document, Group, Interchange, Message, Segment


@dataclass(frozen=True, slots=True)
class InterchangeBegins:
    """``interchange`` has its header, not yet anything else."""

    interchange: Interchange


@dataclass(frozen=True, slots=True)
class GroupBegins:
    header: Segment | None


@dataclass(frozen=True, slots=True)
class LooseSegment:
    """Before the first group or message of an interchange, or before the first message of a group."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class MessageRead:
    message: Message


@dataclass(frozen=True, slots=True)
class GroupEnds:
    trailer: Segment | None


@dataclass(frozen=True, slots=True)
class InterchangeEnds:
    """UNZ, or None where it is missing. ``position`` is the byte of the file behind it, where that is known."""

    trailer: Segment | None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Text after the last interchange."""

    text: str


Event = InterchangeBegins | GroupBegins | LooseSegment | MessageRead | GroupEnds | InterchangeEnds | Rest


def segments_of(event: Event) -> list[Segment]:
    """The segments of the file that an event tells, in their order."""
    match event:
        case MessageRead(message):
            return message["segments"]
        case InterchangeBegins(interchange):
            return [] if interchange["header"] is None else [interchange["header"]]
        case GroupBegins(edge) | GroupEnds(edge) | InterchangeEnds(edge) | LooseSegment(edge) if edge is not None:
            return [edge]
    return []


def gathered(events: Iterable[Event]) -> Document:
    """The whole lossless view."""
    document: Document = {"interchanges": [], "trailing": ""}
    group: Group | None = None
    for event in events:
        match event:
            case MessageRead(message):
                assert group is not None
                group["messages"].append(message)
            case InterchangeBegins(interchange):
                document["interchanges"].append(interchange)
            case GroupBegins(header):
                group = {"header": header, "segments": [], "messages": [], "trailer": None}
                interchange["groups"].append(group)
            case LooseSegment(segment):
                (interchange if group is None else group)["segments"].append(segment)
            case GroupEnds(trailer):
                assert group is not None
                group["trailer"] = trailer
                group = None
            case InterchangeEnds(trailer, position):
                interchange["trailer"] = trailer
                if position is not None:
                    interchange["ends_at"] = position
            case Rest(text):
                document["trailing"] = text
    return document


def events_of(document: Document) -> Iterator[Event]:
    """The events of a view that is in memory already."""
    for interchange in document["interchanges"]:
        yield InterchangeBegins(interchange)
        yield from map(LooseSegment, interchange["segments"])
        for group in interchange["groups"]:
            yield GroupBegins(group["header"])
            yield from map(LooseSegment, group["segments"])
            yield from map(MessageRead, group["messages"])
            yield GroupEnds(group["trailer"])
        yield InterchangeEnds(interchange["trailer"], interchange.get("ends_at"))
    if document["trailing"]:
        yield Rest(document["trailing"])
