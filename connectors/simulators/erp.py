"""A purchasing ERP: SOAP 1.1 with a WSDL, and orders, budgets and suppliers in memory.

Journal: ``call`` (operation, fields), ``purchase_order`` (number, reference, requisition_number, supplier,
cost_center, total, lines), ``cancelled`` (number), ``confirmed`` (number, supplier_status, lines), ``receipt``
(receipt, number, reference, lines), ``fault`` (operation, code, message), ``hang_up`` (operation).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count as counting
from pathlib import Path
from typing import Any

from connectors.sdk import Simulator
from connectors.simulators.soap_endpoint import Fields, HangUp, SoapEndpoint, SoapFault

WSDL = Path(__file__).with_suffix(".wsdl")
FIRST_NUMBER = 4500000001
FIRST_RECEIPT = 5000000001

BUDGETS = {"CC-OR1": "250000.00", "CC-ICU": "120000.00", "CC-WARD3": "15000.00"}

SUPPLIERS = {
    "4010": {"Name": "Acme Medical Supply", "Status": "ACTIVE", "Approved": "true"},
    "4020": {"Name": "Northwind Surgical", "Status": "ACTIVE", "Approved": "true"},
    "4090": {"Name": "Shady Goods", "Status": "BLOCKED", "Approved": "false"},
}


@dataclass
class _Order:
    number: str
    fields: Fields
    status: str = "CREATED"
    supplier_status: str | None = None
    confirmation: list[Fields] | None = None


@dataclass
class _Misbehaviour:
    """What to do with the next ``left`` calls of an operation whose fields match."""

    operation: str
    left: int
    matching: Mapping[str, str] = field(default_factory=dict)
    code: str = ""

    def takes(self, operation: str, fields: Fields) -> bool:
        return (
            self.left > 0
            and operation == self.operation
            and all(fields.get(name) == value for name, value in self.matching.items())
        )


class Erp(Simulator):
    """Settings: ``user`` and ``password`` of basic authentication, ``budgets`` (cost centre -> amount),
    ``suppliers`` (number -> ``{Name, Status, Approved}``), ``currency``.

    Orders are not deduplicated by reference: a double post makes two, which is how doubling is seen. Budgets
    are not used up by orders, so that one requisition's result does not depend on another's.
    """

    def __init__(
        self,
        *,
        user: str = "orderly",
        password: str = "erp-demo-secret",  # noqa: S107 -- invented, for loopback only
        budgets: Mapping[str, str] = BUDGETS,
        suppliers: Mapping[str, Mapping[str, str]] = SUPPLIERS,
        currency: str = "USD",
    ) -> None:
        super().__init__(user=user, budgets=budgets, suppliers=suppliers, currency=currency)
        self._budgets = {name: Decimal(amount) for name, amount in budgets.items()}
        self._suppliers = suppliers
        self._currency = currency
        self._lock = threading.Lock()
        self._orders: dict[str, _Order] = {}
        self._numbers = counting(FIRST_NUMBER)
        self._receipts = counting(FIRST_RECEIPT)
        self._hang_ups: list[_Misbehaviour] = []
        self._faults: list[_Misbehaviour] = []
        self._delays: dict[str, float] = {}
        self._released = threading.Event()
        self._endpoint = SoapEndpoint(WSDL, "/erp", user, password, self._answer)
        self._operations = {
            "GetSupplier": self._get_supplier,
            "CheckBudget": self._check_budget,
            "CreatePurchaseOrder": self._create,
            "FindByReference": self._find,
            "ReadPurchaseOrder": self._read,
            "CancelPurchaseOrder": self._cancel,
            "ConfirmPurchaseOrder": self._confirm,
            "ReceiveGoods": self._receive,
        }

    def start(self) -> Mapping[str, str]:
        """Endpoints ``url`` (where calls go) and ``wsdl``."""
        self._endpoint.open()
        return {"url": self._endpoint.url, "wsdl": f"{self._endpoint.url}?wsdl"}

    def stop(self) -> None:
        self.release()
        self._endpoint.close()

    def orders(self) -> list[dict[str, Any]]:
        """The purchase orders ever created, oldest first, as ReadPurchaseOrder answers them."""
        with self._lock:
            return [_readable(order) for order in self._orders.values()]

    def slow(self, operation: str, seconds: float) -> None:
        """From now on the operation acts at once, but answers only after ``seconds`` or ``release()``."""
        with self._lock:
            self._released.set()
            self._released = threading.Event()
            self._delays[operation] = seconds

    def release(self) -> None:
        """Ends every ``slow``: answers that wait are sent, later ones do not wait."""
        with self._lock:
            self._delays.clear()
            self._released.set()

    def go_down(self) -> None:
        """Connections break, new ones are refused, until ``come_up``. An answer that was waiting is lost."""
        self._endpoint.cut()
        with self._lock:
            self._released.set()
            self._released = threading.Event()
        self._endpoint.down()

    def come_up(self) -> None:
        """Listens again on the same port, with all orders it had."""
        self._endpoint.open()

    def hang_up_after(self, operation: str, count: int = 1, **matching: str) -> None:
        """The next ``count`` calls with these fields act, and get no reply: the connection is closed."""
        with self._lock:
            self._hang_ups.append(_Misbehaviour(operation, count, matching))

    def fault_next(self, operation: str, code: str, count: int = 1) -> None:
        """The next ``count`` calls do nothing and are answered by a fault with this code."""
        with self._lock:
            self._faults.append(_Misbehaviour(operation, count, code=code))

    def _answer(self, operation: str, fields: Fields) -> Mapping[str, Any]:
        with self._lock:
            seconds, released = self._delays.get(operation, 0), self._released
        self.journal.write("call", operation=operation, fields=fields)
        try:
            reply = self._act(operation, fields)
        except SoapFault as fault:
            self.journal.write("fault", operation=operation, code=fault.code, message=fault.message)
            raise
        if seconds:
            released.wait(seconds)
        with self._lock:
            hangs_up = _take(self._hang_ups, operation, fields)
        if hangs_up:
            self.journal.write("hang_up", operation=operation)
            raise HangUp
        return reply

    def _act(self, operation: str, fields: Fields) -> Mapping[str, Any]:
        act = self._operations.get(operation)
        if act is None:
            raise SoapFault("UNKNOWN_OPERATION", f"there is no operation {operation}")
        with self._lock:
            ordered = _take(self._faults, operation, fields)
            if ordered:
                raise SoapFault(ordered.code, f"{operation} was told to fail with {ordered.code}", "Server")
            return act(fields)

    def _get_supplier(self, fields: Fields) -> Mapping[str, Any]:
        return {"Number": fields["Number"], **self._supplier(fields["Number"])}

    def _check_budget(self, fields: Fields) -> Mapping[str, Any]:
        available = self._available(fields["CostCenter"])
        status = "OK" if Decimal(fields["Amount"]) <= available else "EXCEEDED"
        return {"Status": status, "Available": str(available), "Currency": self._currency}

    def _create(self, fields: Fields) -> Mapping[str, Any]:
        self._available(fields["CostCenter"])
        supplier = self._supplier(fields["SupplierNumber"])
        if supplier["Status"] == "BLOCKED":
            raise SoapFault(
                "SUPPLIER_BLOCKED", f"supplier {fields['SupplierNumber']} {supplier['Name']} is blocked"
            )
        order = _Order(str(next(self._numbers)), fields)
        self._orders[order.number] = order
        self.journal.write(
            "purchase_order",
            number=order.number,
            reference=fields["Reference"],
            requisition_number=fields["RequisitionNumber"],
            supplier=fields["SupplierNumber"],
            cost_center=fields["CostCenter"],
            total=fields["Total"],
            lines=fields["Lines"],
        )
        return _state(order)

    def _find(self, fields: Fields) -> Mapping[str, Any]:
        reference = fields["Reference"]
        found = (order for order in self._orders.values() if order.fields["Reference"] == reference)
        order = next(found, None)
        return _state(order) if order else {}

    def _read(self, fields: Fields) -> Mapping[str, Any]:
        return _readable(self._order(fields["Number"]))

    def _cancel(self, fields: Fields) -> Mapping[str, Any]:
        order = self._order(fields["Number"])
        if order.status != "CANCELLED":
            order.status = "CANCELLED"
            self.journal.write("cancelled", number=order.number)
        return _state(order)

    def _confirm(self, fields: Fields) -> Mapping[str, Any]:
        order = self._order(fields["Number"])
        if (order.supplier_status, order.confirmation) != (fields["SupplierStatus"], fields["Lines"]):
            order.supplier_status, order.confirmation = fields["SupplierStatus"], fields["Lines"]
            self.journal.write(
                "confirmed",
                number=order.number,
                supplier_status=order.supplier_status,
                lines=order.confirmation,
            )
        return _state(order)

    def _receive(self, fields: Fields) -> Mapping[str, Any]:
        order = self._order(fields["Number"])
        receipt = str(next(self._receipts))
        self.journal.write(
            "receipt",
            receipt=receipt,
            number=order.number,
            reference=fields["Reference"],
            lines=fields["Lines"],
        )
        return {"ReceiptNumber": receipt}

    def _available(self, cost_center: str) -> Decimal:
        if cost_center not in self._budgets:
            raise SoapFault("UNKNOWN_COST_CENTER", f"cost centre {cost_center} does not exist")
        return self._budgets[cost_center]

    def _supplier(self, number: str) -> Mapping[str, str]:
        if number not in self._suppliers:
            raise SoapFault("UNKNOWN_SUPPLIER", f"supplier {number} does not exist")
        return self._suppliers[number]

    def _order(self, number: str) -> _Order:
        if number not in self._orders:
            raise SoapFault("UNKNOWN_PURCHASE_ORDER", f"purchase order {number} does not exist")
        return self._orders[number]


def _take(misbehaviours: list[_Misbehaviour], operation: str, fields: Fields) -> _Misbehaviour | None:
    for misbehaviour in misbehaviours:
        if misbehaviour.takes(operation, fields):
            misbehaviour.left -= 1
            return misbehaviour
    return None


def _state(order: _Order) -> dict[str, Any]:
    return {"Number": order.number, "Status": order.status}


def _readable(order: _Order) -> dict[str, Any]:
    confirmed = {} if order.confirmation is None else {"Confirmation": order.confirmation}
    return {**_state(order), "SupplierStatus": order.supplier_status, **order.fields, **confirmed}
