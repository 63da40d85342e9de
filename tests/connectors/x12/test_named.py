"""The named view and its way back."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sdk import Misconfigured
from connectors.x12 import schema
from connectors.x12.codec import Delimiters, DocumentError, TransactionSet, from_named, named, read
from connectors.x12.derive import load
from connectors.x12.hierarchy import OTHER
from tests.connectors.x12.samples import SAMPLES, sample

SMALL: dict[str, Any] = {
    "beginning": {"purpose": "00", "order_type": "NE", "order_number": "PO-1", "order_date": "20261120"},
    "lines": [{"quantity": "1", "unit": "EA"}],
}


def sets(name: str) -> list[TransactionSet]:
    return read(sample(name))["interchanges"][0]["groups"][0]["sets"]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.edi") if path.stem != "broken"))
def test_what_was_read_by_name_is_written_back_as_it_was(name: str) -> None:
    """A qualifier that was read is written back, whichever it is."""
    for one in sets(name):
        if name != "one_bad_set.edi":
            set_type = one["segments"][0]["elements"][0]
            assert from_named(str(set_type), named(one)) == [
                {key: segment[key] for key in ("id", "elements")} for segment in one["segments"][1:-1]
            ]


def test_loops_and_elements_have_readable_names() -> None:
    document = named(sets("850.edi")[0])

    assert document["beginning"]["order_number"] == "PO-1001"
    assert [party["entity"] for party in document["parties"]] == ["BY", "SU", "ST"]
    assert document["parties"][2]["places"][0]["city"] == "Springfield"
    assert document["lines"][0]["product_ids"][1] == {"qualifier": "BP", "id": "ITM-1001"}
    assert document["lines"][1]["descriptions"][0]["description"].startswith("Syringe")
    assert document["totals"] == {"line_count": "2", "amounts": [{"qualifier": "TT", "amount": "201.50"}]}


def test_what_may_repeat_is_a_list_also_when_there_is_one() -> None:
    document = named(sets("855_backordered.edi")[0])

    assert [line["line_number"] for line in document["lines"]] == ["1"]
    assert [one["status"] for one in document["lines"][0]["acknowledgements"]] == ["IA", "IB"]


def test_unknown_segments_are_kept_and_written_back_where_they_were() -> None:
    raw = sample("850.edi").replace(b"CTT*2~", b"ZZZ*kept>whole~\nCTT*2~")
    one = read(raw)["interchanges"][0]["groups"][0]["sets"][0]

    document = named(one)

    assert [kept["position"] for kept in document["unknown_segments"]] == [16]
    assert from_named("850", document)[14] == {"id": "ZZZ", "elements": [["kept", "whole"]]}


def test_a_gap_among_product_ids_keeps_its_place() -> None:
    document = SMALL | {
        "lines": [{"quantity": "1", "unit": "EA", "product_ids": [{}, {"qualifier": "UK", "id": "1"}]}]
    }

    segment = from_named("850", document)[1]

    assert segment["elements"] == ["", "1", "EA", "", "", "", "", "UK", "1"]


def test_a_list_of_one_may_be_given_as_its_only_item() -> None:
    """JSONata collapses lists of one."""
    collapsed = SMALL | {"lines": SMALL["lines"][0] | {"product_ids": {"qualifier": "VN", "id": "A"}}}

    assert from_named("850", collapsed)[1]["elements"][-2:] == ["VN", "A"]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"beginning": None}, "beginning", "BEG .* is missing"),
        ({"lines": []}, "lines", "PO1 .* is missing"),
        ({"begining": {}}, "begining", "did you mean beginning"),
        ({"lines": [{"quantity": 5}]}, "lines/0/quantity", "must be text, it is 5"),
        ({"lines": [{"quantity": "five"}]}, "lines/0/quantity", "PO102 .*'five' is not a decimal number"),
        ({"lines": [{"unit": "BOXES"}]}, "lines/0/unit", "PO103 .*'BOXES' has 5 characters"),
        ({"notes": [{"qualifier": "ZZ", "value": "a*b"}]}, "notes/0/value", r"N902 .*holds the character '\*'"),
        ({"notes": [{"qualifier": "ZZ", "value": "\u03bc"}]}, "notes/0/value", "cannot carry"),
        ({"lines": [{"product_ids": [{"id": "x" * 60}]}]}, "lines/0/product_ids/0/id", "60 characters, at most 48"),
        ({"lines": [{"product_ids": [{}] * 11}]}, "lines/0/product_ids", "at most 10"),
        ({"dates": ["x"]}, "dates/0", "must be an object"),
        ({"unknown_segments": [{"position": 3, "segment": {"id": "X"}}]}, "unknown_segments", "and segment"),
    ],
)  # fmt: skip
def test_a_document_that_breaks_the_schema_is_refused_naming_element_and_value(
    change: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(DocumentError, match=says) as refused:
        from_named("850", SMALL | change)

    assert refused.value.field == field
    assert refused.value.kind == "x12_document_invalid"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(DocumentError) as refused:
        from_named("850", {"beginning": {"purpose": "0"}, "colour": "red"})

    assert {one.code for one in refused.value.faults} == {
        "name_unknown",
        "element_too_short",
        "element_missing",
        "segment_missing",
    }


def test_delimiters_of_the_partner_decide_what_may_not_be_sent() -> None:
    document = SMALL | {"references": [{"qualifier": "RQ", "value": "a|b"}]}

    from_named("850", document)
    with pytest.raises(DocumentError, match="cannot carry"):
        from_named("850", document, delimiters=Delimiters(element="|"))


def test_an_undeclared_set_is_refused_with_those_that_are() -> None:
    with pytest.raises(Misconfigured, match="not declared") as refused:
        from_named("816", {})

    assert refused.value.next_action.startswith("use one of: 810, 820, 832, 844, 845, 846, 849, 850")


def test_declared_names_never_hide_each_other() -> None:
    """A loop holds the fields of its first segment beside what follows in it."""

    def check(contents: schema.Contents, taken: set[str], where: str) -> None:
        names = [use.name for use in contents.uses]
        assert len(names) == len(set(names)), where
        assert not taken & set(names), where
        for use in contents.uses:
            levels = {name for _, name in use.levels} | ({OTHER} if use.levels else set())
            assert not levels & set(names), where
            if use.contents is not None:
                check(use.contents, use.segment.names | levels, f"{where}/{use.name}")

    for version in schema.versions():
        for set_type in schema.set_types(version):
            declared = schema.transaction_set(set_type, version)
            assert declared is not None
            check(declared.contents, {"unknown_segments"}, set_type)


def test_every_declared_segment_can_be_loaded_and_has_unique_names() -> None:
    for version in schema.versions():
        for segment_id in load(version, "segments"):
            declared = schema.segment(segment_id, version)
            assert declared is not None
            paths = [slot.path for slot in declared.slots]
            assert len(paths) == len(set(paths)), segment_id
