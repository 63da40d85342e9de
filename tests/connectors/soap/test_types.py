"""Messages held against the types of the WSDL, for peers and flows that are not to be trusted with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.sdk import Misconfigured, OutcomeUnknown
from connectors.simulators.erp import WSDL
from connectors.soap import library, wsdl
from connectors.soap.connector import CallOperation, CallParameters, SoapSettings
from connectors.soap.settings import doubts
from connectors.soap.types import Types
from tests.connectors.soap.conftest import Canned
from tests.connectors.soap.test_wsdls import public
from tests.connectors.soap.wsdls import ROOT
from tests.harness import MemoryContext

Call = Callable[..., Any]


@pytest.fixture
def call(canned: Canned) -> Iterator[Call]:
    with ExitStack() as opened:

        def run(operation: str, body: dict[str, Any], location: Path = WSDL, check: str = "both") -> Any:
            settings = SoapSettings.model_validate(
                {"url": canned.url, "wsdl": str(location), "allow": ["127.0.0.0/8"], "check_types": check}
            )
            context = MemoryContext(settings, type="soap")
            opened.callback(context.close)
            return CallOperation().run(CallParameters(operation=operation, body=body), context)

        yield run


def ordered(date: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<ReadPurchaseOrderResponse xmlns="urn:orderly:erp"><Number>45</Number><Status>ISSUED</Status>'
        "<SupplierStatus>ACCEPTED</SupplierStatus><Reference>r</Reference>"
        "<RequisitionNumber>r</RequisitionNumber><SupplierNumber>1</SupplierNumber><CostCenter>c</CostCenter>"
        f"<Facility>f</Facility><Currency>USD</Currency><OrderDate>{date}</OrderDate><NeedBy>2026-12-01</NeedBy>"
        "<Total>1.00</Total><Lines/></ReadPurchaseOrderResponse></e:Body></e:Envelope>"
    ).encode()


def test_a_date_that_is_none_is_found_where_it_would_be_read_as_absent(canned: Canned, call: Call) -> None:
    """zeep gives None for it, which looks like an order without a date."""
    canned.reply = (200, "text/xml", ordered("24.11.2026"))

    with pytest.raises(OutcomeUnknown, match="OrderDate") as found:
        call("ReadPurchaseOrder", {"Number": "45"}, check="replies")

    assert "24.11.2026" not in found.value.message
    assert "OrderDate" not in call("ReadPurchaseOrder", {"Number": "45"}, check="requests")


def test_a_request_that_breaks_the_types_is_not_sent(canned: Canned, call: Call, tmp_path: Path) -> None:
    """Facets too, which the peer alone would look at."""
    strict = tmp_path / "strict.wsdl"
    number = '<xs:element name="Number"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="10"/>'
    text = WSDL.read_text()
    place = text.index('<xs:element name="GetSupplier">')
    element = '<xs:element name="Number" type="xs:string"/>'
    assert element in text[place:]
    tail = text[place:].replace(element, f"{number}</xs:restriction></xs:simpleType></xs:element>", 1)
    strict.write_text(text[:place] + tail)

    with pytest.raises(Misconfigured, match="maxLength") as refused:
        call("GetSupplier", {"Number": "secret-number-too-long"}, strict, check="requests")

    assert refused.value.field == "body"
    assert "secret-number" not in refused.value.message
    assert canned.posted == []


def test_rpc_messages_stand_in_no_schema_and_say_so(canned: Canned, call: Call, tmp_path: Path) -> None:
    rpc = tmp_path / "rpc.wsdl"
    rpc.write_text(WSDL.read_text().replace('style="document"', 'style="rpc"'))

    with pytest.raises(Misconfigured) as refused:
        call("GetSupplier", {"Number": "1"}, rpc)

    assert refused.value.next_action


def types(path: Path) -> Types:
    documents = library.library(str(path), wsdl.no_network)
    wsdl.loaded(str(path), documents)
    return Types(documents.documents)


def test_schemas_that_import_each_other_without_an_address_are_one(tmp_path: Path) -> None:
    """As most stacks publish them: beside each other in the WSDL, and included files below it."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "part.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:b">'
        '<xs:simpleType name="Code"><xs:restriction base="xs:string"><xs:length value="2"/></xs:restriction>'
        "</xs:simpleType></xs:schema>"
    )
    path = tmp_path / "a.wsdl"
    path.write_text(
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:b="urn:b" targetNamespace="urn:w"><types>'
        '<xs:schema targetNamespace="urn:a"><xs:import namespace="urn:b"/>'
        '<xs:element name="A" type="b:Code"/></xs:schema>'
        '<xs:schema targetNamespace="urn:b"><xs:include schemaLocation="more/part.xsd"/></xs:schema>'
        "</types></definitions>"
    )

    made = types(path)

    assert made.faults(etree.fromstring('<a:A xmlns:a="urn:a">ab</a:A>')) == []
    [fault] = made.faults(etree.fromstring('<a:A xmlns:a="urn:a">private</a:A>'))
    assert "length" in fault and "private" not in fault


@public
def test_the_types_of_every_public_wsdl_that_loads_become_one_schema() -> None:
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(ROOT.rglob("*.wsdl")):
            documents = library.library(str(path), wsdl.no_network)
            try:
                wsdl.loaded(str(path), documents)
            except Misconfigured:
                continue
            Types(documents.documents)
            count += 1

    assert count > 50


def test_types_without_a_wsdl_are_found_without_reaching_anything() -> None:
    given = SoapSettings.model_validate({"url": "https://erp.example", "check_types": "both"})

    assert [one.place for one in doubts(given)] == [("check_types",)]
