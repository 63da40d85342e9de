"""WSDL 1.1 documents: loaded through the guarded parser, from one folder or one origin, and listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.settings import Settings as ZeepSettings
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap11Binding, Soap12Binding

from connectors.sdk import Misconfigured
from connectors.sdk.xml import XmlRefused, parse

#: Bytes of a URL; raises errors of ``connectors.sdk.errors`` only.
Fetch = Callable[[str], bytes]

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
    """A WSDL from an ``http(s)://`` URL, by way of ``fetch``, or a file.

    What it imports must lie in the same folder (or below it), or at the same origin. Raises ``Misconfigured``
    (field ``wsdl``) for a document that is missing, refused, not well-formed or not understood, and whatever
    ``fetch`` raises.
    """
    settings = ZeepSettings(strict=True, forbid_dtd=True, forbid_entities=True, force_https=False)
    try:
        return Document(location, cast(Any, _Library(location, fetch)), settings=settings)
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


def _named(there: dict[str, Any], name: str, field: str) -> Any:
    if name in there or (there and not name):
        return there[name] if name else next(iter(there.values()))
    raise Misconfigured(
        f"the WSDL has no {field} {name!r}" if name else f"the WSDL has no SOAP {field}",
        next_action=f"use one of: {', '.join(there)}" if there else "check that it is the right WSDL",
        field=field,
    )


class _Library:
    """Stands where zeep expects a transport: hands out documents, and sends nothing."""

    binding_classes = (Soap11Binding, Soap12Binding)

    def __init__(self, root: str, fetch: Fetch) -> None:
        self._fetch = fetch
        self._origin = _origin(root)
        self._folder = None if self._origin else Path(root).resolve().parent

    def load(self, location: str) -> bytes:
        if self._origin is None:
            data = self._read(location)
        elif _origin(location) == self._origin:
            data = self._fetch(location)
        else:
            raise _outside(location, f"the origin {'://'.join(self._origin)}")
        try:
            parse(data, what=f"the WSDL document {location}")
        except XmlRefused as refused:
            raise Misconfigured(
                f"{refused.message} (line {refused.line})",
                next_action=refused.next_action,
                field="wsdl",
            ) from refused
        return data

    def _read(self, location: str) -> bytes:
        path = Path(location).resolve()
        if _origin(location) or urlsplit(location).scheme == "file" or self._folder not in path.parents:
            raise _outside(location, f"the folder {self._folder}")
        try:
            return path.read_bytes()
        except OSError as error:
            raise Misconfigured(
                f"the WSDL document {path} cannot be read: {error.strerror or error}",
                next_action="correct the path, or put the file there",
                field="wsdl",
            ) from error


def _origin(location: str) -> tuple[str, str] | None:
    parts = urlsplit(location)
    return (parts.scheme, parts.netloc) if parts.scheme in ("http", "https") else None


def _outside(location: str, home: str) -> Misconfigured:
    return Misconfigured(
        f"the WSDL imports {location}, which lies outside {home}",
        next_action="keep a copy of the imported document beside the WSDL and import it by its relative name",
        field="wsdl",
    )
