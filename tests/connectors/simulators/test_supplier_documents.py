"""What the supplier answers, in X12 and in EDIFACT: functional acknowledgement, order response, despatch, invoice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.sdk import Misconfigured
from connectors.sdk.gs1 import check_digit, is_whole
from connectors.sftp.connector import Collect, Deliver
from connectors.sftp.settings import SftpSettings
from connectors.simulators.gs1 import company_prefix, sscc
from connectors.simulators.supplier import Supplier
from tests.connectors.file.contract import Place
from tests.connectors.simulators.supplier_formats import FORMATS, HOSPITAL, ITEMS, NOW, SUPPLIER, Format

ALL = ("despatch_advice", "invoice")


@pytest.fixture
def supplier() -> Iterator[Supplier]:
    made = Supplier(now=lambda: NOW, sends=ALL, lots=2)
    made.endpoints = made.start()  # type: ignore[attr-defined]
    yield made
    made.stop()


@pytest.fixture
def place(supplier: Supplier) -> Iterator[Place]:
    settings = SftpSettings.model_validate(
        {**supplier.endpoints, "user": "orderly", "password": "supplier-demo-secret"}  # type: ignore[attr-defined]
    )
    made = Place(settings, supplier.folder, Collect(), Deliver())
    yield made
    made.close()


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


def values(of: Any, name: str) -> list[str]:
    """Every value of this name, at any depth."""
    if isinstance(of, list):
        return [found for one in of for found in values(one, name)]
    if not isinstance(of, dict):
        return []
    here = [of[name]] if isinstance(of.get(name), str) else []
    return here + [found for one in of.values() for found in values(one, name)]


def test_an_order_is_answered_functionally_then_acknowledged_despatched_and_invoiced(
    supplier: Supplier, place: Place, format: Format
) -> None:
    """Four files in the order's format, without a fault, each with a number of its own."""
    place.deliver("/in/1.edi", format.orders(1, ("10",)))
    supplier.journal.wait("invoice", purchase_order="PO-1-1")

    found = format.collected(place)

    assert [entry["kind"] for entry in supplier.journal.entries()] == [
        "order", "functional_acknowledgement", "acknowledgement", "despatch_advice", "invoice",
    ]  # fmt: skip
    assert {one.type for one in found} == set(format.types.values())
    assert [one.faults for one in found] == [()] * 4
    assert len({one.control_number for one in found}) == 4
    assert all(one.is_test for one in found)


def test_without_being_asked_it_sends_neither_despatch_advice_nor_invoice(format: Format) -> None:
    supplier = Supplier(now=lambda: NOW)
    raw = format.orders(1, ("10",)).encode()

    kinds = [reply.kind for reply in supplier.robot.answer(raw, "/in/1.edi")]

    assert kinds == ["functional_acknowledgement", "acknowledgement"]


def test_a_supplier_in_production_answers_in_production(supplier: Supplier, place: Place, format: Format) -> None:
    place.deliver("/in/1.edi", format.orders(1, ("10",), test=False))
    supplier.journal.wait("invoice")

    assert [one.is_test for one in format.collected(place)] == [False] * 4


def test_each_interchange_is_answered_once(supplier: Supplier, place: Place, format: Format) -> None:
    place.deliver("/in/1.edi", format.orders(1, ("10",)))
    place.deliver("/in/2.edi", format.orders(1, ("10",)))

    [entry] = supplier.journal.wait("duplicate_interchange")

    assert entry["path"] == "/in/2.edi"
    assert len(supplier.journal.entries("order")) == 1


def test_an_order_response_says_what_becomes_of_each_line(supplier: Supplier, place: Place) -> None:
    """EDIFACT; of X12 ``test_supplier`` tells."""
    format = FORMATS["edifact"]
    supplier.answer("AC-SYR-10", "rejected")
    supplier.answer("ITM-1003", "changed")
    place.deliver("/in/1.edi", format.orders(1, ("501", "5", "8"), ("6",)))

    mixed, plain = format.answers(supplier, place, "acknowledgement", 2)

    assert mixed.document["beginning"]["function"] == "4"
    assert plain.document["beginning"]["function"] == "29"
    assert mixed.document["references"][0] == {"qualifier": "ON", "number": "PO-1-1"}
    told = [
        (line["action"], [(one["qualifier"], one["quantity"]) for one in line["quantities"]], line.get("dates"))
        for line in mixed.document["lines"]
    ]
    assert told == [
        ("3", [("21", "501"), ("83", "501")], [{"qualifier": "67", "value": "20261208", "format": "102"}]),
        ("7", [("21", "5")], None),
        ("3", [("21", "8"), ("113", "4")], [{"qualifier": "67", "value": "20261127", "format": "102"}]),
    ]
    assert mixed.document["lines"][0]["item"] == ITEMS[0][0]


def test_an_order_wholly_rejected_is_not_accepted_and_nothing_is_sent(
    supplier: Supplier, place: Place, format: Format
) -> None:
    supplier.answer("PO-1-1", "rejected")
    supplier.answer("PO-1-2", "backordered")
    place.deliver("/in/1.edi", format.orders(1, ("10",), ("10",), ("10",)))
    supplier.journal.wait("invoice")

    despatched = [entry["purchase_order"] for entry in supplier.journal.entries("despatch_advice")]
    invoiced = [entry["purchase_order"] for entry in supplier.journal.entries("invoice")]

    assert despatched == invoiced == ["PO-1-3"]


