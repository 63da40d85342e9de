"""JSON to SOAP requests and SOAP replies to JSON, by the types of a WSDL. No I/O.

What goes out is checked here, before a byte of it is sent: unknown elements, missing ones, numbers and dates
that are none. What comes in keeps its text: decimals, dates and large integers are strings, absent elements
are absent, repeatable elements are lists however many there are.
"""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from lxml import etree
from zeep import xsd
from zeep.exceptions import Error as ZeepError
from zeep.xsd.valueobjects import AnyObject, CompoundValue

from connectors.sdk import Misconfigured
from connectors.sdk.xml import parse
from connectors.soap.reading import NotPlain, Reader

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"

#: Name of the text of an element that has attributes too, or that is the whole request.
TEXT = "_value_1"

#: Faults of the sending side: the message was not acted on (SOAP 1.1 section 4.4.1, SOAP 1.2 part 1 section 5.4.6).
#: So are those of WS-Security (SOAP Message Security 1.1, section 12).
UNKNOWN_TO_THEM = frozenset({"FailedAuthentication", "InvalidSecurityToken", "SecurityTokenUnavailable"})
_REFUSALS = UNKNOWN_TO_THEM | {
    "Client", "Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown", "FailedCheck",
    "InvalidSecurity", "MessageExpired", "UnsupportedSecurityToken", "UnsupportedAlgorithm",
}  # fmt: skip
_EXACT_INTEGER = 2**53
_DETAIL_LIMIT = 2000
_LEXICAL = (
    (xsd.Integer, re.compile(r"[+-]?\d+"), "a whole number"),
    (xsd.Decimal, re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)"), "a decimal number"),
    (xsd.Boolean, re.compile(r"true|false|1|0"), "true or false"),
    (xsd.Date, re.compile(r"-?\d{4,}-\d\d-\d\d(Z|[+-]\d\d:\d\d)?"), "a date like 2026-11-24"),
    (
        xsd.DateTime,
        re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
        "a time like 2026-11-24T10:30:00Z",
    ),
)


class NotReadable(Exception):
    """A reply that is not the SOAP message the WSDL promises."""


@dataclass(frozen=True)
class Request:
    """What to post: ``headers`` are those of HTTP."""

    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Fault:
    """``code`` is the peer's own code where the detail has one, else the local name of SOAP's.

    ``refused``: the peer says no. A fault of the receiving side, such as a bare ``Server``, does not say that: it
    may come from a time-out behind the peer, after it acted.
    """

    code: str
    message: str
    refused: bool
    details: dict[str, Any] = field(default_factory=dict)


def write(operation: Any, body: Mapping[str, Any], headers: Mapping[str, Any]) -> Request:
    """The envelope for a zeep operation. Raises ``Misconfigured`` with the field that does not fit."""
    message = operation.input
    arguments: dict[str, Any] = {}
    alone: tuple[Any, ...] = ()
    if message.body is not None and not isinstance(message.body.type, xsd.ComplexType):
        alone = (_fitted_alone(message.body.type, body),)
    elif message.body is not None:
        arguments = _fitted_root(message.body.type, body, "body")
    elif body:
        raise _does_not_fit("body", f"operation {operation.name} takes no body", "leave body out")
    if headers:
        arguments["_soapheaders"] = _fitted_root(message.header.type, headers, "headers")
    try:
        envelope = operation.create(*alone, **arguments).content
    except ZeepError as error:
        raise _does_not_fit(_path(error), f"{operation.name}: {error.message}", _SEE) from error
    except (TypeError, ValueError, AttributeError, AssertionError, LookupError) as error:
        raise _does_not_fit("body", f"{operation.name}: {error}", _SEE) from error
    etree.cleanup_namespaces(envelope)
    content = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
    return Request(content, http_headers(etree.QName(envelope).namespace, operation.soapaction or ""))


def fits(operation: Any, element: str) -> bool:
    """Whether the request's body has a child element of that name."""
    body = operation.input.body
    return body is not None and element in _children(body.type)


