"""The faults of EDIFACT, what the standard calls each, and how seriously a partner wants it taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

from connectors.sdk import Misconfigured
from connectors.sdk.edi import NOWHERE, Fault, Place

Level = Literal["interchange", "group", "message", "segment", "element"]
Taken = Literal["reject", "warn", "ignore"]


@dataclass(frozen=True)
class Standard:
    """Where a CONTRL reports it and by which code (data element 0085), and how it is taken by default."""

    level: Level
    code: str
    taken: Taken = "reject"


STANDARD: dict[str, Standard] = {
    "interchange_header_missing": Standard("interchange", "13"),
    "interchange_trailer_missing": Standard("interchange", "13"),
    "interchange_number_mismatch": Standard("interchange", "28"),
    "interchange_count": Standard("interchange", "29"),
    "interchange_header_element": Standard("interchange", "12"),
    "interchange_text_outside": Standard("interchange", "33", "warn"),
    "interchange_unreadable": Standard("interchange", "33"),
    "interchange_empty": Standard("interchange", "32", "warn"),
    "byte_order_mark": Standard("interchange", "21", "warn"),
    "lines_wrapped": Standard("interchange", "21", "warn"),
    "terminator_unannounced": Standard("interchange", "22"),
    "syntax_unknown": Standard("interchange", "2", "warn"),
    "character_set_unknown": Standard("interchange", "46", "warn"),
    "sender_mismatch": Standard("interchange", "23"),
    "receiver_mismatch": Standard("interchange", "7"),
    "test_indicator_mismatch": Standard("interchange", "25"),
    "interchange_number_reused": Standard("interchange", "26"),
    "control_number_gap": Standard("interchange", "18", "warn"),
    "groups_and_messages_mixed": Standard("interchange", "30", "warn"),
    "segment_outside_message": Standard("interchange", "33"),
    "group_header_missing": Standard("interchange", "33"),
    "group_trailer_missing": Standard("group", "13"),
    "group_number_mismatch": Standard("group", "28"),
    "group_number_repeated": Standard("group", "26"),
    "group_count": Standard("group", "29"),
    "group_header_element": Standard("group", "12"),
    "group_empty": Standard("group", "32", "warn"),
    "group_types_mixed": Standard("group", "31", "warn"),
    "message_trailer_missing": Standard("message", "13"),
    "message_number_missing": Standard("message", "13"),
    "message_number_mismatch": Standard("message", "28"),
    "message_number_repeated": Standard("message", "26"),
    "business_duplicate": Standard("message", "26", "warn"),
    "message_segment_count": Standard("message", "29"),
    "message_not_declared": Standard("message", "14"),
    "directory_not_declared": Standard("message", "14", "warn"),
    "count_of_lines": Standard("segment", "29"),
    "count_of_quantities": Standard("segment", "29", "warn"),
    "empty_segment": Standard("segment", "15", "warn"),
    "segment_unterminated": Standard("segment", "13", "warn"),
    "segment_unrecognised": Standard("segment", "15", "warn"),
    "segment_not_in_message": Standard("segment", "15", "warn"),
    "segment_out_of_sequence": Standard("segment", "15"),
    "segment_missing": Standard("segment", "13"),
    "segment_over_maximum": Standard("segment", "35"),
    "group_over_maximum": Standard("segment", "36"),
    "characters_undecodable": Standard("segment", "21", "warn"),
    "trailing_separators": Standard("segment", "45", "ignore"),
    "element_missing": Standard("element", "13"),
    "elements_too_many": Standard("element", "16"),
    "components_too_many": Standard("element", "16"),
    "element_repeated": Standard("element", "16"),
    "element_too_long": Standard("element", "39"),
    "element_too_short": Standard("element", "40"),
    "element_type": Standard("element", "37"),
    "element_number": Standard("element", "19"),
    "element_code": Standard("element", "12"),
    "element_date": Standard("element", "12"),
    "element_character": Standard("element", "21"),
    "character_repertoire": Standard("element", "21", "ignore"),
    "name_unknown": Standard("element", "15"),
    "value_shape": Standard("element", "12"),
    "check_digit_wrong": Standard("element", "12", "warn"),
    "party_identifier": Standard("element", "12", "warn"),
    "item_identifier_missing": Standard("element", "13", "warn"),
    "unit_not_as_ordered": Standard("element", "12", "warn"),
    "amount_unbalanced": Standard("element", "12", "warn"),
    "duplicate_document": Standard("message", "26"),
}

#: What is looked for before anything is sent, and the checks that warn of what comes in and refuse what goes out.
PREFLIGHT = (
    "check_digit_wrong", "party_identifier", "item_identifier_missing", "unit_not_as_ordered", "amount_unbalanced",
    "duplicate_document", "count_of_quantities", "character_repertoire",
)  # fmt: skip


class Checks:
    """How each fault is taken: as ``STANDARD`` says, unless ``taken`` (a partner's wish) says otherwise.

    ``strict`` makes each warning that is left a rejection. Raises ``Misconfigured`` for an unknown check.
    """

    def __init__(self, taken: Mapping[str, Taken] | None = None, *, strict: bool = False) -> None:
        for name, how in (taken or {}).items():
            _known(name, how)
        self._taken = {name: one.taken for name, one in STANDARD.items()} | dict(taken or {})
        if strict:
            self._taken = {name: "reject" if how == "warn" else how for name, how in self._taken.items()}

    def wants(self, code: str) -> bool:
        """Whether this fault is looked for at all."""
        return self._taken[code] != "ignore"

    def judged(self, one: Fault) -> Fault | None:
        """The fault with its severity, or None where it is to be ignored."""
        taken = self._taken[one.code]
        return None if taken == "ignore" else replace(one, severity=taken) if taken != one.severity else one

    def rejects(self, code: str) -> bool:
        return self._taken[code] == "reject"


def _known(name: str, how: object) -> None:
    if name not in STANDARD:
        close = get_close_matches(name, STANDARD, 1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(STANDARD)}"
        raise Misconfigured(f"there is no check called {name!r}; {hint}", field="edifact.checks")
    if how not in ("reject", "warn", "ignore"):
        raise Misconfigured(
            f"check {name} is set to {how!r}",
            next_action="set it to reject, warn or ignore",
            field=f"edifact.checks.{name}",
        )


AS_USUAL = Checks()


def fault(code: str, message: str, place: Place = NOWHERE, **where: Any) -> Fault:
    """A fault before it is judged by ``Checks``."""
    return Fault(code, message, place, "warn" if STANDARD[code].taken == "warn" else "reject", **where)
