"""What of a message is about a patient, and the view without it. Pure.

Fails closed: only segments that supply has a use for pass, everything else is withheld whole, whatever it is.
Derived data (bodies, outcomes, events, exceptions) holds none of it, unless a feed profile names the field and the
reason; the bytes as they came are kept apart. Segments stay in their place, empty; ``withheld`` names what is left
out, by place, without values. Chapters are those of HL7 v2.5.1.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from connectors.hl7.names import STANDARD

#: What is ordered, scheduled, charged and kept in stock (chapters 2, 4, 6, 8, 10, 17).
PASSES = frozenset(
    "MSH EVN SCH RGS AIS AIG AIL AIP ORC TQ1 TQ2 RQD RQ1 FT1 MFI MFE ITM IIM IVT STZ VND PKG".split()  # noqa: SIM905
)
#: Of these nothing but the fields given: place, class, service and times of a stay (3.4.3); the device of a
#: participation, not its persons, addresses and donation (7.4.4 of v2.8.2); of an answer which message it is of and
#: which place is wrong, not its words (2.15.5 and 2.15.8).
ONLY = {
    "PV1": frozenset({1, 2, 3, 6, 10, 11, 39, 42, 44, 45}),
    "PRT": frozenset({1, 2, 3, 4, 8, 9, 10, 11, 12, 16, 17, 18, 19, 20, 22}),
    "MSA": frozenset({1, 2}),
    "ERR": frozenset({2, 4}),
}
#: Single fields elsewhere: the diagnosis of a charge (6.5.1.19), who books a case (10.6.1.12 to 14).
FIELDS = {"FT1": frozenset({19}), "SCH": frozenset({12, 13, 14})}
#: Notes of these are about what is ordered (4.10.1: NTE after RQD).
ORDERED = frozenset({"ORC", "RQD", "RQ1", "TQ1", "TQ2"})
#: Withheld or not, these say nothing of whether a message is about a patient: envelope, software, what follows.
_NEUTRAL = frozenset("SFT UAC DSC FHS BHS BTS FTS NTE ADD".split())  # noqa: SIM905
#: These belong to the segment before them and share its fate: notes, and its continuation (2.10.2.1).
_FOLLOWS = frozenset({"NTE", "ADD"})
#: Stands for the name of a line that is no segment of the standard nor the sender's own: it may be part of a value.
UNNAMED = "?"
_NUMBER = re.compile(r"\d+")
_PLACE = re.compile(r"(\d+)(?:\[\d+\])?\.(\d+)(?:\.(\d+))?")
_OWN = re.compile(r"Z[A-Z0-9]{2}")


def withhold(view: dict[str, Any], keep: Collection[str] = ()) -> dict[str, Any]:
    """A view without what is about a patient; ``keep`` are places like ``PID-18`` or ``ZST`` that stay.

    Z segments are the sender's own and may hold anything: they are withheld whole, as is every segment that supply
    has no use for. A line that does not begin with the name of a segment may be the rest of a value: what stands
    there is not shown either, and the message counts as one that names a patient. A note (NTE) that follows a
    segment that is withheld goes with it; in a message that names a patient only notes of an order's details stay.
    An ADD shares the fate of the segment it continues.
    """
    names = frozenset(place[:3] for place in keep)
    lines = view["segments"]
    named = about_a_patient([line["id"] for line in lines if line["id"].strip() or line["fields"]])
    withheld: dict[str, None] = {}
    segments: list[dict[str, Any]] = []
    notes, continuation = False, False
    unnamed = 0
    for segment in lines:
        id = segment["id"]
        whole = notes if id == "NTE" else continuation if id == "ADD" else _hides(id)
        if id not in _FOLLOWS:
            notes = whole or id in ONLY or (named and id not in ORDERED)
        if id != "ADD":
            continuation = whole or id in ONLY or id in FIELDS
        if whole and not _shows_name(id, names):
            id = UNNAMED
            segment = {**segment, "id": id, "occurrence": unnamed}
            unnamed += 1
        if whole or id in ONLY or id in FIELDS:
            fields = {
                place: value
                for place, value in segment["fields"].items()
                if not (whole or _hidden(id, place)) or (id in names and _kept(id, place, keep))
            }
            withheld |= dict.fromkeys(_names(id, segment["fields"].keys() - fields.keys(), whole))
            segment = {**segment, "fields": fields}
        segments.append(segment)
    return {**view, "segments": segments, "withheld": list(withheld)}


def always_withheld(place: str, keep: Collection[str]) -> bool:
    """Whether ``withhold`` never shows this field (``ZRQ-3``, ``PID-18.1``), whatever message it stands in."""
    id, number = place[:3], place[4:] if "." in place else f"{place[4:]}.1"
    own = _hides(id) if id not in ONLY and id not in FIELDS else _hidden(id, number)
    return id not in _FOLLOWS and own and not _kept(id, number, keep)


def about_a_patient(ids: Collection[str]) -> bool:
    """Whether a message of these segments may be, so that what is said about it may name the patient: it has a
    stay, a segment that supply has no use for and that is not the sender's own, or a line that is no segment."""
    return any(id == "PV1" or (_hides(id) and id not in _NEUTRAL and not _OWN.fullmatch(id)) for id in ids)


def _hides(id: str) -> bool:
    """Whether the segment itself is withheld whole."""
    return id not in PASSES and id not in ONLY


def _shows_name(id: str, kept: Collection[str]) -> bool:
    return id in STANDARD or id in kept or _OWN.fullmatch(id) is not None


def _hidden(id: str, place: str) -> bool:
    match = _NUMBER.match(place)
    number = int(match[0]) if match else 0
    return number not in ONLY[id] if id in ONLY else number in FIELDS[id]


def _kept(id: str, place: str, keep: Collection[str]) -> bool:
    match = _PLACE.fullmatch(place)
    if match is None:
        return id in keep
    field, component, sub = match.groups()
    names = (id, f"{id}-{field}", f"{id}-{field}.{component}", f"{id}-{field}.{component}.{sub or 1}")
    return any(name in keep for name in names)


def _names(id: str, left: Collection[str], whole: bool) -> list[str]:
    """A segment that is withheld whole is named once, of others the fields."""
    if whole:
        return [id] if left else []
    numbers = {match[0] for place in left if (match := _NUMBER.match(place))}
    return [f"{id}-{number}" for number in sorted(numbers, key=int)]
