"""What is collected for partners, and sending it before its time."""

from __future__ import annotations

from typing import Any

from runtime.api.desk import Desk
from runtime.governance.collected import collected
from runtime.governance.views import plain
from runtime.model.sought import Said


class Batches(Desk):
    def batches_list(self, *, client: str = "") -> dict[str, Any]:
        """``{"client", "batches"}``, as ``collected``."""
        owner = self._client(client)
        return {"client": owner.id, "batches": [plain(row) for row in collected(owner)]}

    def batches_send(
        self, partner: str, *, by: str, reason: str = "", flow: str = "", client: str = ""
    ) -> dict[str, Any]:
        """``{"client", "partner", "runs"}``: those that take on what was collected for the partner, all of it.
        ``flow`` may be left out. Raises ``NotFound`` where nothing is."""
        owner = self._client(client)
        runs = self._services.batcher.send_now(owner, partner, Said(by, reason), flow)
        return {"client": owner.id, "partner": partner, "runs": runs}
