"""The mappings between X12 and the canonical model, in both JSONata engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonata
import jsonatapy
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from connectors.x12.codec import from_named
from tests.connectors.x12.samples import MAPPINGS

NAMES = ("canonical_to_x12_850", "x12_855_to_canonical", "x12_997_to_canonical")
CASES = [case for name in NAMES for case in sorted((MAPPINGS / name / "cases").glob("*.json"))]
ENGINES: dict[str, Callable[[str, Any], Any]] = {
    "jsonatapy": lambda expression, data: jsonatapy.compile(expression).evaluate(data),
    "jsonata-python": lambda expression, data: jsonata.Jsonata(expression).evaluate(data),
}


def canonical(name: str) -> Draft202012Validator:
    schemas = [json.loads(path.read_text()) for path in (MAPPINGS / "canonical").glob("*.schema.json")]
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas
    )
    return Draft202012Validator({"$ref": f"canonical/{name}"}, registry=registry)


def expression(name: str) -> str:
    return (MAPPINGS / name / "mapping.jsonata").read_text(encoding="utf-8")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_every_case_gives_what_it_says(path: Path, engine: str) -> None:
    """One line and many lines: lists stay lists."""
    case = json.loads(path.read_text(encoding="utf-8"))

    found = ENGINES[engine](expression(path.parts[-3]), case["given"])

    assert json.loads(json.dumps(found)) == case["then"]


@pytest.mark.parametrize("path", [case for case in CASES if NAMES[0] in case.parts], ids=lambda path: path.stem)
def test_every_mapped_order_is_a_valid_850(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))

    assert from_named("850", case["then"])[0]["id"] == "BEG"


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_the_canonical_side_of_every_case_meets_its_schema(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    document = case["given"] if path.parts[-3] == NAMES[0] else case["then"]

    canonical(document["schema"].partition("/")[0]).validate(document)


def test_every_mapping_has_cases_with_one_line_and_with_many() -> None:
    for name in NAMES:
        cases = [json.loads(path.read_text(encoding="utf-8"))["then"] for path in CASES if name in path.parts]
        counts = {len(case.get("lines", case.get("sets", []))) for case in cases}
        assert 1 in counts, name
        assert any(count > 1 for count in counts), name
