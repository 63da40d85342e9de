"""What people do to runs that did not go through: nothing is ordered twice by it, and nobody waits in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runtime.access import User
from runtime.governance.approvals import NotEntitled, decide
from runtime.model.run import RunState
from runtime.store.store import Refused
from tests.runtime.engine.test_effects import BODY, ORDER, ordering, orders
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]

RAISE = {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}
PAUSE = {"id": "pause", "type": "wait", "parameters": {"for": "1h"}}
TAKE_BACK = {"id": "stop", "type": "end", "parameters": {"outcome": "withdrawn", "undo": True}}


def call(flow: str, **more: Any) -> dict[str, Any]:
    return {"id": "call", "type": "call_flow", "parameters": {"flow": flow, **more}, "into": "called"}


def calling(workshop: Open, *flows: dict[str, Any]) -> Workshop:
    return workshop(*flows, connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})


def test_a_run_whose_child_placed_an_order_is_not_reprocessed(workshop: Open) -> None:
    """However far down: the new run would call them all again."""
    shop = calling(
        workshop, flow("outer", call("inner"), RAISE), flow("inner", call("order")), flow("order", ORDER)
    )  # fmt: skip
    run = shop.run("outer", BODY)
    assert (run.state, orders(shop)) == (RunState.EXCEPTION, 1)

    with pytest.raises(Refused, match=r"'order' of run .*, which it called, did must happen once"):
        shop.repair.reprocess(run.id, "omar", "try anew")
    shop.drain()

    assert orders(shop) == 1


def test_a_run_whose_child_found_an_order_placed_before_is_not_reprocessed(workshop: Open) -> None:
    order = flow("order", ORDER, identity="=n")
    shop = calling(workshop, order, flow("outer", call("order"), RAISE))
    shop.run("order", BODY)
    run = shop.run("outer", BODY)

    with pytest.raises(Refused, match="twice"):
        shop.repair.reprocess(run.id, "omar", "try anew")

    assert orders(shop) == 1


def test_a_caller_goes_on_with_what_its_child_was_reprocessed_as(workshop: Open) -> None:
    fails = {"id": "which", "type": "route", "cases": [{"when": "=$exists(bad)", "nodes": [RAISE]}]}
    end = {"id": "end", "type": "respond", "parameters": {"body": "=called.reply.body"}}
    told = {"id": "told", "type": "respond", "parameters": {"body": "='second'"}}
    child = flow("child", fails, PAUSE, told)
    shop = workshop(flow("outer", call("child", wait=True), end), child)
    run = shop.run("outer", {"bad": True})
    (first,) = shop.story(run.id).children
    assert first.state is RunState.EXCEPTION
    child["nodes"].pop(0)
    shop._write("flows/child/flow.json", child)
    shop.again()

    second = shop.repair.reprocess(first.id, "omar", "the flow is mended").run
    shop.drain()

    assert shop.store.run(run.id).state is RunState.WAITING, "the second run waits too"
    shop.pass_time(hours=1)
    shop.drain()
    assert shop.store.run(run.id).reply == {"status": 200, "body": "second"}
    assert [child.id for child in shop.story(run.id).children] == [second]
    assert shop.store.run(second).caller == first.caller


def test_a_persons_word_does_not_revive_a_cancelled_run(workshop: Open) -> None:
    shop = ordering(workshop, order={**ORDER, "look_up": "none: the ERP cannot be asked"})
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)
    shop.repair.cancel(run.id, "omar", "ordered by phone")

    with pytest.raises(Refused, match="is cancelled"):
        shop.repair.settle(run.id, "order", "", False, None, "omar", "I telephoned")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.CANCELLED
    assert orders(shop) == 1


def test_an_outcome_that_the_operation_does_not_have_cannot_be_said(workshop: Open) -> None:
    shop = ordering(workshop, order={**ORDER, "look_up": "none: the ERP cannot be asked"})
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)

    with pytest.raises(Refused, match="no outcome 'placed'; it has done"):
        shop.repair.settle(run.id, "order", "", True, None, "omar", "I telephoned", "placed")
    shop.repair.settle(run.id, "order", "", True, {"Number": "1"}, "omar", "I telephoned")

    row = shop.outcome(run.id, "order")
    assert row is not None
    assert (row.name, row.unread) == ("done", True)


def test_an_undo_that_stopped_half_way_goes_on_after_a_redrive(workshop: Open) -> None:
    first = {**ORDER, "id": "first", "keys": {}}
    second = {**ORDER, "id": "second", "keys": {}}
    shop = calling(workshop, flow("two", first, second, PAUSE, TAKE_BACK))
    erp = shop.simulator("erp")
    run = shop.run("two", BODY)
    lost = erp._orders.pop("4500000001")
    shop.pass_time(hours=1)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.EXCEPTION
    assert [e.kind for e in shop.story(run.id).exceptions] == ["undo_failed"]

    erp._orders["4500000001"] = lost
    shop.repair.redrive(run.id, "omar")
    shop.drain()

    ended = shop.store.run(run.id)
    assert (ended.state, ended.outcome) == (RunState.DONE, "withdrawn")
    assert [entry["number"] for entry in erp.journal.entries("cancelled")] == ["4500000002", "4500000001"]
    assert orders(shop) == 2, "no node is run again"
    with pytest.raises(Refused, match="done"):
        shop.repair.redrive(run.id, "omar")


def test_a_failure_that_on_error_took_expects_no_answer(workshop: Open) -> None:
    caught = [{"id": "caught", "type": "publish", "parameters": {"event": "refused", "key": "k"}}]
    expected = [{"event": "purchase_order.acknowledged", "key": "=n", "within": "1h"}]
    shop = ordering(workshop, order={**ORDER, "expect": expected, "on_error": caught, "into": None})
    run = shop.run("order", {**BODY, "cc": "CC-NONE"})
    assert "caught" in {row.node for row in shop.story(run.id).outcomes}

    shop.pass_time(hours=2)
    shop.drain()

    story = shop.story(run.id)
    assert [row.state for row in story.expectations] == ["cancelled"]
    assert [row.state for row in story.intents] == ["not_done"]
    assert [row.kind for row in story.exceptions if row.kind == "overdue"] == []


ASK = {
    "id": "ask", "type": "approve", "parameters": {"policy": "two", "requester": "='anna.berg'"},
    "on": {"rejected": [{"id": "no", "type": "end", "parameters": {"outcome": "rejected"}}]},
}  # fmt: skip
TWO = {
    "policy": "two", "rules": [], "otherwise": {"approvers": [{"role": "manager", "needs": 2, "within": "2d"}]},
}  # fmt: skip


def user(login: str, role: str = "manager") -> User:
    return User(login, login, f"{login}@mercy.example", login, (role,))


def test_two_who_approve_at_one_time_are_two(workshop: Open) -> None:
    shop = workshop(flow("asks", ASK), policies={"two": TWO})
    run = shop.run("asks", BODY)
    (asked,) = shop.store.approvals().rows
    together = threading.Barrier(2)

    def decided(login: str) -> str:
        together.wait(20)
        return decide(shop.store, user(login), asked.id, "approved", "", None, shop.now).state

    with ThreadPoolExecutor(2) as threads:
        states = sorted(threads.map(decided, ["omar.said", "lena.fox"]))
    shop.drain()

    assert states == ["approved", "open"]
    assert {made["user"] for made in shop.store.approval(asked.id).decisions} == {"omar.said", "lena.fox"}
    assert shop.store.run(run.id).state is RunState.DONE


def test_one_who_approves_twice_at_one_time_is_one(workshop: Open) -> None:
    shop = workshop(flow("asks", ASK), policies={"two": TWO})
    shop.run("asks", BODY)
    (asked,) = shop.store.approvals().rows
    together = threading.Barrier(4)

    def decided(_: int) -> str:
        together.wait(20)
        try:
            return decide(shop.store, user("omar.said"), asked.id, "approved", "", None, shop.now).state
        except NotEntitled as error:
            return error.kind

    with ThreadPoolExecutor(4) as threads:
        told = sorted(threads.map(decided, range(4)))

    assert told == ["decided_before"] * 3 + ["open"]
    assert len(shop.store.approval(asked.id).decisions) == 1
    assert [entry["action"] for entry in shop.store.audit_trail()].count("approval.refused") == 3


def test_an_approval_past_its_time_is_not_given_though_nobody_has_swept_yet(workshop: Open) -> None:
    shop = workshop(flow("asks", ASK), policies={"two": TWO})
    shop.run("asks", BODY)
    (asked,) = shop.store.approvals().rows
    shop.pass_time(days=2)

    with pytest.raises(Refused, match="expired at 2026-11-26 08:00 UTC"):
        decide(shop.store, user("omar.said"), asked.id, "approved", "", None, shop.now)

    assert shop.store.approval(asked.id).decisions == ()
