"""Ship notices and invoices of suppliers to the canonical model, from X12 and EDIFACT, in both JSONata engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.mapping import ENGINES, EvaluationError
from runtime.mapping.schema import validate
from tests.mappings.test_edifact import SAMPLES, message, transaction_set
from tests.mappings.test_mappings import ROOT, apply

NAMES = (
    "x12_856_to_canonical", "edifact_desadv_to_canonical", "x12_810_to_canonical", "edifact_invoic_to_canonical",
)  # fmt: skip
CASES = [case for name in NAMES for case in sorted((ROOT / "mappings" / name / "cases").glob("*.json"))]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(canonical: dict[str, Any]) -> None:
    assert validate(f"canonical/{canonical['schema'].partition('/')[0]}", canonical) == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_case_comes_out_as_written_and_meets_its_schema(path: Path, engine: str) -> None:
    written = json.loads(path.read_text(encoding="utf-8"))

    result = apply(path.parent.parent.name, written["given"], engine)

    assert result == written["then"]
    check(result)


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_has_cases_of_none_one_and_many(name: str) -> None:
    """JSONata collapses a list of one."""
    sizes = {len(json.loads(path.read_text())["then"]["lines"]) for path in CASES if name in path.parts}

    assert {0, 1} < sizes


def test_the_same_shipment_is_the_same_notice_in_both_standards(engine: str) -> None:
    """But for what only one of them says: carrier and bill of lading, and a GTIN with or without its leading zero."""
    x12 = apply(NAMES[0], transaction_set((SAMPLES / "x12/856.edi").read_bytes()), engine)
    edifact = apply(NAMES[1], message((SAMPLES / "edifact/desadv.edi").read_bytes()), engine)

    for line in x12["lines"]:
        line["gtin"] = line["gtin"].removeprefix("0")
    del x12["carrier"], x12["bill_of_lading"]
    assert x12 == edifact


def test_the_same_invoice_is_the_same_in_both_standards(engine: str) -> None:
    """But for what only one of them says: terms and the order's lines in X12, amounts of lines in EDIFACT."""
    x12 = apply(NAMES[2], transaction_set((SAMPLES / "x12/810.edi").read_bytes()), engine)
    edifact = apply(NAMES[3], message((SAMPLES / "edifact/invoic.edi").read_bytes()), engine)

    assert [line.pop("amount") for line in edifact["lines"]] == ["144.00", "57.50"]
    assert [line.pop("line_number") for line in x12["lines"]] == ["1", "2"]
    for line in x12["lines"]:
        line["gtin"] = line["gtin"].removeprefix("0")
    assert x12.pop("net_days") == "30"
    assert x12 == edifact


@pytest.mark.parametrize(
    ("name", "sample", "key", "code", "words"),
    [
        (NAMES[2], "x12/810.edi", "transaction_type", "CR", "BIG07 CR makes INV-600001 a credit memo"),
        (NAMES[3], "edifact/invoic.edi", "document_type", "381", "BGM 1001 381 makes INV-600001 a credit note"),
        (NAMES[0], "x12/856.edi", "purpose", "77", "BSN01 77 says neither original"),
        (NAMES[1], "edifact/desadv.edi", "function", "77", "BGM 1225 77 says neither original"),
    ],
)
def test_what_is_none_of_them_is_refused_with_its_code(
    name: str, sample: str, key: str, code: str, words: str, engine: str
) -> None:
    raw = (SAMPLES / sample).read_bytes()
    given = message(raw) if sample.startswith("edifact") else transaction_set(raw)
    given["document"]["beginning"][key] = code

    with pytest.raises(EvaluationError, match=words):
        apply(name, given, engine)


def test_a_notice_of_a_hundred_items_is_mapped_whole(engine: str) -> None:
    """By recursion over its levels, which are few however many items there are."""
    given = transaction_set((SAMPLES / "x12/856.edi").read_bytes())
    packs = given["document"]["shipments"][0]["orders"][0]["packs"]
    (item,) = packs[1]["items"]
    packs[1]["items"] = [{**item, "number": str(number)} for number in range(100)]

    assert len(apply(NAMES[0], given, engine)["lines"]) == 102
