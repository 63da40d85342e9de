"""Whether the process lives, and whether it can take messages: for supervisors, without signing in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, jsonify

from runtime.intake.problem import problem
from runtime.services import Services
from runtime.store import health
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.store import StoreError

#: Bytes: below that there is no room for a few large messages and the log of commits.
_LEAST_FREE: Final = 16_000_000


@dataclass(frozen=True)
class Health:
    services: Services

    def blueprint(self) -> Blueprint:
        health = Blueprint("health", __name__, url_prefix="/health")
        health.get("/live")(self.live)
        health.get("/ready")(self.ready)
        return health

    def live(self) -> Response:
        """503 where a part of the process has ended that should go on: start it anew."""
        if ailing := self.services.ailing():
            return _ailing(ailing)
        return jsonify(status="live")

    def ready(self) -> Response:
        """503 while stopping, where the store does not answer or cannot be written, where the disk is full, and
        where a part of the process has ended."""
        if self.services.stopping.is_set():
            return problem(503, "Stopping", "ask another process, or wait for the next start", "stopping")
        data = self.services.settings.data
        if (free := shutil.disk_usage(data).free) < _LEAST_FREE:
            told = f"{data}: {free // 1_000_000} MB are free; free some space and it goes on by itself"
            return problem(503, "The disk is full", told, "disk_full")
        try:
            self._ask(self.services.store)
        except StoreError as error:
            return problem(503, "The store does not answer", str(error), "unavailable")
        if ailing := self.services.ailing():
            return _ailing(ailing)
        return jsonify(status="ready")

    @staticmethod
    def _ask(store: SharedStore) -> None:
        """Raises ``StoreError``. Only a file on our own disk is written to: a server tells by itself."""
        store.next_due()
        if isinstance(store, SqliteStore):
            health.probe(store)


def _ailing(parts: list[str]) -> Response:
    told = f"start it anew, the log says what happened: {', '.join(parts)}"
    return problem(503, "A part of this process has ended", told, "ailing", parts=parts)
