"""Each check is reject, warn or ignore, by partner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sdk import Misconfigured
from connectors.sdk.edi import Policy, policy
from connectors.x12.codec import examine, faults, read
from connectors.x12.connector import ReadOutput, ReadParameters, ReadX12
from connectors.x12.fault import STANDARD
from tests.connectors.x12.made import interchange
from tests.connectors.x12.samples import ACME, sample
from tests.harness import MemoryContext

UNBALANCED = interchange("850|BEG*00*NE*PO-1**20261120~PO1*1*5*EA~CTT*2~")


def severities(raw: bytes, policy: Policy) -> dict[str, str]:
    return {one.code: one.severity for one in faults(read(raw), policy=policy)}


def test_a_verdict_goes_before_the_severity_a_check_has() -> None:
    assert severities(UNBALANCED, Policy()) == {"line_count_unbalanced": "reject"}
    assert severities(UNBALANCED, Policy({"line_count_unbalanced": "warn"})) == {"line_count_unbalanced": "warn"}
    assert severities(UNBALANCED, Policy({"line_count_unbalanced": "ignore"})) == {}


def test_strict_makes_warnings_rejections_and_leaves_out_what_is_ignored() -> None:
    raw = UNBALANCED.replace(b"*MERCYHOSP      *", b"*MERCYHOSP*")

    assert severities(raw, Policy({"line_count_unbalanced": "ignore"}, strict=True)) == {
        "interchange_header_length": "reject"
    }


def test_a_header_that_is_not_106_characters_long_is_warned_of_or_rejected_under_strict() -> None:
    raw = sample("850.edi").replace(b"*MERCYHOSP      *", b"*MERCYHOSP*")

    assert examine(read(raw))[0].is_good
    assert not examine(read(raw), strict=True)[0].is_good


def test_a_code_that_no_check_has_is_refused_with_those_that_are() -> None:
    with pytest.raises(Misconfigured, match="line_count_unbalancd") as refused:
        policy({"line_count_unbalancd": "warn"}, STANDARD)

    assert "did you mean line_count_unbalanced?" in refused.value.next_action
    assert "set_segment_count" in refused.value.next_action


def run(checks: dict[str, Any], raw: bytes = UNBALANCED) -> ReadOutput:
    partner = ACME | {"x12": ACME["x12"] | {"checks": checks}}  # type: ignore[operator]
    context = MemoryContext(partners={"acme": partner}, clock=lambda: datetime(2026, 11, 20, tzinfo=UTC))
    return ReadX12().run(ReadParameters(content=raw.decode()), context)


def test_the_profile_of_the_sender_decides_what_is_accepted() -> None:
    assert [one.accepted for one in run({}).sets] == [False]
    assert [one.accepted for one in run({"line_count_unbalanced": "warn"}).sets] == [True]
    assert run({"line_count_unbalanced": "ignore"}).sets[0].faults == []


def test_the_partners_own_rules_are_checks_like_others() -> None:
    elsewhere = UNBALANCED.replace(b"*MERCYHOSP      *", b"*SOMEONEELSE    *")

    assert not run({}, elsewhere).accepted
    assert run({"receiver_mismatch": "warn"}, elsewhere).accepted


def test_what_tells_test_from_production_is_never_let_through() -> None:
    with pytest.raises(Misconfigured, match="never let through") as refused:
        run({"usage_mismatch": "warn"})

    assert refused.value.field == "x12.checks.usage_mismatch"


def test_a_profile_with_an_unknown_code_is_refused_by_field() -> None:
    with pytest.raises(Misconfigured, match="no check has") as refused:
        run({"nonsense": "warn"})

    assert refused.value.field == "x12.checks.nonsense"
    assert "partners/acme.json" in refused.value.next_action
