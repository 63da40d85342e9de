"""After a restore nothing goes on by itself: what happened since the backup was made is known to the peers only.

Open runs are held until a person releases them, effects that were under way are uncertain, and control numbers
begin again well past those that may have been used since. Every run that is not over is marked: it may have gone on
after the backup, so an effect that must happen once is in doubt before it is first sent (``engine.effects``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, literal_column, null, select, update

from runtime.model.ids import new_id
from runtime.model.run import ExceptionRow, OutcomeRow, OutcomeState
from runtime.model.sought import Said
from runtime.store import batches, tables
from runtime.store.audit import keep, write_audit
from runtime.store.bound import Bound
from runtime.store.commits import OUTCOME_ROW
from runtime.store.people import write_exception
from runtime.store.runs import find
from runtime.store.shapes import OUTCOME, instant, load
from runtime.store.statements import Backend, Statement, Tx, word
from runtime.store.store import Refused

HOLDER = "restore"
_run, _intent, _outcome, _series = tables.run, tables.intent, tables.outcome, tables.control_series
_GOING = [word(state) for state in ("ready", "leased", "waiting", "uncertain")]

_CLIENTS = Statement(select(tables.client.c.id).order_by(tables.client.c.id))
_HOLD = Statement(
    update(_run)
    .where(
        _run.c.client == bindparam("of_client"),
        _run.c.state.in_(_GOING) | ((_run.c.state == word("held")) & (_run.c.held_by != word("order"))),
    )
    .values(
        state=word("held"), held_by=word(HOLDER), why=bindparam("words"), due_at=null(), owner=word(""),
        fence=_run.c.fence + literal_column("1", BigInteger),
    )
)  # fmt: skip
_UNDER_WAY = Statement(
    select(
        _intent.c.run, _intent.c.node, _intent.c.iteration, _intent.c.look_up, _run.c.flow,
        tables.release.c.content, _outcome.c.attempts,
    )
    .join_from(_intent, _run, _run.c.id == _intent.c.run)
    .outerjoin(
        _outcome,
        (_outcome.c.run == _intent.c.run)
        & (_outcome.c.node == _intent.c.node)
        & (_outcome.c.iteration == _intent.c.iteration),
    )
    .outerjoin(
        tables.release, (tables.release.c.client == _run.c.client) & (tables.release.c.hash == _run.c.release)
    )
    .where(
        _run.c.client == bindparam("client"), _run.c.state == word("held"), _run.c.held_by == word(HOLDER),
        _intent.c.state == word("open"), _intent.c.effect == word("once"),
        _outcome.c.state.is_(None) | (_outcome.c.state == word("retrying")),
    )
)  # fmt: skip


def _mark(dialect_insert: Any) -> Any:
    """Every run that is not over, those too that stand still: a redrive lets them go on."""
    open_runs = select(_run.c.client, _run.c.id, bindparam("now", type_=BigInteger)).where(
        _run.c.client == bindparam("of_client"), _run.c.finished_at.is_(None)
    )
    rows = dialect_insert(tables.restored).from_select(["client", "run", "at"], open_runs)
    return rows.on_conflict_do_update(index_elements=["run"], set_={"at": rows.excluded.at})


_MARK = Statement(_mark)
#: What was in doubt before is in doubt from now on, once and not twice.
_DOUBT_FROM_NOW = Statement(
    update(_intent)
    .where(
        _intent.c.client == bindparam("of_client"), _intent.c.state == word("open"),
        _intent.c.effect == word("once"),
    )
    .values(opened_at=bindparam("now"))
)  # fmt: skip
_SKIP = Statement(
    update(_series)
    .where(_series.c.client == bindparam("of_client"))
    .values(number=_series.c.number + bindparam("distance", type_=BigInteger))
)
_SIGN_OUT = Statement(delete(tables.session).where(tables.session.c.client == bindparam("client")))
_RELEASE = Statement(
    update(_run)
    .where(_run.c.id == bindparam("of"), _run.c.state == word("held"), _run.c.held_by == word(HOLDER))
    .values(state=word("ready"), due_at=bindparam("now"), why=word(""), held_by=word(""))
)


@dataclass(frozen=True)
class Held:
    """Of one client: runs that are held, effects that are uncertain, and control number series that jumped."""

    client: str
    held: int
    uncertain: int
    series: int


def hold(backend: Backend, *, backup: str, distance: int, by: str) -> list[Held]:
    """To be called once, before anything goes on, on a store that was brought back from a backup of that name;
    ``distance`` is how far control numbers jump. One unit, audited for each client."""

    def unit(tx: Tx) -> list[Held]:
        clients = [row[0] for row in tx.all(_CLIENTS)]
        return [_hold(tx, client, backup, distance, by) for client in clients]

    return backend.transact(unit)


def _hold(tx: Tx, client: str, backup: str, distance: int, by: str) -> Held:
    words = f"restored from {backup}: look at the peers, then release it"
    held = tx.run(_HOLD, {"of_client": client, "words": words})
    tx.run(_MARK, {"of_client": client, "now": tx.now})
    uncertain = tx.all(_UNDER_WAY, {"client": client})
    for row in uncertain:
        _doubt(tx, client, row)
    tx.run(_DOUBT_FROM_NOW, {"of_client": client, "now": tx.now})
    series = tx.run(_SKIP, {"of_client": client, "distance": distance})
    tx.run(_SIGN_OUT, {"client": client})
    batches.hold(tx, client)
    done = Held(client, held, len(uncertain), series)
    details = {"backup": backup, "held": held, "uncertain": len(uncertain), "series": series, "distance": distance}
    write_audit(tx, client, by, "restore.made", "backup", details)
    return done


def _doubt(tx: Tx, client: str, row: Any) -> None:
    """It is looked up when the run is released; where nobody can be asked, a person is, at once."""
    run, node, iteration, look_up, flow, release, attempts = row
    why = "the data were restored from a backup that was made after it began and before it ended"
    error = {"type": "OutcomeUnknown", "message": why, "node": node}
    due = instant(tx.now) if look_up is not None else None
    doubt = OutcomeRow(
        node, iteration, OutcomeState.UNCERTAIN, "uncertain", error=error, attempts=attempts or 1, due_at=due,
        started_at=instant(tx.now),
    )  # fmt: skip
    tx.run(OUTCOME_ROW, OUTCOME.write(doubt, client=client, run=run))
    if look_up is None:
        owner = ((load(release) or {}).get("flow") or {}).get("owner", "")
        message = f"Did {node} happen? Nobody can say by machine: {why}"
        exception = ExceptionRow("uncertain", owner, message, node, iteration, run=run, flow=flow, id=new_id())
        write_exception(tx, client, exception)


class Restored(Bound):
    """A client's runs that a restore holds; all at once are let go by ``let_go("restore")``."""

    def release(self, run: str, said: Said | None = None) -> None:
        """The run is ready, and what was ``said`` is in the audit, by one commit. Raises ``NotFound``, and
        ``Refused`` where no restore holds it."""

        def unit(tx: Tx) -> None:
            known = find(tx, self.client, run)
            if not tx.run(_RELEASE, {"of": run, "now": tx.now}):
                raise Refused(
                    f"run {run} is {known.state}{_holder(known.held_by)}: only runs that are held since a restore"
                    " are released; redrive it, or resume its connection"
                )
            batches.let_go(tx, self.client, run)
            keep(tx, self.client, said, "run.released", run)

        self._backend.transact(unit)


def _holder(held_by: str) -> str:
    return f", held by {held_by}" if held_by else ""
