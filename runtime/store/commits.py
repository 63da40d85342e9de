"""One checkpoint of a run in one transaction, and outcomes that come too late for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Text,
    Update,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    update,
)

from runtime.model.ids import new_id
from runtime.model.run import (
    FINISHED,
    Checkpoint,
    Committed,
    Created,
    IntentState,
    Lease,
    OutcomeRow,
    OutcomeState,
    RunState,
)
from runtime.store import creation, tables
from runtime.store.creation import Entry
from runtime.store.leases import HOLD, until
from runtime.store.ordering import follow
from runtime.store.peers import as_it_stands
from runtime.store.references import REFERENCE, references
from runtime.store.shapes import (
    APPROVAL,
    ATTEMPT,
    EVENT,
    EXCEPTION,
    EXPECTATION,
    INTENT,
    OUTCOME,
    TIMER,
    dump,
    instant,
    micros,
)
from runtime.store.signals import append, callers, earlier, meet, move, signal
from runtime.store.statements import Row, Statement, Tx, insert, word
from runtime.store.store import Overtaken, StaleLease

Params = dict[str, Any]
#: A run that shows anything else is left alone until a person comes, whatever one of its branches waits for.
_WAKES = frozenset({RunState.READY, RunState.WAITING, RunState.UNCERTAIN})
_run, _outcome, _intent, _timer = tables.run, tables.outcome, tables.intent, tables.timer
_expectation, _call = tables.expectation, tables.call
_OVER = frozenset({OutcomeState.DONE, OutcomeState.UNDONE})
_HELD = [_run.c.id == bindparam("of"), _run.c.fence == bindparam("fence"), _run.c.state == word("leased")]
#: Of a lease that is not written yet.
_UNTOUCHED = [
    _run.c.id == bindparam("of"),
    _run.c.fence == literal_column("0", BigInteger),
    _run.c.state == word("ready"),
    _run.c.outcome.is_(None),
]
_TAKEN: dict[str, Any] = {"fence": bindparam("fence"), "seen": _run.c.signals}
_to: Any = bindparam("to_state", type_=Text)

_SHOWN = [_run.c.flow, _run.c.created_at, _run.c.state, _run.c.order_key]


def _going_on(held: Sequence[Any], **taken: Any) -> Update:
    return (
        update(_run)
        .where(*held)
        .values(
            checkpoint_at=bindparam("now"),
            due_at=bindparam("until"),
            reply=func.coalesce(bindparam("reply", type_=Text), _run.c.reply),
            **taken,
        )
    )


def _giving_back(held: Sequence[Any], signalled: ColumnElement[bool], **taken: Any) -> Statement:
    return Statement(
        update(_run)
        .where(*held)
        .values(
            checkpoint_at=bindparam("now"),
            state=case(((_to == word("waiting")) & signalled, word("ready")), else_=_to),
            due_at=case(
                (_to.in_([word("waiting"), word("uncertain")]) & signalled, bindparam("now")),
                else_=bindparam("due_at", type_=tables.Time()),
            ),
            finished_at=bindparam("finished_at", type_=tables.Time()),
            why=bindparam("why"),
            held_by=bindparam("held_by"),
            outcome=func.coalesce(bindparam("outcome", type_=Text), _run.c.outcome),
            reply=func.coalesce(bindparam("reply", type_=Text), _run.c.reply),
            owner=word(""),
            **taken,
        )
        .returning(*_SHOWN)
    )


_GO_ON_SURELY = Statement(_going_on(_HELD))
_GO_ON = Statement(_going_on(_HELD).returning(*_SHOWN))
_TAKE_AND_GO_ON = Statement(
    _going_on(_UNTOUCHED, **_TAKEN, state=word("leased"), owner=bindparam("owner")).returning(*_SHOWN)
)
_GIVE_BACK = _giving_back(_HELD, _run.c.signals != _run.c.seen)
_TAKE_AND_GIVE_BACK = _giving_back(_UNTOUCHED, false(), **_TAKEN)
OUTCOME_ROW = insert(_outcome, otherwise="replace")
INTENT_ROW = insert(_intent, otherwise="replace")
ATTEMPT_ROW = insert(tables.attempt, omit=["seq"])
_APPROVAL = insert(tables.approval, otherwise="replace")
EXCEPTION_ROW = insert(tables.exception)
_EXPECTATION = insert(_expectation, otherwise="ignore")
_CALL = insert(_call, otherwise="ignore")
_CALLED = Statement(
    select(_call.c.child, tables.run.c.state)
    .join_from(_call, tables.run, tables.run.c.id == _call.c.child)
    .where(
        _call.c.run == bindparam("run"),
        _call.c.node == bindparam("node"),
        _call.c.iteration == bindparam("iteration"),
    )
)
_STANDS = Statement(select(_run.c.state).where(_run.c.id == bindparam("id")).with_for_update(read=True))


def _open_timer(dialect_insert: Any) -> Any:
    """A timer that has fired is not opened again: what fired it came between load and commit."""
    row = dialect_insert(_timer).values({column.name: bindparam(column.name) for column in _timer.c})
    changed = {name: row.excluded[name] for name in ("due_at", "event_type", "event_key", "state")}
    return row.on_conflict_do_update(
        index_elements=["run", "node", "iteration"],
        set_={**changed, "event": func.coalesce(row.excluded.event, _timer.c.event)},
        where=(_timer.c.state != word("fired")) | (row.excluded.state != word("open")),
    )


_OPEN_TIMER = Statement(_open_timer)
_FIRED = Statement(
    update(_timer)
    .where(
        _timer.c.run == bindparam("of"),
        _timer.c.node == bindparam("of_node"),
        _timer.c.iteration == bindparam("of_iteration"),
        _timer.c.state == word("open"),
    )
    .values(state=word("fired"), event=bindparam("event"))
)
EXPECT_FROM_NOW = Statement(
    update(_expectation)
    .where(
        _expectation.c.run == bindparam("of"),
        _expectation.c.node == bindparam("of_node"),
        _expectation.c.iteration == bindparam("of_iteration"),
        _expectation.c.due_at.is_(None),
    )
    .values(
        due_at=bindparam("now") + func.round(_expectation.c.within * literal_column("1000000", Float)),
    )
)
_WITHDRAW = Statement(
    update(_expectation)
    .where(
        _expectation.c.run == bindparam("of"),
        _expectation.c.node == bindparam("of_node"),
        _expectation.c.iteration == bindparam("of_iteration"),
        _expectation.c.state == word("open"),
    )
    .values(state=word("cancelled"))
)
_MET = Statement(update(_expectation).where(_expectation.c.id == bindparam("of")).values(state=word("met")))
SETTLED = Statement(
    update(_intent)
    .where(
        _intent.c.run == bindparam("of"),
        _intent.c.node == bindparam("of_node"),
        _intent.c.iteration == bindparam("of_iteration"),
        _intent.c.state == word("open"),
    )
    .values(state=word("settled"))
)


@dataclass(frozen=True)
class Prepared:
    """A checkpoint encoded by its caller's thread, so that the writer only executes."""

    checkpoint: Checkpoint
    child: Entry | None
    outcomes: Sequence[Params]
    intents: Sequence[Params]
    attempts: Sequence[Params]
    timers: Sequence[Params]
    expectations: Sequence[Params]
    earlier: Sequence[int]
    moves: Sequence[bool]
    events: Sequence[Params]
    keys: Sequence[Params]
    exceptions: Sequence[Params]
    approvals: Sequence[Params]
    reply: str | None
    blobs: Sequence[Params]
    happened: Sequence[Params] = field(default_factory=list)
    handled: Sequence[Params] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether the run keeps its lease and nothing depends on what is stored already."""
        others = (self.timers, self.expectations, self.events, self.exceptions, self.approvals)
        return self.checkpoint.state is None and self.child is None and not any(others)


def prepare(lease: Lease, given: Checkpoint) -> Prepared:
    """Raises ``ValueError`` where a value is not JSON."""
    of: Params = {"client": lease.client, "run": lease.run}
    outcomes = [OUTCOME.write(row, **of) for row in given.outcomes]
    return Prepared(
        checkpoint=given,
        child=creation.entry(lease.client, given.child.run) if given.child else None,
        outcomes=outcomes,
        intents=[INTENT.write(row, **of, fence=lease.fence) for row in given.intents],
        attempts=[ATTEMPT.write(row, **of) for row in given.attempts],
        timers=[TIMER.write(row, **of) for row in given.timers],
        expectations=[EXPECTATION.write(row, **of, id=row.id or new_id()) for row in given.expectations],
        earlier=[round(row.earlier * 1_000_000) for row in given.expectations],
        moves=[row.moves for row in given.expectations],
        events=[EVENT.write(row, **of, id=row.id or new_id()) for row in given.events],
        keys=[{**of, "name": name, "value": value} for name, value in dict(given.keys).items()],
        exceptions=[EXCEPTION.write(row, **of, id=row.id or new_id()) for row in given.exceptions],
        approvals=[APPROVAL.write(row, **of, id=row.id or new_id()) for row in given.approvals],
        reply=dump(given.reply),
        blobs=references(lease.client, "run", lease.run, [row["output"] for row in outcomes]),
        happened=[_place(lease, row) for row in given.outcomes if row.happened],
        handled=[_place(lease, row) for row in given.outcomes if row.state in _OVER and not row.happened],
    )


def _place(lease: Lease, row: OutcomeRow) -> Params:
    return {"of": lease.run, "of_node": row.node, "of_iteration": row.iteration}


def commit(tx: Tx, lease: Lease, prepared: Prepared, seconds: float) -> Committed:
    """Raises ``StaleLease``, ``IdentityConflict``."""
    if lease.written and prepared.goes_on:
        return _go_on(tx, lease, prepared, seconds)
    flow, created_at, state, order_key = _hold(tx, lease, prepared, seconds)
    child, started = _start_child(tx, lease, prepared)
    outcomes = prepared.outcomes if child is None else _with_child(prepared, child)
    woken = started + _write_nodes(tx, lease, prepared, outcomes, created_at)
    _write_people(tx, prepared, flow)
    events = [{**event, "at": event["at"] or tx.now} for event in prepared.events]
    for event in events:
        woken += meet(tx, event)
    if state in FINISHED:
        woken += callers(tx, lease.run)
    ring = signal(tx, woken) if woken else []
    if state in FINISHED and order_key is not None:
        ring += follow(tx, lease.run)
    append(tx, events)
    if lease.run in ring:
        ring.remove(lease.run)
        state = RunState.READY
    return Committed(instant(tx.now), tuple(ring), RunState(state), child)


def _go_on(tx: Tx, lease: Lease, prepared: Prepared, seconds: float) -> Committed:
    """What most commits are. Nothing of it is asked for: it is sent in one piece, with COMMIT."""
    held = {"of": lease.run, "fence": lease.fence, "now": tx.now, "until": until(tx, seconds)}
    tx.surely(_GO_ON_SURELY, {**held, "reply": prepared.reply}, lambda: _stale(lease))
    _write_nodes(tx, lease, prepared, prepared.outcomes, 0)
    return Committed(instant(tx.now), (), RunState.LEASED, None)


def _hold(tx: Tx, lease: Lease, prepared: Prepared, seconds: float) -> Row:
    """Checks the fence and moves the run on: its flow, time of creation, state and key of order."""
    given = prepared.checkpoint
    row: Any
    held: Params = {"of": lease.run, "fence": lease.fence, "now": tx.now, "reply": prepared.reply}
    if given.stopped:
        given = as_it_stands(tx, lease.client, given)
    if given.state is None:
        row = tx.one(
            _GO_ON if lease.written else _TAKE_AND_GO_ON,
            {**held, "until": until(tx, seconds), "owner": lease.owner},
        )
    else:
        due = micros(given.due_at) if given.due_at and given.state in _WAKES else None
        if given.state is RunState.READY and due is None:
            due = tx.now
        finished = tx.now if given.state in FINISHED else None
        more = {"to_state": str(given.state), "due_at": due, "finished_at": finished}
        row = tx.one(
            _GIVE_BACK if lease.written else _TAKE_AND_GIVE_BACK,
            {**held, **more, "why": given.why, "held_by": given.held_by, "outcome": given.outcome},
        )
    if row is None and not lease.written:
        raise Overtaken(f"run {lease.run} was cancelled, or another worker began with it: nothing was written")
    if row is None:
        raise _stale(lease)
    found: Row = row
    return found


def _stale(lease: Lease) -> StaleLease:
    return StaleLease(
        f"run {lease.run} is no longer leased to {lease.owner} under fence {lease.fence}: "
        "another worker went on with it, nothing was written; keep the outcome as evidence"
    )


def _start_child(tx: Tx, lease: Lease, prepared: Prepared) -> tuple[Created | None, list[str]]:
    """The child under the identity rule, linked to its caller; and the caller itself, to be signalled, where it
    waits for a child that has ended already."""
    asked = prepared.checkpoint.child
    if asked is None or prepared.child is None:
        return None, []
    at: Params = {"run": lease.run, "node": asked.node, "iteration": asked.iteration}
    known = tx.one(_CALLED, at)
    if known is not None:
        child = Created(known[0], True, RunState(known[1]))
    else:
        child = creation.create(tx, prepared.child)
    if child.duplicate:
        child = _as_it_stands(tx, child)
    waits = asked.run.caller is not None and asked.run.caller.waits
    tx.run(_CALL, {**at, "client": lease.client, "child": child.run, "waits": int(waits)})
    return child, [lease.run] if waits and child.duplicate and child.state in FINISHED else []


def _as_it_stands(tx: Tx, child: Created) -> Created:
    """The run, or the one it was reprocessed as. As long as this unit lasts it can neither end nor be reprocessed
    unnoticed: that comes before or after."""
    row = tx.one(_STANDS, {"id": child.run})
    if row is None:
        return replace(child, state=RunState.DONE)
    successor = tx.one(creation.SUCCESSOR, {"run": child.run})
    if successor is not None:
        return _as_it_stands(tx, replace(child, run=successor[0]))
    return replace(child, state=RunState(row[0]))


def _with_child(prepared: Prepared, child: Created) -> Sequence[Params]:
    """The outcomes, the calling node's with what became of its child."""
    asked = prepared.checkpoint.child
    output = dump({"run": child.run, "duplicate": child.duplicate})
    return [
        {**row, "output": output}
        if asked and (row["node"], row["iteration"]) == (asked.node, asked.iteration) and row["output"] is None
        else row
        for row in prepared.outcomes
    ]


