"""Uncertain nodes: sent, no answer, and nobody can be asked. A person says whether it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, url_for

from connectors.sdk.json import parse_json
from runtime.console.answers import BadInput, before, done, given, shown, text
from runtime.console.run_page import NodeView, node_views
from runtime.console.visitor import visitor
from runtime.governance.views import plain, run_row
from runtime.model.run import OutcomeState, RunState
from runtime.services import Services


@dataclass(frozen=True)
class UncertainPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("uncertain", __name__)
        pages.get("/uncertain")(self.index)
        pages.post("/runs/<run>/settle")(self.settle)
        return pages

    def index(self) -> Response:
        known = visitor()
        page = known.store.runs(states=[RunState.UNCERTAIN], limit=25, before=before())
        stories = (known.store.story(run.id) for run in page.rows)
        asked = [(story, view) for story in stories for view in node_views(known.client, story) if _uncertain(view)]
        return shown(
            {
                "uncertain": [
                    {**run_row(story.run, story.keys), "outcome": plain(view.outcome), "intent": plain(view.intent)}
                    for story, view in asked
                ],
                "after": page.after,
            },
            "uncertain/index.html", page=page, asked=asked,
        )  # fmt: skip

    def settle(self, run: str) -> Response:
        """``{"node", "iteration", "happened": true | false, "output", "why"}``; a form says yes or no and writes
        the output as JSON."""
        known, fields = visitor(), given()
        known.check_may("node.settle", run)
        happened = _happened(fields)
        output = _output(fields) if happened else None
        self.services.repair(known.client.id).settle(
            run, text(fields, "node"), text(fields, "iteration"), happened, output, known.user.login,
            text(fields, "why"),
        )  # fmt: skip
        state = known.store.run(run).state
        return done({"run": run, "state": str(state)}, url_for("runs.one", run=run), "settled")


def _uncertain(view: NodeView) -> bool:
    return view.outcome is not None and view.outcome.state is OutcomeState.UNCERTAIN


def _happened(fields: Mapping[str, Any]) -> bool:
    answers = {"yes": True, "no": False, True: True, False: False}
    value = fields.get("happened")
    if not isinstance(value, str | bool) or value not in answers:
        raise BadInput("happened", "say whether it happened: yes or no (in JSON, true or false)")
    return answers[value]


def _output(fields: Mapping[str, Any]) -> Any:
    """What the node would have answered: later nodes read it."""
    value = fields.get("output")
    if not isinstance(value, str) or fields.get("happened") is True:
        return value
    try:
        return parse_json(value or "null")
    except ValueError as error:
        raise BadInput("output", f"the output is {error}") from error
