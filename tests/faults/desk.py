"""A day at the desk of those who decide and repair: a program that can die anywhere and be run again.

``python -m tests.faults.desk PACK DATA FILES`` serves the pack, does what is still to be done, and prints what it
came to as one line of JSON. Each step asks first how far things are, as a person does whose last click got no answer.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from connectors.sdk import Arrival
from runtime.governance.approvals import decide
from runtime.model.run import ExceptionRow, Run, RunState
from runtime.observe.logs import set_up
from runtime.services import Services, Settings
from runtime.store.store import Refused
from tests.faults.day_flows import flow, order, tell
from tests.faults.server import PASSWORD
from tests.runtime.console.house import until

_CALLED = {"type": "call"}
_NUMBER = "=requisitionNumber"
#: Whoever is not sure that a connection is paused pauses it again, and both are in the audit.
_TWICE = "connection.paused"


def flows() -> list[dict[str, Any]]:
    ask = {"policy": "procurement", "document": "=$", "requester": "anna.berg"}
    rejected = {"rejected": [{"id": "no", "type": "end", "parameters": {"outcome": "rejected"}}]}
    file = {"path": "='/out/' & requisitionNumber", "content": _NUMBER, "collision": "refuse"}
    deliver = {"id": "file", "type": "file.deliver", "connection": "inbox", "parameters": file}
    return [
        flow("asks", _CALLED, {"id": "may", "type": "approve", "parameters": ask, "on": rejected}, order("order"),
             identity=_NUMBER),
        flow("unsure", _CALLED, order("order", look_up="none: nobody can be asked"), identity=_NUMBER),
        flow("refused", _CALLED, deliver, identity=_NUMBER, order_by="=costCenter"),
        flow("held", _CALLED, tell("told"), identity=_NUMBER),
        flow("stops", _CALLED, {"id": "no", "type": "raise", "parameters": {"kind": "no_budget", "message": "no"}},
             identity=_NUMBER),
    ]  # fmt: skip


class Desk:
    def __init__(self, services: Services, files: Path) -> None:
        self._services = services
        self._client = services.clients["mercy"]
        self._store = self._client.store
        self._repair = services.repair("mercy")
        self._files = files

    def work(self) -> dict[str, Any]:
        users = self._services.access("mercy").users
        if not users.list():
            users.create("omar.said", PASSWORD, roles=["procurement_manager"])
        self._pause()
        self._ask()
        for number, cost_center in (("DEAD-1", "A"), ("DEAD-2", "B"), ("BEHIND-2", "B")):
            self._take("refused", number, costCenter=cost_center)
        self._take("held", "HELD-1")
        self._take("stops", "STOP-1")
        for step in (
            self._decide,
            self._settle,
            self._redrive,
            self._pass,
            self._cancel,
            self._resume,
            self._resolve,
            self._note,
        ):
            with suppress(Refused):
                step()
        until(self._over, "everything to be over", 60)
        return self._told()

    # what the desk does

    def _pause(self) -> None:
        if self._find("held") is None:
            self._repair.pause("portal", "omar.said", "the portal is being mended")

    def _ask(self) -> None:
        """One after the other: who dies with the first leaves nothing of the second before its first byte was sent,
        and what is said of that one later, that it is in the ERP, is true."""
        self._take("asks", "ASK-1", category="equipment")
        self._comes_to("ASK-1", RunState.WAITING, RunState.DONE)
        self._take("unsure", "UNSURE-1")
        self._comes_to("UNSURE-1", RunState.UNCERTAIN, RunState.DONE)

    def _decide(self) -> None:
        self._comes_to("ASK-1", RunState.WAITING, RunState.DONE)
        for row in self._store.approvals().rows:
            user = self._services.access("mercy").users.find("omar.said")
            decided = decide(self._store, user, row.id, "approved", "yes", None, self._services.store.now())
            self._services.ring(decided.run)

    def _settle(self) -> None:
        run = self._comes_to("UNSURE-1", RunState.UNCERTAIN, RunState.DONE)
        if run.state is RunState.UNCERTAIN:
            self._repair.settle(
                run.id, "order", "", True, {"Number": "4500000001"}, "omar.said", "it is in the ERP"
            )

    def _redrive(self) -> None:
        run = self._comes_to("DEAD-1", RunState.DEAD, RunState.DONE)
        (self._files / "out" / "DEAD-1").unlink(missing_ok=True)
        if run.state is RunState.DEAD:
            self._repair.redrive(run.id, "omar.said")

    def _pass(self) -> None:
        run = self._comes_to("DEAD-2", RunState.DEAD, RunState.CANCELLED)
        if self._comes_to("BEHIND-2", RunState.HELD, RunState.DONE).state is RunState.HELD:
            self._repair.step_aside(run.id, "omar.said", "the other one is urgent")
        self._comes_to("BEHIND-2", RunState.DONE)

    def _cancel(self) -> None:
        run = self._comes_to("DEAD-2", RunState.DEAD, RunState.CANCELLED)
        if run.state is RunState.DEAD:
            self._repair.cancel(run.id, "omar.said", "nobody wants it any more")

    def _resume(self) -> None:
        if self._comes_to("HELD-1", RunState.HELD, RunState.DONE).state is RunState.HELD:
            self._repair.resume("portal", "omar.said")

    def _resolve(self) -> None:
        self._comes_to("STOP-1", RunState.EXCEPTION)
        for row in self._exceptions():
            if row.state == "open" and row.kind == "no_budget":
                if not row.assignee:
                    self._store.assign(row.id, "omar.said")
                self._store.resolve_exception(row.id, "omar.said", "it was asked for twice")

    def _note(self) -> None:
        run = self._comes_to("STOP-1", RunState.EXCEPTION)
        if not any(row["action"] == "run.noted" for row in self._store.audit_of(run.id)):
            self._repair.note(run.id, "omar.said", "the ward was told")

    # how far things are

    def _take(self, flow: str, number: str, **more: Any) -> None:
        body = json.dumps({"requisitionNumber": number, "costCenter": "CC-WARD3", **more}).encode()
        intake = self._services.intake(self._client)
        intake.take_raw(flow, Arrival(body, "application/json"), "call", sum_of_bytes=False)

    def _find(self, identity: str) -> Run | None:
        return next((run for run in self._store.runs().rows if identity in (run.identity, run.flow)), None)

    def _comes_to(self, identity: str, *states: RunState) -> Run:
        def found() -> bool:
            run = self._find(identity)
            return run is not None and run.state in states

        until(found, f"{identity} to be {' or '.join(states)}", 60)
        run = self._find(identity)
        assert run is not None
        return run

    def _exceptions(self) -> list[ExceptionRow]:
        return list(self._store.exceptions(state="").rows)

    def _over(self) -> bool:
        return all(
            run.state in (RunState.DONE, RunState.CANCELLED) or run.flow == "stops"
            for run in self._store.runs().rows
        )

    def _told(self) -> dict[str, Any]:
        return {
            "runs": {str(run.identity): run.state for run in self._store.runs().rows},
            "exceptions": Counter(f"{row.kind} {row.state} {row.assignee}" for row in self._exceptions()),
            "audit": Counter(row["action"] for row in self._store.audit_trail() if row["action"] != _TWICE),
            "decisions": sum(len(row.decisions) for row in self._store.approvals(state="").rows),
        }


def main() -> None:
    pack, data, files = (Path(given) for given in sys.argv[1:])
    set_up("warning", False)
    services = Services(Settings(data, (pack,), port=0, threads=2))
    try:
        services.start()
        print(json.dumps(Desk(services, files).work()))
    finally:
        services.stop()


if __name__ == "__main__":
    main()
