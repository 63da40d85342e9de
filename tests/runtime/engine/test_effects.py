"""Effects: an order is placed once, whatever the ERP, the wire or this process does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.governance.repair import Repair
from runtime.model.run import RunState
from runtime.store.store import Refused
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]

ORDER: dict[str, Any] = {
    "id": "order", "type": "soap.call", "connection": "erp", "effect": "once", "into": "erp",
    "keys": {"purchase_order": "=erp.Number"},
    "parameters": {
        "operation": "CreatePurchaseOrder", "reference": "=$run.effect_key",
        "body": "={'RequisitionNumber': n, 'SupplierNumber': '4010', 'CostCenter': cc, 'Facility': 'MERCY-MAIN', "
                "'Currency': 'USD', 'OrderDate': '2026-11-24', 'Total': '10.00', 'Lines': {'Line': [{'LineNumber': '1', "
                "'ItemNumber': 'ITM-1001', 'Description': 'Gloves', 'Quantity': '1', 'Unit': 'BX', "
                "'UnitPrice': '10.00', 'Amount': '10.00'}]}}",
    },
    "retry": {"attempts": 3, "first": "2s", "longest": "10m"},
    "look_up": {
        "type": "soap.call", "connection": "erp", "found": "=$exists(Number)", "authoritative": True,
        "parameters": {"operation": "FindByReference", "body": "={'Reference': $run.effect_key}"},
    },
    "undo": {
        "type": "soap.call", "connection": "erp", "effect": "idempotent",
        "parameters": {"operation": "CancelPurchaseOrder", "body": "={'Number': Number}"},
    },
}  # fmt: skip
END = {"id": "end", "type": "respond", "parameters": {"body": "=erp.Number"}}
BODY = {"n": "REQ-1", "cc": "CC-OR1"}


def ordering(workshop: Open, *more: dict[str, Any], order: dict[str, Any] = ORDER) -> Workshop:
    return workshop(flow("order", order, END, *more), connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})


def orders(shop: Workshop) -> int:
    return len(shop.simulator("erp").journal.entries("purchase_order"))


def test_an_erp_that_is_down_is_tried_again_and_gets_one_order(workshop: Open) -> None:
    """A refused connection proves that nothing happened."""
    shop = ordering(workshop)
    shop.simulator("erp").go_down()
    run = shop.run("order", BODY)
    assert run.state is RunState.WAITING
    assert "attempt 1 of 3 failed" in run.why

    shop.pass_time(seconds=1.9)
    shop.drain()
    assert len(shop.story(run.id).attempts) == 1, "not before its time"
    shop.simulator("erp").come_up()
    shop.pass_time(seconds=0.2)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert orders(shop) == 1


def test_attempts_used_up_are_a_dead_letter_and_a_redrive_goes_on_from_the_failed_node(workshop: Open) -> None:
    shop = ordering(workshop, order={**ORDER, "faults": [{"code": "LOCKED", "is": "not_done"}]})
    shop.simulator("erp").fault_next("CreatePurchaseOrder", "LOCKED", 3)
    run = shop.run("order", BODY)
    for _ in range(2):
        shop.pass_time(minutes=1)
        shop.drain()
    assert shop.store.run(run.id).state is RunState.DEAD

    shop.repair.redrive(run.id, "omar")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert orders(shop) == 1
    assert shop.store.audit_trail()[0]["action"] == "run.redriven"


def test_an_erp_that_acts_and_hangs_up_is_asked_after_a_settling_time_and_not_ordered_from_twice(
    workshop: Open,
) -> None:
    shop = ordering(workshop)
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)
    assert run.state is RunState.UNCERTAIN

    shop.pass_time(seconds=4)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.UNCERTAIN, "five seconds to settle"
    shop.pass_time(seconds=2)
    shop.drain()

    done = shop.store.run(run.id)
    assert done.state is RunState.DONE
    assert done.reply == {"status": 200, "body": "4500000001"}
    assert shop.store.runs(key="4500000001").rows[0].id == run.id
    assert orders(shop) == 1


def test_a_look_up_that_finds_nothing_and_is_authoritative_sends_the_stored_order_again(workshop: Open) -> None:
    """As after a crash between the intent and the first byte: the intent is there, the order is not."""
    shop = ordering(workshop)
    erp = shop.simulator("erp")
    erp.hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)
    erp._orders.clear()

    shop.pass_time(seconds=6)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    references = [entry["reference"] for entry in erp.journal.entries("purchase_order")]
    assert len(references) == 2
    assert len(set(references)) == 1, "the effect key is the same for every try"


def test_a_look_up_that_cannot_be_asked_is_asked_again(workshop: Open) -> None:
    shop = ordering(workshop)
    erp = shop.simulator("erp")
    erp.hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)
    erp.go_down()

    shop.pass_time(seconds=6)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.UNCERTAIN
    erp.come_up()
    shop.pass_time(minutes=1)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert orders(shop) == 1


NO_LOOK_UP = {**ORDER, "look_up": "none: the ERP cannot be asked", "undo": "none: by hand"}


@pytest.mark.parametrize(("happened", "placed", "body"), [(True, 1, "4500000099"), (False, 2, "4500000002")])
def test_where_nobody_can_be_asked_a_person_decides(workshop: Open, happened: bool, placed: int, body: str) -> None:
    shop = ordering(workshop, order=NO_LOOK_UP)
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("order", BODY)
    assert run.state is RunState.UNCERTAIN
    assert shop.store.exceptions().rows[0].kind == "uncertain"
    shop.pass_time(days=1)
    shop.drain()
    assert orders(shop) == 1, "time alone decides nothing"

    shop.repair.settle(run.id, "order", "", happened, {"Number": "4500000099"}, "omar", "I telephoned")
    shop.drain()

    assert shop.store.run(run.id).reply == {"status": 200, "body": body}
    assert orders(shop) == placed


def test_a_refusal_in_the_faults_table_is_an_exception_with_its_owner_and_is_not_retried(workshop: Open) -> None:
    shop = ordering(workshop)

    run = shop.run("order", {**BODY, "cc": "CC-NONE"})

    assert run.state is RunState.EXCEPTION
    row = shop.story(run.id).exceptions[0]
    assert (row.kind, row.owner) == ("unknown_cost_center", "finance")
    assert len(shop.simulator("erp").journal.entries("call", operation="CreatePurchaseOrder")) == 1


def test_a_redrive_after_a_refusal_evaluates_the_node_anew_and_orders_once(workshop: Open) -> None:
    shop = ordering(workshop)
    shop.simulator("erp").fault_next("CreatePurchaseOrder", "LOCKED")
    run = shop.run("order", BODY)
    assert run.state is RunState.DEAD, "a code no table lists is a technical refusal"

    shop.repair.redrive(run.id, "omar")
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert orders(shop) == 1


def test_an_end_with_undo_takes_back_what_was_done_newest_first(workshop: Open) -> None:
    second = {**ORDER, "id": "second", "into": "second", "keys": {}}
    stop = {"id": "stop", "type": "end", "parameters": {"outcome": "withdrawn", "undo": True}}
    shop = ordering(workshop, second, stop)

    run = shop.run("order", BODY)

    cancelled = [entry["number"] for entry in shop.simulator("erp").journal.entries("cancelled")]
    assert run.outcome == "withdrawn"
    assert cancelled == ["4500000002", "4500000001"]


def test_an_undo_waits_for_an_erp_that_is_down_and_is_never_forgotten(workshop: Open) -> None:
    pause = {"id": "pause", "type": "wait", "parameters": {"for": "1m"}}
    stop = {"id": "stop", "type": "end", "parameters": {"outcome": "withdrawn", "undo": True}}
    shop = ordering(workshop, pause, stop)
    run = shop.run("order", BODY)
    shop.simulator("erp").go_down()
    shop.pass_time(minutes=1)
    shop.drain()
    assert shop.store.run(run.id).state is RunState.WAITING

    shop.simulator("erp").come_up()
    shop.pass_time(minutes=5)
    shop.drain()

    assert shop.store.run(run.id).outcome == "withdrawn"
    assert len(shop.simulator("erp").journal.entries("cancelled")) == 1


def test_a_failure_undoes_nothing_by_itself(workshop: Open) -> None:
    boom = {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}
    shop = ordering(workshop, boom)

    run = shop.run("order", BODY)

    assert run.state is RunState.EXCEPTION
    assert shop.simulator("erp").journal.entries("cancelled") == []


def test_a_run_that_placed_an_order_cannot_be_reprocessed(workshop: Open) -> None:
    boom = {"id": "boom", "type": "raise", "parameters": {"kind": "odd", "message": "no"}}
    shop = ordering(workshop, boom)
    run = shop.run("order", BODY)
    repair: Repair = shop.repair

    with pytest.raises(Refused, match="must happen once"):
        repair.reprocess(run.id, "omar", "try anew")

    assert orders(shop) == 1


def test_a_run_that_was_refused_before_any_effect_is_reprocessed_as_a_new_run(workshop: Open) -> None:
    shop = ordering(workshop)
    run = shop.run("order", {**BODY, "cc": "CC-NONE"})

    created = shop.repair.reprocess(run.id, "omar", "the cost centre exists now")
    shop.drain()

    again = shop.store.run(created.run)
    assert again.reprocess_of == run.id
    assert again.id != run.id


def test_what_was_finished_before_a_restart_is_not_done_again(workshop: Open) -> None:
    pause = {"id": "pause", "type": "wait", "parameters": {"for": "1h"}}
    shop = ordering(workshop, pause)
    run = shop.run("order", BODY)
    journal = shop.simulator("erp").journal
    shop.again()
    shop.pass_time(hours=1)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert len(journal.entries("purchase_order")) == 1
    assert orders(shop) == 0, "the second process had nothing to order"


def test_an_expectation_that_is_not_met_in_time_becomes_an_exception(workshop: Open) -> None:
    order = {**ORDER, "expect": [{"event": "acknowledged", "key": "=n", "within": "2d"}]}
    shop = ordering(workshop, order=order)
    run = shop.run("order", BODY)
    assert run.state is RunState.DONE, "an expectation does not keep the run open"

    shop.pass_time(days=2, seconds=1)
    shop.drain()

    row = shop.store.exceptions().rows[0]
    assert (row.run, row.owner) == (run.id, "procurement")
    assert "acknowledged" in row.message


@pytest.mark.parametrize(("awaiting", "open_ones"), [("2d", 1), ("", 0), (None, 0)])
def test_an_expectation_lasts_as_long_as_the_partner_may_take(
    workshop: Open, awaiting: str | None, open_ones: int
) -> None:
    """A partner's profile says it, in the output of the node that wrote; a partner that answers nothing is not
    waited for."""
    order = {**ORDER, "expect": [{"event": "acknowledged", "key": "=n", "within": "=awaiting"}]}
    shop = ordering(workshop, order=order)
    run = shop.run("order", BODY | {"awaiting": awaiting})

    assert [row.state for row in shop.story(run.id).expectations] == ["open"] * open_ones
    shop.pass_time(days=2, seconds=1)
    shop.drain()
    assert len(shop.store.exceptions().rows) == open_ones


def test_a_length_that_is_none_is_a_dead_letter_before_anything_is_sent(workshop: Open) -> None:
    order = {**ORDER, "expect": [{"event": "acknowledged", "key": "=n", "within": "='soon'"}]}
    shop = ordering(workshop, order=order)

    run = shop.run("order", BODY)

    assert run.state is RunState.DEAD
    assert "'soon' is not a duration" in str(shop.story(run.id).outcomes)
    assert orders(shop) == 0


@pytest.mark.parametrize("at_once", [1, 4])
def test_orders_of_one_for_each_are_placed_at_once_up_to_the_bound_and_each_once(
    workshop: Open, at_once: int
) -> None:
    each = {
        "id": "each", "type": "for_each", "parameters": {"items": "=lines", "at_once": at_once}, "into": "out",
        "nodes": [ORDER],
    }  # fmt: skip
    shop = workshop(
        flow("many", each, {"id": "end", "type": "respond", "parameters": {"body": "=$count(out.done)"}}),
        connections={"erp": ERP}, simulators={"erp": {"type": "erp"}},
    )  # fmt: skip

    run = shop.run("many", {"lines": [{"n": f"REQ-{n}", "cc": "CC-OR1"} for n in range(12)]})

    assert run.reply == {"status": 200, "body": 12}
    placed = [entry["requisition_number"] for entry in shop.simulator("erp").journal.entries("purchase_order")]
    assert sorted(placed) == sorted(f"REQ-{n}" for n in range(12))
