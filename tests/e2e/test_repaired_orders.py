"""An order that could not be sent is a person's before it is the ERP's; put right and redriven, it is ordered once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.model.pack import demo_folder, read_json
from runtime.model.run import RunState
from runtime.services import Services
from tests.e2e.test_collected_orders import requisition
from tests.runtime.cli.command import orderly
from tests.workshop import Workshop

FLOWS = ("requisition_to_order", "supplier_outbox")
SUPPLIERS = "code,name,partner,status,edi\n4010,Acme Medical Supply,acme,approved,{edi}\n"


@pytest.fixture(params=["x12", "edifact"])
def shop(workshop: Callable[..., Workshop], tmp_path: Path, request: pytest.FixtureRequest) -> Workshop:
    """One of its contracts is in another currency."""
    demo = demo_folder()
    shutil.copytree(demo, tmp_path / "pack")
    simulators = read_json(demo / "pack.json")["simulators"]
    prices = {"ITM-1003": {"contract": "EU-1", "price": "20.00", "currency": "EUR", "unit": "EA"}}
    simulators["contract_prices"]["settings"] = {"prices": prices}
    return workshop(
        simulators=simulators, enabled=FLOWS,
        masterdata={"supplier": SUPPLIERS.format(edi=request.param)},
    )  # fmt: skip


def change(shop: Workshop, name: str, old: str, new: str) -> None:
    """A file of the pack is edited and taken in."""
    path = shop.pack / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    shop._write(name, text.replace(old, new))
    shop.again()


def ordered(shop: Workshop) -> list[str]:
    """The orders in the ERP, which forgets them when it is started again."""
    return [order["Number"] for order in shop.simulator("erp").orders()]


def refused(shop: Workshop, **more: Any) -> Any:
    """The exception of an order that is not sent; nothing was ordered."""
    run = shop.run("requisition_to_order", requisition(1, **more))
    assert run.state is RunState.EXCEPTION, run.why
    assert ordered(shop) == []
    [found] = shop.store.exceptions().rows
    assert found.message.startswith("Nothing was ordered: ")
    return found


def redriven(shop: Workshop, run: str, release: str = "pinned") -> RunState:
    shop.repair.redrive(run, "omar", "corrected", release)
    shop.drain()
    return shop.store.run(run).state


def test_master_data_that_is_corrected_is_read_again_by_a_redrive_and_ordered_once(shop: Workshop) -> None:
    change(shop, "masterdata/item.csv", "9521234300014,c", "9521234300015,c")
    found = refused(shop)
    assert "check digit" in found.message
    assert f"orderly runs redrive {found.run} (it reads them again)" in found.details["next_action"]
    assert redriven(shop, found.run) is RunState.EXCEPTION, "nothing was corrected"
    assert ordered(shop) == []

    change(shop, "masterdata/item.csv", "9521234300015,c", "9521234300014,c")

    assert redriven(shop, found.run) is RunState.DONE
    assert ordered(shop) == [shop.story(found.run).keys["purchase_order"]]
    [interchange] = shop.store.interchanges.listed(direction="out").rows
    assert [one["key"] for one in shop.store.interchanges.one(interchange["id"])["sets"]] == ordered(shop)


def test_a_supplier_that_is_approved_meanwhile_is_ordered_from_after_a_redrive(shop: Workshop) -> None:
    change(shop, "masterdata/supplier.csv", "approved", "blocked")
    run = shop.run("requisition_to_order", requisition(1))
    assert [row.kind for row in shop.store.exceptions().rows] == ["supplier_blocked"]

    change(shop, "masterdata/supplier.csv", "blocked", "approved")

    assert redriven(shop, run.id) is RunState.DONE
    assert len(ordered(shop)) == 1


def test_a_partner_without_a_profile_is_an_exception_before_the_order_and_a_redrive_takes_the_new_one(
    shop: Workshop,
) -> None:
    profile = (shop.pack / "partners" / "acme.json").read_text()
    (shop.pack / "partners" / "acme.json").unlink()
    shop.again()
    found = refused(shop)
    assert (found.kind, "no partner 'acme'" in found.message) == ("order_not_sendable", True)
    assert f"orderly runs redrive {found.run} --release current" in found.details["next_action"]

    shop._write("partners/acme.json", profile)
    shop.again()

    assert redriven(shop, found.run, "current") is RunState.DONE
    assert len(ordered(shop)) == 1


def test_a_price_that_no_order_can_have_is_an_exception_and_no_dead_letter(shop: Workshop) -> None:
    line = {"line_number": "1", "item_number": "ITM-1003", "description": "Suture", "quantity": "1", "unit": "EA"}

    found = refused(shop, lines=[line])

    assert "contract price is in EUR, the order is in USD" in found.message


def test_a_requisition_with_the_number_of_an_earlier_order_is_ordered(shop: Workshop) -> None:
    """What is foreseen is the document, not its number: that is the ERP's."""
    shop.run("requisition_to_order", requisition(1))

    run = shop.run("requisition_to_order", requisition(2, requisition_number=ordered(shop)[0]))

    assert run.state is RunState.DONE, shop.story(run.id).exceptions
    assert len(ordered(shop)) == 2


def test_an_order_that_cannot_be_sent_under_the_erp_s_number_goes_after_a_redrive(shop: Workshop) -> None:
    """Nobody can foresee the ERP's number: here one that was given before, as after a restore of the ERP."""
    shop.run("requisition_to_order", requisition(1))
    shop.again()
    run = shop.run("requisition_to_order", requisition(2))
    assert run.state is RunState.EXCEPTION
    [found] = shop.store.exceptions().rows
    assert "stands in the ERP and was not sent" in found.message
    assert "went to partner acme before" in found.message
    assert f"orderly runs redrive {run.id} --release current" in found.details["next_action"]
    assert len(ordered(shop)) == 1

    profile = read_json(shop.pack / "partners" / "acme.json")
    for standard in ("x12", "edifact"):
        profile[standard]["preflight"] = {"duplicate_document": "warn"}
    shop._write("partners/acme.json", profile)
    shop.again()

    assert redriven(shop, run.id, "current") is RunState.DONE
    assert ordered(shop) == [], "it was ordered before the ERP was started again, and not once more"


def test_what_the_exception_says_can_be_typed(shop: Workshop) -> None:
    change(shop, "masterdata/item.csv", "9521234300014,c", "9521234300015,c")
    found = refused(shop)
    change(shop, "masterdata/item.csv", "9521234300015,c", "9521234300014,c")
    words = found.details["next_action"].partition("orderly ")[2].partition(" (")[0].split()
    shop.services.stop()

    told = orderly(*words, "--pack", str(shop.pack), "--json", data=shop.settings.data)

    shop.services = Services(shop.settings)
    assert told.returncode == 0, told.stdout + told.stderr
    assert json.loads(told.stdout)[0]["run"] == found.run
    shop.drain()
    assert shop.store.run(found.run).state is RunState.DONE
