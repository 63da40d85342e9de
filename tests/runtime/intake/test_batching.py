"""Documents are collected for their partner and go together, once, in the order in which they were published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.client import Client
from runtime.intake.batching import Batcher
from runtime.intake.clock import Clock
from runtime.model.pack import Pack
from runtime.model.run import EventRow
from runtime.model.sought import Said
from runtime.store.batches import Collected
from runtime.store.restore import Restored, hold
from runtime.store.retention import Retention
from runtime.store.store import NotFound
from tests.workshop import Workshop, flow

Open = Callable[..., Workshop]
SEEN = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "data": "=$"}}
OUTBOX = flow(
    "outbox", SEEN,
    trigger={
        "type": "event", "event": "order.ready", "batch": {"partner": "=partner", "urgent": "=urgency = 'urgent'"}
    },
    lane="=because = 'urgent' ? 'urgent' : 'normal'",
)  # fmt: skip
RULES = {"count": 3, "cut_off": ["11:00", "16:00"], "zone": "Europe/Berlin", "calendar": "bavaria"}


def partner(**batching: Any) -> dict[str, Any]:
    return {"acme": {"partner": "acme", "name": "Acme", **({"batching": batching} if batching else {})}}


@pytest.fixture
def shop(workshop: Open) -> Workshop:
    """Tuesday, 09:00 in Bavaria."""
    return workshop(OUTBOX, partners=partner(**RULES), calendars={"bavaria": {"holidays": ["2026-11-25"]}})


def publish(shop: Workshop, *numbers: int, **more: Any) -> None:
    for number in numbers:
        shop.store.publish(EventRow("order.ready", str(number), {"partner": "acme", "n": number, **more}))


def tick(shop: Workshop) -> None:
    shop.services.clock.events(shop.services.clients["mercy"])


def sent(shop: Workshop) -> list[tuple[str, list[int]]]:
    """Why, and what, oldest first; what was started has run."""
    shop.drain()
    runs = sorted(shop.store.runs(limit=500).rows, key=lambda run: run.id)
    bodies = [shop.story(run.id).body for run in runs]
    return [(body["because"], [item["n"] for item in body["items"]]) for body in bodies]


def test_what_is_collected_goes_at_the_cut_off_and_nothing_twice(shop: Workshop) -> None:
    publish(shop, 1, 2)
    tick(shop)
    assert sent(shop) == []
    shop.now = shop.now.replace(hour=9, minute=59, second=59)
    tick(shop)
    assert sent(shop) == []

    shop.now += timedelta(seconds=1)
    tick(shop)
    tick(shop)

    assert sent(shop) == [("cut_off", [1, 2])]
    assert shop.store.batches.collected() == []


def test_after_the_last_cut_off_it_waits_for_the_next_working_day(shop: Workshop) -> None:
    """Wednesday is a holiday."""
    shop.now = shop.now.replace(hour=15, minute=0, second=1)
    publish(shop, 1)
    tick(shop)
    shop.pass_time(days=1)
    tick(shop)
    assert sent(shop) == []

    shop.now = shop.now.replace(day=26, hour=10, minute=0)
    tick(shop)

    assert sent(shop) == [("cut_off", [1])]


def test_enough_documents_go_before_the_cut_off_and_the_rest_waits(shop: Workshop) -> None:
    publish(shop, 1, 2, 3, 4, 5, 6, 7)
    tick(shop)

    assert sent(shop) == [("count", [1, 2, 3]), ("count", [4, 5, 6])]
    (held,) = shop.store.batches.collected()
    assert (held.partner, held.count) == ("acme", 1)


def test_enough_bytes_go_and_no_batch_is_larger_than_one_document_needs(workshop: Open) -> None:
    shop = workshop(OUTBOX, partners=partner(bytes=200, within="4h"))
    publish(shop, 1, 2, text="x" * 90)
    publish(shop, 3, text="x" * 500)
    tick(shop)

    assert sent(shop) == [("bytes", [1]), ("bytes", [2]), ("bytes", [3])]


def test_what_is_urgent_goes_at_once_in_its_lane_and_leaves_the_others_waiting(shop: Workshop) -> None:
    publish(shop, 1)
    publish(shop, 2, urgency="urgent")
    tick(shop)

    assert sent(shop) == [("urgent", [2])]
    (run,) = shop.store.runs(limit=5).rows
    assert run.lane == "urgent"
    assert [one.event.data["n"] for one in shop.store.batches.waiting("outbox", "acme", 9, 10_000)] == [1]


@pytest.mark.parametrize("known", [True, False])
def test_a_partner_without_rules_gets_each_document_at_once_alone(workshop: Open, known: bool) -> None:
    shop = workshop(OUTBOX, partners=partner() if known else None)
    publish(shop, 1, 2)
    tick(shop)

    assert sent(shop) == [("alone", [1]), ("alone", [2])]


def test_partners_do_not_wait_for_each_other(workshop: Open) -> None:
    partners = {**partner(**{**RULES, "calendar": ""}), "other": {"partner": "other", "name": "Other"}}
    shop = workshop(OUTBOX, partners=partners)
    publish(shop, 1)
    shop.store.publish(EventRow("order.ready", "2", {"partner": "other", "n": 2}))
    tick(shop)

    assert sent(shop) == [("alone", [2])]


def test_two_clocks_and_a_restart_send_it_once(shop: Workshop) -> None:
    publish(shop, 1, 2)
    tick(shop)
    shop.again()
    shop.now = shop.now.replace(hour=10)

    def ring(run: str, lane: str = "") -> None:
        """Where the first one rings already."""

    batcher = Batcher(ring, lambda: shop.now)
    other = Clock(shop.services.clients, ring, lambda: shop.now, batcher)
    other.events(shop.services.clients["mercy"])
    tick(shop)

    assert sent(shop) == [("cut_off", [1, 2])]


def test_a_clock_that_stalls_over_what_it_read_collects_nothing_again(shop: Workshop) -> None:
    """Another one collects and sends it meanwhile, and more comes: the first one's position is no longer the
    subscription's."""
    client = shop.services.clients["mercy"]
    publish(shop, 1, 2)
    stalled = shop.store.events_after(0, ["order.ready"])
    tick(shop)
    shop.now = shop.now.replace(hour=10)
    tick(shop)
    publish(shop, 3)
    stalled = [*stalled, *shop.store.events_after(stalled[-1].position, ["order.ready"])]
    items = [Collected(event, "acme", 10, urgent=False) for event in stalled]

    assert not client.store.batches.collect("flow:outbox", "outbox", items, 0, stalled[-1].position)

    shop.now = shop.now.replace(hour=15)
    tick(shop)
    assert sent(shop) == [("cut_off", [1, 2]), ("cut_off", [3])]


