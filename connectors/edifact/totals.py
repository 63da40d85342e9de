"""Do the control totals of a message (CNT, data element 6069) agree with what stands in it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from connectors.edifact.fault import AS_USUAL, Checks, fault
from connectors.edifact.lossless import Segment, text_of
from connectors.sdk.edi import Fault, Place

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:[.,][0-9]{1,30})?")
_QUANTITIES, _LINES = "1", "2"


def check_totals(segments: list[Segment], place: Place, checks: Checks = AS_USUAL) -> Iterator[Fault]:
    """Faults of CNT 2 (number of line items, with or without sublines) and CNT 1 (sum of the quantities of the
    lines: of the first of each line, or of all, as partners differ)."""
    for index, segment in enumerate(segments):
        if segment["id"] != "CNT":
            continue
        kind, given = text_of(segment, 1), _number(text_of(segment, 1, 2))
        if given is None or kind not in (_QUANTITIES, _LINES):
            continue
        code = "count_of_lines" if kind == _LINES else "count_of_quantities"
        possible = _lines(segments) if kind == _LINES else _quantities(segments)
        if given in possible:
            continue
        counted = " or ".join(dict.fromkeys(str(one) for one in possible))
        what = "line items" if kind == _LINES else "as the sum of the quantities"
        message = f"CNT says {given} {what}, there are {counted}"
        if kind == _QUANTITIES:
            message = f"CNT says the quantities add up to {given}, they add up to {counted}"
        where = {"segment": index + 1, "segment_id": "CNT", "element": 1, "component": 2}
        found = fault(code, message, place.within(f"/segments/{index}"), reference="6066", **where)
        judged = checks.judged(found)
        if judged is not None:
            yield judged


def _lines(segments: list[Segment]) -> list[Decimal]:
    lines = [segment for segment in segments if segment["id"] == "LIN"]
    return [Decimal(len(lines)), Decimal(sum(not text_of(line, 4) for line in lines))]


def _quantities(segments: list[Segment]) -> list[Decimal]:
    firsts, everything = Decimal(0), Decimal(0)
    in_line = is_first = False
    for segment in segments:
        if segment["id"] == "LIN":
            in_line = is_first = True
        elif segment["id"] == "UNS":
            in_line = False
        elif segment["id"] == "QTY" and in_line:
            quantity = _number(text_of(segment, 1, 2)) or Decimal(0)
            everything += quantity
            firsts += quantity if is_first else 0
            is_first = False
    return [firsts, everything]


def _number(text: str) -> Decimal | None:
    return Decimal(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None
