"""The audit trail: who did what to which."""

from __future__ import annotations

from typing import Any

from runtime.api.desk import Desk, searched
from runtime.governance.searching import moment
from runtime.governance.views import plain


class Auditing(Desk):
    def audit_list(
        self, *, action: str = "", actor: str = "", subject: str = "", since: str = "", until: str = "",
        limit: int = 50, client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """``{"entries": [{"at", "actor", "action", "subject", "details"}]}``, newest first. ``raw.viewed`` is the
        action of whoever took away bytes that may be about patients. Raises ``ProblemError`` for a time that is
        none."""
        found = self._client(client).store.audit_trail(
            limit, since=searched(moment, "since", since), until=searched(moment, "until", until),
            action=action, actor=actor, subject=subject,
        )  # fmt: skip
        return {"entries": [plain(row) for row in found]}
