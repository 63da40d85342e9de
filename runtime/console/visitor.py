"""Who is asking: the session's user and the one client the session belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, current_app, g, redirect, request, url_for
from werkzeug.exceptions import MethodNotAllowed

from runtime.access import User, csrf_holds, csrf_token
from runtime.console.answers import BadInput, refusal, wants_problem
from runtime.engine.client import Client
from runtime.governance.roles import check_may, may
from runtime.services import Services
from runtime.store.store import ClientStore, NotFound

COOKIE = "orderly_session"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_UNGUARDED = frozenset({"static", "brand", "health.live", "health.ready", "signin.page", "signin.sign_in"})


@dataclass(frozen=True)
class Visitor:
    client: Client
    user: User
    token: str

    @property
    def store(self) -> ClientStore:
        return self.client.store

    @property
    def csrf(self) -> str:
        return csrf_token(self.token)

    def may(self, action: str, owner: str = "") -> bool:
        return may(self.user, action, owner)

    def check_may(self, action: str, subject: str, owner: str = "") -> None:
        """Raises ``NotEntitled``."""
        check_may(self.store, self.user, action, subject, owner)


def visitor() -> Visitor:
    """Of this request; the gate let nobody else in."""
    known = current_visitor()
    assert known is not None
    return known


def colleague(services: Services, name: str) -> str:
    """The login of a user of the same client. Raises ``BadInput`` for one who is none or is disabled."""
    try:
        found = services.access(visitor().client.id).users.find(name)
    except NotFound as error:
        raise BadInput("assignee", f"{error}; choose one of those who sign in here") from error
    if found.disabled:
        raise BadInput("assignee", f"{found.login} is disabled and works on nothing; choose somebody else")
    return found.login


def current_visitor() -> Visitor | None:
    return getattr(g, "visitor", None)


@dataclass(frozen=True)
class Gate:
    """Runs before every request: what is not open to all needs a session, what changes needs its CSRF token."""

    services: Services

    def __call__(self) -> Response | None:
        if request.blueprint == "hooks" or _no_way_to_send():
            return None
        g.visitor = self._recognise(request.cookies.get(COOKIE, ""))
        if request.endpoint in _UNGUARDED:
            return None
        known = current_visitor()
        if known is None:
            return _sign_in_first()
        if request.method not in _READING and not csrf_holds(known.token, _given_csrf()):
            return refusal(
                403, "csrf", "The form is not from this session", "open the page again and send the form from there"
            )
        return None

    def _recognise(self, cookie: str) -> Visitor | None:
        name, _, token = cookie.partition(".")
        if not token or name not in self.services.clients:
            return None
        session = self.services.access(name).sessions.find(token)
        return None if session is None else Visitor(self.services.clients[name], session.user, token)


def _no_way_to_send() -> bool:
    """A hook asked by another method than it has: refused before anything is read, whoever asks."""
    return request.path.startswith("/hooks/") and isinstance(request.routing_exception, MethodNotAllowed)


def _given_csrf() -> str:
    return request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")


def _sign_in_first() -> Response:
    where = url_for("signin.page", next=_wanted_page())
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": url_for("signin.page")})
    if wants_problem() or request.method not in _READING:
        answer = refusal(401, "unauthenticated", "Not signed in", "sign in with POST /login and send the cookie")
        answer.headers["WWW-Authenticate"] = 'Session realm="orderly"'
        return answer
    return current_app.make_response(redirect(where, 303))


def _wanted_page() -> str | None:
    wanted = request.full_path.rstrip("?")
    return None if wanted == "/" else wanted