def _write_nodes(
    tx: Tx, lease: Lease, prepared: Prepared, outcomes: Sequence[Params], created_at: int
) -> list[str]:
    """Returns the run itself where what it waits for has been published before."""
    _many(tx, INTENT_ROW, [{**intent, "opened_at": intent["opened_at"] or tx.now} for intent in prepared.intents])
    for expectation, since, moves in zip(prepared.expectations, prepared.earlier, prepared.moves, strict=True):
        if moves:
            move(tx, expectation)
        if expectation["state"] == "open":
            _expect(tx, expectation, created_at - since)
    _many(tx, OUTCOME_ROW, outcomes)
    _many(tx, SETTLED, prepared.happened)
    if prepared.checkpoint.expects:
        _many(tx, EXPECT_FROM_NOW, [{**row, "now": tx.now} for row in prepared.happened])
    _many(tx, _WITHDRAW, prepared.handled)
    _many(tx, REFERENCE, prepared.blobs)
    _many(tx, ATTEMPT_ROW, prepared.attempts)
    _many(tx, creation.KEYS, prepared.keys)
    return [lease.run for timer in prepared.timers if _suspend(tx, timer, created_at)]


def _expect(tx: Tx, row: Params, since: int) -> None:
    event = (row["client"], row["event_type"], row["event_key"])
    if tx.run(_EXPECTATION, row) and earlier(tx, *event, since) is not None:
        tx.run(_MET, {"of": row["id"]})


