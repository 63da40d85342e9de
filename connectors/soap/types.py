"""The types of a WSDL as one XML Schema, which messages are held against. zeep reads leniently where this does not:
an unreadable date becomes nothing, facets are not looked at."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree
from zeep import loader

from connectors.sdk import Misconfigured

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_MOST_TOLD: Final = 3
#: Values of the message in what libxml2 says of it, which may be somebody's data.
_VALUE: Final = re.compile(r"(: |[Vv]alue )'[^']*'")


class Types:
    """Shared by threads, which take turns: libxml2 keeps what it found with the schema."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        """``documents`` are those of the WSDL, as they were loaded. Raises ``Misconfigured`` where libxml2 cannot
        make one schema of them."""
        self._lock = threading.Lock()
        schemas = dict(_schemas(documents))
        parser = etree.XMLParser(no_network=True, resolve_entities=False)
        parser.resolvers.add(_Memory(_linked(schemas)))
        try:
            self._schema = etree.XMLSchema(etree.fromstring(_roof(schemas), parser))
        except etree.LxmlError as error:
            raise Misconfigured(
                f"messages cannot be held against the types of the WSDL: {error}",
                next_action="correct the WSDL with its publisher, or set check_types of the connection to none",
                field="check_types",
            ) from error

    def faults(self, message: etree._Element) -> list[str]:
        """What breaks the types, with its place; at most three, values left out. Empty where all is well."""
        with self._lock:
            if self._schema.validate(message):
                return []
            errors: Any = self._schema.error_log
            said = dict.fromkeys(_VALUE.sub(r"\1…", error.message) for error in errors)
            return list(said)[:_MOST_TOLD]


def _schemas(documents: Mapping[str, bytes]) -> Iterator[tuple[str, etree._Element]]:
    """By address: schema files, and those inside a WSDL by the address of the WSDL and a number."""
    for location, data in documents.items():
        root = etree.fromstring(data, etree.XMLParser(no_network=True, resolve_entities=False))
        if root.tag == f"{_XS}schema":
            yield location, root
            continue
        inside = root.iterfind(f"{{http://schemas.xmlsoap.org/wsdl/}}types/{_XS}schema")
        for number, schema in enumerate(inside):
            # Cut out whole, so that prefixes the WSDL declares stay known.
            yield f"{location}#{number}", etree.fromstring(etree.tostring(schema, with_tail=False))


def _namespaces(schemas: Mapping[str, etree._Element]) -> dict[str, list[str]]:
    """Addresses of the schemas of each namespace, but for those that another one includes."""
    included = {
        _absolute(one.get("schemaLocation", ""), address)
        for address, schema in schemas.items()
        for one in schema.iterfind("*")
        if one.tag in (f"{_XS}include", f"{_XS}redefine")
    }
    found: dict[str, list[str]] = {}
    for address, schema in schemas.items():
        if address not in included:
            found.setdefault(schema.get("targetNamespace", ""), []).append(address)
    return found


def _linked(schemas: Mapping[str, etree._Element]) -> dict[str, bytes]:
    """Each under an address of its own, with a page for each namespace that includes all of it: libxml2 takes one
    import of a namespace, and WSDLs often import without an address what stands beside."""
    names = {address: f"memory:{number}" for number, address in enumerate(schemas)}
    namespaces = _namespaces(schemas)
    pages = {namespace: f"memory:namespace:{number}" for number, namespace in enumerate(namespaces)}
    texts = {}
    for address, schema in schemas.items():
        _relink(schema, address, names, pages)
        texts[names[address]] = etree.tostring(schema)
    for namespace, addresses in namespaces.items():
        page = etree.Element(f"{_XS}schema", {"targetNamespace": namespace} if namespace else {})
        for address in addresses:
            etree.SubElement(page, f"{_XS}include", {"schemaLocation": names[address]})
        texts[pages[namespace]] = etree.tostring(page)
    return texts


def _relink(schema: etree._Element, address: str, names: Mapping[str, str], pages: Mapping[str, str]) -> None:
    imported = {schema.get("targetNamespace", "")}
    for one in schema.iterfind("*"):
        if one.tag == f"{_XS}import":
            namespace = one.get("namespace", "")
            imported.add(namespace)
            one.attrib.pop("schemaLocation", "")
            if namespace in pages:
                one.set("schemaLocation", pages[namespace])
        elif one.tag in (f"{_XS}include", f"{_XS}redefine"):
            there = _absolute(one.get("schemaLocation", ""), address)
            one.set("schemaLocation", names.get(there, "memory:missing"))
    for namespace in {uri for uri in schema.nsmap.values() if uri in pages} - imported:
        schema.insert(
            0, etree.Element(f"{_XS}import", {"namespace": namespace, "schemaLocation": pages[namespace]})
        )


def _roof(schemas: Mapping[str, etree._Element]) -> bytes:
    roof = etree.Element(f"{_XS}schema", {"targetNamespace": "urn:orderly:roof"})
    for number, namespace in enumerate(_namespaces(schemas)):
        attributes = {"schemaLocation": f"memory:namespace:{number}"} | (
            {"namespace": namespace} if namespace else {}
        )
        etree.SubElement(roof, f"{_XS}import", attributes)
    return etree.tostring(roof)


def _absolute(location: str, address: str) -> str:
    resolve: Any = loader.absolute_location
    return str(resolve(location, address.partition("#")[0]))


class _Memory(etree.Resolver):
    """Whatever else a schema names is empty: nothing is fetched, from the network or the disk."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]
        text = self._texts.get(system_url, b"")
        return self.resolve_string(text, context, base_url=system_url)
