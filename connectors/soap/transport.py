"""The seam to the peer: a WSDL loaded once, and one HTTP request for each call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sdk import ConnectorError, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.http import HttpClient, HttpReply, status_error
from connectors.sdk.xml import XmlRefused
from connectors.soap import codec, wsdl


class Peer:
    """One SOAP port of one connection version, shared by threads: nothing in it changes once it is built."""

    def __init__(
        self, client: HttpClient, location: str, *, service: str, port: str, code_element: str, limit: int
    ) -> None:
        """Loads the WSDL. Raises ``Misconfigured``, and ``NotSent`` where it cannot be had now."""
        self._client = client
        self._code_element = code_element
        self._limit = limit
        self.document = wsdl.load(location, self._fetch)
        self._operations: Mapping[str, Any] = wsdl.find_port(self.document, service, port).binding.all()

    def close(self) -> None:
        self._client.close()

    def operation(self, name: str) -> Any:
        """Raises ``Misconfigured`` naming those there are."""
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
        code; else what the status means; ``OutcomeUnknown`` for an answer that is not the one the WSDL promises.
        """
        reply = self._client.request("POST", "", content=request.content, headers=request.headers)
        try:
            return self._read(operation, reply)
        except (XmlRefused, codec.NotReadable) as why:
            raise status_error(reply) or _unreadable(operation.name, reply, str(why)) from why

    def _read(self, operation: Any, reply: HttpReply) -> Any:
        bad = status_error(reply)
        if operation.output is None and bad is None and not reply.content.strip():
            return {}
        body = codec.open_envelope(reply.content, self._limit)
        fault = codec.read_fault(body, self._code_element)
        if fault is not None:
            raise _of_fault(operation.name, reply, fault)
        if bad is not None:
            raise bad
        return codec.read(operation, body)

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
