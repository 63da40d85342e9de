"""A supplier's X12 004010: takes 850s, writes 997, 855, 856 and 810."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

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
from connectors.x12.codec import (
    Acknowledgement,
    Document,
    Envelope,
    Party,
    TransactionSet,
    X12Error,
    acknowledgements,
    interchange,
    named,
    parties,
    read,
    set_type,
    write,
)
from connectors.x12.lossless import Interchange, text_of

TYPES = {"functional_acknowledgement": "997", "acknowledgement": "855", "despatch_advice": "856", "invoice": "810"}
#: ACK01 (element 668).
_STATUS = {"accepted": "IA", "changed": "IQ", "backordered": "IB", "rejected": "IR"}
_CURRENT_SCHEDULE_DELIVERY, _SHIPPED, _ESTIMATED_DELIVERY, _EXPIRY = "067", "011", "017", "036"
_KEPT = ("line_number", "quantity", "unit", "unit_price", "price_basis", "product_ids")
_INVALID_CHARACTER = "6"


class X12:
    """``us`` is (qualifier, id) of ISA05 and ISA06."""

    types = TYPES

    def __init__(self, us: tuple[str, str]) -> None:
        self.us = us

    def read(self, raw: bytes) -> list[Received]:
        """Raises ``X12Error`` for what is no interchange."""
        document = read(raw)
        if not document["interchanges"]:
            raise X12Error("there is no interchange in it")
        answers = acknowledgements(document)
        return [
            _received(one, [answer for answer in answers if answer.interchange == index])
            for index, one in enumerate(document["interchanges"])
        ]

    def tree(self, to: Received, number: int, at: datetime, type: str, documents: Sequence[Fields]) -> Tree:
        """The lossless view of an interchange of these sets."""
        envelope = Envelope(Party(*self.us), Party(*to.sender), number, number, at, "T" if to.is_test else "P")
        return cast(Tree, interchange(envelope, [(type, document) for document in documents]))

    def write(self, tree: Tree) -> bytes:
        return write(cast(Document, tree))

    def confirmation(self, said: Confirmation) -> Fields:
        """An 855."""
        beginning = {
            "purpose": "00",
            "acknowledgement_type": said.one_of("AD", "AC", "RD"),
            "order_number": said.order.number,
            "order_date": said.order.date,
            "supplier_order_number": said.number,
            "acknowledgement_date": said.date,
        }
        lines = [_confirmed(line) for line in said.lines]
        return {"beginning": beginning, "lines": lines, "totals": {"line_count": str(len(lines))}}

    def despatch(self, going: Despatch) -> Fields:
        """An 856: shipment, order, one carton with its SSCC, and an item for each lot."""
        items = [_item(line, lot) for line in going.lines for lot in line.lots]
        pack = {"marks": [{"qualifier": "GM", "value": f"00{going.sscc}"}], "items": items}
        order = {"order": {"order_number": going.order.number, "order_date": going.order.date}, "packs": [pack]}
        shipment = {
            "weights": [{"packaging": "CTN", "lading_quantity": "1"}],
            "dates": [
                {"qualifier": _SHIPPED, "date": f"{going.at:%Y%m%d}"},
                {"qualifier": _ESTIMATED_DELIVERY, "date": going.arrives},
            ],
            "orders": [order],
        }
        beginning = {
            "purpose": "00",
            "shipment_number": going.number,
            "date": f"{going.at:%Y%m%d}",
            "time": f"{going.at:%H%M}",
            "structure": "0001",
        }
        return {"beginning": beginning, "shipments": [shipment], "totals": {"line_count": str(len(items))}}

    def invoice(self, bill: Invoice) -> Fields:
        """An 810; TDS01 is in cents."""
        lines = [
            {
                "line_number": one.line.number,
                "quantity": one.quantity,
                "unit": one.line.unit,
                "unit_price": one.price,
                "product_ids": one.line.fields.get("product_ids", []),
            }
            for one in bill.lines
        ]
        document: Fields = {
            "beginning": {
                "invoice_date": bill.date,
                "invoice_number": bill.number,
                "order_date": bill.order.date,
                "order_number": bill.order.number,
            },
            "payment_terms": [{"terms_type": "01", "basis_date": "3", "net_days": "30"}],
            "lines": lines,
            "totals": {"total": str(int(bill.total * 100))},
            "line_totals": {"line_count": str(len(lines))},
        }
        currency = {"currency": {"entity": "SE", "currency": bill.order.currency}} if bill.order.currency else {}
        return document | currency


def _received(one: Interchange, answers: list[Acknowledgement]) -> Received:
    sender, receiver = parties(one)
    accepted = {
        (answer.group_control_number, each["set_control_number"])
        for answer in answers
        for each in answer.document.get("sets", ())
        if each["result"]["code"] in ("A", "E")
    }
    orders, places = [], {}
    acknowledged: list[Fields] = [
        {"type": "TA1", "code": text_of(each, 4), "of": text_of(each, 1)}
        for each in one["segments"]
        if each["id"] == "TA1"
    ]
    for group in one["groups"]:
        number = text_of(group["header"], 6) if group["header"] else ""
        for each in group["sets"]:
            key = (number, text_of(each["segments"][0], 2))
            places[key] = _place_of_quantity(each)
            if set_type(each) == "850":
                orders.append(_order(named(each), key in accepted))
            if set_type(each) == "997":
                acknowledged.append(_told(named(each)))
    return Received(
        text_of(one["header"], 13),
        (sender.qualifier, sender.id),
        (receiver.qualifier, receiver.id),
        text_of(one["header"], 15) != "P",
        tuple(orders),
        tuple(_functional(answer, answer.document) for answer in answers),
        tuple(_functional(answer, _refusing(answer, places)) for answer in answers),
        tuple(acknowledged),
    )


def _told(fields: Fields) -> Fields:
    number = fields.get("group", {}).get("group_control_number", "")
    return {"type": "997", "code": fields.get("result", {}).get("code", ""), "of": number}


def _order(fields: Fields, is_accepted: bool) -> Order:
    beginning = fields.get("beginning", {})
    lines = [_line(one, number) for number, one in enumerate(fields.get("lines", ()), 1)]
    return Order(
        str(beginning.get("order_number", "")),
        str(beginning.get("order_date", "")),
        str(fields.get("currency", {}).get("currency", "")),
        tuple(lines),
        is_accepted,
    )


def _line(fields: Fields, number: int) -> OrderLine:
    ids = tuple(product["id"] for product in fields.get("product_ids", ()) if "id" in product)
    return OrderLine(
        fields.get("line_number", str(number)),
        fields.get("quantity", ""),
        fields.get("unit", "EA"),
        fields.get("unit_price", ""),
        ids,
        fields,
    )


def _functional(answer: Acknowledgement, document: Fields) -> Functional:
    code = document["result"]["code"]
    return Functional(document, {"code": code, "group_control_number": answer.group_control_number})


def _place_of_quantity(each: TransactionSet) -> tuple[int, str]:
    """Position in the set (ST is 1) and value of the first PO102; 0 where there is no line."""
    for position, segment in enumerate(each["segments"], 1):
        if segment["id"] == "PO1":
            return position, text_of(segment, 2)
    return 0, ""


def _refusing(answer: Acknowledgement, places: dict[tuple[str, str], tuple[int, str]]) -> Fields:
    """The same 997 with every set and the group rejected, for the quantity of each set's first line."""
    sets = [
        one | _refusal(*places.get((answer.group_control_number, one["set_control_number"]), (0, "")))
        for one in answer.document.get("sets", ())
    ]
    result = answer.document["result"] | {"code": "R", "sets_accepted": "0"}
    return answer.document | {"sets": sets, "result": result}


