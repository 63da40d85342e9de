"""What a person may do to a run that did not go through: redrive, cancel, settle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, delete, null, select, update

from runtime.model.run import CANCELLED, FINISHED, OutcomeState, Position, Run, RunState
from runtime.model.sought import Onto, Said
from runtime.store import batches, tables
from runtime.store.audit import keep
from runtime.store.bound import Bound
from runtime.store.cancelling import READY, cancel, check_cancel, undo_first, word_of
from runtime.store.commits import ATTEMPT_ROW, EXPECT_FROM_NOW, RESOLVE_PLACE, SETTLED
from runtime.store.creation import RESOLVE, SUCCESSOR, check_reprocess
from runtime.store.holding import let_go
from runtime.store.ordering import step_aside
from runtime.store.restore import HOLDER
from runtime.store.runs import find
from runtime.store.shapes import dump
from runtime.store.statements import Statement, Tx, word
from runtime.store.store import NotFound, Refused

_run, _outcome, _intent, _exception = tables.run, tables.outcome, tables.intent, tables.exception
_REDRIVEN = frozenset({RunState.DEAD, RunState.EXCEPTION, RunState.HELD})
_FAILED = [word("dead"), word("exception")]

_ONTO = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"))
    .values(release=bindparam("release"), version=bindparam("version"))
)
_FAILED_PLACES = select(_outcome.c.node, _outcome.c.iteration).where(
    _outcome.c.run == bindparam("run"), _outcome.c.state.in_(_FAILED)
)
_PLACES = Statement(_FAILED_PLACES)
_FORGET_TIMER = Statement(
    delete(tables.timer).where(
        tables.timer.c.run == bindparam("run"),
        tables.timer.c.node == bindparam("node"),
        tables.timer.c.iteration == bindparam("iteration"),
    )
)
_CLEAR = Statement(delete(_outcome).where(_outcome.c.run == bindparam("run"), _outcome.c.state.in_(_FAILED)))
_CLEAR_ONE = Statement(
    delete(_outcome).where(
        _outcome.c.run == bindparam("run"),
        _outcome.c.node == bindparam("node"),
        _outcome.c.iteration == bindparam("iteration"),
    )
)
_UNDONE = Statement(
    select(_outcome.c.node).where(_outcome.c.run == bindparam("run"), _outcome.c.state == word("undone"))
)
_NOT_UNDONE = Statement(
    select(_exception.c.node).where(_exception.c.run == bindparam("run"), _exception.c.kind == word("undo_failed"))
)
_UNCERTAIN = Statement(
    select(_outcome.c.attempts).where(
        _outcome.c.run == bindparam("run"),
        _outcome.c.node == bindparam("node"),
        _outcome.c.iteration == bindparam("iteration"),
        _outcome.c.state == word("uncertain"),
    )
)
_SETTLE = Statement(
    update(_outcome)
    .where(
        _outcome.c.run == bindparam("of"),
        _outcome.c.node == bindparam("of_node"),
        _outcome.c.iteration == bindparam("of_iteration"),
    )
    .values(
        state=bindparam("state"), name=bindparam("name"), output=bindparam("output"), error=null(),
        due_at=bindparam("due_at"), finished_at=bindparam("finished_at"), unread=bindparam("unread"),
    )
)  # fmt: skip
_NOT_DONE = Statement(
    update(_intent)
    .where(
        _intent.c.run == bindparam("of"),
        _intent.c.node == bindparam("of_node"),
        _intent.c.iteration == bindparam("of_iteration"),
    )
    .values(state=word("not_done"))
)


class Repair(Bound):
    def redrive(
        self, run: str, said: Said | None = None, *, onto: Onto | None = None, again: Sequence[Position] = (),
        seen: str = "",
    ) -> None:  # fmt: skip
        def unit(tx: Tx) -> None:
            known = _as_seen(tx, self.client, run, seen)
            _check_redrive(tx, known)
            _redrive(tx, known, onto, again)
            keep(tx, self.client, said, "run.redriven", run)

        self._backend.transact(unit)

    def cancel(
        self, run: str, why: str, said: Said | None = None, *, undo: bool = False, seen: str = ""
    ) -> Sequence[str]:
        def unit(tx: Tx) -> Sequence[str]:
            known = _as_seen(tx, self.client, run, seen)
            check_cancel(tx, known, undo)
            keep(tx, self.client, said, "run.cancelled", run)
            return undo_first(tx, known, said) if undo else cancel(tx, known, why)

        return self._backend.transact(unit)

    def let_go(self, holder: str, said: Said | None = None) -> Sequence[str]:
        def unit(tx: Tx) -> Sequence[str]:
            freed = let_go(tx, self.client, holder)
            if holder == HOLDER:
                batches.let_go(tx, self.client)
            if said is not None:
                told = replace(said, more={**said.more, "runs": len(freed)})
                keep(tx, self.client, told, "runs.released", holder)
            return freed

        return self._backend.transact(unit)

    def step_aside(self, run: str, said: Said | None = None) -> Sequence[str]:
        def unit(tx: Tx) -> Sequence[str]:
            freed = step_aside(tx, find(tx, self.client, run, to_change=True))
            keep(tx, self.client, said, "run.passed", run)
            return freed

        return self._backend.transact(unit)

    def settle(
        self,
        run: str,
        node: str,
        iteration: str,
        happened: bool,
        output: Any,
        by: str,
        why: str,
        name: str = "done",
    ) -> None:
        def unit(tx: Tx) -> None:
            known = find(tx, self.client, run, to_change=True)
            _settle(tx, known, node, iteration, name if happened else None, dump(output), by, why)
            told = {"node": node, "iteration": iteration, "happened": happened}
            keep(tx, self.client, Said(by, why, told), "node.settled", run)

        self._backend.transact(unit)

    def refusals(self, action: str, runs: Sequence[str]) -> Mapping[str, str]:
        """Of those runs the ones that ``redrive``, ``cancel``, ``undo`` or ``reprocess`` would refuse now, and why:
        the same checks, of one view, and nothing is changed."""
        checks: dict[str, Callable[[Tx, Run], None]] = {
            "redrive": _check_redrive,
            "cancel": lambda tx, run: check_cancel(tx, run, False),
            "undo": lambda tx, run: check_cancel(tx, run, True),
            "reprocess": lambda tx, run: check_reprocess(tx, self.client, run.id),
        }

        def look(tx: Tx) -> dict[str, str]:
            told = ((run, _refusal(tx, self.client, run, checks[action])) for run in runs)
            return {run: why for run, why in told if why}

        return self._backend.read(look)


def _as_seen(tx: Tx, client: str, run: str, seen: str) -> Run:
    known = find(tx, client, run, to_change=True)
    if seen and known.stamp != seen:
        raise Refused(f"run {run} has changed since the preview, it is {known.state} now: look at it again")
    return known


def _refusal(tx: Tx, client: str, run: str, check: Callable[[Tx, Run], None]) -> str:
    try:
        check(tx, find(tx, client, run))
    except (NotFound, Refused) as error:
        return str(error)
    return ""


def _check_redrive(tx: Tx, run: Run) -> None:
    if run.state not in _REDRIVEN:
        raise Refused(f"run {run.id} is {run.state}: only dead, exception and held runs can be redriven")
    if run.held_by == "order":
        raise Refused(f"run {run.id} stands in line: {run.why}; repair that one, or let it step aside")
    if (successor := tx.one(SUCCESSOR, {"run": run.id})) is not None:
        raise Refused(f"run {run.id} was reprocessed as {successor[0]}: go on with that one")
    if run.outcome != CANCELLED and _is_undone(tx, run) and tx.one(_NOT_UNDONE, {"run": run.id}) is None:
        raise Refused(f"run {run.id} was undone: reprocess it from its message instead")


def _is_undone(tx: Tx, run: Run) -> bool:
    return tx.one(_UNDONE, {"run": run.id}) is not None


def _redrive(tx: Tx, run: Run, onto: Onto | None, again: Sequence[Position]) -> None:
    if run.outcome != CANCELLED and not _is_undone(tx, run):
        _forget_failures(tx, run)
        if again:
            tx.many(_CLEAR_ONE, [{"run": run.id, "node": at.node, "iteration": at.iteration} for at in again])
    tx.run(RESOLVE, {"of": run.id, "now": tx.now, "by": "orderly", "words": "the run was redriven"})
    if onto is not None:
        tx.run(_ONTO, {"of": run.id, "release": onto.release, "version": onto.version})
    tx.run(READY, {"of": run.id, "now": tx.now})


def _forget_failures(tx: Tx, run: Run) -> None:
    places = [
        {"run": run.id, "node": node, "iteration": iteration}
        for node, iteration in tx.all(_PLACES, {"run": run.id})
    ]
    if places:
        tx.many(_FORGET_TIMER, places)
        tx.run(_CLEAR, {"run": run.id})


def _settle(
    tx: Tx, run: Run, node: str, iteration: str, name: str | None, output: str | None, by: str, why: str
) -> None:
    """``name`` is the outcome that the node came to; ``None``: it did not happen."""
    if run.state in FINISHED:
        raise Refused(f"run {run.id} is {run.state} and does not go on, whatever became of its node {node!r}")
    found = tx.one(_UNCERTAIN, {"run": run.id, "node": node, "iteration": iteration})
    if found is None:
        raise Refused(f"node {node!r} of run {run.id} is not uncertain: somebody or a look-up has settled it")
    if run.state is RunState.LEASED:
        raise Refused(f"run {run.id} is asking its peer right now: look again in a moment")
    at: Any = {"of": run.id, "of_node": node, "of_iteration": iteration}
    happened = name is not None
    state = OutcomeState.DONE if happened else OutcomeState.RETRYING
    ended = {"finished_at": tx.now if happened else None, "due_at": None if happened else tx.now}
    written = {"state": str(state), "name": name or str(state), "output": output, "unread": int(happened)}
    tx.run(_SETTLE, {**at, **ended, **written})
    tx.run(SETTLED if happened else _NOT_DONE, at)
    if happened:
        tx.run(EXPECT_FROM_NOW, {**at, "now": tx.now})
    verdict = "happened" if happened else "not_done"
    place = {"node": node, "iteration": iteration, "number": found[0], "result": verdict}
    tx.run(ATTEMPT_ROW, {**word_of(tx, run, by, why), **place})
    tx.run(RESOLVE_PLACE, {**at, "now": tx.now, "by": by, "words": why})
    tx.run(READY, {"of": run.id, "now": tx.now})
