"""Users and their passwords (argon2id); login names and mail addresses are compared case-folded."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import bindparam, delete, func, or_, select, update

from runtime.model.ids import new_id
from runtime.store import tables
from runtime.store.audit import write_audit
from runtime.store.bound import Bound
from runtime.store.shapes import dump, load
from runtime.store.statements import Backend, Statement, Tx, insert, word
from runtime.store.store import NotFound

_user, _audit, _session = tables.user, tables.audit, tables.session
_FAILURES, _WINDOW = 10, 15 * 60 * 1_000_000
_SHORTEST, _LONGEST = 8, 1024
_HASHER = PasswordHasher()

_COLUMNS = (_user.c.id, _user.c.login, _user.c.mail, _user.c.name, _user.c.roles, _user.c.disabled)
_ADD = insert(_user)
_BY_NAME = Statement(
    select(*_COLUMNS, _user.c.password)
    .where(
        _user.c.client == bindparam("client"),
        or_(_user.c.login_folded == bindparam("name"), _user.c.mail_folded == bindparam("name")),
    )
    .order_by(_user.c.id)
)
_BY_ID = Statement(select(*_COLUMNS).where(_user.c.client == bindparam("client"), _user.c.id == bindparam("id")))
_ALL = Statement(select(*_COLUMNS).where(_user.c.client == bindparam("client")).order_by(_user.c.login_folded))
_SET_PASSWORD = Statement(update(_user).where(_user.c.id == bindparam("of")).values(password=bindparam("password")))
_SET_DISABLED = Statement(update(_user).where(_user.c.id == bindparam("of")).values(disabled=bindparam("disabled")))
_SET_ROLES = Statement(update(_user).where(_user.c.id == bindparam("of")).values(roles=bindparam("roles")))
_END_SESSIONS = Statement(
    delete(_session).where(_session.c.client == bindparam("client"), _session.c.user == bindparam("of"))
)
_LAST_SUCCESS = (
    select(func.coalesce(func.max(_audit.c.seq), 0))
    .where(
        _audit.c.client == bindparam("client"),
        _audit.c.subject == bindparam("name"),
        _audit.c.at > bindparam("since"),
        _audit.c.action == word("login"),
    )
    .scalar_subquery()
)
_RECENT_FAILURES = Statement(
    select(func.count()).where(
        _audit.c.client == bindparam("client"),
        _audit.c.subject == bindparam("name"),
        _audit.c.at > bindparam("since"),
        _audit.c.action == word("login.failed"),
        _audit.c.seq > _LAST_SUCCESS,
    )
)


class AccessError(Exception):
    """A user, password or key that cannot be; the message says why and what to do."""


class LockedOut(AccessError):
    """Too many failures for this name; the right password is refused too until the time is over."""


@dataclass(frozen=True)
class User:
    id: str
    login: str
    mail: str
    name: str
    roles: tuple[str, ...]
    disabled: bool = False


def folded(name: str) -> str:
    """As names are compared: compatible Unicode forms and cases fall together (NFKC, then case folding)."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash that no password fits, verified for unknown users so that they take as long."""
    return hasher.hash(new_id())


def _read(id: str, login: str, mail: str, name: str, roles: str, disabled: int) -> User:
    return User(id, login, mail, name, tuple(load(roles)), bool(disabled))


def _checked(password: str) -> bytes:
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise AccessError(f"a password has {_SHORTEST} to {_LONGEST} characters, this one has {len(password)}")
    return password.encode()


