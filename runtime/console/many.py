"""The same repair for many: a page that shows what would be done, and one that says what was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from connectors.sdk.json import parse_json
from runtime.console.answers import BadInput, given, shown, text
from runtime.console.visitor import visitor
from runtime.governance.bulk import EXCEPTION_ACTIONS, Bulk, Preview, chosen_of
from runtime.governance.searching import dead_letters, exception_search
from runtime.services import Services

_ROLE = {
    "redrive": "run.redrive", "redrive_current": "run.redrive", "reprocess": "run.reprocess",
    "cancel": "run.cancel",
}  # fmt: skip
_SUBJECTS = ("dead_letters", "exceptions")
#: A list of a thousand, and the reason.
_LONGEST = 200_000


@dataclass(frozen=True)
class ManyPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("many", __name__, url_prefix="/many")
        pages.post("/preview")(self.preview)
        pages.post("/do")(self.do)
        return pages

    def preview(self) -> Response:
        """``{"subject": "dead_letters" | "exceptions", "action", "ids"}``, or ``where`` in place of ``ids``; of a
        form the boxes that are ticked, or everything that was searched for. Changes nothing."""
        fields = given()
        subject, action = text(fields, "subject"), text(fields, "action")
        self._check(action)
        if subject not in _SUBJECTS:
            raise BadInput("subject", f"subject is one of: {', '.join(_SUBJECTS)}")
        where, ids = _which(fields)
        found = self._preview(subject, action, where, ids)
        names = self._names(found)
        told = {
            "action": action, "subject": found.subject, "counts": found.counts(), "more": found.more,
            "would": [_row(each, names) for each in found.would],
            "refused": [_row(each, names) for each in found.refused],
        }  # fmt: skip
        chosen = json.dumps([{"id": each.id, "seen": each.seen} for each in found.would])
        return shown(told, "many/preview.html", told=told, chosen=chosen, subject=subject)

    def do(self) -> Response:
        """``{"action", "chosen", "why"}``: exactly those that a preview showed under ``would``."""
        known, fields = visitor(), given()
        action = text(fields, "action")
        self._check(action)
        made = self._bulk().do(action, tuple(chosen_of(_chosen(fields))), known.user.login, text(fields, "why"))
        refused = [{"id": id, "why": why} for id, why in made.refused.items()]
        new = [{"id": id, "run": run} for id, run in made.new.items()]
        told = {"bulk": made.bulk, "action": action, "done": list(made.done), "refused": refused, "new": new}
        return shown(told, "many/done.html", told=told, subject=text(fields, "subject"))

    def _check(self, action: str) -> None:
        """Raises ``BadInput``, ``NotEntitled``. Who may resolve an exception depends on each."""
        if action not in EXCEPTION_ACTIONS:
            raise BadInput("action", f"action is one of: {', '.join(EXCEPTION_ACTIONS)}")
        if action in _ROLE:
            visitor().check_may(_ROLE[action], "bulk")

    def _bulk(self) -> Bulk:
        known = visitor()
        repair = self.services.repair(known.client.id)
        return Bulk(known.client, repair, lambda owner: known.may("exception.resolve", owner))

    def _preview(self, subject: str, action: str, where: Mapping[str, Any], ids: list[str]) -> Preview:
        if subject == "exceptions":
            return self._bulk().preview_exceptions(action, exception_search({"state": "open", **where}), ids)
        return self._bulk().preview_runs(action, dead_letters(visitor().client, where), ids)

    def _names(self, found: Preview) -> dict[str, str]:
        """What people call each: its business key."""
        keys = visitor().store.keys_of([each.run for each in found.candidates if each.run])
        return {run: next(iter(named.values()), "") for run, named in keys.items()}


def _row(each: Any, names: Mapping[str, str]) -> dict[str, Any]:
    row = {name: getattr(each, name) for name in ("id", "run", "flow", "kind", "state", "seen", "why_not")}
    return {**row, "name": names.get(each.run, "")}


def _which(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Raises ``BadInput`` where nothing says which."""
    if request.is_json:
        where, ids = fields.get("where") or {}, fields.get("ids") or []
    else:
        ids = request.form.getlist("ids")
        every = bool(request.form.get("every"))
        where = _json(fields, "where") if every else {}
        ids = [] if every else ids
        if not every and not ids:
            raise BadInput("ids", "nothing is ticked; tick those that are meant, or choose all that were found")
    if not isinstance(where, dict) or not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise BadInput("where", "where is an object, ids is a list of texts")
    return where, ids


def _chosen(fields: Mapping[str, Any]) -> list[Any]:
    found = fields.get("chosen") if request.is_json else _json(fields, "chosen")
    if not isinstance(found, list):
        raise BadInput("chosen", "chosen is the list that the preview answered under would")
    return found


def _json(fields: Mapping[str, Any], name: str) -> Any:
    try:
        return parse_json(text(fields, name, _LONGEST) or "{}")
    except ValueError as error:
        raise BadInput(name, f"{name} is {error}") from error
