"""The exchange ledger: what was sent to partners and came from them, and its control numbers."""

from __future__ import annotations

import base64
from typing import Any

from connectors.sdk import BlobRef, Misconfigured
from runtime.api.desk import Desk, listed, searched
from runtime.governance.searching import interchange_search
from runtime.governance.views import interchange_view, plain
from runtime.store.sealing import SealedBlobs
from runtime.store.store import ClientStore, NotFound, Refused
from runtime.store.vault import VaultError

_MOST_NAMED = 10


class Interchanges(Desk):
    def interchanges_list(
        self, *, direction: str = "", partner: str = "", standard: str = "", state: str = "", number: str = "",
        key: str = "", run: str = "", overdue: bool = False, since: str = "", until: str = "", limit: int = 50,
        before: str | None = None, client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """``{"interchanges": [...], "after"}``, newest first. ``direction`` is ``out`` or ``in``; ``key`` is the
        business key of a set (a purchase order number)."""
        asked = {
            "direction": direction, "partner": partner, "standard": standard, "state": state, "number": number,
            "key": key, "run": run, "since": since, "until": until, "overdue": overdue,
        }  # fmt: skip
        ledger = self._client(client).store.interchanges
        return listed(
            "interchanges", ledger.listed(**searched(interchange_search, asked), limit=limit, before=before)
        )

    def interchanges_show(self, interchange: str, *, client: str = "") -> dict[str, Any]:
        """With its ``sets``, their acknowledgements and faults, and ``steps`` (how far it has come).
        ``interchange`` is an id or a control number. Raises ``NotFound``, and
        ``Refused`` where several have that number."""
        store = self._client(client).store
        return interchange_view(store.interchanges.one(_meant(store, interchange)))

    def interchanges_raw(self, interchange: str, *, by: str, client: str = "") -> dict[str, Any]:
        """``{"bytes", "type"}``: base64, as they were sent or came. Of what may be about patients it is audited.
        Raises ``NotFound``, ``Refused``."""
        store = self._client(client).store
        id = _meant(store, interchange)
        content = BlobRef.model_validate(store.interchanges.one(id)["content"])
        blobs = store.blobs
        try:
            raw = blobs.read(content)
        except Misconfigured as error:
            raise NotFound(f"{error.message}: {error.next_action}") from error
        except VaultError as error:
            raise NotFound(str(error)) from error
        if isinstance(blobs, SealedBlobs) and blobs.personal(content.blob):
            store.audit(by, "raw.viewed", id)
        return {"bytes": base64.b64encode(raw).decode(), "type": content.type}

    def interchanges_numbers(self, *, limit: int = 100, client: str = "") -> dict[str, Any]:
        """As ``exchange_numbers.numbers``."""
        found: dict[str, Any] = plain(self._client(client).store.interchanges.numbers(limit))
        return found


def _meant(store: ClientStore, name: str) -> str:
    """The id. Raises ``NotFound``, and ``Refused`` where a control number is that of several."""
    rows = store.interchanges.listed(number=name, limit=_MOST_NAMED).rows
    if len(rows) > 1:
        several = ", ".join(f"{row['id']} ({row['direction']} {row['partner']})" for row in rows)
        raise Refused(f"several interchanges have the number {name}: name one of {several} by its id")
    return str(rows[0]["id"]) if rows else name
