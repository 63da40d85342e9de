"""Everything wrong is found, each with its place, its code and a sentence."""

from __future__ import annotations

import pytest

from connectors.edifact.codec import Checks, Fault, examine, faults, read
from connectors.sdk import Misconfigured
from tests.connectors.edifact.samples import HEAD, INTERCHANGE, ORDER, enclosed, message

GROUP = "UNG+ORDERS+A+B+261124:0930+7+UN+D:96A'"


def found(raw: bytes | str, checks: Checks | None = None) -> list[Fault]:
    document = read(raw.encode() if isinstance(raw, str) else raw)
    return faults(document, checks) if checks else faults(document)


def codes(raw: bytes | str, checks: Checks | None = None) -> list[str]:
    return [one.code for one in found(raw, checks)]


def changed(old: str, new: str) -> str:
    """The sound interchange with one thing changed."""
    assert INTERCHANGE.count(old) == 1, old
    return INTERCHANGE.replace(old, new)


def test_a_sound_interchange_has_no_faults() -> None:
    assert found(INTERCHANGE) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "sentence"),
    [
        ("UNZ+1+REF1'", "UNZ+1+REF2'", "interchange_number_mismatch", "UNB says interchange REF1, UNZ says REF2"),
        ("UNZ+1+REF1'", "UNZ+2+REF1'", "interchange_count", "UNZ says '2' messages, there are 1"),
        ("UNZ+1+REF1'", "", "interchange_trailer_missing", "interchange REF1 has no UNZ"),
        ("UNT+20+1'", "UNT+21+1'", "message_segment_count", "UNT says '21' segments, there are 20"),
        ("UNT+20+1'", "UNT+20+2'", "message_number_mismatch", "UNH says message 1, UNT says 2"),
        ("UNT+20+1'", "", "message_trailer_missing", "message 1 has no UNT"),
        ("UNH+1+", "UNH++", "message_number_missing", "does not give the message a number"),
        ("UNOC:3", "UNOC:9", "syntax_unknown", "syntax version '9'"),
        ("UNOC:3", "XXXX:3", "character_set_unknown", "character set 'XXXX'"),
        ("261124:0930", "261124", "interchange_header_element", "UNB time"),
        ("CNT+2:2", "CNT+2:3", "count_of_lines", "CNT says 3 line items, there are 2"),
        ("CNT+2:2", "CNT+1:16", "count_of_quantities", "they add up to 15"),
        ("UNS+S'", "UNS+S''", "empty_segment", "an empty segment stands before CNT"),
        ("ORDERS:D:96A:UN:EAN008", "NOSUCH:D:96A:UN", "message_not_declared", "message type NOSUCH"),
        ("ORDERS:D:96A:UN:EAN008", "ORDERS:D:03B:UN", "directory_not_declared", "read as D01B"),
        ("DTM+137:20261124:102", "XYZ+1", "segment_unrecognised", "'XYZ'"),
        ("DTM+137:20261124:102", "AJT+1", "segment_not_in_message", "AJT is not declared for ORDERS"),
        ("PRI+AAA:7.20'", "PRI+AAA:7.20'PIA+1+X'", "segment_out_of_sequence", "PIA does not belong"),
        ("BGM+220+PO-1001+9'", "", "segment_missing", "segment BGM (Beginning of message) is missing"),
        ("BGM+220+PO-1001+9", "BGM+220+PO-1001+9+AB+5", "elements_too_many", "only 4 are defined"),
        ("BGM+220+", "BGM+220::9:a:b+", "components_too_many", "only 4 are defined"),
        ("BGM+220+PO-1001", "BGM+220+" + "9" * 36, "element_too_long", "has 36 characters, at most 35"),
        ("LIN+1++", "LIN+one++", "element_number", "'one' is not a number"),
        ("QTY+21:10:", "QTY+21:.5:", "element_number", "needs a digit before its decimal mark"),
        ("UNS+S'", "UNS+X'", "element_code", "none of the codes D, S"),
        ("137:20261124:102", "137:20261324:102", "element_date", "no date or time of format 102"),
        ("137:20261124:102", "137:2026112:102", "element_date", "must have 8 digits"),
        ("NAD+SU+", "NAD++", "element_missing", "NAD qualifier (element 1, 3035) is missing"),
        ("PO-1001", "PO\n1001", "element_character", "holds the character '\\n'"),
        ("NAD+SU+4012345000094::9'", "NAD+SU+::9'", "element_missing", "NAD id (element 2, component 1, 3039)"),
    ],
)
def test_each_fault_is_found_and_explained(old: str, new: str, code: str, sentence: str) -> None:
    matching = [one for one in found(changed(old, new)) if one.code == code]

    assert matching, codes(changed(old, new))
    assert sentence in matching[0].message


def test_a_fault_says_where_it_is_for_people_and_for_programs() -> None:
    [one] = found(changed("QTY+21:10:", "QTY+21:ten:"))

    assert one.as_json() == {
        "code": "element_number",
        "severity": "reject",
        "message": "QTY quantity (element 1, component 2, 6060) 'ten' is not a number",
        "interchange": "REF1",
        "set": "1",
        "segment": 14,
        "segment_id": "QTY",
        "element": 1,
        "component": 2,
        "reference": "6060",
        "value": "ten",
        "name": "lines/0/quantities/0/quantity",
        "path": "/interchanges/0/groups/0/messages/0/segments/13",
    }


