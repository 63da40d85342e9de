"""Who did what to which: only ever added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, bindparam, select

from runtime.model.sought import Said
from runtime.store import tables
from runtime.store.bound import Bound
from runtime.store.shapes import dump, instant, load, micros
from runtime.store.statements import Statement, Tx, insert

_audit = tables.audit
_WRITE = insert(_audit, omit=["seq"])
_ENTRY = select(_audit.c.at, _audit.c.actor, _audit.c.action, _audit.c.subject, _audit.c.details)
_OF = Statement(
    _ENTRY.where(_audit.c.client == bindparam("client"), _audit.c.subject == bindparam("subject"))
    .order_by(_audit.c.at.desc(), _audit.c.seq.desc())
    .limit(bindparam("most", type_=Integer))
)


def write_audit(
    tx: Tx, client: str, actor: str, action: str, subject: str, details: Mapping[str, Any] | None = None
) -> None:
    """For units that change something a person did: the entry shares their commit."""
    row = {"client": client, "at": tx.now, "actor": actor, "action": action, "subject": subject}
    tx.run(_WRITE, {**row, "details": dump(details)})


def keep(tx: Tx, client: str, said: Said | None, action: str, subject: str) -> None:
    """What a person did and why; nothing where nobody says it."""
    if said is not None:
        write_audit(tx, client, said.by, action, subject, said.details)


class Audit(Bound):
    def audit(self, actor: str, action: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
        self._backend.transact(lambda tx: write_audit(tx, self.client, actor, action, subject, details))

    def audit_trail(
        self, limit: int = 100, *, since: datetime | None = None, until: datetime | None = None, **holds: str
    ) -> Sequence[Mapping[str, Any]]:
        """Newest first: ``{"at", "actor", "action", "subject", "details"}``. ``holds`` are ``actor``, ``action``
        and ``subject``, whole; what is empty holds for all. ``since`` is inclusive, ``until`` exclusive."""
        query = _ENTRY.where(_audit.c.client == bindparam("client"))
        for name, value in holds.items():
            query = query.where(_audit.c[name] == value) if value else query
        if since is not None:
            query = query.where(_audit.c.at >= micros(since))
        if until is not None:
            query = query.where(_audit.c.at < micros(until))
        statement = Statement(query.order_by(_audit.c.seq.desc()).limit(bindparam("most", type_=Integer)))
        return self._read(statement, {"most": limit})

    def audit_of(self, subject: str, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """What was done to one run, exception or connection, newest first; rows as ``audit_trail``."""
        return self._read(_OF, {"most": limit, "subject": subject})

    def _read(self, statement: Statement, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        rows = self._backend.read(lambda tx: tx.all(statement, {**parameters, "client": self.client}))
        return [
            {"at": instant(at), "actor": actor, "action": action, "subject": subject, "details": load(details)}
            for at, actor, action, subject, details in rows
        ]
