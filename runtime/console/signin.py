"""Sign in and out. A session belongs to one user of one client."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from runtime.access import Access, LockedOut, User, csrf_holds, csrf_token
from runtime.console.answers import given, refusal, text, wants_json
from runtime.console.visitor import COOKIE, current_visitor, visitor
from runtime.services import Services

#: Binds the form to the browser that got it, before there is a session.
_FORM_COOKIE = "orderly_signin"


@dataclass(frozen=True)
class SignInPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("signin", __name__)
        pages.get("/login")(self.page)
        pages.post("/login")(self.sign_in)
        pages.post("/logout")(self.sign_out)
        return pages

    def page(self) -> Response:
        if current_visitor() is not None:
            return _go(url_for("runs.index"))
        return self._form(200, "", {})

    def sign_in(self) -> Response:
        """``{"login", "password"}``, and ``client`` where several are served. JSON needs no CSRF token: no page
        of another site can send it."""
        fields = given()
        if not request.is_json and not csrf_holds(
            request.cookies.get(_FORM_COOKIE, ""), request.form.get("csrf", "")
        ):
            return self._form(403, "This form was open too long. Please try again.", fields)
        name = self._client_name(text(fields, "client"))
        try:
            access = self.services.access(name)
            user = access.users.verify(text(fields, "login"), _password(fields))
        except LockedOut as error:
            return self._refused(429, "locked_out", f"{error}", fields)
        if user is None:
            return self._refused(401, "wrong_credentials", "Login or password is wrong.", fields)
        return self._signed_in(access, user, fields)

    def _client_name(self, asked: str) -> str:
        """Empty for an unknown one: that client has no users, and nobody can tell the difference."""
        served = self.services.clients.all()
        if not asked and len(served) == 1:
            return served[0].id
        return asked if asked in self.services.clients else ""

    def _signed_in(self, access: Access, user: User, fields: Mapping[str, Any]) -> Response:
        old = current_visitor()
        if old is not None:
            self.services.access(old.client.id).sessions.revoke(old.token)
        token = access.sessions.open(user)
        answer = jsonify(csrf=csrf_token(token)) if wants_json() else _go(_local(text(fields, "next")))
        _set(answer, COOKIE, f"{access.client}.{token}")
        answer.delete_cookie(_FORM_COOKIE, path="/login")
        return answer

    def sign_out(self) -> Response:
        known = visitor()
        self.services.access(known.client.id).sessions.revoke(known.token)
        answer = jsonify(signed_out=True) if wants_json() else _go(url_for("signin.page"))
        answer.delete_cookie(COOKIE)
        return answer

    def _refused(self, status: int, kind: str, why: str, fields: Mapping[str, Any]) -> Response:
        if wants_json():
            return refusal(status, kind, "Not signed in", why)
        return self._form(status, why, fields)

    def _form(self, status: int, error: str, fields: Mapping[str, Any]) -> Response:
        nonce = request.cookies.get(_FORM_COOKIE) or secrets.token_urlsafe(24)
        answer = make_response(
            render_template(
                "signin/page.html", error=error, login=fields.get("login", ""), client=fields.get("client", ""),
                several=len(self.services.clients.all()) > 1, form_token=csrf_token(nonce),
                next=_local(request.values.get("next", "")),
            ),
            status,
        )  # fmt: skip
        _set(answer, _FORM_COOKIE, nonce, path="/login")
        return answer


def _password(fields: Mapping[str, Any]) -> str:
    """As it was typed: blanks belong to it."""
    value = fields.get("password", "")
    return value if isinstance(value, str) else ""


def _set(answer: Response, name: str, value: str, path: str = "/") -> None:
    answer.set_cookie(name, value, httponly=True, samesite="Lax", secure=request.is_secure, path=path)


def _go(where: str) -> Response:
    return current_app.make_response(redirect(where, 303))


def _local(where: str) -> str:
    """A page of ours, whatever was asked for."""
    parts = urlsplit(where)
    inside = where.startswith("/") and not where.startswith("//") and "\\" not in where and where.isprintable()
    if not inside or parts.netloc or parts.scheme or parts.path in ("/login", "/logout"):
        return url_for("runs.index")
    return where
