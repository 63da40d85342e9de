"""``soap.call`` against the ERP simulator over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.sdk import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.simulators.erp import WSDL, Erp
from connectors.soap.connector import CallOperation, CallParameters, SoapSettings, check, operations
from tests.harness import MemoryContext

LINE = {
    "LineNumber": "1",
    "ItemNumber": "ITM-1001",
    "Description": "Nitrile gloves",
    "Quantity": "5",
    "Unit": "BX",
    "UnitPrice": "2.50",
    "Amount": "12.50",
}
ORDER: dict[str, Any] = {
    "RequisitionNumber": "REQ-1",
    "SupplierNumber": "4010",
    "CostCenter": "CC-OR1",
    "Facility": "MERCY-MAIN",
    "Currency": "USD",
    "OrderDate": "2026-11-24",
    "NeedBy": "2026-12-01",
    "Total": "12.50",
    "Lines": {"Line": [LINE]},
}


def settings(erp: Erp, **changed: Any) -> SoapSettings:
    endpoints = erp.start()
    return SoapSettings.model_validate(
        {
            "url": endpoints["url"],
            "wsdl": endpoints["wsdl"],
            "auth": {"type": "basic", "user": "orderly", "password": "erp-demo-secret"},
            "allow": ["127.0.0.0/8"],
            "timeout": "10s",
            **changed,
        }
    )


@pytest.fixture
def erp() -> Iterator[Erp]:
    erp = Erp()
    erp.start()
    yield erp
    erp.stop()


@pytest.fixture
def context(erp: Erp) -> Iterator[MemoryContext]:
    context = MemoryContext(settings(erp), type="soap")
    yield context
    context.close()


def call(context: MemoryContext, operation: str, body: dict[str, Any], **more: Any) -> Any:
    parameters = CallParameters(operation=operation, body=body, **more)
    return CallOperation().run(parameters, context)


def test_an_order_lives_through_all_its_operations(erp: Erp, context: MemoryContext) -> None:
    """Every operation of the ERP is reached, and its answer is plain JSON with amounts and dates as text."""
    created = call(context, "CreatePurchaseOrder", ORDER, reference="k1")
    number = {"Number": "4500000001"}
    confirmed = call(
        context,
        "ConfirmPurchaseOrder",
        {
            **number,
            "SupplierStatus": "accepted",
            "Lines": {"Line": {"LineNumber": "1", "Status": "accepted", "Quantity": 5.0}},
        },
    )
    received = call(
        context,
        "ReceiveGoods",
        {**number, "Reference": "r1", "Lines": {"Line": [{"LineNumber": 1, "Quantity": 5, "Unit": "BX"}]}},
    )
    cancelled = call(context, "CancelPurchaseOrder", number)
    read = call(context, "ReadPurchaseOrder", number)

    assert created == {**number, "Status": "CREATED"}
    assert confirmed == {**number, "Status": "CREATED"}
    assert received == {"ReceiptNumber": "5000000001"}
    assert cancelled == {**number, "Status": "CANCELLED"}
    assert read == {
        **ORDER,
        **cancelled,
        "Reference": "k1",
        "SupplierStatus": "accepted",
        "Confirmation": {"Line": [{"LineNumber": "1", "Status": "accepted", "Quantity": "5"}]},
    }


def test_reads_answer_with_typed_values(context: MemoryContext) -> None:
    """Booleans are booleans, amounts are text."""
    supplier = call(context, "GetSupplier", {"Number": "4090"})
    budget = call(context, "CheckBudget", {"CostCenter": "CC-ICU", "Amount": 120000.01})

    assert supplier == {"Number": "4090", "Name": "Shady Goods", "Status": "BLOCKED", "Approved": False}
    assert budget == {"Status": "EXCEEDED", "Available": "120000.00", "Currency": "USD"}


def test_what_is_not_found_is_absent(context: MemoryContext) -> None:
    """``$exists(Number)`` tells whether an order was found, so an absent element is no null."""
    call(context, "CreatePurchaseOrder", ORDER, reference="k1")

    assert call(context, "FindByReference", {"Reference": "k1"}) == {
        "Number": "4500000001",
        "Status": "CREATED",
    }
    assert call(context, "FindByReference", {"Reference": "k2"}) == {}


def test_a_collapsed_list_is_a_list_again(erp: Erp, context: MemoryContext) -> None:
    """JSONata makes one line of a list of one; the WSDL says that lines repeat."""
    call(context, "CreatePurchaseOrder", {**ORDER, "Lines": {"Line": LINE}}, reference="k1")

    assert erp.orders()[0]["Lines"] == [LINE]


def test_a_reference_in_the_body_is_left_alone(erp: Erp, context: MemoryContext) -> None:
    """The flow's own word counts."""
    call(context, "CreatePurchaseOrder", {**ORDER, "Reference": "mine"}, reference="k1")

    assert erp.orders()[0]["Reference"] == "mine"


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"CostCenter": "CC-NONE"}, "UNKNOWN_COST_CENTER"), ({"SupplierNumber": "4090"}, "SUPPLIER_BLOCKED")],
)
def test_a_fault_is_a_refusal_with_the_peers_own_code(
    erp: Erp, context: MemoryContext, changed: dict[str, str], code: str
) -> None:
    """The faults table of the connection is matched against ``code``."""
    with pytest.raises(Rejected) as refused:
        call(context, "CreatePurchaseOrder", {**ORDER, **changed}, reference="k1")

    assert refused.value.code == code
    assert refused.value.details["faultcode"] == "Client"
    assert refused.value.details["faultstring"] in refused.value.message
    assert erp.orders() == []