def test_a_despatch_advice_tells_sscc_lots_and_expiry(supplier: Supplier, place: Place, format: Format) -> None:
    """Ten of the first line in two lots; of the second what can be delivered."""
    supplier.answer("ITM-1002", "changed")
    place.deliver("/in/1.edi", format.orders(1, ("11", "4")))

    [advice] = format.answers(supplier, place, "despatch_advice")

    [entry] = supplier.journal.entries("despatch_advice")
    lots = [(one["line_number"], one["quantity"], one["expiry"]) for one in entry["lots"]]
    assert lots == [
        ("1", "5", "20281123"), ("1", "6", "20281223"), ("2", "1", "20281123"), ("2", "1", "20281223"),
    ]  # fmt: skip
    assert is_whole(entry["sscc"])
    told = str(advice.document)
    assert entry["sscc"] in told
    assert all(one["lot"] in told and one["expiry"] in told for one in entry["lots"])
    assert "PO-1-1" in told


def test_the_levels_of_an_856_are_shipment_order_carton_and_a_lot_each(supplier: Supplier, place: Place) -> None:
    format = FORMATS["x12"]
    place.deliver("/in/1.edi", format.orders(1, ("10",)))

    [advice] = format.answers(supplier, place, "despatch_advice")

    [shipment] = advice.document["shipments"]
    [order] = shipment["orders"]
    [pack] = order["packs"]
    assert pack["marks"][0]["qualifier"] == "GM"
    assert [item["shipped"]["quantity"] for item in pack["items"]] == ["5", "5"]
    assert [item["item"]["product_ids"][-1]["qualifier"] for item in pack["items"]] == ["LT", "LT"]
    assert [item["dates"][0]["qualifier"] for item in pack["items"]] == ["036", "036"]


def test_a_line_of_a_desadv_stands_in_the_packing_of_its_carton(supplier: Supplier, place: Place) -> None:
    format = FORMATS["edifact"]
    place.deliver("/in/1.edi", format.orders(1, ("10",)))

    [advice] = format.answers(supplier, place, "despatch_advice")

    _, carton = advice.document["packings"]
    assert carton["parent"] == "1"
    assert carton["packages"][0]["markings"][0]["identities"][0]["qualifier"] == "BJ"
    [line] = carton["lines"]
    assert [one["instruction"] for one in line["markings"]] == ["36E", "36E"]
    assert [one["dates"][0]["qualifier"] for one in line["markings"]] == ["36", "36"]
    assert [one["identities"][0]["qualifier"] for one in line["markings"]] == ["BX", "BX"]


@pytest.mark.parametrize(("price", "total"), [("", "129.60"), ("7.95", "136.60")])
def test_an_invoice_charges_the_ordered_price_unless_told_otherwise(
    supplier: Supplier, place: Place, format: Format, price: str, total: str
) -> None:
    """Ten of the first line at either price, half of sixteen of the second at 7.20."""
    if price:
        supplier.invoice_at("ITM-1001", "7.90")
    supplier.answer("ITM-1002", "changed")
    place.deliver("/in/1.edi", format.orders(1, ("10", "16")))

    [invoice] = format.answers(supplier, place, "invoice")

    [entry] = supplier.journal.entries("invoice")
    assert entry["total"] == total
    assert entry["prices"] == (["7.90", "7.20"] if price else ["7.20", "7.20"])
    assert (
        values(invoice.document["lines"], "unit_price") + values(invoice.document["lines"], "price")
        == entry["prices"]
    )
    assert total.replace(".", "") in str(invoice.document).replace(".", "")


def test_an_order_for_another_is_told_and_not_answered(supplier: Supplier, place: Place) -> None:
    format = FORMATS["edifact"]
    place.deliver("/in/odd.edi", format.orders(1, ("10",)).replace(SUPPLIER, "9521234700012"))
    place.deliver("/in/broken.edi", "UNB+UNOC")
    place.deliver("/in/1.edi", format.orders(2, ("10",)))

    supplier.journal.wait("invoice")

    assert [entry["path"] for entry in supplier.journal.entries("unreadable")] == ["/in/odd.edi", "/in/broken.edi"]
    assert [entry["purchase_order"] for entry in supplier.journal.entries("order")] == ["PO-2-1"]


def test_a_kind_of_document_that_it_does_not_send_is_refused() -> None:
    with pytest.raises(Misconfigured, match="remittance"):
        Supplier(sends=["remittance"])


def test_all_invented_numbers_have_right_check_digits() -> None:
    """Known from the GS1 General Specifications: 629104150021 takes a 3."""
    assert check_digit("629104150021") == "3"
    assert all(is_whole(one) for one in (HOSPITAL, SUPPLIER, *(gtin for gtin, _ in ITEMS), sscc("952123460", 7)))
    assert not is_whole("9521234500015")
    with pytest.raises(ValueError, match="more than the 7 digits"):
        sscc("952123460", 10**7)


def test_packages_of_a_supplier_who_is_known_by_something_else_than_a_gln_have_whole_numbers() -> None:
    assert company_prefix("4012345000092"[:12] + check_digit("401234500009")) == "401234500"
    for id in ("x", "ACMEMED", "12"):
        assert is_whole(sscc(company_prefix(id), 7))