def _refusal(position: int, value: str) -> Fields:
    rejected: Fields = {"result": {"code": "R", "errors": [{"code": "5"}]}}
    if position == 0:
        return rejected
    element = {"place": {"element": "2"}, "reference": "330", "code": _INVALID_CHARACTER}
    if value:
        element |= {"value": value}
    note = {"segment_id": "PO1", "position": str(position), "code": "8", "elements": [element]}
    return rejected | {"segments": [note]}


def _confirmed(one: Answered) -> Fields:
    answered: Fields = {"status": _STATUS[one.status], "quantity": one.quantity, "unit": one.line.unit}
    if one.date:
        answered |= {"date_qualifier": _CURRENT_SCHEDULE_DELIVERY, "date": one.date}
    ordered = one.line.fields
    return {name: ordered[name] for name in _KEPT if name in ordered} | {"acknowledgements": [answered]}


def _item(one: Shipped, lot: Lot) -> dict[str, Any]:
    """LIN with the buyer's and the supplier's numbers and the lot (LT), SN1, and the expiry date."""
    ids = [*one.line.fields.get("product_ids", ()), {"qualifier": "LT", "id": lot.number}]
    first, rest = ids[0], ids[1:]
    return {
        "item": {
            "line_number": one.line.number,
            "product_qualifier": first["qualifier"],
            "product": first["id"],
            "product_ids": rest,
        },
        "shipped": {"line_number": one.line.number, "quantity": lot.quantity, "unit": one.line.unit},
        "dates": [{"qualifier": _EXPIRY, "date": lot.expiry}],
    }
