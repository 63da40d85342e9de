"""The answers to what was read: 997 functional acknowledgements and TA1 (X12 4010, set 997 and segment TA1).

They are made of outcomes, which a check gives, or what ``x12.read`` put out (see ``outcome``). An acknowledgement
is never acknowledged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from connectors.sdk.edi import Fault
from connectors.x12.fault import standard
from connectors.x12.lossless import Document, Segment
from connectors.x12.outcome import GroupOutcome, InterchangeOutcome, SetOutcome, outcomes

#: Functional identifiers of groups that hold acknowledgements: 997 and 999.
ACKNOWLEDGEMENTS = frozenset(("FA",))
_MOST_ERRORS = 5


@dataclass(frozen=True)
class Acknowledgement:
    """``document`` is the named view of one 997; ``interchange`` indexes what it answers."""

    interchange: int
    group_control_number: str
    functional_identifier: str
    document: dict[str, Any]

    @property
    def code(self) -> str:
        """AK901: A all accepted, E with errors noted, P some, R none."""
        return str(self.document["result"]["code"])


def acknowledgements(document: Document, *, strict: bool = False) -> list[Acknowledgement]:
    """One 997 for every functional group but those that hold acknowledgements themselves (FA)."""
    return [
        answer for number, one in enumerate(outcomes(document, strict=strict)) for answer in functional(one, number)
    ]


def functional(outcome: InterchangeOutcome, number: int = 0, *, warnings: bool = False) -> list[Acknowledgement]:
    """The 997s of one interchange. Groups whose header cannot be told back get none (the TA1 says so)."""
    return [
        Acknowledgement(
            number,
            group.control_number,
            group.functional_identifier,
            acknowledge(group, is_open=outcome.is_good, warnings=warnings),
        )
        for group in outcome.groups
        if group.functional_identifier not in ACKNOWLEDGEMENTS and _can_be_told(group)
    ]


def _can_be_told(group: GroupOutcome) -> bool:
    number = group.control_number
    is_number = number.isascii() and number.isdigit() and len(number) <= 9
    return is_number and re.fullmatch("[A-Z0-9]{2}", group.functional_identifier) is not None


def acknowledge(group: GroupOutcome, *, is_open: bool = True, warnings: bool = False) -> dict[str, Any]:
    """The named 997 of one group: a set with a fault that rejects is rejected, the others accepted.

    ``is_open`` is false where the interchange is rejected, and all in it. With ``warnings`` they are told too,
    and a set that has some is accepted with errors noted (E).
    """
    is_open = is_open and group.is_good
    sets = [_set(one, is_open, warnings) for one in group.sets]
    codes = [one["result"]["code"] for one in sets]
    accepted = sum(code != "R" for code in codes)
    answered: dict[str, Any] = {
        "group": {
            "functional_identifier": group.functional_identifier,
            "group_control_number": group.control_number,
        },
        "result": {
            "code": _group_code(codes, is_open),
            "sets_included": group.sets_included if _is_count(group.sets_included) else str(len(sets)),
            "sets_received": str(len(sets)),
            "sets_accepted": str(accepted),
            "errors": _errors(_codes(group.faults, "AK905")),
        },
    }
    if sets:
        answered["sets"] = sets
    return answered


def _group_code(codes: list[str], is_open: bool) -> str:
    if not is_open or (codes and all(code == "R" for code in codes)):
        return "R"
    if "R" in codes:
        return "P"
    return "E" if "E" in codes else "A"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def _set(one: SetOutcome, is_open: bool, warnings: bool) -> dict[str, Any]:
    told = [found for found in one.faults if warnings or found.severity == "reject"]
    segments = [_segment(list(of_segment)) for _, of_segment in groupby(_noted(told), _where)]
    errors = _codes(told, "AK502") + (["5"] if segments else [])
    code = "R" if not (is_open and one.is_good) else "E" if errors else "A"
    return {
        "set_type": _echo(one.type, 3) or "000",
        "set_control_number": _echo(one.control_number, 9) or "0000",
        "segments": segments,
        "result": {"code": code, "errors": _errors(errors)},
    }


def _codes(found: Sequence[Fault], where: str) -> list[str]:
    """The standard's codes of these faults at one place (``AK502``), each once, in order."""
    return list(dict.fromkeys(one.code for one in map(standard, found) if one.where == where))


def _errors(codes: list[str]) -> list[dict[str, str]]:
    return [{"code": code} for code in codes[:_MOST_ERRORS]]


def _noted(told: list[Fault]) -> list[Fault]:
    noted = [one for one in told if standard(one).where in ("AK304", "AK403") and one.segment]
    return sorted(noted, key=_where)


def _where(one: Fault) -> tuple[int, str, str]:
    found = standard(one)
    return one.segment or 0, one.segment_id or "", "8" if found.where == "AK403" else found.code


def _segment(of_segment: list[Fault]) -> dict[str, Any]:
    position, segment_id, code = _where(of_segment[0])
    note: dict[str, Any] = {"segment_id": _echo(segment_id, 3) or "ZZZ", "position": str(position), "code": code}
    elements = [
        _element(one) for one in of_segment if standard(one).where == "AK403" and 0 < (one.element or 0) < 100
    ]
    return note | ({"elements": elements} if elements else {})


def _element(one: Fault) -> dict[str, Any]:
    place = {"element": str(one.element)} | ({"component": str(one.component)} if one.component else {})
    note: dict[str, Any] = {"place": place, "code": standard(one).code}
    if one.reference and one.reference.isdigit():
        note["reference"] = one.reference
    if one.value and one.value == _echo(one.value, 99):
        note["value"] = one.value
    return note


def _echo(text: str, longest: int) -> str:
    """What may be told back whatever the delimiters are: letters, digits and a few signs that never are one."""
    return re.sub(r"[^A-Za-z0-9 .\-/]", "", text)[:longest].strip()


def interchange_acknowledgement(outcome: InterchangeOutcome) -> Segment | None:
    """The TA1 of one interchange; None for one that holds only acknowledgements, or has no number to tell back."""
    number = outcome.control_number
    if not (number.isascii() and number.isdigit() and len(number) <= 9) or _only_acknowledges(outcome):
        return None
    rejects = [one for one in outcome.faults if one.severity == "reject"]
    told = rejects or outcome.faults
    codes = _codes(told, "TA105") + _codes([one for group in outcome.groups for one in group.faults], "TA105")
    code = "R" if rejects else "E" if codes else "A"
    elements = [number.zfill(9), outcome.date, outcome.time, code, codes[0] if codes else "000"]
    return {"id": "TA1", "elements": [*elements]}


def _only_acknowledges(outcome: InterchangeOutcome) -> bool:
    if outcome.groups:
        return all(group.functional_identifier in ACKNOWLEDGEMENTS for group in outcome.groups)
    return outcome.holds_acknowledgements
