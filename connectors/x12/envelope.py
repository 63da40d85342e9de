"""Building an interchange around transaction sets given in the named view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from connectors.x12.delimiters import Delimiters, has_repetition
from connectors.x12.lossless import Document, Group, Interchange, Segment, TransactionSet, text_of
from connectors.x12.unnamed import declared, from_named

#: A set's named view, or the segments between its ST and SE.
Content = dict[str, Any] | list[Segment]


@dataclass(frozen=True)
class Party:
    """A trading partner's interchange id (ISA05/06) and application id (GS02), which defaults to it."""

    qualifier: str
    id: str
    group_id: str = ""


@dataclass(frozen=True)
class Envelope:
    """Who sends to whom, under which numbers, and when (``at`` is written as it stands, without zone)."""

    sender: Party
    receiver: Party
    interchange_control_number: int
    group_control_number: int
    at: datetime
    usage: str = "T"
    version: str = "004010"
    delimiters: Delimiters = field(default_factory=Delimiters)
    acknowledgement_requested: bool = False
    encoding: str = "ascii"
    glue: str = "\n"


def interchange(
    envelope: Envelope, sets: Sequence[tuple[str, Content]], segments: Sequence[Segment] = ()
) -> Document:
    """A lossless document, for ``write``, of one interchange that holds these (set type, named view).

    Instead of the view there may be the segments between ST and SE, which are then not looked at again.

    ``segments`` stand before the groups (TA1).

    Neighbours of one functional identifier share a group; groups are numbered upward from the envelope's
    number, sets in each group from 0001. Raises ``DocumentError`` and ``Misconfigured`` as ``from_named``.
    """
    by_group = groupby(sets, lambda one: declared(one[0], envelope.version).functional_identifier)
    groups = [
        _group(envelope, identifier, envelope.group_control_number + index, list(members))
        for index, (identifier, members) in enumerate(by_group)
    ]
    number = f"{envelope.interchange_control_number:09d}"
    whole: Interchange = {
        "before": "",
        "encoding": envelope.encoding,
        "delimiters": envelope.delimiters.as_json(),
        "glue": envelope.glue,
        "header": _header(envelope, number),
        "segments": [*segments],
        "groups": groups,
        "trailer": _segment("IEA", str(len(groups)), number),
    }
    return {"interchanges": [whole], "trailing": ""}


def parties(of: Interchange) -> tuple[Party, Party]:
    """Sender and receiver of an interchange that was read, without padding."""
    header = of["header"]
    first = of["groups"][0]["header"] if of["groups"] else None
    return (
        Party(text_of(header, 5), text_of(header, 6), text_of(first, 2) if first else ""),
        Party(text_of(header, 7), text_of(header, 8), text_of(first, 3) if first else ""),
    )


def _header(envelope: Envelope, number: str) -> Segment:
    sender, receiver, delimiters = envelope.sender, envelope.receiver, envelope.delimiters
    version = envelope.version[:5]
    return _segment(
        "ISA",
        *("00", " " * 10, "00", " " * 10),
        *(sender.qualifier.ljust(2), sender.id.ljust(15), receiver.qualifier.ljust(2), receiver.id.ljust(15)),
        *(f"{envelope.at:%y%m%d}", f"{envelope.at:%H%M}"),
        delimiters.repetition or "U" if has_repetition(version) else "U",
        *(version, number, "1" if envelope.acknowledgement_requested else "0", envelope.usage),
        delimiters.component,
    )


def _group(envelope: Envelope, identifier: str, number: int, sets: list[tuple[str, Content]]) -> Group:
    sender, receiver = envelope.sender, envelope.receiver
    header = _segment(
        "GS",
        *(identifier, sender.group_id or sender.id, receiver.group_id or receiver.id),
        *(f"{envelope.at:%Y%m%d}", f"{envelope.at:%H%M}", str(number), "X", envelope.version),
    )
    members = [_set(envelope, f"{index:04d}", *one) for index, one in enumerate(sets, 1)]
    return {
        "header": header,
        "segments": [],
        "sets": members,
        "trailer": _segment("GE", str(len(members)), str(number)),
    }


def _set(envelope: Envelope, number: str, set_type: str, content: Content) -> TransactionSet:
    body = (
        content
        if isinstance(content, list)
        else from_named(set_type, content, envelope.version, envelope.delimiters, envelope.encoding)
    )
    last = _segment("SE", str(len(body) + 2), number)
    return {"segments": [_segment("ST", set_type, number), *body, last]}


def _segment(id: str, *elements: str) -> Segment:
    return {"id": id, "elements": [*elements]}
