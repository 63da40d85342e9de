"""The approvals inbox: what waits for a decision, what the rule asked for and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, url_for

from runtime.access import User
from runtime.console.answers import before, done, given, shown, text, word
from runtime.console.visitor import visitor
from runtime.governance.approvals import NotEntitled, check_entitled, decide, summary
from runtime.model.run import ApprovalRow
from runtime.services import Services

STATES = ("open", "approved", "rejected", "expired", "cancelled")


@dataclass(frozen=True)
class ApprovalPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("approvals", __name__, url_prefix="/approvals")
        pages.get("")(self.index)
        pages.post("/<id>/approve")(self.approve)
        pages.post("/<id>/reject")(self.reject)
        return pages

    def index(self) -> Response:
        state = word("state", STATES, "open")
        page = visitor().store.approvals(state=state, limit=50, before=before())
        keys = visitor().store.keys_of([row.run for row in page.rows])
        why_not = {row.id: _why_not(visitor().user, row) for row in page.rows}
        return shown(
            {"approvals": [_row(row, why_not[row.id]) for row in page.rows], "after": page.after},
            "approvals/index.html", page=page, keys=keys, why_not=why_not, state=state, states=STATES,
        )  # fmt: skip

    def approve(self, id: str) -> Response:
        return self._decide(id, "approved")

    def reject(self, id: str) -> Response:
        return self._decide(id, "rejected")

    def _decide(self, id: str, verdict: str) -> Response:
        """The run is rung at once; a refused try changes nothing and is audited."""
        known, fields = visitor(), given()
        seen = text(fields, "document_hash") or None
        decided = decide(
            known.store, known.user, id, verdict, text(fields, "comment"), seen, self.services.store.now()
        )
        self.services.ring(decided.run)
        return done({"run": decided.run, "state": decided.state}, url_for("approvals.index"), decided.state)


def _why_not(user: User, approval: ApprovalRow) -> NotEntitled | None:
    try:
        check_entitled(user, approval)
    except NotEntitled as error:
        return error
    return None


def _row(approval: ApprovalRow, why_not: NotEntitled | None) -> dict[str, Any]:
    """``refused`` is the kind of refusal this user would meet, or null."""
    refused = why_not.kind if why_not is not None else None
    return {**summary(approval), "document": approval.document, "refused": refused}
