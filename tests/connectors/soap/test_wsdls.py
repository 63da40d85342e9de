"""WSDLs as they are found in the world, in zips, and with the schemas of the standards."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from lxml import etree

from connectors.sdk import Misconfigured
from connectors.simulators.erp import WSDL
from connectors.soap import codec, library, sample, wsdl
from connectors.soap.command import command
from tests.connectors.soap.conftest import Canned
from tests.connectors.soap.test_replies import importing_text
from tests.connectors.soap.wsdls import ROOT, TABLE, table

STOCK = Path(__file__).with_name("stock.wsdl")
IMPORTED = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:imported"/>'

public = pytest.mark.skipif(not ROOT.is_dir(), reason="no public WSDLs beside the checkout: ../shared/corpus/wsdl")


@public
def test_every_public_wsdl_loads_or_is_refused_with_the_reason_in_the_table() -> None:
    """Write it anew with ``python -m tests.connectors.soap.wsdls`` and look at what changed."""
    assert table().splitlines() == TABLE.read_text().splitlines()


def loaded() -> Iterator[tuple[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(ROOT.rglob("*.wsdl")):
            try:
                document = wsdl.load(str(path))
            except Misconfigured:
                continue
            for service in document.services.values():
                for port in service.ports.values():
                    for operation in port.binding.all().values():
                        yield f"{path.relative_to(ROOT)} {port.name} {operation.name}", operation


#: They want an element of any name where one must stand, which no sample can know.
WANT_ANYTHING = {
    "cxf-testutils/any.wsdl SoapPort sayHi",
    "cxf-testutils/rt-javascript/hello_world_any.wsdl AcceptAny acceptAny1",
    "cxf-testutils/rt-javascript/hello_world_any.wsdl AcceptAny acceptAnyN",
}


@public
def test_the_sample_of_every_public_operation_can_be_sent() -> None:
    """It is what an integrator begins with, so it must fit as it stands."""
    refused = set()
    for name, operation in loaded():
        try:
            codec.write(operation, sample.body_of(operation), sample.headers_of(operation))
        except Misconfigured:
            refused.add(name)

    assert refused == WANT_ANYTHING


def bundle(folder: Path, **entries: str) -> Path:
    path = folder / "erp.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return path


def count(location: object) -> int:
    return len(wsdl.operations(wsdl.load(str(location))))


def test_a_zip_brings_the_wsdl_and_what_it_imports(tmp_path: Path) -> None:
    path = bundle(
        tmp_path,
        **{"wsdl/erp service.wsdl": importing_text("../xsd/imported%201.xsd"), "xsd/imported 1.xsd": IMPORTED},
    )

    assert count(path) == count(f"{path}#wsdl/erp service.wsdl") == count(WSDL)


def test_the_wsdl_of_a_zip_is_the_one_that_no_other_imports(tmp_path: Path) -> None:
    root = (
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:root">'
        '<import namespace="urn:orderly:erp" location="more/erp.wsdl"/><service name="S">'
        '<port name="P" binding="e:PurchasingSoap" xmlns:e="urn:orderly:erp">'
        '<address xmlns="http://schemas.xmlsoap.org/wsdl/soap/" location="http://localhost/"/></port></service>'
        "</definitions>"
    )
    path = bundle(tmp_path, **{"a.wsdl": root, "more/erp.wsdl": WSDL.read_text()})

    assert count(path) == count(WSDL)


@pytest.mark.parametrize(
    ("entries", "entry", "told"),
    [
        ({"a.wsdl": "<x/>", "b.wsdl": "<x/>"}, "", "It has several: a.wsdl, b.wsdl"),
        ({"a.xsd": "<x/>"}, "", "It has none"),
        ({"a.wsdl": "<x/>"}, "#b.wsdl", "has no b.wsdl"),
        ({"a.wsdl": importing_text("more.xsd")}, "", "has no more.xsd, which the WSDL imports"),
        ({"a.wsdl": importing_text("http://127.0.0.1:9/x.xsd")}, "", "lies outside the bundle"),
        ({"a.wsdl": importing_text("file:///etc/passwd")}, "", "lies outside the bundle"),
        ({"a.wsdl": importing_text("../../../etc/passwd")}, "", "has no etc/passwd"),
        ({"a.wsdl": '<!DOCTYPE a [<!ENTITY b "c">]><a/>'}, "", "document type declaration"),
    ],
)
def test_what_a_zip_lacks_is_told(tmp_path: Path, entries: dict[str, str], entry: str, told: str) -> None:
    """Neither the network nor the disk makes up for it."""
    with pytest.raises(Misconfigured) as refused:
        wsdl.load(f"{bundle(tmp_path, **entries)}{entry}")

    assert told in refused.value.message
    assert refused.value.field == "wsdl" and refused.value.next_action


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for number in range(5):
            zipped.writestr(f"{number}.xsd", bytes(16 * 1024 * 1024))
    return made.getvalue()


def crowd() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        for number in range(1_001):
            zipped.writestr(f"{number}.xsd", "")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"PK no zip", "not a zip"), (bomb(), "is larger than"), (crowd(), "has 1001 files")],
    ids=["no zip", "a bomb", "a crowd"],
)
def test_a_zip_that_is_none_or_too_much_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "erp.zip"
    path.write_bytes(content)

    with pytest.raises(Misconfigured, match=told):
        wsdl.load(str(path))


def test_a_zip_may_lie_at_the_peer(canned: Canned, tmp_path: Path) -> None:
    path = bundle(tmp_path, **{"erp.wsdl": WSDL.read_text()})
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return path.read_bytes()

    document = wsdl.load("https://erp.example/erp.zip#erp.wsdl", fetch)

    assert len(wsdl.operations(document)) == count(WSDL)
    assert fetched == ["https://erp.example/erp.zip"]


@pytest.mark.parametrize(
    ("namespace", "address"),
    [
        ("http://schemas.xmlsoap.org/soap/encoding/", "http://schemas.xmlsoap.org/soap/encoding/"),
        ("http://www.w3.org/XML/1998/namespace", "https://www.w3.org/2001/xml.xsd"),
        ("http://www.w3.org/2005/05/xmlmime", "http://www.w3.org/2005/05/xmlmime"),
        ("http://www.w3.org/2004/08/xop/include", "http://www.w3.org/2004/08/xop/include"),
        ("http://www.w3.org/2005/08/addressing", "http://www.w3.org/2006/03/addressing/ws-addr.xsd"),
    ],
)
def test_schemas_of_the_standards_are_shipped(tmp_path: Path, namespace: str, address: str) -> None:
    """No WSDL needs the network for them, and they are schemas that hold."""
    path = tmp_path / "a.wsdl"
    path.write_text(importing_text(address).replace("urn:imported", namespace))

    assert count(path) == count(WSDL)
    content = library.shipped(address)
    assert content is not None
    schema = etree.fromstring(content)
    assert schema.get("targetNamespace") == namespace
    etree.XMLSchema(schema)


def test_operations_are_listed_for_people_and_programs() -> None:
    listed = CliRunner().invoke(command, ["operations", str(WSDL)])
    as_json = CliRunner().invoke(command, ["operations", str(WSDL), "--json"])

    assert "  CheckBudget(CostCenter: xsd:string, Amount: xsd:decimal) -> Status: " in listed.output
    assert listed.output.splitlines()[0] == "Purchasing / Purchasing"
    [budget] = [one for one in json.loads(as_json.output) if one["name"] == "CheckBudget"]
    assert budget["input"] == "CostCenter: xsd:string, Amount: xsd:decimal"


def test_a_sample_has_every_element_to_fill_in() -> None:
    printed = CliRunner().invoke(command, ["sample", str(WSDL), "CreatePurchaseOrder"])

    node = json.loads(printed.output)
    assert (node["type"], node["parameters"]["operation"]) == ("soap.call", "CreatePurchaseOrder")
    body = node["parameters"]["body"]
    assert (body["OrderDate"], body["Total"]) == ("2026-01-31", "0.00")
    assert body["Lines"]["Line"][0]["Quantity"] == "0.00"


def test_a_sample_may_be_the_envelope_with_its_headers() -> None:
    printed = CliRunner().invoke(
        command, ["sample", str(STOCK), "Count", "--envelope", "--service", "Stock", "--port", "Stock"]
    )

    envelope = etree.fromstring(printed.output.encode())
    assert etree.QName(envelope).namespace == "http://www.w3.org/2003/05/soap-envelope"
    assert [
        text.strip() for text in envelope.xpath("//*[local-name()='Company' or local-name()='Item']/text()")
    ] == [
        "text",
        "text",
    ]


def test_a_request_that_is_one_value_is_sampled_and_written() -> None:
    """Document/literal with an element of a simple type."""
    operation = wsdl.find_operation(wsdl.load(str(STOCK)), "Tell")

    body = sample.body_of(operation)

    assert body == {"_value_1": "text"}
    assert b">hello</" in codec.write(operation, {"_value_1": "hello"}, {}).content
    with pytest.raises(Misconfigured, match="one plain value") as refused:
        codec.write(operation, {"Tell": "hello"}, {})
    assert "_value_1" in refused.value.next_action


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["operations", "absent.wsdl"], "cannot be read"),
        (["operations", "https://erp.example/a?wsdl"], "save the WSDL as a file"),
        (["sample", str(WSDL), "CreateOrder"], "CreatePurchaseOrder"),
    ],
)
def test_what_cannot_be_listed_exits_with_1_and_what_to_do(arguments: list[str], told: str) -> None:
    refused = CliRunner().invoke(command, [*arguments, "--json"])

    assert refused.exit_code == 1
    assert told in refused.stderr
    assert json.loads(refused.stdout)["next_action"]