def test_all_faults_of_a_message_are_found_not_only_the_first() -> None:
    raw = (
        INTERCHANGE.replace("UNT+20+1'", "UNT+9+8'")
        .replace("QTY+21:10:", "QTY+21:x:")
        .replace("+9'DTM", "+9999'DTM")
    )

    assert sorted(codes(raw)) == [
        "element_number",
        "element_too_long",
        "message_number_mismatch",
        "message_segment_count",
    ]


def test_a_missing_segment_stands_where_the_one_before_it_stands() -> None:
    """As data element 0096 has it: the last segment that was read before the gap."""
    raw = enclosed(message("BGM+220+1+9'NAD+BY+1::9'UNS+S'"))

    [one] = found(raw)

    assert (one.code, one.segment_id, one.segment, one.name) == ("segment_missing", "DTM", 4, "dates")


def test_more_than_the_maximum_is_kept_aside_and_reported() -> None:
    raw = enclosed(message("BGM+220+1+9'" + "DTM+137:20261124:102'" * 36 + "UNS+S'"))

    [one] = found(raw)
    [[checked]] = [group.messages for group in examine(read(raw))[0].groups]

    assert (one.code, one.segment) == ("segment_over_maximum", 38)
    assert checked.document is not None
    assert len(checked.document["dates"]) == 35
    assert checked.document["unknown_segments"][0]["position"] == 38


def test_groups_are_compared_with_their_trailers() -> None:
    body = message("BGM+220+1+9'DTM+137:20261124:102'UNS+S'")

    assert codes(HEAD + GROUP + body + "UNE+1+7'UNZ+1+REF1'") == []
    assert codes(HEAD + GROUP + body + "UNE+2+8'UNZ+1+REF1'") == ["group_number_mismatch", "group_count"]
    assert codes(HEAD + GROUP + body + "UNZ+1+REF1'") == ["group_trailer_missing"]
    assert codes(HEAD + body + "UNE+1+7'UNZ+1+REF1'") == ["group_header_missing"]
    assert codes(HEAD + GROUP + "UNE+0+7'UNZ+1+REF1'") == ["interchange_empty", "group_empty"]
    assert codes(HEAD + (GROUP + "UNE+0+7'") * 2 + "UNZ+2+REF1'").count("group_number_repeated") == 1


def test_groups_beside_messages_and_groups_of_mixed_types_are_noted() -> None:
    body = message("BGM+220+1+9'DTM+137:20261124:102'UNS+S'")
    other = GROUP.replace("ORDERS", "INVOIC") + body.replace("UNH+1+", "UNH+2+").replace("+1'", "+2'") + "UNE+1+7'"

    assert codes(HEAD + body + other + "UNZ+1+REF1'") == ["groups_and_messages_mixed", "group_types_mixed"]


def test_message_numbers_are_unique_in_an_interchange() -> None:
    raw = HEAD + ORDER.replace("?", "") * 2 + "UNZ+2+REF1'"

    assert codes(raw) == ["message_number_repeated"]


def test_segments_outside_any_message_are_reported() -> None:
    assert codes(INTERCHANGE.replace("UNH+1", "FTX+1'UNH+1")) == ["segment_outside_message"]
    assert codes(INTERCHANGE.replace("UNZ", "FTX+1'UNZ")) == ["segment_outside_message"]
    assert "interchange_header_missing" in codes(INTERCHANGE.replace(HEAD, "UNA:+.? '"))


def test_a_partner_decides_how_each_check_is_taken() -> None:
    raw = changed("UNT+20+1'", "UNT+21+1'")

    assert found(raw, Checks({"message_segment_count": "ignore"})) == []
    assert [one.severity for one in found(raw, Checks({"message_segment_count": "warn"}))] == ["warn"]
    assert [one.severity for one in found(raw)] == ["reject"]


def test_a_check_that_is_off_by_default_can_be_turned_on() -> None:
    raw = changed("UNOC:3", "UNOA:3").replace("NAD+SU+4012345000094::9'", "NAD+SU+4012345000094::9+'")

    assert codes(raw) == []
    assert codes(raw, Checks({"trailing_separators": "warn"})) == ["trailing_separators"]
    assert "character_repertoire" in codes(raw, Checks({"character_repertoire": "reject"}))


def test_strict_makes_each_warning_a_rejection_but_keeps_what_is_ignored() -> None:
    raw = changed("CNT+2:2", "CNT+1:16").replace("NAD+SU+4012345000094::9'", "NAD+SU+4012345000094::9+'")

    assert [one.severity for one in found(raw, Checks(strict=True))] == ["reject"]


@pytest.mark.parametrize(
    ("taken", "sentence"),
    [
        ({"message_segment_cuont": "warn"}, "did you mean message_segment_count"),
        ({"element_code": "maybe"}, "'maybe'"),
    ],
)
def test_an_unknown_check_or_way_to_take_it_is_an_error(taken: dict[str, str], sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        Checks(taken)  # type: ignore[arg-type]


def test_lines_count_with_or_without_their_sublines() -> None:
    body = "BGM+220+1+9'DTM+137:20261124:102'LIN+1'LIN+2++:EN+1:1'UNS+S'CNT+2:{}'"

    assert [codes(enclosed(message(body.format(count)))) for count in (1, 2, 3)] == [[], [], ["count_of_lines"]]


def test_one_bad_message_leaves_the_others_alone() -> None:
    good = "BGM+220+1+9'DTM+137:20261124:102'UNS+S'"
    raw = enclosed(message(good), message("", reference="2"), message(good, reference="3"))

    [[one, two, three]] = [group.messages for group in examine(read(raw))[0].groups]

    assert (one.is_good, two.is_good, three.is_good) == (True, False, True)