def open_envelope(data: bytes, limit: int) -> etree._Element:
    """The SOAP Body of a reply. Raises ``NotReadable``, and ``XmlRefused`` for what is not XML we accept."""
    envelope = parse(data, what="the reply", limit=limit)
    namespace = etree.QName(envelope).namespace
    body = envelope.find(f"{{{namespace}}}Body")
    if namespace not in (SOAP_11, SOAP_12) or etree.QName(envelope).localname != "Envelope" or body is None:
        raise NotReadable(f"its root is {etree.QName(envelope).localname}, not a SOAP envelope with a body")
    return body


def reader(operation: Any) -> Reader | None:
    """How the operation's reply is read without zeep; ``None`` where its type is not plain enough for that."""
    message = operation.output
    if message is None or message.body is None or operation.style != "document" or message._is_body_wrapped:
        return None
    try:
        return Reader(message.body.type, plain) if isinstance(message.body.type, xsd.ComplexType) else None
    except NotPlain:
        return None


def read(operation: Any, body: etree._Element, quick: Reader | None = None) -> Any:
    """The reply as JSON: an object of the elements inside the response element; ``quick`` is the operation's
    ``reader``. Raises ``NotReadable``."""
    message = operation.output
    if message is None or message.body is None:
        return {}
    if len(body) == 0:
        raise NotReadable("its SOAP body is empty")
    expected = message.body.qname
    if operation.style == "document" and not message._is_body_wrapped and body[0].tag != expected.text:
        raise NotReadable(f"its body holds {body[0].tag}, the WSDL says {expected.text}")
    if quick is not None:
        try:
            return quick.read(body[0])
        except NotPlain:
            pass
    try:
        value = message._deserialize_body(body)["body"]
    except (
        ZeepError, TypeError, ValueError, AttributeError, AssertionError, LookupError, ArithmeticError,
    ) as error:  # fmt: skip
        raise NotReadable(f"its body does not fit the WSDL: {error}") from error
    return {} if value is None else plain(value)


def read_fault(body: etree._Element, code_element: str) -> Fault | None:
    """The fault in a SOAP body, if there is one (SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4).

    ``code_element`` is the local name of the element in the detail that carries the peer's own code.
    """
    if len(body) == 0 or etree.QName(body[0]).localname != "Fault":
        return None
    fault = body[0]
    if etree.QName(fault).namespace == SOAP_12:
        code = _last(fault, f"./{{{SOAP_12}}}Code//{{{SOAP_12}}}Value")
        message = _last(fault, f"./{{{SOAP_12}}}Reason/{{{SOAP_12}}}Text")
        detail = fault.find(f"{{{SOAP_12}}}Detail")
    else:
        code, message, detail = _last(fault, "faultcode"), _last(fault, "faultstring"), fault.find("detail")
    local = code.rpartition(":")[2]
    side = _first(fault, f"./{{{SOAP_12}}}Code/{{{SOAP_12}}}Value") or code
    own = "" if detail is None else _last(detail, f".//{{*}}{code_element}")
    details = {"faultcode": local, "faultstring": message}
    if detail is not None and len(detail):
        details["detail"] = etree.tostring(detail, encoding="unicode", with_tail=False)[:_DETAIL_LIMIT]
    refused = bool(own) or bool({side.rpartition(":")[2].partition(".")[0], local} & _REFUSALS)
    return Fault(own or local or "Fault", message or "no reason given", refused, details)


def plain(value: Any) -> Any:
    """A value read by zeep as JSON; an absent element of an object is left out, in a list it is null."""
    if isinstance(value, CompoundValue | dict):
        items = ((name, plain(value[name])) for name in value)
        return {name: item for name, item in items if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, AnyObject):
        return plain(value.value)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, etree._Element):
        return etree.tostring(value, encoding="unicode", with_tail=False)
    return str(value)


_SEE = "compare the body with the operation's signature in the WSDL"


