"""What must happen once and a run that is reprocessed: not repeated, and taken over where a person says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, select, update

from runtime.model.run import Carry, IntentState, OutcomeState, Position
from runtime.store import tables
from runtime.store.references import REFERENCE, references
from runtime.store.shapes import INTENT, OUTCOME
from runtime.store.statements import Statement, Tx, insert, word
from runtime.store.store import Refused

NOTHING = Carry()
_run, _outcome, _intent, _call = tables.run, tables.outcome, tables.intent, tables.call
#: A run, the runs that it called or found there already, and so on.
_first = select(_run.c.id).where(_run.c.id == bindparam("id")).cte("lineage", recursive=True)
_lineage = _first.union(select(_call.c.child).join_from(_first, _call, _call.c.run == _first.c.id))
_once = (
    select(_intent.c.run, _intent.c.node, _intent.c.iteration, _intent.c.state)
    .outerjoin_from(
        _intent, _outcome,
        (_outcome.c.run == _intent.c.run)
        & (_outcome.c.node == _intent.c.node)
        & (_outcome.c.iteration == _intent.c.iteration)
        & (_outcome.c.state == word("undone")),
    )
    .where(
        _intent.c.effect == word("once"), _intent.c.state.in_([word("open"), word("settled")]),
        _outcome.c.run.is_(None),
    )
    .order_by(_intent.c.run, _intent.c.node, _intent.c.iteration)
)  # fmt: skip
#: What may have happened in the run itself and was not undone.
_OWN = Statement(_once.where(_intent.c.run == bindparam("id")))
#: The same in it and in everything below it.
_BELOW = Statement(_once.where(_intent.c.run.in_(select(_lineage.c.id))).limit(1))
#: A run below that may still go on. One with an identity is found again by a new caller, and not started twice.
_LOOSE = Statement(
    select(_run.c.id, _run.c.flow)
    .join_from(_lineage, _run, _run.c.id == _lineage.c.id)
    .where(_run.c.identity.is_(None), _run.c.finished_at.is_(None))
    .order_by(_run.c.id)
    .limit(1)
)
_CALLED = Statement(
    select(_call.c.node, _call.c.iteration, _call.c.child, _call.c.waits).where(_call.c.run == bindparam("run"))
)
_OUTCOMES = Statement(select(*OUTCOME.columns).where(_outcome.c.run == bindparam("run")))
_INTENTS = Statement(select(*INTENT.columns).where(_intent.c.run == bindparam("run")))
_WRITE_OUTCOME, _WRITE_INTENT, _WRITE_CALL = insert(_outcome), insert(_intent), insert(_call)
_SAID = Statement(
    update(_intent)
    .where(
        _intent.c.run == bindparam("of"), _intent.c.node == bindparam("of_node"),
        _intent.c.iteration == bindparam("of_iteration"),
    )
    .values(state=bindparam("state"))
)  # fmt: skip


def check(tx: Tx, id: str, carry: Carry) -> None:
    """Whatever must happen once, in the run and in those that it called, is either undone or decided by ``carry``.
    Raises ``Refused``."""
    stated = {Position(row.node, row.iteration) for row in carry.stated}
    for _, node, iteration, state in tx.all(_OWN, {"id": id}):
        at, is_open = Position(node, iteration), state == IntentState.OPEN
        if at in (stated | set(carry.denied) if is_open else set(carry.kept)):
            continue
        raise Refused(_undecided(id, node, is_open))
    for node, iteration, child, _ in tx.all(_CALLED, {"run": id}):
        if Position(node, iteration) not in carry.kept:
            _check_below(tx, id, child)


def _undecided(id: str, node: str, is_open: bool) -> str:
    if is_open:
        return (
            f"run {id} cannot be reprocessed: nobody knows whether what node {node!r} must do once happened, and it"
            " could be done twice; ask the peer, then say it with the reprocess (happened or not)"
        )
    return (
        f"run {id} cannot be reprocessed: what node {node!r} did must happen once, and would be done twice; carry"
        " its outcome over, redrive what failed, or send the corrected document under an identity of its own"
    )


def _check_below(tx: Tx, id: str, child: str) -> None:
    if (sent := tx.one(_BELOW, {"id": child})) is not None:
        raise Refused(
            f"run {id} cannot be reprocessed: what node {sent[1]!r} of run {sent[0]}, which it called, did must"
            " happen once, and would be done twice; carry that call over, redrive what failed, or send the"
            " corrected document under an identity of its own"
        )
    if (loose := tx.one(_LOOSE, {"id": child})) is not None:
        raise Refused(
            f"run {id} cannot be reprocessed: run {loose[0]} of {loose[1]}, which it called, may still go on, and"
            " a second one would be started beside it; cancel that one first, or let it finish"
        )


def take_over(tx: Tx, client: str, old: str, new: str, carry: Carry) -> dict[str, Any]:
    """Writes what the new run has of the old one, and what a person said into the old one; members of the new run's
    row. Raises ``Refused`` where something to be kept has no outcome."""
    of = {"client": client, "run": new}
    known = {Position(row.node, row.iteration): row for row in map(OUTCOME.read, tx.all(_OUTCOMES, {"run": old}))}
    intents = {Position(row.node, row.iteration): row for row in map(INTENT.read, tx.all(_INTENTS, {"run": old}))}
    kept = []
    for at in carry.kept:
        row = known.get(at)
        if row is None or row.state is not OutcomeState.DONE:
            raise Refused(f"node {at.node!r} of run {old} has no outcome that could be carried over")
        kept.append(row)
    outcomes = [OUTCOME.write(row, **of) for row in (*kept, *(replace(row, unread=True) for row in carry.stated))]
    places = [*carry.kept, *(Position(row.node, row.iteration) for row in carry.stated)]
    sent = [INTENT.write(replace(intents[at], state=IntentState.SETTLED), **of) for at in places if at in intents]
    calls = [
        {**of, "node": node, "iteration": iteration, "child": child, "waits": waits}
        for node, iteration, child, waits in tx.all(_CALLED, {"run": old})
        if Position(node, iteration) in carry.kept
    ]
    named = references(client, "run", new, [row["output"] for row in outcomes])
    written = ((_WRITE_OUTCOME, outcomes), (_WRITE_INTENT, sent), (_WRITE_CALL, calls), (REFERENCE, named))
    for statement, rows in written:
        if rows:
            tx.many(statement, rows)
    for row in carry.stated:
        tx.run(_SAID, _at(old, Position(row.node, row.iteration), "settled"))
    for at in carry.denied:
        tx.run(_SAID, _at(old, at, "not_done"))
    # A run that nobody has advanced is loaded without its outcomes: this one counts as begun.
    return {"fence": 1} if outcomes else {}


def _at(run: str, at: Position, state: str) -> dict[str, Any]:
    return {"of": run, "of_node": at.node, "of_iteration": at.iteration, "state": state}
