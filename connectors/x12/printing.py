"""A file as JSON while it streams: the lossless view, and the named view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sdk.printing import LosslessPrinting, NamedPrinting
from connectors.sdk.spool import Spool
from connectors.x12.checked import CheckedGroup, CheckedInterchange, CheckedSet
from connectors.x12.events import (
    Between,
    Event,
    GroupBegins,
    GroupEnds,
    InterchangeBegins,
    InterchangeEnds,
    SetRead,
    StreamEnds,
)
from connectors.x12.examine import check
from connectors.x12.lossless import text_of

_LATER = ("segments", "groups", "trailer", "ends_at")


def lossless(events: Iterable[Event], to: Spool) -> None:
    """What ``read`` gives, as JSON."""
    printing = LosslessPrinting(to, "sets")
    for event in events:
        match event:
            case SetRead(transaction_set):
                printing.document(transaction_set)
            case Between(segment):
                printing.segment(segment)
            case InterchangeBegins(interchange):
                printing.begin_interchange({key: one for key, one in interchange.items() if key not in _LATER})
            case GroupBegins(header):
                printing.begin_group(header)
            case GroupEnds(trailer):
                printing.end_group(trailer)
            case InterchangeEnds(trailer, position):
                printing.end_interchange(trailer, position)
            case StreamEnds(trailing, encoding):
                printing.end()
                to.put(trailing, "trailing")
                if encoding is not None:
                    to.put(encoding, "trailing_encoding")


def named(events: Iterable[Event], to: Spool) -> None:
    """Sets by readable names, each with its faults; what is wrong with their envelopes stands behind them."""
    printing, headed = NamedPrinting(to, "sets"), _Headed()
    for one in check(headed.passing(events)):
        match one:
            case CheckedSet():
                printing.document(_set(one, headed.identifier))
            case CheckedGroup():
                printing.end_group(one.faults)
            case CheckedInterchange():
                printing.end_interchange(one.control_number, one.faults)


class _Headed:
    """Remembers GS01 of the group that is passing."""

    identifier = ""

    def passing(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, GroupBegins):
                self.identifier = text_of(event.header, 1) if event.header else ""
            yield event


def _set(one: CheckedSet, functional_identifier: str) -> dict[str, Any]:
    return {
        "type": one.type,
        "set_control_number": one.control_number,
        "group_control_number": one.place.group or "",
        "functional_identifier": functional_identifier,
        "faults": [found.as_json() for found in one.faults],
        "document": one.document,
    }
