"""When a batch goes: times of working days on the wall clock of a place, and the first limit that is reached."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.model.batching import Batching, BatchRules, Collection
from runtime.model.calendar import Calendar, next_time

BERLIN = "Europe/Berlin"


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type, misc]


BAVARIA = Calendar.model_validate({"holidays": ["2026-12-25", "2026-12-24"]})


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (at(2026, 11, 24, 8), at(2026, 11, 24, 10)),
        (at(2026, 11, 24, 10), at(2026, 11, 24, 10)),
        (at(2026, 11, 24, 10, 0, 1), at(2026, 11, 24, 15)),
        (at(2026, 11, 24, 15, 0, 1), at(2026, 11, 25, 10)),
        (at(2026, 11, 27, 16), at(2026, 11, 30, 10)),
        (at(2026, 12, 23, 16), at(2026, 12, 28, 10)),
        (at(2026, 10, 24, 12), at(2026, 10, 26, 10)),
        (at(2026, 7, 1, 8), at(2026, 7, 1, 9)),
    ],
    ids=["morning", "on the minute", "afternoon", "next day", "weekend", "holidays", "clock put back", "summer"],
)  # fmt: skip
def test_the_next_cut_off_is_on_a_working_day_by_the_clock_on_the_wall(since: datetime, expected: datetime) -> None:
    assert next_time(["11:00", "16:00"], BERLIN, BAVARIA, since) == expected


def test_without_a_calendar_every_day_has_its_cut_offs() -> None:
    assert next_time(["11:00"], BERLIN, None, at(2026, 11, 28, 11)) == at(2026, 11, 29, 10)


def test_a_year_without_a_working_day_has_none() -> None:
    days = [f"2026-{month:02d}-{day:02d}" for month in (11, 12) for day in range(1, 31)]
    closed = Calendar.model_validate({"closed": ["mon", "tue", "wed", "thu", "fri", "sat"], "holidays": days})

    assert next_time(["11:00"], "UTC", closed, at(2026, 11, 24)) == at(2027, 1, 3, 11)
    assert next_time([], "UTC", None, at(2026, 11, 24)) is None


OLDEST = at(2026, 11, 24, 8)


@pytest.mark.parametrize(
    ("held", "now", "expected"),
    [
        ({}, at(2026, 11, 24, 9, 59, 59), None),
        ({}, at(2026, 11, 24, 10), "cut_off"),
        ({"count": 3}, OLDEST, "count"),
        ({"bytes": 1000}, OLDEST, "bytes"),
        ({"urgent": 1}, OLDEST, "urgent"),
        ({"count": 0, "restored": 5}, at(2026, 11, 25), None),
    ],
)
def test_the_first_limit_that_is_reached_sends_it(
    held: dict[str, Any], now: datetime, expected: str | None
) -> None:
    rules = Batching.model_validate({"count": 3, "bytes": 1000, "cut_off": ["11:00"], "zone": BERLIN})
    of = {"flow": "f", "partner": "acme", "count": 2, "bytes": 999, "urgent": 0, "oldest": OLDEST, **held}
    collected = Collection(**of)
    batch = BatchRules(rules)

    assert batch.why_now(collected, batch.due_at(collected), now) == expected


def test_no_document_waits_longer_than_within_whatever_the_calendar_says() -> None:
    rules = Batching.model_validate({"cut_off": ["07:00"], "within": "4h"})
    of, batch = Collection("f", "acme", 1, 10, 0, OLDEST), BatchRules(rules)

    due = batch.due_at(of)

    assert due == at(2026, 11, 24, 12)
    assert batch.why_now(of, due, at(2026, 11, 24, 12)) == "within"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"count": 5}, "for ever"),
        ({"cut_off": ["25:00"]}, "pattern"),
        ({"within": "4h", "calendar": "bavaria"}, "cut_off too"),
        ({"cut_off": ["11:00"], "zone": "Europe/Munich"}, "Europe/Munich"),
        ({"count": 5000, "within": "4h"}, "1000"),
    ],
)
def test_rules_that_cannot_work_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Batching.model_validate(given)
