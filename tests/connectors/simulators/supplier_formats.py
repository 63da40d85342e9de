"""What the hospital sends the supplier and reads from it, in X12 and in EDIFACT."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.edifact import codec as edifact
from connectors.edifact.lossless import text_of
from connectors.simulators.supplier import Supplier
from connectors.simulators.supplier_edifact import TYPES as EDIFACT_TYPES
from connectors.simulators.supplier_x12 import TYPES as X12_TYPES
from connectors.x12 import codec as x12
from connectors.x12.lossless import text_of as x12_text_of
from tests.connectors.file.contract import Door, Place

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HOSPITAL, SUPPLIER = "9521234500018", "9521234600015"
ITEMS = (("9521234300014", "AC-GLV-M"), ("9521234300021", "AC-SYR-10"), ("9521234300038", "AC-SUT-01"))


@dataclass(frozen=True)
class Answer:
    """One set or message of one collected file; ``faults`` are the codes of those that reject the file."""

    file: str
    control_number: str
    type: str
    is_test: bool
    document: dict[str, Any]
    faults: tuple[str, ...]
    raw: bytes


class Format(ABC):
    """``types`` names the sets or messages by kind of reply."""

    types: dict[str, str]

    @abstractmethod
    def orders(self, number: int, *orders: tuple[str, ...], test: bool = True) -> str:
        """One interchange of orders ``PO-<number>-1`` ..., each given by its lines' quantities."""

    @abstractmethod
    def read(self, file: str, raw: bytes) -> list[Answer]:
        """Everything in it, good or bad."""

    def collected(self, place: Place) -> list[Answer]:
        """What is there now, by file name."""
        door = Door()
        place.collect(door)
        arrived = sorted(door.arrivals, key=lambda one: one.headers["file_name"])
        return [answer for one in arrived for answer in self.read(one.headers["file_name"], one.raw)]

    def answers(self, supplier: Supplier, place: Place, kind: str, count: int = 1) -> list[Answer]:
        """Those of one kind, once the journal has so many."""
        supplier.journal.wait(kind, count)
        return [one for one in self.collected(place) if one.type == self.types[kind]]


class X12(Format):
    types = X12_TYPES

    def orders(self, number: int, *orders: tuple[str, ...], test: bool = True) -> str:
        sets = [("850", _850(f"PO-{number}-{index}", quantities)) for index, quantities in enumerate(orders, 1)]
        us, them = x12.Party("ZZ", "MERCYHOSP"), x12.Party("ZZ", "ACMEMED")
        return x12.write(
            x12.interchange(x12.Envelope(us, them, number, number, NOW, "T" if test else "P"), sets)
        ).decode()

    def read(self, file: str, raw: bytes) -> list[Answer]:
        document = x12.read(raw)
        found = tuple(one.code for one in x12.faults(document) if one.severity == "reject")
        return [
            Answer(
                file,
                x12_text_of(one["header"], 13),
                x12.set_type(each),
                x12_text_of(one["header"], 15) == "T",
                x12.named(each),
                found,
                raw,
            )
            for one in document["interchanges"]
            for group in one["groups"]
            for each in group["sets"]
        ]


class Edifact(Format):
    types = EDIFACT_TYPES

    def orders(self, number: int, *orders: tuple[str, ...], test: bool = True) -> str:
        messages = [
            ("ORDERS", _orders(f"PO-{number}-{index}", quantities)) for index, quantities in enumerate(orders, 1)
        ]
        us, them = edifact.Party(HOSPITAL, "14"), edifact.Party(SUPPLIER, "14")
        envelope = edifact.Envelope(us, them, str(number), NOW, is_test=test)
        return edifact.write(edifact.interchange(envelope, messages)).decode()

    def read(self, file: str, raw: bytes) -> list[Answer]:
        checked = edifact.examine(edifact.read(raw))
        found = tuple(fault.code for one in checked for fault in one.all_faults() if fault.severity == "reject")
        return [
            Answer(
                file,
                one.control_reference,
                each.type,
                text_of(one.header, 11) == "1",
                each.document or {},
                found,
                raw,
            )
            for one in checked
            for group in one.groups
            for each in group.messages
        ]


FORMATS: dict[str, Format] = {"x12": X12(), "edifact": Edifact()}


def _850(order: str, quantities: tuple[str, ...]) -> dict[str, Any]:
    lines = [
        {
            "line_number": str(number),
            "quantity": quantity,
            "unit": "BX",
            "unit_price": "7.20",
            "product_ids": [
                {"qualifier": "VN", "id": suppliers},
                {"qualifier": "BP", "id": f"ITM-100{number}"},
                {"qualifier": "UK", "id": f"0{gtin}"},
            ],
        }
        for number, (quantity, (gtin, suppliers)) in enumerate(zip(quantities, ITEMS, strict=False), 1)
    ]
    return {
        "beginning": {"purpose": "00", "order_type": "NE", "order_number": order, "order_date": "20261124"},
        "currency": {"entity": "BY", "currency": "USD"},
        "lines": lines,
        "totals": {"line_count": str(len(lines))},
    }


def _orders(order: str, quantities: tuple[str, ...]) -> dict[str, Any]:
    lines = [
        {
            "line_number": str(number),
            "item": gtin,
            "item_type": "EN",
            "additional_items": [
                {
                    "function": "1",
                    "ids": [{"item": suppliers, "type": "SA"}, {"item": f"ITM-100{number}", "type": "IN"}],
                }
            ],
            "quantities": [{"qualifier": "21", "quantity": quantity, "unit": "BX"}],
            "prices": [{"qualifier": "AAA", "price": "7.20"}],
        }
        for number, (quantity, (gtin, suppliers)) in enumerate(zip(quantities, ITEMS, strict=False), 1)
    ]
    return {
        "beginning": {"document_type": "220", "document_number": order, "function": "9"},
        "dates": [{"qualifier": "137", "value": "20261124", "format": "102"}],
        "currencies": [{"sides": [{"usage": "2", "currency": "USD", "qualifier": "9"}]}],
        "lines": lines,
        "section_control": {"section": "S"},
        "control_totals": [{"qualifier": "2", "value": str(len(lines))}],
    }
