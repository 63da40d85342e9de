"""The quick way from XML to JSON gives what zeep gives, or leaves it to zeep."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from connectors.sdk import Misconfigured
from connectors.simulators.erp import WSDL
from connectors.soap import codec, sample, wsdl
from connectors.soap.codec import NotReadable
from tests.connectors.soap.test_wsdls import loaded, public

ERP = "urn:orderly:erp"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
OPERATION = wsdl.find_operation(wsdl.load(str(WSDL)), "ReadPurchaseOrder")
LINE = (
    "<Line><LineNumber>1</LineNumber><ItemNumber>ITM-1001</ItemNumber><Description>d</Description>"
    "<Quantity>05.00</Quantity><Unit>BX</Unit><UnitPrice> 2.50</UnitPrice><Amount>1e1</Amount></Line>"
)
ORDER = (
    f'<ReadPurchaseOrderResponse xmlns="{ERP}"><Number>45</Number><Status>ISSUED</Status>'
    "<SupplierStatus/><Reference>r</Reference><RequisitionNumber>r</RequisitionNumber>"
    "<SupplierNumber>1</SupplierNumber><CostCenter>c</CostCenter><Facility>f</Facility><Currency>USD</Currency>"
    f"<OrderDate>2026-11-24Z</OrderDate><NeedBy>2026-12-01</NeedBy><Total>1.00</Total><Lines>{LINE}{LINE}</Lines>"
    "<Confirmation/></ReadPurchaseOrderResponse>"
)


def body(content: str | bytes) -> etree._Element:
    made = etree.Element(f"{{{codec.SOAP_11}}}Body")
    made.append(etree.fromstring(content))
    return made


def told(message: etree._Element) -> list[Any]:
    return [(one.tag, one.text, dict(one.attrib)) for one in message.iter()]


def both(operation: Any, message: etree._Element) -> tuple[Any, Any]:
    """By zeep, and by the quick way with zeep behind it; what cannot be read is told as such."""
    quick = codec.reader(operation)

    def result(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except NotReadable:
            return NotReadable

    return result(lambda: codec.read(operation, message)), result(lambda: codec.read(operation, message, quick))


def test_an_order_is_read_without_zeep() -> None:
    """Every type of it is plain; the values are zeep's."""
    quick = codec.reader(OPERATION)
    assert quick is not None
    message = body(ORDER)

    order = quick.read(message[0])

    assert order == codec.read(OPERATION, message)
    assert (order["OrderDate"], order["Lines"]["Line"][1]["Quantity"]) == ("2026-11-24", "5.00")
    assert "SupplierStatus" not in order and "Confirmation" not in order


def changed(how: str, order: etree._Element) -> None:
    names = {etree.QName(child).localname: child for child in order}
    line = names["Lines"][0]
    if how == "shuffled":
        random.Random(7).shuffle(children := list(order))
        order[:] = children
    elif how == "one missing":
        order.remove(names["Number"])
    elif how == "one doubled":
        order.insert(1, etree.fromstring(etree.tostring(names["Number"])))
    elif how == "one unknown":
        line.append(etree.fromstring(f'<New xmlns="{ERP}">x</New>'))
    elif how == "of no namespace":
        names["Number"].tag = "Number"
    elif how == "with a type":
        names["Number"].set(f"{{{XSI}}}type", "xs:string")
    elif how == "nil":
        names["Total"].set(f"{{{XSI}}}nil", "true")
        names["Total"].text = None
    elif how == "an attribute that nobody knows":
        line.set("new", "1")
    elif how == "an element in a text":
        names["Number"].append(etree.Element("b"))
    elif how == "an unreadable date":
        names["OrderDate"].text = "24.11.2026"
    elif how == "an unreadable number":
        names["Total"].text = "a lot"
    elif how == "no lines":
        names["Lines"].clear()
    elif how == "nothing":
        order.clear()


@pytest.mark.parametrize(
    "how",
    [
        "shuffled", "one missing", "one doubled", "one unknown", "of no namespace", "with a type", "nil",
        "an attribute that nobody knows", "an element in a text", "an unreadable date", "an unreadable number",
        "no lines", "nothing",
    ],
)  # fmt: skip
def test_what_is_not_as_the_plan_says_is_read_as_zeep_reads_it(how: str) -> None:
    message = body(ORDER)
    before = told(message)
    changed(how, message[0])
    assert told(message) != before

    by_zeep, quick = both(OPERATION, message)

    assert by_zeep == quick


def test_a_number_that_is_none_makes_a_reply_unreadable() -> None:
    """It used to escape as an error of the decimal library."""
    message = body(ORDER.replace("<Total>1.00", "<Total>a lot"))

    with pytest.raises(NotReadable):
        codec.read(OPERATION, message)


@public
def test_replies_of_public_wsdls_are_read_the_same_both_ways() -> None:
    """Samples of their own types, written by zeep."""
    quick = 0
    for name, operation in loaded():
        message = operation.output
        if message is None or message.body is None or operation.style != "document":
            continue
        try:
            request = codec.write(_Answering(operation), sample.reply_of(operation), {})
        except Misconfigured:
            continue
        envelope = codec.open_envelope(request.content, 10_000_000)
        if len(envelope) == 0:
            continue
        by_zeep, quickly = both(operation, envelope)
        assert by_zeep == quickly, name
        quick += codec.reader(operation) is not None

    assert quick > 100


class _Answering:
    """An operation the other way round: its output is what is written."""

    def __init__(self, operation: Any) -> None:
        self.name, self.input, self.soapaction = operation.name, operation.output, ""

    def create(self, *values: Any, **named: Any) -> Any:
        return self.input.serialize(*values, **named)
