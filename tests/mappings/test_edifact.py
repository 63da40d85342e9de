"""The mappings between EDIFACT and the canonical model, in both JSONata engines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.edifact import codec as edifact
from connectors.sdk import Journal
from connectors.simulators.supplier_robot import Robot
from connectors.simulators.supplier_rules import Rules
from connectors.x12 import codec as x12
from runtime.mapping import ENGINES
from runtime.mapping.schema import validate
from tests.mappings.test_mappings import ROOT, apply

NAMES = ("canonical_to_edifact_orders", "edifact_ordrsp_to_canonical", "edifact_contrl_to_canonical")
CASES = [case for name in NAMES for case in sorted((ROOT / "mappings" / name / "cases").glob("*.json"))]
SAMPLES = ROOT / "sample_payloads"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HOSPITAL, SUPPLIER = "9521234500018", "9521234600015"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def case(path: Path) -> tuple[str, dict[str, Any]]:
    return path.parent.parent.name, json.loads(path.read_text(encoding="utf-8"))


def message(raw: bytes) -> dict[str, Any]:
    """What the mappings need of what edifact.read puts out."""
    [one] = edifact.read(raw)["interchanges"][0]["groups"][0]["messages"]
    return {"partner": "acme", "document": edifact.named(one)}


def transaction_set(raw: bytes) -> dict[str, Any]:
    """The same of x12.read."""
    [one] = x12.read(raw)["interchanges"][0]["groups"][0]["sets"]
    return {"partner": "acme", "document": x12.named(one)}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_case_comes_out_as_written_and_meets_its_schema(path: Path, engine: str) -> None:
    name, written = case(path)

    result = apply(name, written["given"], engine)

    assert result == written["then"]
    canonical = written["given"] if name == NAMES[0] else result
    assert validate(f"canonical/{canonical['schema'].partition('/')[0]}", canonical) == []


@pytest.mark.parametrize("path", [path for path in CASES if NAMES[0] in path.parts], ids=lambda path: path.stem)
def test_every_mapped_order_is_written_and_read_without_a_fault(path: Path) -> None:
    _, written = case(path)
    at = edifact.Envelope(edifact.Party(HOSPITAL, "14"), edifact.Party(SUPPLIER, "14"), "1", NOW)

    raw = edifact.write(edifact.interchange(at, [("ORDERS", written["then"])]))

    assert edifact.faults(edifact.read(raw)) == []
    assert message(raw)["document"] == written["then"]


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_has_cases_of_one_and_of_many(name: str) -> None:
    """JSONata collapses a list of one."""
    made = [case(path)[1]["then"] for path in CASES if name in path.parts]

    sizes = {len(one["lines"] if "lines" in one else one["sets"]) for one in made}

    assert 1 in sizes
    assert max(sizes) > 1


@pytest.mark.parametrize("said", ["accepted", "backordered"])
def test_ordrsp_and_855_that_say_the_same_give_the_same_acknowledgement(said: str, engine: str) -> None:
    ordrsp = message((SAMPLES / "edifact" / f"ordrsp_{said}.edi").read_bytes())
    answer = transaction_set((SAMPLES / "x12" / f"855_{said}.edi").read_bytes())

    by_edifact = apply("edifact_ordrsp_to_canonical", ordrsp, engine)
    by_x12 = apply("x12_855_to_canonical", answer, engine)

    assert by_edifact == by_x12


def test_an_order_comes_back_acknowledged_alike_whichever_way_it_went(engine: str) -> None:
    """Lines accepted, changed, backordered and rejected; only the notes have words of their own."""
    order = case(ROOT / "mappings" / NAMES[0] / "cases" / "one_line.json")[1]["given"]
    lines = [
        order["lines"][0] | {"line_number": str(number), "item_number": f"ITM-{number}"} for number in range(1, 5)
    ]
    order = order | {"lines": lines}
    rules = {"ITM-2": "changed", "ITM-3": "backordered", "ITM-4": "rejected"}

    answers = [acknowledged(order, rules, kind, engine) for kind in ("x12", "edifact")]

    assert [line["status"] for line in answers[0]["lines"]] == ["accepted", "changed", "backordered", "rejected"]
    for answer in answers:
        for line in answer["lines"]:
            line.pop("note", None)
    assert answers[0] == answers[1]


def acknowledged(order: dict[str, Any], rules: dict[str, str], kind: str, engine: str) -> dict[str, Any]:
    """The canonical acknowledgement of a supplier that got this order as an 850 or as ORDERS."""
    robot = Robot(("ZZ", "ACMEMED"), ("14", SUPPLIER), Rules(by_key=rules), Journal(), lambda: NOW)
    if kind == "x12":
        named = apply("canonical_to_x12_850", order, engine)
        parties = x12.Party("ZZ", "MERCYHOSP"), x12.Party("ZZ", "ACMEMED")
        raw = x12.write(x12.interchange(x12.Envelope(*parties, 1, 1, NOW), [("850", named)]))
    else:
        named = apply("canonical_to_edifact_orders", order, engine)
        peers = edifact.Party(HOSPITAL, "14"), edifact.Party(SUPPLIER, "14")
        raw = edifact.write(edifact.interchange(edifact.Envelope(*peers, "1", NOW), [("ORDERS", named)]))
    [answer] = [reply for reply in robot.answer(raw, "/in/1.edi") if reply.kind == "acknowledgement"]
    if kind == "x12":
        return dict(apply("x12_855_to_canonical", transaction_set(answer.content), engine))
    return dict(apply("edifact_ordrsp_to_canonical", message(answer.content), engine))


def test_a_contrl_of_the_supplier_becomes_an_acknowledgement_by_what_was_sent(engine: str) -> None:
    """Accepted, and refused down to the element."""
    raw = (SAMPLES / "edifact" / "orders.edi").read_bytes()
    found = []
    for refuse in (0, 1):
        robot = Robot(("ZZ", "ACMEMED"), ("14", SUPPLIER), Rules(refuse=refuse), Journal(), lambda: NOW)
        contrl = next(
            reply for reply in robot.answer(raw, "/in/1.edi") if reply.kind == "functional_acknowledgement"
        )
        found.append(apply("edifact_contrl_to_canonical", message(contrl.content), engine))

    accepted, refused = found

    assert (accepted["code"], accepted["acknowledgement_key"]) == ("A", "acme/1")
    assert (refused["code"], refused["sets"][0]["code"]) == ("P", "R")
    assert refused["sets"][0]["errors"] == [{"position": "13", "element": "2", "component": "2", "code": "UCD 12"}]
    assert [validate("canonical/functional_acknowledgement", one) for one in found] == [[], []]
