"""Webhooks: authenticated before they are parsed, stored before they are acknowledged, refused with the field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connectors.sdk.webhooks import sign
from runtime.model.run import RunState
from tests.brittle import CANARY, installed
from tests.workshop import ERP, Workshop, flow

Open = Callable[..., Workshop]
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "canonical/note", "type": "object",
    "required": ["number", "lines"], "additionalProperties": False,
    "properties": {"number": {"type": "string"}, "lines": {"type": "array", "items": {"type": "object"}},
                   "colour": {"type": "string"}},
}  # fmt: skip
NOTES = flow(
    "notes",
    {"id": "seen", "type": "publish", "parameters": {"event": "seen", "key": "=number"}},
    trigger={"type": "webhook", "auth": "door", "accepts": "canonical/note"},
    identity="=number", keys={"note": "=number"},
)  # fmt: skip
ECHO = flow(
    "echo",
    {"id": "answer", "type": "respond", "parameters": {"status": 201, "body": "={'got': n}"}},
    {"id": "after", "type": "wait", "parameters": {"for": "1h"}},
    trigger={"type": "webhook", "reply": {"result": {"within": "5s"}}},
    identity="=$string(n)",
)  # fmt: skip
BODY = {"number": "N-1", "lines": [{}]}


def with_door(workshop: Open, secret: str) -> Workshop:
    made = workshop(connections={"door": {"type": "webhook_hmac", "settings": {"secret": secret}}})
    for name, content in (
        ("flows/notes/flow.json", NOTES), ("flows/echo/flow.json", ECHO), ("mappings/canonical/note.schema.json", SCHEMA)
    ):  # fmt: skip
        made._write(name, content)
    made.again()
    return made


@pytest.fixture
def shop(workshop: Open) -> Workshop:
    return with_door(workshop, SECRET)


@pytest.fixture
def http(shop: Workshop) -> Iterator[FlaskClient]:
    with client_of(shop) as client:
        yield client


def client_of(shop: Workshop) -> FlaskClient:
    app = Flask("hooks")
    app.config["MAX_CONTENT_LENGTH"] = 10_000
    app.register_blueprint(shop.services.webhooks().blueprint())
    return app.test_client()


def post(
    http: FlaskClient,
    shop: Workshop,
    raw: bytes | dict[str, Any],
    *,
    id: str = "msg_1",
    age: float = 0,
    **more: Any,
) -> TestResponse:
    body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    shop.pass_time(seconds=-age)
    headers = sign(SECRET, id, shop.now, body)
    shop.pass_time(seconds=age)
    return http.post(
        "/hooks/mercy/notes", data=body, headers={"Content-Type": "application/json", **headers, **more}
    )


def nothing_stored(shop: Workshop) -> bool:
    return list(shop.store.runs().rows) == [] and list(shop.store.exceptions().rows) == []


def test_an_accepted_webhook_is_answered_with_its_run_and_an_address_for_its_state(
    http: FlaskClient, shop: Workshop
) -> None:
    answer = post(http, shop, BODY)

    assert answer.status_code == 202
    assert answer.json is not None
    run = shop.store.run(answer.json["run"])
    assert (run.state, run.identity) == (RunState.READY, "N-1")
    assert http.get(answer.json["status_url"]).json == {"run": run.id, "state": "ready"}
    shop.drain()
    assert http.get(answer.json["status_url"]).json == {"run": run.id, "state": "done", "outcome": "done"}


def test_the_state_of_a_run_is_shown_to_nobody_without_its_token(http: FlaskClient, shop: Workshop) -> None:
    first = post(http, shop, BODY).json
    other = post(http, shop, {**BODY, "number": "N-2"}).json
    assert first is not None
    assert other is not None
    token = first["status_url"].partition("token=")[2]

    assert http.get(f"/hooks/mercy/runs/{other['run']}?token={token}").status_code == 401
    assert http.get(f"/hooks/mercy/runs/{first['run']}").status_code == 401
    shop.pass_time(days=8)
    assert http.get(first["status_url"]).status_code == 401, "a token expires"


def test_a_webhook_delivered_twice_gets_the_first_runs_id_and_makes_one_run(
    http: FlaskClient, shop: Workshop
) -> None:
    first = post(http, shop, BODY)
    shop.drain()
    again = post(http, shop, BODY)

    assert first.json is not None
    assert (again.status_code, again.json) == (200, {"run": first.json["run"], "state": "done"})
    assert len(shop.store.runs().rows) == 1


def test_the_order_of_members_and_white_space_do_not_make_another_document(
    http: FlaskClient, shop: Workshop
) -> None:
    post(http, shop, b'{"number": "N-1", "lines": [{}], "colour": "red"}')

    again = post(http, shop, b'{"colour":"red","lines":[{}],"number":"N-1"}')

    assert again.status_code == 200


def test_another_body_under_the_same_identity_is_a_conflict_that_names_the_first_run(
    http: FlaskClient, shop: Workshop
) -> None:
    first = post(http, shop, BODY).json

    answer = post(http, shop, {**BODY, "colour": "blue"})

    assert first is not None
    assert answer.json is not None
    assert answer.status_code == 409
    assert answer.json["run"] == first["run"]
    assert "revision" in answer.json["detail"]
    assert len(shop.store.runs().rows) == 1


BAD = {
    "malformed": (b'{"number": ', 400, "malformed_json", "line 1, column"),
    "not a number": (b'{"number": "N", "lines": [NaN]}', 400, "malformed_json", "NaN"),
    "twice the same key": (b'{"number": "A", "number": "B", "lines": []}', 400, "malformed_json", "'number'"),
    "not UTF-8": (b'{"number": "\xff"}', 400, "malformed_json", "UTF-8"),
    "a number that is not finite": (
        b'{"number": "N", "lines": [], "n": 1e400}',
        400,
        "malformed_json",
        "1e400 at line 1",
    ),
    "a whole number beyond 2^53": (b'{"n": 1152921504606846976}', 400, "malformed_json", "write it as a string"),
    "half of a surrogate pair": (b'{"\\ud800": 1}', 400, "malformed_json", "surrogate"),
    "nested too deeply": (b"[" * 5_000, 400, "malformed_json", "nested"),
    "a missing field": (b'{"number": "N"}', 422, "invalid_document", "lines"),
    "a wrong type": (b'{"number": 7, "lines": []}', 422, "invalid_document", "/number"),
    "an unknown field": (b'{"number": "N", "lines": [], "x": 1}', 422, "invalid_document", "x"),
    "too large": (b" " * 10_001, 413, "too_large", "--max-body-bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_a_problem_that_says_where_and_nothing_is_stored(
    http: FlaskClient, shop: Workshop, name: str
) -> None:
    raw, status, kind, told = BAD[name]

    answer = post(http, shop, raw)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["type"] == f"urn:orderly:problem:{kind}"
    assert told in json.dumps(answer.json)
    assert nothing_stored(shop)


def test_every_field_that_is_wrong_is_named(http: FlaskClient, shop: Workshop) -> None:
    answer = post(http, shop, b'{"number": 7, "lines": "none"}')

    assert answer.json is not None
    assert {error["pointer"] for error in answer.json["errors"]} == {"/number", "/lines"}


def test_a_signature_that_does_not_hold_is_refused_before_anything_is_parsed(
    http: FlaskClient, shop: Workshop
) -> None:
    answers = [
        post(http, shop, b"not even JSON", **{"webhook-signature": "v1,bm90IHRoaXM="}),
        post(http, shop, BODY, age=301),
        post(http, shop, BODY, age=-301),
        http.post("/hooks/mercy/notes", json=BODY),
    ]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert nothing_stored(shop)


SIGNED = {"webhook-id": "msg_1", "webhook-timestamp": "{now}", "webhook-signature": "v1,bm90IHRoaXM="}
STRANGERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "a signature that is none": SIGNED,
    "an old signature": SIGNED | {"webhook-timestamp": "1000000000"},
    "half a signature": {"webhook-id": "msg_1"},
    "a malformed signature": SIGNED | {"webhook-signature": "?"},
    "a key": {"X-API-Key": "orderly_x"},
}


@pytest.mark.parametrize("shown", STRANGERS)
@pytest.mark.parametrize("body", [b"{}", b" " * 10_001], ids=["small", "too large"])
def test_a_stranger_cannot_tell_which_clients_and_flows_there_are(
    http: FlaskClient, shop: Workshop, shown: str, body: bytes
) -> None:
    """Neither from a status nor from a word: a signed flow, one with keys, none, and no such client."""
    headers = {name: value.format(now=int(shop.now.timestamp())) for name, value in STRANGERS[shown].items()}

    answers = [
        http.post(f"/hooks/{place}", data=body, headers=headers, content_type="application/json")
        for place in ("mercy/notes", "mercy/echo", "mercy/nothing", "nobody/notes")
    ]

    assert {answer.status_code for answer in answers} == {413 if len(body) > 10_000 else 401}
    assert len({answer.data for answer in answers}) == 1
    assert len({str(sorted(answer.headers)) for answer in answers}) == 1


def test_a_decoder_that_breaks_is_a_problem_that_holds_nothing_of_the_message(
    http: FlaskClient, shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = {"type": "webhook", "decode": {"type": "brittle.read"}}
    shop._write("flows/brittle/flow.json", flow("brittle", {"id": "end", "type": "end"}, trigger=trigger))
    key, _ = shop.services.access("mercy").api_keys.create("integrator", ["hooks:brittle"])
    with installed(tmp_path, monkeypatch):
        shop.again()
        app = Flask("hooks")
        app.register_blueprint(shop.services.webhooks().blueprint())
        answer = app.test_client().post(
            "/hooks/mercy/brittle", data=CANARY, headers={"X-API-Key": key}, content_type="text/plain"
        )

    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert answer.json is not None
    assert answer.json["type"] == "urn:orderly:problem:unreadable"
    assert CANARY not in answer.text
    assert nothing_stored(shop)


def test_an_unknown_content_type_is_refused(http: FlaskClient, shop: Workshop) -> None:
    answer = post(http, shop, BODY, **{"Content-Type": "image/png"})

    assert answer.status_code == 415
    assert nothing_stored(shop)


@pytest.mark.parametrize("path", ["/hooks/mercy/nothing", "/hooks/nobody/notes", "/hooks/mercy/runs/x"])
def test_what_does_not_exist_looks_like_what_is_forbidden(http: FlaskClient, path: str) -> None:
    answer = http.get(path) if "runs" in path else http.post(path, json={})

    assert answer.status_code == 401


def test_an_api_key_opens_only_the_flows_in_its_scope(http: FlaskClient, shop: Workshop) -> None:
    keys = shop.services.access("mercy").api_keys
    good, _ = keys.create("integrator", ["hooks:echo"])
    other, _ = keys.create("other", ["hooks:notes"])

    assert http.post("/hooks/mercy/echo", json={"n": 1}).status_code == 401
    assert http.post("/hooks/mercy/echo", json={"n": 1}, headers={"X-API-Key": other}).status_code == 401
    answer = http.post("/hooks/mercy/echo", json={"n": 1}, headers={"Authorization": f"Bearer {good}"})
    assert (answer.status_code, answer.json) == (201, {"got": 1})


def test_who_is_refused_is_in_the_log_with_the_reason_and_without_the_key(
    http: FlaskClient, shop: Workshop
) -> None:
    other, _ = shop.services.access("mercy").api_keys.create("other", ["hooks:notes"])

    with structlog.testing.capture_logs() as lines:
        for headers in ({}, {"X-API-Key": "orderly_wrong"}, {"X-API-Key": other}):
            http.post("/hooks/mercy/echo", json={"n": 1}, headers=headers)
        post(http, shop, BODY, **{"webhook-signature": "v1,bm90IHRoaXM="})
        http.post("/hooks/nobody/notes", json=BODY)

    assert [(line["event"], line["log_level"], line["client"], line["flow"]) for line in lines] == [
        ("webhook.refused", "warning", client, flow)
        for client, flow in (*[("mercy", "echo")] * 3, ("mercy", "notes"), ("nobody", "notes"))
    ]
    assert [line["why"].partition(":")[0] for line in lines] == [
        "no API key came",
        "the API key is unknown or revoked",
        "the API key other does not open hooks",
        "webhook-signature does not fit the body and the secret of this address",
        "there is no such client here",
    ]
    assert "orderly_wrong" not in str(lines)
    assert other not in str(lines)


def test_a_flood_of_strangers_makes_few_lines_that_say_how_many_there_were(
    http: FlaskClient, shop: Workshop
) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(50):
            http.post("/hooks/mercy/echo", json={"n": 1}, headers={"X-API-Key": "orderly_wrong"})
        for guess in range(150):
            http.post(f"/hooks/mercy/guess_{guess}\x1b[2J{'x' * 500}", json={})
        shop.pass_time(minutes=1)
        http.post("/hooks/mercy/echo", json={"n": 1}, headers={"X-API-Key": "orderly_wrong"})
        http.post("/hooks/nobody/notes", json={})

    assert len(lines) == 1 + 60 + 2
    assert not any("not_told" in line for line in lines[:-2])
    assert [line["not_told"] for line in lines[-2:]] == [49, 150 - 60]
    assert max(len(line["flow"]) for line in lines) == 80
    assert "\x1b" not in "".join(line["flow"] for line in lines)


def test_whoever_makes_up_names_leaves_no_real_sender_and_no_mistake_of_ours_untold(
    workshop: Open, tmp_path: Path
) -> None:
    """The sixty lines of strangers are used up; the secret of the door cannot be read."""
    http = client_of(with_door(workshop, f"file:{tmp_path}/gone"))

    with structlog.testing.capture_logs() as lines:
        for guess in range(40):
            http.post(f"/hooks/mercy/guess_{guess}", json={})
            http.post(f"/hooks/nobody_{guess}/notes", json={})
        http.post("/hooks/mercy/echo", json={"n": 1}, headers={"X-API-Key": "orderly_wrong"})
        assert http.post("/hooks/mercy/notes", json=BODY).status_code == 503

    assert len(lines) == 60 + 2
    assert [(line["event"], line["flow"]) for line in lines[-2:]] == [
        ("webhook.refused", "echo"), ("webhook.door", "notes"),
    ]  # fmt: skip


def test_a_flow_that_answers_with_its_result_goes_on_after_the_answer_and_repeats_it(
    http: FlaskClient, shop: Workshop
) -> None:
    key, _ = shop.services.access("mercy").api_keys.create("integrator", ["hooks:echo"])
    headers = {"X-API-Key": key}

    first = http.post("/hooks/mercy/echo", json={"n": 1}, headers=headers)
    again = http.post("/hooks/mercy/echo", json={"n": 1}, headers=headers)

    assert (first.status_code, first.json) == (201, {"got": 1})
    assert (again.status_code, again.json) == (201, {"got": 1})
    runs = shop.store.runs().rows
    assert [run.state for run in runs] == [RunState.WAITING]


@pytest.mark.parametrize("body", [{"lines": []}, {"n": None}, {"n": {"a": 1}}, {"n": True}, {"n": 1.5}, {"n": "A\0"}, {"n": "\x1b[31mA"},
                                  [], 5])  # fmt: skip
def test_a_document_that_does_not_say_what_it_is_is_not_taken(http: FlaskClient, shop: Workshop, body: Any) -> None:
    """Without an identity it could come twice and be two runs."""
    shop._write("flows/echo/flow.json", {**ECHO, "identity": "=n"})
    shop.again()
    key, _ = shop.services.access("mercy").api_keys.create("integrator", ["hooks:*"])
    app = Flask("hooks")
    app.register_blueprint(shop.services.webhooks().blueprint())

    answer = app.test_client().post("/hooks/mercy/echo", json=body, headers={"X-API-Key": key})

    assert (answer.status_code, answer.json and answer.json["type"]) == (
        422,
        "urn:orderly:problem:invalid_document",
    )
    assert nothing_stored(shop)


def test_whoever_has_a_key_is_told_that_a_flow_is_out_or_not_there(http: FlaskClient, shop: Workshop) -> None:
    shop._write("flows/broken/flow.json", "{bad")
    shop.again()
    key, _ = shop.services.access("mercy").api_keys.create("integrator", ["hooks:*"])
    app = Flask("hooks")
    app.register_blueprint(shop.services.webhooks().blueprint())
    client = app.test_client()

    out = client.post("/hooks/mercy/broken", json={}, headers={"X-API-Key": key})
    unknown = client.post("/hooks/mercy/nothing", json={}, headers={"X-API-Key": key})

    assert (out.status_code, out.headers["Retry-After"]) == (503, "60")
    assert unknown.status_code == 404


def test_a_door_whose_secret_is_missing_asks_to_come_later_and_tells_the_log(workshop: Open) -> None:
    door = {"type": "webhook_hmac", "settings": {"secret": "vault:nobody_put_it_there"}}
    notes = {**NOTES, "trigger": {"type": "webhook", "auth": "door"}}
    shop = workshop(notes, connections={"door": door})
    app = Flask("hooks")
    app.register_blueprint(shop.services.webhooks().blueprint())

    answer = app.test_client().post("/hooks/mercy/notes", json=BODY)

    assert answer.status_code == 503
    assert answer.json is not None
    assert "nobody_put_it_there" not in answer.text


ASKING = {
    "type": "soap.call", "connection": "erp", "parameters": {"operation": "GetSupplier", "body": {"Number": "4010"}},
    "effect": "none",
}  # fmt: skip
SLOW = flow(
    "slow",
    {"id": "first", **ASKING},
    {"id": "second", **ASKING},
    {"id": "answer", "type": "respond", "parameters": {"body": "=$nodes.second.Name"}},
    trigger={"type": "webhook", "reply": {"result": {"within": "100ms"}}},
)


def test_the_accepting_thread_is_not_held_longer_than_the_reply_may_take(workshop: Open) -> None:
    """The sender gets 202 when the time is over; a worker goes on from there."""
    shop = workshop(SLOW, connections={"erp": ERP}, simulators={"erp": {"type": "erp"}})
    shop.simulator("erp").slow("GetSupplier", 0.3)
    key, _ = shop.services.access("mercy").api_keys.create("integrator", ["hooks:slow"])
    app = Flask("hooks")
    app.register_blueprint(shop.services.webhooks().blueprint())

    answer = app.test_client().post("/hooks/mercy/slow", json={}, headers={"X-API-Key": key})

    assert answer.json is not None
    assert (answer.status_code, answer.json["state"]) == (202, "ready")
    assert len(shop.simulator("erp").journal.entries("call", operation="GetSupplier")) == 1
    shop.drain()
    assert app.test_client().get(answer.json["status_url"]).json["state"] == "done"
    assert shop.store.run(answer.json["run"]).reply == {"status": 200, "body": "Acme Medical Supply"}
