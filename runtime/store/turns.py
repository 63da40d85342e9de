"""Runs that wait for a connection come in turn."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Integer, bindparam, select, update

from runtime.store import tables
from runtime.store.statements import Statement, Tx, word

_run = tables.run
OLDEST = Statement(
    select(_run.c.id, _run.c.lane)
    .where(
        _run.c.client == bindparam("client"),
        _run.c.held_by == bindparam("holder"),
        _run.c.state == word("waiting"),
        _run.c.held_by != word(""),
        _run.c.due_at > bindparam("due"),
    )
    .order_by(_run.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_COME = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"), _run.c.state == word("waiting"))
    .values(due_at=bindparam("due"))
)


def next_in_line(tx: Tx, client: str, holder: str, most: int, due: int | None) -> Sequence[tuple[str, str]]:
    """Id and lane of the oldest that would come later; they come at ``due``, or now."""
    when = tx.now if due is None else due
    found = tx.all(OLDEST, {"client": client, "holder": holder, "due": when, "most": most})
    if found:
        tx.many(_COME, [{"of": id, "due": when} for id, _ in found])
    return [(id, lane) for id, lane in found]
