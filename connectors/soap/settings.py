"""Settings of a SOAP connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from connectors.sdk import Coerced, http_settings
from connectors.sdk.http import HttpSettings
from connectors.sdk.trading import Problem
from connectors.soap.security import UsernameToken
from connectors.soap.told import ErrorRule


class SoapSettings(HttpSettings):
    """A SOAP service: its endpoint, its WSDL, and how we say who we are."""

    url: str = Field(
        description="endpoint that calls are posted to, whatever address the WSDL names",
        examples=["https://erp.hospital.internal/purchasing"],
    )
    wsdl: str = Field(
        default="",
        description="URL or file of the WSDL, or a zip of it with what it imports, which else lies at the same"
        " origin or in the same folder; empty: soap.raw alone works",
        examples=[
            "https://erp.hospital.internal/purchasing?wsdl",
            "wsdl/purchasing.wsdl",
            "wsdl/erp.zip#purchasing.wsdl",
        ],
    )
    service: str = Field(default="", description="service of the WSDL; empty is the first", examples=["Purchasing"])
    port: str = Field(
        default="", description="port of the service; empty is its first SOAP port", examples=["PurchasingPort"]
    )
    reference_element: str = Field(
        default="Reference",
        description="element of the request that the parameter reference goes to",
        examples=["Reference", "ExternalId"],
    )
    code_element: str = Field(
        default="ErrorCode",
        description="element in a fault's detail that holds the peer's own code, which faults are matched by",
        examples=["ErrorCode"],
    )
    security: UsernameToken | None = Field(
        default=None,
        description="WS-Security: user name, password and time stamp in every envelope",
        examples=[{"user": "ORDERLY", "password": "env:ERP_WSSE_PASSWORD"}],
    )
    errors: Annotated[list[ErrorRule], Coerced] = Field(
        default=[],
        description="how a reply says in its body, without a fault, that a call failed",
        examples=[[{"at": "Return.item", "field": "Type", "is": ["E", "A"], "code": "Number"}]],
    )
    check_types: Literal["none", "requests", "replies", "both"] = Field(
        default="none",
        description="messages that are held against the types of the WSDL, facets too (document/literal)",
        examples=["both"],
    )


def doubts(settings: SoapSettings) -> Iterator[Problem]:
    """What the settings say that cannot work, whatever the files and the peer are like."""
    yield from http_settings.doubts(settings)
    if settings.check_types != "none" and not settings.wsdl:
        yield Problem(("check_types",), "without a WSDL there are no types to check", "name the WSDL, or remove it")
    if settings.security and not settings.security.digest and settings.url.lower().startswith("http:"):
        yield Problem(("security", "digest"), "the password would go over http as it is", "use https, or digest")
