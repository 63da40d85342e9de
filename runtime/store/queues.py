"""What stands before one connection: runs that wait to reach it, and runs that came by it and wait for a worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select

from runtime.model.run import LANES
from runtime.store import tables
from runtime.store.leases import RUNNABLE
from runtime.store.shapes import instant
from runtime.store.statements import Backend, Row, Statement, word

_run = tables.run
_OUT = [
    Statement(
        select(func.count(), func.min(_run.c.created_at)).where(
            _run.c.client == bindparam("client"),
            _run.c.state == word(state),
            _run.c.held_by != word(""),
            _run.c.held_by == bindparam("holder"),
        )
    )
    for state in ("held", "waiting")
]
#: By lane, as the index of what is due has them, and by no other index (hence the concatenation): a flow may have
#: any number of runs that are over.
_IN = Statement(
    select(func.count(), func.min(_run.c.due_at)).where(
        _run.c.lane.in_([word(lane) for lane in LANES]), _run.c.due_at <= bindparam("now"),
        _run.c.state.in_(RUNNABLE), _run.c.client + word("") == bindparam("client"),
        _run.c.flow + word("") == bindparam("flow"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Queue:
    """``depth`` runs; ``since``: when the oldest of them came, or came due."""

    depth: int = 0
    since: datetime | None = None

    def __add__(self, other: Queue) -> Queue:
        known = [at for at in (self.since, other.since) if at is not None]
        return Queue(self.depth + other.depth, min(known, default=None))


def before_it(backend: Backend, client: str, connection: str) -> Queue:
    """Runs of any flow that are not let through to that peer: paused, out, or busy."""
    given = {"client": client, "holder": f"connection:{connection}"}
    return _sum(backend.read(lambda tx: [tx.one(statement, given) for statement in _OUT]))


def behind_it(backend: Backend, client: str, flows: Iterable[str]) -> Queue:
    """Runs of these flows that may go on now and have no worker."""
    return _sum(
        backend.read(lambda tx: [tx.one(_IN, {"client": client, "flow": flow, "now": tx.now}) for flow in flows])
    )


def _sum(rows: Iterable[Row | None]) -> Queue:
    found = [Queue(int(row[0]), instant(row[1])) for row in rows if row is not None and row[0]]
    return sum(found, Queue())
