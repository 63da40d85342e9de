"""What the parts of the control API share: the services, and the client that is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from runtime.api.problem import ProblemError, problem
from runtime.engine.client import Client
from runtime.governance.searching import BadSearch
from runtime.governance.views import plain
from runtime.model.run import Run
from runtime.services import Services
from runtime.store.store import ClientStore, Page, Refused

T = TypeVar("T")
#: How many runs one business key, or one beginning of an id, may mean.
_MOST_MEANT = 50
_ID_LENGTH = 26
_SHORTEST_BEGINNING = 4


class Desk:
    def __init__(self, services: Services) -> None:
        self._services = services

    def _client(self, name: str) -> Client:
        """Raises ``Misconfigured`` for an unknown one, or for none where several are served."""
        return self._services.only_client(name or None)

    def _run(self, client: Client, name: str) -> str:
        """The one run that is meant by an id, the beginning of one, or the value of a business key. Raises
        ``NotFound``, and ``Refused`` where several are."""
        found = meant(client.store, name)
        if len(found) > 1:
            several = ", ".join(f"{run.id} of {run.flow} ({run.state})" for run in found[:10])
            raise Refused(f"{name} means {len(found)} runs, type the id of one in its place: {several}")
        return found[0].id


def meant(store: ClientStore, name: str) -> list[Run]:
    """The run of that id, else those of that business key, else those whose id begins so; newest first. Raises
    ``NotFound``."""
    rows = list(store.runs(key=name, limit=_MOST_MEANT).rows)
    exact = [row for row in rows if row.id == name]
    if exact or rows:
        return exact or rows
    begins = name.lower()
    if len(begins) >= _SHORTEST_BEGINNING:
        beyond = begins + "z" * (_ID_LENGTH + 1 - len(begins))
        after = store.runs(before=beyond, limit=_MOST_MEANT).rows
        rows = [row for row in after if row.id.startswith(begins)]
    return rows or [store.run(name)]


def listed(name: str, page: Page) -> dict[str, Any]:
    """``{name: rows, "after": …}``: hand ``after`` on as ``before`` for the next page."""
    return {name: [plain(row) for row in page.rows], "after": page.after}


def searched(read: Callable[..., T], *given: Any, title: str = "This cannot be searched for") -> T:
    """What is looked for, or a time that was typed. Raises ``ProblemError`` for what cannot be."""
    try:
        return read(*given)
    except BadSearch as error:
        kind = "bad_state" if error.field in ("state", "states") else "bad_search"
        raise ProblemError(problem(400, title, str(error), kind, field=error.field)) from error
