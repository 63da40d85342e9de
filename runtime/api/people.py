"""What waits for people, who they are, and the keys of systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.access import AccessError, Users, allowed
from runtime.api.assigning import Assigning
from runtime.api.desk import Desk, listed, searched
from runtime.engine.client import Client
from runtime.governance.approvals import decide, summary
from runtime.governance.roles import roles_of
from runtime.governance.searching import exception_search
from runtime.governance.views import exception_row, plain, run_row
from runtime.model.sought import Said
from runtime.store.store import NotFound, Refused


class Exceptions(Assigning):
    def exceptions_list(
        self, *, state: str = "open", key: str = "", flow: str = "", kind: str = "", owner: str = "",
        assignee: str = "", since: str = "", until: str = "", limit: int = 50, before: str | None = None,
        client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """``state`` is ``open``, ``resolved`` or empty for both; ``key`` is of the exception's run, or an id."""
        asked = {
            "state": state, "text": key, "flow": flow, "kind": kind, "owner": owner, "assignee": assignee,
            "since": since, "until": until,
        }  # fmt: skip
        store = self._client(client).store
        return listed(
            "exceptions", store.found_exceptions(searched(exception_search, asked), limit=limit, before=before)
        )

    def exceptions_show(self, id: str, *, client: str = "") -> dict[str, Any]:
        """Raises ``NotFound``."""
        store = self._client(client).store
        row = store.exception(id)
        run = run_row(store.run(row.run), store.keys_of([row.run])[row.run]) if row.run is not None else None
        return {**exception_row(row), "of_run": run, "repairs": plain(store.audit_of(id))}

    def exceptions_assign(
        self, id: str, assignee: str, *, by: str, note: str = "", client: str = ""
    ) -> dict[str, Any]:
        """Raises ``NotFound``, ``Refused``, ``ProblemError`` for somebody who is no user or is disabled."""
        owner = self._client(client)
        login, store = self._assignee(assignee, owner.id), owner.store
        store.assign(id, login, note, Said(by, "", {"assignee": login, "note": note}))
        return exception_row(store.exception(id))

    def exceptions_note(self, id: str, *, by: str, note: str, client: str = "") -> dict[str, Any]:
        """What somebody found out. Raises ``NotFound``, ``Refused``."""
        store = self._client(client).store
        if not note.strip():
            raise Refused("the note is empty; say what you found or did")
        store.assign(id, store.exception(id).assignee, note, Said(by, "", {"note": note}))
        return exception_row(store.exception(id))

    def exceptions_resolve(self, id: str, *, by: str, note: str, client: str = "") -> dict[str, Any]:
        """Raises ``NotFound``, ``Refused``."""
        store = self._client(client).store
        if not note.strip():
            raise Refused("say how it was settled; the reason is kept with the exception")
        store.resolve_exception(id, by, note, Said(by, note, {"note": note}))
        return exception_row(store.exception(id))


class Approvals(Desk):
    def approvals_list(
        self, *, state: str = "open", limit: int = 50, before: str | None = None, client: str = ""
    ) -> dict[str, Any]:
        page = self._client(client).store.approvals(state=state, limit=limit, before=before)
        return {"approvals": [summary(row) for row in page.rows], "after": page.after}

    def approvals_show(self, id: str, *, client: str = "") -> dict[str, Any]:
        """With the document to be decided. Raises ``NotFound``."""
        row = self._client(client).store.approval(id)
        return {**summary(row), "document": row.document}

    def approvals_decide(
        self, id: str, verdict: str, *, login: str, by: str, comment: str = "", client: str = ""
    ) -> dict[str, Any]:
        """The user's decision: ``approved`` or ``rejected``. Whoever runs the command line vouches for who the
        user is; the audit says that it came this way. Raises ``NotFound``, ``Refused``, ``NotEntitled``."""
        owner = self._client(client)
        user = self._services.access(owner.id).users.find(login)
        if user.disabled:
            raise AccessError(f"user {user.login} is disabled and decides nothing")
        decided = decide(owner.store, user, id, verdict, comment, None, self._services.store.now())
        owner.store.audit(by, "approval.by_command_line", id, {"user": user.login, "verdict": verdict})
        self._services.ring(decided.run)
        return {"approval": id, "run": decided.run, "state": decided.state, "user": user.login}


