"""What is made of the replies and WSDLs that badly behaved peers send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.simulators.erp import WSDL
from connectors.soap.connector import CallOperation, CallParameters, SoapSettings
from tests.connectors.soap.conftest import Canned
from tests.harness import MemoryContext

STOCK = Path(__file__).with_name("stock.wsdl")
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


def envelope(inner: str, namespace: str = SOAP_11) -> bytes:
    return f'<e:Envelope xmlns:e="{namespace}"><e:Body>{inner}</e:Body></e:Envelope>'.encode()


Connect = Callable[..., MemoryContext]


def supplier(context: MemoryContext) -> Any:
    return CallOperation().run(CallParameters(operation="GetSupplier", body={"Number": "4010"}), context)


@pytest.fixture
def connect(canned: Canned) -> Iterator[Connect]:
    """Contexts whose connection has the given settings, and else those that reach ``canned``."""
    with ExitStack() as opened:

        def connected(**changed: Any) -> MemoryContext:
            given = {"url": f"{canned.url}/erp", "wsdl": str(WSDL), "allow": ["127.0.0.0/8"], "timeout": "10s"}
            context = MemoryContext(SoapSettings.model_validate({**given, **changed}), type="soap")
            opened.callback(context.close)
            return context

        yield connected


@pytest.fixture
def context(connect: Connect) -> MemoryContext:
    return connect()


UNREADABLE = {
    "an HTML page": b"<html><body>Please log in</body></html>",
    "broken HTML": b"<html><br></html>",
    "nothing": b"",
    "half an envelope": envelope("<x/>")[:-20],
    "an empty body": envelope(""),
    "another message": envelope('<Pong xmlns="urn:other"/>'),
    "a missing element": envelope(
        '<GetSupplierResponse xmlns="urn:orderly:erp"><Number>4010</Number><Approved>true</Approved>'
        "</GetSupplierResponse>"
    ),
    "entities": b'<!DOCTYPE x [<!ENTITY a "b">]>' + envelope("&a;"),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_200_that_is_not_the_promised_reply_is_an_unknown_outcome(
    canned: Canned, context: MemoryContext, content: bytes
) -> None:
    """It was sent and something answered: whether it acted, only a look-up can tell."""
    canned.reply = (200, "text/html", content)

    with pytest.raises(OutcomeUnknown) as unknown:
        supplier(context)

    assert len(canned.posted) == 1
    assert "GetSupplier" in unknown.value.message
    assert unknown.value.next_action


@pytest.mark.parametrize(
    ("status", "error"), [(500, OutcomeUnknown), (502, OutcomeUnknown), (404, Rejected), (400, Rejected)]
)
def test_a_status_without_a_fault_means_what_http_says(
    canned: Canned, context: MemoryContext, status: int, error: type[Exception]
) -> None:
    """A gateway's 502 proves nothing; a 404 is a refusal."""
    canned.reply = (status, "text/html", b"<html>no</html>")

    with pytest.raises(error):
        supplier(context)


def fault_11(code: str, detail: str = "") -> bytes:
    return envelope(f"<e:Fault><faultcode>{code}</faultcode><faultstring>try later</faultstring>{detail}</e:Fault>")


def fault_12(code: str, subcode: str = "", detail: str = "") -> bytes:
    below = f"<e:Subcode><e:Value>{subcode}</e:Value></e:Subcode>" if subcode else ""
    return envelope(
        f"<e:Fault><e:Code><e:Value>{code}</e:Value>{below}</e:Code>"
        f"<e:Reason><e:Text>try later</e:Text></e:Reason>{detail}</e:Fault>",
        SOAP_12,
    )


REFUSED = {
    "of the sender": (fault_11("e:Client"), "Client"),
    "of the sender, finer": (fault_11("e:Client.Authentication"), "Client.Authentication"),
    "with a code of its own": (fault_11("e:Server", "<detail><ErrorCode>LOCKED</ErrorCode></detail>"), "LOCKED"),
    "SOAP 1.2, of the sender": (fault_12("e:Sender", "m:Late"), "Late"),
    "SOAP 1.2, with a code of its own": (
        fault_12("e:Receiver", detail="<e:Detail><m:ErrorCode xmlns:m='urn:m'>LOCKED</m:ErrorCode></e:Detail>"),
        "LOCKED",
    ),
    "not understood": (fault_11("e:MustUnderstand"), "MustUnderstand"),
}
UNPROVEN = {
    "of the server": (fault_11("e:Server"), "Server"),
    "of the server, finer": (fault_11("e:Server.Busy"), "Server.Busy"),
    "of the server, with details that name no code": (fault_11("e:Server", "<detail><Trace/></detail>"), "Server"),
    "of nobody that SOAP knows": (fault_11("a:InternalServiceFault"), "InternalServiceFault"),
    "without a code": (fault_11(""), "Fault"),
    "SOAP 1.2, of the receiver": (fault_12("e:Receiver"), "Receiver"),
    "SOAP 1.2, of the receiver, finer": (fault_12("e:Receiver", "m:Timeout"), "Timeout"),
}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("name", REFUSED)
def test_a_fault_that_says_no_is_a_refusal_whatever_its_status(
    canned: Canned, context: MemoryContext, name: str, status: int
) -> None:
    """Without a code of its own the fault's local name is the code."""
    content, code = REFUSED[name]
    canned.reply = (status, "text/xml", content)

    with pytest.raises(Rejected) as refused:
        supplier(context)

    assert refused.value.code == code
    assert "try later" in refused.value.message