def _suspend(tx: Tx, row: Params, created_at: int) -> bool:
    """True where the timer fired at once."""
    tx.run(_OPEN_TIMER, row)
    if row["state"] != "open" or row["event_type"] is None:
        return False
    arrived = earlier(tx, row["client"], row["event_type"], row["event_key"], created_at)
    if arrived is None:
        return False
    at = {"of": row["run"], "of_node": row["node"], "of_iteration": row["iteration"]}
    return tx.run(_FIRED, {**at, "event": arrived}) > 0


def _write_people(tx: Tx, prepared: Prepared, flow: str) -> None:
    _many(tx, EXCEPTION_ROW, [{**row, "flow": flow, "at": row["at"] or tx.now} for row in prepared.exceptions])
    for approval in prepared.approvals:
        created_at = approval["created_at"] or tx.now
        tx.run(_APPROVAL, {**approval, "flow": approval["flow"] or flow, "created_at": created_at})


def _many(tx: Tx, statement: Statement, rows: Sequence[Params]) -> None:
    if rows:
        tx.many(statement, rows)


_AT = [
    _intent.c.run == bindparam("run"),
    _intent.c.node == bindparam("node"),
    _intent.c.iteration == bindparam("iteration"),
]
_OPEN_QUESTION = Statement(
    select(_intent.c.state, _outcome.c.state)
    .outerjoin_from(
        _intent,
        _outcome,
        (_outcome.c.run == _intent.c.run)
        & (_outcome.c.node == _intent.c.node)
        & (_outcome.c.iteration == _intent.c.iteration),
    )
    .where(*_AT)
)
RESOLVE_PLACE = Statement(
    update(tables.exception)
    .where(
        tables.exception.c.run == bindparam("of"),
        tables.exception.c.node == bindparam("of_node"),
        tables.exception.c.iteration == bindparam("of_iteration"),
        tables.exception.c.state == word("open"),
    )
    .values(
        state=word("resolved"),
        resolved_at=bindparam("now"),
        resolved_by=bindparam("by"),
        note=bindparam("words"),
    )
)
_TAKE_BACK = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"), _run.c.state.in_([word("uncertain"), word("leased"), word("waiting")]))
    .values(
        state=word("ready"),
        due_at=bindparam("now"),
        owner=word(""),
        fence=_run.c.fence + literal_column("1", Float),
    )
)


