"""The seam to the peer: a WSDL loaded once, and one HTTP request for each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from connectors.sdk import ConnectorError, CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.http import HttpClient, HttpReply, status_error
from connectors.sdk.xml import XmlRefused
from connectors.soap import codec, wsdl
from connectors.soap.library import library
from connectors.soap.reading import Reader
from connectors.soap.security import secured
from connectors.soap.settings import SoapSettings
from connectors.soap.told import Told, told
from connectors.soap.types import Types


class Peer:
    """One SOAP port of one connection version, shared by threads."""

    def __init__(self, client: HttpClient, settings: SoapSettings) -> None:
        """Loads the WSDL, if there is one. Raises ``Misconfigured``, and ``NotSent`` where it cannot be had now."""
        self._client = client
        self._settings = settings
        self.document: Any = None
        self._operations: Mapping[str, Any] = {}
        self._types: Types | None = None
        self._readers: dict[str, Reader | None] = {}
        if not settings.wsdl:
            return
        documents = library(settings.wsdl, self._fetch)
        self.document = wsdl.loaded(settings.wsdl, documents)
        self._operations = wsdl.find_port(self.document, settings.service, settings.port).binding.all()
        if settings.check_types != "none":
            self._types = Types(documents.documents)

    def close(self) -> None:
        self._client.close()

    def operation(self, name: str) -> Any:
        """Raises ``Misconfigured`` naming those there are."""
        if self.document is None:
            raise Misconfigured(
                "the connection names no WSDL",
                next_action="set wsdl of the connection, or call the service with soap.raw",
                field="wsdl",
            )
        if name not in self._operations:
            raise Misconfigured(
                f"the WSDL has no operation {name!r}",
                next_action=f"use one of: {', '.join(self._operations)}",
                field="operation",
            )
        return self._operations[name]

    def reach(self) -> HttpReply:
        """Any HTTP answer of the endpoint to a GET, which calls nothing."""
        return self._client.request("GET", "")

    def call(self, operation: Any, request: codec.Request) -> Any:
        """The reply as JSON.

        Raises, for a SOAP fault whatever its HTTP status, ``Rejected`` or ``OutcomeUnknown`` with the fault's
        code; the same for a reply that says no in its body; else what the status means; ``OutcomeUnknown`` for an
        answer that is not the one the WSDL promises; ``Misconfigured`` for a request that breaks the types, unsent.
        """
        if self._settings.check_types in ("requests", "both"):
            self._check_request(operation, request)

        def read(body: etree._Element) -> Any:
            if self._settings.check_types in ("replies", "both") and len(body):
                faults = self._checker(operation).faults(body[0])
                if faults:
                    raise codec.NotReadable(f"its body breaks the types of the WSDL: {'; '.join(faults)}")
            return codec.read(operation, body, self._reader(operation))

        return self.post(operation.name, request, read, answers=operation.output is not None)

    def post(
        self, name: str, request: codec.Request, read: Callable[[etree._Element], Any], *, answers: bool = True
    ) -> Any:
        """Sends an envelope; ``read`` makes JSON of the reply's body. ``name`` is that of the call in messages."""
        content = request.content
        if self._settings.security is not None:
            content = secured(content, self._settings.security)
        reply = self._client.request("POST", "", content=content, headers=request.headers)
        try:
            value = self._read(name, reply, read, answers)
        except (XmlRefused, codec.NotReadable) as why:
            raise status_error(reply) or _unreadable(name, reply, str(why)) from why
        said = told(value, self._settings.errors)
        if said is not None:
            raise _of_body(name, reply, said)
        return value

    def _read(self, name: str, reply: HttpReply, read: Callable[[etree._Element], Any], answers: bool) -> Any:
        bad = status_error(reply)
        if not answers and bad is None and not reply.content.strip():
            return {}
        body = codec.open_envelope(reply.content, self._settings.max_reply_bytes)
        fault = codec.read_fault(body, self._settings.code_element)
        if fault is not None:
            raise _of_fault(name, reply, fault)
        if bad is not None:
            raise bad
        return read(body)

    def _reader(self, operation: Any) -> Reader | None:
        """Made at the first reply; two threads that come at once make the same."""
        if operation.name not in self._readers:
            self._readers[operation.name] = codec.reader(operation)
        return self._readers[operation.name]

    def _check_request(self, operation: Any, request: codec.Request) -> None:
        body = codec.open_envelope(request.content, len(request.content))
        faults = self._checker(operation).faults(body[0]) if len(body) else []
        if faults:
            raise Misconfigured(
                f"{operation.name} was not sent, its body breaks the types of the WSDL: {'; '.join(faults)}",
                next_action="correct what the node puts there",
                field="body",
            )

    def _checker(self, operation: Any) -> Types:
        if self._types is None or operation.style != "document":
            raise Misconfigured(
                f"{operation.name} is rpc/literal: its messages stand in no schema and cannot be checked",
                next_action="set check_types of the connection to none",
                field="check_types",
            )
        return self._types

    def _fetch(self, url: str) -> bytes:
        """A WSDL document. Nothing of a call has been sent yet, so what fails here has provably no effect."""
        try:
            reply = self._client.request("GET", url)
            bad = status_error(reply)
        except OutcomeUnknown as error:
            bad = error
        if isinstance(bad, OutcomeUnknown):
            raise NotSent(
                f"the WSDL could not be had: {bad.message}",
                next_action="nothing, the call is retried; a WSDL kept as a file does not depend on the peer",
                code=bad.code,
            ) from bad
        if bad is not None:
            raise Misconfigured(
                f"the WSDL could not be had: {bad.message}",
                next_action="correct wsdl of the connection",
                code=bad.code,
                field="wsdl",
            ) from bad
        return reply.content


