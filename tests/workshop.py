"""A runtime in immediate mode: nothing runs on threads, time stands still until a test moves it.

A pack is written from dictionaries into a temporary folder; ``drain`` advances whatever is due, in this thread,
until nothing is. Peers are the shipped simulators on real sockets.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.sdk import Arrival
from runtime.governance.repair import Repair
from runtime.model.run import OutcomeRow, Run
from runtime.services import Services, Settings
from runtime.store.store import ClientStore, Story

LOOPBACK = ["127.0.0.0/8"]
ERP = {
    "type": "soap",
    "settings": {
        "url": "simulator:erp/url",
        "wsdl": "simulator:erp/wsdl",
        "auth": {"type": "basic", "user": "orderly", "password": "erp-demo-secret"},
        "allow": LOOPBACK,
        "timeout": "5s",
    },
    "faults": [
        {"code": "UNKNOWN_COST_CENTER", "is": "business", "kind": "unknown_cost_center", "owner": "finance"}
    ],
}


class FullJitter(random.Random):
    """Chance at its upper end, so that a test knows when a retry comes due."""

    def uniform(self, a: float, b: float) -> float:
        return b


def flow(name: str, *nodes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A flow file with what every flow needs."""
    return {
        "flow": name, "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"}, "nodes": list(nodes),
        **more,
    }  # fmt: skip


class Workshop:
    def __init__(
        self,
        folder: Path,
        flows: list[dict[str, Any]],
        *,
        mappings: Mapping[str, str] | None = None,
        connections: Mapping[str, Any] | None = None,
        policies: Mapping[str, Any] | None = None,
        simulators: Mapping[str, Any] | None = None,
        masterdata: Mapping[str, str] | None = None,
        partners: Mapping[str, Any] | None = None,
        calendars: Mapping[str, Any] | None = None,
        environment: str = "test",
        enabled: Sequence[str] = (),
    ) -> None:
        """``enabled`` are flows of the base that the pack draws on."""
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
        self.pack = folder / "pack"
        file = {
            "client": "mercy", "name": "Mercy", "flows": [*enabled], "simulators": simulators or {},
            "environment": environment,
        }  # fmt: skip
        self._write("pack.json", file)
        for one in flows:
            self._write(f"flows/{one['flow']}/flow.json", one)
        for name, source in (mappings or {}).items():
            self._write(f"mappings/{name}/mapping.jsonata", source)
        given = {
            "connections": connections, "policies": policies, "partners": partners, "calendars": calendars,
        }  # fmt: skip
        for kind, files in given.items():
            for name, content in (files or {}).items():
                self._write(f"{kind}/{name}.json", content)
        for name, table in (masterdata or {}).items():
            self._write(f"masterdata/{name}.csv", table)
        self.settings = Settings(
            folder / "data", (self.pack,), port=0, chance=FullJitter(), clock=lambda: self.now
        )  # fmt: skip
        self.services = Services(self.settings)

    def _write(self, name: str, content: Any) -> None:
        path = self.pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    @property
    def store(self) -> ClientStore:
        return self.services.clients["mercy"].store

    @property
    def repair(self) -> Repair:
        return self.services.repair("mercy")

    def simulator(self, name: str) -> Any:
        return self.services.simulators[name]

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def take(self, flow: str, body: Any) -> str:
        """Through the door, as a webhook's body would come; the run's id."""
        intake = self.services.intake(self.services.clients["mercy"])
        return intake.take(flow, Arrival(json.dumps(body).encode(), "application/json"), "webhook").run

    def drain(self) -> None:
        """Advances until nothing is due. Raises ``AssertionError`` where it never ends."""
        for _ in range(1000):
            due = self.services.store.due()
            if not due:
                self.services.store.overdue()
                due = self.services.store.due()
            if not due:
                return
            for run in due:
                self.services.engine.advance(run)
        raise AssertionError(f"still due after 1000 rounds: {due}")

    def run(self, flow: str, body: Any) -> Run:
        """Takes the body and drains; what the run shows then."""
        id = self.take(flow, body)
        self.drain()
        return self.store.run(id)

    def story(self, run: str) -> Story:
        return self.store.story(run)

    def outcome(self, run: str, node: str, iteration: str = "") -> OutcomeRow | None:
        rows = [r for r in self.story(run).outcomes if (r.node, r.iteration) == (node, iteration)]
        return rows[0] if rows else None

    def again(self) -> None:
        """The process ends and another one begins on the same data."""
        self.services.stop()
        self.services = Services(self.settings)

    def close(self) -> None:
        self.services.stop()
