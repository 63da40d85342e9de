"""How an HTTP connection says who we are: one typed model per way, and the cache of OAuth2 tokens."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import quote_plus, urlencode

from pydantic import Field

from connectors.sdk.errors import NotSent
from connectors.sdk.http_signing import HmacAuth, signature
from connectors.sdk.model import Model, SecretStr


class NoAuth(Model):
    """Calls anonymously."""

    type: Literal["none"] = "none"


class BasicAuth(Model):
    """User name and password (RFC 7617), as UTF-8."""

    type: Literal["basic"]
    user: str = Field(description="user name", examples=["orderly"])
    password: SecretStr = Field(description="password", examples=["env:ERP_PASSWORD"])


class ApiKeyAuth(Model):
    """A fixed key in a header or in the query."""

    type: Literal["api_key"]
    place: Literal["header", "query"] = Field(
        default="header", alias="in", description="where the key goes", examples=["header"]
    )
    name: str = Field(default="X-API-Key", description="name of the header or query field", examples=["X-API-Key"])
    key: SecretStr = Field(description="the key", examples=["env:PORTAL_KEY"])


class BearerAuth(Model):
    """A fixed token in ``Authorization: Bearer`` (RFC 6750 2.1)."""

    type: Literal["bearer"]
    token: SecretStr = Field(description="the token", examples=["env:PORTAL_TOKEN"])


class ClientCredentials(Model):
    """OAuth2 client credentials (RFC 6749 4.4): a token is fetched, kept, and renewed before it expires."""

    type: Literal["oauth2_client_credentials"]
    token_url: str = Field(description="the token endpoint", examples=["https://prices.example/oauth/token"])
    client_id: str = Field(description="client identifier", examples=["orderly"])
    client_secret: SecretStr = Field(description="client secret", examples=["env:PRICES_SECRET"])
    scope: str = Field(
        default="", description="scopes, separated by spaces; empty asks for none", examples=["prices.read"]
    )


Auth = Annotated[
    NoAuth | BasicAuth | ApiKeyAuth | BearerAuth | ClientCredentials | HmacAuth, Field(discriminator="type")
]


class Csrf(Model):
    """A token that a peer wants before anything is changed, with the cookies of its session (SAP Gateway, OData).

    It is fetched with a GET that asks for it, kept, and fetched anew once where the peer answers 403 "Required".
    """

    path: str = Field(
        default="", description="path below url that gives the token; best one with a short reply", examples=["/"]
    )
    header: str = Field(
        default="X-CSRF-Token", min_length=1, description="header that asks for it and carries it",
        examples=["X-CSRF-Token"],
    )  # fmt: skip


def basic(user: str, password: str) -> str:
    """Value of an Authorization header (RFC 7617 2)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def client_basic(auth: ClientCredentials) -> str:
    """As ``basic``, both parts form-encoded first (RFC 6749 2.3.1)."""
    return basic(quote_plus(auth.client_id), quote_plus(auth.client_secret.get_secret_value()))


def credentials(
    auth: BasicAuth | ApiKeyAuth | BearerAuth | HmacAuth, method: str, url: str, body: bytes
) -> tuple[dict[str, str], str]:
    """Headers to add, and the URL to call."""
    if isinstance(auth, HmacAuth):
        return signature(auth, method, url, body), url
    if isinstance(auth, BasicAuth):
        return {"Authorization": basic(auth.user, auth.password.get_secret_value())}, url
    if isinstance(auth, BearerAuth):
        return {"Authorization": f"Bearer {auth.token.get_secret_value()}"}, url
    key = auth.key.get_secret_value()
    if auth.place == "header":
        return {auth.name: key}, url
    return {}, url + ("&" if "?" in url else "?") + urlencode({auth.name: key})


@dataclass(frozen=True)
class Token:
    """``renew_at`` is a reading of ``time.monotonic``; infinite where the server named no lifetime. ``cookies`` is
    the header of the session that the token belongs to."""

    value: str = field(repr=False)
    renew_at: float
    cookies: str = field(default="", repr=False)


class Tokens:
    """One token, fetched by one thread while the others wait for it."""

    def __init__(self, fetch: Callable[[float], Token]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._token: Token | None = None

    def get(self, deadline: float, refused: str = "") -> Token:
        """A token that is good for a while yet and is not the one a peer has just refused.

        Raises what ``fetch`` raises, and ``NotSent`` when another thread's fetch lasts past the deadline.
        """
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise NotSent(
                "no token in time: another request is still waiting for one",
                next_action="check the endpoint that gives the token; the request is retried",
            )
        try:
            token = self._token
            if token is None or token.value == refused or time.monotonic() >= token.renew_at:
                token = self._token = self._fetch(deadline)
            return token
        finally:
            self._lock.release()
