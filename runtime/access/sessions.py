"""Sessions: a random token in the cookie, its SHA-256 in the row, eight hours from the last use."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from runtime.access.users import User
from runtime.store import tables
from runtime.store.bound import Bound
from runtime.store.shapes import instant, load
from runtime.store.statements import Statement, Tx, insert

_session, _user = tables.session, tables.user
_LIFE = 8 * 3600 * 1_000_000
_STEP = 5 * 60 * 1_000_000

_OPEN = insert(_session)
_FIND = Statement(
    select(
        _session.c.expires_at,
        _user.c.id,
        _user.c.login,
        _user.c.mail,
        _user.c.name,
        _user.c.roles,
        _user.c.disabled,
    )
    .join_from(_session, _user, (_user.c.id == _session.c.user) & (_user.c.client == _session.c.client))
    .where(
        _session.c.token_hash == bindparam("hash"),
        _session.c.client == bindparam("client"),
        _session.c.expires_at > bindparam("now"),
    )
)
_SLIDE = Statement(
    update(_session).where(_session.c.token_hash == bindparam("of")).values(expires_at=bindparam("expires_at"))
)
_REVOKE = Statement(
    delete(_session).where(_session.c.token_hash == bindparam("hash"), _session.c.client == bindparam("client"))
)
_SWEEP = Statement(
    delete(_session).where(_session.c.client == bindparam("client"), _session.c.expires_at <= bindparam("now"))
)


@dataclass(frozen=True)
class Session:
    user: User
    expires_at: datetime


def hashed(token: str) -> str:
    """SHA-256 in hex: enough for what is random. Whatever a request carries has one."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def csrf_token(token: str) -> str:
    """What a form of this session carries: it proves the session and does not reveal it."""
    return hmac.new(token.encode(errors="surrogatepass"), b"orderly csrf", hashlib.sha256).hexdigest()


def csrf_holds(token: str, given: str) -> bool:
    return hmac.compare_digest(csrf_token(token).encode(), given.encode(errors="surrogatepass"))


class Sessions(Bound):
    def open(self, user: User) -> str:
        """The token for the cookie; it is nowhere stored. Expired sessions of the client are removed."""
        token = secrets.token_urlsafe(32)
        row = {"token_hash": hashed(token), "client": self.client, "user": user.id}

        def unit(tx: Tx) -> None:
            tx.run(_SWEEP, {"client": self.client, "now": tx.now})
            tx.run(_OPEN, {**row, "created_at": tx.now, "expires_at": tx.now + _LIFE})

        self._backend.transact(unit)
        return token

    def find(self, token: str) -> Session | None:
        """``None`` for an unknown, expired or revoked one, and for a disabled user. A use moves the end on, at
        most once in five minutes."""
        hash = hashed(token)

        def query(tx: Tx) -> tuple[Session | None, bool]:
            row = tx.one(_FIND, {"hash": hash, "client": self.client, "now": tx.now})
            if row is None or row[6]:
                return None, False
            id, login, mail, name, roles = row[1:6]
            user = User(id, login, mail, name, tuple(load(roles)))
            return Session(user, instant(row[0])), row[0] < tx.now + _LIFE - _STEP

        session, old = self._backend.read(query)
        if old:
            self._backend.transact(
                lambda tx: tx.run(_SLIDE, {"of": hash, "expires_at": tx.now + _LIFE}), durable=False
            )
        return session

    def revoke(self, token: str) -> None:
        self._backend.transact(lambda tx: tx.run(_REVOKE, {"hash": hashed(token), "client": self.client}))
