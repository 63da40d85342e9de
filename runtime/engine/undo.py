"""Undo, on purpose only: newest first, with the parameters that were stored when it was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from connectors.sdk import ConnectorError, NotSent, OutcomeUnknown
from runtime.engine.effects import perform
from runtime.engine.failure import Halted, error_of
from runtime.engine.retry import next_try
from runtime.engine.walk import Walk
from runtime.model.flow import Retry
from runtime.model.run import AttemptRow, ExceptionRow, OutcomeRow, OutcomeState, RunState
from runtime.store import crash

_RETRY = Retry(attempts=8)
_FIRST = datetime.min.replace(tzinfo=UTC)


def undo_all(walk: Walk) -> None:
    """Returns once nothing is left to undo. Leaves by ``Halted`` where a peer cannot be reached yet, or where
    it refused: then an exception asks a person."""
    done = [row for row in walk.known.values() if row.undo is not None and row.state is OutcomeState.DONE]
    rows = [walk.whole(row) for row in done]
    newest_first = sorted(
        enumerate(rows), key=lambda placed: (placed[1].finished_at or _FIRST, placed[0]), reverse=True
    )
    for _, row in newest_first:
        _undo(walk, row)


def _undo(walk: Walk, row: OutcomeRow) -> None:
    assert row.undo is not None
    undo = row.undo
    tries = int(undo.get("tries", 0)) + 1
    if undo.get("sent"):
        walk.record(replace(row, undo={**undo, "sent": False, "tries": 0}))
        raise _ask_person(walk, row, "the process stopped while it was being undone; look whether it was")
    started, name = walk.now, undo["connection"]
    if undo["effect"] == "once":
        row = replace(row, undo={**undo, "sent": True})
    try:
        with walk.through(name, row.node):
            walk.record(row)
            walk.commit()
            crash.before_send("undo")
            answer = perform(walk, undo["type"], name, undo["parameters"], row.node, row.iteration)
            crash.after_send("undo")
    except ConnectorError as error:
        out = name is not None and walk.client.gate.failed(name, error)
        _attempt(walk, row, tries, started, type(error).__name__, error)
        raise _not_undone(walk, row, tries - 1 if out else tries, error, out=out) from error
    if name is not None:
        walk.client.gate.answered(name)
    _attempt(walk, row, tries, started, answer.name, None)
    walk.record(replace(row, state=OutcomeState.UNDONE))
    walk.commit()


def _attempt(
    walk: Walk, row: OutcomeRow, tries: int, started: datetime, result: str, error: ConnectorError | None
) -> None:
    assert row.undo is not None
    told = error_of(error, row.node) if error is not None else None
    given = row.undo["parameters"]
    walk.pending.add(
        "attempts", AttemptRow(row.node, row.iteration, tries, "undo", started, walk.now, result, told, given)
    )


def _not_undone(walk: Walk, row: OutcomeRow, tries: int, error: ConnectorError, *, out: bool) -> Halted:
    """An outage (``out``) uses up no tries. An undo of which nobody knows whether it happened is asked of a person,
    who redrives the run where it did not."""
    assert row.undo is not None
    walk.record(replace(row, undo={**row.undo, "tries": tries, "sent": False}))
    unknown = isinstance(error, OutcomeUnknown) and row.undo["effect"] == "once"
    name = row.undo["connection"]
    if out and not unknown:
        return walk.client.gate.halted(name, f"{row.node}: undo: {error.message}")
    if isinstance(error, NotSent | OutcomeUnknown) and not unknown:
        asked = getattr(error, "retry_after", None)
        again = next_try(_RETRY, tries, walk.now, asked, walk.settings.chance)
        if again is not None:
            return Halted(RunState.WAITING, again, f"{row.node}: undo, attempt {tries}: {error.message}")
    return _ask_person(walk, row, error.message)


def _ask_person(walk: Walk, row: OutcomeRow, why: str) -> Halted:
    walk.pending.add(
        "exceptions",
        ExceptionRow(
            kind="undo_failed", owner=walk.release.flow.owner, node=row.node, iteration=row.iteration,
            message=f"{row.node} could not be undone: {why}", run=walk.run_id,
        ),
    )  # fmt: skip
    return Halted(RunState.EXCEPTION, None, f"{row.node}: undo failed: {why}")
