"""Replies that say no without a fault, by the rules of a connection."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sdk import OutcomeUnknown, Rejected
from connectors.simulators.erp import WSDL
from connectors.soap.connector import CallOperation, CallParameters, SoapSettings
from connectors.soap.told import ErrorRule, told
from tests.connectors.soap.conftest import Canned
from tests.harness import MemoryContext

BAPI = ErrorRule.model_validate(
    {"at": "Return.item", "field": "Type", "is": ["E", "A"], "code": "Number", "message": "Message"}
)
NETSUITE = ErrorRule.model_validate(
    {
        "at": "writeResponse.status", "field": "isSuccess", "is": "false", "code": "statusDetail.code",
        "message": "statusDetail.message",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"Return": {"item": [{"Type": "S", "Number": "017"}, {"Type": "W"}]}, "Number": "45"}, None),
        ({"Return": {"item": {"Type": "E", "Number": "022", "Message": "No plant"}}}, ("022", "No plant")),
        ({"Return": {"item": [{"Type": "I"}, {"Type": "A"}]}}, ("A", "no reason given")),
        ({}, None),
        ({"Return": None}, None),
        ("text", None),
    ],
)
def test_bapiret2_of_type_e_or_a_is_a_failure(reply: Any, expected: tuple[str, str] | None) -> None:
    """Warnings and information are none."""
    found = told(reply, [BAPI])

    assert (found and (found.code, found.message)) == expected


def test_netsuites_is_success_false_is_a_failure() -> None:
    detail = [{"code": "INVALID_KEY", "message": "no vendor"}, {"code": "X", "message": "no item"}]

    for success, expected in ((True, None), (False, ("INVALID_KEY", "no vendor; no item", "refused"))):
        reply = {"writeResponse": {"status": {"isSuccess": success, "statusDetail": detail}}}
        found = told(reply, [BAPI, NETSUITE])
        assert (found and (found.code, found.message, found.means)) == expected


@pytest.mark.parametrize(("means", "kind"), [("refused", Rejected), ("broken", OutcomeUnknown)])
def test_the_rule_says_what_it_means_for_the_call(canned: Canned, means: str, kind: type[Any]) -> None:
    """The code is the one that ``faults`` is matched by."""
    rule = {"field": "Status", "is": ["BLOCKED"], "code": "Name", "message": "Name", "means": means}
    settings = SoapSettings.model_validate(
        {"url": f"{canned.url}/erp", "wsdl": str(WSDL), "allow": ["127.0.0.0/8"], "errors": [rule]}
    )
    canned.reply = (
        200,
        "text/xml",
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><GetSupplierResponse'
        b' xmlns="urn:orderly:erp"><Number>1</Number><Name>4711</Name><Status>BLOCKED</Status>'
        b"<Approved>0</Approved></GetSupplierResponse></e:Body></e:Envelope>",
    )
    context = MemoryContext(settings, type="soap")

    with pytest.raises(kind) as refused:
        CallOperation().run(CallParameters(operation="GetSupplier", body={"Number": "1"}), context)

    assert (refused.value.code, refused.value.details["said"]) == ("4711", "4711")
    assert refused.value.next_action
    context.close()
