"""The example flow of the design, as it stands there: linted, and run against the real simulators.

``design_example`` is a whole pack; its flow is a copy of the design's JSON block, letter by letter.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.access import User
from runtime.governance.approvals import decide
from runtime.model.lint import lint_pack
from runtime.model.pack import Pack, read_json
from runtime.model.run import EventRow, RunState
from tests.workshop import Workshop

EXAMPLE = Path(__file__).with_name("design_example")
FLOW = EXAMPLE / "flows/requisition_to_order/flow.json"
DESIGN = Path(__file__).resolve().parents[3] / "shared" / "DESIGN.md"
GLOVES = {"item_number": "ITM-1001", "description": "Nitrile gloves", "quantity": "10", "unit": "BX"}
PUMPS = {"item_number": "ITM-2001", "description": "Infusion pump", "quantity": "5", "unit": "EA"}


def requisition(number: str, line: dict[str, str], total: str, **head: Any) -> dict[str, Any]:
    return {
        "schema": "requisition/1", "requisition_number": number, "revision": "0",
        "requester": {"name": "Anna Berg", "email": "anna.berg@mercy.example", "department": "Ward 3"},
        "facility": "MERCY-MAIN", "cost_center": "CC-OR1", "need_by": "2026-12-04", "urgency": "routine",
        "category": "consumables", "currency": "USD", "total": total, "source": {"system": "portal"},
        "lines": [{"line_number": "1", **line}], **head,
    }  # fmt: skip


@pytest.fixture
def shop(workshop: Callable[..., Workshop], tmp_path: Path) -> Workshop:
    """The example's pack in immediate mode."""
    shutil.copytree(EXAMPLE, tmp_path / "pack")
    return workshop(simulators=read_json(EXAMPLE / "pack.json")["simulators"])


def said(shop: Workshop, simulator: str, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = shop.simulator(simulator).journal.entries(kind)
    return entries


def manager(shop: Workshop) -> User:
    users = shop.services.access("mercy").users
    return users.create(
        "omar.said", "correct horse battery", mail="omar.said@mercy.example", roles=("procurement_manager",)
    )


def test_it_is_the_design_letter_by_letter() -> None:
    if not DESIGN.exists():
        pytest.skip(f"the design is not at {DESIGN}: put it there to compare the copy with it")
    block = re.search(r"^```json\n(.*?)^```", DESIGN.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    assert block is not None
    assert FLOW.read_text(encoding="utf-8") == block[1]


def test_the_lint_finds_no_error_in_it() -> None:
    findings = [f for f in lint_pack(Pack.read(EXAMPLE)) if f.severity == "error" and str(EXAMPLE) in f.file]

    assert findings == []


def test_what_needs_no_approval_is_ordered_sent_and_waited_for(shop: Workshop) -> None:
    run = shop.run("requisition_to_order", requisition("REQ-1", GLOVES, "112.00"))

    assert (run.state, run.outcome) == (RunState.DONE, "done")
    (order,) = said(shop, "erp", "purchase_order")
    assert (order["requisition_number"], order["supplier"], order["total"]) == ("REQ-1", "4010", "112.00")
    (received,) = shop.simulator("supplier").journal.wait("order")
    story = shop.story(run.id)
    assert received["interchange_control_number"] == "000000001"
    assert [line["quantity"] for line in received["lines"]] == ["10"]
    outputs = {row.node: row.output for row in story.outcomes}
    assert outputs["prices"]["items"][0]["price"] == "11.20", "the contract price by REST"
    assert outputs["send"]["path"] == "/in/000000001.edi"
    assert {(row.event_type, row.event_key, row.state) for row in story.expectations} == {
        ("x12.997", outputs["edi"]["acknowledgement_key"], "open"),
        ("purchase_order.acknowledged", order["number"], "open"),
    }
    assert [(event.type, event.key) for event in story.events] == [("purchase_order.issued", order["number"])]
    assert story.keys == {"requisition": "REQ-1", "purchase_order": order["number"]}


def test_what_is_approved_goes_on_and_is_ordered(shop: Workshop) -> None:
    run = shop.run("requisition_to_order", requisition("REQ-1", PUMPS, "9250.00"))
    assert run.state is RunState.WAITING
    assert said(shop, "erp", "purchase_order") == []
    (asked,) = shop.store.approvals().rows

    decide(shop.store, manager(shop), asked.id, "approved", "needed", None, shop.now)
    shop.drain()

    done = shop.store.run(run.id)
    assert (done.state, done.outcome) == (RunState.DONE, "done")
    assert len(said(shop, "erp", "purchase_order")) == 1
    assert len(shop.simulator("supplier").journal.wait("order")) == 1
    assert len(shop.story(run.id).expectations) == 2


def test_what_is_rejected_ends_without_an_order_anywhere(shop: Workshop) -> None:
    run = shop.run("requisition_to_order", requisition("REQ-1", PUMPS, "9250.00"))
    (asked,) = shop.store.approvals().rows

    decide(shop.store, manager(shop), asked.id, "rejected", "next year", None, shop.now)
    shop.drain()

    done = shop.store.run(run.id)
    assert (done.state, done.outcome) == (RunState.DONE, "rejected")
    story = shop.story(run.id)
    assert [(event.type, event.key) for event in story.events] == [("requisition.rejected", "REQ-1")]
    assert story.expectations == []
    assert said(shop, "erp", "purchase_order") == []
    assert list((shop.simulator("supplier").folder / "in").iterdir()) == []


def test_without_a_budget_it_is_an_exception_that_finance_owns(shop: Workshop) -> None:
    run = shop.run("requisition_to_order", requisition("REQ-1", GLOVES, "20000.00", cost_center="CC-WARD3"))

    assert run.state is RunState.EXCEPTION
    (row,) = shop.story(run.id).exceptions
    assert (row.kind, row.owner) == ("budget_exceeded", "finance")
    assert row.message == "Cost centre CC-WARD3 has no budget for 20000.00"
    assert said(shop, "erp", "purchase_order") == []


def test_an_erp_that_orders_and_hangs_up_is_asked_by_reference(shop: Workshop) -> None:
    shop.simulator("erp").hang_up_after("CreatePurchaseOrder")
    run = shop.run("requisition_to_order", requisition("REQ-1", GLOVES, "112.00"))
    assert run.state is RunState.UNCERTAIN

    shop.pass_time(seconds=6)
    shop.drain()

    assert shop.store.run(run.id).state is RunState.DONE
    assert len(said(shop, "erp", "purchase_order")) == 1


def test_a_published_acknowledgement_meets_the_expectation(shop: Workshop) -> None:
    run = shop.run("requisition_to_order", requisition("REQ-1", GLOVES, "112.00"))
    before = {row.event_type: row for row in shop.story(run.id).expectations}

    for row in before.values():
        shop.store.publish(EventRow(row.event_type, row.event_key, {}))

    assert {row.state for row in shop.story(run.id).expectations} == {"met"}
    shop.pass_time(days=3)
    shop.drain()
    assert list(shop.store.exceptions().rows) == []


def test_the_stored_flow_is_the_example(shop: Workshop) -> None:
    """What a run pins is what the file says, and nothing else."""
    run = shop.run("requisition_to_order", requisition("REQ-1", GLOVES, "112.00"))

    pinned = shop.store.release(run.release)["flow"]
    assert pinned == {key: value for key, value in json.loads(FLOW.read_text()).items() if key != "$schema"}
