"""The world around a server under test: simulators in the test's own process, which survive whatever befalls it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from connectors.sdk import Journal
from connectors.simulators.contract_prices import ContractPrices
from connectors.simulators.erp import Erp
from connectors.simulators.portal import Portal
from connectors.simulators.supplier import Supplier
from connectors.simulators.ward import Ward
from runtime.model.pack import demo_folder

#: One order, with little time between its tries: what a crash in the middle of a ``once`` effect looks like.
ORDER: dict[str, Any] = {
    "flow": "order", "version": "1.0.0", "owner": "procurement",
    "trigger": {"type": "webhook", "auth": "portal_hooks"},
    "identity": "=requisitionNumber", "keys": {"requisition": "=requisitionNumber"},
    "nodes": [
        {
            "id": "order", "type": "soap.call", "connection": "erp", "effect": "once", "into": "erp",
            "keys": {"purchase_order": "=erp.Number"},
            "parameters": {
                "operation": "CreatePurchaseOrder", "reference": "=$run.effect_key",
                "body": "={'RequisitionNumber': requisitionNumber, 'SupplierNumber': '4010', "
                        "'CostCenter': costCenter, 'Facility': 'MERCY-MAIN', 'Currency': 'USD', "
                        "'OrderDate': '2026-11-24', 'Total': '11.20', 'Lines': {'Line': [{'LineNumber': '1', "
                        "'ItemNumber': 'ITM-1001', 'Description': 'Gloves', 'Quantity': '1', 'Unit': 'BX', "
                        "'UnitPrice': '11.20', 'Amount': '11.20'}]}}",
            },
            "retry": {"attempts": 1000, "first": "200ms", "longest": "200ms"},
            "look_up": {
                "type": "soap.call", "found": "=$exists(Number)", "authoritative": True, "settle": "200ms",
                "parameters": {"operation": "FindByReference", "body": "={'Reference': $run.effect_key}"},
            },
            "undo": "none: these orders stay",
        },
        {"id": "issued", "type": "publish", "parameters": {"event": "order.issued", "key": "=erp.Number"}},
    ],
}  # fmt: skip


class Outside:
    """``endpoints`` by simulator, as connections name them."""

    def __init__(self) -> None:
        self.erp = Erp()
        self.prices = ContractPrices()
        self.supplier = Supplier()
        self.portal = Portal()
        self.ward = Ward()
        self.endpoints: dict[str, Mapping[str, str]] = {}

    @property
    def secret(self) -> str:
        """What the portal signs its webhooks with."""
        return self.endpoints["portal"]["secret"]

    @property
    def orders(self) -> Journal:
        return self.erp.journal

    def references(self) -> list[str]:
        """Of every purchase order the ERP ever made."""
        return [entry["reference"] for entry in self.orders.entries("purchase_order")]

    def ordered(self) -> list[str]:
        """The requisition of every purchase order the ERP ever made."""
        return sorted(entry["requisition_number"] for entry in self.orders.entries("purchase_order"))

    def requisition(self, number: str, item: str = "ITM-1001", **head: Any) -> dict[str, Any]:
        return self.portal.requisition(number, [{"itemNumber": item, "quantity": 1}], **head)


@contextmanager
def opened() -> Iterator[Outside]:
    outside = Outside()
    simulators = {
        "erp": outside.erp, "contract_prices": outside.prices, "supplier": outside.supplier,
        "portal": outside.portal, "ward": outside.ward,
    }  # fmt: skip
    with ExitStack() as closing:
        for name, simulator in simulators.items():
            outside.endpoints[name] = simulator.start()
            closing.callback(simulator.stop)
        yield outside


def write_pack(folder: Path, outside: Outside, *flows: dict[str, Any]) -> Path:
    """The demo hospital's pack with the addresses of those outside, and flows of its own besides the shipped."""
    demo = demo_folder()
    for part in ("policies", "partners", "masterdata"):
        shutil.copytree(demo / part, folder / part)
    pack = json.loads((demo / "pack.json").read_text())
    _write(
        folder / "pack.json", {name: value for name, value in pack.items() if name not in ("$schema", "simulators")}
    )
    for path in (demo / "connections").glob("*.json"):
        _write(folder / "connections" / path.name, _bound(json.loads(path.read_text()), outside.endpoints))
    for flow in flows:
        _write(folder / "flows" / flow["flow"] / "flow.json", flow)
    return folder


def set_connection(pack: Path, name: str, settings: Mapping[str, Any], **more: Any) -> None:
    """Some settings of a connection of the pack changed, and members beside them."""
    path = pack / "connections" / f"{name}.json"
    file = json.loads(path.read_text())
    _write(path, {**file, "settings": {**file["settings"], **settings}, **more})


def _bound(value: Any, endpoints: Mapping[str, Mapping[str, str]]) -> Any:
    """Every ``simulator:NAME/ENDPOINT`` replaced by what it stands for."""
    if isinstance(value, dict):
        return {key: _bound(inner, endpoints) for key, inner in value.items()}
    if isinstance(value, list):
        return [_bound(inner, endpoints) for inner in value]
    if isinstance(value, str) and value.startswith("simulator:"):
        name, _, endpoint = value.removeprefix("simulator:").partition("/")
        return endpoints[name][endpoint]
    return value


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
