"""Sign in and out."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runtime.console.app import create_app
from tests.runtime.console.house import PASSWORD, House, open_house
from tests.runtime.console.program import JSON, Program


def sign_in(browser: FlaskClient, login: str = "omar.said", password: str = PASSWORD, **more: str) -> TestResponse:
    """As a person does: opens the form, fills it, sends it."""
    form = browser.get("/login").text
    token = re.search(r'name="csrf" value="([^"]+)"', form)
    assert token is not None
    return browser.post("/login", data={"csrf": token[1], "login": login, "password": password, **more})


@pytest.mark.parametrize("name", ["omar.said", "OMAR.Said@mercy.example", " omar.said "])
def test_login_name_or_mail_address_signs_in(app: Flask, name: str) -> None:
    browser = app.test_client()

    answer = sign_in(browser, name)

    assert answer.status_code == 303
    assert browser.get("/runs").status_code == 200


def test_the_cookie_cannot_be_read_by_scripts_or_sent_from_other_sites(app: Flask) -> None:
    answer = sign_in(app.test_client())

    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("orderly_session"))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_secure(app: Flask) -> None:
    answer = app.test_client().post(
        "/login", json={"login": "omar.said", "password": PASSWORD}, base_url="https://orderly.example"
    )

    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("orderly_session"))
    assert "Secure" in cookie
    assert answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(("login", "password"), [("omar.said", "wrong horse"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_and_a_wrong_password_look_the_same(app: Flask, login: str, password: str) -> None:
    browser = app.test_client()

    answer = sign_in(browser, login, password)

    assert answer.status_code == 401
    assert "Login or password is wrong." in answer.text
    assert browser.get("/runs").status_code == 303


def test_after_ten_wrong_passwords_the_name_is_locked(app: Flask, house: House) -> None:
    house.add_user("clumsy")
    browser = app.test_client()

    for _ in range(10):
        browser.post("/login", json={"login": "clumsy", "password": "wrong horse"})
    answer = browser.post("/login", json={"login": "clumsy", "password": PASSWORD})

    assert answer.status_code == 429
    assert answer.get_json()["type"] == "urn:orderly:problem:locked_out"


def test_a_form_from_elsewhere_cannot_sign_anybody_in(app: Flask) -> None:
    """Otherwise another site could sign a person in as somebody else."""
    answer = app.test_client().post("/login", data={"login": "omar.said", "password": PASSWORD, "csrf": "0" * 64})

    assert answer.status_code == 403
    assert not any(c.startswith("orderly_session") for c in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    "asked", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\tx", "evil"]
)
def test_signing_in_never_leads_to_another_site(app: Flask, asked: str) -> None:
    answer = sign_in(app.test_client(), next=asked)

    assert answer.location == "/runs"


def test_signing_in_leads_to_the_page_that_was_asked_for(app: Flask) -> None:
    browser = app.test_client()
    asked = browser.get("/exceptions?state=all").location

    answer = sign_in(browser, next="/exceptions?state=all")

    assert asked == "/login?next=/exceptions?state%3Dall"
    assert answer.location == "/exceptions?state=all"


def test_signing_out_ends_the_session_on_the_server(app: Flask, omar: Program) -> None:
    cookie = omar.http.get_cookie("orderly_session")
    assert cookie is not None

    answer = omar.form("/logout")

    stolen = app.test_client()
    stolen.set_cookie("orderly_session", cookie.value)
    assert answer.status_code == 303
    assert stolen.get("/runs", headers=JSON).status_code == 401


def test_signing_in_again_ends_the_old_session(app: Flask, omar: Program) -> None:
    before = omar.http.get_cookie("orderly_session")
    assert before is not None

    omar.http.post("/login", json={"login": "lena.fox", "password": PASSWORD})

    stolen = app.test_client()
    stolen.set_cookie("orderly_session", before.value)
    assert "lena.fox" in omar.page("/runs")
    assert stolen.get("/runs", headers=JSON).status_code == 401


def test_with_several_clients_the_form_asks_which_and_names_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_house(tmp_path_factory.mktemp("two"), clients=("mercy", "stella")) as two:
        app = create_app(two.services)
        form = app.test_client().get("/login").text

        right = sign_in(app.test_client(), client="mercy")
        other = sign_in(app.test_client(), client="stella")
        unknown = sign_in(app.test_client(), client="nowhere")
        none = sign_in(app.test_client())

        assert 'name="client"' in form
        assert "mercy" not in form.lower()
        assert right.status_code == 303
        assert [answer.status_code for answer in (other, unknown, none)] == [401, 401, 401]
