"""What holds for every address of the web application."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from flask import Flask

from connectors.sdk.exchange import Exchanged
from runtime.console.app import create_app
from runtime.console.visitor import COOKIE
from runtime.engine.sweeper import Sweeper
from runtime.intake.clock import Clock
from runtime.model.run import RunState
from runtime.services import Services
from tests.runtime.console.house import House, open_house, requisition, until
from tests.runtime.console.program import JSON, Program
from tests.workshop import Workshop

PAGES = ["/runs", "/runs/x", "/approvals", "/exceptions", "/dead-letters", "/uncertain", "/runs/x/raw", "/nowhere"]


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_sees_no_page_and_is_asked_to_sign_in(app: Flask, path: str) -> None:
    """Even an address that is not there looks the same from outside."""
    answer = app.test_client().get(path)

    assert answer.status_code == 303
    assert answer.location.startswith("/login?next=")


@pytest.mark.parametrize("path", PAGES)
def test_a_strange_program_gets_a_problem_document(app: Flask, path: str) -> None:
    answer = app.test_client().get(path, headers=JSON)

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["type"] == "urn:orderly:problem:unauthenticated"


def test_every_route_but_the_open_ones_refuses_a_stranger(app: Flask) -> None:
    """Read from the routes themselves, so that a page added later is held to it too."""
    open_to_all = {"static", "brand", "health.live", "health.ready", "signin.page", "signin.sign_in"}
    closed = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in open_to_all]

    for rule in closed:
        path = rule.rule.replace("<client>", "mercy").replace("<flow>", "order")
        path = path.replace("<run>", "x").replace("<id>", "x")
        for method in (rule.methods or set()) & {"GET", "POST"}:
            assert app.test_client().open(path, method=method, headers=JSON).status_code == 401, rule

    assert len(closed) > 15


def test_health_is_answered_without_signing_in(app: Flask) -> None:
    assert app.test_client().get("/health/live").get_json() == {"status": "live"}
    assert app.test_client().get("/health/ready").get_json() == {"status": "ready"}


def _workers(services: Services) -> None:
    services.pool.serve(lambda _run: sys.exit())
    services.ring("one")


def _sweeper(services: Services) -> None:
    services.sweeper = Sweeper(services.store, services.ring, on_duty=sys.exit)
    services.sweeper.start()


def _clock(services: Services) -> None:
    services.clock = Clock(
        services.clients, services.ring, services.store.now, services.batcher, on_duty=sys.exit
    )  # fmt: skip
    services.clock.start()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("part", [_workers, _sweeper, _clock])
def test_a_process_that_lost_a_part_is_neither_alive_nor_ready(
    workshop: Callable[..., Workshop], part: Callable[[Services], None]
) -> None:
    """Whatever ended the thread: it would take messages that nobody works on."""
    services = workshop().services
    client = create_app(services).test_client()
    assert client.get("/health/ready").status_code == 200

    part(services)

    until(lambda: client.get("/health/ready").status_code == 503, "the loss to be seen")
    for path in ("/health/ready", "/health/live"):
        answer = client.get(path)
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert answer.get_json()["parts"] == [part.__name__.strip("_")]


def test_a_stopping_process_is_not_ready(app: Flask, house: House) -> None:
    house.services.stopping.set()
    try:
        answer = app.test_client().get("/health/ready")
    finally:
        house.services.stopping.clear()

    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("path", ["/login", "/health/live", "/static/console.css", "/nowhere", "/hooks/mercy/none"])
def test_security_headers_stand_on_every_answer(app: Flask, path: str) -> None:
    with app.test_client().get(path) as answer:
        headers = answer.headers

    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_are_not_kept_by_caches(omar: Program) -> None:
    assert omar.get("/runs").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/runs", "/approvals", "/exceptions", "/dead-letters", "/uncertain", "/login"])
def test_pages_hold_no_inline_script_or_style(omar: Program, path: str) -> None:
    """The policy would block them; nothing may depend on them."""
    page = omar.page(path)

    assert "<style" not in page
    assert "style=" not in page
    assert "<script>" not in page
    assert " onclick=" not in page


@pytest.mark.parametrize("headers", [{}, {"X-CSRF-Token": "0" * 64}])
def test_a_change_without_the_sessions_token_is_refused(
    omar: Program, house: House, headers: dict[str, str]
) -> None:
    run = house.send(requisition(f"REQ-CSRF-{len(headers)}", cost_center="CC-NOPE"))

    answer = omar.http.post(f"/runs/{run}/redrive", json={}, headers=headers)

    assert answer.status_code == 403
    assert answer.get_json()["type"] == "urn:orderly:problem:csrf"


def test_a_token_of_another_session_is_refused(omar: Program, anna: Program) -> None:
    answer = omar.http.post("/logout", data={"csrf": anna.csrf})

    assert answer.status_code == 403


def test_a_missing_page_is_told_in_words_to_a_person(omar: Program) -> None:
    answer = omar.http.get("/nowhere", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "Not Found" in answer.text


def test_a_body_over_the_limit_is_refused_at_the_hook(app: Flask, house: House) -> None:
    body = b" " * (house.services.settings.max_body_bytes + 1)

    answer = app.test_client().post("/hooks/mercy/order", data=body, content_type="application/json")

    assert answer.status_code == 413
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("body", [b"{", b'{"comment": NaN}', b'{"comment": "a", "comment": "b"}', b"[1]"])
def test_a_body_that_is_not_a_json_object_is_refused(omar: Program, body: bytes) -> None:
    answer = omar.http.post(
        "/approvals/x/approve", data=body, content_type="application/json", headers={"X-CSRF-Token": omar.csrf}
    )

    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def test_what_breaks_inside_stays_inside(house: House) -> None:
    """A person and a program get a number, and nothing of the error."""
    app = create_app(house.services)
    app.add_url_rule("/breaks", "breaks", lambda: str(1 // 0))
    omar = Program.signed_in(app, "omar.said")

    answer = omar.get("/breaks")
    page = omar.page("/breaks")

    assert answer.status_code == 500
    assert answer.get_json()["number"]
    assert "ZeroDivision" not in answer.text + page
    assert "Something broke" in page


def test_ids_of_another_client_are_not_found_anywhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Over every route that takes an id: 404, and nothing of the other client in any list."""
    with open_house(tmp_path_factory.mktemp("two"), clients=("mercy", "stella")) as two:
        two.add_user("eve", "procurement_manager", "finance", client="stella")
        app = create_app(two.services)
        waiting = two.send(requisition("REQ-SECRET", "9000.00"))
        raised = two.send(requisition("REQ-RAISED", cost_center="CC-NOPE"))
        dead = two.send(requisition("REQ-DEAD"))
        two.comes_to(waiting, RunState.WAITING)
        two.comes_to(raised, RunState.EXCEPTION)
        two.comes_to(dead, RunState.DEAD)
        mercy = two.services.clients["mercy"].store
        content = mercy.blobs.put(b"ISA*REQ-SECRET~", "application/edi-x12")
        mercy.interchanges.at("order", waiting, "edi", "").written(
            Exchanged("x12", "acme", "T", "000000001", content.blob, content)
        )
        ids = {
            "interchanges": mercy.interchanges.listed().rows[0]["id"], "<run>": waiting, "<client>": "mercy", "<flow>": "order",
            "approvals": mercy.approvals().rows[0].id, "exceptions": mercy.exceptions().rows[0].id,
        }  # fmt: skip
        eve = Program.signed_in(app, "eve", client="stella")

        for rule in app.url_map.iter_rules():
            subject = rule.endpoint.partition(".")[0]
            if subject == "hooks" or "<" not in rule.rule or rule.endpoint == "static":
                continue
            path = rule.rule.replace("<run>", ids["<run>"]).replace("<id>", ids.get(subject, ""))
            body = {"node": "approve", "happened": False, "why": "a guess", "note": "mine", "comment": "yes"}
            answer = eve.get(path) if "GET" in (rule.methods or set()) else eve.post(path, body)
            assert answer.status_code == 404, (rule, answer.text)
        lists = [eve.get(path).text for path in ("/runs", "/approvals", "/exceptions", "/dead-letters")]
        lists += [eve.get(path).text for path in ("/interchanges", "/interchanges/numbers")]

        assert "REQ-" not in "".join(lists)
        assert "acme" not in "".join(lists)
        assert mercy.run(waiting).state is RunState.WAITING
        assert mercy.exceptions().rows[0].assignee == ""


def test_a_cookie_that_names_another_client_is_worth_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_house(tmp_path_factory.mktemp("two"), clients=("mercy", "stella")) as two:
        app = create_app(two.services)
        omar = Program.signed_in(app, "omar.said", client="mercy")
        cookie = omar.http.get_cookie(COOKIE)
        assert cookie is not None
        forged = app.test_client()
        forged.set_cookie(COOKIE, cookie.value.replace("mercy.", "stella."))

        assert omar.get("/runs").status_code == 200
        assert forged.get("/runs", headers=JSON).status_code == 401
