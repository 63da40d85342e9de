"""``POST /control/<name>`` with a JSON object of arguments; only ever served on the Unix socket (mode 0600), so
whoever can open it is the user that runs the server."""

from __future__ import annotations

import inspect
import json
from typing import Any

import structlog
from flask import Flask, Response, request

from connectors.sdk.json import parse_json
from runtime.api.control import Control
from runtime.api.problem import ProblemError, problem
from runtime.api.problems import problem_of

log = structlog.get_logger()


def control_app(control: Control) -> Flask:
    """Every public method of ``Control`` by its name."""
    app = Flask("orderly-control")

    @app.post("/control/<name>")
    def call(name: str) -> Response:
        try:
            return _answer(200, _call(control, name, request.get_data(cache=False)))
        except Exception as error:
            told = problem_of(error)
            if told["kind"] == "bug":
                log.error("control.broke", name=name, exc_info=True)
            return _answer(told["status"], told, "application/problem+json")

    return app


def _call(control: Control, name: str, raw: bytes) -> Any:
    method = getattr(control, name, None) if not name.startswith("_") else None
    if not inspect.ismethod(method):
        raise ProblemError(
            problem(
                404, "There is no such function", f"the server knows no {name!r}", "unknown_function",
                next_action="use the command line of the version that the server runs",
            )
        )  # fmt: skip
    try:
        arguments = parse_json(raw)
        bound = inspect.signature(method).bind(**arguments)
    except (ValueError, TypeError) as error:
        raise ProblemError(problem(400, "The arguments do not fit", f"{name}: {error}", "bad_arguments")) from error
    return method(*bound.args, **bound.kwargs)


def _answer(status: int, body: Any, media: str = "application/json") -> Response:
    return Response(json.dumps(body), status, content_type=media)
