"""Which role may do what in repair: the one declaration, for whatever door people come in by.

Deciding an approval is not here: its policy names the role. The command line is an operator's: whoever may open the
server's socket, or its store, is the user that runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runtime.access import User
from runtime.engine.client import Client
from runtime.governance.approvals import NotEntitled
from runtime.mapping import is_expression
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
    "batch.send": _REPAIR,
    "node.settle": _REPAIR,
    "exception.assign": _REPAIR,
    "exception.resolve": _REPAIR,
}


def roles_of(client: Client) -> tuple[list[str], bool]:
    """The roles that mean something to the client: who may repair, who approves by a policy, who owns what a flow
    raises or a fault names. And whether that is all: an owner may also be computed."""
    pack = client.pack
    flows = [release.flow.model_dump(by_alias=True) for release in client.registry.releases.values()]
    faults = [file.model_dump() for file in pack.connections.sound().values()]
    named = {*_named([flows, faults, list(pack.policies.sound().values()), list(pack.partners.sound().values())])}
    fixed = {role for roles in ROLES.values() for role in roles}
    return sorted(fixed | {role for role in named if not is_expression(role)}), not any(map(is_expression, named))


def _named(value: Any) -> Iterator[str]:
    """What stands under ``owner`` and ``role``, anywhere."""
    if isinstance(value, list):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, dict):
        yield from (said for key in ("owner", "role") if isinstance(said := value.get(key), str) and said)
        for inner in value.values():
            yield from _named(inner)


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
