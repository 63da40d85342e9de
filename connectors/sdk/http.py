"""The one HTTP client of all connectors: guarded, bounded in time and size, and plain about what was sent.

    client = HttpClient(settings, log)
    reply = client.request("GET", "/prices", query={"items": "ITM-1001"})

A reply with any status but 401 and 429 is returned; ``status_error`` says what a bad one means.
"""

from __future__ import annotations

import json as json_codec
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import requests
import urllib3.exceptions

from connectors.sdk.context import Log
from connectors.sdk.errors import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sdk.http_auth import (
    ClientCredentials,
    Csrf,
    NoAuth,
    Token,
    Tokens,
    client_basic,
    credentials,
)
from connectors.sdk.http_guard import Guard
from connectors.sdk.http_reply import HttpReply, refuses_certificate, retry_after, status_error, too_many
from connectors.sdk.http_settings import HttpSettings, check_files, session_of
from connectors.sdk.http_tokens import access_token, csrf_token, still_refused, wants_another
from connectors.sdk.http_url import bad_url, joined, origin, parsed, shown
from connectors.sdk.http_wire import Exchange, exchanging, failure

__all__ = ["SAFE", "HttpClient", "HttpReply", "HttpSettings", "Query", "retry_after", "status_error"]

Query = Mapping[str, str | int | float | bool | Sequence[str] | None]

#: Takes a reply's body piece by piece, with its content type; what it returns is ``HttpReply.stored``.
Sink = Callable[[Iterator[bytes], str], Any]

#: Methods that change nothing at the peer (RFC 9110 9.2.1).
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})
_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class _Outgoing:
    """What is sent, wherever it goes, and who takes the reply's body; without a sink it is held in memory."""

    method: str
    headers: Mapping[str, str]
    content: bytes | None
    limit: int
    sink: Sink | None = field(default=None, repr=False)

    def plus(self, headers: Mapping[str, str]) -> _Outgoing:
        return replace(self, headers={**self.headers, **headers})

    def without_secrets(self) -> _Outgoing:
        kept = {name: value for name, value in self.headers.items() if name.lower().startswith("accept")}
        return replace(self, headers=kept)


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
        check_files(settings)
        if settings.proxy is not None:
            parsed(settings.proxy, "proxy")
        self._guard = Guard(settings.allow)
        self._session = session_of(settings)
        self._tokens = Tokens(self._fetch_token)
        self._csrf = Tokens(self._fetch_csrf)
        self._ours = {origin(urlunsplit(self._base))}
        if isinstance(settings.auth, ClientCredentials):
            self._ours.add(origin(urlunsplit(parsed(settings.auth.token_url, "auth.token_url"))))

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
        sink: Sink | None = None,
        max_bytes: int | None = None,
    ) -> HttpReply:
        """Sends one request and reads its reply whole; ``timeout`` in seconds replaces the connection's.

        A path is joined to the connection's url; a whole URL is called as it is, with our credentials only
        where it has the origin of that url. ``json`` is sent as JSON, ``content`` as it is. The body
        of a 2xx reply goes to ``sink``, where there is one, as it comes; ``max_bytes`` replaces the connection's
        ``max_reply_bytes``.

        Raises:
            NotSent: no byte of the request was sent, or the peer said 429.
            OutcomeUnknown: it was sent at least in part and no complete answer came back.
            CredentialsRefused: 401 (with OAuth2 after one try with a fresh token), no token was given, or our
                certificate is not accepted.
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
        limit = self._settings.max_reply_bytes if max_bytes is None else max_bytes
        total = self._settings.timeout.total_seconds() if timeout is None else timeout
        exchange = self._exchange(time.monotonic() + total)
        with exchanging(exchange):
            reply = self._follow(exchange, url, _Outgoing(method, sending, content, limit, sink))
        if reply.status == 401:
            raise CredentialsRefused(
                f"{shown(reply.url)} answered 401: it does not accept who we are ({self._settings.auth.type})",
                next_action="check auth of the connection, set the secret anew, then resume the connection",
                code="401",
            )
        if refuses_certificate(reply):
            raise CredentialsRefused(
                f"{shown(reply.url)} does not accept our certificate: {reply.excerpt()}",
                next_action="check certificate of the connection: who issued it and until when, then resume",
                code=str(reply.status),
            )
        if reply.status == 429:
            raise too_many(reply)
        return reply

    def _exchange(self, deadline: float) -> Exchange:
        return Exchange(self._guard, deadline, self._settings.connect_timeout.total_seconds())

    def address(self, path_or_url: str) -> str:
        """The whole URL of a path, for messages. Raises ``Misconfigured`` for one that cannot be called."""
        return self._target(path_or_url, None)

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

    def _follow(self, exchange: Exchange, url: str, out: _Outgoing) -> HttpReply:
        for _ in range(self._settings.redirects + 1):
            reply = self._authenticated(exchange, url, out)
            onward = reply.headers.get("Location")
            if reply.status not in _FOLLOWED or not onward or out.method not in ("GET", "HEAD"):
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
                out = out.without_secrets()
            self._log.info("http.redirected", start=shown(url), to=shown(there), status=reply.status)
            url = there
        raise Rejected(
            f"{shown(url)} still redirects after {self._settings.redirects} redirects",
            next_action="set url of the connection to where the peer really is, or raise redirects",
            code=str(reply.status),
        )

    def _authenticated(self, exchange: Exchange, url: str, out: _Outgoing) -> HttpReply:
        """Whatever shows who we are goes to the origin of the connection's url only."""
        if origin(url) != origin(urlunsplit(self._base)):
            return self._once(exchange, url, out)
        csrf = self._settings.csrf
        if csrf is None or out.method in SAFE:
            return self._as_us(exchange, url, out)
        token = self._csrf.get(exchange.deadline)
        reply = self._as_us(exchange, url, out.plus(_carried(token, csrf)))
        if wants_another(reply, csrf):
            token = self._csrf.get(exchange.deadline, refused=token.value)
            reply = self._as_us(exchange, url, out.plus(_carried(token, csrf)))
            if wants_another(reply, csrf):
                raise still_refused(reply)
        return reply

    def _as_us(self, exchange: Exchange, url: str, out: _Outgoing) -> HttpReply:
        auth = self._settings.auth
        if isinstance(auth, NoAuth):
            return self._once(exchange, url, out)
        if not isinstance(auth, ClientCredentials):
            proof, full_url = credentials(auth, out.method, url, out.content or b"")
            return replace(self._once(exchange, full_url, out.plus(proof)), url=url)
        token = self._tokens.get(exchange.deadline)
        reply = self._once(exchange, url, out.plus({"Authorization": f"Bearer {token.value}"}))
        if reply.status == 401:
            token = self._tokens.get(exchange.deadline, refused=token.value)
            reply = self._once(exchange, url, out.plus({"Authorization": f"Bearer {token.value}"}))
        return reply

    def _once(self, exchange: Exchange, url: str, out: _Outgoing) -> HttpReply:
        exchange.sent = False
        if self._settings.proxy:
            self._guard.check_number(urlsplit(url).hostname or "")
        with _translated(exchange, f"{out.method} {shown(url)}"):
            prepared = requests.Request(out.method, url, headers=dict(out.headers), data=out.content).prepare()
            response = self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=exchange.remaining(),
                cert=self._settings.certificate if origin(url) in self._ours else None,
            )
        with response:
            head = HttpReply(response.status_code, response.headers, b"", url, _cookies(response))
            pieces = self._pieces(exchange, response, out)
            if out.sink is not None and 200 <= head.status < 300:
                return replace(head, stored=out.sink(pieces, head.headers.get("Content-Type", "")))
            return replace(head, content=b"".join(pieces))

    def _pieces(self, exchange: Exchange, response: requests.Response, out: _Outgoing) -> Iterator[bytes]:
        length, where = 0, shown(response.url)
        with _translated(exchange, f"{out.method} {where}"):
            for piece in response.iter_content(64 * 1024):
                length += len(piece)
                if length > out.limit:
                    raise _too_large(where, out, response.status_code)
                yield piece

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
        out = _Outgoing("POST", headers, urlencode(form).encode(), self._settings.max_reply_bytes)
        return access_token(self._aside(deadline, "access token", lambda exchange: self._once(exchange, url, out)))

    def _fetch_csrf(self, deadline: float) -> Token:
        csrf = self._settings.csrf
        assert csrf is not None
        url = self._target(csrf.path, None)
        headers = {csrf.header: "Fetch", "Accept": "*/*", "User-Agent": "orderly"}
        out = _Outgoing("GET", headers, None, self._settings.max_reply_bytes)
        return csrf_token(self._aside(deadline, "token", lambda exchange: self._as_us(exchange, url, out)), csrf)

    def _aside(self, deadline: float, what: str, send: Callable[[Exchange], HttpReply]) -> HttpReply:
        """A request on behalf of another one, of which no byte has been sent yet."""
        exchange = self._exchange(deadline)
        try:
            with exchanging(exchange):
                return send(exchange)
        except OutcomeUnknown as error:
            raise NotSent(
                f"no {what}: {error.message}",
                next_action=f"check the endpoint that gives the {what}; the request is retried",
            ) from error