ORDER = flow(
    "order",
    {
        "id": "ready", "type": "publish",
        "parameters": {"event": "order.ready", "key": "=$string(n)", "data": "=$"},
    },
    {"id": "sent", "type": "wait", "parameters": {"event": "order.sent", "key": "=$string(n)"}},
)  # fmt: skip


def numbers(shop: Workshop) -> list[int]:
    bodies = [shop.story(run.id).body for run in shop.store.runs(flow="outbox", limit=9).rows]
    return [item["n"] for body in bodies for item in body["items"]]


@pytest.mark.parametrize("collected", [True, False])
def test_an_order_that_was_cancelled_is_not_sent_whether_it_was_collected_by_then_or_not(
    workshop: Open, collected: bool
) -> None:
    shop = workshop(OUTBOX, ORDER, partners=partner(within="1h"))
    gone, stays = (shop.take("order", {"partner": "acme", "n": n}) for n in (1, 2))
    shop.drain()
    if collected:
        tick(shop)
    shop.repair.cancel(gone, "omar.said", "not wanted")
    tick(shop)
    shop.pass_time(hours=1)
    tick(shop)

    assert numbers(shop) == [2]
    assert shop.store.run(stays).state == "waiting"


def test_an_order_that_is_being_undone_is_not_sent_though_its_undo_takes_long(workshop: Open) -> None:
    shop = workshop(OUTBOX, ORDER, partners=partner(within="1h"))
    gone, _ = (shop.take("order", {"partner": "acme", "n": n}) for n in (1, 2))
    shop.drain()
    tick(shop)
    shop.repair.cancel(gone, "omar.said", "not wanted", undo=True)
    assert shop.store.run(gone).state == "ready"
    shop.pass_time(hours=1)
    tick(shop)

    assert numbers(shop) == [2]


