"""One answer in two forms: a page for people, JSON for programs that ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, jsonify, make_response, redirect, render_template, request
from werkzeug.exceptions import BadRequest

from connectors.sdk.json import parse_json
from runtime.intake.problem import problem

_FOR_PROGRAMS = ("/hooks/", "/health/")


class BadInput(BadRequest):
    """What came cannot be used; ``field`` names it."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(description)
        self.field = field


def wants_json() -> bool:
    """Where the sender prefers JSON to HTML, or sent JSON."""
    preferred = request.accept_mimetypes.best_match(("text/html", "application/json"), "text/html")
    return request.is_json or preferred == "application/json"


def wants_problem() -> bool:
    """Errors go out as RFC 9457 where no person reads them."""
    return wants_json() or request.path.startswith(_FOR_PROGRAMS)


def shown(data: Mapping[str, Any], template: str, **more: Any) -> Response:
    """``data`` as JSON, or the page with ``more``."""
    if wants_json():
        return jsonify(data)
    return make_response(render_template(template, **more))


def done(data: Mapping[str, Any], location: str, notice: str) -> Response:
    """After a change: ``data`` as JSON, or on to a page that says ``notice`` (a key of ``NOTICES``)."""
    if wants_json():
        return jsonify(data)
    return current_app.make_response(redirect(f"{location}?done={notice}", 303))


def refusal(status: int, kind: str, title: str, detail: str, **more: Any) -> Response:
    """An error as a problem document or as a page."""
    if wants_problem():
        return problem(status, title, detail, kind, **more)
    return make_response(render_template("error.html", status=status, title=title, detail=detail), status)


def given() -> Mapping[str, Any]:
    """The members of the JSON object or the fields of the form. Raises ``BadInput``."""
    if not request.is_json:
        return request.form
    try:
        body = parse_json(request.get_data() or b"{}")
    except ValueError as error:
        raise BadInput("", f"the body is {error}") from error
    if not isinstance(body, dict):
        raise BadInput("", 'the body is not a JSON object; send one like {"comment": "…"}')
    return body


def text(fields: Mapping[str, Any], name: str, longest: int = 4000) -> str:
    """A field as text, empty where it is absent. Raises ``BadInput``."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise BadInput(name, f"{name} is not a text; send a string")
    if len(value) > longest:
        raise BadInput(name, f"{name} has {len(value)} characters; {longest} are allowed")
    return value.strip()


def asked(names: tuple[str, ...]) -> dict[str, str]:
    """Query arguments of a search, by name; the empty ones are left out."""
    found = {name: request.args.get(name, "").strip() for name in names}
    return {name: value for name, value in found.items() if value}


def word(name: str, allowed: Mapping[str, Any] | tuple[str, ...], default: str = "") -> str:
    """A query argument that is one of a few words. Raises ``BadInput``."""
    value = request.args.get(name) or default
    if value and value not in allowed:
        raise BadInput(name, f"{name} is one of: {', '.join(allowed)}")
    return value


def before() -> str | None:
    """The id a page of older rows begins after."""
    return request.args.get("before") or None