@contextmanager
def _translated(exchange: Exchange, request: str) -> Iterator[None]:
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        translated, cause = failure(error, exchange, request)
        raise translated from cause


def _too_large(where: str, out: _Outgoing, status: int) -> Misconfigured | OutcomeUnknown:
    message = f"the reply of {where} is larger than {out.limit} bytes: not read further"
    name = "max_bytes" if out.sink is not None else "max_reply_bytes"
    action = f"ask the peer for less (paging, a narrower query) or raise {name}"
    if out.method in SAFE:
        return Misconfigured(message, next_action=action, field=name)
    return OutcomeUnknown(message, next_action=action, code=str(status))


def _carried(token: Token, csrf: Csrf) -> dict[str, str]:
    return {csrf.header: token.value} | ({"Cookie": token.cookies} if token.cookies else {})


def _cookies(response: requests.Response) -> dict[str, str]:
    """Names and contents of ``Set-Cookie`` (RFC 6265 4.1), without their attributes."""
    pairs = (line.partition(";")[0].partition("=") for line in response.raw.headers.getlist("Set-Cookie"))
    return {name.strip(): content.strip() for name, _, content in pairs if name.strip()}


def _refuse_framing(headers: Mapping[str, str]) -> None:
    """Headers that say where a message ends are the client's own, or a peer could be made to see two."""
    for name in headers:
        if name.lower() in _FRAMING:
            raise Misconfigured(
                f"header {name} cannot be set: it follows from the body",
                next_action="remove it from headers of the node",
                field="headers",
            )


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
