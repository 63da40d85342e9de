"""Which role may do what in repair: the one declaration, for whatever door people come in by.

Deciding an approval is not here: its policy names the role. The command line is an operator's: whoever may open the
server's socket, or its store, is the user that runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runtime.access import User
from runtime.governance.approvals import NotEntitled
from runtime.store.store import ClientStore

OPERATOR: Final = "operator"
_REPAIR: Final = frozenset({OPERATOR, "procurement_manager"})

#: Roles by action; one of them is enough.
ROLES: Final[Mapping[str, frozenset[str]]] = {
    "run.redrive": _REPAIR,
    "run.reprocess": _REPAIR,
    "run.cancel": _REPAIR,
    "run.step_aside": _REPAIR,
    "run.assign": _REPAIR,
    "connection.pause": frozenset({OPERATOR}),
    "connection.resume": frozenset({OPERATOR}),
    "node.settle": _REPAIR,
    "exception.assign": _REPAIR,
    "exception.resolve": _REPAIR,
}


def may(user: User, action: str, owner: str = "") -> bool:
    """``owner`` is the role that the thing belongs to, such as an exception's: it is enough, too."""
    return not ({*ROLES[action], owner} - {""}).isdisjoint(user.roles)


def check_may(store: ClientStore, user: User, action: str, subject: str, owner: str = "") -> None:
    """Raises ``NotEntitled``; a refused try is audited."""
    if may(user, action, owner):
        return
    store.audit(user.login, f"{action}.refused", subject, {"why": "role_missing"})
    needed = ", ".join(sorted({*ROLES[action], owner} - {""}))
    raise NotEntitled("role_missing", f"{user.login} holds none of the roles that this needs: {needed}")
