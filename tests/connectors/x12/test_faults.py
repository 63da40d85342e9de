"""Faults are collected, all of them, each with its place and a sentence."""

from __future__ import annotations

import pytest

from connectors.x12.codec import acknowledgements, faults, from_named, read
from connectors.x12.fault import STANDARD
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import SAMPLES, sample

SOUND = sorted(path.name for path in SAMPLES.glob("*.edi") if path.stem not in ("broken", "one_bad_set"))


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_interchange_has_no_faults(name: str) -> None:
    assert faults(read(sample(name)), strict=True) == []


def test_every_fault_of_a_broken_interchange_is_found_at_once() -> None:
    found = faults(read(sample("broken.edi")))

    assert [(one.code, one.segment_id, one.element) for one in found] == [
        ("interchange_number_mismatch", "IEA", 2),
        ("interchange_group_count", "IEA", 1),
        ("group_number_mismatch", "GE", 2),
        ("group_set_count", "GE", 1),
        ("set_number_mismatch", "SE", 2),
        ("set_segment_count", "SE", 1),
        ("element_date", "BAK", 4),
        ("element_character", "PO1", 2),
        ("element_too_long", "PO1", 3),
        ("segment_unrecognised", "ZZZ", None),
    ]


def test_a_fault_says_where_it_is_in_numbers_names_and_json() -> None:
    found = next(one for one in faults(read(sample("broken.edi"))) if one.code == "element_too_long")

    assert found.as_json() == {
        "code": "element_too_long",
        "severity": "reject",
        "message": "PO103 (Unit or Basis for Measurement Code) 'BOXES' has 5 characters, at most 2 are allowed",
        "interchange": "000000106",
        "group": "56",
        "set": "0002",
        "segment": 3,
        "segment_id": "PO1",
        "element": 3,
        "reference": "355",
        "value": "BOXES",
        "name": "lines/0/unit",
        "path": "/interchanges/0/groups/0/sets/1/segments/2",
    }


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        (b"IEA*1*000000001~\n", b"", ["interchange_trailer_missing"]),
        (b"GE*1*1~\n", b"", ["group_trailer_missing"]),
        (b"SE*18*0001~\n", b"", ["set_trailer_missing"]),
        (b"SE*18*0001", b"SE*18*1", ["set_number_mismatch"]),
        (b"SE*18", b"SE*x", ["set_segment_count"]),
        (b"ST*850*0001", b"ST*850", ["set_number_missing", "set_number_mismatch"]),
        (b"IEA*1*000000001~\n", b"IEA*1*000000001", ["last_segment_unterminated"]),
        (b"CUR*BY*USD~\n", b"CUR*BY*USD~~\n", ["empty_segment"]),
        (b"*MERCYHOSP      *", b"*MERCYHOSP*", ["interchange_header_length"]),
        (b"BEG*00*NE", b"BEG**NE", ["element_missing"]),
        (b"CUR*BY*USD", b"CUR*BY*US", ["element_too_short"]),
        (b"CTT*2", b"CTT*2*25*2*KG*3*LT*x*x", ["elements_too_many"]),
        (b"CUR*BY*USD~", b"XYZ*BY*USD~", ["segment_unrecognised"]),
        (b"CUR*BY*USD~", b"ACK*IA~", ["segment_not_in_set"]),
        (b"CUR*BY*USD~", b"AMT*TT*1~", ["segment_out_of_sequence"]),
        (b"CTT*2~", b"CUR*BY*USD~", ["segment_out_of_sequence", "segment_out_of_sequence"]),
        (b"REF*DP*CC-OR1~", b"CUR*BY*EUR~", ["segment_out_of_sequence"]),
        (b"N4*Springfield*IL*62701*US~", b"N3*2~\nN3*3~", ["segment_over_maximum", "set_segment_count"]),
        (b"ST*850", b"ST*816", ["set_not_supported"]),
        (b"*004010~", b"*006020~", ["group_version_undeclared"]),
    ],
)
def test_each_kind_of_damage_is_named(old: bytes, new: bytes, codes: list[str]) -> None:
    raw = sample("850.edi")
    assert old in raw

    found = faults(read(raw.replace(old, new, 1)))

    assert sorted(one.code for one in found) == sorted(codes)


def test_a_missing_mandatory_segment_is_a_fault_of_its_loop() -> None:
    raw = sample("850.edi").replace(b"BEG*00*NE*PO-1001**20261120~\n", b"").replace(b"SE*18", b"SE*17")

    found = faults(read(raw))

    assert [(one.code, one.segment_id, one.name) for one in found] == [("segment_missing", "BEG", "beginning")]


def test_set_numbers_may_not_repeat_in_a_group() -> None:
    raw = sample("one_bad_set.edi").replace(b"*0002~", b"*0001~")

    assert "set_number_repeated" in [one.code for one in faults(read(raw))]


def test_segments_outside_any_set_or_group_are_faults() -> None:
    raw = sample("850.edi").replace(b"GE*1*1~", b"REF*RQ*1~\nGE*1*1~\nREF*RQ*2~")

    codes = [one.code for one in faults(read(raw))]

    assert codes.count("segment_outside_set") == 2
    assert "group_header_missing" in codes


def test_every_code_has_its_place_in_the_standard() -> None:
    """Each fault can be put into a TA1 or a 997."""
    assert all(one.code.isdigit() for one in STANDARD.values())


def test_a_good_group_is_acknowledged_as_accepted_and_the_997_is_valid() -> None:
    [answer] = acknowledgements(read(sample("850.edi")))

    assert answer.code == "A"
    segments = from_named("997", answer.document)
    assert [one["id"] for one in segments] == ["AK1", "AK2", "AK5", "AK9"]
    assert segments[-1]["elements"] == ["A", "1", "1", "1"]


def test_one_bad_set_is_rejected_with_its_segment_and_element_and_the_others_accepted() -> None:
    [answer] = acknowledgements(read(sample("one_bad_set.edi")))

    text = ["*".join([one["id"], *map(str, one["elements"])]) for one in from_named("997", answer.document)]
    assert text == [
        "AK1*PR*58",
        "AK2*855*0001",
        "AK5*A",
        "AK2*855*0002",
        "AK3*PO1*3**8",
        "AK4*2*330*6*many",
        "AK5*R*5",
        "AK2*855*0003",
        "AK5*A",
        "AK9*P*3*3*2",
    ]


def test_a_group_whose_own_numbers_are_wrong_is_rejected_whole() -> None:
    [answer] = acknowledgements(read(sample("broken.edi")))

    assert answer.document["result"] == {
        "code": "R",
        "sets_included": "3",
        "sets_received": "2",
        "sets_accepted": "0",
        "errors": [{"code": "4"}, {"code": "5"}],
    }


def test_an_acknowledgement_is_never_acknowledged() -> None:
    assert acknowledgements(read(sample("997_accepted.edi"))) == []


def test_a_set_full_of_faults_lists_ten_thousand_and_counts_the_others() -> None:
    """A broken file must not fill memory with sentences."""
    raw = interchange("850|BEG*00*NE*PO-1**20261120~" + "PO1*1*x*EA~" * 10_500)

    found = faults(read(raw))

    assert len(found) == 10_001
    assert (found[-1].code, found[-1].message) == (
        "faults_omitted",
        "500 more faults of this transaction set are not listed",
    )
