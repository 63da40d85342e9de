"""partner.awaiting: by when a partner has to send what follows an order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.partner.connector import Awaiting, AwaitingParameters, connector
from connectors.sdk import Effect, Misconfigured
from tests.harness import MemoryContext

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def asked(awaiting: dict[str, Any], *promised: str) -> str:
    """How long a ship notice may take."""
    context = MemoryContext(partners={"acme": {"awaiting": awaiting}}, clock=lambda: NOW)
    parameters = AwaitingParameters.model_validate({"partner": "acme", "promised": list(promised)})
    return Awaiting().run(parameters, context).ship_notice


@pytest.mark.parametrize(
    ("after", "within"), [("0d", 16 * 3600), ("1d", 40 * 3600), ("6h", 22 * 3600), ("-12h", 4 * 3600)]
)
def test_a_date_begins_at_midnight_utc_and_the_profile_may_want_it_before_or_give_it_longer(
    after: str, within: int
) -> None:
    assert asked({"ship_notice_promised": after}, "2026-11-25") == f"{within * 1000}ms"


def test_the_first_date_that_was_promised_counts() -> None:
    assert asked({"ship_notice_promised": "0d"}, "2026-12-15", "2026-11-25") == f"{16 * 3600 * 1000}ms"


def test_a_date_that_has_passed_leaves_no_time() -> None:
    assert asked({"ship_notice_promised": "0d"}, "2026-11-20") == "0ms"


@pytest.mark.parametrize(
    ("after", "promised", "within"),
    [
        ("1d", "9999-12-31", 999_999 * 86_400_000),
        ("999999d", "9999-12-31", 999_999 * 86_400_000),
        ("-1d", "0001-01-01", 0),
        ("-999999d", "9999-12-31", 999_999 * 86_400_000),
    ],
)
def test_a_date_at_the_end_of_the_calendar_is_a_long_time_or_none(after: str, promised: str, within: int) -> None:
    assert asked({"ship_notice_promised": after}, promised) == f"{within}ms"


@pytest.mark.parametrize(
    "field", ["interchange", "functional", "business", "ship_notice", "ship_notice_promised", "invoice"]
)
def test_a_length_of_time_has_six_digits_at_most(field: str) -> None:
    assert asked({field: "999999d"}) in ("", "86399913600000ms")
    with pytest.raises(Misconfigured, match=rf"awaiting\.{field}"):
        asked({field: "9999999999d"})


@pytest.mark.parametrize(
    ("awaiting", "promised", "within"),
    [
        ({"ship_notice": "10d", "ship_notice_promised": "0d"}, (), "864000000ms"),
        ({"ship_notice": "10d"}, ("2026-11-25",), "864000000ms"),
        ({"ship_notice_promised": "0d"}, (), ""),
        ({}, ("2026-11-25",), ""),
    ],
    ids=["no date promised", "dates do not count", "no date and nothing else", "not awaited"],
)
def test_without_a_date_it_is_the_time_after_the_acknowledgement(
    awaiting: dict[str, str], promised: tuple[str, ...], within: str
) -> None:
    assert asked(awaiting, *promised) == within


def test_the_others_are_as_the_profile_has_them() -> None:
    context = MemoryContext(partners={"acme": {"awaiting": {"functional": "1h", "invoice": "30d"}}})

    told = Awaiting().run(AwaitingParameters(partner="acme"), context)

    assert told.model_dump() == {
        "interchange": "", "functional": "1h", "business": "2d", "ship_notice": "", "invoice": "30d",
    }  # fmt: skip


def test_of_a_partner_without_a_profile_nothing_is_awaited() -> None:
    told = Awaiting().run(AwaitingParameters(partner="by_mail"), MemoryContext(partners={}))

    assert set(told.model_dump().values()) == {""}


def test_a_single_date_and_none_are_lists_too() -> None:
    """JSONata hands over one element without its list, and nothing for an empty one."""
    one = AwaitingParameters.model_validate({"partner": "acme", "promised": "2026-11-25"})

    assert [f"{day:%F}" for day in one.promised] == ["2026-11-25"]
    assert AwaitingParameters.model_validate({"partner": "acme", "promised": None}).promised == []


def test_a_profile_or_a_date_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"awaiting\.invoice"):
        asked({"invoice": "soon"})
    with pytest.raises(ValidationError):
        asked({}, "2026-11-31")


def test_it_reads_only() -> None:
    assert connector.operation("awaiting").effect is Effect.NONE
