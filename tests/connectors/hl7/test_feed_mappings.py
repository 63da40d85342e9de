"""What a hospital's feed becomes: each sample its canonical document, and nobody's patient in any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.codec import read
from connectors.hl7.connector import ReadMessage, ReadParameters
from runtime.api.cases import Mappings
from runtime.mapping.schema import validate
from runtime.model.pack import Pack, demo_folder
from tests.connectors.hl7.corpus import ROOT, sample
from tests.harness import MemoryContext

MAPPINGS = Mappings(Pack.read(demo_folder()))
ENGINES = ["jsonatapy", "jsonata-python"]
OLD = {"application": "OLDSTOCK", "fields": {"quantity": "RQD-3", "unit": "RQD-5", "item": "RQD-2"}}
PROFILE = {"old": {"partner": "old", "name": "Old stock system", "hl7": OLD}}
#: mapping, case, sample, canonical document
CASES = [
    ("hl7_siu_to_case_cart_demand", "booked", "siu_s12_booked", "case_cart_demand"),
    ("hl7_siu_to_case_cart_demand", "moved", "siu_s13_moved", "case_cart_demand"),
    ("hl7_siu_to_case_cart_demand", "changed", "siu_s14_changed", "case_cart_demand"),
    ("hl7_siu_to_case_cart_demand", "cancelled", "siu_s15_cancelled", "case_cart_demand"),
    ("hl7_dft_to_consumption", "used", "dft_p03_used", "consumption"),
    ("hl7_dft_to_consumption", "reversed", "dft_p03_reversed", "consumption"),
    ("hl7_mfn_m15_to_inventory", "inventory", "mfn_m15_inventory", "inventory"),
    ("hl7_mfn_m16_to_item_master", "items", "mfn_m16_item_master", "item_master"),
    ("hl7_adt_to_location_census", "transfer", "adt_a02_transfer", "location_census"),
    ("hl7_oms_o05_to_requisition", "non_stock", "omn_o07_non_stock", "requisition"),
    ("hl7_oms_o05_to_requisition", "feed_profile", "orm_o01_requisition", "requisition"),
]
WITH_PATIENT = [
    path for path in sorted((ROOT / "sample_payloads/hl7").glob("*.hl7")) if b"\rPID|" in path.read_bytes()
]


def seen(raw: bytes, **partners: Any) -> Any:
    """As ``hl7.read`` gives it in a flow."""
    context = MemoryContext(partners=partners)
    document = ReadMessage().run(ReadParameters(content=context.blobs.put(raw)), context)
    return json.loads(json.dumps(dict(document)))


@pytest.mark.parametrize(("mapping", "case", "name", "schema"), CASES, ids=[case[2] for case in CASES])
def test_each_case_is_what_the_sample_reads_as_and_meets_its_schema(
    mapping: str, case: str, name: str, schema: str
) -> None:
    """Cases do not drift from codec and samples; what they come to is what the flow accepts."""
    written = json.loads((ROOT / f"mappings/{mapping}/cases/{case}.json").read_text(encoding="utf-8"))
    partners = PROFILE if case == "feed_profile" else {}

    assert written["given"] == seen(sample(f"{name}.hl7"), **partners)
    assert validate(f"canonical/{schema}", written["then"]) == []


@pytest.mark.parametrize("path", WITH_PATIENT, ids=lambda path: path.stem)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_document_of_a_feed_says_who_the_patient_is(path: Path, engine: str) -> None:
    """Every value of PID, the visit's number, the diagnosis and the notes, in whatever kind of document."""
    raw = path.read_bytes()
    message = read(raw)
    secret = {value for segment in message.segments if segment.id == "PID" for _, value in segment.leaves()}
    secret |= {"V-20261124-01", "M17.11", "patient is anxious", "about the patient"}

    made = json.dumps(MAPPINGS.apply("hl7_to_canonical", seen(raw), engine))

    assert '"document"' in made
    assert not [value for value in secret if len(value) > 3 and value in made and value != "MERCY"]


@pytest.mark.parametrize("engine", ENGINES)
def test_without_its_profile_a_quantity_in_another_place_is_no_quantity(engine: str) -> None:
    """The document does not meet its schema, so the message is for a person; nothing is guessed."""
    made = MAPPINGS.apply("hl7_oms_o05_to_requisition", seen(sample("orm_o01_requisition.hl7")), engine)

    assert "/lines/0/quantity" in [found.pointer for found in validate("canonical/requisition", made)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("type", "kind", "refused"),
    [
        ("ADT^A08", "ignored", None),
        ("SIU^S26", "ignored", None),
        ("ORM^O01", "ignored", None),
        ("ORU^R01", "unexpected", ("200", "MSH-9")),
        ("OMS^O05", "unexpected", ("100", "RQD")),
    ],
)
def test_what_supply_has_no_use_for_is_ignored_and_what_nobody_expects_is_told(
    type: str, kind: str, refused: tuple[str, str] | None, engine: str
) -> None:
    """A feed carries more than it was asked for; an ORM without RQD is a laboratory's."""
    raw = f"MSH|^~\\&|X|MERCY|||20261124||{type}|C1|P|2.5.1\rPID|1||990017\r".encode()

    made = MAPPINGS.apply("hl7_to_canonical", seen(raw), engine)

    refusal = made.pop("refusal", None)
    assert made == {"kind": kind, "message_type": type, "control_id": "C1", "identity": "X/MERCY/C1"}
    assert (refusal and (refusal["code"], refusal["field"])) == refused


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("quantity", "type", "action", "meant"),
    [("2", "CG", "used", "2"), ("-2", "CG", "reversed", "2"), ("2", "CD", "reversed", "2"), ("-2.50", "CD", "reversed", "2.50"), ("", "CG", "used", "1")],
)  # fmt: skip
def test_a_negative_quantity_or_a_credit_reverses(
    quantity: str, type: str, action: str, meant: str, engine: str
) -> None:
    """FT1-10 and FT1-6 (HL7 v2.5.1, 6.5.1); the quantity of a document is never negative."""
    raw = f"MSH|^~\\&|X|MERCY|||20261124||DFT^P03|C1|P|2.5.1\rFT1|1|||20261124||{type}|I1|||{quantity}\r".encode()

    made = MAPPINGS.apply("hl7_dft_to_consumption", seen(raw), engine)

    assert [(line["action"], line["quantity"]) for line in made["lines"]] == [(action, meant)]
