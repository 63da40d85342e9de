"""WSDL 1.1 documents: loaded through the guarded parser, from one folder, origin or bundle, and listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.settings import Settings as ZeepSettings
from zeep.wsdl import Document

from connectors.sdk import Misconfigured
from connectors.soap.library import Fetch, Library, library

#: What zeep raises for definitions it cannot follow: they come from outside and may be wrong in any way.
_NOT_UNDERSTOOD = (
    ZeepError, etree.LxmlError, ArithmeticError, AssertionError, AttributeError, ImportError, LookupError,
    NotImplementedError, RecursionError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Outline:
    """One operation of a WSDL; ``input`` and ``output`` are signatures like ``Number: xsd:string``."""

    service: str
    port: str
    name: str
    input: str
    output: str


def no_network(url: str) -> bytes:
    """The ``Fetch`` of a caller that has files only."""
    raise Misconfigured(
        f"the WSDL at {url} is not a file",
        next_action="save the WSDL as a file, or name it as wsdl of a connection",
        field="wsdl",
    )


def load(location: str, fetch: Fetch = no_network) -> Document:
    """A WSDL from an ``http(s)://`` URL, by way of ``fetch``, a file, or a zip of the WSDL with what it imports.

    What it imports must lie in the same folder (or below it), at the same origin or in the same bundle, or be a
    schema of the standards, which are shipped. Raises ``Misconfigured`` (field ``wsdl``) for a document that is
    missing, refused, not well-formed or not understood, and whatever ``fetch`` raises.
    """
    return loaded(location, library(location, fetch))


def loaded(location: str, documents: Library) -> Document:
    """As ``load``; ``location`` names it in messages."""
    settings = ZeepSettings(strict=True, forbid_dtd=True, forbid_entities=True, force_https=False)
    try:
        return Document(documents.root, cast(Any, documents), settings=settings)
    except _NOT_UNDERSTOOD as error:
        raise Misconfigured(
            f"the WSDL {location} cannot be understood: {error or type(error).__name__}",
            next_action="check the WSDL with its publisher; missing imports must lie beside it",
            field="wsdl",
        ) from error


def operations(document: Document) -> list[Outline]:
    """All operations of all SOAP ports, in the order of the WSDL."""
    return [
        Outline(
            service=service.name,
            port=port.name,
            name=operation.name,
            input=operation.input.signature() or "",
            output=(operation.output.signature(as_output=True) if operation.output else None) or "",
        )
        for service in document.services.values()
        for port in service.ports.values()
        for operation in port.binding.all().values()
    ]


def find_port(document: Document, service: str = "", port: str = "") -> Any:
    """The named SOAP port, or the first one. Raises ``Misconfigured`` naming those there are."""
    chosen = _named(document.services, service, "service")
    return _named(chosen.ports, port, "port")


def find_operation(document: Document, name: str, service: str = "", port: str = "") -> Any:
    """Raises ``Misconfigured`` naming those there are."""
    found = find_port(document, service, port).binding.all()
    if name not in found:
        raise Misconfigured(
            f"the WSDL has no operation {name!r}", next_action=f"use one of: {', '.join(found)}", field="operation"
        )
    return found[name]


def _named(there: dict[str, Any], name: str, field: str) -> Any:
    if name in there or (there and not name):
        return there[name] if name else next(iter(there.values()))
    raise Misconfigured(
        f"the WSDL has no {field} {name!r}" if name else f"the WSDL has no SOAP {field}",
        next_action=f"use one of: {', '.join(there)}" if there else "check that it is the right WSDL",
        field=field,
    )
