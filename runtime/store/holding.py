"""Runs that somebody keeps from going on: a paused connection, a restore."""

from __future__ import annotations

from sqlalchemy import bindparam, update

from runtime.store import tables
from runtime.store.statements import Statement, Tx, word

_run = tables.run
_HELD = Statement(
    update(_run)
    .where(
        _run.c.client == bindparam("of_client"), _run.c.state == word("held"), _run.c.held_by == bindparam("holder")
    )
    .values(state=word("ready"), due_at=bindparam("now"), why=word(""), held_by=word(""))
    .returning(_run.c.id)
)
#: Those that wait for a pause to end by itself.
_TIMED = Statement(
    update(_run)
    .where(
        _run.c.client == bindparam("of_client"), _run.c.state == word("waiting"),
        _run.c.held_by == bindparam("holder"),
    )
    .values(state=word("ready"), due_at=bindparam("now"), why=word(""), held_by=word(""))
    .returning(_run.c.id)
)  # fmt: skip
_UNTIL = Statement(
    update(_run)
    .where(
        _run.c.client == bindparam("of_client"), _run.c.state == word("held"), _run.c.held_by == bindparam("holder")
    )
    .values(state=word("waiting"), due_at=bindparam("until"))
)


def let_go(tx: Tx, client: str, holder: str) -> list[str]:
    """All of them become ready; oldest first."""
    at = {"of_client": client, "holder": holder, "now": tx.now}
    return sorted(row[0] for statement in (_HELD, _TIMED) for row in tx.all(statement, at))


def hold_until(tx: Tx, client: str, holder: str, until: int) -> None:
    """Those that are held go on by themselves at that time."""
    tx.run(_UNTIL, {"of_client": client, "holder": holder, "until": until})
