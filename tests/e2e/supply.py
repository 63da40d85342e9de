"""A hospital and a supplier over SFTP, in either standard: the shipped flows, the demo's pack, the supplier's simulator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sdk import Poll
from runtime.model.pack import demo_folder, read_json
from runtime.model.run import ExpectationRow, Run, RunState
from tests.workshop import Workshop

Open = Callable[..., Workshop]
_INBOX = {"x12": "supplier_inbox", "edifact": "supplier_inbox_edifact"}


class Supply:
    """A hospital and a supplier who sends everything, in one standard."""

    def __init__(self, shop: Workshop, standard: str) -> None:
        self.shop = shop
        self.supplier = shop.simulator("supplier")
        self.ordered = ""
        self._inbox = _INBOX[standard]
        shop.now = datetime.now(UTC)  # the supplier promises by its own clock

    def order(self, requisition: str = "REQ-1", quantity: str = "10") -> str:
        """The order's number."""
        line = {"item_number": "ITM-1001", "description": "Nitrile gloves", "quantity": quantity, "unit": "BX"}
        run = self.shop.run(
            "requisition_to_order",
            {
                "schema": "requisition/1", "requisition_number": requisition, "revision": "0",
                "requester": {"name": "Anna Berg", "email": "anna.berg@mercy.example", "department": "Ward 3"},
                "facility": "MERCY-MAIN", "cost_center": "CC-WARD3", "need_by": "2026-12-04", "urgency": "routine",
                "category": "consumables", "currency": "USD", "total": "69.00", "source": {"system": "ward"},
                "lines": [{"line_number": "1", **line}],
            },
        )  # fmt: skip
        assert run.state is RunState.DONE, self.shop.story(run.id).exceptions
        self.ordered = run.id
        return self.shop.story(run.id).keys["purchase_order"]

    def collect(self, kind: str, count: int = 1) -> None:
        """What the supplier has put out by then."""
        self.supplier.journal.wait(kind, count)
        [source] = [one for one in self.shop.services.sources.all if one.flow.flow == self._inbox]
        operation = source.operation()
        assert issubclass(operation, Poll)
        operation().poll(*source.prepared(), source.accept)
        self.shop.drain()

    def later(self, **duration: float) -> None:
        self.shop.pass_time(**duration)
        self.shop.drain()

    def run(self, flow: str) -> Run:
        [run] = self.shop.store.runs(flow=flow).rows
        return run

    def awaited(self, flow: str, event: str) -> ExpectationRow | None:
        found = [one for one in self.shop.story(self.run(flow).id).expectations if one.event_type == event]
        assert len(found) <= 1
        return found[0] if found else None

    def overdue(self) -> list[str]:
        """What is said to be late, by event."""
        rows = self.shop.store.exceptions().rows
        return [str((row.details or {})["event"]) for row in rows if row.kind == "overdue"]

    def waits(self) -> dict[str, str]:
        """Of the last order: what is expected, and how that stands."""
        return {row.event_type: row.state for row in self.shop.story(self.ordered).expectations}

    def problems(self) -> list[str]:
        return sorted(row.kind for row in self.shop.store.exceptions().rows)

    def ledger(self, direction: str, flow: str = "") -> list[str]:
        """States of interchanges, oldest first."""
        rows = self.shop.store.interchanges.listed(direction=direction).rows
        return [row["state"] for row in reversed(rows) if flow in ("", row["flow"])]


def opened(
    workshop: Open, folder: Path, standard: str, other: dict[str, Any] | None = None, **profile: Any
) -> Supply:
    """With this in the partner's profile, beside what it says; its parts of a standard are laid over. ``other`` is
    the profile of a second partner."""
    shutil.copytree(demo_folder(), folder / "pack")
    file = folder / "pack" / "partners" / "acme.json"
    said = json.loads(file.read_text())
    laid = {name: {**said.get(name, {}), **part} for name, part in profile.items()}
    file.write_text(json.dumps({**said, **laid}))
    if other is not None:
        file.with_name(f"{other['partner']}.json").write_text(json.dumps(other))
    simulators: dict[str, Any] = read_json(demo_folder() / "pack.json")["simulators"]
    simulators["supplier"]["settings"] = {"sends": ["despatch_advice", "invoice"]}
    edi = "edifact" if standard == "edifact" else ""
    shop = workshop(
        simulators=simulators,
        masterdata={"supplier": f"code,name,partner,status,edi\n4010,Acme,acme,approved,{edi}\n"},
        enabled=(
            "requisition_to_order", _INBOX[standard], f"{standard}_answer", "functional_acknowledgement",
            "supplier_acknowledgement", "goods_receipt",
        ),
    )  # fmt: skip
    return Supply(shop, standard)