def test_after_a_restore_nothing_that_was_collected_goes_until_its_run_is_released(workshop: Open) -> None:
    """One was collected before the backup, the other after the restore."""
    shop = workshop(OUTBOX, ORDER, partners=partner(within="1h"))
    first = shop.take("order", {"partner": "acme", "n": 1})
    shop.drain()
    tick(shop)
    second = shop.take("order", {"partner": "acme", "n": 2})
    shop.drain()
    hold(shop.services.store.backend("mercy"), backup="monday", distance=100, by="omar.said")
    shop.pass_time(hours=1)
    tick(shop)
    tick(shop)
    (of,) = shop.store.batches.collected()
    assert (numbers(shop), of.count, of.restored) == ([], 0, 2)

    Restored(shop.services.store.backend("mercy"), "mercy").release(first)
    tick(shop)
    assert numbers(shop) == [1]
    shop.store.let_go("restore")
    tick(shop)

    assert sorted(numbers(shop)) == [1, 2]
    assert shop.store.run(second).state in ("ready", "waiting")


def test_a_person_sends_also_what_a_restore_holds(workshop: Open) -> None:
    shop = workshop(OUTBOX, partners=partner(within="1h"))
    publish(shop, 1)
    tick(shop)
    hold(shop.services.store.backend("mercy"), backup="monday", distance=100, by="omar.said")

    shop.services.batcher.send_now(shop.services.clients["mercy"], "acme", Said("omar.said", "they never had it"))

    assert numbers(shop) == [1]


@pytest.mark.parametrize("wrong", [{"count": 5}, {**RULES, "calendar": "bavria"}])
def test_rules_that_cannot_be_used_keep_the_documents_and_are_told(workshop: Open, wrong: dict[str, Any]) -> None:
    shop = workshop(OUTBOX, partners=partner(**wrong), calendars={"bavaria": {}})
    publish(shop, 1)
    tick(shop)

    assert numbers(shop) == []
    (found,) = shop.store.exceptions().rows
    assert (found.kind, "acme.json: /batching" in found.message) == ("batch_not_started", True)

    (shop.pack / "partners" / "acme.json").write_text(json.dumps(partner()["acme"]))
    shop.again()
    tick(shop)

    assert numbers(shop) == [1]


def test_a_partner_whose_rules_are_wrong_keeps_no_other_waiting_and_is_told_as_going_once_it_goes(
    workshop: Open,
) -> None:
    partners = {**partner(count=5), "other": {"partner": "other", "name": "Other"}}
    shop = workshop(OUTBOX, partners=partners)
    publish(shop, 1)
    shop.store.publish(EventRow("order.ready", "2", {"partner": "other", "n": 2}))
    tick(shop)
    assert numbers(shop) == [2]

    shop.services.clients["mercy"].pack.partners._read.cache_clear()
    (shop.pack / "partners" / "acme.json").write_text(json.dumps(partner()["acme"]))
    shop.pass_time(minutes=2)
    tick(shop)

    assert sorted(numbers(shop)) == [1, 2]
    assert shop.store.exceptions().rows == []


def other_pack(shop: Workshop, folder: Path, **batching: Any) -> Client:
    """As another process sees the client that has not read the pack as this one has."""
    mine = shop.services.clients["mercy"]
    shutil.copytree(shop.pack, folder)
    (folder / "partners" / "acme.json").write_text(json.dumps(partner(**batching)["acme"]))
    return replace(mine, pack=Pack.read(folder))


def test_a_clock_that_cannot_start_what_another_one_just_started_tells_nobody(
    shop: Workshop, tmp_path: Path
) -> None:
    theirs = other_pack(shop, tmp_path / "theirs", count=5)
    publish(shop, 1, 2, 3)
    mine = shop.services.clients["mercy"]
    outbox = mine.registry.release("outbox").flow
    shop.services.batcher.collect(mine, outbox)

    def meanwhile() -> datetime:
        """Between what the other clock found out and what it tells."""
        shop.services.batcher.send(mine, outbox)
        return shop.now

    Batcher(shop.services.ring, meanwhile).send(theirs, outbox)

    assert numbers(shop) == [1, 2, 3]
    assert shop.store.exceptions().rows == []