def test_a_hang_up_is_an_unknown_outcome_and_one_order(erp: Erp, context: MemoryContext) -> None:
    """Nothing is sent a second time beneath us, and the look-up finds what was made."""
    erp.hang_up_after("CreatePurchaseOrder", RequisitionNumber="REQ-1")

    with pytest.raises(OutcomeUnknown):
        call(context, "CreatePurchaseOrder", ORDER, reference="k1")

    assert len(erp.journal.entries("purchase_order")) == 1
    assert call(context, "FindByReference", {"Reference": "k1"})["Number"] == "4500000001"


def test_silence_past_the_timeout_is_an_unknown_outcome_and_one_order(erp: Erp) -> None:
    """The total time is bounded, and what was sent is sent."""
    context = MemoryContext(settings(erp, timeout="500ms"), type="soap")
    call(context, "GetSupplier", {"Number": "4010"})
    erp.slow("CreatePurchaseOrder", 60)

    with pytest.raises(OutcomeUnknown):
        call(context, "CreatePurchaseOrder", ORDER, reference="k1")

    assert len(erp.orders()) == 1
    context.close()


def test_an_erp_that_is_down_was_not_sent_anything(erp: Erp, context: MemoryContext) -> None:
    """Also on the connection that was kept alive; and once it is up again the same context goes on."""
    call(context, "GetSupplier", {"Number": "4010"})
    erp.go_down()

    with pytest.raises(NotSent):
        call(context, "CreatePurchaseOrder", ORDER, reference="k1")

    erp.come_up()
    assert call(context, "CreatePurchaseOrder", ORDER, reference="k1")["Number"] == "4500000001"


def test_a_wsdl_that_cannot_be_had_now_was_not_sent_anything(erp: Erp, context: MemoryContext) -> None:
    """The first call of all is retried like any other."""
    erp.go_down()

    with pytest.raises(NotSent):
        call(context, "CreatePurchaseOrder", ORDER, reference="k1")


