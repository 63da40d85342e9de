"""Business exceptions: whose they are, what is wrong with which field, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, url_for

from runtime.console.answers import BadInput, asked, before, done, given, shown, text, word
from runtime.console.raw import download, look
from runtime.console.visitor import colleague, visitor
from runtime.governance.searching import exception_search
from runtime.governance.views import exception_row
from runtime.model.sought import Said
from runtime.services import Services

STATES = ("open", "resolved", "all")
SEARCHED = ("text", "flow", "kind", "owner", "assignee", "since", "until")


@dataclass(frozen=True)
class ExceptionPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("exceptions", __name__, url_prefix="/exceptions")
        pages.get("")(self.index)
        pages.get("/<id>")(self.one)
        pages.get("/<id>/raw")(self.raw)
        pages.post("/<id>/assign")(self.assign)
        pages.post("/<id>/note")(self.note)
        pages.post("/<id>/resolve")(self.resolve)
        return pages

    def index(self) -> Response:
        state, where = word("state", STATES, "open"), asked(SEARCHED)
        known = visitor()
        sought = exception_search({**where, "state": "" if state == "all" else state})
        page = known.store.found_exceptions(sought, limit=50, before=before())
        keys = known.store.keys_of([row.run for row in page.rows if row.run])
        return shown(
            {"exceptions": [exception_row(row) for row in page.rows], "after": page.after},
            "exceptions/index.html", page=page, keys=keys, state=state, states=STATES, where=where,
            flows=sorted(known.client.registry.releases),
        )  # fmt: skip

    def one(self, id: str) -> Response:
        known = visitor()
        row = known.store.exception(id)
        keys = known.store.keys_of([row.run])[row.run] if row.run else {}
        return shown(
            exception_row(row), "exceptions/one.html", row=row, keys=keys, raw=look(known.store.blobs, row.raw),
            repairs=known.store.audit_of(id), people=self.services.access(known.client.id).users.list(),
        )  # fmt: skip

    def raw(self, id: str) -> Response:
        """The bytes that could not be taken, as they came."""
        known = visitor()
        return download(known.store, known.store.exception(id).raw, id, known.user.login)

    def assign(self, id: str) -> Response:
        """``{"assignee"}``: to whoever asks where nobody is named; to somebody else with a role for it."""
        known = visitor()
        row, login = known.store.exception(id), known.user.login
        name = text(given(), "assignee")
        if name and name != login:
            known.check_may("exception.assign", id, row.owner)
            login = colleague(self.services, name)
        known.store.assign(id, login, said=Said(known.user.login, "", {"assignee": login}))
        return self._changed(id, "assigned" if login == known.user.login else "handed")

    def note(self, id: str) -> Response:
        known, words = visitor(), text(given(), "note")
        if not words:
            raise BadInput("note", "the note is empty; say what you found or did")
        assignee = known.store.exception(id).assignee
        known.store.assign(id, assignee, words, Said(known.user.login, "", {"note": words}))
        return self._changed(id, "noted")

    def resolve(self, id: str) -> Response:
        known, words = visitor(), text(given(), "note")
        known.check_may("exception.resolve", id, known.store.exception(id).owner)
        if not words:
            raise BadInput("note", "say how it was resolved; the reason is kept with the exception")
        known.store.resolve_exception(id, known.user.login, words, Said(known.user.login, words, {"note": words}))
        return self._changed(id, "resolved")

    def _changed(self, id: str, what: str) -> Response:
        row = exception_row(visitor().store.exception(id))
        return done(row, url_for("exceptions.one", id=id), what)
