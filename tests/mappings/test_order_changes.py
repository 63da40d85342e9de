"""Changes of orders from the canonical model to X12 860 and EDIFACT ORDCHG, in both JSONata engines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.edifact import codec as edifact
from connectors.x12 import codec as x12
from runtime.mapping import ENGINES
from runtime.mapping.schema import validate
from tests.mappings.test_edifact import message, transaction_set
from tests.mappings.test_mappings import ROOT, apply

NAMES = ("canonical_to_x12_860", "canonical_to_edifact_ordchg")
CASES = [case for name in NAMES for case in sorted((ROOT / "mappings" / name / "cases").glob("*.json"))]
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_case_comes_out_as_written(path: Path, engine: str) -> None:
    case = written(path)

    assert validate("canonical/purchase_order_change", case["given"]) == []
    assert apply(path.parent.parent.name, case["given"], engine) == case["then"]


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_has_cases_of_none_one_and_many(name: str) -> None:
    """JSONata collapses a list of one."""
    assert {0, 1} < {len(written(path)["given"]["lines"]) for path in CASES if name in path.parts}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_every_mapped_change_is_written_and_read_without_a_fault(path: Path) -> None:
    """What is empty in the named view is not in the file."""
    named = written(path)["then"]

    if NAMES[0] in path.parts:
        envelope = x12.Envelope(x12.Party("ZZ", "MERCYHOSP"), x12.Party("ZZ", "ACMEMED"), 1, 1, NOW)
        raw = x12.write(x12.interchange(envelope, [("860", named)]))
        assert x12.faults(x12.read(raw)) == []
        read = transaction_set(raw)["document"]
    else:
        at = edifact.Envelope(edifact.Party("9521234500018", "14"), edifact.Party("9521234600015", "14"), "1", NOW)
        raw = edifact.write(edifact.interchange(at, [("ORDCHG", named)]))
        assert edifact.faults(edifact.read(raw)) == []
        read = message(raw)["document"]

    assert read == without_empty(named)


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_empty(item) for key, item in value.items() if item != []}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def test_an_865_says_which_change_it_answers(engine: str) -> None:
    case = written(ROOT / "mappings/x12_855_to_canonical/cases/change_acknowledged_by_865.json")

    result = apply("x12_855_to_canonical", case["given"], engine)

    assert result == case["then"]
    assert (result["change_number"], {line["unit"] for line in result["lines"]}) == ("2", {"BX", "EA"})
    assert validate("canonical/purchase_order_acknowledgement", result) == []
