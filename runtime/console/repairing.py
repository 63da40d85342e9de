"""One run put right: reprocess with the message at hand, cancel with what is undone, step aside, give, note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from connectors.sdk import ConnectorError
from connectors.sdk.json import parse_json
from runtime.console.answers import BadInput, done, given, shown, text
from runtime.console.visitor import colleague, visitor
from runtime.engine.door import NotAccepted
from runtime.governance.reprocess import AS_IT_CAME, Decided, Once, Reprocess
from runtime.governance.undoing import undo_plan
from runtime.mapping import MappingError
from runtime.services import Services
from runtime.store.store import IdentityConflict, Refused, Story

_LONGEST_BODY = 400_000


@dataclass(frozen=True)
class RepairPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("repair", __name__, url_prefix="/runs/<run>")
        pages.get("/reprocess")(self.editor)
        pages.post("/reprocess")(self.reprocess)
        pages.get("/cancel")(self.plan)
        pages.post("/cancel")(self.cancel)
        pages.post("/step-aside")(self.step_aside)
        pages.post("/assign")(self.assign)
        pages.post("/note")(self.note)
        return pages

    # reprocess

    def editor(self, run: str) -> Response:
        known = visitor()
        known.check_may("run.reprocess", run)
        story = known.store.story(run)
        once = Reprocess(known.client).once(story)
        told = {
            "run": run, "flow": story.run.flow, "body": story.body,
            "once": [
                {"place": each.place, "operation": each.operation, "state": each.state, "output": each.output,
                 "why_not": each.why_not}
                for each in once
            ],
        }  # fmt: skip
        return shown(told, "repair/reprocess.html", **_form(story, once))

    def reprocess(self, run: str) -> Response:
        """``{"why", "body", "carry", "happened": {node: answer}, "not_happened": [node]}``; without ``body`` the
        message as it came. A form that is refused comes back as it was filled in."""
        known, fields = visitor(), given()
        known.check_may("run.reprocess", run)
        if request.is_json:
            return self._reprocessed(run, text(fields, "why"), fields.get("body", AS_IT_CAME), _decided(fields))
        try:
            body, decided = _form_body(fields), _form_decided(fields)
            return self._reprocessed(run, text(fields, "why"), body, decided)
        except (Refused, IdentityConflict, BadInput, ConnectorError, MappingError) as error:
            return self._again(run, fields, error)

    def _reprocessed(self, run: str, why: str, body: Any, decided: Decided) -> Response:
        known = visitor()
        made = self.services.repair(known.client.id).reprocess(run, known.user.login, why, body, decided)
        told = {"run": made.run, "state": str(made.state), "reprocess_of": run}
        return done(told, url_for("runs.one", run=made.run), "reprocessed")

    def _again(self, run: str, fields: Mapping[str, Any], error: Exception) -> Response:
        story = visitor().store.story(run)
        once = Reprocess(visitor().client).once(story)
        form = {**_form(story, once), "body": fields.get("body", ""), "why": fields.get("why", "")}
        message = error.description if isinstance(error, BadInput) else str(error)
        violations = error.violations if isinstance(error, NotAccepted) else ()
        status = 409 if isinstance(error, Refused | IdentityConflict) else 422
        form |= {"error": message, "violations": violations}
        return make_response(render_template("repair/reprocess.html", **form), status)

    # cancel

    def plan(self, run: str) -> Response:
        known = visitor()
        known.check_may("run.cancel", run)
        story = known.store.story(run)
        told = undo_plan(known.client, story)
        refused = known.store.refusals("cancel", [run]).get(run, "")
        return shown(told, "repair/cancel.html", story=story, run=story.run, plan=told, refused=refused)

    def cancel(self, run: str) -> Response:
        """``{"why", "undo": true | false}``."""
        known, fields = visitor(), given()
        known.check_may("run.cancel", run)
        undo = fields.get("undo") in (True, "yes")
        self.services.repair(known.client.id).cancel(run, known.user.login, text(fields, "why"), undo)
        return self._changed(run, "undoing" if undo else "cancelled")

    # the rest

    def step_aside(self, run: str) -> Response:
        """``{"why"}``; ``next`` is the run that goes on now."""
        known = visitor()
        known.check_may("run.step_aside", run)
        why = text(given(), "why")
        following = self.services.repair(known.client.id).step_aside(run, known.user.login, why)
        return self._changed(run, "stepped_aside", next=following)

    def assign(self, run: str) -> Response:
        """``{"assignee"}``, by default whoever asks; somebody else with a role for it."""
        known = visitor()
        name, login = text(given(), "assignee"), known.user.login
        if name and name != login:
            known.check_may("run.assign", run)
            login = colleague(self.services, name)
        self.services.repair(known.client.id).assign(run, known.user.login, login)
        return self._changed(run, "given", assignee=login)

    def note(self, run: str) -> Response:
        known = visitor()
        self.services.repair(known.client.id).note(run, known.user.login, text(given(), "note"))
        return self._changed(run, "noted")

    def _changed(self, run: str, what: str, **more: Any) -> Response:
        state = str(visitor().store.run(run).state)
        return done({"run": run, "state": state, **more}, url_for("runs.one", run=run), what)


def _form(story: Story, once: list[Once]) -> dict[str, Any]:
    body = json.dumps(story.body, indent=2, ensure_ascii=False)
    return {
        "story": story, "run": story.run, "body": body, "why": "", "error": "", "violations": (),
        "done_once": [each for each in once if each.state != "open"],
        "open_once": [each for each in once if each.state == "open"],
    }  # fmt: skip


def _form_body(fields: Mapping[str, Any]) -> Any:
    """The message in the editor; browsers write line ends of their own, which JSON does not mind."""
    try:
        return parse_json(text(fields, "body", _LONGEST_BODY))
    except ValueError as error:
        raise BadInput("body", f"the message is {error}") from error


def _form_decided(fields: Mapping[str, Any]) -> Decided:
    """``did:<place>`` is ``yes``, ``no`` or empty; ``answer:<place>`` is JSON."""
    happened: dict[str, Any] = {}
    not_happened = []
    for name, value in fields.items():
        place = name.removeprefix("did:")
        if place == name or not value:
            continue
        if value == "no":
            not_happened.append(place)
            continue
        try:
            happened[place] = parse_json(text(fields, f"answer:{place}") or "null")
        except ValueError as error:
            raise BadInput(f"answer:{place}", f"the answer of {place} is {error}") from error
    return Decided(bool(fields.get("carry")), happened, not_happened)


def _decided(fields: Mapping[str, Any]) -> Decided:
    happened, not_happened = fields.get("happened") or {}, fields.get("not_happened") or []
    if not isinstance(happened, dict) or not isinstance(not_happened, list):
        raise BadInput("happened", "happened is an object of answers by node, not_happened a list of nodes")
    return Decided(fields.get("carry") is True, happened, [str(place) for place in not_happened])