class People(Desk):
    def users_add(
        self, login: str, password: str, *, by: str, mail: str = "", name: str = "", roles: Sequence[str] = (),
        client: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """Raises ``AccessError``, also for a role that means nothing to the client."""
        known, all_known = roles_of(self._client(client))
        if all_known:
            for role in roles:
                _check_known("role", role, known)
        self._users(client).create(login, password, mail=mail, name=name, roles=roles, by=by)
        return self._user(login, client)

    def users_list(self, *, client: str = "") -> dict[str, Any]:
        return {"client": self._client(client).id, "users": plain(self._users(client).list())}

    def users_set_password(self, login: str, password: str, *, by: str, client: str = "") -> dict[str, Any]:
        """Ends the user's sessions. Raises ``NotFound``, ``AccessError``."""
        self._users(client).set_password(login, password, by=by)
        return self._user(login, client)

    def users_disable(self, login: str, *, by: str, client: str = "") -> dict[str, Any]:
        """Ends the user's sessions. Raises ``NotFound``."""
        self._users(client).disable(login, by=by)
        return self._user(login, client)

    def users_enable(self, login: str, *, by: str, client: str = "") -> dict[str, Any]:
        """Raises ``NotFound``."""
        self._users(client).enable(login, by=by)
        return self._user(login, client)

    def _user(self, login: str, client: str) -> dict[str, Any]:
        owner = self._client(client)
        return {"client": owner.id, **plain(self._services.access(owner.id).users.find(login))}

    def _users(self, client: str) -> Users:
        return self._services.access(self._client(client).id).users


def _scopes(client: Client) -> list[str]:
    """``hooks:FLOW`` of every flow that webhooks start, and of those that are out until their file is mended."""
    flows = [name for name, each in client.registry.releases.items() if each.flow.trigger.type == "webhook"]
    return [f"hooks:{name}" for name in sorted({*flows, *client.registry.out})]


def _check_known(what: str, name: str, known: Sequence[str]) -> None:
    """Raises ``AccessError`` that names those there are."""
    if name not in known:
        raise AccessError(f"there is no {what} {name!r}; there are: {', '.join(known)}")


class Keys(Desk):
    def keys_add(self, name: str, scopes: Sequence[str], *, by: str, client: str = "") -> dict[str, Any]:
        """With ``key``, which nobody can read again. Raises ``AccessError`` for a name in use and for a scope that
        opens nothing."""
        owner = self._client(client)
        opens = _scopes(owner)
        for scope in scopes:
            if not any(allowed([scope], each) for each in opens):
                _check_known("scope", scope, ["hooks:*", *opens])
        key, row = self._services.access(owner.id).api_keys.create(name, scopes, by=by)
        return {"client": owner.id, "key": key, **plain(row)}

    def keys_list(self, *, client: str = "") -> dict[str, Any]:
        owner = self._client(client)
        return {"client": owner.id, "keys": plain(self._services.access(owner.id).api_keys.list())}

    def keys_revoke(self, name: str, *, by: str, client: str = "") -> dict[str, Any]:
        """By name or id. Raises ``NotFound``."""
        owner = self._client(client)
        keys = self._services.access(owner.id).api_keys
        used = [key for key in keys.list() if key.revoked_at is None and name in (key.name, key.id)]
        if not used:
            raise NotFound(
                f"client {owner.id} has no API key {name!r} that is in use: `orderly key list` shows them"
            )
        keys.revoke(used[0].id, by=by)
        return {"client": owner.id, "id": used[0].id, "name": used[0].name, "revoked": True}
