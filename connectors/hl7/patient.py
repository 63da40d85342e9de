"""What of a message is about a patient, and the view without it. Pure.

Derived data (bodies, outcomes, events, exceptions) holds none of it, unless a feed profile names the field and the
reason; the bytes as they came are kept apart. Segments stay in their place, empty; ``withheld`` names what is left
out, by place, without values. Chapters are those of HL7 v2.5.1.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

#: Segments that are about a patient, family, insurance or diagnosis from end to end (chapters 3, 6, 7, 12).
PERSONAL = frozenset(
    "PID PD1 PDA NK1 MRG CON ARV GT1 IN1 IN2 IN3 ACC UB1 UB2 ABS BLC DB1 DG1 DRG RMI AL1 IAM IAR OBX"  # noqa: SIM905
    " OH1 OH2 OH3 OH4 PV2 REL PRD".split()
)
#: Of these segments nothing but the fields given: place, class, service and times of a stay (3.4.3).
ONLY = {"PV1": frozenset({1, 2, 3, 6, 10, 11, 39, 42, 44, 45})}
#: Single fields elsewhere: the diagnosis of a charge (6.5.1.19), who books a case (10.6.1.12 to 14).
FIELDS = {"FT1": frozenset({19}), "SCH": frozenset({12, 13, 14})}
#: Notes of these are about what is ordered (4.10.1: NTE after RQD).
ORDERED = frozenset({"ORC", "RQD", "RQ1", "TQ1", "TQ2"})
_NUMBER = re.compile(r"\d+")
_PLACE = re.compile(r"(\d+)(?:\[\d+\])?\.(\d+)(?:\.(\d+))?")


def withhold(view: dict[str, Any], keep: Collection[str] = ()) -> dict[str, Any]:
    """A view without what is about a patient; ``keep`` are places like ``PID-18`` or ``ZST`` that stay.

    Z segments are the sender's own and may hold anything: they are withheld whole. A note (NTE) that follows a
    segment about a patient goes with it; in a message that names one only notes of an order's details stay.
    """
    withheld: dict[str, None] = {}
    segments, about = [], False
    named = any(segment["id"] == "PID" for segment in view["segments"])
    for segment in view["segments"]:
        id = segment["id"]
        about = about if id == "NTE" else _personal(id) or (named and id not in ORDERED)
        whole = _hides(id) or (about and id == "NTE")
        if whole or id in ONLY or id in FIELDS:
            stays = [place for place in keep if place[:3] == id]
            fields = {
                place: value
                for place, value in segment["fields"].items()
                if not (whole or _hidden(id, place)) or (stays and _kept(id, place, stays))
            }
            withheld |= dict.fromkeys(_names(id, segment["fields"].keys() - fields.keys(), whole))
            segment = {**segment, "fields": fields}
        segments.append(segment)
    return {**view, "segments": segments, "withheld": list(withheld)}


def always_withheld(place: str, keep: Collection[str]) -> bool:
    """Whether ``withhold`` never shows this field (``ZRQ-3``, ``PID-18.1``), whatever message it stands in."""
    id, number = place[:3], place[4:] if "." in place else f"{place[4:]}.1"
    own = _hides(id) or ((id in ONLY or id in FIELDS) and _hidden(id, number))
    return own and not _kept(id, number, keep)


def about_a_patient(ids: Collection[str]) -> bool:
    """Whether a message of these segments is, so that what is said about it may name the patient."""
    return any(id in PERSONAL or id in ONLY for id in ids)


def _hides(id: str) -> bool:
    """Whether the segment itself is withheld whole."""
    return id in PERSONAL or id.startswith("Z")


def _personal(id: str) -> bool:
    """Whether notes that follow are the patient's."""
    return _hides(id) or id in ONLY


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
