"""A partner is found by their interchange, and told apart from a profile that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from connectors.sdk import Misconfigured
from connectors.sdk.profile import invalid, part_of, whose


class Part(BaseModel):
    theirs: str
    ours: str
    test: bool = False


def part(name: str, partner: Mapping[str, Any]) -> Part:
    try:
        return Part.model_validate(part_of(name, partner, "x12", None))
    except ValidationError as error:
        raise invalid(name, error, "x12") from None


def sender(partners: dict[str, dict[str, Any]]) -> str | None:
    """Of a test interchange from A to U."""
    return whose(partners, "x12", part, lambda one: one.theirs == "A", lambda one: (one.ours != "U", not one.test))


def test_of_several_whose_it_may_be_the_one_that_fits_best_sent_it() -> None:
    """The receiver tells more than test or production; the first in order where both are alike."""
    partners = {
        "other": {"x12": {"theirs": "B", "ours": "U", "test": True}},
        "elsewhere": {"x12": {"theirs": "A", "ours": "V", "test": True}},
        "production": {"x12": {"theirs": "A", "ours": "U"}},
        "also": {"x12": {"theirs": "A", "ours": "U"}},
    }

    assert sender(partners) == "production"
    assert sender({**partners, "right": {"x12": {"theirs": "A", "ours": "U", "test": True}}}) == "right"
    assert sender({"other": partners["other"]}) is None


def test_a_profile_that_cannot_be_used_keeps_no_other_from_being_found() -> None:
    broken = {"x12": {"theirs": "A"}}

    assert sender({"broken": broken, "right": {"x12": {"theirs": "A", "ours": "U"}}}) == "right"
    with pytest.raises(Misconfigured) as refused:
        sender({"broken": broken, "without": {}})
    assert refused.value.field == "x12.ours"
    assert refused.value.next_action == "correct x12.ours in partners/broken.json"


def test_a_part_is_missed_only_where_a_pack_runs_in_an_environment() -> None:
    """Without one nobody has laid a part over the profile: its shape says what is wrong."""
    with pytest.raises(Misconfigured) as refused:
        part_of("acme", {}, "edifact", "test")

    assert refused.value.next_action == "add edifact, or environments.test.edifact, to partners/acme.json"
    assert part_of("acme", {}, "edifact", None) is None
