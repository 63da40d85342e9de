"""What a reader tells of a file, in its order: pieces of the lossless view, one transaction set at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.x12.lossless import Document, Group, Interchange, Segment, TransactionSet


@dataclass(frozen=True, slots=True)
class InterchangeBegins:
    """``interchange`` has its header and delimiters, and no groups yet."""

    interchange: Interchange


@dataclass(frozen=True, slots=True)
class GroupBegins:
    """GS; None where segments stand outside any group."""

    header: Segment | None


@dataclass(frozen=True, slots=True)
class Between:
    """A segment of the group, or of the interchange where no group is open, that stands before any set."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class SetRead:
    """A whole transaction set."""

    transaction_set: TransactionSet


@dataclass(frozen=True, slots=True)
class GroupEnds:
    """GE, or None where it is missing."""

    trailer: Segment | None


@dataclass(frozen=True, slots=True)
class InterchangeEnds:
    """IEA, or None where it is missing. ``position`` is the byte of the file behind it, where that is known."""

    trailer: Segment | None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class StreamEnds:
    """``trailing`` is what follows the last interchange and belongs to none.

    ``encoding`` is given where it is not that of the last interchange.
    """

    trailing: str
    encoding: str | None = None


Event = InterchangeBegins | GroupBegins | Between | SetRead | GroupEnds | InterchangeEnds | StreamEnds


def segments_of(event: Event) -> list[Segment]:
    """The segments of the file that an event tells, in their order."""
    match event:
        case InterchangeBegins(interchange):
            return [interchange["header"]]
        case SetRead(transaction_set):
            return transaction_set["segments"]
        case Between(segment):
            return [segment]
        case GroupBegins(edge) | GroupEnds(edge) | InterchangeEnds(edge) if edge is not None:
            return [edge]
    return []


def document_of(events: Iterable[Event]) -> Document:
    """The whole tree of a stream of events."""
    document: Document = {"interchanges": [], "trailing": ""}
    groups: list[Group] = []
    group: Group | None = None
    for event in events:
        match event:
            case InterchangeBegins(interchange):
                document["interchanges"].append(interchange)
                groups, group = interchange["groups"], None
            case GroupBegins(header):
                group = {"header": header, "segments": [], "sets": [], "trailer": None}
                groups.append(group)
            case Between(segment):
                (group or document["interchanges"][-1])["segments"].append(segment)
            case SetRead(transaction_set) if group is not None:
                group["sets"].append(transaction_set)
            case GroupEnds(trailer) if group is not None:
                group["trailer"], group = trailer, None
            case InterchangeEnds(trailer, position):
                document["interchanges"][-1]["trailer"] = trailer
                if position is not None:
                    document["interchanges"][-1]["ends_at"] = position
            case StreamEnds(trailing, encoding):
                document["trailing"] = trailing
                if encoding is not None:
                    document["trailing_encoding"] = encoding
            case _:
                raise AssertionError(f"{event} outside a group")
    return document


def events_of(document: Document) -> Iterator[Event]:
    """The events of a tree: the way back of ``document_of``."""
    for interchange in document["interchanges"]:
        yield InterchangeBegins({**interchange, "segments": [], "groups": [], "trailer": None})
        yield from map(Between, interchange["segments"])
        for group in interchange["groups"]:
            yield GroupBegins(group["header"])
            yield from map(Between, group["segments"])
            yield from map(SetRead, group["sets"])
            yield GroupEnds(group["trailer"])
        yield InterchangeEnds(interchange["trailer"], interchange.get("ends_at"))
    yield StreamEnds(document["trailing"], document.get("trailing_encoding"))
