"""The faults of X12 and what the standard calls each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from connectors.sdk.edi import NOWHERE, Fault, Place, Severity


@dataclass(frozen=True)
class Standard:
    """The code of a fault in a TA1 or 997 (X12 4010 data elements I18, 716, 718, 720, 723)."""

    where: Literal["TA105", "AK905", "AK502", "AK304", "AK403"]
    code: str
    severity: Severity = "reject"


STANDARD: dict[str, Standard] = {
    "interchange_trailer_missing": Standard("TA105", "023"),
    "interchange_number_mismatch": Standard("TA105", "001"),
    "interchange_group_count": Standard("TA105", "021"),
    "interchange_header_length": Standard("TA105", "022", "warn"),
    "interchange_text_outside": Standard("TA105", "022", "warn"),
    "interchange_unreadable": Standard("TA105", "022"),
    "repetition_separator_invalid": Standard("TA105", "022", "warn"),
    "last_segment_unterminated": Standard("TA105", "004", "warn"),
    "empty_segment": Standard("TA105", "022", "warn"),
    "sender_mismatch": Standard("TA105", "006"),
    "receiver_mismatch": Standard("TA105", "008"),
    "usage_mismatch": Standard("TA105", "020"),
    "interchange_number_reused": Standard("TA105", "025"),
    "control_number_gap": Standard("TA105", "018", "warn"),
    "interchange_header_element": Standard("TA105", "022", "warn"),
    "group_header_missing": Standard("TA105", "022"),
    "group_header_invalid": Standard("TA105", "024"),
    "group_trailer_missing": Standard("AK905", "3"),
    "group_number_mismatch": Standard("AK905", "4"),
    "group_set_count": Standard("AK905", "5"),
    "segment_outside_set": Standard("AK905", "5"),
    "group_version_undeclared": Standard("AK905", "2", "warn"),
    "set_not_supported": Standard("AK502", "1"),
    "set_trailer_missing": Standard("AK502", "2"),
    "set_number_mismatch": Standard("AK502", "3"),
    "set_segment_count": Standard("AK502", "4"),
    "set_type_missing": Standard("AK502", "6"),
    "set_number_missing": Standard("AK502", "7"),
    "set_number_repeated": Standard("AK502", "23"),
    "business_duplicate": Standard("AK502", "5", "warn"),
    "faults_omitted": Standard("AK502", "5"),
    "segment_unrecognised": Standard("AK304", "1", "warn"),
    "segment_missing": Standard("AK304", "3"),
    "loop_over_maximum": Standard("AK304", "4"),
    "segment_over_maximum": Standard("AK304", "5"),
    "segment_not_in_set": Standard("AK304", "6", "warn"),
    "segment_out_of_sequence": Standard("AK304", "7"),
    "element_missing": Standard("AK403", "1"),
    "elements_too_many": Standard("AK403", "3"),
    "element_too_short": Standard("AK403", "4"),
    "element_too_long": Standard("AK403", "5"),
    "element_character": Standard("AK403", "6"),
    "element_code": Standard("AK403", "7"),
    "element_date": Standard("AK403", "8"),
    "element_time": Standard("AK403", "9"),
    "components_too_many": Standard("AK403", "3", "warn"),
    "element_condition": Standard("AK403", "2"),
    "element_excluded": Standard("AK403", "10"),
    "hl_number_repeated": Standard("AK403", "7"),
    "hl_parent_unknown": Standard("AK403", "7"),
    "hl_child_code_wrong": Standard("AK403", "7", "warn"),
    "line_count_unbalanced": Standard("AK403", "7"),
    "hash_total_unbalanced": Standard("AK403", "7", "warn"),
    "invoice_total_unbalanced": Standard("AK403", "7", "warn"),
    "name_unknown": Standard("AK304", "6"),
    "value_shape": Standard("AK403", "6"),
    "check_digit_wrong": Standard("AK403", "7", "warn"),
    "party_identifier": Standard("AK403", "7", "warn"),
    "item_identifier_missing": Standard("AK403", "2", "warn"),
    "unit_not_as_ordered": Standard("AK403", "7", "warn"),
    "order_total_unbalanced": Standard("AK403", "7", "warn"),
    "duplicate_document": Standard("AK502", "5"),
}

#: What is looked for before anything is sent, and the checks that warn of what comes in and refuse what goes out.
PREFLIGHT = (
    "check_digit_wrong", "party_identifier", "item_identifier_missing", "unit_not_as_ordered",
    "order_total_unbalanced", "duplicate_document", "invoice_total_unbalanced", "hash_total_unbalanced",
    "hl_child_code_wrong",
)  # fmt: skip


#: TA105 of a fault in the ISA segment, by its element.
_OF_HEADER = {
    1: "010", 2: "011", 3: "012", 4: "013", 5: "005", 6: "006", 7: "007", 8: "008",
    9: "014", 10: "015", 11: "016", 12: "017", 13: "018", 14: "019", 15: "020", 16: "027",
}  # fmt: skip


def standard(one: Fault) -> Standard:
    """What the standard calls a fault."""
    known = STANDARD[one.code]
    if one.code == "interchange_header_element":
        return Standard(known.where, _OF_HEADER.get(one.element or 0, known.code), known.severity)
    return known


def fault(code: str, message: str, place: Place = NOWHERE, **where: Any) -> Fault:
    """A fault with the severity its code has."""
    return Fault(code, message, place, STANDARD[code].severity, **where)
