"""The command that writes what is generated, and the check that it was run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.sdk import Misconfigured
from runtime.model import generate


def test_what_is_checked_in_is_not_stale() -> None:
    """After a change to a model: python -m runtime.model.generate."""
    assert generate.stale() == []

    checked = CliRunner().invoke(generate.main, ["--check"])
    assert (checked.exit_code, checked.output) == (0, "")


def test_schemas_and_references_are_written_together(tmp_path: Path) -> None:
    """Then nothing is stale."""
    page = tmp_path / "connectors" / "rest" / "README.md"
    page.parent.mkdir(parents=True)
    page.write_text("<!-- reference -->\n<!-- /reference -->\n")

    written = generate.write(tmp_path)

    assert page in written
    assert tmp_path / "runtime" / "schemas" / "flow.schema.json" in written
    assert generate.stale(tmp_path) == []


def test_a_page_without_its_marks_is_told(tmp_path: Path) -> None:
    """Rather than left without a reference."""
    page = tmp_path / "connectors" / "rest" / "README.md"
    page.parent.mkdir(parents=True)
    page.write_text("# REST\n")

    with pytest.raises(Misconfigured, match="no place for the reference"):
        generate.stale(tmp_path)