def test_wrong_credentials_are_told_apart(erp: Erp) -> None:
    """The connection is paused for a person; nothing is called."""
    auth = {"type": "basic", "user": "orderly", "password": "wrong"}
    context = MemoryContext(settings(erp, auth=auth, wsdl=str(WSDL)), type="soap")

    with pytest.raises(CredentialsRefused):
        call(context, "CreatePurchaseOrder", ORDER, reference="k1")

    assert erp.journal.entries() == []
    context.close()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"Totals": "1"}, "body.Totals"),
        ({"Total": "1,50"}, "body.Total"),
        ({"Total": None}, "body.Total"),
        ({"Total": ["1", "2"]}, "body.Total"),
        ({"OrderDate": "24.11.2026"}, "body.OrderDate"),
        ({"OrderDate": "2026-13-24"}, "body.OrderDate"),
        ({"Lines": {"Line": []}}, "body.Lines.Line"),
        ({"Lines": [LINE]}, "body.Lines"),
        ({"Lines": {"Line": [LINE, {**LINE, "Colour": "blue"}]}}, "body.Lines.Line[1].Colour"),
        ({"Lines": {"Line": [{**LINE, "Quantity": "five"}]}}, "body.Lines.Line[0].Quantity"),
        ({"Lines": {"Line": [{"LineNumber": "1"}]}}, "body.Lines.Line.ItemNumber"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_before_anything_is_sent(
    erp: Erp, context: MemoryContext, changed: dict[str, Any], field: str
) -> None:
    """The field is named, and the ERP never hears of it."""
    with pytest.raises(Misconfigured) as refused:
        call(context, "CreatePurchaseOrder", {**ORDER, **changed}, reference="k1")

    assert refused.value.field == field
    assert refused.value.next_action
    assert erp.journal.entries() == []


@pytest.mark.parametrize(
    ("operation", "more", "field", "hint"),
    [
        ("CreateOrder", {}, "operation", "CreatePurchaseOrder"),
        ("GetSupplier", {"reference": "k1"}, "reference", "reference_element"),
        ("GetSupplier", {"headers": {"Session": "1"}}, "headers.Session", "nothing"),
    ],
)
def test_a_call_that_the_wsdl_does_not_know_is_refused(
    erp: Erp, context: MemoryContext, operation: str, more: dict[str, Any], field: str, hint: str
) -> None:
    """With what there is instead."""
    with pytest.raises(Misconfigured) as refused:
        call(context, operation, {"Number": "4010"}, **more)

    assert (refused.value.field, erp.journal.entries()) == (field, [])
    assert hint in refused.value.next_action


def test_threads_share_one_peer(erp: Erp, context: MemoryContext) -> None:
    """Each caller gets the answer to its own request."""
    call(context, "GetSupplier", {"Number": "4010"})

    def create(n: int) -> tuple[str, str]:
        body = {**ORDER, "RequisitionNumber": f"REQ-{n}"}
        number = call(context, "CreatePurchaseOrder", body, reference=f"k{n}")["Number"]
        return number, call(context, "ReadPurchaseOrder", {"Number": number})["RequisitionNumber"]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(create, range(40)))

    assert [requisition for _, requisition in results] == [f"REQ-{n}" for n in range(40)]
    assert len({number for number, _ in results}) == 40


def test_check_loads_the_wsdl_and_reaches_the_endpoint_without_calling_anything(
    erp: Erp, context: MemoryContext
) -> None:
    """The operations are listed, so that a wrong WSDL is seen at once."""
    found = check(context)

    assert found.ok, found
    assert "CreatePurchaseOrder" in found.message
    assert erp.journal.entries() == []


def test_check_says_what_to_do_when_the_endpoint_is_down(erp: Erp) -> None:
    """A file WSDL loads, but nobody answers."""
    context = MemoryContext(settings(erp, wsdl=str(WSDL)), type="soap")
    erp.go_down()

    found = check(context)

    assert (found.ok, bool(found.next_action)) == (False, True)
    context.close()


def test_operations_are_listed_from_a_file() -> None:
    """With the signatures a person fills in."""
    [budget] = [outline for outline in operations(str(WSDL)) if outline.name == "CheckBudget"]

    assert budget.input == "CostCenter: xsd:string, Amount: xsd:decimal"
    assert budget.output.startswith("Status: ")
    assert (budget.service, budget.port) == ("Purchasing", "Purchasing")
