"""Who can be given something to work on."""

from __future__ import annotations

from runtime.api.desk import Desk
from runtime.api.problem import ProblemError, problem
from runtime.model.lints.finding import did_you_mean
from runtime.store.store import NotFound


class Assigning(Desk):
    def _assignee(self, name: str, client: str) -> str:
        """The login. Raises ``ProblemError`` for somebody who is no user or is disabled."""
        users = self._services.access(client).users
        known = [user.login for user in users.list() if not user.disabled]
        try:
            found = users.find(name)
        except NotFound as error:
            advice = did_you_mean(name, known) or "add somebody with `orderly user add`"
            raise ProblemError(
                problem(422, "Nobody can take it", str(error), "unknown_user", next_action=advice)
            ) from error
        if found.disabled:
            advice = f"assign it to one of {', '.join(known)}" if known else "add somebody with `orderly user add`"
            detail = f"user {found.login} is disabled"
            raise ProblemError(problem(422, "Nobody can take it", detail, "disabled_user", next_action=advice))
        return found.login
