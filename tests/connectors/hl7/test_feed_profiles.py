"""What a hospital's profile says of its feed is held against the pack before a message is read under it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.model.lint import lint_pack
from runtime.model.pack import ROOT, Pack

REASON = "charges are settled by account, agreed 2026-10-01"
Lint = Callable[..., list[tuple[str, str, str, str]]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """The findings for these ``hl7`` parts, one for each partner: severity, code, file, pointer."""

    def found(*profiles: dict[str, Any], **pack: Any) -> list[tuple[str, str, str, str]]:
        (tmp_path / "partners").mkdir()
        (tmp_path / "pack.json").write_text(json.dumps({"client": "mercy", "name": "Mercy", **pack}))
        for name, profile in zip(("east", "west", "south"), profiles, strict=False):
            whole = profile if "name" in profile else {"partner": name, "name": name, "hl7": profile}
            (tmp_path / f"partners/{whole['partner']}.json").write_text(json.dumps(whole))
        findings = lint_pack(Pack.read(tmp_path))
        return [(one.severity, one.code, Path(one.file).name, one.pointer) for one in findings]

    return found


def test_the_profile_in_the_readme_has_no_findings(lint: Lint) -> None:
    """What is copied from there works."""
    page = (ROOT / "connectors/hl7/README.md").read_text().partition("## Feed profiles")[2].partition("\n## ")[0]
    (shown,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.S)]

    assert lint(shown) == []


@pytest.mark.parametrize(
    ("part", "code", "pointer"),
    [
        ({"facilty": "EAST"}, "unknown-key", "/hl7/facilty"),
        ({"fields": {"quantity": "RQD.3"}}, "bad-key", "/hl7/fields/quantity"),
        ({"keep": [{"field": "PID-18"}]}, "missing-key", "/hl7/keep/0"),
        ({"keep": [{"field": "PID-18", "reason": "because"}]}, "bad-key", "/hl7/keep/0/reason"),
        ({"keep": [{"field": "PID-18", "reason": REASON, "by": "me"}]}, "unknown-key", "/hl7/keep/0/by"),
        ({"fields": {"quantity": "ZRQ-3"}}, "bad-partner", "/hl7/fields/quantity"),
        ({"fields": {"account": "PID-18.1"}}, "bad-partner", "/hl7/fields/account"),
        ({"fields": {"location": "PV1-19"}}, "bad-partner", "/hl7/fields/location"),
    ],
)
def test_a_mistake_in_a_profile_is_a_finding_where_it_stands(
    lint: Lint, part: dict[str, Any], code: str, pointer: str
) -> None:
    """Unknown and missing keys, places that are none, reasons that are none, fields that are withheld."""
    assert ("error", code, "east.json", pointer) in lint(part)


def test_a_field_that_is_withheld_may_be_named_once_it_is_kept(lint: Lint) -> None:
    """Segment or field; places of a stay are never withheld."""
    kept = [{"field": "ZRQ", "reason": REASON}, {"field": "PV1-19", "reason": REASON}]

    assert lint({"fields": {"quantity": "ZRQ-3", "department": "PV1-19", "location": "PV1-3"}, "keep": kept}) == []


def test_a_name_that_no_mapping_asks_for_is_a_warning(lint: Lint) -> None:
    """It would be passed over in silence."""
    assert lint({"fields": {"quantty": "RQD-3", "unit": "RQD-4"}}) == [
        ("warning", "unknown-name", "east.json", "/hl7/fields/quantty")
    ]


def test_a_mapping_that_does_not_exist_is_a_finding(lint: Lint) -> None:
    """As with any partner."""
    mappings = {"in": {"OMS": "ward_requests"}}

    assert lint({"partner": "east", "name": "East", "hl7": {"facility": "EAST"}, "mappings": mappings}) == [
        ("error", "unknown-mapping", "east.json", "/mappings/in/OMS")
    ]


def test_two_profiles_of_one_sender_are_a_finding(lint: Lint) -> None:
    """Its messages could not be read under either."""
    assert lint({"facility": "MERCY"}, {"facility": "MERCY", "fields": {"quantity": "RQD-3"}}) == [
        ("error", "claimed-twice", "west.json", "/hl7")
    ]


def test_two_profiles_that_fit_one_sender_equally_well_are_doubted(lint: Lint) -> None:
    """One names MSH-3, the other MSH-4: a message of that application from that facility would be refused."""
    assert lint({"application": "STOCK"}, {"facility": "MERCY"}) == [
        ("warning", "overlapping", "west.json", "/hl7")
    ]


def test_a_third_profile_that_names_both_settles_whose_messages_they_are(lint: Lint) -> None:
    """The most exact profile is taken."""
    assert (
        lint({"application": "STOCK"}, {"facility": "MERCY"}, {"application": "STOCK", "facility": "MERCY"}) == []
    )


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"application": "WARDS"},
        {"application": "STOCK", "facility": "SOUTH"},
        {"application": "WARDS", "facility": "MERCY"},
    ],
)
def test_profiles_of_different_exactness_or_senders_do_not_overlap(lint: Lint, other: dict[str, Any]) -> None:
    assert lint({"application": "STOCK"}, other) == []


def test_what_differs_in_an_environment_is_held_against_the_same_rules(lint: Lint) -> None:
    """And told where it stands in the file."""
    profile = {
        "partner": "east", "name": "East", "hl7": {"facility": "EAST"},
        "environments": {"test": {"hl7": {"facility": "WEST", "fields": {"quantty": "ZRQ-3"}}}},
    }  # fmt: skip

    assert lint(profile, {"facility": "WEST"}, environment="test") == [
        ("error", "bad-partner", "east.json", "/environments/test/hl7/fields/quantty"),
        ("warning", "unknown-name", "east.json", "/environments/test/hl7/fields/quantty"),
        ("error", "claimed-twice", "west.json", "/hl7"),
    ]
