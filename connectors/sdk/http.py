"""The one HTTP client of all connectors: guarded, bounded in time and size, and plain about what was sent.

    client = HttpClient(settings, log)
    reply = client.request("GET", "/prices", query={"items": "ITM-1001"})

A reply with any status but 401 and 429 is returned; ``status_error`` says what a bad one means.
"""

from __future__ import annotations

import json as json_codec
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import requests
import urllib3.exceptions
from pydantic import Field
from requests.cookies import RequestsCookieJar

from connectors.sdk.context import Log
from connectors.sdk.errors import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.http_auth import Auth, ClientCredentials, NoAuth, Token, Tokens, client_basic, credentials
from connectors.sdk.http_guard import Guard
from connectors.sdk.http_reply import HttpReply, retry_after, status_error, too_many
from connectors.sdk.http_url import bad_url, joined, origin, parsed, shown
from connectors.sdk.http_wire import Exchange, GuardedAdapter, exchanging, failure
from connectors.sdk.model import Duration, Settings

__all__ = ["SAFE", "HttpClient", "HttpReply", "HttpSettings", "Query", "retry_after", "status_error"]

Query = Mapping[str, str | int | float | bool | Sequence[str] | None]

#: Methods that change nothing at the peer (RFC 9110 9.2.1).
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})
_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})


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


