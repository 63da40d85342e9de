"""No secret of a connection is in a log, at whatever level, or in what an error says."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from connectors.sdk import ConnectorError
from connectors.sdk.http_reply import status_error
from tests.connectors.sdk.http_peer import Line, Peer, client, reply

CANARY = "canary-4b1d"
AUTHS: list[dict[str, Any]] = [
    {"type": "basic", "user": "u", "password": CANARY},
    {"type": "api_key", "in": "query", "name": "key", "key": CANARY},
    {"type": "api_key", "key": CANARY},
    {"type": "bearer", "token": CANARY},
    {"type": "hmac", "secret": CANARY},
    {"type": "oauth2_client_credentials", "client_id": "u", "client_secret": CANARY},
]


def script(line: Line) -> None:
    """Gives tokens that are canaries too, redirects once, then refuses, then breaks off."""
    for request in line:
        path = request.line.split()[1].partition("?")[0]
        if path == "/token":
            line.send(reply(200, json.dumps({"access_token": CANARY}).encode()))
        elif request.headers.get("x-csrf-token") == "Fetch":
            line.send(reply(200, X_CSRF_Token=CANARY, Set_Cookie=f"session={CANARY}"))
        elif path == "/onward":
            line.send(reply(302, b"", Location="/refused"))
        elif path == "/refused":
            line.send(reply(400, b"no"))
        else:
            return


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: f"{auth['type']} {auth.get('in', '')}".strip())
def test_no_secret_is_told(auth: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """The libraries' own logs at DEBUG are among them."""
    told = []
    with caplog.at_level(logging.DEBUG), Peer(script) as peer:
        if auth["type"].startswith("oauth2"):
            auth = {**auth, "token_url": f"{peer.url}/token"}
        caller = client(peer.url, auth=auth, csrf={})
        for method, path in (("GET", "/onward"), ("POST", "/refused"), ("POST", "/break")):
            try:
                answer = caller.request(method, path, json={} if method == "POST" else None)
                error: ConnectorError | None = status_error(answer)
                told += [repr(answer)]
            except ConnectorError as caught:
                error = caught
            assert error is not None
            told += [error.message, error.next_action, json.dumps(error.details)]

    assert peer.requests
    assert CANARY not in caplog.text
    assert CANARY not in " ".join(told)
