"""What the parts of the control API share: the services, and the client that is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from runtime.api.problem import ProblemError, problem
from runtime.engine.client import Client
from runtime.governance.searching import BadSearch
from runtime.governance.views import plain
from runtime.services import Services
from runtime.store.store import Page

T = TypeVar("T")


class Desk:
    def __init__(self, services: Services) -> None:
        self._services = services

    def _client(self, name: str) -> Client:
        """Raises ``Misconfigured`` for an unknown one, or for none where several are served."""
        return self._services.only_client(name or None)


def listed(name: str, page: Page) -> dict[str, Any]:
    """``{name: rows, "after": …}``: hand ``after`` on as ``before`` for the next page."""
    return {name: [plain(row) for row in page.rows], "after": page.after}


def searched(read: Callable[..., T], *given: Any) -> T:
    """What is looked for. Raises ``ProblemError`` for what cannot be."""
    try:
        return read(*given)
    except BadSearch as error:
        kind = "bad_state" if error.field in ("state", "states") else "bad_search"
        raise ProblemError(
            problem(400, "This cannot be searched for", str(error), kind, field=error.field)
        ) from error
