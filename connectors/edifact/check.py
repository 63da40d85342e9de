"""One message against its declared schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.edifact import schema
from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.fields import check_segment
from connectors.edifact.lossless import Message, Segment
from connectors.edifact.named import directory, message_type, view
from connectors.edifact.totals import check_totals
from connectors.edifact.values import ANY, Repertoire
from connectors.sdk.edi import NOWHERE, Fault, Place

_USUAL = {"id", "elements", "raw"}


def check_message(
    message: Message, place: Place = NOWHERE, checks: Checks = AS_USUAL, repertoire: Repertoire = ANY
) -> tuple[dict[str, Any] | None, list[Fault]]:
    """The named view (None where the type is not declared) and the faults of its content; its envelope's counts
    and numbers are ``examine``'s business."""
    type, given = message_type(message), directory(message)
    by = schema.nearest(given, type)
    declared = schema.message(type, by) if by else None
    found = _judged(_of_text(message, place), checks) + _header(message, place, checks)
    if declared is None:
        known = sorted({one for at in schema.directories() for one in schema.message_types(at)})
        text = f"message type {type or '(without type)'} is not one that can be read here ({', '.join(known)})"
        where = {"segment": 1, "segment_id": "UNH", "element": 2, "component": 1}
        return None, found + _judged([fault("message_not_declared", text, place, value=type, **where)], checks)
    if by != given:
        text = f"directory {given!r} is not declared for {type}, it was read as {by}"
        where = {"segment": 1, "segment_id": "UNH", "element": 2, "component": 2}
        found += _judged([fault("directory_not_declared", text, place, value=given, **where)], checks)
    document, more = view(message, declared, place, checks, repertoire)
    return document, [*found, *more, *check_totals(message["segments"], place, checks)]


def _header(message: Message, place: Place, checks: Checks) -> list[Fault]:
    declared = schema.segment("UNH")
    assert declared is not None
    header = message["segments"][0]
    found = check_segment(header, declared, place, checks)[1] if header["id"] == "UNH" else []
    return [one for one in found if one.element != 1 or one.code != "element_missing"]


def _of_text(message: Message, place: Place) -> Iterator[Fault]:
    """What is wrong with the text of segments, before its meaning: rare, so each is looked at by its keys."""
    for index, segment in enumerate(message["segments"]):
        if len(segment) > 2 and not segment.keys() <= _USUAL:
            yield from _oddities(segment, index, place.within(f"/segments/{index}"))


def _oddities(segment: Segment, index: int, place: Place) -> Iterator[Fault]:
    where = {"segment": index + 1, "segment_id": segment["id"][:12]}
    name = segment["id"][:12]
    if "encoding" in segment:
        text = f"segment {name} holds bytes the character set does not have; read as {segment['encoding']}"
        yield fault("characters_undecodable", text, place, **where)
    if segment.get("unterminated"):
        yield fault(
            "segment_unterminated",
            f"segment {name}, where the file or the interchange ends, has no terminator",
            place,
            **where,
        )
    if segment.get("glue", "").strip():
        yield fault("empty_segment", f"an empty segment stands before {name}", place, **where)


def _judged(found: Iterator[Fault] | list[Fault], checks: Checks) -> list[Fault]:
    return [judged for one in found if (judged := checks.judged(one)) is not None]
