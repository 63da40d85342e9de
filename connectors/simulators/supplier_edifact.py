"""A supplier's EDIFACT D.96A (EANCOM's choice of segments): takes ORDERS, writes CONTRL, ORDRSP, DESADV, INVOIC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from connectors.edifact.codec import (
    Acknowledgement,
    CheckedInterchange,
    CheckedMessage,
    Document,
    EdifactError,
    Envelope,
    Party,
    acknowledgements,
    examine,
    interchange,
    read,
    write,
)
from connectors.edifact.lossless import text_of
from connectors.simulators.supplier_damage import Tree
from connectors.simulators.supplier_documents import (
    Answered,
    Confirmation,
    Despatch,
    Fields,
    Functional,
    Invoice,
    Lot,
    Order,
    OrderLine,
    Received,
    Shipped,
)

TYPES = {
    "functional_acknowledgement": "CONTRL",
    "acknowledgement": "ORDRSP",
    "despatch_advice": "DESADV",
    "invoice": "INVOIC",
}
#: 1229 of LIN: accepted without amendment, changed, not accepted.
_ACTION = {"accepted": "5", "changed": "3", "backordered": "3", "rejected": "7"}
#: 6063 of QTY.
_ORDERED, _BACKORDERED, _TO_BE_DELIVERED, _DESPATCHED, _INVOICED = "21", "83", "113", "12", "47"
#: 2005 of DTM.
_DOCUMENT, _CURRENT_SCHEDULE, _DESPATCH, _ESTIMATED_DELIVERY, _EXPIRY = "137", "67", "11", "17", "36"
_REFUSED, _INVALID_VALUE = "4", "12"
_LINE_FIELDS = ("line_number", "item", "item_type", "item_code_list", "item_agency", "additional_items")


class Edifact:
    """``us`` is (qualifier, id) of UNB 0007 and 0004."""

    types = TYPES

    def __init__(self, us: tuple[str, str]) -> None:
        self.us = us

    def read(self, raw: bytes) -> list[Received]:
        """Raises ``EdifactError`` for what is no interchange."""
        checked = examine(read(raw))
        if not any(one.header for one in checked):
            raise EdifactError("there is no interchange in it")
        answers = acknowledgements(checked)
        return [
            _received(one, [answer for answer in answers if answer.interchange == index])
            for index, one in enumerate(checked)
        ]

    def tree(self, to: Received, number: int, at: datetime, type: str, documents: Sequence[Fields]) -> Tree:
        """The lossless view of an interchange of these messages, in UNOC, syntax version 3."""
        envelope = Envelope(
            Party(self.us[1], self.us[0]),
            Party(to.sender[1], to.sender[0]),
            str(number),
            at,
            is_test=to.is_test,
        )
        return cast(Tree, interchange(envelope, [(type, document) for document in documents]))

    def write(self, tree: Tree) -> bytes:
        return write(cast(Document, tree))

    def confirmation(self, said: Confirmation) -> Fields:
        """An ORDRSP (231): accepted 29, changed 4, not accepted 27."""
        beginning = {
            "document_type": "231",
            "document_number": said.number,
            "function": said.one_of("29", "4", "27"),
        }
        return {
            "beginning": beginning,
            "dates": [_date(_DOCUMENT, said.date)],
            "references": [{"qualifier": "ON", "number": said.order.number}],
            "lines": [_confirmed(line) for line in said.lines],
            "section_control": {"section": "S"},
            "control_totals": [_count(said.lines)],
        }

    def despatch(self, going: Despatch) -> Fields:
        """A DESADV (351): one carton marked with its SSCC, and for each line its lots with expiry."""
        carton = {
            "count": "1",
            "package_type": "CT",
            "markings": [
                {"instruction": "33E", "identities": [{"qualifier": "BJ", "ids": [{"first": going.sscc}]}]}
            ],
        }
        lines = [_shipped(line, going.order) for line in going.lines]
        return {
            "beginning": {"document_type": "351", "document_number": going.number, "function": "9"},
            "dates": [
                _date(_DOCUMENT, f"{going.at:%Y%m%d}"),
                _date(_DESPATCH, f"{going.at:%Y%m%d}"),
                _date(_ESTIMATED_DELIVERY, going.arrives),
            ],
            "references": [{"qualifier": "ON", "number": going.order.number}],
            "packings": [{"number": "1"}, {"number": "2", "parent": "1", "packages": [carton], "lines": lines}],
            "control_totals": [_count(lines)],
        }

    def invoice(self, bill: Invoice) -> Fields:
        """An INVOIC (380)."""
        lines = [
            _echo(one.line)
            | {
                "quantities": [_quantity(_INVOICED, one.quantity, one.line.unit)],
                "amounts": [{"qualifier": "203", "amount": f"{one.amount:f}"}],
                "prices": [{"qualifier": "AAA", "price": one.price}],
            }
            for one in bill.lines
        ]
        total = f"{bill.total:f}"
        currency = {"usage": "2", "currency": bill.order.currency, "qualifier": "4"}
        return {
            "beginning": {"document_type": "380", "document_number": bill.number, "function": "9"},
            "dates": [_date(_DOCUMENT, bill.date)],
            "references": [{"qualifier": "ON", "number": bill.order.number}],
            **({"currencies": [{"sides": [currency]}]} if bill.order.currency else {}),
            "lines": lines,
            "section_control": {"section": "S"},
            "control_totals": [_count(lines)],
            "total_amounts": [{"qualifier": "77", "amount": total}, {"qualifier": "79", "amount": total}],
        }


def _received(one: CheckedInterchange, answers: list[Acknowledgement]) -> Received:
    messages = [(message, group.is_good) for group in one.groups for message in group.messages]
    orders = [
        _order(message.document, one.is_good and is_good and message.is_good)
        for message, is_good in messages
        if message.type == "ORDERS" and message.document is not None
    ]
    return Received(
        one.control_reference,
        (text_of(one.header, 2, 2), text_of(one.header, 2)),
        (text_of(one.header, 3, 2), text_of(one.header, 3)),
        text_of(one.header, 11) == "1",
        tuple(orders),
        tuple(_functional(answer.document) for answer in answers),
        tuple(_functional(_refusing(answer, [message for message, _ in messages])) for answer in answers),
        tuple(_told(message.document or {}) for message, _ in messages if message.type == "CONTRL"),
    )


def _told(fields: Fields) -> Fields:
    told = fields.get("interchange", {})
    return {"type": "CONTRL", "code": told.get("action", ""), "of": told.get("control_reference", "")}


def _order(fields: Fields, is_accepted: bool) -> Order:
    ordered = _first(fields.get("dates"), qualifier=_DOCUMENT)
    sides = [side for one in fields.get("currencies", ()) for side in one.get("sides", ())]
    lines = [_line(one, number) for number, one in enumerate(fields.get("lines", ()), 1)]
    return Order(
        str(fields.get("beginning", {}).get("document_number", "")),
        str(ordered.get("value", "")),
        str(sides[0].get("currency", "")) if sides else "",
        tuple(lines),
        is_accepted,
    )


def _line(fields: Fields, number: int) -> OrderLine:
    ordered = _first(fields.get("quantities"), qualifier=_ORDERED)
    price = _first(fields.get("prices"), qualifier="AAA")
    more = [one.get("item", "") for each in fields.get("additional_items", ()) for one in each.get("ids", ())]
    return OrderLine(
        fields.get("line_number", str(number)),
        _point(ordered.get("quantity", "")),
        ordered.get("unit", "EA"),
        _point(price.get("price", "")),
        tuple(id for id in (fields.get("item", ""), *more) if id),
        fields,
    )


def _point(number: str) -> str:
    return number.replace(",", ".")


def _first(of: list[Fields] | None, **wanted: str) -> Fields:
    """The first that carries all this, else an empty one."""
    found = (one for one in of or () if all(one.get(name) == value for name, value in wanted.items()))
    return next(found, {})


def _functional(document: Fields) -> Functional:
    told = document["interchange"]
    return Functional(document, {"code": told["action"], "group_control_number": told["control_reference"]})


def _refusing(answer: Acknowledgement, messages: list[CheckedMessage]) -> Fields:
    """The same CONTRL with every message rejected, for the quantity of each one's first line."""
    told = [_refusal(one) for one in messages if one.reference]
    return {"interchange": answer.document["interchange"], "messages": told}


