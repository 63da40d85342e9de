"""Where a partner is tried: its pack, its simulator and two flows on a temporary folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.sdk import Arrival, Misconfigured, Poll
from connectors.sdk.trading import Told, load_trading
from runtime.mapping import MappingError
from runtime.mapping import compile as compile_expression
from runtime.model.pack import Pack
from runtime.services import Services, Settings
from runtime.store.store import Story

#: What a supplier sends, in this order; the last two where its settings ask for them.
KINDS = ("functional_acknowledgement", "acknowledgement", "despatch_advice", "invoice")
_LONGEST = 20.0
_ROUNDS = 200


#: Of a profile: it is tried as it is in one environment, and reached at its simulator.
_NOT_TRIED = ("environment", "$schema", "delivery")
_CONNECTION = {
    "type": "sftp",
    "settings": {
        "host": "simulator:supplier/host",
        "port": "simulator:supplier/port",
        "user": "orderly",
        "password": "supplier-demo-secret",
        "host_key": "simulator:supplier/host_key",
    },
}


class Stage:
    """A pack with the partner and its simulator on a temporary folder; runs are advanced here, one by one."""

    def __init__(self, pack: Pack, profile: Mapping[str, Any], standard: str, folder: Path) -> None:
        found = load_trading(standard)
        assert found is not None, "only standards that speak of partners come here"
        self.pack, self.profile, self.trading, self.standard = pack, profile, found, standard
        self.documents: list[dict[str, str]] = []
        mapping = profile.get("mappings", {}).get("out", {}).get(found.order) or found.order_mapping
        self._folder = folder / "pack"
        self._lay_out(self._folder, mapping)
        self._services = Services(Settings(folder / "data", (folder / "pack",), port=0))
        self._client = self._services.clients.all()[0]
        self.supplier: Any = self._services.simulators["supplier"]
        self.now = self._services.store.now
        self._collected = 0

    def close(self) -> None:
        self._services.stop()

    def send(self, order: Mapping[str, Any]) -> Story:
        """The story of the run that writes and delivers it."""
        intake = self._services.intake(self._client)
        created = intake.take("order_out", Arrival(json.dumps(order).encode(), "application/json"), "partner test")
        self._drain()
        story = self._client.store.story(created.run)
        if (written := output_of(story, "write")) is not None:
            number = str(written["interchange_control_number"])
            self.documents.append(
                {"direction": "out", "kind": "order", "type": self.trading.order, "number": number}
            )
        return story

    def journal(self, kind: str, **facts: Any) -> list[dict[str, Any]]:
        """What the simulator noted, given the time it needs. Empty where it noted nothing."""
        try:
            found: list[dict[str, Any]] = self.supplier.journal.wait(kind, 1, timeout=3.0, **facts)
        except TimeoutError:
            return []
        return found

    def collect(self, kinds: Sequence[str]) -> list[Told]:
        """What came in since the last time, once the simulator has put out one of each kind. Raises
        ``TimeoutError`` naming what is missing."""
        for kind in kinds:
            done = sum(1 for one in self.documents if one.get("kind") == kind)
            self.supplier.journal.wait(kind, done + 1, timeout=_LONGEST)
        source = next(one for one in self._services.sources.all if one.flow.flow == "inbox")
        parameters, context = source.prepared()
        operation = source.operation()
        assert issubclass(operation, Poll)
        operation().poll(parameters, context, source.accept)
        self._drain()
        runs = sorted(self._client.store.runs(flow="inbox", limit=1000).rows, key=lambda run: run.id)
        new, self._collected = runs[self._collected :], len(runs)
        told = [one for run in new for one in self._read(self._client.store.story(run.id))]
        self.documents += [
            {"direction": "in", "kind": one.kind, "type": one.type, "number": one.number or one.answers}
            for one in told
        ]
        return told

    def _read(self, story: Story) -> list[Told]:
        output = output_of(story, "read")
        if output is None:
            raise Misconfigured(f"an answer could not be read: {reason_of(story)}", next_action="see what it says")
        return self.trading.told(output)

    def mapped(self, name: str, document: Mapping[str, Any]) -> Any:
        """Raises ``MappingError``, ``ExpressionError``."""
        source = self._client.pack.mapping_file(name)
        if source is None:
            raise MappingError(f"there is no mapping {name!r}", name=name)
        return compile_expression(source.read_text(encoding="utf-8"), name=name).evaluate(document)

    def _drain(self) -> None:
        """Advances until nothing is due."""
        for _ in range(_ROUNDS):
            due = self._services.store.due()
            if not due:
                return
            for run in due:
                self._services.engine.advance(run)

    def said(self, message: str) -> str:
        """With the place of the pack itself where it names the copy that is played on."""
        return message.replace(str(self._folder), str(self.pack.folder))

    def _lay_out(self, folder: Path, mapping: str) -> None:
        (folder / "partners").mkdir(parents=True)
        for kind in ("mappings", "masterdata"):
            if (self.pack.folder / kind).is_dir():
                shutil.copytree(self.pack.folder / kind, folder / kind)
        partner = {key: value for key, value in self.profile.items() if key not in _NOT_TRIED}
        settings = {**self.trading.simulator(self.profile), "sends": list(KINDS[2:]), "lots": 2}
        files: dict[str, Any] = {
            "pack.json": {
                "client": self.pack.client, "name": self.pack.file.name, "environment": self.pack.file.environment,
                "simulators": {"supplier": {"type": "supplier", "settings": settings}},
            },
            f"partners/{partner['partner']}.json": partner,
            "connections/supplier.json": _CONNECTION,
            "flows/order_out/flow.json": self._order_out(partner["partner"], mapping),
            "flows/inbox/flow.json": self._inbox(partner["partner"]),
        }  # fmt: skip
        for place, content in files.items():
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")

    def _order_out(self, partner: str, mapping: str) -> dict[str, Any]:
        writing = self.trading.writing(partner, "=document")
        return {
            "flow": "order_out", "version": "1.0.0", "owner": "procurement", "trigger": {"type": "call"},
            "nodes": [
                {"id": "map", "type": "map", "parameters": {"mapping": mapping}, "into": "document"},
                {"id": "write", "type": f"{self.standard}.write", "parameters": writing, "into": "edi"},
                {
                    "id": "deliver", "type": "sftp.deliver", "connection": "supplier", "effect": "idempotent",
                    "retry": {"attempts": 1},
                    "parameters": {
                        "path": "='/in/' & edi.interchange_control_number & '.edi'", "content": "=edi.content",
                    },
                },
            ],
        }  # fmt: skip

    def _inbox(self, partner: str) -> dict[str, Any]:
        return {
            "flow": "inbox", "version": "1.0.0", "owner": "procurement",
            "trigger": {
                "type": "sftp.collect", "connection": "supplier", "every": "1s",
                "parameters": {"folder": "/out", "glob": "*.edi", "archive": "/archive", "stable": "0s"},
            },
            "nodes": [
                {
                    "id": "read", "type": f"{self.standard}.read",
                    "parameters": {"content": "=content", "partner": partner}, "into": "interchange",
                },
            ],
        }  # fmt: skip


def output_of(story: Story, node: str) -> Any:
    """What the node put out; ``None`` where it did not."""
    return next((row.output for row in story.outcomes if row.node == node and row.output is not None), None)


def reason_of(story: Story) -> str:
    """Why the run stands still, in words."""
    told = [row.message for row in story.exceptions] or [
        str(row.error.get("message", "")) for row in story.outcomes if row.error
    ]
    return "; ".join(told)
