"""A leased run with what is known of its nodes: ids, states and what is small; the rest when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Integer, Select, Text, bindparam, case, func, literal_column, select

from runtime.model.run import ApprovalRow, Lease, Loaded, OutcomeRow, OutcomeState, Position, Run
from runtime.store import tables
from runtime.store.shapes import (
    APPROVAL,
    ELIDED,
    INTENT,
    OUTCOME,
    RUN_COLUMNS,
    TIMER,
    Shape,
    instant,
    load,
    read_run,
)
from runtime.store.statements import Row, Statement, Tx, word
from runtime.store.store import NotFound

R = TypeVar("R")
_message, _key, _call, _outcome = tables.message, tables.business_key, tables.call, tables.outcome
#: Characters of JSON that cost less than asking for them later would.
_SMALL = 1_024


def _unless_large(column: Column[Any], finished: ColumnElement[bool]) -> ColumnElement[Any]:
    large = finished & (func.length(column) > literal_column(str(_SMALL), Integer))
    return case((large, literal_column(f"'{ELIDED}'", Text)), else_=column)


def _run_and_message(body: ColumnElement[Any], *more: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*RUN_COLUMNS, *more, body, _message.c.headers, _message.c.raw, _message.c.content_type)
        .select_from(
            tables.run.join(_message, _message.c.id == tables.run.c.message).outerjoin(
                tables.restored, tables.restored.c.run == tables.run.c.id
            )
        )
        .where(tables.run.c.id == bindparam("run"))
    )


_OF_CLIENT = tables.run.c.client == bindparam("client")
RUN_AND_MESSAGE = Statement(_run_and_message(_message.c.body).where(_OF_CLIENT))
#: A run that is advanced for the first time begins with its body.
_AGAIN = tables.run.c.fence > literal_column("1", Integer)
_LEASED = Statement(
    _run_and_message(_unless_large(_message.c.body, _AGAIN), tables.restored.c.at).where(_OF_CLIENT)
)
_UNTOUCHED = Statement(
    _run_and_message(_message.c.body, tables.restored.c.at).where(
        tables.run.c.state == word("ready"),
        tables.run.c.fence == literal_column("0", Integer),
        tables.run.c.outcome.is_(None),
    )
)
_BODY = Statement(
    select(_message.c.body)
    .join_from(tables.run, _message, _message.c.id == tables.run.c.message)
    .where(tables.run.c.client == bindparam("client"), tables.run.c.id == bindparam("run"))
)
KEYS = Statement(select(_key.c.name, _key.c.value).where(_key.c.run == bindparam("run")))


def _of_run(shape: Shape[Any], **instead: ColumnElement[Any]) -> Select[Any]:
    columns = [instead.get(column.name, column) for column in shape.columns]
    return select(*columns).where(shape.columns[0].table.c.run == bindparam("run"))


OUTCOMES = Statement(_of_run(OUTCOME))
INTENTS = Statement(_of_run(INTENT))
_READ = (_outcome.c.state.in_([word("done"), word("undone")])) & (_outcome.c.unread == literal_column("0", Integer))
_OUTCOMES_WITHOUT = Statement(
    _of_run(OUTCOME, output=_unless_large(_outcome.c.output, _READ), undo=_unless_large(_outcome.c.undo, _READ))
)
_INTENTS_WITHOUT = Statement(
    _of_run(INTENT, parameters=_unless_large(tables.intent.c.parameters, tables.intent.c.state == word("settled")))
)
_OUTCOME = Statement(
    _of_run(OUTCOME).where(_outcome.c.node == bindparam("node"), _outcome.c.iteration == bindparam("iteration"))
)
TIMERS = Statement(_of_run(TIMER))
APPROVALS = Statement(_of_run(APPROVAL).order_by(tables.approval.c.id))
_CHILDREN = Statement(
    select(_call.c.node, _call.c.iteration, *RUN_COLUMNS)
    .join_from(_call, tables.run, tables.run.c.id == _call.c.child)
    .where(_call.c.run == bindparam("run"))
)


def rows(tx: Tx, statement: Statement, shape: Shape[R], run: str) -> list[R]:
    return [shape.read(row) for row in tx.all(statement, {"run": run})]


def children(tx: Tx, run: str) -> dict[Position, Run]:
    found = tx.all(_CHILDREN, {"run": run})
    return {Position(row[0], row[1]): read_run(row[2:]) for row in found}


def _by_position(found: Sequence[Any]) -> dict[Position, Any]:
    return {Position(row.node, row.iteration): row for row in found}


def _asked(tx: Tx, run: str, outcomes: dict[Position, OutcomeRow]) -> list[ApprovalRow]:
    """Approvals that waiting nodes ask for now; those of before a redrive are history. A node that asks several
    groups in turn numbers them behind a slash (``""``, ``"/1"``, ``"3/1"``)."""
    asked = []
    for row in rows(tx, APPROVALS, APPROVAL, run):
        node = outcomes.get(Position(row.node, row.iteration.partition("/")[0]))
        if node is None or node.state is not OutcomeState.WAITING or row.created_at is None:
            continue
        if node.started_at is None or row.created_at >= node.started_at:
            asked.append(row)
    return asked


def read_loaded(tx: Tx, lease: Lease) -> Loaded:
    """Raises ``NotFound``."""
    of = {"run": lease.run, "client": lease.client}
    more = [] if lease.fence == 1 else [_OUTCOMES_WITHOUT, _INTENTS_WITHOUT]
    found, keys, *nodes = tx.together(of, _LEASED, KEYS, *more)
    if not found:
        raise _gone(lease)
    return _loaded(tx, found[0], keys, *nodes)


def look(tx: Tx, run: str, owner: str) -> tuple[Lease, Loaded] | None:
    """A run that is ready and was not advanced before, and a lease that is not written yet; ``None`` for others."""
    row = tx.one(_UNTOUCHED, {"run": run})
    if row is None:
        return None
    found = _loaded(tx, row, tx.all(KEYS, {"run": run}))
    return Lease(run, found.run.client, owner, 1, written=False), found


def _loaded(
    tx: Tx, row: Row, keys: Sequence[Row], nodes: Sequence[Row] = (), intents: Sequence[Row] = ()
) -> Loaded:
    """Nodes are there where the run was advanced before; what they wait for is asked for only where one waits."""
    run = read_run(row[:-5])
    restored_at, body, headers, raw, content_type = row[-5:]
    outcomes = _by_position([OUTCOME.read(node) for node in nodes])
    waiting = [at for at, outcome in outcomes.items() if outcome.state is OutcomeState.WAITING]
    timers = _by_position(rows(tx, TIMERS, TIMER, run.id)) if waiting else {}
    approvals = _by_position(_asked(tx, run.id, outcomes)) if waiting else {}
    called = children(tx, run.id) if waiting else {}
    return Loaded(
        run=run,
        body=load(body),
        headers=load(headers) or {},
        raw=raw,
        content_type=content_type,
        keys={str(name): str(value) for name, value in keys},
        outcomes=outcomes,
        intents=_by_position([INTENT.read(intent) for intent in intents]),
        timers={at: timers[at] for at in waiting if at in timers},
        approvals=approvals,
        children={at: called[at] for at in waiting if at in called},
        restored_at=None if restored_at is None else instant(restored_at),
    )


def read_body(tx: Tx, lease: Lease) -> Any:
    row = tx.one(_BODY, {"client": lease.client, "run": lease.run})
    if row is None:
        raise _gone(lease)
    return load(row[0])


def read_outcome(tx: Tx, lease: Lease, position: Position) -> OutcomeRow:
    row = tx.one(_OUTCOME, {"run": lease.run, "node": position.node, "iteration": position.iteration})
    if row is None:
        raise _gone(lease)
    return OUTCOME.read(row)


def _gone(lease: Lease) -> NotFound:
    return NotFound(f"run {lease.run} of client {lease.client} is gone: it was leased and then removed")