def keep_evidence(tx: Tx, lease: Lease, row: OutcomeRow) -> bool:
    """An outcome under a stale fence is kept as an attempt. Where it says that the effect happened and nobody
    knew, it settles the position, and whoever works on the run now has to begin again from there."""
    of: Params = {"client": lease.client, "run": lease.run}
    at: Params = {"run": lease.run, "node": row.node, "iteration": row.iteration}
    tx.one(HOLD, {"id": lease.run})
    attempt = {
        **of, **at, "number": row.attempts, "kind": "evidence", "result": str(row.state), "error": dump(row.error),
        "started_at": micros(row.started_at) if row.started_at else tx.now,
        "finished_at": micros(row.finished_at) if row.finished_at else tx.now,
        "input": dump({"fence": lease.fence, "owner": lease.owner}),
    }  # fmt: skip
    tx.run(ATTEMPT_ROW, attempt)
    if not row.happened or not _is_open(tx.one(_OPEN_QUESTION, at)):
        return False
    written = OUTCOME.write(replace(row, unread=True), **of)
    tx.run(OUTCOME_ROW, written)
    _many(tx, REFERENCE, references(lease.client, "run", lease.run, [written["output"]]))
    place = _place(lease, row)
    tx.run(SETTLED, place)
    tx.run(EXPECT_FROM_NOW, {**place, "now": tx.now})
    tx.run(RESOLVE_PLACE, {**place, "now": tx.now, "by": "orderly", "words": "its outcome came late: it happened"})
    tx.run(_TAKE_BACK, {"of": lease.run, "now": tx.now})
    return True


def _is_open(found: Any) -> bool:
    """Uncertain, or sent without a known end: then an outcome that says "done" is the truth."""
    if found is None:
        return False
    intent, outcome = found
    if outcome == OutcomeState.UNCERTAIN:
        return True
    return bool(intent == IntentState.OPEN and outcome in (None, OutcomeState.RETRYING))
