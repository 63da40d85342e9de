"""Envelopes written by hand, over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from lxml import etree

from connectors.sdk import Misconfigured, OutcomeUnknown, Rejected
from connectors.soap.connector import CallOperation, CallParameters, Raw, RawParameters, SoapSettings, check
from tests.connectors.soap.conftest import Canned
from tests.harness import MemoryContext

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
TEMPLATE = (
    f'<e:Envelope xmlns:e="{SOAP_11}"><e:Body><m:Order xmlns:m="urn:m" n="{{{{order.number}}}}">'
    "{{#lines}}<line>{{item}} of {{order.number}}{{#notes}}<note>{{.}}</note>{{/notes}}</line>{{/lines}}"
    "{{#urgent}}<urgent/>{{/urgent}}</m:Order></e:Body></e:Envelope>"
)
VALUES = {
    "order": {"number": '45<&"'},
    "lines": [{"item": 1, "notes": ["a", "b"]}, {"item": True}],
    "urgent": False,
}

#: rpc/encoded as Axis 1 sends it: what is used twice stands once, behind the response.
ENCODED = f"""<e:Envelope xmlns:e="{SOAP_11}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:c="http://schemas.xmlsoap.org/soap/encoding/"><e:Body>
 <m:OrderResponse xmlns:m="urn:m" e:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">
  <number i:type="xsd:string">45</number><supplier href="#id0"/><gone i:nil="true"/>
  <lines c:arrayType="m:Line[2]"><item>1</item><item kind="new">2</item></lines><tags><tag>x</tag></tags>
 </m:OrderResponse>
 <multiRef id="id0"><name>ACME</name></multiRef></e:Body></e:Envelope>""".encode()

Connect = Callable[..., MemoryContext]


@pytest.fixture
def connect(canned: Canned) -> Iterator[Connect]:
    """No WSDL."""
    with ExitStack() as opened:

        def connected(**settings: Any) -> MemoryContext:
            given = {"url": f"{canned.url}/erp", "allow": ["127.0.0.0/8"], **settings}
            context = MemoryContext(SoapSettings.model_validate(given), type="soap")
            opened.callback(context.close)
            return context

        yield connected


def raw(context: MemoryContext, **parameters: Any) -> Any:
    return Raw().run(RawParameters(**{"envelope": TEMPLATE, "values": VALUES, **parameters}), context)


def test_values_go_into_their_places_escaped(canned: Canned, connect: Connect) -> None:
    canned.reply = (200, "text/xml", ENCODED)

    raw(connect(), action="urn:m#Order")

    [(headers, content)] = canned.posted
    order = etree.fromstring(content)[0][0]
    assert order.get("n") == '45<&"'
    assert [line.text for line in order] == ['1 of 45<&"', 'true of 45<&"']
    assert [note.text for note in order[0]] == ["a", "b"]
    assert (headers["soapaction"], headers["content-type"]) == ('"urn:m#Order"', "text/xml; charset=utf-8")


def test_an_encoded_reply_becomes_plain_json(canned: Canned, connect: Connect) -> None:
    canned.reply = (200, "text/xml", ENCODED)

    reply = raw(connect(), lists=["tag"])

    assert reply == {
        "OrderResponse": {
            "number": "45",
            "supplier": {"name": "ACME"},
            "gone": None,
            "lines": {"item": ["1", {"@kind": "new", "#text": "2"}]},
            "tags": {"tag": ["x"]},
        }
    }


CIRCLE = '<r href="#a"/><m id="a"><n href="#a"/></m>'
#: 2^40 elements, were they all put in their places.
LAUGHS = '<r href="#n0"/>' + "".join(
    f'<m id="n{n}"><x href="#n{n + 1}"/><x href="#n{n + 1}"/></m>' for n in range(40)
)


@pytest.mark.parametrize(("content", "why"), [(CIRCLE, "in a circle"), (LAUGHS, "more than 1000000 elements")])
def test_references_that_never_end_make_a_reply_unreadable(
    canned: Canned, connect: Connect, content: str, why: str
) -> None:
    """It was sent and something answered: whether it acted, only a look-up can tell."""
    canned.reply = (
        200,
        "text/xml",
        f'<e:Envelope xmlns:e="{SOAP_11}"><e:Body>{content}</e:Body></e:Envelope>'.encode(),
    )

    with pytest.raises(OutcomeUnknown, match=why):
        raw(connect())


def test_soap_12_is_known_by_the_envelope(canned: Canned, connect: Connect) -> None:
    canned.reply = (200, "application/soap+xml", ENCODED.replace(SOAP_11.encode(), SOAP_12.encode()))

    raw(connect(), envelope=TEMPLATE.replace(SOAP_11, SOAP_12), action="urn:a")

    assert canned.posted[0][0]["content-type"] == 'application/soap+xml; charset=utf-8; action="urn:a"'


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        (TEMPLATE.replace("order.number", "order.no"), "values"),
        (TEMPLATE.replace("order.number", "lines"), "values"),
        ("<Order/>", "envelope"),
        (TEMPLATE[:-3], "envelope"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + TEMPLATE, "envelope"),
    ],
)
def test_what_is_no_envelope_in_the_end_is_not_sent(
    canned: Canned, connect: Connect, envelope: str, field: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        raw(connect(), envelope=envelope)

    assert (refused.value.field, bool(refused.value.next_action)) == (field, True)
    assert canned.posted == []


def test_faults_and_rules_hold_for_hand_written_envelopes_too(canned: Canned, connect: Connect) -> None:
    fault = "<e:Fault><faultcode>e:Client</faultcode><faultstring>no</faultstring></e:Fault>"
    canned.reply = (
        500,
        "text/xml",
        f'<e:Envelope xmlns:e="{SOAP_11}"><e:Body>{fault}</e:Body></e:Envelope>'.encode(),
    )
    with pytest.raises(Rejected, match="no"):
        raw(connect())

    canned.reply = (200, "text/xml", ENCODED)
    rule = {"at": "OrderResponse", "field": "number", "is": ["45"]}
    with pytest.raises(Rejected) as refused:
        raw(connect(errors=[rule]))
    assert refused.value.code == "45"

    canned.reply = (200, "text/html", b"<html>log in</html>")
    with pytest.raises(OutcomeUnknown):
        raw(connect())


def test_without_a_wsdl_operations_cannot_be_called_and_the_rest_works(canned: Canned, connect: Connect) -> None:
    canned.pages["/erp"] = (405, b"")
    context = connect()

    assert check(context).ok
    with pytest.raises(Misconfigured, match="names no WSDL") as refused:
        CallOperation().run(CallParameters(operation="Order"), context)
    assert refused.value.field == "wsdl"
