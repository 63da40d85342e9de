"""Two suppliers, one of X12 and one of EDIFACT, each with its own server and folder: no flow names either of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Poll
from runtime.api.runs import Runs
from runtime.model.lint import lint_pack
from runtime.model.pack import Pack, demo_folder, read_json
from runtime.model.run import RunState
from tests.e2e.test_collected_orders import requisition, tick
from tests.workshop import Workshop, flow

FLOWS = (
    "requisition_to_order", "supplier_outbox", "supplier_inbox", "supplier_inbox_edifact", "edifact_answer", "x12_answer",
    "functional_acknowledgement", "supplier_acknowledgement",
)  # fmt: skip
GLN = "9521234700012"
SUPPLIERS = "code,name,partner,status,edi\n4010,Acme,acme,approved,x12\n4020,Northwind,northwind,approved,edifact\n"
#: All that a second partner's files need beside its profile and connection.
NORTHWIND_INBOX = flow(
    "northwind_inbox",
    {"id": "read", "type": "call_flow", "parameters": {"flow": "supplier_inbox_edifact"}},
    trigger={
        "type": "sftp.collect", "connection": "northwind_sftp", "every": "1s",
        "parameters": {"folder": "/out", "glob": "*.edi", "archive": "/archive", "stable": "0s"},
    },
)  # fmt: skip


@pytest.fixture(params=["at once", "collected"])
def shop(workshop: Callable[..., Workshop], tmp_path: Path, request: pytest.FixtureRequest) -> Workshop:
    shutil.copytree(demo_folder(), tmp_path / "pack")
    pack = read_json(demo_folder() / "pack.json")
    simulators = pack["simulators"] | {"northwind": {"type": "supplier", "settings": {"gln": GLN}}}
    acme = read_json(demo_folder() / "partners" / "acme.json")
    northwind = {
        "partner": "northwind", "name": "Northwind Surgical", "supplier_number": "4020",
        "delivery": {"connection": "northwind_sftp", "folder": "/in"},
        "edifact": {
            "ours": {"id": "9521234500018", "qualifier": "14"}, "theirs": {"id": GLN, "qualifier": "14"},
            "version": "D:96A:UN:EAN008",
        },
    }  # fmt: skip
    batching = {"batching": {"count": 1, "within": "1h"}} if request.param == "collected" else {}
    connection = (demo_folder() / "connections" / "acme_sftp.json").read_text()
    return workshop(
        NORTHWIND_INBOX, simulators=simulators, masterdata={"supplier": SUPPLIERS}, enabled=FLOWS,
        partners={"acme": {**acme, **batching}, "northwind": {**northwind, **batching}},
        connections={"northwind_sftp": json.loads(connection.replace("simulator:supplier", "simulator:northwind"))},
    )  # fmt: skip


def order(shop: Workshop, number: int, item: str, unit: str) -> str:
    """The run that ordered it."""
    line = {"line_number": "1", "item_number": item, "description": "Goods", "quantity": "1", "unit": unit}
    run = shop.run("requisition_to_order", requisition(number, lines=[line])).id
    tick(shop)
    return run


def collect(shop: Workshop, name: str) -> None:
    [source] = [one for one in shop.services.sources.all if one.flow.flow == name]
    operation = source.operation()
    assert issubclass(operation, Poll)
    operation().poll(*source.prepared(), source.accept)
    shop.drain()


def ended(shop: Workshop, run: str) -> Any:
    return {one.event_type: one.state for one in shop.story(run).expectations}


def test_each_gets_its_order_where_its_profile_says_and_answers_from_there(shop: Workshop) -> None:
    acme, northwind = shop.simulator("supplier"), shop.simulator("northwind")

    runs = {acme: order(shop, 1, "ITM-1001", "BX"), northwind: order(shop, 2, "ITM-3001", "EA")}

    for supplier, run in runs.items():
        assert shop.store.run(run).state is RunState.DONE, shop.story(run).exceptions
        [got] = supplier.journal.wait("order", 1)
        assert got["purchase_order"] == shop.story(run).keys["purchase_order"]
        supplier.journal.wait("acknowledgement", 1)
    collect(shop, "supplier_inbox")
    collect(shop, "northwind_inbox")
    for supplier, run in runs.items():
        assert ended(shop, run)["purchase_order.acknowledged"] == "met"
        [answered] = supplier.journal.wait("answered", 1)
        assert answered["type"] in ("997", "CONTRL")
    assert [row.kind for row in shop.store.exceptions().rows] == []


def test_the_pack_of_both_has_no_findings(shop: Workshop) -> None:
    assert [str(one) for one in lint_pack(Pack.read(shop.pack)) if one.severity == "error"] == []


def test_a_partner_that_is_reached_nowhere_gets_no_order(shop: Workshop) -> None:
    profile = read_json(shop.pack / "partners" / "northwind.json")
    del profile["delivery"]
    shop._write("partners/northwind.json", profile)
    shop.again()

    run = order(shop, 2, "ITM-3001", "EA")

    assert shop.store.run(run).state is RunState.EXCEPTION
    [found] = shop.store.exceptions().rows
    assert "'northwind' does not say where what they are sent is put" in found.message
    assert shop.simulator("erp").orders() == []


def test_the_time_line_names_the_connection_that_was_used(shop: Workshop) -> None:
    run = order(shop, 2, "ITM-3001", "EA")
    outboxes = shop.store.runs(flow="supplier_outbox").rows
    sender = outboxes[0].id if outboxes else run

    told = Runs(shop.services).runs_show(sender)

    [sent] = [step for step in told["time_line"] if (step["kind"], step["node"]) == ("send", "send")]
    assert sent["connection"] == "northwind_sftp"
