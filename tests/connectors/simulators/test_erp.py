"""The ERP simulator, spoken to over its socket as any SOAP client would."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests
from lxml import etree

from connectors.simulators.erp import Erp

AUTH = ("orderly", "erp-demo-secret")
LINE = (
    "<LineNumber>1</LineNumber><ItemNumber>ITM-1001</ItemNumber><Description>Gloves</Description>"
    "<Quantity>5</Quantity><Unit>BX</Unit><UnitPrice>2.50</UnitPrice><Amount>12.50</Amount>"
)


def order(requisition: str = "REQ-1", reference: str = "k1", **changed: str) -> str:
    fields = {
        "Reference": reference,
        "RequisitionNumber": requisition,
        "SupplierNumber": "4010",
        "CostCenter": "CC-OR1",
        "Facility": "MERCY-MAIN",
        "Currency": "USD",
        "OrderDate": "2026-11-24",
        "Total": "12.50",
        **changed,
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f"{inner}<Lines><Line>{LINE}</Line></Lines>"


@pytest.fixture
def erp() -> Iterator[Erp]:
    erp = Erp()
    erp.start()
    yield erp
    erp.stop()


def post(erp: Erp, operation: str, inner: str) -> requests.Response:
    envelope = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<{operation} xmlns="urn:orderly:erp">{inner}</{operation}></soap:Body></soap:Envelope>'
    )
    return requests.post(erp.start()["url"], envelope, headers={"Content-Type": "text/xml"}, auth=AUTH, timeout=10)


def text(response: requests.Response, name: str) -> str | None:
    return etree.fromstring(response.content).findtext(f".//{{*}}{name}")


def test_the_wsdl_names_the_address_it_is_served_at(erp: Erp) -> None:
    """A client needs nothing but the WSDL's URL."""
    endpoints = erp.start()

    wsdl = etree.fromstring(requests.get(endpoints["wsdl"], auth=AUTH, timeout=10).content)

    address = wsdl.find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address is not None
    assert address.get("location") == endpoints["url"]


def test_nothing_is_answered_without_credentials(erp: Erp) -> None:
    """The WSDL is no exception, and a refused call leaves no trace in the journal."""
    endpoints = erp.start()

    statuses = [
        requests.get(endpoints["wsdl"], timeout=10).status_code,
        requests.post(endpoints["url"], b"<x/>", auth=("orderly", "wrong"), timeout=10).status_code,
    ]

    assert statuses == [401, 401]
    assert erp.journal.entries() == []


@pytest.mark.parametrize(
    ("number", "status", "approved"), [("4010", "ACTIVE", "true"), ("4090", "BLOCKED", "false")]
)
def test_a_supplier_is_told_with_its_status(erp: Erp, number: str, status: str, approved: str) -> None:
    """Blocked suppliers are told, not hidden."""
    reply = post(erp, "GetSupplier", f"<Number>{number}</Number>")

    assert (text(reply, "Status"), text(reply, "Approved")) == (status, approved)


@pytest.mark.parametrize(("amount", "status"), [("15000.00", "OK"), ("15000.01", "EXCEEDED")])
def test_a_budget_is_exceeded_by_a_cent(erp: Erp, amount: str, status: str) -> None:
    """Amounts are decimals."""
    reply = post(erp, "CheckBudget", f"<CostCenter>CC-WARD3</CostCenter><Amount>{amount}</Amount>")

    assert (text(reply, "Status"), text(reply, "Available")) == (status, "15000.00")


