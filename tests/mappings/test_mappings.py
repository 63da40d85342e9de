"""Every mapping of the base, with its cases, on both engines, against the schema of what it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runtime.mapping as mapping
from runtime.mapping import ENGINES, EvaluationError, Functions
from runtime.mapping.schema import validate

ROOT = Path(__file__).parents[2]
MINE = {
    "portal_to_requisition": "canonical/requisition",
    "requisition_to_purchase_order": "canonical/purchase_order",
    "contract_check": None,
    "canonical_to_erp_order": None,
    "acknowledgement_to_erp_confirmation": None,
    "acknowledgement_to_portal_status": None,
}
CASES = [case for name in MINE for case in sorted((ROOT / "mappings" / name / "cases").glob("*.json"))]
FUNCTIONS = Functions(now=lambda: "2026-11-21T08:00:00.000Z")


def apply(name: str, document: Any, engine: str) -> Any:
    source = (ROOT / "mappings" / name / "mapping.jsonata").read_text(encoding="utf-8")
    return mapping.compile(source, engine=engine, name=name).evaluate(document, functions=FUNCTIONS)


def given(name: str, case: str) -> dict[str, Any]:
    file = ROOT / "mappings" / name / "cases" / f"{case}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))["given"])


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.parent.name}/{case.stem}")
def test_a_case_comes_out_as_written(case: Path, engine: str) -> None:
    name = case.parent.parent.name
    written = json.loads(case.read_text(encoding="utf-8"))

    result = apply(name, written["given"], engine)

    assert result == written["then"]
    schema = MINE[name]
    if schema is not None and result["lines"]:
        assert validate(schema, result) == []


@pytest.mark.parametrize("name", MINE)
def test_every_mapping_has_cases_of_one_and_of_many_lines(name: str) -> None:
    """JSONata collapses a list of one; a mapping without such a case has not been tried."""
    sizes = [len(given(name, case.stem)["lines"]) for case in CASES if case.parent.parent.name == name]

    assert 1 in sizes
    assert max(sizes) > 1


@pytest.mark.parametrize("file", sorted((ROOT / "sample_payloads" / "portal").glob("*.json")), ids=lambda f: f.stem)
def test_every_sample_of_the_portal_becomes_a_requisition_but_the_one_that_is_none(file: Path, engine: str) -> None:
    result = apply("portal_to_requisition", json.loads(file.read_text(encoding="utf-8")), engine)

    fields = {violation.pointer for violation in validate("canonical/requisition", result)}

    if file.stem == "not_a_requisition":
        assert {"/facility", "/cost_center", "/requester/email", "/lines"} <= fields
    else:
        assert fields == set()


def test_the_portals_numbers_become_exact_strings(engine: str) -> None:
    document = given("portal_to_requisition", "two_lines")
    document["lines"][0]["quantity"] = 0.1
    document["lines"][0]["estimatedPrice"] = "3"

    result = apply("portal_to_requisition", document, engine)

    assert result["lines"][0]["quantity"] == "0.1"
    assert result["total"] == "58.30"


def test_the_contract_price_wins_over_the_lines_and_the_list_price(engine: str) -> None:
    body = given("requisition_to_purchase_order", "one_line")
    code = body["lines"][0]["item_number"]
    body["items"][0]["unit_price"] = "9.00"
    prices = [{"item": code, "contract": "C", "price": "7.00", "currency": "USD", "unit": "EA"}]

    contract = apply("requisition_to_purchase_order", {**body, "prices": prices}, engine)
    asked = apply("requisition_to_purchase_order", {**body, "prices": []}, engine)
    del body["lines"][0]["unit_price"]
    listed = apply("requisition_to_purchase_order", body, engine)

    assert [order["total"] for order in (contract, asked, listed)] == ["140.00", "175.00", "180.00"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"items": []}, "line 1, item ITM-1003: no master data"),
        ({"supplier": {"code": "4020", "name": "N", "partner": "n"}}, "belongs to supplier 4010.*goes to 4020"),
        (
            {"prices": [{"item": "ITM-1003", "price": "1", "currency": "EUR", "unit": "EA"}]},
            "contract price is in EUR, the order is in USD",
        ),
        (
            {"prices": [{"item": "ITM-1003", "price": "1", "currency": "USD", "unit": "BX"}]},
            "contract price is per BX, the line is in EA",
        ),
    ],
    ids=["item", "supplier", "currency", "unit"],
)
def test_a_wrong_order_is_never_made(change: dict[str, Any], said: str, engine: str) -> None:
    body = given("requisition_to_purchase_order", "one_line")

    with pytest.raises(EvaluationError, match=said):
        apply("requisition_to_purchase_order", {**body, **change}, engine)
