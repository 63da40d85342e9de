"""Schedules and events: what is due starts once, through restarts and through changes of the clock on the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.engine.client import Client
from runtime.intake.batching import Batcher
from runtime.intake.clock import Clock, due_times
from runtime.model.cron import Cron
from runtime.model.flow import Flow
from runtime.model.run import EventRow, NewRun, Run
from tests.runtime.console.house import until
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
BERLIN = "Europe/Berlin"
BACK, FORWARD = (2026, 10, 25), (2027, 3, 28)
SEEN = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "data": "=$"}}
ORDERED = flow("ordered", SEEN, trigger={"type": "event", "event": "purchase_order.issued"})


def scheduled(cron: str, misfire: str = "latest", zone: str = "UTC", **more: Any) -> dict[str, Any]:
    return flow(
        "nightly", SEEN, trigger={"type": "schedule", "cron": cron, "zone": zone, "misfire": misfire}, **more
    )


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type, misc]


def due(cron: str, misfire: str, last: datetime, now: datetime, zone: str = "UTC") -> list[datetime]:
    return due_times(Flow.model_validate(scheduled(cron, misfire, zone)), last, now)


def on_the_day(cron: str, day: tuple[int, int, int]) -> list[str]:
    """Due times of a day in Berlin, as instants."""
    midnight = at(*day) - timedelta(hours=4)
    found = due(cron, "all", midnight, midnight + timedelta(hours=25), BERLIN)
    return [f"{one:%H:%M}" for one in found if one.day == day[2]]


class TestDueTimes:
    """Five weekdays of a daily schedule, missed or not."""

    LAST, NOW = at(2026, 11, 20, 6), at(2026, 11, 24, 6, 0, 30)

    def test_all_wants_each_one_that_was_missed_oldest_first(self) -> None:
        assert due("0 6 * * *", "all", self.LAST, self.NOW) == [at(2026, 11, day, 6) for day in (21, 22, 23, 24)]

    def test_latest_wants_one_for_all_that_were_missed(self) -> None:
        assert due("0 6 * * *", "latest", self.LAST, self.NOW) == [at(2026, 11, 24, 6)]
        assert due("0 6 * * *", "latest", self.LAST, at(2026, 11, 23, 5)) == [at(2026, 11, 22, 6)]

    def test_skip_wants_only_what_is_due_this_minute(self) -> None:
        assert due("0 6 * * *", "skip", self.LAST, self.NOW) == [at(2026, 11, 24, 6)]
        assert due("0 6 * * *", "skip", self.LAST, at(2026, 11, 24, 6, 2)) == []

    @pytest.mark.parametrize("misfire", ["all", "latest", "skip"])
    def test_what_is_not_due_yet_or_was_started_is_not_wanted(self, misfire: str) -> None:
        assert due("0 6 * * *", misfire, self.LAST, at(2026, 11, 21, 5, 59, 59)) == []
        assert due("0 6 * * *", misfire, at(2026, 11, 21, 6), at(2026, 11, 21, 6)) == []

    def test_a_minutely_schedule_that_was_down_for_weeks_is_up_to_date_at_once(self) -> None:
        """Looking for the latest must not stop half way, and must not take minutes."""
        weeks_ago = self.NOW - timedelta(days=40)

        assert due("* * * * *", "latest", weeks_ago, self.NOW) == [at(2026, 11, 24, 6)]
        assert due("* * * * *", "skip", weeks_ago, self.NOW) == [at(2026, 11, 24, 6)]

    def test_all_goes_on_where_it_stopped_until_none_is_left(self) -> None:
        last, now, found = self.NOW - timedelta(days=2), self.NOW, []
        while some := due("* * * * *", "all", last, now):
            found += some
            last = some[-1]

        assert len(found) == 2 * 24 * 60
        assert found == sorted(set(found))

    def test_a_schedule_of_long_ago_is_found(self) -> None:
        assert due("0 0 29 2 *", "latest", at(2021, 1, 1), at(2026, 11, 24)) == [at(2024, 2, 29)]


class TestSummerTime:
    """Berlin: 2026-10-25 has the hour from 02:00 twice, 2027-03-28 has none."""

    def test_a_daily_schedule_runs_once_on_the_day_with_an_hour_twice(self) -> None:
        assert on_the_day("30 2 * * *", BACK) == ["00:30"]
        assert on_the_day("0 3 * * *", BACK) == ["02:00"]

    def test_a_daily_schedule_runs_once_on_the_day_without_its_hour(self) -> None:
        """As much later as the clock was put forward: at 03:30."""
        assert on_the_day("30 2 * * *", FORWARD) == ["01:30"]
        assert on_the_day("0 3 * * *", FORWARD) == ["01:00"]

    @pytest.mark.parametrize("day", [BACK, FORWARD])
    def test_an_hourly_schedule_runs_every_hour_whatever_the_clock_says(self, day: tuple[int, int, int]) -> None:
        assert on_the_day("0 * * * *", day)[:6] == ["00:00", "01:00", "02:00", "03:00", "04:00", "05:00"]

    def test_quarters_of_given_hours_come_in_order_and_once(self) -> None:
        first = ["00:00", "00:15", "00:30", "00:45"]
        assert on_the_day("*/15 2-3 * * *", BACK) == [*first, "02:00", "02:15", "02:30", "02:45"]
        assert on_the_day("*/15 2-3 * * *", FORWARD) == ["01:00", "01:15", "01:30", "01:45"]

    @pytest.mark.parametrize("cron", ["30 2 * * *", "*/15 1-3 * * *", "7 * * * *", "* * * * *"])
    @pytest.mark.parametrize("day", [BACK, FORWARD])
    def test_asking_minute_by_minute_finds_the_same_as_asking_once(
        self, cron: str, day: tuple[int, int, int]
    ) -> None:
        """What is found does not depend on when the clock happened to look, nor on a restart in between."""
        start = at(*day) - timedelta(hours=4)
        once = due(cron, "all", start, start + timedelta(hours=10), BERLIN)

        last, found = start, []
        for minute in range(10 * 60 + 1):
            some = due(cron, "all", last, start + timedelta(minutes=minute), BERLIN)
            found += some
            last = some[-1] if some else last

        assert found == once


class TestDaysOfTheWeek:
    """As crontab counts them: from Sunday."""

    @pytest.mark.parametrize(
        ("days", "expected"),
        [
            ("1-5", "Mon Tue Wed Thu Fri"), ("mon-fri", "Mon Tue Wed Thu Fri"), ("5-7", "Fri Sat Sun"),
            ("0", "Sun"), ("7", "Sun"), ("1,3", "Mon Wed"), ("*", "Mon Tue Wed Thu Fri Sat Sun"),
            ("*/2", "Tue Thu Sat Sun"), ("0-6/3", "Wed Sat Sun"), ("2/2", "Tue Thu Sat"),
        ],
    )  # fmt: skip
    def test_numbers_and_names(self, days: str, expected: str) -> None:
        found = Cron(f"0 6 * * {days}").between(at(2026, 11, 23), at(2026, 11, 30), 100)

        assert " ".join(f"{one:%a}" for one in found) == expected

    @pytest.mark.parametrize(
        "cron", ["0 6 * * 8", "0 6 * * 5-3", "0 6 * * */0", "0 6 * *", "", "0 6 * * * *", "0 6 * * x"]
    )
    def test_what_is_no_schedule_is_refused(self, cron: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            Cron(cron)


# the clock itself


def mercy(shop: Workshop) -> Client:
    return shop.services.clients["mercy"]


def tick(shop: Workshop) -> list[Run]:
    """One look at the clock; all runs there are."""
    shop.services.clock.tick(mercy(shop))
    shop.drain()
    return list(shop.store.runs(limit=100).rows)


def dues(shop: Workshop, runs: list[Run]) -> list[str]:
    return sorted(shop.story(run.id).body["due"] for run in runs)


def test_a_due_time_starts_one_run_that_knows_it_in_its_own_zone(workshop: Open) -> None:
    shop = workshop(scheduled("30 9 * * *", zone=BERLIN))
    assert tick(shop) == [], "nothing of the past"

    shop.pass_time(minutes=30)
    tick(shop)
    found = tick(shop)

    assert dues(shop, found) == ["2026-11-24T09:30:00+01:00"]
    assert found[0].source == "schedule"


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [
        ("all", ["2026-11-24T09:00:00+00:00", "2026-11-25T09:00:00+00:00", "2026-11-26T09:00:00+00:00"]),
        ("latest", ["2026-11-24T09:00:00+00:00", "2026-11-26T09:00:00+00:00"]),
        ("skip", ["2026-11-24T09:00:00+00:00"]),
    ],
)
def test_what_was_missed_while_down_starts_as_the_misfire_policy_says(
    workshop: Open, misfire: str, expected: list[str]
) -> None:
    shop = workshop(scheduled("0 9 * * *", misfire))
    tick(shop)
    shop.pass_time(hours=1)
    tick(shop)

    shop.pass_time(days=2, hours=3)
    shop.again()

    assert dues(shop, tick(shop)) == expected
    shop.pass_time(hours=21)
    assert len(tick(shop)) == len(expected) + 1, "and goes on from there"


def test_a_restart_over_the_very_first_due_time_does_not_lose_it(workshop: Open) -> None:
    shop = workshop(scheduled("0 9 * * *"))
    tick(shop)

    shop.pass_time(hours=1, minutes=10)
    shop.again()

    assert dues(shop, tick(shop)) == ["2026-11-24T09:00:00+00:00"]


def test_two_clocks_start_one_run(workshop: Open) -> None:
    """The tick is a row: whoever comes second finds it there."""
    shop = workshop(scheduled("0 9 * * *"))
    tick(shop)
    shop.pass_time(hours=1)
    release = mercy(shop).current("nightly")
    client = mercy(shop)
    when = due_times(release.flow, at(2026, 11, 24, 8), shop.now)[0]

    shop.services.clock._tick(client, release.flow, when)
    shop.services.clock._tick(client, release.flow, when)

    assert len(shop.store.runs().rows) == 1


def test_over_the_hour_that_comes_twice_a_nightly_flow_runs_once_and_goes_on_the_next_night(workshop: Open) -> None:
    shop = workshop(scheduled("30 2 * * *", "all", zone=BERLIN))
    shop.now = at(2026, 10, 24, 20)
    shop.again()
    for _ in range(36 * 4):
        shop.pass_time(minutes=15)
        found = tick(shop)

    assert dues(shop, found) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_a_flow_whose_identity_was_used_before_becomes_an_exception_and_stops_no_other_flow(workshop: Open) -> None:
    stuck = scheduled("0 * * * *", identity="=flow") | {"flow": "a_stuck"}
    shop = workshop(stuck, scheduled("0 * * * *"))
    tick(shop)

    for _ in range(2):
        shop.pass_time(hours=1)
        found = tick(shop)

    assert sorted(run.flow for run in found) == ["a_stuck", "nightly", "nightly"]
    assert [row.kind for row in shop.store.exceptions().rows] == ["identity_conflict"]


# events


def events(shop: Workshop) -> list[Run]:
    shop.services.clock.events(mercy(shop))
    shop.drain()
    return list(shop.store.runs(flow="ordered", limit=100).rows)


def issue(shop: Workshop, number: str) -> None:
    shop.store.publish(EventRow("purchase_order.issued", number, {"number": number}))


def test_an_event_starts_its_flow_once_with_what_the_event_carries(workshop: Open) -> None:
    shop = workshop(ORDERED)
    issue(shop, "4500000001")
    shop.store.publish(EventRow("something.else", "x", {}))

    events(shop)
    found = events(shop)

    assert [shop.story(run.id).body for run in found] == [{"number": "4500000001"}]
    assert shop.story(found[0].id).headers["event_key"] == "4500000001"


def test_after_a_restart_an_event_starts_nothing_again_and_none_is_missed(workshop: Open) -> None:
    shop = workshop(ORDERED)
    issue(shop, "4500000001")
    events(shop)
    issue(shop, "4500000002")

    shop.again()
    issue(shop, "4500000003")
    found = events(shop)
    shop.again()
    again = events(shop)

    numbers = sorted(shop.story(run.id).body["number"] for run in found)
    assert numbers == ["4500000001", "4500000002", "4500000003"]
    assert [run.id for run in again] == [run.id for run in found]


def test_an_event_published_by_a_flow_starts_the_other_flow(workshop: Open) -> None:
    issuing = flow(
        "issuing", {"id": "out", "type": "publish",
                    "parameters": {"event": "purchase_order.issued", "key": "=n", "data": "=$"}}
    )  # fmt: skip
    shop = workshop(issuing, ORDERED)
    shop.run("issuing", {"n": "4500000001"})

    assert [shop.story(run.id).body for run in events(shop)] == [{"n": "4500000001"}]


def test_an_event_that_the_flow_does_not_accept_is_an_exception_and_the_next_event_starts_it(
    workshop: Open,
) -> None:
    accepting = ORDERED | {"trigger": {**ORDERED["trigger"], "accepts": "canonical/functional_acknowledgement"}}
    shop = workshop(accepting)
    issue(shop, "4500000001")
    good = {
        "schema": "functional_acknowledgement/1", "partner": "acme", "group_control_number": "1",
        "functional_identifier": "PO", "code": "A", "acknowledgement_key": "acme/1", "sets": [],
    }  # fmt: skip
    shop.store.publish(EventRow("purchase_order.issued", "2", good))

    found = events(shop)

    assert len(found) == 1
    assert [row.kind for row in shop.store.exceptions().rows] == ["invalid_document"]


class TestWhatIsBad:
    """One bad thing costs nobody else anything, and is not tried for ever."""

    POISON = ({"n": 2**60}, {"\ud800": 1}, [2**60])

    @pytest.mark.parametrize("data", POISON, ids=repr)
    def test_an_event_without_a_canonical_form_is_an_exception_and_the_next_one_starts_its_flow(
        self, workshop: Open, data: Any
    ) -> None:
        shop = workshop(ORDERED)
        shop.store.publish(EventRow("purchase_order.issued", "bad", data))
        issue(shop, "4500000001")

        found = events(shop)
        shop.again()
        again = events(shop)

        assert [shop.story(run.id).body for run in found] == [{"number": "4500000001"}]
        assert [run.id for run in again] == [run.id for run in found]
        [told] = shop.store.exceptions().rows
        assert (told.kind, told.flow, told.owner) == ("invalid_document", "ordered", "procurement")
        assert "canonical" in told.message

    def test_a_mistake_in_keeping_one_is_an_exception_and_the_position_moves_on(self, workshop: Open) -> None:
        shop = workshop(ORDERED)
        kept: list[NewRun | None] = []

        def keep(new: NewRun | None) -> None:
            kept.append(new)
            if new is not None:
                raise ZeroDivisionError("a value")

        shop.services.clock._begin(
            mercy(shop), mercy(shop).current("ordered").flow, {}, keep, source="event", identity="event 1"
        )

        assert kept[1:] == [None]
        [told] = shop.store.exceptions().rows
        assert (told.kind, told.details) == ("unreadable", {"begun": "event 1"})
        assert "ZeroDivisionError" in told.message
        assert "a value" not in told.message

    def test_a_flow_that_cannot_be_looked_at_stops_no_other_flow_and_not_the_clock(self, workshop: Open) -> None:
        """A zone that left the machine's database, a cursor that was changed by hand."""
        bad = scheduled("0 * * * *") | {"flow": "a_bad"}
        shop = workshop(bad, scheduled("0 * * * *"), ORDERED)
        shop.store.put_cursor("schedule:a_bad", "not a time")
        tick(shop)
        shop.pass_time(hours=1)
        issue(shop, "1")
        rung: list[str] = []

        def ring(run: str, lane: str = "") -> None:
            rung.append(run)

        batcher = Batcher(ring, lambda: shop.now)
        clock = Clock(shop.services.clients, ring, lambda: shop.now, batcher, pause=0.01)

        clock.start()
        until(lambda: len(rung) == 2, "the other schedule and the event")
        clock.stop()

        assert clock.alive
        assert sorted(shop.store.run(run).flow for run in rung) == ["nightly", "ordered"]