@pytest.mark.parametrize(
    ("operation", "inner", "code"),
    [
        ("CheckBudget", "<CostCenter>CC-NONE</CostCenter><Amount>1</Amount>", "UNKNOWN_COST_CENTER"),
        ("CreatePurchaseOrder", order(CostCenter="CC-NONE"), "UNKNOWN_COST_CENTER"),
        ("CreatePurchaseOrder", order(SupplierNumber="4090"), "SUPPLIER_BLOCKED"),
        ("CreatePurchaseOrder", order(Total="dear"), "INVALID_REQUEST"),
        ("GetSupplier", "<Number>1</Number>", "UNKNOWN_SUPPLIER"),
        ("ReadPurchaseOrder", "<Number>1</Number>", "UNKNOWN_PURCHASE_ORDER"),
        ("CancelPurchaseOrder", "<Number>1</Number>", "UNKNOWN_PURCHASE_ORDER"),
        ("Surprise", "", "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_done_is_a_fault_with_a_code(erp: Erp, operation: str, inner: str, code: str) -> None:
    """Faults are HTTP 500 (SOAP 1.1, 6.2) with the ERP's code in the detail, and nothing is created."""
    reply = post(erp, operation, inner)

    assert (reply.status_code, text(reply, "ErrorCode")) == (500, code)
    assert erp.orders() == []


def test_a_double_post_makes_two_orders(erp: Erp) -> None:
    """References are not compared: this is how tests see doubling."""
    numbers = [text(post(erp, "CreatePurchaseOrder", order()), "Number") for _ in range(2)]

    assert numbers == ["4500000001", "4500000002"]
    created = erp.journal.entries("purchase_order", reference="k1", requisition_number="REQ-1")
    assert [(entry["number"], entry["total"]) for entry in created] == [(n, "12.50") for n in numbers]


def test_an_order_is_found_by_its_reference_or_not_at_all(erp: Erp) -> None:
    """An unknown reference is an empty answer, no fault."""
    post(erp, "CreatePurchaseOrder", order(reference="k7"))

    found = post(erp, "FindByReference", "<Reference>k7</Reference>")
    unknown = post(erp, "FindByReference", "<Reference>k8</Reference>")

    assert text(found, "Number") == "4500000001"
    assert (unknown.status_code, text(unknown, "Number")) == (200, None)


def test_confirming_twice_is_recorded_once(erp: Erp) -> None:
    """The supplier's acknowledgement may be told again after a lost answer."""
    post(erp, "CreatePurchaseOrder", order())
    confirmation = (
        "<Number>4500000001</Number><SupplierStatus>accepted</SupplierStatus><Lines><Line>"
        "<LineNumber>1</LineNumber><Status>accepted</Status><Quantity>5</Quantity></Line></Lines>"
    )

    for _ in range(2):
        post(erp, "ConfirmPurchaseOrder", confirmation)

    assert len(erp.journal.entries("confirmed", number="4500000001", supplier_status="accepted")) == 1
    assert erp.orders()[0]["SupplierStatus"] == "accepted"


def test_a_receipt_gets_a_number(erp: Erp) -> None:
    """Goods are received against an order."""
    post(erp, "CreatePurchaseOrder", order())
    received = "<LineNumber>1</LineNumber><Quantity>5</Quantity><Unit>BX</Unit>"

    reply = post(
        erp,
        "ReceiveGoods",
        f"<Number>4500000001</Number><Reference>r1</Reference><Lines><Line>{received}</Line></Lines>",
    )

    [receipt] = erp.journal.entries("receipt", number="4500000001", reference="r1")
    assert receipt["receipt"] == text(reply, "ReceiptNumber")


def test_a_hang_up_acts_and_says_nothing(erp: Erp) -> None:
    """Only the call that matches is hung up on; the order exists nevertheless."""
    erp.hang_up_after("CreatePurchaseOrder", RequisitionNumber="REQ-7")

    other = post(erp, "CreatePurchaseOrder", order("REQ-6"))
    with pytest.raises(requests.ConnectionError):
        post(erp, "CreatePurchaseOrder", order("REQ-7"))
    again = post(erp, "CreatePurchaseOrder", order("REQ-7"))

    assert (other.status_code, again.status_code) == (200, 200)
    assert [o["RequisitionNumber"] for o in erp.orders()] == ["REQ-6", "REQ-7", "REQ-7"]
    assert len(erp.journal.entries("hang_up", operation="CreatePurchaseOrder")) == 1


def test_a_fault_on_command_does_nothing_and_passes(erp: Erp) -> None:
    """The next call after it works."""
    erp.fault_next("CreatePurchaseOrder", "LOCKED")

    replies = [post(erp, "CreatePurchaseOrder", order()) for _ in range(2)]

    assert text(replies[0], "ErrorCode") == "LOCKED"
    assert text(replies[1], "Number") == "4500000001"


def test_down_refuses_connections_and_up_is_the_same_port_with_the_same_orders(erp: Erp) -> None:
    """An outage loses no order, and costs nobody a new address."""
    url = erp.start()["url"]
    post(erp, "CreatePurchaseOrder", order())

    erp.go_down()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(url, timeout=10)
    erp.come_up()

    assert erp.start()["url"] == url
    assert text(post(erp, "ReadPurchaseOrder", "<Number>4500000001</Number>"), "Reference") == "k1"


def test_a_kept_alive_connection_breaks_when_the_erp_goes_down(erp: Erp) -> None:
    """Down means down for everybody, also for who was connected already."""
    endpoints = erp.start()
    with requests.Session() as session:
        session.auth = AUTH
        assert session.get(endpoints["wsdl"], timeout=10).status_code == 200

        erp.go_down()

        with pytest.raises(requests.ConnectionError):
            session.get(endpoints["wsdl"], timeout=10)


def test_a_slow_operation_has_acted_before_it_answers(erp: Erp) -> None:
    """The caller waits, the order is there; ``release`` ends the wait."""
    erp.slow("CreatePurchaseOrder", 60)
    replies: list[requests.Response] = []
    caller = threading.Thread(target=lambda: replies.append(post(erp, "CreatePurchaseOrder", order())))
    caller.start()

    erp.journal.wait("purchase_order")
    before = list(replies)
    erp.release()
    caller.join(10)

    assert before == []
    assert [text(reply, "Number") for reply in replies] == ["4500000001"]


def test_going_down_loses_the_answer_of_a_slow_operation(erp: Erp) -> None:
    """The caller cannot know that the order exists."""
    erp.slow("CreatePurchaseOrder", 60)
    outcomes: list[str] = []

    def call() -> None:
        try:
            outcomes.append(f"answered {post(erp, 'CreatePurchaseOrder', order()).status_code}")
        except requests.ConnectionError:
            outcomes.append("broken")

    caller = threading.Thread(target=call)
    caller.start()
    erp.journal.wait("purchase_order")
    erp.go_down()
    caller.join(10)

    assert outcomes == ["broken"]
    assert len(erp.orders()) == 1


def test_a_request_with_a_document_type_declaration_is_refused(erp: Erp) -> None:
    """The simulator is as careful as what it stands for."""
    reply = requests.post(erp.start()["url"], b'<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>', auth=AUTH, timeout=10)

    assert (reply.status_code, text(reply, "ErrorCode")) == (500, "INVALID_REQUEST")
