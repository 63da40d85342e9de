"""Who may advance a run, and until when."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Integer, bindparam, func, literal_column, select, tuple_, update

from runtime.model.run import LANES, Lease
from runtime.store import tables
from runtime.store.statements import Statement, Tx, word

_run, _expectation, _approval = tables.run, tables.expectation, tables.approval
RUNNABLE = [word("ready"), word("waiting"), word("uncertain"), word("leased")]
_ONE = literal_column("1", Integer)

#: To be ready is no matter of time: a clock that was set back since keeps no such run waiting.
_ACQUIRE = Statement(
    update(_run)
    .where(
        _run.c.id == bindparam("of"),
        (_run.c.due_at <= bindparam("now")) | (_run.c.state == word("ready")),
        _run.c.state.in_(RUNNABLE),
    )
    .values(
        state=word("leased"),
        owner=bindparam("owner"),
        due_at=bindparam("until"),
        fence=_run.c.fence + _ONE,
        seen=_run.c.signals,
    )
    .returning(_run.c.client, _run.c.fence)
)
#: Nobody else changes the run until the unit that asks this has ended.
HOLD = Statement(select(_run.c.state).where(_run.c.id == bindparam("id")).with_for_update())
_DUE = Statement(
    select(_run.c.id)
    .where(
        _run.c.lane == bindparam("lane"),
        _run.c.due_at <= bindparam("now"),
        _run.c.state.in_(RUNNABLE),
        (_run.c.state != word("ready")) | (_run.c.due_at <= bindparam("long_ago", type_=tables.Time())),
    )
    .order_by(_run.c.due_at, _run.c.id)
    .limit(bindparam("most", type_=Integer))
)
_NEXT_RUN = Statement(
    select(func.min(_run.c.due_at)).where(
        _run.c.lane == bindparam("lane"), _run.c.due_at.is_not(None), _run.c.state.in_(RUNNABLE)
    )
)
_LANE = Statement(select(_run.c.lane).where(_run.c.id == bindparam("id")))
_NEXT_EXPECTATION = Statement(
    select(func.min(_expectation.c.due_at)).where(
        _expectation.c.state == word("open"), _expectation.c.due_at.is_not(None)
    )
)
_NEXT_APPROVAL = Statement(
    select(func.min(_approval.c.due_at)).where(_approval.c.state == word("open"), _approval.c.due_at.is_not(None))
)

_END_ALL = Statement(
    update(_run)
    .where(_run.c.state.in_([word("leased"), word("ready")]), _run.c.due_at > bindparam("now"))
    .values(due_at=bindparam("now"))
)


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)


def until(tx: Tx, seconds: float) -> int:
    """When a lease taken or extended now ends."""
    return tx.now + _micros(seconds)


def acquire(tx: Tx, run: str, owner: str, seconds: float, early: int = 0) -> Lease | None:
    """``early``: by how many microseconds what is not due yet may be taken all the same."""
    row = tx.one(_ACQUIRE, {"of": run, "owner": owner, "now": tx.now + early, "until": until(tx, seconds)})
    return None if row is None else Lease(run, row[0], owner, row[1])


def extend(tx: Tx, leases: Sequence[Lease], seconds: float) -> list[Lease]:
    held = [(lease.run, lease.fence) for lease in leases]
    statement = Statement(
        update(_run)
        .where(_run.c.state == word("leased"), tuple_(_run.c.id, _run.c.fence).in_(held))
        .values(due_at=until(tx, seconds))
        .returning(_run.c.id)
    )
    kept = {row[0] for row in tx.all(statement)}
    return [lease for lease in leases if lease.run in kept]


def end_all(tx: Tx) -> int:
    """For a store that one process has at a time, as it opens: whoever held a lease is gone, and what is ready is
    due, also where the clock was set back."""
    return tx.run(_END_ALL, {"now": tx.now})


def due(tx: Tx, limit: int, grace: float, lanes: Sequence[str]) -> list[str]:
    times = {"now": tx.now, "long_ago": tx.now - _micros(grace), "most": limit}
    return [row[0] for lane in lanes for row in tx.all(_DUE, {**times, "lane": lane})]


def lane(tx: Tx, run: str) -> str:
    row = tx.one(_LANE, {"id": run})
    return row[0] if row else ""


def next_due(tx: Tx) -> int | None:
    asked = [tx.one(_NEXT_RUN, {"lane": lane}) for lane in LANES]
    asked += [tx.one(question) for question in (_NEXT_EXPECTATION, _NEXT_APPROVAL)]
    return min((row[0] for row in asked if row and row[0] is not None), default=None)
