"""A partner's profile as it is in test and in production."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runtime.model.lints.finding import Report
from runtime.model.lints.packs import lint_partner_file
from runtime.model.lints.scope import Scope
from runtime.model.pack import ROOT, Pack
from runtime.model.partner import for_environment

PROFILE: dict[str, Any] = {
    "partner": "acme",
    "name": "Acme",
    "units": {"BX": "CT"},
    "x12": {"ours": {"qualifier": "ZZ", "id": "MERCY"}, "theirs": {"qualifier": "ZZ", "id": "ACME"}},
    "environments": {"test": {"x12": {"theirs": {"id": "ACMETEST"}}}, "production": {"units": {"BX": "BX"}}},
}


def test_what_differs_is_laid_over_the_rest_key_by_key() -> None:
    test, production = for_environment(PROFILE, "test"), for_environment(PROFILE, "production")

    assert test["x12"] == {
        "ours": {"qualifier": "ZZ", "id": "MERCY"},
        "theirs": {"qualifier": "ZZ", "id": "ACMETEST"},
    }
    assert (test["units"], test["environment"]) == ({"BX": "CT"}, "test")
    assert production["x12"]["theirs"] == {"qualifier": "ZZ", "id": "ACME"}
    assert (production["units"], production["environment"]) == ({"BX": "BX"}, "production")
    assert "environments" not in test


def test_a_partner_that_has_only_test_has_no_part_in_production() -> None:
    alone = PROFILE | {"environments": {"test": {}}}

    assert for_environment(alone, "production") == {
        "partner": "acme", "name": "Acme", "units": {"BX": "CT"}, "environment": "production",
    }  # fmt: skip
    assert "x12" in for_environment(alone, "test")


def test_a_profile_cannot_say_itself_which_environment_it_is_for() -> None:
    assert for_environment(PROFILE | {"environment": "production"}, "test")["environment"] == "test"


@pytest.mark.parametrize(("given", "usage"), [({}, "test"), ({"environment": "production"}, "production")])
def test_a_pack_takes_its_partners_as_they_are_in_its_environment(
    tmp_path: Path, given: dict[str, str], usage: str
) -> None:
    (tmp_path / "partners").mkdir()
    (tmp_path / "pack.json").write_text(json.dumps({"client": "mercy", "name": "Mercy", **given}))
    (tmp_path / "partners" / "acme.json").write_text(json.dumps(PROFILE))

    assert Pack.read(tmp_path).partners["acme"]["environment"] == usage


@pytest.mark.parametrize("standard", ["x12", "edifact"])
def test_the_profiles_in_the_readmes_have_no_findings(tmp_path: Path, standard: str) -> None:
    """What is copied from there works: a whole profile, or the part of a standard."""
    page = (ROOT / "connectors" / standard / "README.md").read_text().partition("## The partner's profile")[2]
    (tmp_path / "pack.json").write_text(json.dumps({"client": "mercy", "name": "Mercy"}))
    scope = Scope.of(Pack.read(tmp_path))
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page.partition("\n## ")[0], re.S)]

    assert shown
    for one in shown:
        profile = one if {"partner", "edifact"} & one.keys() else {standard: one}
        report = Report("acme.json")
        lint_partner_file(report, "acme", {"partner": "acme", "name": "Acme"} | profile, scope)
        assert report.findings == []
