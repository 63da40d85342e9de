"""A client's runs: create, look at, list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from connectors.sdk import Blobs
from runtime.model.run import Created, NewRun, Run, RunState
from runtime.model.sought import Said
from runtime.store import creation, loading, tables
from runtime.store.audit import keep
from runtime.store.blobs import SMALL
from runtime.store.bound import Bound, listed, page
from runtime.store.shapes import (
    APPROVAL,
    ATTEMPT,
    EVENT,
    EXCEPTION,
    EXPECTATION,
    INTENT,
    OUTCOME,
    RUN_COLUMNS,
    TIMER,
    load,
    read_run,
)
from runtime.store.statements import Statement, Tx
from runtime.store.store import NotFound, Page, Story

_run, _key, _identity, _call = tables.run, tables.business_key, tables.identity, tables.call
_ONE_RUN = Statement(select(*RUN_COLUMNS).where(_run.c.client == bindparam("client"), _run.c.id == bindparam("id")))
_RUN_TO_CHANGE = Statement(
    select(*RUN_COLUMNS).where(_run.c.client == bindparam("client"), _run.c.id == bindparam("id")).with_for_update()
)
_BY_IDENTITY = Statement(
    select(_identity.c.digest, *RUN_COLUMNS)
    .join_from(_identity, _run, _run.c.id == _identity.c.run)
    .where(
        _identity.c.client == bindparam("client"),
        _identity.c.flow == bindparam("flow"),
        _identity.c.identity == bindparam("identity"),
    )
)
_COUNTS = Statement(
    select(_run.c.state, func.count()).where(_run.c.client == bindparam("client")).group_by(_run.c.state)
)
_ATTEMPTS = Statement(
    select(*ATTEMPT.columns).where(tables.attempt.c.run == bindparam("run")).order_by(tables.attempt.c.seq)
)
_EXPECTATIONS = Statement(select(*EXPECTATION.columns).where(tables.expectation.c.run == bindparam("run")))
_EVENTS = Statement(
    select(*EVENT.columns).where(tables.event.c.run == bindparam("run")).order_by(tables.event.c.position)
)
_EXCEPTIONS = Statement(
    select(*EXCEPTION.columns).where(tables.exception.c.run == bindparam("run")).order_by(tables.exception.c.id)
)
_CHILDREN = Statement(
    select(*RUN_COLUMNS)
    .join_from(_call, _run, _run.c.id == _call.c.child)
    .where(_call.c.run == bindparam("run"))
    .order_by(_run.c.id)
)


def find(tx: Tx, client: str, id: str, *, to_change: bool = False) -> Run:
    """``to_change``: nobody else changes it until the unit has ended. Raises ``NotFound``."""
    row = tx.one(_RUN_TO_CHANGE if to_change else _ONE_RUN, {"client": client, "id": id})
    if row is None:
        raise NotFound(f"client {client} has no run {id}; look for its business key in the list of runs")
    return read_run(row)


class Runs(Bound):
    blobs: Blobs

    def create_run(
        self, new: NewRun, owner: str = "", seconds: float = 0.0, *, said: Said | None = None
    ) -> Created:
        if new.raw_bytes is not None and len(new.raw_bytes) > SMALL:
            self.blobs.put(new.raw_bytes, new.content_type)
            new = replace(new, raw_bytes=None)
        entry = creation.entry(self.client, new)

        def unit(tx: Tx) -> Created:
            created = creation.create(tx, entry, owner, seconds)
            if said is not None and new.reprocess_of is not None and not created.duplicate:
                told = replace(said, more={**said.more, "new": created.run})
                keep(tx, self.client, told, "run.reprocessed", new.reprocess_of)
            return created

        return self._backend.transact(unit)

    def find_identity(self, flow: str, identity: str) -> tuple[Run, str] | None:
        name = {"client": self.client, "flow": flow, "identity": identity}
        row = self._backend.read(lambda tx: tx.one(_BY_IDENTITY, name))
        return None if row is None else (read_run(row[1:]), row[0])

    def run(self, id: str) -> Run:
        return self._backend.read(lambda tx: find(tx, self.client, id))

    def story(self, id: str) -> Story:
        return self._backend.read(lambda tx: _story(tx, self.client, id))

    def runs(
        self,
        *,
        states: Sequence[RunState] = (),
        flow: str = "",
        key: str = "",
        limit: int = 50,
        before: str | None = None,
    ) -> Page:
        query = select(*RUN_COLUMNS)
        if states:
            query = query.where(_run.c.state.in_([str(state) for state in states]))
        if flow:
            query = query.where(_run.c.flow == flow)
        if key:
            keyed = select(_key.c.run).where(_key.c.client == self.client, _key.c.value == key)
            query = query.where(or_(_run.c.id == key, _run.c.id.in_(keyed)))
        statement = listed(query, _run, self.client, before, limit)
        found = self._backend.read(lambda tx: tx.all(statement))
        return page([read_run(row) for row in found], limit)

    def keys_of(self, runs: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        query = (
            select(_key.c.run, _key.c.name, _key.c.value)
            .join_from(_run, _key, _key.c.run == _run.c.id)
            .where(_run.c.client == self.client, _run.c.id.in_(list(runs)))
        )
        found: dict[str, dict[str, str]] = {run: {} for run in runs}
        for run, name, value in self._backend.read(lambda tx: tx.all(Statement(query))):
            found[run][name] = value
        return found

    def counts(self) -> Mapping[RunState, int]:
        rows = self._backend.read(lambda tx: tx.all(_COUNTS, {"client": self.client}))
        return {RunState(state): count for state, count in rows}


def _story(tx: Tx, client: str, id: str) -> Story:
    row = tx.one(loading.RUN_AND_MESSAGE, {"client": client, "run": id})
    if row is None:
        raise NotFound(f"client {client} has no run {id}; look for its business key in the list of runs")
    run: Any = {"run": id}
    body, headers, raw, content_type = row[-4:]
    return Story(
        run=read_run(row[:-4]),
        body=load(body),
        headers=load(headers) or {},
        raw=raw,
        content_type=content_type,
        keys=dict(tx.all(loading.KEYS, run)),
        outcomes=loading.rows(tx, loading.OUTCOMES, OUTCOME, id),
        attempts=[ATTEMPT.read(found) for found in tx.all(_ATTEMPTS, run)],
        intents=loading.rows(tx, loading.INTENTS, INTENT, id),
        timers=loading.rows(tx, loading.TIMERS, TIMER, id),
        expectations=[EXPECTATION.read(found) for found in tx.all(_EXPECTATIONS, run)],
        events=[EVENT.read(found) for found in tx.all(_EVENTS, run)],
        exceptions=[EXCEPTION.read(found) for found in tx.all(_EXCEPTIONS, run)],
        approvals=loading.rows(tx, loading.APPROVALS, APPROVAL, id),
        children=[read_run(found) for found in tx.all(_CHILDREN, run)],
    )
