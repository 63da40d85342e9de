"""``orderly soap``: what a WSDL offers, and a request to begin with."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from connectors.sdk.edi_commands import refusing
from connectors.sdk.visible import visible
from connectors.soap import codec, sample, wsdl

_wsdl = click.argument("location", metavar="WSDL")
_json = click.option("--json", "as_json", is_flag=True, help="one JSON document on standard output")


@click.group("soap")
def command() -> None:
    """SOAP services: list the operations of a WSDL, print a request to fill in.

    WSDL is a file, or a zip of the WSDL and what it imports (bundle.zip, or bundle.zip#service.wsdl).
    """


@command.command("operations")
@_wsdl
@_json
def operations_command(location: str, as_json: bool) -> None:
    """List the operations of all SOAP ports with what goes in and comes out."""
    with refusing(as_json):
        found = wsdl.operations(wsdl.load(location))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        click.echo("no SOAP port: this WSDL describes a service over another protocol, or types alone")
    port = ("", "")
    for one in found:
        if port != (one.service, one.port):
            port = (one.service, one.port)
            click.echo(visible(f"{one.service} / {one.port}"))
        click.echo(visible(f"  {one.name}({one.input}) -> {one.output or 'nothing'}"))


@command.command("sample")
@_wsdl
@click.argument("operation")
@click.option("--service", default="", help="service of the WSDL; without it the first")
@click.option("--port", default="", help="port of the service; without it its first SOAP port")
@click.option("--envelope", is_flag=True, help="the XML that would be sent, instead of the node")
@_json
def sample_command(location: str, operation: str, service: str, port: str, envelope: bool, as_json: bool) -> None:
    """Print a `soap.call` node with every element of OPERATION to fill in; what is optional may be left out."""
    with refusing(as_json):
        found = wsdl.find_operation(wsdl.load(location), operation, service, port)
        node = _node(found)
        if envelope:
            request = codec.write(found, node["parameters"]["body"], node["parameters"].get("headers", {}))
            click.echo(request.content.decode())
        else:
            click.echo(json.dumps(node, indent=2, ensure_ascii=False))


def _node(operation: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {"operation": operation.name, "body": sample.body_of(operation)}
    headers = sample.headers_of(operation)
    if headers:
        parameters["headers"] = headers
    return {"type": "soap.call", "connection": "erp", "parameters": parameters}
