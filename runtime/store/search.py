"""Runs and exceptions that people look for, page by page: state, flow, key, identity and id by their indexes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from runtime.model.sought import Sought
from runtime.store import tables
from runtime.store.bound import Bound, listed, page
from runtime.store.shapes import EXCEPTION, RUN_COLUMNS, load, micros, read_run
from runtime.store.statements import Statement, word
from runtime.store.store import Page

_run, _exception, _key, _identity = tables.run, tables.exception, tables.business_key, tables.identity
_outcome, _audit = tables.outcome, tables.audit
_later = _run.alias("later")
_FAILED = [word("dead"), word("exception")]
_HELD = Statement(
    select(_run.c.held_by, func.count())
    .where(_run.c.client == bindparam("client"), _run.c.state == word("held"))
    .group_by(_run.c.held_by)
)
_WAITING = Statement(
    select(_run.c.held_by, func.count())
    .where(_run.c.client == bindparam("client"), _run.c.state == word("waiting"), _run.c.held_by != word(""))
    .group_by(_run.c.held_by)
)
_AHEAD = Statement(
    select(_run.c.id)
    .where(
        _run.c.client == bindparam("client"), _run.c.flow == bindparam("flow"),
        _run.c.order_key == bindparam("order_key"), _run.c.id < bindparam("id"), _run.c.finished_at.is_(None),
    )
    .order_by(_run.c.id.desc())
    .limit(1)
)  # fmt: skip
#: Whose turn it is, where that is a later run: one that was reprocessed.
_HEAD = Statement(
    select(_run.c.id)
    .where(
        _run.c.client == bindparam("client"), _run.c.flow == bindparam("flow"),
        _run.c.order_key == bindparam("order_key"), _run.c.id != bindparam("id"), _run.c.finished_at.is_(None),
        _run.c.held_by != word("order"),
    )
    .order_by(_run.c.id)
    .limit(1)
)  # fmt: skip
_SUCCESSORS = Statement(
    select(*RUN_COLUMNS)
    .where(_run.c.client == bindparam("client"), _run.c.reprocess_of == bindparam("run"))
    .order_by(_run.c.id)
)


class Search(Bound):
    def found_runs(self, sought: Sought, *, limit: int = 50, before: str | None = None) -> Page:
        """Newest first."""
        query = select(*RUN_COLUMNS).where(*_times(sought, _run.c.created_at))
        if sought.states:
            query = query.where(_run.c.state.in_([str(state) for state in sought.states]))
        if sought.flows:
            query = query.where(_run.c.flow.in_(sought.flows))
        if sought.left_alone:
            query = query.where(~exists(select(_later.c.id).where(_later.c.reprocess_of == _run.c.id)))
        if sought.kind:
            query = query.where(_failed_as(sought.kind))
        if sought.text:
            query = query.where(_run.c.id.in_(_meant(self.client, sought, _run)))
        found = self._backend.read(lambda tx: tx.all(listed(query, _run, self.client, before, limit)))
        return page([read_run(row) for row in found], limit)

    def found_exceptions(self, sought: Sought, *, limit: int = 50, before: str | None = None) -> Page:
        """Newest first."""
        query = select(*EXCEPTION.columns).where(*_times(sought, _exception.c.at))
        for column in (_exception.c.state, _exception.c.kind, _exception.c.owner, _exception.c.assignee):
            if value := getattr(sought, column.name):
                query = query.where(column == value)
        if sought.flows:
            query = query.where(_exception.c.flow.in_(sought.flows))
        if sought.text:
            runs = _meant(self.client, sought, _run)
            mine = _named(_exception, self.client, sought.text)
            query = query.where(or_(_exception.c.run.in_(runs), _exception.c.id.in_(mine)))
        found = self._backend.read(lambda tx: tx.all(listed(query, _exception, self.client, before, limit)))
        return page([EXCEPTION.read(row) for row in found], limit)

    def held(self) -> Mapping[str, int]:
        """How many runs each holder keeps (``connection:<name>``, ``order``, ``restore``), those that wait for it
        to let them go by themselves included."""

        def counts(tx: Any) -> dict[str, int]:
            found: dict[str, int] = {}
            for statement in (_HELD, _WAITING):
                for holder, count in tx.all(statement, {"client": self.client}):
                    found[holder] = found.get(holder, 0) + count
            return found

        return self._backend.read(counts)

    def ahead_of(self, flow: str, order_key: str, run: str) -> str | None:
        """The run of the same key that this one stands behind, ``None`` at the head."""
        at = {"client": self.client, "flow": flow, "order_key": order_key, "id": run}
        row = self._backend.read(lambda tx: tx.one(_AHEAD, at) or tx.one(_HEAD, at))
        return None if row is None else str(row[0])

    def successors(self, run: str) -> Sequence[Any]:
        """The runs that this one was reprocessed as: none, or one."""
        at = {"client": self.client, "run": run}
        return [read_run(row) for row in self._backend.read(lambda tx: tx.all(_SUCCESSORS, at))]

    def failures(self, runs: Sequence[str]) -> Mapping[str, str]:
        """Of what kind each run's failure is: that of its exception, else the type of its error; of runs that no
        node of which failed, nothing."""
        query = (
            select(_outcome.c.run, _outcome.c.error)
            .where(_outcome.c.run.in_(list(runs)), _outcome.c.state.in_(_FAILED), _outcome.c.client == self.client)
            .order_by(_outcome.c.finished_at.desc())
        )
        rows = self._backend.read(lambda tx: tx.all(Statement(query)))
        told = ((run, load(error) or {}) for run, error in rows)
        return {run: error.get("kind") or error.get("type", "") for run, error in told}

    def assignees(self, runs: Sequence[str]) -> Mapping[str, str]:
        """Who was last given each run; runs that nobody was given are left out."""
        query = (
            select(_audit.c.subject, _audit.c.details)
            .where(
                _audit.c.client == self.client, _audit.c.subject.in_(list(runs)), _audit.c.action == "run.assigned"
            )
            .order_by(_audit.c.seq)
        )  # fmt: skip
        rows = self._backend.read(lambda tx: tx.all(Statement(query)))
        found = {subject: (load(details) or {}).get("assignee", "") for subject, details in rows}
        return {run: login for run, login in found.items() if login}


def _times(sought: Sought, column: Any) -> list[ColumnElement[bool]]:
    bounds = []
    if sought.since is not None:
        bounds.append(column >= micros(sought.since))
    if sought.until is not None:
        bounds.append(column < micros(sought.until))
    return bounds


def _failed_as(kind: str) -> ColumnElement[bool]:
    """A node failed with an error of that type, which is what its JSON begins with, or of that kind."""
    said = json.dumps(kind)
    error = _outcome.c.error
    of_kind = error.contains(f'"kind":{said}', autoescape=True)
    return exists(
        select(_outcome.c.run).where(
            _outcome.c.run == _run.c.id, _outcome.c.state.in_(_FAILED),
            or_(error.startswith(f'{{"type":{said}', autoescape=True), of_kind),
        )
    )  # fmt: skip


def _meant(client: str, sought: Sought, run: Table) -> Any:
    """Ids of the runs that have the text as a key, as their identity or as their id."""
    text = sought.text
    keyed = select(_key.c.run).where(_key.c.client == client, _begins(_key.c.value, text))
    asked = [keyed, _named(run, client, text)]
    if not text.endswith("*"):
        flows: Any = sought.flows or _flows(client)
        asked.append(
            select(_identity.c.run).where(
                _identity.c.client == client, _identity.c.flow.in_(flows), _identity.c.identity == text
            )
        )
    return union_all(*asked).subquery().select()


def _flows(client: str) -> Any:
    """Each flow that has identities, by one step in the index a flow, however many identities there are."""

    def least(*more: ColumnElement[bool]) -> Any:
        return select(func.min(_identity.c.flow).label("flow")).where(_identity.c.client == client, *more)

    known = least().cte("known", recursive=True)
    following = least(_identity.c.flow > known.c.flow).scalar_subquery()
    known = known.union_all(select(following).where(known.c.flow.is_not(None)))
    return select(known.c.flow).where(known.c.flow.is_not(None))


def _named(table: Table, client: str, text: str) -> Select[Any]:
    return select(table.c.id).where(table.c.client == client, _begins(table.c.id, text.lower()))


def _begins(column: Any, text: str) -> ColumnElement[bool]:
    """Equal; with ``*`` at the end, beginning so. What begins with a text sorts behind it in every collation, which
    lets the index begin there; the rest is compared character by character."""
    if not text.endswith("*"):
        equal: ColumnElement[bool] = column == text
        return equal
    start = text[:-1]
    return and_(column >= start, func.substr(column, 1, len(start)) == literal(start))
