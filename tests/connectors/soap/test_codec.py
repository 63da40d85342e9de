"""Requests and replies of a SOAP 1.2 service, by its WSDL, without any I/O but reading that file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.sdk import Misconfigured
from connectors.soap import codec, wsdl

DOCUMENT = wsdl.load(str(Path(__file__).with_name("stock.wsdl")))
OPERATIONS = wsdl.find_port(DOCUMENT).binding.all()
COUNT, TELL = OPERATIONS["Count"], OPERATIONS["Tell"]


def written(body: dict[str, Any], headers: dict[str, Any] | None = None) -> etree._Element:
    return etree.fromstring(codec.write(COUNT, body, headers or {}).content)


def texts(envelope: etree._Element, name: str) -> list[str | None]:
    return [element.text for element in envelope.iter(f"{{urn:stock}}{name}")]


def read(inner: str) -> Any:
    reply = (
        f'<e:Envelope xmlns:e="{codec.SOAP_12}"><e:Body>'
        f'<CountResponse xmlns="urn:stock">{inner}</CountResponse></e:Body></e:Envelope>'
    )
    return codec.read(COUNT, codec.open_envelope(reply.encode(), 10_000))


def test_soap_12_names_its_action_in_the_content_type() -> None:
    """RFC 3902; there is no SOAPAction header."""
    request = codec.write(COUNT, {"Item": "A", "Place": "p"}, {})

    assert request.headers == {"Content-Type": 'application/soap+xml; charset=utf-8; action="urn:stock#Count"'}


def test_scalars_become_text_of_their_type() -> None:
    """What JSONata computes as a binary fraction or a whole float is written as XML Schema wants it."""
    body = {
        "Item": ["A", 7, 7.0],
        "Gln": 4012345000009.0,
        "Urgent": "1",
        "At": "2026-11-24T10:30:00Z",
        "Value": {"_value_1": 1e-7, "currency": "USD"},
        "Label": "aGFsbG8=",
        "mode": "full",
    }

    envelope = written(body)

    assert texts(envelope, "Item") == ["A", "7", "7"]
    assert texts(envelope, "Gln") == ["4012345000009"]
    assert texts(envelope, "Urgent") == ["true"]
    assert texts(envelope, "Value") == ["0.0000001"]
    assert texts(envelope, "Label") == ["aGFsbG8="]
    [count] = envelope.iter("{urn:stock}Count")
    assert count.get("mode") == "full"


def test_declared_headers_are_written() -> None:
    """By the name of their part."""
    envelope = written({"Item": "A", "Place": "p"}, {"session": {"Company": "100"}})

    header = envelope.find(f"{{{codec.SOAP_12}}}Header")
    assert header is not None
    assert [element.text for element in header.iter("{urn:stock}Company")] == ["100"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"Item": "A", "Place": "p", "Urgent": "yes"}, "body.Urgent"),
        ({"Item": "A", "Place": "p", "At": "2026-11-24"}, "body.At"),
        ({"Item": "A", "Gln": "12.5"}, "body.Gln"),
        ({"Item": "A", "Gln": float("nan")}, "body.Gln"),
        ({"Item": [{"a": 1}], "Place": "p"}, "body.Item[0]"),
        ({"Place": "p"}, "body.Item"),
        ({"Item": "A", "Place": "p", "mood": "full"}, "body.mood"),
    ],
)
def test_what_does_not_fit_its_type_is_refused(body: dict[str, Any], field: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(Misconfigured) as refused:
        written(body)

    assert refused.value.field == field


def test_a_reply_loses_nothing_on_its_way_to_json() -> None:
    """Integers that JSON readers round are text; lists are lists; what is absent is absent."""
    reply = read(
        "<Id>9007199254740993</Id><Small>-3</Small><At>2026-11-24T10:30:00Z</At>"
        '<Value currency="USD">10.00</Value><Item>A</Item><Photo>aGFsbG8=</Photo>'
    )

    assert reply == {
        "Id": "9007199254740993",
        "Small": -3,
        "At": "2026-11-24T10:30:00+00:00",
        "Value": {"_value_1": "10.00", "currency": "USD"},
        "Item": ["A"],
        "Photo": "aGFsbG8=",
    }
    assert read("<Id>1</Id>") == {"Id": 1, "Item": []}


def test_a_one_way_operation_has_nothing_to_read() -> None:
    """Its reply is an empty object."""
    body = codec.open_envelope(f'<e:Envelope xmlns:e="{codec.SOAP_12}"><e:Body/></e:Envelope>'.encode(), 1000)

    assert codec.read(TELL, body) == {}


def test_a_soap_12_fault_is_known_by_its_innermost_subcode() -> None:
    """SOAP 1.2 part 1, 5.4.1.3: subcodes refine the code."""
    fault = f"""<e:Envelope xmlns:e="{codec.SOAP_12}"><e:Body><e:Fault>
      <e:Code><e:Value>e:Sender</e:Value>
        <e:Subcode><e:Value xmlns:s="urn:stock">s:Locked</e:Value></e:Subcode></e:Code>
      <e:Reason><e:Text xml:lang="en">the item is being counted</e:Text></e:Reason>
      <e:Detail><reason xmlns="urn:x"><Why>audit</Why></reason></e:Detail></e:Fault></e:Body></e:Envelope>"""

    body = codec.open_envelope(fault.encode(), 10_000)
    plain, by_element = codec.read_fault(body, "ErrorCode"), codec.read_fault(body, "Why")

    assert plain is not None
    assert by_element is not None
    assert (plain.code, by_element.code) == ("Locked", "audit")
    assert plain.message == "the item is being counted"


def test_an_unknown_port_is_answered_with_those_there_are() -> None:
    """Service and port are settings a person types."""
    with pytest.raises(Misconfigured) as refused:
        wsdl.find_port(DOCUMENT, "Stock", "Stocks")

    assert (refused.value.field, refused.value.next_action) == ("port", "use one of: Stock")
