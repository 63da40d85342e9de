"""API keys: random, shown once, stored as SHA-256, named, with scopes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update

from runtime.access.sessions import hashed
from runtime.access.users import AccessError
from runtime.model.ids import new_id
from runtime.store import tables
from runtime.store.audit import write_audit
from runtime.store.bound import Bound
from runtime.store.shapes import dump, instant, load
from runtime.store.statements import Row, Statement, Tx, insert
from runtime.store.store import NotFound

_key = tables.api_key
_COLUMNS = (_key.c.id, _key.c.name, _key.c.scopes, _key.c.created_at, _key.c.revoked_at)
_MINE = _key.c.client == bindparam("client")
_ADD = insert(_key)
_FIND = Statement(select(*_COLUMNS).where(_MINE, _key.c.key_hash == bindparam("hash"), _key.c.revoked_at.is_(None)))
_NAMED = Statement(select(_key.c.id).where(_MINE, _key.c.name == bindparam("name"), _key.c.revoked_at.is_(None)))
_ALL = Statement(select(*_COLUMNS).where(_MINE).order_by(_key.c.id))
_REVOKE = Statement(
    update(_key)
    .where(_key.c.client == bindparam("of_client"), _key.c.id == bindparam("of"), _key.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


class KeyRefused(Exception):
    """Why nobody is let in; for the log, not for whoever sent the key. Never the key itself."""


@dataclass(frozen=True)
class ApiKey:
    """Never the key itself."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None

    def allows(self, scope: str) -> bool:
        return allowed(self.scopes, scope)


def allowed(held: Iterable[str], scope: str) -> bool:
    """Whether one of those held opens it; one that ends in ``*`` opens what begins like it."""
    return any(scope.startswith(each[:-1]) if each.endswith("*") else scope == each for each in held)


def _read(row: Row) -> ApiKey:
    revoked = None if row[4] is None else instant(row[4])
    return ApiKey(row[0], row[1], tuple(load(row[2])), instant(row[3]), revoked)


class ApiKeys(Bound):
    def create(self, name: str, scopes: Sequence[str], *, by: str = "") -> tuple[str, ApiKey]:
        """The key, which nobody can read again, and its row. Raises ``AccessError`` for a name in use."""
        key, id = f"orderly_{secrets.token_urlsafe(32)}", new_id()
        row = {"id": id, "client": self.client, "name": name, "key_hash": hashed(key), "scopes": dump(list(scopes))}

        def unit(tx: Tx) -> ApiKey:
            if tx.one(_NAMED, {"client": self.client, "name": name}) is not None:
                raise AccessError(f"client {self.client} has an API key {name!r}: revoke it or choose another name")
            tx.run(_ADD, {**row, "created_at": tx.now, "revoked_at": None})
            write_audit(tx, self.client, by or "orderly", "api_key.create", name, {"scopes": list(scopes)})
            return ApiKey(id, name, tuple(scopes), instant(tx.now))

        return key, self._backend.transact(unit)

    def find(self, key: str) -> ApiKey | None:
        """``None`` for one that is unknown or revoked."""
        at = {"client": self.client, "hash": hashed(key)}
        row = self._backend.read(lambda tx: tx.one(_FIND, at))
        return None if row is None else _read(row)

    def verify(self, key: str, scope: str) -> str:
        """The name of a key that is in use and allows the scope. Raises ``KeyRefused``."""
        if not key:
            raise KeyRefused("no API key came")
        found = self.find(key)
        if found is None:
            raise KeyRefused("the API key is unknown or revoked")
        if not found.allows(scope):
            raise KeyRefused(f"the API key {found.name} does not open {scope}")
        return found.name

    def list(self) -> list[ApiKey]:
        """Oldest first, revoked ones too."""
        return [_read(row) for row in self._backend.read(lambda tx: tx.all(_ALL, {"client": self.client}))]

    def revoke(self, id: str, *, by: str = "") -> None:
        """Raises ``NotFound`` for one that is unknown or revoked."""

        def unit(tx: Tx) -> None:
            if not tx.run(_REVOKE, {"of_client": self.client, "of": id, "now": tx.now}):
                raise NotFound(f"client {self.client} has no API key {id} that is in use")
            write_audit(tx, self.client, by or "orderly", "api_key.revoke", id)

        self._backend.transact(unit)
