"""The clock on the wall jumps, forward and back by hours, while everything that waits for a time is pending."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.model.run import RunState
from runtime.services import Services, Settings
from tests.faults.outside import ORDER, Outside, set_connection, write_pack
from tests.faults.test_races import take
from tests.runtime.console.house import until
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
HOURS = 3
SEEN = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "data": "=$"}}
HOURLY = ["09:00", "10:00", "11:00", "12:00", "13:00"]


def hourly(misfire: str) -> dict[str, Any]:
    trigger = {"type": "schedule", "cron": "0 * * * *", "zone": "UTC", "misfire": misfire}
    return flow("hourly", SEEN, trigger=trigger)


def ticks(shop: Workshop) -> list[str]:
    """One look at the clock; the hours that were started until now."""
    shop.services.clock.tick(shop.services.clients["mercy"])
    shop.drain()
    return sorted(shop.story(run.id).body["due"][11:16] for run in shop.store.runs(limit=100).rows)


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [("all", HOURLY), ("latest", ["09:00", "12:00", "13:00"]), ("skip", ["09:00", "13:00"])],
)
def test_a_clock_that_jumps_forward_starts_what_the_misfire_policy_wants_once(
    workshop: Open, misfire: str, expected: list[str]
) -> None:
    """Due times that a jump forward leaps over are started as the misfire policy says, each once."""
    shop = workshop(hourly(misfire))
    ticks(shop)
    shop.pass_time(hours=1)
    ticks(shop)

    shop.pass_time(hours=HOURS, minutes=10)
    ticks(shop)
    shop.again()
    ticks(shop)
    shop.pass_time(minutes=50)

    assert ticks(shop) == expected


@pytest.mark.parametrize("misfire", ["all", "latest", "skip"])
@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_jumps_back_starts_no_due_time_again_and_misses_none(
    workshop: Open, misfire: str, restart: bool
) -> None:
    """After a jump back no due time is started a second time when it comes round again, also over a restart, and the
    next one that is new is not missed."""
    shop = workshop(hourly(misfire))
    ticks(shop)
    for _ in range(4):
        shop.pass_time(hours=1)
        ticks(shop)

    shop.pass_time(hours=-HOURS)
    if restart:
        shop.again()
    for _ in range(HOURS):
        assert ticks(shop) == HOURLY[:4]
        shop.pass_time(hours=1)
    assert ticks(shop) == HOURLY[:4]
    shop.pass_time(hours=1)

    assert ticks(shop) == HOURLY


@pytest.mark.parametrize("back", [False, True])
def test_a_wait_and_a_retry_that_are_pending_end_once_the_clock_has_come_to_their_time(
    workshop: Open, back: bool
) -> None:
    """A wait ends, and its run goes on once, whether the clock jumps over its time or away from it: then it ends when
    the clock has come there."""
    waiting = flow("waiting", {"id": "pause", "type": "wait", "parameters": {"for": "30m"}}, SEEN)
    shop = workshop(waiting)
    run = shop.take("waiting", {"n": 1})
    shop.drain()

    shop.pass_time(hours=-HOURS if back else HOURS)
    shop.drain()
    if back:
        assert shop.store.run(run).state is RunState.WAITING
        shop.pass_time(hours=HOURS, minutes=31)
        shop.drain()

    assert shop.store.run(run).state is RunState.DONE
    assert [event.key for event in shop.story(run).events if event.type == "seen"] == [""]


# leases, with everything going on on threads


class Wall:
    """A clock that goes on by itself, and can be put forward and back."""

    def __init__(self) -> None:
        self.off = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off

    def jump(self, hours: int) -> None:
        self.off += timedelta(hours=hours)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def services(tmp_path: Path, outside: Outside, wall: Wall) -> Iterator[Services]:
    pack = write_pack(tmp_path / "pack", outside, ORDER)
    set_connection(pack, "erp", {"timeout": "2m"})
    with ExitStack() as closing:
        made = Services(Settings(tmp_path / "data", (pack,), port=0, clock=wall, lease_seconds=3.0))
        closing.callback(made.stop)
        made.start()
        yield made


@pytest.mark.parametrize("hours", [HOURS, -HOURS])
def test_orders_that_are_under_way_while_the_clock_jumps_are_made_once(
    services: Services, outside: Outside, wall: Wall, hours: int
) -> None:
    """A jump makes no lease run out in a way that doubles an effect: orders under way are finished and made once,
    and what comes after the jump goes on as before it."""
    outside.erp.slow("CreatePurchaseOrder", 120)
    before = [take(services, outside, f"REQ-{number}") for number in range(4)]
    outside.orders.wait("purchase_order", 4)

    wall.jump(hours)
    after = [take(services, outside, "REQ-AFTER")]
    outside.orders.wait("purchase_order", 5)
    outside.erp.release()
    store = services.clients["mercy"].store
    until(lambda: {store.run(run).state for run in before + after} == {RunState.DONE}, "all to be done", 60)

    assert outside.ordered() == ["REQ-0", "REQ-1", "REQ-2", "REQ-3", "REQ-AFTER"]
    assert len(set(outside.references())) == 5


@pytest.mark.parametrize("hours", [HOURS, -HOURS])
@pytest.mark.parametrize("restart", [False, True])
def test_a_run_that_is_ready_when_the_clock_jumps_goes_on_at_once(
    workshop: Open, hours: int, restart: bool
) -> None:
    """What was accepted before a jump goes on after it at once, when it is rung and after a restart: being ready is
    no matter of time."""
    shop = workshop(flow("plain", SEEN))
    run = shop.take("plain", {"n": 1})

    shop.pass_time(hours=hours)
    if restart:
        shop.again()
        shop.drain()
    else:
        shop.services.engine.advance(run)

    assert shop.store.run(run).state is RunState.DONE
