"""Redrive with another release, cancel with undo, pause, step aside; and why a run does not go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connectors.sdk import Misconfigured
from runtime.governance.peers import connection_states
from runtime.governance.undoing import undo_plan
from runtime.governance.waiting import waits_for
from runtime.model.run import RunState
from runtime.store.store import NotFound, Refused
from tests.runtime.engine.test_effects import BODY, END, ORDER
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]
PAUSE = {"id": "pause", "type": "wait", "parameters": {"for": "1h"}}
RAISE = {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}
FIRST = {**ORDER, "id": "first", "keys": {}}
SECOND = {**ORDER, "id": "second", "keys": {}}
LAST = {**ORDER, "id": "last", "keys": {}, "undo": "none: the supplier takes nothing back"}


def ordering(workshop: Open, *nodes: dict[str, Any], **more: Any) -> Workshop:
    erp = {**ERP, **more}
    return workshop(flow("order", *nodes), connections={"erp": erp}, simulators={"erp": {"type": "erp"}})


def cancelled(shop: Workshop) -> list[str]:
    return [entry["number"] for entry in shop.simulator("erp").journal.entries("cancelled")]


def why(shop: Workshop, run: str) -> list[str]:
    return [each["text"] for each in waits_for(shop.services.clients["mercy"], shop.story(run))]


def said(shop: Workshop, subject: str) -> list[tuple[str, str, Any]]:
    return [(row["actor"], row["action"], row["details"]) for row in shop.store.audit_of(subject)]


# cancel with undo


def test_a_cancel_with_undo_takes_back_the_newest_first_and_says_who_wanted_it(workshop: Open) -> None:
    shop = ordering(workshop, FIRST, SECOND, LAST, PAUSE)
    run = shop.run("order", BODY)
    plan = undo_plan(shop.services.clients["mercy"], shop.story(run.id))
    assert [row["node"] for row in plan["undos"]] == ["second", "first"]
    assert [(row["node"], row["why"]) for row in plan["stays"]] == [("last", "the supplier takes nothing back")]

    shop.repair.cancel(run.id, "omar", "ordered by mistake", undo=True)
    assert "undone first" in why(shop, run.id)[0]
    shop.drain()

    ended = shop.store.run(run.id)
    assert (ended.state, ended.outcome, ended.finished_at is not None) == (RunState.CANCELLED, "cancelled", True)
    assert cancelled(shop) == ["4500000002", "4500000001"]
    assert said(shop, run.id) == [("omar", "run.cancelled", {"why": "ordered by mistake", "undo": True})]
    assert shop.story(run.id).timers[0].state == "cancelled"
    shop.pass_time(hours=2)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.CANCELLED


def test_an_undo_that_fails_is_told_to_a_person_and_goes_on_when_redriven(workshop: Open) -> None:
    shop = ordering(workshop, FIRST, SECOND, PAUSE)
    erp = shop.simulator("erp")
    run = shop.run("order", BODY)
    lost = erp._orders.pop("4500000002")
    shop.repair.cancel(run.id, "omar", "mistake", undo=True)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.EXCEPTION
    assert [row.kind for row in shop.story(run.id).exceptions if row.state == "open"] == ["undo_failed"]
    assert cancelled(shop) == [], "nothing older is undone before it"

    erp._orders["4500000002"] = lost
    shop.repair.redrive(run.id, "omar", "the ERP has it again")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.CANCELLED
    assert cancelled(shop) == ["4500000002", "4500000001"]


def test_an_undo_waits_for_a_peer_that_is_out_however_long_and_uses_up_no_tries(workshop: Open) -> None:
    shop = ordering(workshop, {**FIRST, "undo": {**FIRST["undo"], "effect": "once"}}, PAUSE)
    run = shop.run("order", BODY)
    shop.simulator("erp").go_down()
    shop.repair.cancel(run.id, "omar", "mistake", undo=True)
    for _ in range(50):
        shop.drain()
        shop.pass_time(minutes=15)
    assert shop.store.run(run.id).state is RunState.WAITING

    shop.simulator("erp").come_up()
    shop.pass_time(minutes=10)
    shop.drain()

    assert (shop.store.run(run.id).state, cancelled(shop)) == (RunState.CANCELLED, ["4500000001"])


def test_an_undo_is_held_by_a_paused_connection_and_nothing_is_thought_to_be_sent(workshop: Open) -> None:
    shop = ordering(workshop, {**FIRST, "undo": {**FIRST["undo"], "effect": "once"}}, PAUSE)
    run = shop.run("order", BODY)
    shop.repair.pause("erp", "lena", "year-end closing")
    shop.repair.cancel(run.id, "omar", "mistake", undo=True)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.HELD

    shop.repair.resume("erp", "lena")
    shop.drain()

    assert (shop.store.run(run.id).state, cancelled(shop)) == (RunState.CANCELLED, ["4500000001"])


def test_what_nobody_knows_of_is_not_undone(workshop: Open) -> None:
    shop = ordering(workshop, {**ORDER, "look_up": "none: nobody to ask"}, END)
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)

    with pytest.raises(Refused, match="nobody knows whether its node 'order' happened"):
        shop.repair.cancel(run.id, "omar", "mistake", undo=True)
    assert "settle" in undo_plan(shop.services.clients["mercy"], shop.story(run.id))["refused"]

    assert shop.store.run(run.id).state is RunState.UNCERTAIN


def test_a_run_that_is_over_or_is_being_undone_is_not_cancelled_and_no_reason_is_no_cancel(workshop: Open) -> None:
    shop = ordering(workshop, FIRST, PAUSE)
    run = shop.run("order", BODY)
    with pytest.raises(Refused, match="reason"):
        shop.repair.cancel(run.id, "omar", "  ")
    shop.repair.cancel(run.id, "omar", "mistake", undo=True)
    with pytest.raises(Refused, match="is being undone"):
        shop.repair.cancel(run.id, "omar", "mistake")
    shop.drain()

    with pytest.raises(Refused, match="it is over"):
        shop.repair.cancel(run.id, "omar", "mistake")
    with pytest.raises(NotFound):
        shop.repair.cancel("nosuchrun", "omar", "mistake")


# redrive with the current release


def test_a_redrive_with_the_current_release_runs_the_mended_node_and_nothing_twice(workshop: Open) -> None:
    shop = ordering(workshop, ORDER, RAISE)
    run = shop.run("order", BODY)
    shop._write("flows/order/flow.json", flow("order", ORDER, END))
    shop.again()

    shop.repair.redrive(run.id, "omar", "the flow is mended")
    shop.drain()
    assert shop.store.run(run.id).state is RunState.EXCEPTION, "with the release that it began with"
    shop.repair.redrive(run.id, "omar", "the flow is mended", "current")
    shop.drain()

    ended = shop.store.run(run.id)
    assert (ended.state, ended.reply) == (RunState.DONE, {"status": 200, "body": "4500000001"})
    assert ended.release != run.release
    details = said(shop, run.id)[0][2]
    assert (details["release"], details["from"], details["to"]) == ("current", run.release, ended.release)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (
            {**ORDER, "effect": "idempotent"},
            "was soap.call with effect once and is soap.call with effect idempotent",
        ),
        ({**ORDER, "id": "place_order"}, "has no node 'order' any more"),
        ({"id": "order", "type": "map", "parameters": {"mapping": "m"}, "into": "erp"}, "is map now"),
    ],
)
def test_a_node_that_is_done_and_is_another_one_now_refuses_the_current_release(
    workshop: Open, now: dict[str, Any], told: str
) -> None:
    shop = ordering(workshop, ORDER, RAISE)
    run = shop.run("order", BODY)
    shop._write("mappings/m/mapping.jsonata", "{}")
    shop._write("flows/order/flow.json", flow("order", now, {"id": "told", "type": "respond", "parameters": {}}))
    shop.again()

    with pytest.raises(Refused, match=told):
        shop.repair.redrive(run.id, "omar", "", "current")

    assert shop.store.run(run.id).state is RunState.EXCEPTION


# redrive of a group


READ = {
    "id": "read", "type": "masterdata.resolve", "parameters": {"kind": "item", "codes": "=lines.item"},
    "into": "items",
}  # fmt: skip
ODD = {"when": "=items[0].unit != 'BX'", "nodes": [RAISE]}
CHECK = {"id": "check", "type": "route", "cases": [ODD]}


def reading(workshop: Open, redrive: str, *behind: dict[str, Any]) -> Workshop:
    both = {"id": "both", "type": "group", "redrive": redrive, "nodes": [READ, CHECK]}
    return workshop(
        flow("order", ORDER, both, *behind), connections={"erp": ERP}, simulators={"erp": {"type": "erp"}},
        masterdata={"item": "code,unit\nI,EA\n"},
    )  # fmt: skip


def corrected(shop: Workshop) -> None:
    shop._write("masterdata/item.csv", "code,unit\nI,BX\n")
    shop.again()


LINES = {**BODY, "lines": [{"item": "I"}]}


@pytest.mark.parametrize(
    ("redrive", "ended"), [("whole", RunState.WAITING), ("failed", RunState.EXCEPTION)], ids=["whole", "failed"]
)
def test_a_group_that_is_redriven_whole_reads_again_what_was_corrected_and_orders_nothing_again(
    workshop: Open, redrive: str, ended: RunState
) -> None:
    shop = reading(workshop, redrive, PAUSE)
    run = shop.run("order", LINES)
    assert run.state is RunState.EXCEPTION
    ordered = shop.outcome(run.id, "order")
    corrected(shop)

    shop.repair.redrive(run.id, "omar", "the unit is right now")
    shop.drain()

    assert shop.store.run(run.id).state is ended
    assert shop.outcome(run.id, "order") == ordered
    assert shop.simulator("erp").journal.entries("purchase_order") == []


def test_a_group_that_is_over_is_not_read_again_where_something_behind_it_fails(workshop: Open) -> None:
    shop = reading(workshop, "whole", {**RAISE, "id": "later"})
    corrected(shop)
    run = shop.run("order", LINES)
    before = shop.outcome(run.id, "read")

    shop.repair.redrive(run.id, "omar", "once more")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.EXCEPTION
    assert shop.outcome(run.id, "read") == before


def test_control_characters_of_a_stranger_are_shown_in_what_a_run_says(workshop: Open) -> None:
    told = {**RAISE, "parameters": {"kind": "odd", "message": "='from ' & Who"}}
    shop = workshop(flow("order", told))

    run = shop.run("order", {"Who": "\x1b[2J\x00ACME\x07"})

    [found] = shop.story(run.id).exceptions
    assert found.message == "from \u241b[2J\u2400ACME\u2407"
    assert run.why == f"boom: {found.message}"


def test_what_an_exception_says_is_to_be_done_stands_with_it(workshop: Open) -> None:
    advice = {
        **RAISE,
        "parameters": {**RAISE["parameters"], "details": {"line": 1}, "next_action": "='ask ' & Who"},
    }  # type: ignore[dict-item]
    shop = workshop(flow("order", advice))

    run = shop.run("order", {"Who": "Anna"})

    [found] = shop.story(run.id).exceptions
    assert found.details == {"next_action": "ask Anna", "line": 1}


# pause


def test_a_pause_with_an_end_is_over_by_itself_and_goes_on_in_order(workshop: Open) -> None:
    shop = ordering(workshop, ORDER, END)
    shop.repair.pause("erp", "omar", "the ERP is moved")
    held = [shop.take("order", {**BODY, "n": f"REQ-{n}"}) for n in range(3)]
    shop.drain()
    assert [shop.store.run(run).state for run in held] == [RunState.HELD] * 3

    shop.repair.pause("erp", "omar", "the ERP is moved", shop.now + timedelta(hours=2))
    assert connection_states(shop.services.clients["mercy"])["erp"]["holds"] == 3
    assert why(shop, held[0]) == [
        "connection erp is paused by omar since 2026-11-24 08:00:00 UTC, until 2026-11-24 10:00:00 UTC:"
        " the ERP is moved"
    ]
    shop.pass_time(hours=1, minutes=59)
    shop.drain()
    assert shop.simulator("erp").journal.entries("purchase_order") == []
    shop.pass_time(minutes=2)
    shop.drain()

    made = [entry["requisition_number"] for entry in shop.simulator("erp").journal.entries("purchase_order")]
    assert made == ["REQ-0", "REQ-1", "REQ-2"]
    assert connection_states(shop.services.clients["mercy"])["erp"]["state"] == "working"
    assert [(by, what) for by, what, _ in said(shop, "erp")] == [
        ("orderly", "connection.resumed"), ("omar", "connection.paused"), ("omar", "connection.paused"),
    ]  # fmt: skip


def test_a_pause_with_an_end_is_resumed_before_it_and_the_audit_counts_what_goes_on(workshop: Open) -> None:
    shop = ordering(workshop, ORDER, END)
    shop.repair.pause("erp", "omar", "the ERP is moved", shop.now + timedelta(hours=2))
    for n in range(2):
        shop.take("order", {**BODY, "n": f"REQ-{n}"})
    shop.drain()

    released = shop.repair.resume("erp", "lena", "done early")
    shop.drain()

    assert released == 2
    assert len(shop.simulator("erp").journal.entries("purchase_order")) == 2
    assert said(shop, "erp")[0] == ("lena", "connection.resumed", {"why": "done early", "runs": 2})


def test_a_pause_is_not_lost_to_a_breaker_that_has_not_heard_of_it(workshop: Open) -> None:
    """Another process counts an answer of the peer a moment after somebody paused it."""
    shop = ordering(workshop, ORDER, END)
    gate = shop.services.clients["mercy"].gate
    before = gate.state("erp")
    shop.repair.pause("erp", "omar", "closing")

    shop.store.put_connection_state(before)

    assert shop.store.connection_states()["erp"].paused
    assert shop.run("order", BODY).state is RunState.HELD


def test_a_pause_that_makes_no_sense_is_refused(workshop: Open) -> None:
    door = {"type": "webhook_hmac", "settings": {"secret": "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="}}
    shop = workshop(
        flow("order", ORDER, END), connections={"erp": ERP, "door": door}, simulators={"erp": {"type": "erp"}}
    )

    with pytest.raises(Refused, match="say a later time"):
        shop.repair.pause("erp", "omar", "closing", shop.now)
    with pytest.raises(Refused, match="lets senders in"):
        shop.repair.pause("door", "omar", "closing")
    with pytest.raises(Misconfigured, match="no connection 'epr'"):
        shop.repair.pause("epr", "omar", "closing")

    assert shop.store.connection_states() == {}


def test_a_peer_that_is_out_says_when_it_is_tried_next_and_can_be_tried_at_once(workshop: Open) -> None:
    shop = ordering(workshop, ORDER, END, limits={"breaker": {"failures": 1, "first": "1h", "longest": "1h"}})
    shop.simulator("erp").go_down()
    run = shop.run("order", BODY)
    state = connection_states(shop.services.clients["mercy"])["erp"]
    assert (state["state"], state["holds"], state["until"]) == ("out", 1, "2026-11-24T09:00:00+00:00")

    shop.simulator("erp").come_up()
    shop.repair.resume("erp", "omar", "it is back")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE


# order


def sequence(workshop: Open) -> tuple[Workshop, list[str]]:
    bad = {"id": "bad", "type": "route", "cases": [{"when": "=$exists(bad)", "nodes": [RAISE]}]}
    seen = {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=n"}}
    shop = workshop(flow("changes", bad, seen, order_by="=order"), flow("free", seen))
    runs = [shop.take("changes", {"n": n, "order": "A", **({"bad": 1} if n == "a1" else {})}) for n in ("a1", "a2")]
    shop.drain()
    return shop, runs


def test_a_person_lets_others_pass_and_the_reason_is_kept(workshop: Open) -> None:
    shop, (poisoned, behind) = sequence(workshop)
    assert why(shop, behind) == [f"stands behind run {poisoned} of the same key A, which is exception"]

    following = shop.repair.step_aside(poisoned, "omar", "the supplier mends it tomorrow")
    shop.drain()

    assert following == behind
    assert shop.store.run(behind).state is RunState.DONE
    assert said(shop, poisoned) == [("omar", "run.passed", {"why": "the supplier mends it tomorrow"})]


def test_only_whoever_stands_in_the_way_can_step_aside(workshop: Open) -> None:
    shop, (poisoned, behind) = sequence(workshop)
    free = shop.run("free", {"n": "f"}).id

    with pytest.raises(Refused, match="stands in line itself"):
        shop.repair.step_aside(behind, "omar", "in a hurry")
    with pytest.raises(Refused, match="over"):
        shop.repair.step_aside(free, "omar", "in a hurry")
    with pytest.raises(Refused, match="may pass"):
        shop.repair.step_aside(poisoned, "omar", "")
    with pytest.raises(Refused, match="stands in line"):
        shop.repair.redrive(behind, "omar", "in a hurry")

    assert shop.store.run(behind).state is RunState.HELD


# why it waits


def test_a_run_whose_worker_was_killed_says_when_another_goes_on(workshop: Open) -> None:
    shop = workshop(flow("rests", PAUSE))
    run = shop.take("rests", BODY)
    assert why(shop, run) == ["waits for a free worker of lane normal"]
    assert shop.services.store.acquire(run, "killed", 30.0) is not None

    assert why(shop, run) == [
        "a worker has it in hand; should that one be gone, another goes on after 2026-11-24 08:00:30 UTC"
    ]
    shop.pass_time(seconds=31)
    assert why(shop, run) == ["its worker is gone since 2026-11-24 08:00:30 UTC; the next free one goes on"]


def test_a_run_says_what_it_waits_for(workshop: Open) -> None:
    policy = {"policy": "p", "rules": [], "otherwise": {"approvers": [{"role": "manager", "needs": 2}]}}
    ask = {"id": "ask", "type": "approve", "parameters": {"policy": "p", "requester": "='anna'"}, "on": {"rejected": [
        {"id": "no", "type": "end", "parameters": {"outcome": "no"}}]}}  # fmt: skip
    event = {"id": "answer", "type": "wait", "parameters": {"event": "answered", "key": "=n", "within": "2h"}}
    call = {"id": "call", "type": "call_flow", "parameters": {"flow": "answer", "wait": True}}
    shop = workshop(
        flow("asks", ask), flow("answer", event), flow("calls", call), flow("rests", PAUSE), flow("fails", RAISE),
        flow("order", ORDER), policies={"p": policy}, connections={"erp": ERP}, simulators={"erp": {"type": "erp"}},
    )  # fmt: skip
    shop.simulator("erp").go_down()
    runs = {name: shop.run(name, {**BODY, "n": "N-1"}).id for name in ("asks", "calls", "rests", "fails", "order")}
    (child,) = shop.story(runs["calls"]).children

    assert why(shop, runs["asks"]) == ["ask waits for 2 of role manager: p"]
    assert why(shop, child.id) == ["answer waits for answered N-1, until 2026-11-24 10:00:00 UTC"]
    assert why(shop, runs["calls"]) == [f"call waits for run {child.id} of answer, which is waiting"]
    assert why(shop, runs["rests"]) == ["pause waits until 2026-11-24 09:00:00 UTC"]
    assert why(shop, runs["fails"]) == ["stands still until somebody puts it right"]
    assert why(shop, runs["order"])[0].startswith(
        "order is tried again at 2026-11-24 08:00:02 UTC; attempt 1 failed"
    )
