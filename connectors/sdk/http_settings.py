"""Settings of an HTTP connection, and the session that requests are sent through."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import requests
from pydantic import Field
from requests.cookies import RequestsCookieJar

from connectors.sdk.errors import Misconfigured
from connectors.sdk.http_auth import Auth, Csrf, NoAuth
from connectors.sdk.http_wire import GuardedAdapter
from connectors.sdk.model import Duration, Settings
from connectors.sdk.trading import Problem


class HttpSettings(Settings):
    """Where an HTTP peer is, who we are to it, and how far a request may go."""

    url: str = Field(
        description="base address; paths are joined to it, credentials go to its origin only",
        examples=["https://prices.example/api"],
    )
    auth: Auth = Field(default=NoAuth(), description="how we say who we are", examples=[{"type": "none"}])
    allow: list[str] = Field(
        default=[],
        description="networks or hosts to reach although they are not public addresses",
        examples=[["10.20.0.0/16", "erp.hospital.internal"]],
    )
    ca: str | None = Field(
        default=None,
        description="file of the authorities (PEM) that the peer's certificate is checked with",
        examples=["/etc/ssl/hospital-ca.pem"],
    )
    certificate: str | None = Field(
        default=None,
        min_length=1,
        description="file (PEM) with our certificate, its chain and its private key, for mutual TLS; shown to the"
        " origins of url and token_url only",
        examples=["/etc/orderly/erp-client.pem"],
    )
    csrf: Csrf | None = Field(
        default=None,
        description="a token to fetch before anything is changed, with the cookies of its session (SAP)",
        examples=[{"path": "/"}],
    )
    proxy: str | None = Field(
        default=None,
        description="proxy to go through; the environment's is never used",
        examples=["http://proxy.hospital.internal:3128"],
    )
    timeout: Duration = Field(
        default=timedelta(seconds=30),
        description="time for a whole request, from connecting to the last byte of the reply",
        examples=["30s"],
    )
    connect_timeout: Duration = Field(
        default=timedelta(seconds=5), description="time to connect to one address", examples=["5s"]
    )
    max_reply_bytes: int = Field(
        default=10_000_000, gt=0, description="largest reply, after decompression", examples=[10_000_000]
    )
    redirects: int = Field(
        default=3, ge=0, le=20, description="redirects followed, for GET and HEAD only", examples=[3]
    )


def check_files(settings: HttpSettings) -> None:
    """Raises ``Misconfigured`` for authorities or a certificate that cannot be used."""
    _check_authorities(settings.ca)
    _check_certificate(settings.certificate)


def _check_authorities(ca: str | None) -> None:
    if ca is None:
        return
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise Misconfigured(
            f"the certificate authorities in {ca} cannot be used: {error}",
            next_action="put a readable PEM file there or correct ca of the connection",
            field="ca",
        ) from error


def _check_certificate(path: str | None) -> None:
    """A key that needs a passphrase would be asked for on the terminal: the empty one given here refuses it."""
    if path is None:
        return
    try:
        ssl.create_default_context().load_cert_chain(path, password=lambda: "")
    except OSError as error:
        raise Misconfigured(
            f"our certificate in {path} cannot be used: {error.strerror or error}",
            next_action="give a PEM file that this process may read, with the certificate and its private key,"
            " the key without a passphrase",
            field="certificate",
        ) from error


class _NoCookies(RequestsCookieJar):
    """Keeps nothing: runs share the connection, and a peer must not fill our memory."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass


def session_of(settings: HttpSettings) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.cookies = _NoCookies()
    session.verify = settings.ca or True
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    adapter = GuardedAdapter()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def doubts(settings: HttpSettings) -> Iterator[Problem]:
    """What the settings say that cannot work, whatever the files and the peer are like."""
    if settings.certificate and settings.url.lower().startswith("http:"):
        yield Problem(
            ("certificate",), "a certificate is named and url is not https: nobody sees it", "use https://"
        )
    for name in ("timeout", "connect_timeout"):
        if not getattr(settings, name):
            yield Problem((name,), "no reply can be had in no time", 'give a duration, such as "30s"')
    for index, entry in enumerate(settings.allow):
        if "://" in entry or ("/" in entry and not _is_network(entry)):
            advice = 'write a network as "10.20.0.0/16", a host as its bare name'
            yield Problem(("allow", index), f"{entry} is neither a network nor the name of a host", advice)


def _is_network(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True
