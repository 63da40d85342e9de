"""A peer that is out, paused, in maintenance or asked enough: runs wait, keep their attempts, and say why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from runtime.engine.gate import Asker
from runtime.model.run import ConnectionState, RunState
from runtime.model.sought import Said
from tests.runtime.engine.test_effects import BODY, END, ORDER
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]


def shop_with(workshop: Open, **limits: Any) -> Workshop:
    return workshop(
        flow("order", ORDER, END),
        connections={"erp": {**ERP, "limits": limits}},
        simulators={"erp": {"type": "erp"}},
    )


def orders(shop: Workshop) -> list[str]:
    return [entry["requisition_number"] for entry in shop.simulator("erp").journal.entries("purchase_order")]


def numbered(count: int) -> list[dict[str, str]]:
    return [{**BODY, "n": f"REQ-{n}"} for n in range(1, count + 1)]


def test_an_outage_uses_up_no_attempts_however_long_it_lasts(workshop: Open) -> None:
    """The order has three attempts; the ERP is out for a day, and is asked ever more seldom."""
    shop = shop_with(workshop)
    shop.simulator("erp").go_down()
    run = shop.run("order", BODY)
    for _ in range(24 * 4):
        shop.pass_time(minutes=15)
        shop.drain()
    waiting = shop.store.run(run.id)
    assert waiting.state is RunState.WAITING

    shop.simulator("erp").come_up()
    shop.pass_time(minutes=5)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert orders(shop) == ["REQ-1"]


def test_whatever_changes_of_a_connection_is_in_the_log_with_the_reason(workshop: Open) -> None:
    shop = shop_with(workshop, breaker={"failures": 1, "first": "1m", "longest": "1m"})
    gate = shop.services.clients["mercy"].gate

    with structlog.testing.capture_logs() as lines:
        shop.simulator("erp").go_down()
        shop.take("order", BODY)
        shop.drain()
        shop.simulator("erp").come_up()
        shop.pass_time(minutes=1)
        shop.drain()
        gate.pause("erp", Said("omar"))
        gate.resume("erp", Said("omar"))
        gate.pause("erp", Said("omar", "a new disk"))
        gate.resume("erp", Said("omar", "it is in"))

    assert [line["why"] for line in lines if line["event"] == "connection.changed"] == [
        "it does not answer, 1 times in a row", "it answers again", "paused by omar", "omar resumed it", "a new disk",
        "it is in",
    ]  # fmt: skip


def test_who_waits_because_of_limits_says_how_many_calls_there_may_be(workshop: Open) -> None:
    shop = shop_with(workshop, per_minute=1)
    runs = [shop.take("order", body) for body in numbered(2)]

    shop.drain()

    told = " ".join(shop.store.run(run).why for run in runs)
    assert "connection erp was called 1 of 1 times within the last minute; the run goes on in its turn" in told
    assert "and asks again at 08:01:00 UTC" in told


def test_while_the_breaker_is_open_nobody_asks_and_one_probe_closes_it_for_all(workshop: Open) -> None:
    shop = shop_with(workshop, breaker={"failures": 1, "first": "1m", "longest": "1m"})
    shop.simulator("erp").go_down()
    for body in numbered(20):
        shop.take("order", body)
    shop.drain()
    attempts = [row for run in shop.store.runs(limit=50).rows for row in shop.story(run.id).attempts]
    assert len(attempts) == 1, "one outage opens it; the other nineteen wait without asking"
    assert all("does not answer" in run.why or "refused" in run.why for run in shop.store.runs().rows)

    shop.simulator("erp").come_up()
    shop.pass_time(seconds=61)
    for _ in range(3):
        shop.drain()
        shop.pass_time(seconds=1)

    assert sorted(orders(shop)) == sorted(body["n"] for body in numbered(20))


def test_an_open_breaker_is_known_to_the_next_process(workshop: Open) -> None:
    shop = shop_with(workshop, breaker={"failures": 1, "first": "1h", "longest": "1h"})
    shop.simulator("erp").go_down()
    shop.run("order", BODY)
    shop.again()

    run = shop.run("order", {**BODY, "n": "REQ-2"})

    assert "does not answer" in run.why
    assert shop.story(run.id).attempts == []


def test_a_pause_by_hand_holds_the_work_and_resume_releases_it_in_order(workshop: Open) -> None:
    shop = shop_with(workshop)
    gate = shop.services.clients["mercy"].gate
    gate.pause("erp", Said("omar", "year-end closing"))
    for body in numbered(5):
        shop.take("order", body)
    shop.drain()
    runs = shop.store.runs().rows
    assert {run.state for run in runs} == {RunState.HELD}
    assert all("erp is paused: year-end closing" in run.why for run in runs)
    shop.pass_time(days=3)
    shop.drain()
    assert orders(shop) == []

    gate.resume("erp", Said("omar"))
    shop.drain()

    assert orders(shop) == [body["n"] for body in numbered(5)]


def test_refused_credentials_pause_the_connection_and_ask_a_person(workshop: Open) -> None:
    wrong = {
        **ERP,
        "settings": {**ERP["settings"], "auth": {"type": "basic", "user": "orderly", "password": "old"}},
    }
    shop = workshop(flow("order", ORDER, END), connections={"erp": wrong}, simulators={"erp": {"type": "erp"}})

    first = shop.run("order", BODY)
    second = shop.run("order", {**BODY, "n": "REQ-2"})

    assert first.state is RunState.HELD
    assert second.state is RunState.HELD
    assert shop.story(second.id).attempts == [], "the second one does not even knock"
    row = shop.store.exceptions().rows[-1]
    assert (row.kind, row.owner, row.field) == ("credentials_refused", "operations", "erp")

    shop._write("connections/erp.json", ERP)
    shop.again()
    shop.services.clients["mercy"].gate.resume("erp", Said("omar"))
    shop.drain()

    assert sorted(orders(shop)) == ["REQ-1", "REQ-2"]


def test_no_more_calls_a_minute_than_allowed(workshop: Open) -> None:
    shop = shop_with(workshop, per_minute=2)
    for body in numbered(5):
        shop.take("order", body)

    shop.drain()
    assert orders(shop) == ["REQ-1", "REQ-2"]
    shop.pass_time(seconds=60)
    shop.drain()
    assert orders(shop) == ["REQ-1", "REQ-2", "REQ-3", "REQ-4"]
    shop.pass_time(seconds=60)
    shop.drain()

    assert len(orders(shop)) == 5


def test_in_a_maintenance_window_the_peer_is_left_alone(workshop: Open) -> None:
    """It is eight in the morning; the window began at seven and lasts two hours."""
    shop = shop_with(workshop, maintenance=[{"cron": "0 7 * * *", "for": "2h"}])

    run = shop.run("order", BODY)
    assert run.state is RunState.WAITING
    assert "maintenance" in run.why
    shop.pass_time(minutes=59)
    shop.drain()
    assert orders(shop) == []
    shop.pass_time(minutes=2)
    shop.drain()

    assert orders(shop) == ["REQ-1"]


SEQUENCE = flow(
    "changes",
    {"id": "bad", "type": "route", "cases": [{"when": "=bad", "nodes": [
        {"id": "stop", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}]}]},
    {"id": "pause", "type": "wait", "parameters": {"for": "1m"}},
    {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=n"}},
    order_by="=order",
)  # fmt: skip


def seen(shop: Workshop) -> list[str]:
    return [event.key for event in shop.store.events_after(0, ["seen"])]


def test_runs_of_one_key_go_one_after_the_other_and_other_keys_do_not_wait(workshop: Open) -> None:
    shop = workshop(SEQUENCE)
    for n, order in (("a1", "A"), ("a2", "A"), ("b1", "B"), ("a3", "A")):
        shop.take("changes", {"n": n, "order": order, "bad": False})
    shop.drain()

    steps = []
    for _ in range(3):
        shop.pass_time(minutes=1)
        shop.drain()
        steps.append(seen(shop))

    assert steps == [["a1", "b1"], ["a1", "b1", "a2"], ["a1", "b1", "a2", "a3"]]


def test_a_run_that_stands_still_parks_its_key_until_it_is_over_or_a_person_passes_it(workshop: Open) -> None:
    shop = workshop(SEQUENCE)
    poisoned = shop.take("changes", {"n": "a1", "order": "A", "bad": True})
    behind = shop.take("changes", {"n": "a2", "order": "A", "bad": False})
    last = shop.take("changes", {"n": "a3", "order": "A", "bad": False})
    shop.drain()
    assert shop.store.run(poisoned).state is RunState.EXCEPTION
    assert shop.store.run(behind).state is RunState.HELD
    assert poisoned in shop.store.run(behind).why

    assert list(shop.store.step_aside(poisoned)) == [behind]
    shop.drain()
    shop.pass_time(minutes=1)
    shop.drain()
    assert seen(shop) == ["a2"]
    shop.pass_time(minutes=1)
    shop.drain()

    assert seen(shop) == ["a2", "a3"]
    assert shop.store.run(last).state is RunState.DONE


def test_cancelling_the_run_in_front_lets_the_next_one_go(workshop: Open) -> None:
    shop = workshop(SEQUENCE)
    poisoned = shop.take("changes", {"n": "a1", "order": "A", "bad": True})
    shop.take("changes", {"n": "a2", "order": "A", "bad": False})
    shop.drain()

    shop.repair.cancel(poisoned, "omar", "withdrawn")
    shop.drain()
    shop.pass_time(minutes=1)
    shop.drain()

    assert seen(shop) == ["a2"]


def test_a_run_that_hears_of_a_pause_after_it_was_ended_is_not_held(workshop: Open) -> None:
    """As when the pause was ended elsewhere while this process still knew of it."""
    shop = shop_with(workshop)
    gate = shop.services.clients["mercy"].gate
    gate.pause("erp", Said("omar.said", "invoices first"))
    shop.store.put_connection_state(ConnectionState("erp"), Said("anna.berg", "go on"))

    run = shop.run("order", BODY)

    assert (run.state, run.held_by) == (RunState.DONE, "")
    assert orders(shop) == ["REQ-1"]


def test_a_run_that_hears_of_a_pause_with_an_end_after_it_was_ended_early_does_not_wait_for_that_end(
    workshop: Open,
) -> None:
    shop = shop_with(workshop)
    gate = shop.services.clients["mercy"].gate
    gate.pause("erp", Said("omar.said", "invoices first"), shop.now + timedelta(hours=3))
    shop.store.put_connection_state(ConnectionState("erp"), Said("anna.berg", "go on"))

    run = shop.run("order", BODY)

    assert (run.state, run.held_by) == (RunState.DONE, "")
    assert orders(shop) == ["REQ-1"]


def test_a_run_that_hears_of_an_outage_after_it_is_over_does_not_wait(workshop: Open) -> None:
    """As when another process asked the peer, and it answered."""
    shop = shop_with(workshop)
    gate = shop.services.clients["mercy"].gate
    out = ConnectionState("erp", failures=3, open_for=300.0, open_until=shop.now + timedelta(minutes=5))
    shop.store.put_connection_state(out)
    gate.refresh()
    shop.store.put_connection_state(ConnectionState("erp"))

    assert shop.run("order", BODY).state is RunState.DONE


def test_a_minute_that_began_before_a_restart_goes_on_after_it(workshop: Open) -> None:
    shop = shop_with(workshop, per_minute=2)
    for body in numbered(3):
        shop.take("order", body)
    shop.drain()
    assert orders(shop) == ["REQ-1", "REQ-2"]
    shop.again()

    shop.pass_time(seconds=30)
    shop.drain()
    assert orders(shop) == []
    shop.pass_time(seconds=31)
    shop.drain()

    assert orders(shop) == ["REQ-3"]


def test_a_place_that_could_not_be_given_back_is_given_back_before_the_next_one_asks(workshop: Open) -> None:
    """The disk is busy just when the only place becomes free."""
    shop = shop_with(workshop, at_once=1)
    gate, leases = shop.services.clients["mercy"].gate, shop.services.engine.leases
    first, second = (Asker(shop.store.run(shop.take("order", body)), leases, 30.0) for body in numbered(2))
    with closing(sqlite3.connect(shop.settings.data / "orderly.db", isolation_level=None)) as other:
        with gate.through("erp", "order", first):
            other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")

    with gate.through("erp", "order", second):
        pass


# a connection that an expression names

PUT = {
    "id": "put", "type": "file.deliver", "connection": "=to", "effect": "idempotent",
    "parameters": {"path": "a.txt", "content": "=text"},
}  # fmt: skip


def folders(workshop: Open, tmp_path: Path, node: dict[str, Any]) -> Workshop:
    made = {name: {"type": "file", "settings": {"root": str(tmp_path / name)}} for name in ("one", "two")}
    for name in made:
        (tmp_path / name).mkdir()
    return workshop(flow("put", node), connections={**made, "erp": ERP}, simulators={"erp": {"type": "erp"}})


def test_a_node_goes_through_the_connection_that_its_expression_names(workshop: Open, tmp_path: Path) -> None:
    shop = folders(workshop, tmp_path, PUT)

    for name in ("one", "two"):
        assert shop.run("put", {"to": name, "text": name}).state is RunState.DONE

    assert [(tmp_path / name / "a.txt").read_text() for name in ("one", "two")] == ["one", "two"]


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (None, "=to names no connection, it gave null"), ({"name": "one"}, "names no connection"),
        ("three", "has no connection 'three'"), ("erp", "is of type soap, the node needs file"),
    ],
)  # fmt: skip
def test_an_expression_that_names_no_fitting_connection_is_a_dead_letter(
    workshop: Open, tmp_path: Path, to: Any, why: str
) -> None:
    shop = folders(workshop, tmp_path, PUT)

    run = shop.run("put", {"to": to, "text": "x"})

    assert run.state is RunState.DEAD
    assert why in run.why


def test_a_paused_connection_holds_only_what_goes_through_it(workshop: Open, tmp_path: Path) -> None:
    shop = folders(workshop, tmp_path, PUT)
    shop.repair.pause("one", "omar", "moved")

    states = [shop.run("put", {"to": name, "text": name}).state for name in ("one", "two")]

    assert states == [RunState.HELD, RunState.DONE]
    shop.repair.resume("one", "omar")
    shop.drain()
    assert (tmp_path / "one" / "a.txt").read_text() == "one"


def test_an_undo_goes_where_the_effect_went(workshop: Open) -> None:
    node = {**ORDER, "connection": "=peer"}
    shop = workshop(
        flow("order", node, {"id": "pause", "type": "wait", "parameters": {"for": "1h"}}),
        connections={"erp": ERP}, simulators={"erp": {"type": "erp"}},
    )  # fmt: skip
    run = shop.run("order", {**BODY, "peer": "erp"})

    shop.repair.cancel(run.id, "omar", "mistake", undo=True)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.CANCELLED
    assert len(shop.simulator("erp").journal.entries("cancelled")) == 1


def test_a_look_up_goes_where_the_effect_went(workshop: Open) -> None:
    node = {**ORDER, "connection": "=peer"}
    shop = workshop(flow("order", node, END), connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", {**BODY, "peer": "erp"})
    assert run.state is RunState.UNCERTAIN

    shop.pass_time(seconds=10)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert len(orders(shop)) == 1
