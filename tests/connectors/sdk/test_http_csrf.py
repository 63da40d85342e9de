"""Tokens against cross-site requests, as SAP Gateway wants them: fetched once, carried with their session."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.sdk import CredentialsRefused, Misconfigured, NotSent, Rejected
from connectors.sdk.http import HttpClient
from tests.connectors.sdk.http_peer import Line, Peer, Script, always, client, reply


class Gateway:
    """Gives a token and two cookies to a GET that asks, and takes changes with the newest of both."""

    def __init__(self) -> None:
        self.given = 0
        self.valid = True
        self.gate: threading.Event | None = None

    def __call__(self, line: Line) -> None:
        for request in line:
            if request.headers.get("x-csrf-token") == "Fetch":
                if self.gate is not None:
                    self.gate.wait(30)
                self.given += 1
                line.send(self._answer())
            elif request.line.startswith("GET") or self._good(request.headers):
                line.send(reply())
            else:
                line.send(reply(403, b"CSRF token validation failed", X_CSRF_Token="Required"))

    def _good(self, headers: dict[str, str]) -> bool:
        session = f"SAP_SESSIONID_S4H_100=s{self.given}%3d; sap-usercontext=sap-client=100"
        return self.valid and (headers.get("x-csrf-token"), headers.get("cookie")) == (f"t{self.given}", session)

    def _answer(self) -> bytes:
        """Two headers of the same name, as Gateway sends them."""
        first = reply(
            200, b"{}", x_csrf_token=f"t{self.given}", Set_Cookie="sap-usercontext=sap-client=100; path=/"
        )
        session = f"Set-Cookie: SAP_SESSIONID_S4H_100=s{self.given}%3d; path=/; secure; HttpOnly\r\n".encode()
        return first.replace(b"Set-Cookie:", session + b"Set-Cookie:", 1)


def sap(peer: Peer, **more: Any) -> HttpClient:
    return client(f"{peer.url}/odata", csrf={"path": "/"}, **more)


def test_a_change_carries_token_and_cookies_and_the_next_one_the_same() -> None:
    gateway = Gateway()
    with Peer(gateway) as peer:
        caller = sap(peer, auth={"type": "basic", "user": "u", "password": "p"})
        assert caller.request("POST", "/Orders", json={}).status == 200
        assert caller.request("PATCH", "/Orders('1')", json={}, headers={"If-Match": 'W/"1"'}).status == 200

    lines = [request.line.split(" HTTP")[0] for request in peer.requests]
    assert lines == ["GET /odata/", "POST /odata/Orders", "PATCH /odata/Orders('1')"]
    assert all("authorization" in request.headers for request in peer.requests)
    assert peer.requests[2].headers["if-match"] == 'W/"1"'


def test_a_read_needs_no_token_and_carries_no_cookies() -> None:
    with Peer(Gateway()) as peer:
        caller = sap(peer)
        caller.request("POST", "/Orders", json={})
        caller.request("GET", "/Orders")

    assert not {"x-csrf-token", "cookie"} & set(peer.requests[2].headers)


def test_a_session_that_is_over_is_replaced_once() -> None:
    gateway = Gateway()
    with Peer(gateway) as peer:
        caller = sap(peer)
        caller.request("POST", "/Orders", json={})
        gateway.given += 1

        assert caller.request("POST", "/Orders", json={"n": 2}).status == 200

    assert [request.line.split()[0] for request in peer.requests] == ["GET", "POST", "POST", "GET", "POST"]


def test_a_peer_that_takes_no_token_of_its_own_refuses() -> None:
    gateway = Gateway()
    gateway.valid = False
    with Peer(gateway) as peer, pytest.raises(Rejected, match="a token it has just given"):
        sap(peer).request("POST", "/Orders", json={})

    assert gateway.given == 2


def test_a_403_for_another_reason_is_not_asked_again() -> None:
    def script(line: Line) -> None:
        for request in line:
            fetching = request.headers.get("x-csrf-token") == "Fetch"
            line.send(reply(200, x_csrf_token="t") if fetching else reply(403, b"no authority for 4010"))

    with Peer(script) as peer:
        assert sap(peer).request("POST", "/Orders", json={}).status == 403

    assert len(peer.requests) == 2


def test_one_thread_fetches_the_token_while_the_others_wait_for_it() -> None:
    gateway = Gateway()
    gateway.gate = threading.Event()
    with Peer(gateway) as peer, ThreadPoolExecutor(4) as threads:
        caller = sap(peer)
        answers = [threads.submit(caller.request, "POST", "/Orders", json={}) for _ in range(4)]
        gateway.gate.set()

        assert [answer.result(30).status for answer in answers] == [200] * 4

    assert gateway.given == 1


def _hang_up(line: Line) -> None:
    next(iter(line))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (always(reply(401)), CredentialsRefused),
        (always(reply(403)), CredentialsRefused),
        (always(reply(429)), NotSent),
        (always(reply(503)), NotSent),
        (_hang_up, NotSent),
        (always(reply(200)), Misconfigured),
    ],
)
def test_without_a_token_the_request_itself_was_not_sent(script: Script, kind: type[Exception]) -> None:
    with Peer(script) as peer, pytest.raises(kind):
        sap(peer).request("POST", "/Orders", json={})

    assert {request.line.split()[0] for request in peer.requests} == {"GET"}


def test_another_origin_gets_neither_token_nor_cookies() -> None:
    with Peer(always(reply())) as other, Peer(Gateway()) as peer:
        sap(peer).request("POST", f"{other.url}/", json={})

    assert peer.requests == []
    assert not {"x-csrf-token", "cookie"} & set(other.requests[0].headers)
