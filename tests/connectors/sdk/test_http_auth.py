"""Credentials go where they belong, and OAuth2 tokens are fetched once and renewed in time."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.sdk import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown
from connectors.sdk.http import HttpClient
from tests.connectors.sdk.http_peer import Line, Peer, Script, always, client, reply


class Authority:
    """A script with a token endpoint and a resource that accepts the newest token."""

    def __init__(self, expires_in: int | None = 3600) -> None:
        self.expires_in = expires_in
        self.given = 0
        self.accepts_any = False
        self.accepts_none = False
        self.gate: threading.Event | None = None

    def __call__(self, line: Line) -> None:
        for request in line:
            if request.line.startswith("POST /token"):
                if self.gate is not None:
                    self.gate.wait(20)
                self.given += 1
                lifetime = {} if self.expires_in is None else {"expires_in": self.expires_in}
                line.send(reply(200, json.dumps({"access_token": f"t{self.given}", **lifetime}).encode()))
            else:
                newest = request.headers.get("authorization") == f"Bearer t{self.given}"
                good = (newest or self.accepts_any) and not self.accepts_none
                line.send(reply(200 if good else 401))


def oauth(peer: Peer, **settings: Any) -> HttpClient:
    auth = {
        "type": "oauth2_client_credentials",
        "token_url": f"{peer.url}/token",
        "client_id": "orderly+1",
        "client_secret": "a:b c",
        "scope": "prices.read",
    }
    return client(peer.url, auth=auth, **settings)


def test_basic_credentials_are_sent() -> None:
    with Peer(always(reply())) as peer:
        client(peer.url, auth={"type": "basic", "user": "Aladdin", "password": "open sesame"}).request("GET", "/")

    assert peer.requests[0].headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_an_api_key_goes_into_its_header() -> None:
    with Peer(always(reply())) as peer:
        client(peer.url, auth={"type": "api_key", "name": "X-Key", "key": "k1"}).request("GET", "/")

    assert peer.requests[0].headers["x-key"] == "k1"


def test_an_api_key_in_the_query_is_seen_by_the_peer_only() -> None:
    auth = {"type": "api_key", "in": "query", "name": "key", "key": "top&secret"}
    with Peer(always(reply())) as peer:
        answer = client(peer.url, auth=auth).request("GET", "/a", query={"q": "1"})
    with Peer(lambda line: next(iter(line))) as deaf, pytest.raises(OutcomeUnknown) as caught:
        client(deaf.url, auth=auth).request("GET", "/a")

    assert peer.requests[0].line == "GET /a?q=1&key=top%26secret HTTP/1.1"
    assert answer.url == f"{peer.url}/a?q=1"
    chain = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "secret" not in chain


def test_credentials_do_not_go_to_a_whole_url_at_another_origin() -> None:
    with Peer(always(reply())) as peer, Peer(always(reply())) as other:
        client(peer.url, auth={"type": "bearer", "token": "t"}).request("GET", f"{other.url}/x")

    assert "authorization" not in other.requests[0].headers


def test_secrets_do_not_show_in_settings() -> None:
    with Peer(always(reply())) as peer:
        settings = oauth(peer)._settings

    assert "a:b c" not in repr(settings)


def test_a_token_is_fetched_once_and_used_again() -> None:
    with Peer(Authority()) as peer:
        caller = oauth(peer)
        for _ in range(3):
            assert caller.request("GET", "/prices").status == 200

    tokens = [request for request in peer.requests if "/token" in request.line]
    assert len(tokens) == 1
    assert tokens[0].body == b"grant_type=client_credentials&scope=prices.read"
    assert tokens[0].headers["authorization"] == "Basic b3JkZXJseSUyQjE6YSUzQWIrYw=="


def test_one_thread_fetches_the_token_while_the_others_wait_for_it() -> None:
    authority = Authority()
    authority.gate = threading.Event()
    with Peer(authority) as peer, ThreadPoolExecutor(8) as pool:
        caller = oauth(peer)
        started = threading.Barrier(9)

        def ask() -> int:
            started.wait(20)
            return caller.request("GET", "/prices").status

        asked = [pool.submit(ask) for _ in range(8)]
        started.wait(20)
        authority.gate.set()

        assert [one.result() for one in asked] == [200] * 8

    assert authority.given == 1


@pytest.mark.parametrize(("lifetime", "fetched"), [(-5, 2), (3600, 1), (None, 1), (0, 1)])
def test_a_token_is_renewed_before_its_lifetime_ends(lifetime: int | None, fetched: int) -> None:
    """One without a lifetime (absent, or 0 as some servers write it) is used until it is refused."""
    authority = Authority(expires_in=lifetime)
    authority.accepts_any = True
    with Peer(authority) as peer:
        caller = oauth(peer)
        caller.request("GET", "/prices")
        caller.request("GET", "/prices")

    assert authority.given == fetched


def test_a_token_that_the_peer_no_longer_accepts_is_replaced_once() -> None:
    authority = Authority(expires_in=None)
    with Peer(authority) as peer:
        caller = oauth(peer)
        caller.request("GET", "/prices")
        authority.given += 10

        assert caller.request("POST", "/prices", json={"a": 1}).status == 200

    posts = [request for request in peer.requests if request.line.startswith("POST /prices")]
    assert [request.body for request in posts] == [b'{"a":1}', b'{"a":1}']


def test_a_peer_that_refuses_fresh_tokens_too_refuses_the_credentials() -> None:
    authority = Authority()
    authority.accepts_none = True
    with Peer(authority) as peer, pytest.raises(CredentialsRefused):
        oauth(peer).request("GET", "/prices")

    assert len([request for request in peer.requests if "/prices" in request.line]) == 2


def _hang_up(line: Line) -> None:
    next(iter(line))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (always(reply(401, b'{"error":"invalid_client"}')), CredentialsRefused),
        (always(reply(400, b'{"error":"invalid_scope"}')), CredentialsRefused),
        (always(reply(503, b"")), NotSent),
        (always(reply(429, b"", Retry_After="3")), NotSent),
        (_hang_up, NotSent),
        (always(reply(200, b"<html>")), Misconfigured),
        (always(reply(200, b"[]")), Misconfigured),
        (always(reply(404, b"{}")), Misconfigured),
    ],
)
def test_without_a_token_the_request_itself_was_not_sent(script: Script, kind: type[Exception]) -> None:
    """Whatever became of the request for a token: the effect provably did not happen."""
    with Peer(script) as peer, pytest.raises(kind):
        oauth(peer).request("POST", "/orders")

    assert not [request for request in peer.requests if "/orders" in request.line]
