"""Corners where an order could be doubled, lost, forgotten, or a run could hang."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sdk import Arrival, ConnectorError, NotSent, OutcomeUnknown, Rejected
from runtime.engine.effects import Answer, reach
from runtime.engine.walk import Settings
from runtime.model.run import Checkpoint, OutcomeRow, OutcomeState, RunState
from runtime.store import tables
from runtime.store.statements import Statement
from tests.runtime.engine.test_effects import BODY, END, ORDER, ordering, orders
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]
ANSWER = {"id": "answer", "type": "respond", "parameters": {"body": "='thanks'"}}


def answering(shop: Workshop, answers: dict[str, Any]) -> list[str]:
    """Peers whose answer is given by node; returns the nodes asked, in order."""
    asked: list[str] = []

    def perform(_walk: Any, type: str, _connection: str | None, _given: Any, node: str, iteration: str) -> Answer:
        asked.append(f"{node}{iteration and '/' + iteration}:{type.partition('.')[0]}")
        answer = answers.get(f"{node}/{iteration}", answers.get(f"{type}:{node}", answers.get(node)))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, ConnectorError):
            raise answer
        return Answer("done", answer)

    engine = shop.services.engine
    engine.settings = Settings(engine.settings.lease, engine.settings.chance, perform)
    return asked


def inline(shop: Workshop, name: str, body: Any) -> tuple[str, Any]:
    """As a webhook that is answered with its result; the run and its reply."""
    client = shop.services.clients["mercy"]
    leases = shop.services.leases
    arrival = Arrival(json.dumps(body).encode(), "application/json")
    created = shop.services.intake(client).take(name, arrival, "webhook", owner=leases.owner, seconds=30)
    assert created.lease is not None
    return created.run, shop.services.engine.go_on(created.lease, until_reply=True).reply


def test_an_effect_after_the_reply_is_sent_by_the_next_worker_and_is_not_taken_for_a_crash(workshop: Open) -> None:
    shop = workshop(
        flow("order", ANSWER, ORDER), connections={"erp": ERP}, simulators={"erp": {"type": "erp"}}
    )  # fmt: skip

    run, reply = inline(shop, "order", BODY)
    assert reply == {"status": 200, "body": "thanks"}
    assert orders(shop) == 0, "the accepting thread is let go before the effect"
    shop.drain()

    assert shop.store.run(run).state is RunState.DONE
    assert orders(shop) == 1
    assert shop.simulator("erp").journal.entries("call", operation="FindByReference") == []


def test_the_accepting_thread_is_let_go_when_its_time_is_over(workshop: Open) -> None:
    shop = ordering(workshop)
    client, leases = shop.services.clients["mercy"], shop.services.leases
    arrival = Arrival(json.dumps(BODY).encode(), "application/json")
    created = shop.services.intake(client).take("order", arrival, "webhook", owner=leases.owner, seconds=30)
    assert created.lease is not None

    advanced = shop.services.engine.go_on(created.lease, until_reply=True, deadline=0.0)

    assert advanced.reply is None
    assert orders(shop) == 0
    shop.drain()
    assert orders(shop) == 1


def test_a_look_up_that_answers_nothing_did_not_find_it(workshop: Open) -> None:
    """``found`` reads the answer, also where that is null, and never the body of the run."""
    look_up = {**ORDER["look_up"], "found": "=$exists(n)"}
    shop = ordering(workshop, order={**ORDER, "look_up": look_up, "into": "erp", "keys": {}})
    asked = answering(shop, {"order": [OutcomeUnknown("hung up"), None, {"Number": "1"}]})

    run = shop.run("order", BODY)
    shop.pass_time(seconds=6)
    shop.drain()

    assert len(asked) == 3, "asked, looked up, asked again"
    assert shop.store.run(run.id).state is RunState.DONE


def test_an_undo_that_cannot_be_resolved_does_not_make_a_failure_of_a_placed_order(workshop: Open) -> None:
    undo = {**ORDER["undo"], "parameters": {"operation": "CancelPurchaseOrder", "body": "=$number('twelve')"}}
    caught = [{"id": "gave_up", "type": "end", "parameters": {"outcome": "given_up"}}]
    shop = ordering(workshop, order={**ORDER, "undo": undo, "on_error": caught})

    run = shop.run("order", BODY)

    assert (run.state, run.outcome) == (RunState.DONE, "done")
    assert run.reply == {"status": 200, "body": "4500000001"}
    assert [row.kind for row in shop.story(run.id).exceptions] == ["undo_not_resolved"]


def test_an_answer_of_the_look_up_that_cannot_be_read_is_put_before_a_person(workshop: Open) -> None:
    look_up = {**ORDER["look_up"], "found": "=$number('twelve') = 1"}
    shop = ordering(workshop, order={**ORDER, "look_up": look_up, "on_error": [ANSWER]})
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)

    shop.pass_time(seconds=6)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.UNCERTAIN
    assert shop.store.exceptions().rows[0].kind == "uncertain"
    assert orders(shop) == 1


def test_what_breaks_the_engine_stops_the_run_for_a_person_and_sends_nothing_again(workshop: Open) -> None:
    """An output that no store can keep, as a connector with a bug would give it."""
    shop = ordering(workshop, order={**ORDER, "effect": "idempotent", "keys": {}})
    asked = answering(shop, {"order": float("inf")})

    run = shop.run("order", BODY)
    shop.pass_time(minutes=5)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DEAD
    assert len(asked) == 1


def test_a_failed_item_within_the_allowance_is_not_tried_again_while_others_wait(workshop: Open) -> None:
    each = {
        "id": "each", "type": "for_each", "parameters": {"items": "=lines", "allow_failed": 1}, "into": "out",
        "nodes": [{**ORDER, "keys": {}}, {"id": "pause", "type": "wait", "parameters": {"for": "1m"}}],
    }  # fmt: skip
    shop = workshop(flow("many", each), connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})
    refused = Rejected("no", code="NO")
    asked = answering(shop, {"order/0": [refused, refused, refused], "order/1": {"Number": "1"}})

    run = shop.run("many", {"lines": [{**BODY}, {**BODY}]})
    shop.pass_time(minutes=1)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert asked == ["order/0:soap", "order/1:soap"]


@pytest.mark.parametrize("kind", ["for_each", "parallel"])
def test_on_error_of_a_container_takes_the_failure_of_its_insides(workshop: Open, kind: str) -> None:
    boom = {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}
    inside: dict[str, Any] = {"branches": {"a": [boom]}}
    if kind == "for_each":
        inside = {"parameters": {"items": "=[1, 2]"}, "nodes": [boom]}
    caught = [{"id": "caught", "type": "respond", "parameters": {"body": "=$error.kind"}}]
    shop = workshop(flow("taken", {"id": "all", "type": kind, **inside, "on_error": caught}))

    run = shop.run("taken", {})

    assert run.state is RunState.DONE
    assert run.reply == {"status": 200, "body": "odd"}
    assert shop.story(run.id).exceptions == []


def test_an_inner_for_each_that_fails_is_one_failed_item_of_the_outer_one(workshop: Open) -> None:
    boom = {"id": "boom", "type": "route", "cases": [{"when": "=$ = 2", "nodes": [
        {"id": "stop", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}]}]}  # fmt: skip
    inner = {"id": "inner", "type": "for_each", "parameters": {"items": "=$"}, "nodes": [boom]}
    outer = {"id": "outer", "type": "for_each", "parameters": {"items": "=lists", "allow_failed": 1},
             "nodes": [inner], "into": "out"}  # fmt: skip
    shop = workshop(
        flow("nested", outer, {"id": "end", "type": "respond", "parameters": {"body": "=out.failed.index"}})
    )

    run = shop.run("nested", {"lists": [[1, 1], [1, 2]]})

    assert run.reply == {"status": 200, "body": 1}


def test_an_outcome_that_comes_with_a_lost_lease_is_kept_and_settles_the_uncertain_order(workshop: Open) -> None:
    """Another worker took the run while the ERP was working, and found the intent open."""
    shop = ordering(workshop)
    store, engine = shop.services.store, shop.services.engine
    erp = shop.simulator("erp")
    run = shop.take("order", BODY)
    stolen: list[RunState] = []

    def perform(walk: Any, type: str, connection: str | None, given: Any, node: str, iteration: str) -> Answer:
        answer = reach(walk, type, connection, given, node, iteration)
        if given.get("operation") == "CreatePurchaseOrder" and not stolen:
            shop.pass_time(seconds=60)
            other = store.acquire(run, "another", 30)
            assert other is not None
            loaded = store.load(other)
            stolen.append(loaded.run.state)
            uncertain = OutcomeRow("order", "", OutcomeState.UNCERTAIN, "uncertain", due_at=shop.now)
            store.commit(other, Checkpoint(outcomes=(uncertain,), state=RunState.UNCERTAIN), 30)
        return answer

    engine.settings = Settings(engine.settings.lease, engine.settings.chance, perform)

    shop.drain()

    assert stolen
    assert shop.store.run(run).state is RunState.DONE
    assert len(erp.journal.entries("purchase_order")) == 1


def test_a_waiting_caller_learns_that_its_child_was_cancelled(workshop: Open) -> None:
    child = flow("child", {"id": "pause", "type": "wait", "parameters": {"for": "1h"}})
    parent = flow("parent", {"id": "call", "type": "call_flow", "parameters": {"flow": "child", "wait": True}}, END)
    shop = workshop(parent, child)
    run = shop.run("parent", {})
    other = next(r for r in shop.store.runs().rows if r.flow == "child")

    shop.repair.cancel(other.id, "omar", "not needed")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.EXCEPTION
    assert shop.story(run.id).exceptions[0].kind == "child_cancelled"


def test_an_outcome_without_a_branch_keeps_what_the_node_found_and_is_not_done_again(workshop: Open) -> None:
    late = {"id": "late", "type": "wait", "parameters": {"event": "e", "key": "k", "within": "1m"}}
    shop = ordering(workshop, late)
    run = shop.run("order", BODY)
    shop.pass_time(minutes=1)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.EXCEPTION

    row = shop.outcome(run.id, "late")
    assert row is not None
    assert (row.state, row.name) == ("done", "timed_out")


def test_an_undo_that_may_happen_only_once_is_not_sent_again_after_a_crash(workshop: Open) -> None:
    undo = {**ORDER["undo"], "effect": "once"}
    stop = {"id": "stop", "type": "end", "parameters": {"outcome": "withdrawn", "undo": True}}
    shop = ordering(workshop, stop, order={**ORDER, "undo": undo})
    shop.simulator("erp").hang_up_after("CancelPurchaseOrder")

    run = shop.run("order", BODY)
    shop.pass_time(hours=1)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.EXCEPTION
    assert shop.story(run.id).exceptions[0].kind == "undo_failed"
    assert len(shop.simulator("erp").journal.entries("call", operation="CancelPurchaseOrder")) == 1


def test_a_key_that_cannot_be_found_is_told_and_the_order_stands(workshop: Open) -> None:
    shop = ordering(workshop, order={**ORDER, "keys": {"purchase_order": "=$number('x')"}})

    run = shop.run("order", BODY)

    assert run.state is RunState.DONE
    assert shop.story(run.id).exceptions[0].kind == "key_not_found"
    assert orders(shop) == 1


def test_a_key_with_control_characters_is_none_and_the_order_stands(workshop: Open) -> None:
    """No database, log or terminal has to carry what a peer answers."""
    shop = ordering(workshop, order={**ORDER, "keys": {"purchase_order": "=erp.Number & '\x1b[31m'"}})

    run = shop.run("order", BODY)

    assert run.state is RunState.DONE
    assert "purchase_order" not in shop.story(run.id).keys
    assert orders(shop) == 1


def test_a_peer_that_cannot_be_reached_is_told_apart_from_one_that_refused(workshop: Open) -> None:
    shop = ordering(workshop, order={**ORDER, "retry": {"attempts": 1}})
    answering(shop, {"order": [NotSent("locked", code="LOCKED")]})

    run = shop.run("order", BODY)

    assert run.state is RunState.DEAD
    assert run.why.startswith("order: locked")


def test_what_a_person_said_happened_has_its_keys_and_can_be_undone(workshop: Open) -> None:
    order = {**ORDER, "look_up": "none: it cannot be asked"}
    stop = {"id": "stop", "type": "end", "parameters": {"outcome": "withdrawn", "undo": True}}
    pause = {"id": "pause", "type": "wait", "parameters": {"for": "1m"}}
    shop = ordering(workshop, pause, stop, order=order)
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)

    shop.repair.settle(run.id, "order", "", True, {"Number": "4500000001"}, "omar", "I looked")
    shop.drain()
    assert [found.id for found in shop.store.runs(key="4500000001").rows] == [run.id]
    shop.pass_time(minutes=1)
    shop.drain()

    assert [entry["number"] for entry in shop.simulator("erp").journal.entries("cancelled")] == ["4500000001"]


def test_an_approval_that_nobody_gives_in_time_expires_and_takes_that_branch(workshop: Open) -> None:
    policy = {"policy": "all", "rules": [], "otherwise": {"approvers": [{"role": "manager", "within": "2d"}]}}
    ask = {"id": "ask", "type": "approve", "parameters": {"policy": "all", "requester": "='anna'"},
           "on": {"rejected": [{"id": "no", "type": "end"}],
                  "expired": [{"id": "late", "type": "end", "parameters": {"outcome": "expired"}}]}}  # fmt: skip
    shop = workshop(flow("asks", ask), policies={"all": policy})
    run = shop.run("asks", {})
    assert run.state is RunState.WAITING

    shop.pass_time(days=2, seconds=1)
    shop.drain()
    shop.drain()

    assert shop.store.run(run.id).outcome == "expired"
    assert shop.store.approvals(state="expired").rows[0].run == run.id


def test_a_fault_that_proves_nothing_by_itself_is_read_by_the_faults_table(workshop: Open) -> None:
    """A bare Server fault may come after the order was placed; a table may say that this ERP never does that."""
    unknown = OutcomeUnknown("Server fault", code="Server")
    listed = {**ORDER, "faults": [{"code": "Server", "is": "not_done"}]}
    for order, expected in ((ORDER, RunState.UNCERTAIN), (listed, RunState.WAITING)):
        shop = ordering(workshop, order=order)
        answering(shop, {"order": unknown})

        run = shop.run("order", BODY)

        assert run.state is expected
        shop.close()


ASK = {
    "type": "soap.call", "connection": "erp", "effect": "idempotent",
    "parameters": {"operation": "CheckBudget", "body": {}},
}  # fmt: skip


def test_large_outputs_of_finished_nodes_are_there_for_whoever_names_them_after_a_wait(workshop: Open) -> None:
    """By the body, by ``$nodes``, inside a branch, by what comes after; and the undo sends what was stored."""
    large = "x" * 3_000
    shop = workshop(
        flow(
            "long",
            {**ASK, "id": "kept", "into": "kept"}, {**ASK, "id": "named"},
            {"id": "pause", "type": "wait", "parameters": {"for": "1h"}},
            {"id": "tell", "type": "publish",
             "parameters": {"event": "told", "key": "k",
                            "data": "={'kept': $length(kept.text), 'named': $length($nodes.named.text), "
                                    "'body': $length(given)}"}},
        ),
        connections={"erp": ERP}, simulators={"erp": {"type": "erp"}},
    )  # fmt: skip
    asked = answering(shop, {"kept": {"text": large}, "named": {"text": large + "y"}})

    run = shop.take("long", {"given": large + "zz"})
    shop.drain()
    shop.pass_time(hours=2)
    shop.drain()

    (event,) = shop.story(run).events
    assert event.data == {"kept": 3_000, "named": 3_001, "body": 3_002}
    assert asked == ["kept:soap", "named:soap"]


def test_a_run_that_cannot_be_read_is_a_dead_letter(workshop: Open) -> None:
    shop = workshop(flow("order", ANSWER))
    run = shop.take("order", {"n": "REQ-1"})
    broken = Statement(tables.message.update().values(body="{"))
    shop.services.store.transact(lambda tx: tx.run(broken))

    shop.drain()

    stands = shop.store.run(run)
    assert stands.state is RunState.DEAD
    assert stands.why == "JSONDecodeError in the engine; the log says where"


def test_a_run_that_is_cancelled_with_undo_while_it_begins_sends_nothing(workshop: Open) -> None:
    """Somebody cancels between the look at the run and its first commit."""
    shop = ordering(workshop)
    run = shop.take("order", BODY)
    engine = shop.services.engine
    begun = engine.store.begin(run, engine.leases.owner, 30.0)
    assert begun is not None
    shop.store.cancel(run, "not wanted", undo=True)

    engine.go_on(begun[0], loaded=begun[1])
    shop.drain()

    assert shop.store.run(run).state is RunState.CANCELLED
    assert orders(shop) == 0