class HttpClient:
    """Shared by threads; made once for each version of a connection, through ``Context.resource``.

    Every request runs under one total time, against addresses that the guard lets through, without cookies,
    environment proxies or silent retries. The resolver of the operating system is the one thing that the
    total time does not bound. Behind a proxy the proxy resolves names, so there only addresses written as
    numbers are guarded.
    """

    def __init__(self, settings: HttpSettings, log: Log) -> None:
        """Raises ``Misconfigured`` where the settings cannot work."""
        self._settings = settings
        self._log = log
        self._base = parsed(settings.url, "url")
        _check_authorities(settings.ca)
        if settings.proxy is not None:
            parsed(settings.proxy, "proxy")
        self._guard = Guard(settings.allow)
        self._session = _session(settings)
        self._tokens = Tokens(self._fetch_token)

    def close(self) -> None:
        self._session.close()

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
        json: Any = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpReply:
        """Sends one request and reads its reply whole; ``timeout`` in seconds replaces the connection's.

        A path is joined to the connection's url; a whole URL is called as it is, with our credentials only
        where it has the origin of that url. ``json`` is sent as JSON, ``content`` as it is.

        Raises:
            NotSent: no byte of the request was sent, or the peer said 429.
            OutcomeUnknown: it was sent at least in part and no complete answer came back.
            CredentialsRefused: 401 (with OAuth2 after one try with a fresh token), or no token was given.
            Rejected: more redirects than allowed, or one to plain HTTP.
            Misconfigured: an address the guard refuses, a URL, header or certificate that cannot work.
        """
        method = method.upper()
        url = self._target(path_or_url, query)
        _refuse_framing(headers or {})
        sending = {"Accept-Encoding": "gzip, deflate", "User-Agent": "orderly", **(headers or {})}
        if json is not None:
            content = _encoded(json)
            sending = {"Content-Type": "application/json", **sending}
        total = self._settings.timeout.total_seconds() if timeout is None else timeout
        exchange = Exchange(self._guard, time.monotonic() + total, self._settings.connect_timeout.total_seconds())
        with exchanging(exchange):
            reply = self._follow(exchange, method, url, sending, content)
        if reply.status == 401:
            raise CredentialsRefused(
                f"{shown(reply.url)} answered 401: it does not accept who we are ({self._settings.auth.type})",
                next_action="check auth of the connection, set the secret anew, then resume the connection",
                code="401",
            )
        if reply.status == 429:
            raise too_many(reply)
        return reply

    def _target(self, path_or_url: str, query: Query | None) -> str:
        if path_or_url.lower().startswith(("http://", "https://")):
            url = urlunsplit(parsed(path_or_url, "path"))
        else:
            url = joined(self._base, path_or_url)
        fields = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        try:
            return requests.Request("GET", url, params=fields).prepare().url or url
        except (requests.RequestException, UnicodeError) as error:
            raise bad_url(url, str(error), "path") from error

    def _follow(
        self, exchange: Exchange, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> HttpReply:
        for _ in range(self._settings.redirects + 1):
            reply = self._authenticated(exchange, method, url, headers, content)
            onward = reply.headers.get("Location")
            if reply.status not in _FOLLOWED or not onward or method not in ("GET", "HEAD"):
                return reply
            if self._settings.redirects == 0:
                return reply
            there = urlunsplit(parsed(urljoin(url, onward), "url"))
            if url.startswith("https:") and there.startswith("http:"):
                raise Rejected(
                    f"{shown(url)} redirects to {shown(there)}, which is not encrypted: not followed",
                    next_action="set url of the connection to where the peer really is",
                    code=str(reply.status),
                )
            if origin(there) != origin(url):
                headers = {name: value for name, value in headers.items() if name.lower().startswith("accept")}
            self._log.info("http.redirected", start=shown(url), to=shown(there), status=reply.status)
            url = there
        raise Rejected(
            f"{shown(url)} still redirects after {self._settings.redirects} redirects",
            next_action="set url of the connection to where the peer really is, or raise redirects",
            code=str(reply.status),
        )

    def _authenticated(
        self, exchange: Exchange, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> HttpReply:
        auth = self._settings.auth
        if isinstance(auth, NoAuth) or origin(url) != origin(urlunsplit(self._base)):
            return self._once(exchange, method, url, headers, content)
        if not isinstance(auth, ClientCredentials):
            proof, full_url = credentials(auth, url)
            reply = self._once(exchange, method, full_url, {**headers, **proof}, content)
            return HttpReply(reply.status, reply.headers, reply.content, url)
        token = self._tokens.get(exchange.deadline)
        reply = self._once(exchange, method, url, {**headers, "Authorization": f"Bearer {token}"}, content)
        if reply.status == 401:
            token = self._tokens.get(exchange.deadline, refused=token)
            reply = self._once(exchange, method, url, {**headers, "Authorization": f"Bearer {token}"}, content)
        return reply

    def _once(
        self, exchange: Exchange, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> HttpReply:
        exchange.sent = False
        if self._settings.proxy:
            self._guard.check_number(urlsplit(url).hostname or "")
        try:
            prepared = requests.Request(method, url, headers=dict(headers), data=content).prepare()
            with self._session.send(
                prepared, stream=True, allow_redirects=False, timeout=exchange.remaining()
            ) as response:
                body = self._body(response, method)
                return HttpReply(response.status_code, response.headers, body, url)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            translated, cause = failure(error, exchange, f"{method} {shown(url)}")
            raise translated from cause

    def _body(self, response: requests.Response, method: str) -> bytes:
        limit = self._settings.max_reply_bytes
        whole = bytearray()
        for piece in response.iter_content(64 * 1024):
            whole += piece
            if len(whole) > limit:
                message = f"the reply of {shown(response.url)} is larger than {limit} bytes: not read further"
                action = "ask the peer for less (paging, a narrower query) or raise max_reply_bytes"
                if method in SAFE:
                    raise Misconfigured(message, next_action=action, field="max_reply_bytes")
                raise OutcomeUnknown(message, next_action=action, code=str(response.status_code))
        return bytes(whole)

    def _fetch_token(self, deadline: float) -> Token:
        auth = self._settings.auth
        assert isinstance(auth, ClientCredentials)
        url = urlunsplit(parsed(auth.token_url, "auth.token_url"))
        form = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
        headers = {
            "Authorization": client_basic(auth),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        exchange = Exchange(self._guard, deadline, self._settings.connect_timeout.total_seconds())
        try:
            with exchanging(exchange):
                reply = self._once(exchange, "POST", url, headers, urlencode(form).encode())
        except OutcomeUnknown as error:
            raise NotSent(
                f"no access token: {error.message}",
                next_action="check the token endpoint; the request is retried",
            ) from error
        return _token(reply)


def _refuse_framing(headers: Mapping[str, str]) -> None:
    """Headers that say where a message ends are the client's own, or a peer could be made to see two."""
    for name in headers:
        if name.lower() in _FRAMING:
            raise Misconfigured(
                f"header {name} cannot be set: it follows from the body",
                next_action="remove it from headers of the node",
                field="headers",
            )


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


class _NoCookies(RequestsCookieJar):
    """Keeps nothing: runs share the connection, and a peer must not fill our memory."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass


def _session(settings: HttpSettings) -> requests.Session:
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


def _text(value: Any) -> str | list[str]:
    if isinstance(value, list | tuple):
        return [str(_text(item)) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _encoded(value: Any) -> bytes:
    try:
        return json_codec.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise Misconfigured(
            f"the body is not JSON: {error}", next_action="correct the expression of body", field="body"
        ) from error


def _token(reply: HttpReply) -> Token:
    """RFC 6749 5.1 and 5.2."""
    where = f"the token endpoint {shown(reply.url)}"
    if reply.status == 429 or reply.status >= 500:
        raise NotSent(
            f"{where} answered {reply.status}: no access token",
            next_action="nothing, the request is retried; ask the peer's operator if it lasts",
            code=str(reply.status),
            retry_after=retry_after(reply),
        )
    if reply.status in (400, 401, 403):
        raise CredentialsRefused(
            f"{where} answered {reply.status} and gave no token: {reply.excerpt()}",
            next_action="check client_id, client_secret and scope of the connection, then resume it",
            code=str(reply.status),
        )
    try:
        answer = json_codec.loads(reply.content)
        value, lifetime = str(answer["access_token"]), float(answer.get("expires_in") or "inf")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Misconfigured(
            f"{where} answered {reply.status} without an access token",
            next_action="check auth.token_url of the connection",
            field="auth.token_url",
        ) from error
    return Token(value, time.monotonic() + lifetime - min(60.0, lifetime / 10))