@pytest.mark.parametrize("name", UNPROVEN)
def test_a_fault_of_the_server_proves_nothing_and_carries_its_code(
    canned: Canned, context: MemoryContext, name: str
) -> None:
    """A gateway in front of the peer answers so when the peer took too long; ``faults`` may know better."""
    content, code = UNPROVEN[name]
    canned.reply = (500, "text/xml", content)

    with pytest.raises(OutcomeUnknown) as unknown:
        supplier(context)

    assert unknown.value.code == code
    assert unknown.value.details["faultstring"] == "try later"
    assert "look up" in unknown.value.next_action


def test_a_one_way_operation_is_done_when_it_was_taken(canned: Canned, connect: Connect) -> None:
    """202 without a body is all that a peer need say (WS-I Basic Profile 1.1, R2714)."""
    canned.reply = (202, "text/xml", b"")

    reply = CallOperation().run(CallParameters(operation="Tell", body={"value": "hello"}), connect(wsdl=str(STOCK)))

    [(headers, content)] = canned.posted
    assert reply == {}
    assert headers["content-type"].startswith("application/soap+xml")
    assert b">hello</" in content


def test_a_wsdl_with_a_document_type_declaration_is_refused(canned: Canned, connect: Connect) -> None:
    """Whatever the entities would do, they are never read."""
    laughs = b'<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    dressed = WSDL.read_bytes().replace(b"<wsdl:definitions", laughs + b"<wsdl:definitions", 1)
    canned.pages["/erp?wsdl"] = (200, dressed)

    with pytest.raises(Misconfigured, match="document type declaration") as refused:
        supplier(connect(wsdl=f"{canned.url}/erp?wsdl"))

    assert refused.value.field == "wsdl"
    assert canned.posted == []


@pytest.mark.parametrize(
    "imported",
    [
        "http://127.0.0.2:9/other.xsd",
        "file:///etc/passwd",
        "/etc/passwd",
        "../outside.xsd",
        "https://schemas.example/x.xsd",
    ],
)
def test_a_wsdl_file_imports_from_its_own_folder_only(connect: Connect, tmp_path: Path, imported: str) -> None:
    """Neither the network nor the rest of the disk is within a WSDL's reach."""
    (tmp_path / "outside.xsd").write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>')
    (tmp_path / "in").mkdir()
    wsdl = importing(tmp_path / "in" / "a.wsdl", imported)

    with pytest.raises(Misconfigured, match="lies outside") as refused:
        supplier(connect(wsdl=str(wsdl)))

    assert refused.value.field == "wsdl"
    assert imported.rpartition("/")[2] in refused.value.message


def test_a_wsdl_file_imports_what_lies_beside_it(canned: Canned, connect: Connect, tmp_path: Path) -> None:
    """Bundles of a WSDL and its schemas work."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "types.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:imported"/>'
    )
    wsdl = importing(tmp_path / "a.wsdl", "more/types.xsd")
    canned.reply = (
        200,
        "text/xml",
        envelope(
            '<GetSupplierResponse xmlns="urn:orderly:erp"><Number>1</Number><Name>n</Name>'
            "<Status>ACTIVE</Status><Approved>0</Approved></GetSupplierResponse>"
        ),
    )

    reply = supplier(connect(wsdl=str(wsdl)))

    assert reply == {"Number": "1", "Name": "n", "Status": "ACTIVE", "Approved": False}


def test_a_wsdl_from_the_network_imports_from_its_own_origin_only(canned: Canned, connect: Connect) -> None:
    """Another port is another origin."""
    canned.pages["/a.wsdl"] = (200, importing_text("http://127.0.0.1:9/x.xsd").encode())

    with pytest.raises(Misconfigured, match="lies outside the origin"):
        supplier(connect(wsdl=f"{canned.url}/a.wsdl"))


def test_a_wsdl_that_is_not_there_is_a_wrong_setting(canned: Canned, connect: Connect) -> None:
    """404 will not heal by retrying."""
    with pytest.raises(Misconfigured) as refused:
        supplier(connect(wsdl=f"{canned.url}/none?wsdl"))

    assert (refused.value.field, refused.value.code) == ("wsdl", "404")


@pytest.mark.parametrize("content", [b"<html/>", b"not xml", b"<definitions/>", b""])
def test_what_is_no_wsdl_is_refused(connect: Connect, tmp_path: Path, content: bytes) -> None:
    """No exception of zeep or lxml escapes."""
    wsdl = tmp_path / "a.wsdl"
    wsdl.write_bytes(content)

    with pytest.raises(Misconfigured) as refused:
        supplier(connect(wsdl=str(wsdl)))

    assert refused.value.next_action


def test_a_wsdl_that_is_no_file_is_refused(connect: Connect, tmp_path: Path) -> None:
    """The path stands in the message."""
    with pytest.raises(Misconfigured, match=r"absent\.wsdl"):
        supplier(connect(wsdl=str(tmp_path / "absent.wsdl")))


def test_a_wsdl_behind_the_guard_is_not_fetched(canned: Canned, connect: Connect) -> None:
    """The guard against our own network holds for the WSDL as for calls."""
    with pytest.raises(Misconfigured):
        supplier(connect(wsdl=f"{canned.url}/a.wsdl", allow=[]))


def test_a_wsdl_behind_a_broken_gateway_is_retried(canned: Canned, connect: Connect) -> None:
    """No call was sent yet, so nothing is uncertain."""
    canned.pages["/a.wsdl"] = (502, b"bad gateway")

    with pytest.raises(NotSent):
        supplier(connect(wsdl=f"{canned.url}/a.wsdl"))


def importing_text(location: str) -> str:
    return WSDL.read_text().replace(
        'elementFormDefault="qualified">',
        f'elementFormDefault="qualified"><xs:import namespace="urn:imported" schemaLocation="{location}"/>',
        1,
    )


def importing(path: Path, location: str) -> Path:
    path.write_text(importing_text(location))
    return path
