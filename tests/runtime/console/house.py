"""A small hospital with real services: a pack on disk, users, and messages that come in through the real door."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.sdk import Arrival
from runtime.access import User
from runtime.model.run import RunState
from runtime.services import Services, Settings

PASSWORD = "correct horse battery"
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

POLICY = {
    "policy": "procurement",
    "title": "Approval of requisitions",
    "rules": [
        {
            "name": "large",
            "when": "=$number(document.total) >= 5000",
            "approvers": [{"role": "procurement_manager", "needs": 1}],
            "reason": "='Total of ' & document.total & ' is 5000 or more'",
        }
    ],
    "otherwise": {"approvers": []},
}

ORDER = {
    "flow": "order", "version": "1.0.0", "title": "Requisition to order", "owner": "procurement",
    "trigger": {"type": "webhook", "auth": "portal"},
    "identity": "=requisition_number",
    "keys": {"requisition": "=requisition_number"},
    "nodes": [
        {"id": "known", "type": "route", "cases": [{"when": "=cost_center = 'CC-NOPE'", "nodes": [
            {"id": "unknown", "type": "raise", "parameters": {
                "kind": "unknown_cost_center", "owner": "finance", "field": "cost_center",
                "message": "='Cost centre ' & cost_center & ' is not known'"}}]}]},
        {"id": "approve", "type": "approve", "title": "Ask procurement",
         "parameters": {"policy": "procurement", "document": "=$", "requester": "=requester.email"},
         "on": {"rejected": [{"id": "stop", "type": "end", "parameters": {"outcome": "rejected"}}]}},
        {"id": "hand_over", "type": "file.deliver", "connection": "outbox", "effect": "idempotent",
         "parameters": {"path": "=requisition_number & '.json'", "content": "=$string($)"},
         "expect": [{"event": "order.acknowledged", "key": "=requisition_number", "within": "2d"}],
         "retry": {"attempts": 1}},
        {"id": "issued", "type": "publish", "parameters": {"event": "order.issued", "data": "=$"}},
        {"id": "finish", "type": "end", "parameters": {"outcome": "ordered"}},
    ],
}  # fmt: skip

TRANSFER = {
    "flow": "transfer", "version": "1.0.0", "title": "Pay the supplier", "owner": "finance",
    "trigger": {"type": "call"},
    "keys": {"payment": "=payment_number"},
    "nodes": [
        {"id": "pay", "type": "rest.request", "connection": "bank", "effect": "once",
         "look_up": "none: the bank of this test cannot be asked", "undo": "none: money does not come back",
         "parameters": {"method": "POST", "path": "/pay", "body": "=$"}, "into": "paid"},
    ],
}  # fmt: skip


def write_pack(folder: Path, outbox: Path, client: str = "mercy", bank: str = "http://127.0.0.1:9") -> Path:
    """The outbox is not there yet: what is delivered before somebody makes it becomes a dead letter."""
    files: dict[str, Any] = {
        "pack.json": {
            "client": client, "name": "Mercy General Hospital",
            "brand": {"name": "Mercy Supply", "color": "#7a1f5c"},
        },
        "connections/portal.json": {"type": "webhook_hmac", "settings": {"secret": SECRET}},
        "connections/outbox.json": {"type": "file", "settings": {"root": str(outbox)}},
        "connections/bank.json": {
            "type": "rest", "settings": {"url": bank, "allow": ["127.0.0.0/8"]},
            "limits": {"breaker": {"failures": 1000}},
        },
        "policies/procurement.json": POLICY,
        "flows/order/flow.json": ORDER,
        "flows/transfer/flow.json": TRANSFER,
    }  # fmt: skip
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def requisition(number: str, total: str = "120.00", **more: Any) -> dict[str, Any]:
    return {
        "requisition_number": number, "total": total, "cost_center": "CC-OR1",
        "requester": {"name": "Anna Berg", "email": "anna.berg@mercy.example"},
        "lines": [{"item_number": "ITM-1001", "description": "nitrile gloves", "quantity": "12", "unit": "BX"}],
        **more,
    }  # fmt: skip


class House:
    """Started services with three users of ``mercy``."""

    def __init__(self, services: Services, outbox: Path) -> None:
        self.services = services
        self.outbox = outbox
        self.users: dict[str, User] = {}

    def add_user(self, login: str, *roles: str, client: str = "mercy") -> None:
        users = self.services.access(client).users
        self.users[login] = users.create(login, PASSWORD, mail=f"{login}@mercy.example", roles=roles)

    def send(self, document: Mapping[str, Any], flow: str = "order", client: str = "mercy") -> str:
        """The run, through the door that webhooks use."""
        arrival = Arrival(json.dumps(document).encode(), "application/json", {"user-agent": "portal"})
        run = self.services.intake(self.services.clients[client]).take_raw(
            flow, arrival, "webhook", sum_of_bytes=False
        )
        assert run.run is not None
        return run.run

    def comes_to(self, run: str, *states: RunState, client: str = "mercy") -> None:
        """Waits until the run shows one of the states."""
        store = self.services.clients[client].store
        until(
            lambda: store.run(run).state in states,
            lambda: f"run {run} to be {' or '.join(states)}, it is {store.run(run).state}",
        )

    @contextmanager
    def delivering(self) -> Iterator[Path]:
        """The outbox is there, and gone again afterwards: the other tests of this house count on dead letters."""
        self.outbox.mkdir()
        try:
            yield self.outbox
        finally:
            shutil.rmtree(self.outbox)


def until(holds: Callable[[], bool], what: str | Callable[[], str], seconds: float = 20.0) -> None:
    """Asks twenty times a second. Raises ``TimeoutError`` that says what did not come."""
    never = threading.Event()
    for _ in range(int(seconds * 20)):
        if holds():
            return
        never.wait(0.05)
    raise TimeoutError(f"waited {seconds} s for {what if isinstance(what, str) else what()}")


@contextmanager
def open_house(
    folder: Path, bank: str = "http://127.0.0.1:9", clients: tuple[str, ...] = ("mercy",)
) -> Iterator[House]:
    outbox = folder / "outbox"
    packs = tuple(write_pack(folder / f"pack_{client}", outbox, client, bank) for client in clients)
    services = Services(Settings(data=folder / "data", packs=packs, port=0, threads=2, web_threads=4))
    try:
        for client in services.clients.all():
            assert not client.registry.out, client.registry.out
        services.start()
        house = House(services, outbox)
        house.add_user("anna.berg", "requester")
        house.add_user("omar.said", "procurement_manager")
        house.add_user("lena.fox", "finance", "operator")
        yield house
    finally:
        services.stop()