def _refusal(one: CheckedMessage) -> Fields:
    names = ("message_type", "version", "release", "agency", "association_code")
    header = one.message["segments"][0]
    identified = {name: text_of(header, 2, component) for component, name in enumerate(names, 1)}
    told: dict[str, Any] = {"reference": one.reference, "action": _REFUSED}
    told |= {name: value for name, value in identified.items() if value}
    for position, segment in enumerate(one.message["segments"], 1):
        if segment["id"] == "QTY":
            wrong = {"error": _INVALID_VALUE, "element": "2", "component": "2"}
            return told | {"segments": [{"position": str(position), "elements": [wrong]}]}
    return told | {"error": _INVALID_VALUE}


def _confirmed(one: Answered) -> Fields:
    unit, ordered = one.line.unit, one.line.quantity or "0"
    quantities = [_quantity(_ORDERED, ordered, unit)]
    if one.status == "backordered":
        quantities.append(_quantity(_BACKORDERED, one.quantity, unit))
    elif one.status != "rejected":
        quantities.append(_quantity(_TO_BE_DELIVERED, one.quantity, unit))
    line = _echo(one.line) | {"action": _ACTION[one.status], "quantities": quantities}
    if one.date:
        line |= {"dates": [_date(_CURRENT_SCHEDULE, one.date)]}
    if one.line.price:
        line |= {"prices": [{"qualifier": "AAA", "price": one.line.price}]}
    return line


def _shipped(one: Shipped, order: Order) -> Fields:
    unit = one.line.unit
    return _echo(one.line) | {
        "quantities": [_quantity(_DESPATCHED, one.quantity, unit)],
        "references": [{"qualifier": "ON", "number": order.number, "line_number": one.line.number}],
        "markings": [_lot(lot, unit) for lot in one.lots],
    }


def _lot(lot: Lot, unit: str) -> Fields:
    """PCI+36E: marked with the batch number."""
    return {
        "instruction": "36E",
        "dates": [_date(_EXPIRY, lot.expiry)],
        "measured_quantity": _quantity(_DESPATCHED, lot.quantity, unit),
        "identities": [{"qualifier": "BX", "ids": [{"first": lot.number}]}],
    }


def _echo(line: OrderLine) -> Fields:
    """The line's number and item as ordered."""
    return {name: line.fields[name] for name in _LINE_FIELDS if name in line.fields}


def _date(qualifier: str, value: str) -> Fields:
    return {"qualifier": qualifier, "value": value, "format": "102"}


def _quantity(qualifier: str, quantity: str, unit: str) -> Fields:
    return {"qualifier": qualifier, "quantity": quantity, "unit": unit}


def _count(lines: Sequence[Any]) -> Fields:
    return {"qualifier": "2", "value": str(len(lines))}
