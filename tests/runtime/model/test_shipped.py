"""What ships is itself without a finding, and meets the schemas that ship beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runtime.model.lint import Scope, lint_file, lint_folder
from runtime.model.pack import ROOT, base_folder, demo_folder

FLOWS = sorted((base_folder() / "flows").glob("*/flow.json"))
FILES = [*FLOWS, *sorted(demo_folder().rglob("*.json"))]


def test_the_demo_pack_has_no_finding() -> None:
    """With all flows and mappings of the base that it uses."""
    assert [str(finding) for finding in lint_folder(demo_folder())] == []


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.parent.name)
def test_a_shipped_flow_has_no_finding(path: Path) -> None:
    """Also those that the demo does not use."""
    assert [str(finding) for finding in lint_file(path, Scope())] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_shipped_file_meets_the_schema_that_it_names(path: Path) -> None:
    """An editor marks nothing in it."""
    document = json.loads(path.read_text())
    named = document.get("$schema")
    assert named, "names no $schema"
    schema = (path.parent / named).resolve()

    assert schema.parent == ROOT / "runtime" / "schemas"
    validator = Draft202012Validator(json.loads(schema.read_text()))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)] == []