def test_what_one_clock_could_not_start_and_another_one_does_is_told_as_going(
    shop: Workshop, tmp_path: Path
) -> None:
    theirs = other_pack(shop, tmp_path / "theirs", count=5)
    publish(shop, 1, 2, 3)
    mine = shop.services.clients["mercy"]
    outbox = mine.registry.release("outbox").flow
    shop.services.batcher.collect(mine, outbox)
    Batcher(shop.services.ring, lambda: shop.now).send(theirs, outbox)
    [found] = shop.store.exceptions().rows
    assert found.kind == "batch_not_started"

    shop.services.batcher.send(mine, outbox)

    assert numbers(shop) == [1, 2, 3]
    assert shop.store.exceptions().rows == []


def test_an_event_that_names_no_partner_is_an_exception_and_the_next_one_has_its_turn(shop: Workshop) -> None:
    shop.store.publish(EventRow("order.ready", "1", {"n": 1}))
    shop.store.publish(EventRow("order.ready", "1", {"n": 1, "partner": "../acme"}))
    publish(shop, 2, urgency="urgent")
    tick(shop)

    assert sent(shop) == [("urgent", [2])]
    found, other = shop.store.exceptions().rows
    assert (found.kind, found.field, found.flow) == ("invalid_document", "trigger.batch.partner", "outbox")
    assert "reprocess that run" in other.message


def test_a_batch_that_cannot_be_started_stays_whole_and_is_told_once(workshop: Open) -> None:
    shop = workshop({**OUTBOX, "identity": "=nothing"}, partners=partner(within="1h"))
    publish(shop, 1, 2)
    shop.pass_time(hours=1)
    tick(shop)
    shop.pass_time(minutes=2)
    tick(shop)

    shop.again()
    tick(shop)

    (found,) = shop.store.exceptions().rows
    assert (found.kind, found.owner) == ("batch_not_started", "procurement")
    assert [one.event.data["n"] for one in shop.store.batches.waiting("outbox", "acme", 9, 10_000)] == [1, 2]


def test_events_of_what_is_collected_outlive_their_run_and_the_time_they_are_kept(workshop: Open) -> None:
    """The run that published it is over, and retention has removed it."""
    shop = workshop(OUTBOX, flow("order", ORDER["nodes"][0]), partners=partner(within="1h"))
    shop.run("order", {"partner": "acme", "n": 1})
    tick(shop)
    (one,) = shop.store.batches.waiting("outbox", "acme", 9, 10_000)
    keeper = Retention(shop.services.store.backend("mercy"), "mercy")
    later = shop.now + timedelta(days=400)
    keeper.remove_runs([one.event.run])
    passed = {"order.ready": one.event.position}
    assert [p for batch in keeper.old_events(later, passed, 0) for p in batch] == []

    shop.pass_time(hours=1)
    tick(shop)

    assert numbers(shop) == [1]
    assert one.event.position in [p for batch in keeper.old_events(later, passed, 0) for p in batch]


def test_a_person_sends_what_is_collected_before_its_time_and_the_audit_has_it(shop: Workshop) -> None:
    publish(shop, 1, 2)
    tick(shop)

    runs = shop.services.batcher.send_now(
        shop.services.clients["mercy"], "acme", Said("omar.said", "the truck waits")
    )

    assert sent(shop) == [("asked", [1, 2])]
    assert [run.id for run in shop.store.runs(limit=5).rows] == runs
    (entry,) = [row for row in shop.store.audit_trail() if row["action"] == "batch.sent"]
    assert (entry["actor"], entry["subject"], entry["details"]) == (
        "omar.said", "outbox/acme", {"why": "the truck waits"},
    )  # fmt: skip
    with pytest.raises(NotFound, match="nothing is collected for partner 'acme'"):
        shop.services.batcher.send_now(shop.services.clients["mercy"], "acme", Said("omar.said"))
