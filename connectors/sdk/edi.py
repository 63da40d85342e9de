"""What the EDI standards share: a fault, one thing wrong in an interchange, where it is and what to call it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

from connectors.sdk.errors import Misconfigured

Severity = Literal["reject", "warn"]
Verdict = Literal["reject", "warn", "ignore"]


@dataclass(frozen=True)
class Place:
    """Where in an interchange: control numbers as received, and a JSON pointer into the lossless view."""

    interchange: str | None = None
    group: str | None = None
    set: str | None = None
    path: str = ""

    def within(self, path: str) -> Place:
        return Place(self.interchange, self.group, self.set, self.path + path)

    def in_set(self, number: str | None) -> Place:
        """The same place in the set or message of this number."""
        return Place(self.interchange, self.group, number, self.path)


NOWHERE = Place()


@dataclass(frozen=True)
class Fault:
    """``segment`` counts from 1 at ST or UNH, ``element`` from 1 after the segment's id, as AK302 and AK401 do.

    ``name`` is the place in the named view (``lines/0/quantity``). ``message`` is for a buyer's clerk.
    """

    code: str
    message: str
    place: Place = NOWHERE
    severity: Severity = "reject"
    segment: int | None = None
    segment_id: str | None = None
    element: int | None = None
    component: int | None = None
    reference: str | None = None
    value: str | None = None
    name: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Flat, without what is unknown."""
        place = self.place
        whole = {
            "code": self.code, "severity": self.severity, "message": self.message,
            "interchange": place.interchange, "group": place.group, "set": place.set,
            "segment": self.segment, "segment_id": self.segment_id, "element": self.element,
            "component": self.component, "reference": self.reference, "value": self.value,
            "name": self.name, "path": place.path or None,
        }  # fmt: skip
        return {key: value for key, value in whole.items() if value is not None}


def cut_off(what: str, position: int | None) -> str:
    """What is said of an interchange whose end is missing. ``position`` is the byte of the file behind it."""
    where = "" if position is None else f" at byte {position}"
    return f"{what}: it breaks off{where}, or its end was lost; ask the sender to send it again, whole"


#: What stands around interchanges without meaning anything: blanks, padding, a mark of the end or of the encoding.
_BLANK = b" \t\r\n\0\x1a"
_PADDING = _BLANK.decode() + "\ufeff"
_BEGINNING = re.compile(r"ISA([^A-Za-z0-9\s]).{0,12}?\1|UN[BH]\+|UNA:")


def other_separator(id: str, separator: str, told_by: str) -> str:
    """What a segment's id tells that has the separator of elements in it; empty for any other."""
    found = re.match(r"[A-Z][A-Z0-9]{1,2}([^A-Za-z0-9\s])", id)
    if found is None:
        return ""
    return f"; its elements look separated by {found[1]!r}, while {told_by} says {separator!r}"


def text_outside(text: str, raw: bytes, position: int | None, parts: re.Pattern[str]) -> tuple[str, str] | None:
    """Code and message for text that belongs to no interchange; ``None`` for padding, which means nothing.

    ``raw`` are its bytes, the first of which is the byte ``position`` of the file. Where it has what an interchange
    is made of, which ``parts`` finds, it may be one that was damaged: the code then is one that rejects.
    """
    seen = text.strip(_PADDING)
    if not seen:
        return None
    size, before = len(raw.strip(_BLANK)), len(raw) - len(raw.lstrip(_BLANK))
    where = "" if position is None else f" from byte {position + before} on"
    told = f"{size} bytes{where} belong to no interchange: {seen[:40]!r}"
    if parts.search(seen) or _BEGINNING.search(seen):
        told += "; they may be one that was damaged: ask the sender what they sent, and to send it again"
        return "interchange_unreadable", told
    return "interchange_text_outside", told


class Judged:
    """Whatever has faults of its own."""

    faults: list[Fault]

    @property
    def is_good(self) -> bool:
        """Whether none of them rejects."""
        return all(one.severity != "reject" for one in self.faults)


@dataclass(frozen=True)
class Policy:
    """What becomes of faults, by partner: a verdict for a code goes before the severity the code has.

    ``strict`` makes each warning a rejection; what is ignored stays ignored.
    """

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    strict: bool = False

    def apply(self, faults: Iterable[Fault]) -> list[Fault]:
        """The faults that count, with the severity they count as."""
        if not self.verdicts and not self.strict:
            return list(faults)
        return [judged for one in faults if (judged := self._judged(one)) is not None]

    def _judged(self, one: Fault) -> Fault | None:
        verdict = self.verdicts.get(one.code, one.severity)
        if verdict == "ignore":
            return None
        severity: Severity = "reject" if self.strict else verdict
        return one if severity == one.severity else replace(one, severity=severity)


def policy(
    verdicts: Mapping[str, Verdict], known: Collection[str], *, strict: bool = False, field: str = "checks"
) -> Policy:
    """Raises ``Misconfigured`` for a code that no check has, naming those that do."""
    for code in verdicts:
        if code not in known:
            close = get_close_matches(code, known, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise Misconfigured(
                f"{field} names {code!r}, which no check has",
                next_action=f"{hint}use one of: {', '.join(sorted(known))}",
                field=f"{field}.{code}",
            )
    return Policy(dict(verdicts), strict)


def never_loosened(verdicts: Mapping[str, Verdict], code: str) -> None:
    """For the check that keeps test and production apart. Raises ``Misconfigured`` where it would not reject."""
    if verdicts.get(code, "reject") != "reject":
        raise Misconfigured(
            f"checks.{code} is {verdicts[code]!r}, and what tells test from production is never let through",
            next_action="take it out; one profile may carry both, under environments",
            field=f"checks.{code}",
        )
