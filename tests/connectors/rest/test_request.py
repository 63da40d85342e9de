"""``rest.request``: JSON in and out, pages to one list, refusals told from unknown outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.rest.connector import Request, RequestParameters, RestSettings, check, connector
from connectors.sdk import CredentialsRefused, Effect, Misconfigured, NotSent, OutcomeUnknown, Rejected
from tests.connectors.sdk.http_peer import Line, Peer, Script, always, reply
from tests.harness import MemoryContext

Ask = Callable[..., Any]


def paths(pages: dict[str, bytes]) -> Script:
    """Answers each request by the page that its path and query name."""

    def script(line: Line) -> None:
        for request in line:
            line.send(pages[request.line.split()[1]])

    return script


def as_json(value: Any, **headers: str) -> bytes:
    return reply(200, json.dumps(value).encode(), **headers)


def test_a_get_gives_the_json_of_the_reply(ask: Ask) -> None:
    with Peer(always(as_json({"price": "11.20"}))) as peer:
        assert ask(peer, path="/prices", query={"item": "A", "page": 2}) == {"price": "11.20"}

    sent = peer.requests[0]
    assert sent.line == "GET /prices?item=A&page=2 HTTP/1.1"
    assert sent.headers["accept"] == "application/json"
    assert "idempotency-key" not in sent.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_carries_the_effect_key_and_the_body(ask: Ask, method: str) -> None:
    """An API that honours the key makes a retry harmless."""
    with Peer(always(as_json({"number": "1"}))) as peer:
        ask(peer, method=method, path="/orders", body={"a": "é"})

    assert peer.requests[0].headers["idempotency-key"] == "r1n1"
    assert json.loads(peer.requests[0].body) == {"a": "é"}


def test_headers_of_the_node_win(ask: Ask) -> None:
    with Peer(always(as_json({}))) as peer:
        ask(peer, method="POST", headers={"idempotency-key": "mine", "Accept": "application/vnd.x+json"})

    assert peer.requests[0].headers["idempotency-key"] == "mine"
    assert peer.requests[0].headers["accept"] == "application/vnd.x+json"


def test_the_whole_response_may_be_asked_for(ask: Ask) -> None:
    with Peer(always(reply(201, b"created", Location="/orders/7", Content_Type="text/plain"))) as peer:
        answer = ask(peer, method="POST", output="response")

    assert (answer["status"], answer["body"]) == (201, "created")
    assert answer["headers"]["location"] == "/orders/7"


@pytest.mark.parametrize(
    ("method", "effect"),
    [
        ("GET", Effect.NONE),
        ("head", Effect.NONE),
        ("PUT", Effect.IDEMPOTENT),
        ("DELETE", Effect.IDEMPOTENT),
        ("POST", Effect.ONCE),
        ("PATCH", Effect.ONCE),
        ("=$method", Effect.ONCE),
    ],
)
def test_the_default_effect_follows_from_the_method(method: str, effect: Effect) -> None:
    assert Request.effect_of({"method": method}) is effect
    assert Request.effect_of({}) is Effect.NONE


def test_pages_named_in_the_body_become_one_list(ask: Ask) -> None:
    pages = {
        "/prices?items=A": as_json({"data": {"rows": [1, 2]}, "next": "/prices?page=2"}),
        "/prices?page=2": as_json({"data": {"rows": []}, "next": "?page=3"}),
        "/prices?page=3": as_json({"data": {"rows": [3]}, "next": None}),
    }
    with Peer(paths(pages)) as peer:
        paging = {"type": "next", "items": "data.rows"}

        assert ask(peer, path="/prices", query={"items": "A"}, paging=paging) == [1, 2, 3]


def test_pages_named_by_a_cursor_become_one_list(ask: Ask) -> None:
    pages = {
        "/p?items=A": as_json({"rows": [1], "meta": {"cursor": "c 2"}}),
        "/p?items=A&after=c+2": as_json({"rows": [2], "meta": {"cursor": ""}}),
    }
    with Peer(paths(pages)) as peer:
        paging = {"type": "next", "items": "rows", "next": "meta.cursor", "cursor": "after"}

        assert ask(peer, path="/p", query={"items": "A"}, paging=paging) == [1, 2]


def test_pages_named_in_the_link_header_become_one_list(ask: Ask) -> None:
    pages = {
        "/p": as_json([1], Link='</p?page=9>; rel="last", </p?page=2>; rel="prefetch next"'),
        "/p?page=2": as_json([2], Link='</p>; rel="first"'),
    }
    with Peer(paths(pages)) as peer:
        answer = ask(peer, path="/p", paging={"type": "link"}, output="response")

    assert (answer["status"], answer["body"]) == (200, [1, 2])


@pytest.mark.parametrize("again", ["/p", "/p?page=2"])
def test_pages_that_lead_in_a_circle_are_rejected(ask: Ask, again: str) -> None:
    pages = {
        "/p": as_json({"items": [1], "next": "/p?page=2"}),
        "/p?page=2": as_json({"items": [2], "next": again}),
    }
    with Peer(paths(pages)) as peer, pytest.raises(Rejected, match="read already"):
        ask(peer, path="/p", paging={"type": "next", "items": "items"})

    assert len(peer.requests) == 2


def test_more_than_a_hundred_pages_are_rejected(ask: Ask) -> None:
    def endless(line: Line) -> None:
        for place, _ in enumerate(line, start=2):
            line.send(as_json({"items": [], "next": f"/p?page={place}"}))

    with Peer(endless) as peer, pytest.raises(Rejected, match="page 100"):
        ask(peer, path="/p", paging={"type": "next", "items": "items"})

    assert len(peer.requests) == 100


def test_a_next_page_at_another_origin_is_rejected(ask: Ask) -> None:
    with (
        Peer(always(as_json({"items": [], "next": None}))) as other,
        Peer(always(as_json({"items": [1], "next": f"{other.url}/p"}))) as peer,
        pytest.raises(Rejected, match="another origin"),
    ):
        ask(peer, path="/p", paging={"type": "next", "items": "items"})

    assert other.connections == 0


def test_a_page_without_a_list_is_rejected(ask: Ask) -> None:
    with Peer(always(as_json({"rows": []}))) as peer, pytest.raises(Rejected, match="no list at items"):
        ask(peer, path="/p", paging={"type": "next", "items": "items"})


def test_only_a_get_has_pages() -> None:
    with pytest.raises(ValidationError, match="paging needs method GET"):
        RequestParameters(method="POST", paging={"type": "link"})


NOT_JSON = [
    reply(200, b"<html>Please log in</html>", Content_Type="text/html"),
    reply(200, b'{"price": NaN}'),
    reply(200, b'{"price": 1'),
    reply(200, b"\xff\xfe\xfa"),
    reply(200, b"[" * 100_000),
]


@pytest.mark.parametrize("answer", [*NOT_JSON, reply(200, b"")])
def test_a_get_answered_by_anything_but_json_is_rejected(ask: Ask, answer: bytes) -> None:
    """A log-in page with status 200 must not pass as prices."""
    with Peer(always(answer)) as peer, pytest.raises(Rejected, match="JSON was expected") as caught:
        ask(peer, path="/p")

    assert caught.value.next_action
    assert len(caught.value.details["excerpt"]) <= 300


@pytest.mark.parametrize("answer", NOT_JSON)
def test_a_post_answered_by_anything_but_json_leaves_the_outcome_unknown(ask: Ask, answer: bytes) -> None:
    """It does not tell whether the API acted, so it must not lead to a second order."""
    with Peer(always(answer)) as peer, pytest.raises(OutcomeUnknown, match="JSON was expected"):
        ask(peer, method="POST", path="/p")


@pytest.mark.parametrize(("method", "status"), [("DELETE", 204), ("POST", 201), ("GET", 204), ("HEAD", 200)])
def test_a_reply_that_needs_no_body_gives_null(ask: Ask, method: str, status: int) -> None:
    with Peer(always(reply(status, b""))) as peer:
        assert ask(peer, method=method) is None


def test_a_refusal_carries_the_status_and_an_excerpt(ask: Ask) -> None:
    body = b'{"error": "unknown item ' + b"x" * 1000 + b'"}'
    with Peer(always(reply(422, body))) as peer, pytest.raises(Rejected) as caught:
        ask(peer, method="POST")

    assert caught.value.code == "422"
    assert caught.value.details["excerpt"].startswith('{"error": "unknown item x')
    assert len(caught.value.details["excerpt"]) == 300


def test_a_status_may_be_declared_fine(ask: Ask) -> None:
    with Peer(always(reply(404, b'{"found": false}'))) as peer:
        assert ask(peer, ok=[200, 404]) == {"found": False}
        assert ask(peer, ok=404) == {"found": False}


def test_a_good_status_that_is_not_declared_fine_is_rejected(ask: Ask) -> None:
    with Peer(always(reply(202))) as peer, pytest.raises(Rejected, match="which ok does not list") as caught:
        ask(peer, method="POST", ok=[200])

    assert caught.value.code == "202"


def test_a_server_error_leaves_the_outcome_unknown(ask: Ask) -> None:
    with Peer(always(reply(503, b"", Retry_After="9"))) as peer, pytest.raises(OutcomeUnknown) as caught:
        ask(peer, method="POST")

    assert caught.value.details["retry_after"] == 9.0


def test_too_many_requests_means_not_sent(ask: Ask) -> None:
    with Peer(always(reply(429, b"", Retry_After="2"))) as peer, pytest.raises(NotSent) as caught:
        ask(peer, method="POST")

    assert caught.value.retry_after == 2.0


def test_one_client_serves_all_requests_of_a_connection(contexts: Callable[..., MemoryContext]) -> None:
    with Peer(always(as_json({}))) as peer:
        context = contexts(peer)
        for _ in range(3):
            Request().run(RequestParameters(path="/"), context)

        assert peer.connections == 1


@pytest.mark.parametrize(
    ("status", "check_path", "ok"),
    [(200, "", True), (404, "", True), (404, "/health", False), (500, "", False), (401, "", False)],
)
def test_a_connection_is_tested_without_changing_anything(
    contexts: Callable[..., MemoryContext], status: int, check_path: str, ok: bool
) -> None:
    with Peer(always(reply(status))) as peer:
        found = check(contexts(peer, check_path=check_path))

    assert found.ok is ok
    assert found.ok or found.next_action
    assert peer.requests[0].line == f"GET {check_path or '/'} HTTP/1.1"


def test_a_test_of_a_connection_reports_what_is_wrong_with_it(contexts: Callable[..., MemoryContext]) -> None:
    with Peer(always(reply())) as peer:
        found = check(contexts(peer, allow=[]))

    assert not found.ok
    assert "allow" in found.next_action


def test_refused_credentials_and_addresses_keep_their_kind(contexts: Callable[..., MemoryContext]) -> None:
    with Peer(always(reply(401))) as peer:
        with pytest.raises(CredentialsRefused):
            Request().run(RequestParameters(), contexts(peer))
        with pytest.raises(Misconfigured):
            Request().run(RequestParameters(), contexts(peer, allow=[]))


def test_every_parameter_and_setting_says_what_it_is() -> None:
    assert connector.settings is RestSettings
    for model in (RestSettings, RequestParameters):
        for name, declared in model.model_fields.items():
            assert declared.description, name
            assert declared.examples, name
