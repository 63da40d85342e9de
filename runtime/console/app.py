"""The whole web application: webhooks, console, health; security headers and error pages for all of them."""

from __future__ import annotations

import structlog
from flask import Flask, Response, current_app, make_response, redirect, request, url_for
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed

from connectors.sdk import ConnectorError
from runtime.console import blueprints, words
from runtime.console.answers import BadInput, refusal
from runtime.console.brand import stylesheet
from runtime.console.health import Health
from runtime.console.visitor import Gate, current_visitor
from runtime.governance.approvals import NotEntitled
from runtime.governance.searching import BadSearch
from runtime.mapping import MappingError
from runtime.model.ids import new_id
from runtime.model.pack import Brand
from runtime.services import Services
from runtime.store.store import IdentityConflict, NotFound, Refused, Unavailable

log = structlog.get_logger()

#: Nothing but our own files: no inline script or style, no frame around us.
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(services: Services) -> Flask:
    """For ``services.listen``; nothing is kept in the application itself."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    words.register(app)
    app.before_request(Gate(services))
    app.after_request(_with_headers)
    app.register_blueprint(services.webhooks().blueprint())
    app.register_blueprint(Health(services).blueprint())
    for blueprint in blueprints(services):
        app.register_blueprint(blueprint)
    app.add_url_rule("/", "home", _home)
    app.add_url_rule("/brand.css", "brand", lambda: _brand(services))
    app.context_processor(
        lambda: {"visitor": current_visitor(), "brand": brand(services), "now": services.store.now()}
    )
    _register_errors(app)
    return app


def brand(services: Services) -> Brand:
    """The signed-in client's, or that of the only client; several clients do not tell on each other."""
    known = current_visitor()
    if known is not None:
        return known.client.pack.file.brand
    served = services.clients.all()
    return served[0].pack.file.brand if len(served) == 1 else Brand()


def _home() -> Response:
    return current_app.make_response(redirect(url_for("runs.index"), 303))


def _brand(services: Services) -> Response:
    answer = Response(stylesheet(brand(services).color), mimetype="text/css")
    answer.headers["Cache-Control"] = "private, max-age=60"
    answer.vary.add("Cookie")
    return answer


def _with_headers(answer: Response) -> Response:
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    if request.is_secure:
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint not in ("static", "brand"):
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.vary.update(("Accept", "Cookie"))
    return answer


def _register_errors(app: Flask) -> None:
    app.register_error_handler(NotFound, lambda error: refusal(404, "not_found", "Not found", str(error)))
    app.register_error_handler(
        Refused, lambda error: refusal(409, "refused", "This cannot be done now", str(error))
    )
    app.register_error_handler(IdentityConflict, _known_already)
    app.register_error_handler(ConnectorError, _unusable)
    app.register_error_handler(MappingError, _unusable)
    app.register_error_handler(BadSearch, _bad_search)
    app.register_error_handler(NotEntitled, _not_entitled)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(InternalServerError, _broken)
    app.register_error_handler(HTTPException, _http)


def _known_already(error: IdentityConflict) -> Response:
    return refusal(
        409, "identity_conflict", "Another document came under this identity before", str(error), run=error.run
    )


def _unusable(error: ConnectorError | MappingError) -> Response:
    """What is set up, or what was sent, does not do; the error says what to do next."""
    more = {name: value for name in ("kind", "field", "next_action") if (value := getattr(error, name, ""))}
    violations = getattr(error, "violations", ())
    if violations:
        more["errors"] = [{"pointer": each.pointer, "detail": each.message} for each in violations]
    return refusal(422, more.pop("kind", "unusable"), "This cannot be used", str(error), **more)


def _bad_search(error: BadSearch) -> Response:
    return refusal(400, "bad_search", "This cannot be searched for", str(error), field=error.field)


def _not_entitled(error: NotEntitled) -> Response:
    return refusal(403, error.kind, "You may not do this", str(error))


def _unavailable(error: Unavailable) -> Response:
    log.error("console.unavailable", path=request.path, why=str(error))
    answer = refusal(
        503, "unavailable", "Nothing was stored", "the store cannot take it now; try again in a moment"
    )
    answer.headers["Retry-After"] = "5"
    return answer


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return make_response(error.get_response())
    kind = error.name.lower().replace(" ", "_")
    more = {"field": error.field} if isinstance(error, BadInput) and error.field else {}
    answer = refusal(error.code, kind, error.name, error.description or error.name, **more)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _broken(error: InternalServerError) -> Response:
    """Nothing of the inside goes out but the number under which the log has it."""
    number = new_id()
    cause = error.original_exception
    log.error("console.broken", number=number, path=request.path, exc_info=cause)
    detail = f"this is our mistake, not yours; the log has it under {number}"
    return refusal(500, "internal", "Something broke", detail, number=number)
