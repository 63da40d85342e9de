"""What waits for people: exceptions with their owners, approvals with their decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, select, update

from runtime.model.ids import new_id
from runtime.model.run import ApprovalRow, ExceptionRow
from runtime.model.sought import Said
from runtime.store import creation, tables
from runtime.store.audit import keep
from runtime.store.bound import Bound, listed, page
from runtime.store.commits import EXCEPTION_ROW
from runtime.store.references import REFERENCE
from runtime.store.shapes import APPROVAL, EXCEPTION, dump, instant, load
from runtime.store.signals import signal
from runtime.store.statements import Statement, Tx, word
from runtime.store.store import Judge, NotFound, Page, Refused

_exception, _approval = tables.exception, tables.approval
_ONE_EXCEPTION = Statement(
    select(*EXCEPTION.columns).where(_exception.c.client == bindparam("client"), _exception.c.id == bindparam("id"))
)
_ONE_APPROVAL = Statement(
    select(*APPROVAL.columns).where(_approval.c.client == bindparam("client"), _approval.c.id == bindparam("id"))
)
_APPROVAL_TO_DECIDE = Statement(
    select(*APPROVAL.columns)
    .where(_approval.c.client == bindparam("client"), _approval.c.id == bindparam("id"))
    .with_for_update()
)
_OF_THESE_BYTES = Statement(
    select(_exception.c.id, _exception.c.details)
    .join_from(tables.blob_reference, _exception, _exception.c.id == tables.blob_reference.c.owner)
    .where(
        tables.blob_reference.c.client == bindparam("client"),
        tables.blob_reference.c.blob == bindparam("blob"),
        tables.blob_reference.c.kind == word("exception"),
        _exception.c.flow == bindparam("flow"),
        _exception.c.kind == bindparam("kind"),
        _exception.c.state == word("open"),
    )
)
_ASSIGN = Statement(
    update(_exception)
    .where(_exception.c.id == bindparam("of"), _exception.c.state == word("open"))
    .values(assignee=bindparam("assignee"), note=bindparam("words"))
)
_RESOLVE = Statement(
    update(_exception)
    .where(_exception.c.id == bindparam("of"), _exception.c.state == word("open"))
    .values(
        state=word("resolved"), resolved_at=bindparam("now"), resolved_by=bindparam("by"), note=bindparam("words")
    )
)  # fmt: skip
_DECIDE = Statement(
    update(_approval)
    .where(_approval.c.id == bindparam("of"), _approval.c.state == word("open"))
    .values(state=bindparam("to_state"), decisions=bindparam("decisions"), decided_at=bindparam("decided_at"))
)
_EXPIRE = Statement(
    update(_approval)
    .where(_approval.c.state == word("open"), _approval.c.due_at <= bindparam("now"))
    .values(state=word("expired"), decided_at=bindparam("now"))
    .returning(_approval.c.run)
)


def expire(tx: Tx) -> None:
    """Approvals that nobody decided in time; the runs that asked for them go on."""
    signal(tx, [row[0] for row in tx.all(_EXPIRE, {"now": tx.now})])


def write_exception(tx: Tx, client: str, row: ExceptionRow) -> str:
    id = row.id or new_id()
    written = EXCEPTION.write(row, client=client, id=id)
    tx.run(EXCEPTION_ROW, {**written, "at": written["at"] or tx.now})
    if row.raw is not None:
        tx.run(REFERENCE, {"client": client, "blob": row.raw, "kind": "exception", "owner": id})
    return id


def _exception_of(tx: Tx, client: str, id: str) -> ExceptionRow:
    row = tx.one(_ONE_EXCEPTION, {"client": client, "id": id})
    if row is None:
        raise NotFound(f"client {client} has no exception {id}")
    return EXCEPTION.read(row)


def _approval_of(tx: Tx, client: str, id: str, statement: Statement = _ONE_APPROVAL) -> ApprovalRow:
    row = tx.one(statement, {"client": client, "id": id})
    if row is None:
        raise NotFound(f"client {client} has no approval {id}")
    return APPROVAL.read(row)


def _open_already(tx: Tx, client: str, row: ExceptionRow) -> str | None:
    """The exception that the same message of the same sender made when it came before, while that is open."""
    identity = (row.details or {}).get("identity")
    if row.raw is None or not identity:
        return None
    of = {"client": client, "blob": row.raw, "flow": row.flow, "kind": row.kind}
    known = tx.all(_OF_THESE_BYTES, of)
    return next((id for id, details in known if (load(details) or {}).get("identity") == identity), None)


class Exceptions(Bound):
    def raise_exception(self, row: ExceptionRow, cursor: Any = None) -> str:
        come_to = creation.cursor_row(self.client, row.flow or "", cursor)

        def unit(tx: Tx) -> str:
            creation.put_cursor(tx, come_to)
            return _open_already(tx, self.client, row) or write_exception(tx, self.client, row)

        return self._backend.transact(unit)

    def exceptions(self, *, state: str = "open", limit: int = 50, before: str | None = None) -> Page:
        query = select(*EXCEPTION.columns)
        if state:
            query = query.where(_exception.c.state == state)
        statement = listed(query, _exception, self.client, before, limit)
        found = self._backend.read(lambda tx: tx.all(statement))
        return page([EXCEPTION.read(row) for row in found], limit)

    def exception(self, id: str) -> ExceptionRow:
        return self._backend.read(lambda tx: _exception_of(tx, self.client, id))

    def assign(self, id: str, assignee: str, note: str = "", said: Said | None = None) -> None:
        """Raises ``NotFound``, and ``Refused`` where it is resolved. An empty note leaves the old one."""

        def unit(tx: Tx) -> None:
            known = _exception_of(tx, self.client, id)
            if not tx.run(_ASSIGN, {"of": id, "assignee": assignee, "words": note or known.note}):
                raise Refused(f"exception {id} is {known.state}, by {known.resolved_by}: there is nothing to do")
            action = "assigned" if assignee != known.assignee else "noted"
            keep(tx, self.client, said, f"exception.{action}", id)

        self._backend.transact(unit)

    def resolve_exception(self, id: str, by: str, note: str, said: Said | None = None) -> None:
        """Raises ``NotFound``, and ``Refused`` where it is resolved already."""

        def unit(tx: Tx) -> None:
            known = _exception_of(tx, self.client, id)
            if not tx.run(_RESOLVE, {"of": id, "now": tx.now, "by": by, "words": note}):
                raise Refused(f"exception {id} is {known.state} already, by {known.resolved_by}")
            keep(tx, self.client, said, "exception.resolved", id)

        self._backend.transact(unit)


class Approvals(Bound):
    def approvals(self, *, state: str = "open", limit: int = 50, before: str | None = None) -> Page:
        query = select(*APPROVAL.columns)
        if state:
            query = query.where(_approval.c.state == state)
        statement = listed(query, _approval, self.client, before, limit)
        found = self._backend.read(lambda tx: tx.all(statement))
        return page([APPROVAL.read(row) for row in found], limit)

    def approval(self, id: str) -> ApprovalRow:
        return self._backend.read(lambda tx: _approval_of(tx, self.client, id))

    def decide(self, id: str, judge: Judge, said: Said | None = None, action: str = "") -> ApprovalRow:
        return self._backend.transact(lambda tx: self._decide(tx, id, judge, said, action))

    def _decide(self, tx: Tx, id: str, judge: Judge, said: Said | None, action: str) -> ApprovalRow:
        known = _approval_of(tx, self.client, id, _APPROVAL_TO_DECIDE)
        if known.state != "open":
            raise Refused(f"approval {id} is {known.state} already: nothing is left to decide")
        decision, state = judge(known)
        decisions = (*known.decisions, dict(decision))
        decided_at = None if state == "open" else tx.now
        tx.run(_DECIDE, {"of": id, "to_state": state, "decisions": dump(decisions), "decided_at": decided_at})
        if state != "open":
            signal(tx, [known.run])
        if said is not None:
            keep(tx, self.client, replace(said, more={**said.more, "state": state}), action, id)
        return replace(
            known, state=state, decisions=decisions, decided_at=None if decided_at is None else instant(decided_at)
        )
