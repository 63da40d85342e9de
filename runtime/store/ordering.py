"""Runs of one key go one after the other: the first is free, the others are held until it is over for good."""

from __future__ import annotations

from sqlalchemy import bindparam, null, select, update

from runtime.model.run import FINISHED, Run
from runtime.store import tables
from runtime.store.statements import Statement, Tx, word
from runtime.store.store import Refused

_run = tables.run
_SAME_KEY = [
    _run.c.client == bindparam("client"),
    _run.c.flow == bindparam("flow"),
    _run.c.order_key == bindparam("order_key"),
]
_AHEAD = Statement(
    select(_run.c.id).where(*_SAME_KEY, _run.c.finished_at.is_(None)).order_by(_run.c.id.desc()).limit(1)
)
_NEXT = Statement(
    select(_run.c.id)
    .where(*_SAME_KEY, _run.c.state == word("held"), _run.c.held_by == word("order"))
    .order_by(_run.c.id)
    .limit(1)
)
_FREE = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"))
    .values(state=word("ready"), due_at=bindparam("now"), why=word(""), held_by=word(""))
)
_KEY = Statement(
    select(_run.c.client, _run.c.flow, _run.c.order_key).where(
        _run.c.id == bindparam("id"), _run.c.order_key.is_not(None)
    )
)
_OPEN_KEY = Statement(
    select(_run.c.client, _run.c.flow, _run.c.order_key).where(
        _run.c.id == bindparam("id"), _run.c.order_key.is_not(None), _run.c.finished_at.is_(None)
    )
)
_PASS = Statement(update(_run).where(_run.c.id == bindparam("of")).values(order_key=null()))


def ahead(tx: Tx, client: str, flow: str, order_key: str) -> str | None:
    """The last run of the key that is not over, which a new one has to wait for."""
    tx.lock(f"order:{client}:{flow}:{order_key}")
    row = tx.one(_AHEAD, {"client": client, "flow": flow, "order_key": order_key})
    return None if row is None else str(row[0])


def follow(tx: Tx, run: str) -> list[str]:
    """Lets the next run of the key go on, after this one is over; it is to be rung."""
    key = tx.one(_KEY, {"id": run})
    if key is None:
        return []
    client, flow, order_key = key
    tx.lock(f"order:{client}:{flow}:{order_key}")
    row = tx.one(_NEXT, {"client": client, "flow": flow, "order_key": order_key})
    if row is None:
        return []
    tx.run(_FREE, {"of": row[0], "now": tx.now})
    return [str(row[0])]


def hand_on(tx: Tx, run: str, order_key: str | None) -> bool:
    """The run is reprocessed: a successor of the same key takes its place in the line (then True), and one of
    another key leaves the line to those behind."""
    key = tx.one(_OPEN_KEY, {"id": run})
    if key is None:
        return False
    client, flow, old_key = key
    same = bool(old_key == order_key)
    if same:
        tx.lock(f"order:{client}:{flow}:{old_key}")
    else:
        follow(tx, run)
    tx.run(_PASS, {"of": run})
    return same


def step_aside(tx: Tx, run: Run) -> list[str]:
    """Takes the run at the head of its key out of it, so that those behind it need not wait; the next one is to be
    rung. Raises ``Refused`` where nobody waits for it in particular."""
    if run.state in FINISHED:
        raise Refused(f"run {run.id} is {run.state}: it is over, and nobody waits for it")
    if run.order_key is None:
        raise Refused(f"run {run.id} of {run.flow} is not kept in an order (order_by): nobody waits for it")
    if run.held_by == "order":
        raise Refused(f"run {run.id} stands in line itself: {run.why}; let that one step aside")
    ringing = follow(tx, run.id)
    tx.run(_PASS, {"of": run.id})
    return ringing