class Users(Bound):
    """``hasher`` has argon2id with the parameters of RFC 9106 (low memory)."""

    def __init__(self, backend: Backend, client: str, hasher: PasswordHasher = _HASHER) -> None:
        super().__init__(backend, client)
        self._hasher = hasher

    def create(
        self, login: str, password: str, *, mail: str = "", name: str = "", roles: Sequence[str] = (), by: str = ""
    ) -> User:
        """Raises ``AccessError`` for a name or mail address that somebody has, and for a bad password."""
        if not folded(login):
            raise AccessError("a user needs a login name")
        user = User(new_id(), login.strip(), mail.strip(), name or login.strip(), tuple(roles))
        row: dict[str, Any] = {
            "id": user.id, "client": self.client, "login": user.login, "login_folded": folded(login),
            "mail": user.mail, "mail_folded": folded(mail), "name": user.name, "roles": dump(list(roles)),
            "password": self._hasher.hash(_checked(password)), "disabled": 0,
        }  # fmt: skip

        def unit(tx: Tx) -> None:
            for taken in filter(None, (row["login_folded"], row["mail_folded"])):
                if tx.one(_BY_NAME, {"client": self.client, "name": taken}) is not None:
                    raise AccessError(f"client {self.client} has a user {taken!r} already: choose another name")
            tx.run(_ADD, {**row, "created_at": tx.now})
            write_audit(
                tx, self.client, by or "orderly", "user.create", row["login_folded"], {"roles": list(roles)}
            )

        self._backend.transact(unit)
        return user

    def list(self) -> list[User]:
        """By login name."""
        return [_read(*row) for row in self._backend.read(lambda tx: tx.all(_ALL, {"client": self.client}))]

    def get(self, id: str) -> User:
        """Raises ``NotFound``."""
        row = self._backend.read(lambda tx: tx.one(_BY_ID, {"client": self.client, "id": id}))
        if row is None:
            raise NotFound(f"client {self.client} has no user with the id {id}")
        return _read(*row)

    def find(self, name: str) -> User:
        """By login name or mail address. Raises ``NotFound``."""
        return self._backend.read(lambda tx: self._find(tx, name))

    def set_password(self, name: str, password: str, *, by: str = "") -> None:
        """Ends the user's sessions. Raises ``NotFound``, ``AccessError``."""
        self._change(name, _SET_PASSWORD, {"password": self._hasher.hash(_checked(password))}, "user.password", by)

    def disable(self, name: str, *, by: str = "") -> None:
        """Ends the user's sessions; raises ``NotFound``."""
        self._change(name, _SET_DISABLED, {"disabled": 1}, "user.disable", by)

    def enable(self, name: str, *, by: str = "") -> None:
        """Raises ``NotFound``."""
        self._change(name, _SET_DISABLED, {"disabled": 0}, "user.enable", by)

    def set_roles(self, name: str, roles: Sequence[str], *, by: str = "") -> None:
        """Counts from the user's next request on. Raises ``NotFound``."""
        self._change(name, _SET_ROLES, {"roles": dump([*roles])}, "user.roles", by)

    def verify(self, name: str, password: str) -> User | None:
        """The user, or ``None`` for an unknown name, a wrong password, a disabled user: which, nobody can tell,
        not even by the time it takes. Raises ``LockedOut`` after ten failures within fifteen minutes."""
        key = folded(name)[:200]
        row = self._backend.read(lambda tx: self._candidate(tx, key))
        known = row is not None and not row[5]
        fits = self._fits(row[6] if row is not None else _nobody(self._hasher), password)
        user = _read(*row[:6]) if row is not None and known and fits else None
        self._backend.transact(lambda tx: self._count(tx, key, user))
        return user

    def _candidate(self, tx: Tx, key: str) -> tuple[Any, ...] | None:
        failures = tx.one(_RECENT_FAILURES, {"client": self.client, "name": key, "since": tx.now - _WINDOW})
        if failures is not None and failures[0] >= _FAILURES:
            raise LockedOut(
                f"{_FAILURES} wrong passwords for {key!r}: try again in {_WINDOW // 60_000_000} minutes"
            )
        return tx.one(_BY_NAME, {"client": self.client, "name": key})

    def _count(self, tx: Tx, key: str, user: User | None) -> None:
        action = "login" if user is not None else "login.failed"
        write_audit(tx, self.client, user.login if user is not None else "", action, key)

    def _find(self, tx: Tx, name: str) -> User:
        row = tx.one(_BY_NAME, {"client": self.client, "name": folded(name)}) if folded(name) else None
        if row is None:
            raise NotFound(f"client {self.client} has no user {name!r}: `orderly user list` shows those it has")
        return _read(*row[:6])

    def _change(self, name: str, statement: Statement, change: dict[str, Any], action: str, by: str) -> None:
        def unit(tx: Tx) -> None:
            user = self._find(tx, name)
            tx.run(statement, {"of": user.id, **change})
            if action in ("user.password", "user.disable"):
                tx.run(_END_SESSIONS, {"client": self.client, "of": user.id})
            write_audit(tx, self.client, by or "orderly", action, folded(user.login))

        self._backend.transact(unit)

    def _fits(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password[:_LONGEST].encode())
        except (VerifyMismatchError, InvalidHashError, UnicodeEncodeError):
            return False
