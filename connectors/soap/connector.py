"""The ``soap`` connector: calls operations of a service that a WSDL describes."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from connectors.sdk import (
    Call,
    Check,
    ConnectionContext,
    Connector,
    ConnectorError,
    Context,
    Effect,
    Misconfigured,
    Parameters,
    Strings,
)
from connectors.sdk.http import HttpClient
from connectors.soap import codec, raw, wsdl
from connectors.soap.library import Fetch
from connectors.soap.settings import SoapSettings, doubts
from connectors.soap.transport import Peer


class CallParameters(Parameters):
    """What to call and with what."""

    operation: str = Field(description="name of the operation in the WSDL", examples=["CreatePurchaseOrder"])
    body: dict[str, Any] = Field(
        default={},
        description="the request's elements as an object; elements that repeat as a list",
        examples=[{"CostCenter": "CC-OR1", "Amount": "1250.00"}],
    )
    reference: str | None = Field(
        default=None,
        description="our own reference, put where the connection's reference_element says if body has none",
        examples=["=$run.effect_key"],
    )
    headers: dict[str, Any] = Field(
        default={},
        description="SOAP header blocks that the WSDL declares for the operation",
        examples=[{"Session": {"Company": "100"}}],
    )


class CallOperation(Call[CallParameters]):
    """Call an operation.

    Output: the elements of the reply as an object. Decimals, dates and integers beyond 2^53 are strings,
    absent elements are absent, repeatable ones are lists.
    """

    name = "call"
    effect = Effect.ONCE
    Parameters = CallParameters

    def run(self, parameters: CallParameters, context: Context) -> Any:
        settings, peer = _settings(context), _peer(context)
        operation = peer.operation(parameters.operation)
        body = _with_reference(parameters, operation, settings.reference_element)
        return peer.call(operation, codec.write(operation, body, parameters.headers))


class RawParameters(Parameters):
    """An envelope written by hand."""

    envelope: str = Field(
        description="the whole envelope; {{name}} takes a value, {{#lines}}…{{/lines}} repeats for each of a list",
        examples=[
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><Find><n>{{number}}</n></Find>"
            "</e:Body></e:Envelope>"
        ],
    )
    values: dict[str, Any] = Field(
        default={}, description="what goes into the envelope, escaped", examples=[{"number": "=order.number"}]
    )
    action: str = Field(default="", description="SOAP action", examples=["urn:erp#Find"])
    lists: Strings = Field(
        default=[],
        description="elements of the reply that are lists even where they came once",
        examples=[["item"]],
    )


class Raw(Call[RawParameters]):
    """Call a service with an envelope of your own (rpc/encoded, or no WSDL).

    Output: the reply's body as an object of local names; every value is text, attributes are ``@name``.
    """

    name = "raw"
    effect = Effect.ONCE
    Parameters = RawParameters

    def run(self, parameters: RawParameters, context: Context) -> Any:
        request = raw.write(parameters.envelope, parameters.values, parameters.action)
        name = parameters.action or "the call"
        return _peer(context).post(name, request, lambda body: raw.read(body, parameters.lists))


def operations(location: str, fetch: Fetch = wsdl.no_network) -> list[wsdl.Outline]:
    """The operations of a WSDL; ``location`` is a file, or a URL that ``fetch`` gets. Raises
    ``Misconfigured`` for one that is missing, refused or not understood."""
    return wsdl.operations(wsdl.load(location, fetch))


def check(context: ConnectionContext) -> Check:
    """Loads the WSDL and asks the endpoint for any HTTP answer at all; calls nothing."""
    try:
        settings, peer = _settings(context), _peer(context)
        reply = peer.reach()
    except ConnectorError as error:
        return Check(False, error.message, error.next_action)
    if peer.document is None:
        return Check(True, f"{settings.url} answers ({reply.status})")
    names = ", ".join(sorted({outline.name for outline in wsdl.operations(peer.document)}))
    return Check(True, f"{settings.url} answers ({reply.status}); the WSDL has the operations {names}")


def _settings(context: ConnectionContext) -> SoapSettings:
    settings = context.connection.settings
    if not isinstance(settings, SoapSettings):
        raise Misconfigured(
            f"connection {context.connection.name} is not of type soap",
            next_action="name a connection of type soap",
            field="connection",
        )
    return settings


def _peer(context: ConnectionContext) -> Peer:
    settings = _settings(context)

    def build() -> Peer:
        client = HttpClient(settings, context.log)
        try:
            return Peer(client, settings)
        except ConnectorError:
            client.close()
            raise

    return context.resource("soap.peer", build, Peer.close)


def _with_reference(parameters: CallParameters, operation: Any, element: str) -> dict[str, Any]:
    body = parameters.body
    if parameters.reference is None or element in body:
        return body
    if not codec.fits(operation, element):
        raise Misconfigured(
            f"{parameters.operation} has no element {element} for the reference",
            next_action="leave reference out, or set reference_element of the connection",
            field="reference",
        )
    return {**body, element: parameters.reference}


connector = Connector(
    name="soap",
    title="SOAP",
    operations=(CallOperation, Raw),
    settings=SoapSettings,
    check=check,
    doubts=doubts,
)
