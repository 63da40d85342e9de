"""Documents against schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.mapping.schema import SchemaProblem, Schemas, Violation, canonical, validate

CASE = Path(__file__).parents[3] / "mappings" / "portal_to_requisition" / "cases" / "two_lines.json"


@pytest.fixture
def requisition() -> dict[str, Any]:
    return dict(json.loads(CASE.read_text(encoding="utf-8"))["then"])


def test_a_document_that_conforms_has_no_violations(requisition: dict[str, Any]) -> None:
    assert validate("canonical/requisition", requisition) == []


@pytest.mark.parametrize(
    ("change", "pointer", "excerpt"),
    [
        ({"total": 12.5}, "/total", "12.5"),
        ({"total": "12,50"}, "/total", '"12,50"'),
        ({"total": "1e5"}, "/total", '"1e5"'),
        ({"need_by": "2026-02-30"}, "/need_by", '"2026-02-30"'),
        ({"currency": "usd"}, "/currency", '"usd"'),
        ({"urgency": "now"}, "/urgency", '"now"'),
        ({"facility": " MERCY-MAIN"}, "/facility", '" MERCY-MAIN"'),
        ({"lines": []}, "/lines", "[]"),
        ({"schema": "requisition/2"}, "/schema", '"requisition/2"'),
    ],
)
def test_a_violation_points_at_the_field_and_shows_its_value(
    requisition: dict[str, Any], change: dict[str, Any], pointer: str, excerpt: str
) -> None:
    found = validate("canonical/requisition", {**requisition, **change})

    assert {(violation.pointer, violation.excerpt) for violation in found} == {(pointer, excerpt)}


def test_a_missing_field_is_pointed_at_itself(requisition: dict[str, Any]) -> None:
    del requisition["lines"][1]["quantity"]

    assert [violation.pointer for violation in validate("canonical/requisition", requisition)] == [
        "/lines/1/quantity"
    ]


def test_a_field_nobody_knows_is_refused(requisition: dict[str, Any]) -> None:
    (violation,) = validate("canonical/requisition", {**requisition, "lines~/x": 1})

    assert "lines~/x" in violation.message


def test_pointers_are_escaped_and_long_values_cut() -> None:
    schema = {"properties": {"a/b": {"properties": {"c~d": {"type": "integer"}}}}}

    (violation,) = Schemas({}).validate(schema, {"a/b": {"c~d": "x" * 500}})

    assert violation.pointer == "/a~1b/c~0d"
    assert len(violation.excerpt) == 80
    assert len(violation.message) < 150


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"maxLength": 3}, "990017", "the value is too long (maxLength 3)"),
        ({"minLength": 9}, "990017", "the value is too short (minLength 9)"),
        ({"enum": ["BX", "EA"]}, "990017", "the value is not one of ['BX', 'EA']"),
        ({"const": "BX"}, "990017", "'BX' was expected"),
        ({"type": "integer"}, "990017", "the value is not of type 'integer'"),
        ({"format": "date"}, "990017", "the value is not a 'date'"),
        ({"pattern": "^[A-Z]$", "description": "a letter"}, "990017",
         "the value does not match '^[A-Z]$' (expected: a letter)"),
        ({"maximum": 3}, 990017, "the value is greater than the maximum of 3"),
        ({"maxItems": 1}, ["990017", "b"], "the value is too long (maxItems 1)"),
        ({"uniqueItems": True}, ["990017", "990017"], "the value has non-unique elements"),
        ({"prefixItems": [True], "items": False}, ["a", "990017"], "there are more items than there may be"),
        ({"prefixItems": [True], "unevaluatedItems": False}, ["a", "990017"],
         "there are more items than there may be"),
        ({"properties": {"a": False}}, {"a": "990017"}, "nothing may stand here"),
    ],
)  # fmt: skip
def test_a_message_names_the_rule_and_not_the_value(schema: Any, value: Any, message: str) -> None:
    """It goes into exceptions and answers, and the value may be a patient's."""
    assert [violation.message for violation in Schemas({}).validate(schema, value)] == [message]


def test_violations_come_in_the_order_of_the_document() -> None:
    schema = {"items": {"type": "string"}}

    found = Schemas({}).validate(schema, list(range(12)))

    assert [violation.pointer for violation in found] == [f"/{place}" for place in range(12)]


def test_nothing_is_fetched_for_a_reference() -> None:
    with pytest.raises(SchemaProblem, match=r"http://localhost:1/x.json.*refer to local schemas only"):
        Schemas({}).validate({"$ref": "http://localhost:1/x.json"}, {})


def test_an_unknown_schema_is_named_with_those_known() -> None:
    with pytest.raises(SchemaProblem, match=r"no schema called 'canonical/invoic'.*canonical/purchase_order"):
        validate("canonical/invoic", {})


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(SchemaProblem, match="no JSON Schema"):
        Schemas({}).validate({"type": "decimal"}, {})


def test_a_file_that_is_no_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.schema.json").write_text('{"type": "object"}', encoding="utf-8")

    with pytest.raises(SchemaProblem, match=r"x\.schema\.json.*\$id"):
        Schemas.from_folder(tmp_path)


def test_every_canonical_schema_is_strict_and_described() -> None:
    """An object that takes any field, or a field nobody explains, would be a hole in the model."""

    def holes(node: Any, path: str) -> list[str]:
        if isinstance(node, list):
            return [hole for place, item in enumerate(node) for hole in holes(item, f"{path}/{place}")]
        if not isinstance(node, dict):
            return []
        own = [path] if node.get("type") == "object" and node.get("additionalProperties") is not False else []
        for name, field in node.get("properties", {}).items():
            if "description" not in field and "$ref" not in field:
                own.append(f"{path}/{name}")
        return own + [hole for name, item in node.items() for hole in holes(item, f"{path}/{name}")]

    schemas = canonical()

    assert {"canonical/requisition", "canonical/purchase_order"} <= set(schemas)
    assert [hole for name in schemas for hole in holes(dict(schemas[name]), name)] == []


def test_violations_are_plain_values() -> None:
    assert Violation("/a", "m", "1") == Violation("/a", "m", "1")
