"""WS-Security over real sockets: what a peer needs to know us, once and in time."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from connectors.sdk import CredentialsRefused, Rejected
from connectors.simulators.erp import WSDL
from connectors.soap.connector import CallOperation, CallParameters, SoapSettings
from connectors.soap.settings import doubts
from tests.connectors.soap.conftest import Canned
from tests.harness import MemoryContext

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
NAMES = {
    "s": SOAP_11,
    "wsse": f"{OASIS}-wssecurity-secext-1.0.xsd",
    "wsu": f"{OASIS}-wssecurity-utility-1.0.xsd",
}
FOUND = (
    f'<e:Envelope xmlns:e="{SOAP_11}"><e:Body><GetSupplierResponse xmlns="urn:orderly:erp"><Number>4010</Number>'
    "<Name>n</Name><Status>ACTIVE</Status><Approved>true</Approved></GetSupplierResponse></e:Body></e:Envelope>"
).encode()

Call = Callable[..., Any]


@pytest.fixture
def call(canned: Canned) -> Iterator[Call]:
    """Asks for a supplier through a connection with this security."""
    canned.reply = (200, "text/xml", FOUND)
    with ExitStack() as opened:

        def run(**security: Any) -> Any:
            settings = SoapSettings.model_validate(
                {
                    "url": f"{canned.url}/erp", "wsdl": str(WSDL), "allow": ["127.0.0.0/8"],
                    "security": {"user": "ORDERLY", "password": "s&cret", **security},
                }
            )  # fmt: skip
            context = MemoryContext(settings, type="soap")
            opened.callback(context.close)
            return CallOperation().run(CallParameters(operation="GetSupplier", body={"Number": "4010"}), context)

        yield run


def header(content: bytes) -> etree._Element:
    [found] = etree.fromstring(content).findall("s:Header/wsse:Security", NAMES)
    return found


def text(element: etree._Element, path: str) -> str:
    found = element.findtext(path, namespaces=NAMES)
    assert found is not None, path
    return found


def test_the_digest_is_the_one_the_peer_computes(canned: Canned, call: Call) -> None:
    """UsernameToken Profile 1.1, section 3.1: Base64(SHA-1(nonce + created + password))."""
    assert call()["Number"] == "4010"

    security = header(canned.posted[0][1])
    token = security.find("wsse:UsernameToken", NAMES)
    assert token is not None
    created = text(token, "wsu:Created")
    plain = base64.b64decode(text(token, "wsse:Nonce")) + created.encode() + b"s&cret"
    assert text(token, "wsse:Password") == base64.b64encode(hashlib.sha1(plain).digest()).decode()
    assert text(token, "wsse:Username") == "ORDERLY"
    assert b"s&amp;cret" not in canned.posted[0][1]
    assert security.get(f"{{{SOAP_11}}}mustUnderstand") == "1"
    assert abs(datetime.fromisoformat(created) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_time_stamp_says_until_when_the_message_is_good(canned: Canned, call: Call) -> None:
    call(good_for="10m")
    call(good_for=None)

    stamp, none = (header(content) for _, content in canned.posted)
    times = [datetime.fromisoformat(text(stamp, f"wsu:Timestamp/wsu:{name}")) for name in ("Created", "Expires")]
    assert times[1] - times[0] == timedelta(minutes=10)
    assert none.find("wsu:Timestamp", NAMES) is None


def test_the_password_itself_is_sent_where_the_peer_wants_it(canned: Canned, call: Call) -> None:
    call(digest=False, must_understand=False)

    security = header(canned.posted[0][1])
    password = security.find("wsse:UsernameToken/wsse:Password", NAMES)
    assert password is not None
    assert (password.text, (password.get("Type") or "").rpartition("#")[2]) == ("s&cret", "PasswordText")
    assert security.get(f"{{{SOAP_11}}}mustUnderstand") is None


def test_every_attempt_has_a_number_of_its_own(canned: Canned, call: Call) -> None:
    """Else a peer takes a retry for a replay."""
    call()
    call()

    nonces = {text(header(content), "wsse:UsernameToken/wsse:Nonce") for _, content in canned.posted}
    assert len(nonces) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("wsse:FailedAuthentication", CredentialsRefused),
        ("wsse:InvalidSecurityToken", CredentialsRefused),
        ("wsu:MessageExpired", Rejected),
        ("wsse:InvalidSecurity", Rejected),
    ],
)
def test_a_fault_of_security_says_that_nothing_was_done(
    canned: Canned, call: Call, code: str, kind: type[Exception]
) -> None:
    """SOAP Message Security 1.1, section 12; many stacks send it with status 500."""
    fault = (
        f'<e:Envelope xmlns:e="{SOAP_11}"><e:Body><e:Fault><faultcode xmlns:wsse="x" xmlns:wsu="y">{code}</faultcode>'
        "<faultstring>no</faultstring></e:Fault></e:Body></e:Envelope>"
    )
    canned.reply = (500, "text/xml", fault.encode())

    with pytest.raises(kind) as refused:
        call()

    assert getattr(refused.value, "next_action", "")
    assert "s&cret" not in str(refused.value)


def test_a_password_in_the_open_is_found_without_reaching_anything() -> None:
    given = {
        "url": "http://erp.example",
        "wsdl": "a.wsdl",
        "security": {"user": "u", "password": "p", "digest": False},
    }

    assert [one.place for one in doubts(SoapSettings.model_validate(given))] == [("security", "digest")]
    assert list(doubts(SoapSettings.model_validate({**given, "url": "https://erp.example"}))) == []
