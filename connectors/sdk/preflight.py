"""What is looked for in a document before it is sent, whatever the standard: pure rules over what a standard found.

A standard says where keys, parties and lines stand in its segments; the rules say what is wrong with them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from connectors.sdk.edi import Fault
from connectors.sdk.exchange import Known
from connectors.sdk.gs1 import wrong
from connectors.sdk.partner import Characters, Identifiers, Items, Sides

S = TypeVar("S")
_FORMS = {
    "gln": re.compile(r"[0-9]{13}"),
    "hin": re.compile(r"[A-Z0-9]{9}"),
    "duns": re.compile(r"[0-9]{9}([0-9]{4})?"),
}
_CALLED = {"gln": "GLN", "hin": "HIN", "duns": "D-U-N-S number"}


@dataclass(frozen=True)
class Ready(Generic[S]):
    """What may be sent: the segments between header and trailer, and what the profile only warns of."""

    segments: list[S]
    warnings: list[Fault]


@dataclass(frozen=True)
class Spot:
    """Where in a document: the segment from 1 at ST or UNH, its element, the name in the named view."""

    segment: int
    segment_id: str
    element: int = 0
    component: int | None = None
    reference: str = ""
    name: str = ""


@dataclass(frozen=True)
class Found:
    """One thing that is wrong. ``value`` is the text at ``spot``."""

    code: str
    message: str
    spot: Spot
    value: str = ""

    def fault(self, make: Callable[..., Fault]) -> Fault:
        """The same as a fault, which ``make`` makes of a code as the standard's own checks do."""
        spot = self.spot
        return make(
            self.code, self.message, value=self.value or None, segment=spot.segment or None,
            segment_id=spot.segment_id or None, element=spot.element or None, component=spot.component,
            reference=spot.reference or None, name=spot.name or None,
        )  # fmt: skip


@dataclass(frozen=True)
class Key:
    """A key of GS1: ``kind`` is GTIN, GLN or SSCC; ``lengths`` narrows those that the kind has."""

    kind: str
    value: str
    spot: Spot
    lengths: tuple[int, ...] = ()


@dataclass(frozen=True)
class PartyId:
    """Who a document names: ``side`` is ours or theirs, empty for anybody else."""

    side: str
    scheme: str
    value: str
    spot: Spot


@dataclass(frozen=True)
class Line:
    """``ids`` are the schemes by which it names its item; ``number`` is its own, or its place from 1."""

    number: str
    ids: frozenset[str]
    spot: Spot


@dataclass(frozen=True)
class Unit:
    """A unit of measure, and the line it is said of."""

    line: str
    unit: str
    spot: Spot


@dataclass
class Facts:
    """What a document says that the rules are about."""

    keys: list[Key] = field(default_factory=list)
    parties: list[PartyId] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)


def examine(facts: Facts, sides: Sides, items: Items) -> Iterator[Found]:
    """Everything wrong but what needs another document. Codes: ``check_digit_wrong``, ``party_identifier``,
    ``item_identifier_missing``."""
    for key in facts.keys:
        if told := wrong(key.kind, key.value, key.lengths):
            yield Found("check_digit_wrong", f"{key.value} {told}", key.spot, key.value)
    for party in facts.parties:
        yield from _party(party, sides)
    for line in facts.lines:
        yield from _line(line, items)


def _party(party: PartyId, sides: Sides) -> Iterator[Found]:
    called = _CALLED[party.scheme]
    if not _FORMS[party.scheme].fullmatch(party.value):
        if party.scheme != "gln":
            message = f"{party.value} is no {called}"
            yield Found("party_identifier", message, party.spot, party.value)
        return
    if not party.side:
        return
    side: Identifiers = getattr(sides, party.side)
    known = getattr(side, party.scheme)
    if known and known != party.value:
        who = "we are" if party.side == "ours" else "the partner is"
        message = f"{party.value} is given as {called}, but {who} {known} in the partner's profile"
        yield Found("party_identifier", message, party.spot, party.value)


def _line(line: Line, items: Items) -> Iterator[Found]:
    missing = [scheme for scheme in items.all_of if scheme not in line.ids]
    if missing:
        message = f"line {line.number} has no {_words(missing, 'and')} number, which the partner needs of each line"
        yield Found("item_identifier_missing", message, line.spot)
    if items.one_of and not line.ids.intersection(items.one_of):
        message = f"line {line.number} has no {_words(items.one_of, 'or')} number: the partner needs one of them"
        yield Found("item_identifier_missing", message, line.spot)


def _words(schemes: Sequence[str], word: str) -> str:
    named = ["GTIN" if scheme == "gtin" else scheme.upper() if scheme == "ndc" else scheme for scheme in schemes]
    return f" {word} ".join(named)


def units_as_ordered(facts: Facts, ordered: Mapping[str, str], order: str) -> Iterator[Found]:
    """Code ``unit_not_as_ordered``; ``ordered`` is the unit of each line of the order."""
    for one in facts.units:
        unit = ordered.get(one.line)
        if unit and one.unit and unit != one.unit:
            message = f"line {one.line} says unit {one.unit}, order {order} has it in {unit}"
            yield Found("unit_not_as_ordered", message, one.spot, one.unit)


def sent_before(known: Iterable[Known], type: str, key: str, partner: str, spot: Spot) -> Iterator[Found]:
    """Code ``duplicate_document``; ``known`` are documents of this type and key, newest first."""
    for one in known:
        if one.direction == "out":
            when = one.at.isoformat(timespec="seconds")
            message = f"{type} {key} went to partner {partner} before, in interchange {one.number}, at {when}"
            yield Found("duplicate_document", message, spot, key)
            return


def marked(segments: Sequence[S], faults: Iterable[Fault], text: Callable[[S], str]) -> list[dict[str, Any]]:
    """The segments in which something is wrong, as text, with the elements that are; the first of ``segments`` is
    the second of the set or message."""
    elements: dict[int, set[int]] = {}
    for one in faults:
        if one.segment is not None and 2 <= one.segment < len(segments) + 2:
            elements.setdefault(one.segment, set()).update({one.element} if one.element else ())
    return [
        {"position": at, "text": text(segments[at - 2])[:200], "elements": sorted(elements[at])}
        for at in sorted(elements)
    ]


def fitted(text: str, may: Callable[[str], bool], how: Characters) -> str:
    """Free text with what the partner cannot take replaced, as its profile says: by the table, else without its
    accents, else in capitals. What can be replaced by none of them stays."""
    if how.outside == "refuse" and not how.replace:
        return text
    return "".join(one if may(one) else _instead(one, may, how) for one in text)


def _instead(character: str, may: Callable[[str], bool], how: Characters) -> str:
    if how.outside == "refuse":
        return how.replace.get(character, character)
    given = how.replace.get(character)
    if given is not None:
        return given if all(may(one) for one in given) else given.upper()
    plain = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    for tried in (plain, character.upper(), plain.upper()):
        if tried and all(may(one) for one in tried):
            return tried
    return character