def _of_fault(operation: str, reply: HttpReply, fault: codec.Fault) -> ConnectorError:
    details = {"status": reply.status, **fault.details}
    if fault.details["faultcode"] in codec.UNKNOWN_TO_THEM:
        return CredentialsRefused(
            f"{reply.url} does not accept who we are, {operation} was not done: {fault.message} ({fault.code})",
            next_action="check security of the connection, and the clock of this machine; then resume it",
            code=fault.code,
            details=details,
        )
    if fault.refused:
        return Rejected(
            f"{operation} was refused by {reply.url}: {fault.message} ({fault.code})",
            next_action=f"correct what the peer refuses, or say in faults what {fault.code} means",
            code=fault.code,
            details=details,
        )
    return OutcomeUnknown(
        f"{operation}: {reply.url} broke: {fault.message} ({fault.code}); it may or may not have acted",
        next_action=f"look up whether the peer acted; say in faults what {fault.code} means, if it always means no",
        code=fault.code,
        details=details,
    )


def _of_body(operation: str, reply: HttpReply, said: Told) -> ConnectorError:
    details = {"status": reply.status, "said": said.message}
    if said.means == "refused":
        return Rejected(
            f"{operation} was refused by {reply.url}: {said.message} ({said.code})",
            next_action=f"correct what the peer refuses, or say in faults what {said.code} means",
            code=said.code,
            details=details,
        )
    return OutcomeUnknown(
        f"{operation}: {reply.url} says that it broke: {said.message} ({said.code}); it may or may not have acted",
        next_action=f"look up whether the peer acted; say in faults what {said.code} means, if it always means no",
        code=said.code,
        details=details,
    )


def _unreadable(operation: str, reply: HttpReply, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{operation}: {reply.url} answered {reply.status}, but {why}",
        next_action="look up whether the peer acted; check url of the connection and anything between us",
        code=str(reply.status),
        details={
            "status": reply.status,
            "content_type": reply.headers.get("Content-Type", ""),
            "excerpt": reply.excerpt(),
        },
    )
