"""Envelopes written by hand, for services that no WSDL helps with (rpc/encoded): a template out, plain JSON in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from lxml import etree

from connectors.sdk import Misconfigured
from connectors.sdk.xml import XmlRefused, parse
from connectors.soap.codec import SOAP_11, SOAP_12, NotReadable, Request, http_headers

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
#: Attributes of the protocol, not of the message.
_NOT_SHOWN: Final = (_XSI, "{http://schemas.xmlsoap.org/soap/encoding/}", f"{{{SOAP_11}}}", f"{{{SOAP_12}}}")
_SECTION: Final = re.compile(r"\{\{#([\w.]+)\}\}(.*?)\{\{/\1\}\}", re.DOTALL)
_FIELD: Final = re.compile(r"\{\{([\w.]+|\.)\}\}")
#: libxml2 reads 256 levels; references may go on from there.
_DEEPEST, _MOST_ELEMENTS = 400, 1_000_000


def write(template: str, values: Mapping[str, Any], action: str) -> Request:
    """The envelope with its values in place. Raises ``Misconfigured`` for a value that is missing or no single one,
    and for what is no SOAP envelope then."""
    content = _filled(template, (values,)).encode()
    try:
        root = parse(content, what="the envelope")
    except XmlRefused as refused:
        raise Misconfigured(
            f"{refused.message} (line {refused.line})", next_action="correct envelope of the node", field="envelope"
        ) from refused
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in (SOAP_11, SOAP_12):
        raise Misconfigured(
            f"the root of envelope is {root.tag}, not a SOAP envelope",
            next_action="begin with Envelope of SOAP 1.1 or 1.2, with a Body in it",
            field="envelope",
        )
    return Request(content, http_headers(name.namespace, action))


def _filled(template: str, scopes: tuple[Any, ...]) -> str:
    def section(found: re.Match[str]) -> str:
        value = _value(found[1], scopes)
        items = value if isinstance(value, list) else [] if value in (None, False, "") else [value]
        return "".join(_filled(found[2], (item, *scopes)) for item in items)

    return _FIELD.sub(lambda found: _text(found[1], scopes), _SECTION.sub(section, template))


def _text(path: str, scopes: tuple[Any, ...]) -> str:
    value = _value(path, scopes)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Misconfigured(
            f"values has no single value at {path}, which the envelope wants",
            next_action="add it to values of the node, or put the place into a section {{#name}}…{{/name}}",
            field="values",
        )
    return escape(str(value), {'"': "&quot;"})


def _value(path: str, scopes: tuple[Any, ...]) -> Any:
    """In the innermost scope that has the first name."""
    if path == ".":
        return scopes[0]
    first, *rest = path.split(".")
    value = next((scope[first] for scope in scopes if isinstance(scope, Mapping) and first in scope), None)
    for name in rest:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def read(body: etree._Element, lists: Collection[str]) -> Any:
    """What a SOAP body holds, by local names: text of leaves, attributes as ``@name``, elements that came several
    times (and those in ``lists``) as lists. References (SOAP 1.1, section 5.4) are put in their place.

    Raises ``NotReadable`` where references blow a reply up.
    """
    if len(body) == 0:
        return {}
    return {etree.QName(body[0]).localname: _Reader(body, lists).plain(body[0], 0)}


class _Reader:
    def __init__(self, body: etree._Element, lists: Collection[str]) -> None:
        self._known = {one.get("id"): one for one in body if one.get("id")}
        self._lists = lists
        self._left = _MOST_ELEMENTS

    def plain(self, element: etree._Element, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise NotReadable(f"its references make more than {_MOST_ELEMENTS} elements of it")
        there = self._known.get((element.get("href") or "").removeprefix("#"))
        if there is not None:
            if depth > _DEEPEST:
                raise NotReadable("its references lead in a circle")
            return self.plain(there, depth + 1)
        if element.get(f"{_XSI}nil") in ("true", "1"):
            return None
        made: dict[str, Any] = {
            f"@{etree.QName(name).localname}": value
            for name, value in element.attrib.items()
            if not str(name).startswith(_NOT_SHOWN) and name != "id"
        }
        if len(element) == 0 and not made:
            return element.text or ""
        if len(element) == 0 and element.text:
            made["#text"] = element.text
        for child in element:
            self._put(made, etree.QName(child).localname, self.plain(child, depth + 1))
        return made

    def _put(self, made: dict[str, Any], name: str, value: Any) -> None:
        if isinstance(before := made.get(name), list):
            before.append(value)
        elif name in made:
            made[name] = [before, value]
        else:
            made[name] = [value] if name in self._lists else value
