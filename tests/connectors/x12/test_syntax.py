"""Syntax notes, and the quick look at a segment that must agree with the close one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.x12 import schema
from connectors.x12.codec import Delimiters, faults, read
from connectors.x12.derive import load
from connectors.x12.elements import ElementReader
from connectors.x12.shape import shape
from connectors.x12.syntax import note
from connectors.x12.values import ANY
from tests.connectors.x12.made import interchange


@pytest.mark.parametrize(
    ("text", "present", "at"),
    [
        ("P0304", "0000", None),
        ("P0304", "0011", None),
        ("P0304", "0010", 4),
        ("P0304", "0001", 3),
        ("R0203", "1000", 2),
        ("R0203", "0010", None),
        ("E0204", "0101", 4),
        ("E0204", "0100", None),
        ("C0302", "0010", 2),
        ("C0302", "0110", None),
        ("C0302", "0100", None),
        ("L020304", "0100", 3),
        ("L020304", "0101", None),
        ("L020304", "0001", None),
        ("P0304", "001", 4),
    ],
)
def test_each_kind_of_note_is_broken_where_the_standard_says(text: str, present: str, at: int | None) -> None:
    assert note(text).broken_at([one == "1" for one in present]) == at


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("N1*ST~", "N102 (Name): at least one of N102 and N103 must be given"),
        ("N1*ST*Dock*92~", "N104 (Identification Code): N103 and N104 must be given together or not at all"),
        ("DTM*002**1200~", None),
        ("DTM*002***ET~", "DTM02 (Date): at least one of DTM02, DTM03 and DTM05 must be given"),
        ("PO1*1**EA~", "PO102 (Quantity Ordered): where PO103 is given, PO102 must be given too"),
        ("REF*DP~", "REF02 (Reference Identification): at least one of REF02 and REF03 must be given"),
    ],
)
def test_a_broken_note_is_a_fault_with_a_sentence(body: str, says: str | None) -> None:
    line = "" if body.startswith("PO1") else "PO1*1*5*EA~"
    found = faults(read(interchange(f"850|BEG*00*NE*PO-1**20261120~{body}{line}")))

    said = [one.message for one in found if one.code == "element_condition"]
    assert (says in said) if says else not said


def test_two_elements_that_exclude_each_other_are_told_as_such() -> None:
    body = "846|BIA*00*DD*1*20261120~LIN**VN*A1~QTY*33*5*EA*none~"

    found = faults(read(interchange(body, identifier="IB")))

    assert [(one.code, one.element) for one in found] == [("element_excluded", 4)]


SEGMENTS = [
    declared
    for version in schema.versions()
    for id in load(version, "segments")
    if (declared := schema.segment(id, version)) is not None
]
VALUES = st.sampled_from(
    [
        "",
        "A",
        "ST",
        "00",
        "1",
        "-1",
        "10.50",
        ".5",
        "20261120",
        "20260230",
        "261120",
        "1200",
        "2599",
        "120060",
        "EA",
    ]
) | st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEGMENTS), st.data())
def test_a_segment_that_passes_the_quick_look_has_no_fault_and_the_same_names(
    declared: schema.SegmentSchema, data: st.DataObject
) -> None:
    elements: list[Any] = data.draw(st.lists(VALUES, max_size=len(declared.slots) + 1))
    found: list[str] = []
    reader = ElementReader(Delimiters(), ANY, lambda code, message, **where: found.append(code))

    quick = shape(declared).fields(elements)
    close = reader.fields({"id": declared.id, "elements": elements}, declared, "")

    if quick is not None:
        assert found == []
        assert quick == close


def test_the_quick_look_takes_ordinary_segments() -> None:
    """Else it would be sound and useless."""
    po1, n1 = schema.segment("PO1"), schema.segment("N1")
    assert po1 is not None
    assert n1 is not None

    line = shape(po1).fields(["1", "20", "BX", "7.20", "", "VN", "AC-1", "", "", "UK", "095"])

    assert line == {
        "line_number": "1",
        "quantity": "20",
        "unit": "BX",
        "unit_price": "7.20",
        "product_ids": [{"qualifier": "VN", "id": "AC-1"}, {}, {"qualifier": "UK", "id": "095"}],
    }
    assert shape(n1).fields(["ST", "Dock", "92"]) is None
