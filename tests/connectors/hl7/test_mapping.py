"""The mapping from OMS^O05 to the canonical requisition, in both engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.codec import read, view
from runtime.mapping import Functions
from runtime.mapping import compile as compile_expression
from tests.connectors.hl7.corpus import ROOT, sample

FOLDER = ROOT / "mappings/hl7_oms_o05_to_requisition"
CASES = sorted((FOLDER / "cases").glob("*.json"))
SOURCE = (FOLDER / "mapping.jsonata").read_text(encoding="utf-8")


@pytest.fixture(params=["jsonatapy", "jsonata-python"])
def requisition(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    mapping = compile_expression(SOURCE, engine=request.param, name="requisition")
    return lambda whole: json.loads(json.dumps(mapping.evaluate(whole, {}, Functions())))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_case_holds(requisition: Callable[[Any], Any], path: Path) -> None:
    """Given the view, then the requisition."""
    case = json.loads(path.read_text(encoding="utf-8"))

    assert requisition(case["given"]) == case["then"]


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("one_line", "oms_o05_one_line.hl7"),
        ("many_lines", "oms_o05_many_lines.hl7"),
        ("patient_left_out", "oms_o05_with_patient.hl7"),
    ],
)
def test_each_case_is_what_the_sample_reads_as(case: str, name: str) -> None:
    """The cases do not drift from the codec."""
    given = json.loads((FOLDER / f"cases/{case}.json").read_text(encoding="utf-8"))["given"]

    assert given == view(read(sample(name)))


def test_a_patient_never_reaches_the_requisition(requisition: Callable[[Any], Any]) -> None:
    """Neither PID nor the note that follows it."""
    result = json.dumps(requisition(view(read(sample("oms_o05_with_patient.hl7")))))

    assert not any(word in result for word in ("990017", "Sample", "Invented", "about the patient"))


def test_a_sparse_message_of_an_old_version_is_understood(requisition: Callable[[Any], Any]) -> None:
    """One ORC for several RQD, ORC-7 for the priority, the ward's own item codes, equal line numbers."""
    whole = view(
        read(
            b"MSH|^~\\&|STOCK|NORTH|||20261101||OMS^O05|X|P|2.3\r"
            b'ORC|NW|R1^W|||||^^^^^S|||9^Lee^Kim||""\r'
            b"RQD|1|A^Tape|||+07.||CC1||W3^Ward 3\r"
            b"RQD|1|B|||0.5|ea|CC1\r"
        )
    )

    result = requisition(whole)

    assert result["requisition_number"] == "R1"
    assert result["requester"] == {"name": "Kim Lee", "email": "", "department": "Ward 3"}
    assert (result["facility"], result["need_by"], result["urgency"]) == ("NORTH", "2026-11-01", "urgent")
    assert result["lines"] == [
        {"line_number": "1", "item_number": "A", "description": "Tape", "quantity": "7"},
        {"line_number": "2", "item_number": "B", "description": "B", "quantity": "0.5", "unit": "EA"},
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"ORC|NW|", b"ORC|CA|", "ORC-1 is CA"),
        (b"|CC-OR1||OR1^Operating room 1|20261126", b"|CC-ICU|||20261126", "several cost centres"),
        (b"RQD|3", b"ORC|NW|X||X\rRQD|3", "several requisitions"),
    ],
)
def test_what_must_not_become_one_new_order_is_an_error(
    requisition: Callable[[Any], Any], old: bytes, new: bytes, said: str
) -> None:
    """A cancellation is not an order; two payers or two requisitions are not one."""
    whole = view(read(sample("oms_o05_many_lines.hl7").replace(old, new)))

    with pytest.raises(Exception, match=said):
        requisition(whole)
