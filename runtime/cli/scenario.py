"""The demo's story: eight requisitions of one hospital, each with its own trouble, over real protocols.

It acts only as outsiders do: the portal posts, the ward sends, people use the console's API, the ERP goes down.
What became of it all is read from the store, and counted in the simulators' journals.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from runtime.governance.views import time_line
from runtime.model.run import ExceptionRow, Run, RunState
from runtime.services import Services
from runtime.store.store import ClientStore

REQUESTER, MANAGER = "anna.berg@mercy.example", "omar.said@mercy.example"
_STILL = (RunState.DEAD, RunState.EXCEPTION, RunState.DONE, RunState.CANCELLED)


class DemoFailed(Exception):
    """The story did not come to its end; says which part."""


@dataclass(frozen=True)
class Requisition:
    """``sends`` starts it; ``story`` says in a few words what happens to it; ``expected`` is how it must end."""

    number: str
    story: str
    expected: str
    sends: Callable[[], Any]


def _passwords() -> dict[str, str]:
    return {login: secrets.token_urlsafe(9) for login in (REQUESTER, MANAGER)}


@dataclass
class Scenario:
    services: Services
    url: str
    passwords: dict[str, str] = field(default_factory=_passwords)

    def __post_init__(self) -> None:
        self.client = self.services.clients.all()[0]
        self.portal: Any = self.services.simulators["portal"]
        self.ward: Any = self.services.simulators["ward"]
        self.erp: Any = self.services.simulators["erp"]
        self.supplier: Any = self.services.simulators["supplier"]
        self.refused_own_approval = False

    @property
    def store(self) -> ClientStore:
        return self.client.store

    # people

    def hire(self) -> None:
        """Users of the demo hospital, with passwords made for this run."""
        users = self.services.access(self.client.id).users
        known = {user.login for user in users.list()}
        for mail, name, roles in (
            (REQUESTER, "Anna Berg", ("requester", "procurement_manager")),
            (MANAGER, "Omar Said", ("procurement_manager",)),
        ):
            login = mail.partition("@")[0]
            if login in known:
                users.set_password(login, self.passwords[mail])
            else:
                users.create(login, self.passwords[mail], mail=mail, name=name, roles=roles)

    def connect(self) -> None:
        """Tells the outsiders where we are."""
        hooks = self.client.peers.filled("portal_hooks", self.client.peers.file("portal_hooks").settings)
        self.portal.connect(f"{self.url}/hooks/{self.client.id}/requisition_intake", hooks["secret"])
        source = next(s for s in self.services.sources.all if s.flow.trigger.type == "mllp.listen")
        wait(lambda: source.listening, 10, "the MLLP listener")
        assert source.listening is not None
        host, _, port = source.listening.address.rpartition(":")
        self.ward.connect(host, int(port))

    # the story

    def requisitions(self) -> list[Requisition]:
        """By number, as README lists them; ``play`` sends them in another order."""
        gloves = {"itemNumber": "ITM-1001", "quantity": 10}
        pumps = {"itemNumber": "ITM-2001", "quantity": 5}
        many = {"itemNumber": "ITM-1002", "quantity": 600}
        theatre: Any = {"costCenter": "CC-OR1"}

        def by_portal(number: str, *lines: Any, times: int = 1, **head: Any) -> Callable[[], Any]:
            return lambda: self.portal.send(self.portal.requisition(number, lines, **head), times=times)

        return [
            Requisition("REQ-1001", "small: nobody needs to approve it", "ordered", by_portal("REQ-1001", gloves)),
            Requisition(
                "REQ-1002", "large: its requester may not approve it, a second person does", "ordered",
                by_portal("REQ-1002", pumps, **theatre),
            ),
            Requisition(
                "REQ-1003", "rejected: no order anywhere", "rejected",
                by_portal("REQ-1003", {"itemNumber": "ITM-2002", "quantity": 1}, **theatre),
            ),
            Requisition("WARD-1004", "a ward's stock requisition by HL7 over MLLP", "ordered", self._by_ward),
            Requisition(
                "REQ-1005", "its webhook comes twice: one order", "ordered", by_portal("REQ-1005", many, times=2)
            ),
            Requisition(
                "REQ-1006", "an unknown cost centre: an exception with an owner", "exception",
                by_portal("REQ-1006", gloves, costCenter="CC-NONE"),
            ),
            Requisition(
                "REQ-1007", "the ERP is down for the first attempts", "ordered", by_portal("REQ-1007", gloves)
            ),
            Requisition(
                "REQ-1008", "the ERP creates the order and hangs up: the look-up finds it", "ordered",
                by_portal("REQ-1008", gloves, pumps | {"quantity": 1}, category="consumables"),
            ),
        ]  # fmt: skip

    def _by_ward(self) -> Any:
        lines = [
            {"item_number": "ITM-1003", "description": "Suture set, sterile", "quantity": "30", "unit": "EA"},
            {"item_number": "ITM-1001", "description": "Nitrile gloves", "quantity": "12", "unit": "BX"},
        ]
        return self.ward.send(self.ward.requisition("WARD-1004", lines))

    def play(self, deadline: float) -> None:
        """Returns once every requisition has come to its end. Raises ``DemoFailed`` past the deadline."""
        every = self.requisitions()
        first = next(requisition for requisition in every if requisition.number == "REQ-1007")
        others = [requisition for requisition in every if requisition is not first]
        self.erp.go_down()
        first.sends()
        wait(lambda: self.attempts(first.number, "budget") >= 2, 20, "the second attempt at an ERP that is down")
        self.erp.come_up()
        self.erp.hang_up_after("CreatePurchaseOrder", RequisitionNumber="REQ-1008")
        threads = [threading.Thread(target=requisition.sends) for requisition in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._people()
        numbers = [requisition.number for requisition in (first, *others)]
        left = max(1.0, deadline - time.monotonic())
        wait(
            lambda: all(self.result(number)["complete"] for number in numbers), left, "the end of every requisition"
        )

    def _people(self) -> None:
        anna, omar = Person(self.url, REQUESTER, self.passwords[REQUESTER]), Person(
            self.url, MANAGER, self.passwords[MANAGER]
        )  # fmt: skip
        large = wait(lambda: omar.approval_of("REQ-1002"), 20, "the approval of REQ-1002")
        status, problem = anna.decide(large, "approve", "I need these")
        self.refused_own_approval = status == 403
        if not self.refused_own_approval:
            raise DemoFailed(f"the requester's own approval was answered {status}: {problem}")
        _expect(omar.decide(large, "approve", "Within the plan"))
        light = wait(lambda: omar.approval_of("REQ-1003"), 20, "the approval of REQ-1003")
        _expect(omar.decide(light, "reject", "Next budget year"))

    # what became of it

    def runs_of(self, number: str) -> list[Run]:
        """Runs of the requisition, and those of the documents that came back for its order; oldest first."""
        found = {run.id: run for run in self.store.runs(key=number).rows}
        for name, value in self.keys(found).items():
            if name in ("purchase_order", "acknowledgement"):
                found |= {run.id: run for run in self.store.runs(key=value).rows}
        return sorted(found.values(), key=lambda run: run.id)

    def keys(self, runs: Iterable[str]) -> dict[str, str]:
        merged: dict[str, str] = {}
        for keys in self.store.keys_of(list(runs)).values():
            merged |= keys
        return merged

    def attempts(self, number: str, node: str) -> int:
        runs = [run for run in self.runs_of(number) if run.flow == "requisition_to_order"]
        return sum(1 for run in runs for row in self.store.story(run.id).attempts if row.node == node)

    def result(self, number: str) -> dict[str, Any]:
        """One entry of ``demo --json``, with ``complete`` beside it."""
        runs = self.runs_of(number)
        keys = self.keys(run.id for run in runs)
        main = next((run for run in runs if run.flow == "requisition_to_order"), None)
        outcome = _outcome(main)
        functional = self._answer(runs, "functional_acknowledgement", "code")
        acknowledged = self._answer(runs, "supplier_acknowledgement", "status")
        raised = self._exception(main) if outcome == "exception" else None
        return {
            "number": number, "outcome": outcome, "purchase_order": keys.get("purchase_order"),
            "interchange_control_number": keys.get("interchange_control_number"),
            "functional_acknowledgement": functional, "acknowledgement": acknowledged,
            "runs": [run.id for run in runs], "exception": raised,
            "complete": outcome in ("rejected", "exception") or bool(outcome and functional and acknowledged),
        }  # fmt: skip

    def _answer(self, runs: list[Run], flow: str, field: str) -> str | None:
        for run in runs:
            if run.flow == flow and run.state is RunState.DONE:
                return str(self.store.story(run.id).body[field])
        return None

    def _exception(self, run: Run | None) -> dict[str, str] | None:
        rows: list[ExceptionRow] = list(self.store.story(run.id).exceptions) if run else []
        if not rows:
            return None
        return {name: getattr(rows[0], name) for name in ("kind", "owner", "field", "message")}

    def time_line(self, number: str) -> list[dict[str, Any]]:
        """All runs of a requisition as one line, oldest first, each step with its flow and its system; with what
        made no step of a run: decisions that were refused, and webhooks that came again."""
        runs = self.runs_of(number)
        line = [*self._refused({run.id for run in runs}), *self._came_again(number)]
        for run in runs:
            release = self.client.release(run.release)
            story = self.store.story(run.id)
            connections = {node.id: getattr(node, "connection", None) for _, node in release.flow.walk()}
            connections |= {intent.node: intent.connection for intent in story.intents}
            for step in time_line(story):
                system = connections.get(step["node"]) or _came_by(step, run)
                line.append({**step, "flow": run.flow, "system": system})
        return sorted(line, key=lambda step: step["at"])

    def _refused(self, runs: set[str]) -> Iterator[dict[str, Any]]:
        for entry in self.store.audit_trail(limit=1000):
            if entry["action"] == "approval.refused" and entry["details"]["run"] in runs:
                told = f"{entry['actor']}: refused, {entry['details']['why']}"
                yield _beside(entry["at"].isoformat(), "approval", "orderly", told)

    def _came_again(self, number: str) -> Iterator[dict[str, Any]]:
        for entry in self.portal.journal.entries("delivery", requisition_number=number, duplicate=True):
            yield _beside(entry["at"], "delivered again", "portal", f"{entry['status']}, the first run's id")

    def counts(self) -> dict[str, int]:
        """From the journals of those outside."""
        deliveries = self.portal.journal.entries("delivery")
        return {
            "erp_purchase_orders": len(self.erp.journal.entries("purchase_order")),
            "supplier_orders_received": len(self.supplier.journal.entries("order")),
            "portal_deliveries": len(deliveries),
            "portal_duplicate_deliveries": sum(1 for entry in deliveries if entry["duplicate"]),
        }


def _beside(at: str, kind: str, system: str, result: str) -> dict[str, Any]:
    return {"at": at, "kind": kind, "node": "", "text": "", "result": result, "flow": "", "system": system}


def _came_by(step: dict[str, Any], run: Run) -> str:
    """The door for what came from outside, ourselves for the rest."""
    return run.source if step["kind"] == "received" and run.source != "call" else "orderly"


def _outcome(run: Run | None) -> str | None:
    """As far as it is known."""
    if run is None or run.state not in _STILL:
        return None
    if run.state is RunState.DONE:
        return "rejected" if run.outcome == "rejected" else "ordered"
    return "exception"


class Person:
    """Somebody at the console's API."""

    def __init__(self, url: str, login: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "application/json"
        answer = self._session.post(f"{url}/login", json={"login": login, "password": password}, timeout=10)
        if answer.status_code != 200:
            raise DemoFailed(f"{login} could not sign in: {answer.status_code} {answer.text}")
        self._session.headers["X-CSRF-Token"] = answer.json()["csrf"]

    def approval_of(self, number: str) -> str | None:
        rows = self._session.get(f"{self._url}/approvals", timeout=10).json()["approvals"]
        return next((row["id"] for row in rows if row["document"].get("requisition_number") == number), None)

    def decide(self, id: str, verdict: str, comment: str) -> tuple[int, Any]:
        answer = self._session.post(f"{self._url}/approvals/{id}/{verdict}", json={"comment": comment}, timeout=10)
        return answer.status_code, answer.json()


def _expect(answer: tuple[int, Any]) -> None:
    if answer[0] != 200:
        raise DemoFailed(f"a decision was answered {answer[0]}: {answer[1]}")


def wait(found: Callable[[], Any], seconds: float, what: str) -> Any:
    """Asks until there is something. Raises ``DemoFailed`` naming what did not come."""
    until = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > until:
            raise DemoFailed(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.05)
    return value
