"""Connections: is the peer there, who paused it and why, how many runs it holds; pause and resume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, url_for

from runtime.console.answers import done, given, shown, text
from runtime.console.visitor import Visitor, visitor
from runtime.governance.peers import connection_states, pause_end
from runtime.services import Services
from runtime.store.store import NotFound, Refused


@dataclass(frozen=True)
class ConnectionPages:
    services: Services

    def blueprint(self) -> Blueprint:
        pages = Blueprint("connections", __name__, url_prefix="/connections")
        pages.get("")(self.index)
        pages.post("/<name>/pause")(self.pause)
        pages.post("/<name>/resume")(self.resume)
        return pages

    def index(self) -> Response:
        states = sorted(connection_states(visitor().client).items())
        rows = [_row(name, state) for name, state in states if state["state"] != "door"]
        return shown({"connections": rows}, "connections/index.html", rows=rows)

    def pause(self, name: str) -> Response:
        """``{"why", "until"}``; the end is an instant, or how long from now, and may be left out."""
        known, fields = _of_visitor(name), given()
        known.check_may("connection.pause", name)
        why = text(fields, "why")
        if not why:
            raise Refused("say why the connection is paused; every run that is held says so")
        until = pause_end(text(fields, "until"), known.client.gate.now())
        self.services.repair(known.client.id).pause(name, known.user.login, why, until)
        return self._changed(name, "paused")

    def resume(self, name: str) -> Response:
        """``{"why"}``, which may be left out; ``released`` counts the runs that go on."""
        known = _of_visitor(name)
        known.check_may("connection.resume", name)
        why = text(given(), "why")
        released = self.services.repair(known.client.id).resume(name, known.user.login, why)
        return self._changed(name, "resumed", released=released)

    def _changed(self, name: str, what: str, **more: int) -> Response:
        row = _row(name, connection_states(visitor().client)[name])
        return done({**row, **more}, url_for("connections.index"), what)


def _of_visitor(name: str) -> Visitor:
    """Raises ``NotFound`` for a connection that this client does not have."""
    known = visitor()
    if name not in known.client.pack.connections.sound():
        raise NotFound(f"client {known.client.id} has no connection {name!r}")
    return known


def _row(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {"connection": name, "type": visitor().client.peers.file(name).type, **state}
