"""A person ends a run: at once, or after what it did was undone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, null, select, update

from runtime.model.run import CANCELLED, FINISHED, Run, RunState
from runtime.model.sought import Said
from runtime.store import batches, tables
from runtime.store.commits import ATTEMPT_ROW
from runtime.store.creation import RESOLVE
from runtime.store.ordering import follow
from runtime.store.shapes import dump
from runtime.store.signals import callers, signal
from runtime.store.statements import Statement, Tx, word
from runtime.store.store import Refused

_run, _outcome, _intent, _exception = tables.run, tables.outcome, tables.intent, tables.exception
READY = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"))
    .values(state=word("ready"), due_at=bindparam("now"), why=word(""), owner=word(""), held_by=word(""))
)
_OUTCOME = Statement(update(_run).where(_run.c.id == bindparam("of")).values(outcome=bindparam("outcome")))
#: A node of which nobody knows whether it happened, by its outcome or by an open intent that must happen once.
_UNKNOWN = Statement(
    select(_intent.c.node)
    .outerjoin_from(
        _intent,
        _outcome,
        (_outcome.c.run == _intent.c.run)
        & (_outcome.c.node == _intent.c.node)
        & (_outcome.c.iteration == _intent.c.iteration),
    )
    .where(
        _intent.c.run == bindparam("run"),
        (_outcome.c.state == word("uncertain"))
        | ((_intent.c.state == word("open")) & (_intent.c.effect == word("once"))),
    )
    .limit(1)
)
_UNREAD = Statement(
    select(_outcome.c.node).where(
        _outcome.c.run == bindparam("run"), _outcome.c.unread == 1, _outcome.c.state == word("done")
    )
)


_CANCEL = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"))
    .values(
        state=word("cancelled"), due_at=null(), finished_at=bindparam("now"), why=bindparam("words"),
        outcome=func.coalesce(_run.c.outcome, word("cancelled")),
    )
)  # fmt: skip
_WITHDRAW = [
    Statement(
        update(table)
        .where(table.c.run == bindparam("of"), table.c.state == word("open"))
        .values(state=word("cancelled"))
    )
    for table in (tables.approval, tables.timer, tables.expectation)
]


_PUBLISHED = Statement(select(tables.event.c.position).where(tables.event.c.run == bindparam("of")).limit(1))


def check_cancel(tx: Tx, run: Run, undo: bool) -> None:
    """Undone is what is known to have happened, by parameters that are known."""
    if run.state in FINISHED:
        raise Refused(f"run {run.id} is {run.state}: it is over")
    if run.state is RunState.LEASED:
        raise Refused(f"run {run.id} is leased: a worker is at it right now, try again in a moment")
    if run.outcome == CANCELLED and run.state in (RunState.READY, RunState.WAITING):
        now = run.why or "it goes on soon"
        raise Refused(f"run {run.id} was cancelled, and what it did is being undone: {now}")
    if undo and (unknown := tx.one(_UNKNOWN, {"run": run.id})) is not None:
        raise Refused(
            f"run {run.id} cannot be undone yet: nobody knows whether its node {unknown[0]!r} happened;"
            " settle that first"
        )
    if undo and (unread := tx.one(_UNREAD, {"run": run.id})) is not None:
        raise Refused(
            f"run {run.id} cannot be undone yet: what became of its node {unread[0]!r} was settled, and the flow"
            " has not taken it in; redrive the run, then cancel it"
        )


def cancel(tx: Tx, run: Run, why: str) -> list[str]:
    tx.run(_CANCEL, {"of": run.id, "now": tx.now, "words": why})
    _withdraw(tx, run, why)
    return [*signal(tx, callers(tx, run.id)), *follow(tx, run.id)]


def undo_first(tx: Tx, run: Run, said: Said | None) -> list[str]:
    """The run goes on, to nothing but its undos; who asked for it is told in its time line."""
    by, why = (said.by, said.why) if said is not None else ("", "")
    tx.run(READY, {"of": run.id, "now": tx.now})
    tx.run(_OUTCOME, {"of": run.id, "outcome": CANCELLED})
    _withdraw(tx, run, why)
    tx.run(ATTEMPT_ROW, {**word_of(tx, run, by, why), "node": "", "iteration": "", "result": "undo"})
    return [run.id]


def _withdraw(tx: Tx, run: Run, why: str) -> None:
    for statement in _WITHDRAW:
        tx.run(statement, {"of": run.id})
    if tx.one(_PUBLISHED, {"of": run.id}) is not None:
        batches.withdraw(tx, run.client, run.id)
    tx.run(RESOLVE, {"of": run.id, "now": tx.now, "by": "orderly", "words": f"the run was cancelled: {why}"})


def word_of(tx: Tx, run: Run, by: str, why: str) -> dict[str, Any]:
    """A person's word, as a row of the run's attempts."""
    return {
        "client": run.client, "run": run.id, "number": 1, "kind": "person", "started_at": tx.now,
        "finished_at": tx.now, "error": None, "input": dump({"by": by, "why": why}),
    }  # fmt: skip
