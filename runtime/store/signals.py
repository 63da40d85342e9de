"""What wakes a waiting run: events that meet timers, finished children, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Integer, bindparam, case, literal_column, select, update

from runtime.store import tables
from runtime.store.references import REFERENCE, references
from runtime.store.shapes import dump, instant, load
from runtime.store.statements import Statement, Tx, insert, word

_run, _timer, _expectation, _event = tables.run, tables.timer, tables.expectation, tables.event
_call, _exception = tables.call, tables.exception
_ONE: Any = literal_column("1", Integer)

_SIGNAL = Statement(
    update(_run)
    .where(_run.c.id == bindparam("id"))
    .values(
        signals=_run.c.signals + _ONE,
        state=case((_run.c.state == word("waiting"), word("ready")), else_=_run.c.state),
        due_at=case(
            (_run.c.state.in_([word("waiting"), word("uncertain")]), bindparam("now")), else_=_run.c.due_at
        ),
    )
    .returning(_run.c.state)
)
_PUBLISH = insert(_event, omit=["position"])
_FIRE = Statement(
    update(_timer)
    .where(
        _timer.c.client == bindparam("of_client"),
        _timer.c.event_type == bindparam("type"),
        _timer.c.event_key == bindparam("key"),
        _timer.c.state == word("open"),
    )
    .values(state=word("fired"), event=bindparam("event"))
    .returning(_timer.c.run)
)
_MEET = Statement(
    update(_expectation)
    .where(
        _expectation.c.client == bindparam("of_client"),
        _expectation.c.event_type == bindparam("type"),
        _expectation.c.event_key == bindparam("key"),
        _expectation.c.state.in_([word("open"), word("overdue")]),
    )
    .values(state=word("met"))
    .returning(_expectation.c.id)
)
_MOVE = Statement(
    update(_expectation)
    .where(
        _expectation.c.client == bindparam("of_client"),
        _expectation.c.event_type == bindparam("type"),
        _expectation.c.event_key == bindparam("key"),
        _expectation.c.run != bindparam("by"),
        _expectation.c.state.in_([word("open"), word("overdue")]),
    )
    .values(state=word("moved"))
    .returning(_expectation.c.id)
)
_ARRIVED = Statement(
    update(_exception)
    .where(
        _exception.c.client == bindparam("of_client"),
        _exception.c.state == word("open"),
        _exception.c.expectation == bindparam("met"),
    )
    .values(
        state=word("resolved"),
        resolved_at=bindparam("now"),
        resolved_by=word("orderly"),
        note=bindparam("words"),
    )
)
_EARLIER = Statement(
    select(_event.c.id, _event.c.type, _event.c.key, _event.c.data, _event.c.run, _event.c.node, _event.c.at)
    .where(
        _event.c.client == bindparam("client"),
        _event.c.type == bindparam("type"),
        _event.c.key == bindparam("key"),
        _event.c.at >= bindparam("since"),
    )
    .order_by(_event.c.position)
    .limit(_ONE)
)
_CALLERS = Statement(
    select(_call.c.run).where(_call.c.child == bindparam("child"), _call.c.waits == _ONE).distinct()
)


def signal(tx: Tx, runs: Iterable[str]) -> list[str]:
    """Counts a signal at each run; returns those that it made ready."""
    ringing = []
    for id in dict.fromkeys(runs):
        row = tx.one(_SIGNAL, {"id": id, "now": tx.now})
        if row is not None and row[0] == "ready":
            ringing.append(id)
    return ringing


def callers(tx: Tx, child: str) -> list[str]:
    """Runs that wait for this one to end."""
    return [row[0] for row in tx.all(_CALLERS, {"child": child})]


def meet(tx: Tx, event: dict[str, Any]) -> list[str]:
    """Meets what expects the event (parameters of the table, without its position) and fires the timers that
    wait for it. Returns the runs to signal. The unit that calls this ends with ``append``."""
    _lock(tx, event["client"], event["type"], event["key"])
    name = {"of_client": event["client"], "type": event["type"], "key": event["key"]}
    for met in tx.all(_MEET, name):
        told = {"now": tx.now, "words": "what was missing has arrived"}
        tx.run(_ARRIVED, {"of_client": event["client"], "met": met[0], **told})
    arrived = _arrival(*(event[column] for column in ("id", "type", "key", "data", "run", "node", "at")))
    return [row[0] for row in tx.all(_FIRE, {**name, "event": arrived})]


def move(tx: Tx, row: dict[str, Any]) -> None:
    """What other runs expect of its event and key is expected of this one now; nobody is late any more."""
    _lock(tx, row["client"], row["event_type"], row["event_key"])
    name = {"of_client": row["client"], "type": row["event_type"], "key": row["event_key"], "by": row["run"]}
    for moved in tx.all(_MOVE, name):
        told = {"now": tx.now, "words": "it is expected by another time now"}
        tx.run(_ARRIVED, {"of_client": row["client"], "met": moved[0], **told})


def append(tx: Tx, events: Sequence[dict[str, Any]]) -> None:
    """Events of one client, as the last thing that a unit does.

    From here to the end of the unit nobody else of the client gets a position, so that positions become visible
    in their order and a subscription skips none that commits late. Nothing else is asked for under this lock,
    so that it is held no longer than the commit takes and cannot be part of a deadlock.
    """
    if events:
        tx.lock(f"events:{events[0]['client']}")
        tx.many(_PUBLISH, events)
        for event in events:
            if named := references(event["client"], "event", event["id"], [event["data"]]):
                tx.many(REFERENCE, named)


def earlier(tx: Tx, client: str, type: str, key: str, since: int) -> str | None:
    """The first such event since then, as a timer keeps it. What waits for it is written before this is asked."""
    _lock(tx, client, type, key)
    row = tx.one(_EARLIER, {"client": client, "type": type, "key": key, "since": since})
    return None if row is None else _arrival(*row)


def _lock(tx: Tx, client: str, type: str, key: str) -> None:
    """An event and what waits for it, in two units at once, would miss each other: one comes after the other."""
    tx.lock(f"event:{client}:{type}:{key}")


def _arrival(id: str, type: str, key: str, data: str | None, run: str, node: str, at: int) -> str | None:
    when = instant(at).isoformat()
    return dump({"id": id, "type": type, "key": key, "data": load(data), "run": run, "node": node, "at": when})
