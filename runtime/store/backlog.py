"""How much work stands in line."""

from __future__ import annotations

from sqlalchemy import Integer, bindparam, func, literal_column, select

from runtime.store import tables
from runtime.store.leases import RUNNABLE
from runtime.store.statements import Backend, Statement

_run = tables.run
_SOME = (
    select(literal_column("1", Integer))
    .where(_run.c.lane == bindparam("lane"), _run.c.due_at <= bindparam("now"), _run.c.state.in_(RUNNABLE))
    .limit(bindparam("most", type_=Integer))
    .subquery()
)
_COUNT = Statement(select(func.count()).select_from(_SOME))


def due_runs(backend: Backend, lane: str, most: int) -> int:
    """Runs of all clients in that lane that may be advanced now, counted up to ``most``."""
    row = backend.read(lambda tx: tx.one(_COUNT, {"lane": lane, "now": tx.now, "most": most}))
    return int(row[0]) if row else 0
