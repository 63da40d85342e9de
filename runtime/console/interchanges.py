"""Interchanges: what was sent to partners and came from them, how far its acknowledgements are, and the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request, url_for

from runtime.console.answers import asked, before, done, given, shown, text
from runtime.console.raw import download, look
from runtime.console.visitor import visitor
from runtime.governance.collected import collected
from runtime.governance.searching import INTERCHANGE_FIELDS, INTERCHANGE_STATES, interchange_search
from runtime.governance.views import interchange_view, plain
from runtime.model.sought import Said
from runtime.services import Services

SEARCHED = tuple(name for name in INTERCHANGE_FIELDS if name != "overdue")


@dataclass(frozen=True)
class InterchangePages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("interchanges", __name__, url_prefix="/interchanges")
        pages.get("")(self.index)
        pages.get("/numbers")(self.numbers)
        pages.get("/collected")(self.collected)
        pages.post("/collected/<partner>/send")(self.send)
        pages.get("/<id>")(self.one)
        pages.get("/<id>/raw")(self.raw)
        return pages

    def index(self) -> Response:
        known = visitor()
        where: dict[str, Any] = {**asked(SEARCHED)}
        if request.args.get("overdue"):
            where["overdue"] = "yes"
        page = known.store.interchanges.listed(**interchange_search(where), limit=50, before=before())
        rows = [interchange_view(row) for row in page.rows]
        return shown(
            {"interchanges": [plain(row) for row in page.rows], "after": page.after}, "interchanges/index.html",
            page=page, rows=rows, where=where, states=INTERCHANGE_STATES,
        )  # fmt: skip

    def one(self, id: str) -> Response:
        store = visitor().store
        row = interchange_view(store.interchanges.one(id))
        return shown(
            row, "interchanges/one.html", row=row, raw=look(store.blobs, row["content"]["$blob"]),
            answer=look(store.blobs, row["answer"]["$blob"]) if row["answer"] else None,
        )  # fmt: skip

    def raw(self, id: str) -> Response:
        """The bytes as they were sent, or came."""
        known = visitor()
        blob = known.store.interchanges.one(id)["content"]["$blob"]
        return download(known.store, blob, id, known.user.login)

    def collected(self) -> Response:
        """What waits for others to the same partner."""
        rows = collected(visitor().client)
        return shown({"batches": [plain(row) for row in rows]}, "interchanges/collected.html", rows=rows)

    def send(self, partner: str) -> Response:
        """``{"why"}``, which may be left out; ``runs`` are those that take it on."""
        known = visitor()
        known.check_may("batch.send", partner)
        said = Said(known.user.login, text(given(), "why"))
        runs = self.services.batcher.send_now(known.client, partner, said)
        return done({"partner": partner, "runs": runs}, url_for("interchanges.collected"), "sent")

    def numbers(self) -> Response:
        found = visitor().store.interchanges.numbers()
        return shown(plain(found), "interchanges/numbers.html", found=found)