def _fitted_root(type_: Any, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    if not isinstance(type_, xsd.ComplexType):
        return dict(value)
    fitted = _fitted(type_, value, path)
    assert isinstance(fitted, dict)
    return fitted


def _fitted_alone(type_: Any, body: Mapping[str, Any]) -> Any:
    """A request whose element holds text and no elements; ``value`` is another name for it."""
    if set(body) not in ({TEXT}, {"value"}):
        raise _does_not_fit(
            "body", "the request holds one plain value and no elements", f'give it as {{"{TEXT}": value}}'
        )
    [(name, value)] = body.items()
    return _fitted_text(type_, value, f"body.{name}")


def _fitted(type_: Any, value: Any, path: str) -> Any:
    """The value as zeep wants it: lists where the type repeats, text where it is simple."""
    if value is None:
        return None
    if isinstance(type_, xsd.ComplexType):
        if isinstance(value, Mapping):
            return _fitted_object(type_, value, path)
        if isinstance(value, list) and not type_._array_type:
            raise _does_not_fit(path, f"{path} is a list, the WSDL allows one", "give one object")
        return value
    if isinstance(type_, xsd.AnySimpleType) and not isinstance(type_, xsd.ListType):
        return _fitted_text(type_, value, path)
    return value


def _fitted_object(type_: Any, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    children = _children(type_)
    fitted: dict[str, Any] = {}
    for name, item in value.items():
        here = f"{path}.{name}"
        if name not in children:
            close = get_close_matches(name, children, 1)
            hint = f"did you mean {close[0]}?" if close else f"it has: {', '.join(children) or 'nothing'}"
            raise _does_not_fit(here, f"the WSDL has no element {name} in {path}", hint)
        child = children[name]
        if not isinstance(child, xsd.Element):
            fitted[name] = item
        elif child.accepts_multiple:
            items = item if isinstance(item, list) else [] if item is None else [item]
            fitted[name] = [_fitted(child.type, one, f"{here}[{i}]") for i, one in enumerate(items)]
        else:
            fitted[name] = _fitted(child.type, item, here)
    return fitted


def _children(type_: Any) -> dict[str, Any]:
    """Elements, attributes and repeated groups (``_value_1``) that an object of the type may have."""
    if not isinstance(type_, xsd.ComplexType):
        return {}
    groups = {name: group for name, group in type_.elements_nested if group.accepts_multiple}
    return {**dict(type_.elements), **groups, **dict(type_.attributes)}


def _fitted_text(type_: Any, value: Any, path: str) -> Any:
    text = _text(value, path)
    for kind, pattern, wanted in _LEXICAL:
        if isinstance(type_, kind):
            if not pattern.fullmatch(text):
                raise _does_not_fit(path, f"{path} is {text!r}, the WSDL wants {wanted}", "correct the value")
            break
    try:
        read_back = type_.pythonvalue(text)
    except (ValueError, TypeError, ArithmeticError, AttributeError, NotImplementedError) as error:
        raise _does_not_fit(path, f"{path} is {text!r}, not a {type_.name}", "correct the value") from error
    return read_back if isinstance(read_back, bool | bytes | tuple) else text


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    kind = "a list" if isinstance(value, list) else "an object" if isinstance(value, Mapping) else repr(value)
    raise _does_not_fit(path, f"{path} is {kind}, the WSDL wants one plain value", "give a string or a number")


def http_headers(namespace: str | None, action: str) -> dict[str, str]:
    """Those of HTTP. SOAP 1.1 section 6.1.1; for SOAP 1.2 RFC 3902."""
    if namespace == SOAP_12:
        suffix = f'; action="{action}"' if action else ""
        return {"Content-Type": f"application/soap+xml; charset=utf-8{suffix}"}
    return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}


def _last(element: etree._Element, path: str) -> str:
    found = element.findall(path)
    return (found[-1].text or "").strip() if found else ""


def _first(element: etree._Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _path(error: ZeepError) -> str:
    """zeep's path begins with the request element, ours with ``body``."""
    return ".".join(["body", *(str(step) for step in getattr(error, "path", [])[1:])])


def _does_not_fit(field: str, message: str, next_action: str) -> Misconfigured:
    return Misconfigured(message, next_action=next_action, field=field)
