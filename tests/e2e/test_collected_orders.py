"""Orders of several requisitions go to a supplier in one interchange, which it answers order by order.

The demo's pack, but for its partner, whose profile collects; in both standards, over SFTP.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Poll
from runtime.model.pack import demo_folder, read_json
from runtime.model.run import EventRow, Run, RunState
from tests.workshop import Workshop

FLOWS = (
    "requisition_to_order", "supplier_outbox", "supplier_inbox", "supplier_inbox_edifact", "edifact_answer", "x12_answer",
    "functional_acknowledgement", "supplier_acknowledgement",
)  # fmt: skip
INBOX = {"x12": "supplier_inbox", "edifact": "supplier_inbox_edifact"}
BATCHING = {"count": 3, "cut_off": ["16:00"], "calendar": "hospital"}


@pytest.fixture(params=["x12", "edifact"])
def standard(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(workshop: Callable[..., Workshop], tmp_path: Path, standard: str) -> Workshop:
    """Tuesday, 08:00."""
    demo = demo_folder()
    shutil.copytree(demo, tmp_path / "pack")
    acme = {**read_json(demo / "partners" / "acme.json"), "batching": BATCHING}
    (tmp_path / "pack" / "partners" / "acme.json").write_text(json.dumps(acme), encoding="utf-8")
    suppliers = (demo / "masterdata" / "supplier.csv").read_text(encoding="utf-8")
    if standard == "edifact":
        suppliers = "code,name,partner,status,edi\n4010,Acme Medical Supply,acme,approved,edifact\n"
    return workshop(
        simulators=read_json(demo / "pack.json")["simulators"], masterdata={"supplier": suppliers}, enabled=FLOWS,
        calendars={"hospital": {}},
    )  # fmt: skip


def requisition(number: int, **more: Any) -> dict[str, Any]:
    line = {"item_number": "ITM-1001", "description": "Nitrile gloves", "quantity": "10", "unit": "BX"}
    return {
        "schema": "requisition/1", "requisition_number": f"REQ-{number}", "revision": "0",
        "requester": {"name": "Anna Berg", "email": "anna.berg@mercy.example", "department": "Ward 3"},
        "facility": "MERCY-MAIN", "cost_center": "CC-WARD3", "need_by": "2026-12-04", "urgency": "routine",
        "category": "consumables", "currency": "USD", "total": "69.00", "source": {"system": "ward"},
        "lines": [{"line_number": "1", **line}], **more,
    }  # fmt: skip


def tick(shop: Workshop) -> None:
    shop.services.clock.events(shop.services.clients["mercy"])
    shop.drain()


def order(shop: Workshop, *numbers: int, **more: Any) -> list[str]:
    runs = [shop.run("requisition_to_order", requisition(number, **more)).id for number in numbers]
    tick(shop)
    return runs


def states(shop: Workshop, runs: list[str]) -> list[str]:
    return [str(shop.store.run(run).state) for run in runs]


def outboxes(shop: Workshop) -> list[Run]:
    return list(reversed(shop.store.runs(flow="supplier_outbox").rows))


def interchanges(shop: Workshop) -> list[list[str]]:
    """The orders in each interchange that went out, oldest first."""
    ledger = shop.store.interchanges
    rows = [row for row in ledger.listed(direction="out").rows if row["flow"] == "supplier_outbox"]
    return [[one["key"] for one in ledger.one(row["id"])["sets"]] for row in reversed(rows)]


def numbers(shop: Workshop, runs: list[str]) -> list[str]:
    return [shop.story(run).keys["purchase_order"] for run in runs]


def collect(shop: Workshop, standard: str, orders: int) -> None:
    """Everything that the supplier has put out once it has answered so many orders."""
    shop.simulator("supplier").journal.wait("acknowledgement", orders)
    [source] = [one for one in shop.services.sources.all if one.flow.flow == INBOX[standard]]
    operation = source.operation()
    assert issubclass(operation, Poll)
    operation().poll(*source.prepared(), source.accept)
    shop.drain()


def test_three_orders_go_in_one_interchange_and_each_is_answered(shop: Workshop, standard: str) -> None:
    runs = order(shop, 1, 2)
    assert states(shop, runs) == ["waiting", "waiting"]
    assert interchanges(shop) == []

    runs += order(shop, 3)

    assert states(shop, runs) == ["done"] * 3
    assert interchanges(shop) == [numbers(shop, runs)]
    assert len({shop.story(run).keys["acknowledgement"] for run in runs}) == 1
    collect(shop, standard, 3)
    expected = [one for run in [*runs, outboxes(shop)[0].id] for one in shop.story(run).expectations]
    assert {(one.event_type, one.state) for one in expected} == {
        ("x12.997" if standard == "x12" else "edifact.contrl", "met"), ("purchase_order.acknowledged", "met"),
        ("purchase_order.sent", "met"),
    }  # fmt: skip
    assert sorted(entry["number"] for entry in shop.simulator("erp").journal.entries("confirmed")) == sorted(
        numbers(shop, runs)
    )
    assert [row.kind for row in shop.store.exceptions().rows] == []


def test_an_urgent_order_goes_at_once_and_the_others_at_the_cut_off(shop: Workshop) -> None:
    routine = order(shop, 1)
    urgent = order(shop, 2, urgency="urgent")
    assert (states(shop, routine), states(shop, urgent)) == (["waiting"], ["done"])
    assert [run.lane for run in outboxes(shop)] == ["urgent"]

    shop.now = shop.now.replace(hour=16)
    tick(shop)

    assert states(shop, routine) == ["done"]
    assert interchanges(shop) == [numbers(shop, urgent), numbers(shop, routine)]


def test_an_order_that_the_partner_would_refuse_is_an_exception_before_it_is_collected(
    shop: Workshop, standard: str, tmp_path: Path
) -> None:
    """The GTIN of its item has a wrong check digit."""
    path = tmp_path / "pack" / "masterdata" / "item.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("9521234300014", "9521234300015"), encoding="utf-8")
    shop.again()

    [run] = order(shop, 1)

    assert shop.store.run(run).state is RunState.EXCEPTION
    [found] = shop.store.exceptions().rows
    assert found.run == run
    assert "check digit" in found.message
    assert shop.store.batches.collected() == []


def test_of_two_orders_of_one_number_the_second_is_left_out_and_its_own_run_says_so(shop: Workshop) -> None:
    """As after a restore of the ERP, which gives a number out again: the run whose order did not go is not told that
    the other one went."""
    first = order(shop, 1)
    [event] = shop.store.events_after(0, ["purchase_order.ready"])
    second = shop.run("requisition_to_order", requisition(2)).id
    [_, its] = shop.store.events_after(0, ["purchase_order.ready"])
    shop.store.publish(EventRow(event.type, event.key, {**its.data, "document": event.data["document"]}))
    assert shop.services.clients["mercy"].store.batches.collected() != []
    tick(shop)

    assert interchanges(shop) == [numbers(shop, [*first, second])]
    [outbox] = outboxes(shop)
    told = [(one.key, "refused" in one.data) for one in shop.story(outbox.id).events]
    assert told == [(first[0], False), (second, False), (second, True)]


def test_orders_that_are_all_refused_at_the_last_moment_are_exceptions_each(
    shop: Workshop, standard: str, tmp_path: Path
) -> None:
    """They were good when they were collected; then the partner asks for a scheme that their lines do not have."""
    runs = order(shop, 1, 2)
    path = tmp_path / "pack" / "partners" / "acme.json"
    acme = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**acme, "items": {"all_of": ["ndc"]}}), encoding="utf-8")
    shop.again()
    shop.now = shop.now.replace(hour=16)
    tick(shop)

    assert states(shop, runs) == ["exception", "exception"]
    assert interchanges(shop) == []
    kinds = [(row.kind, row.run) for row in shop.store.exceptions().rows]
    assert sorted(kinds) == sorted(("order_refused", run) for run in runs)
    assert shop.simulator("supplier").journal.entries("order") == []
