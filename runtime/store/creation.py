"""A new run and its message, under the identity rule; every door goes through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, bindparam, select, update

from runtime.model.ids import new_id
from runtime.model.run import Carry, Created, Lease, NewRun, RunState, source_cursor
from runtime.store import carrying, tables
from runtime.store.carrying import NOTHING
from runtime.store.leases import until
from runtime.store.ordering import ahead, hand_on
from runtime.store.references import REFERENCE, references
from runtime.store.shapes import dump
from runtime.store.statements import Statement, Tx, insert, word
from runtime.store.store import IdentityConflict, NotFound, Refused

PUT_CURSOR = insert(tables.cursor, otherwise="replace")
_RUN = insert(tables.run)
_MESSAGE = insert(tables.message)
_IDENTITY = insert(tables.identity, otherwise="ignore")
KEYS = insert(tables.business_key, otherwise="replace")
#: Replaced by the same bytes, because that holds the row: nobody removes it while this unit says that it is needed.
_SMALL_BLOB = insert(tables.small_blob, otherwise="replace")
_FIRST = Statement(
    select(tables.identity.c.run, tables.identity.c.digest, tables.run.c.state)
    .outerjoin_from(tables.identity, tables.run, tables.run.c.id == tables.identity.c.run)
    .where(
        tables.identity.c.client == bindparam("client"),
        tables.identity.c.flow == bindparam("flow"),
        tables.identity.c.identity == bindparam("identity"),
    )
)
_TAKE_OVER = Statement(
    update(tables.identity)
    .where(
        tables.identity.c.client == bindparam("of_client"),
        tables.identity.c.flow == bindparam("of_flow"),
        tables.identity.c.identity == bindparam("of_identity"),
    )
    .values(run=bindparam("run"), digest=bindparam("digest"), created_at=bindparam("created_at"))
)
_old = select(tables.run.c.state).where(
    tables.run.c.client == bindparam("client"), tables.run.c.id == bindparam("id")
)
_OLD = Statement(_old)
_OLD_TO_CHANGE = Statement(_old.with_for_update())
_restored = tables.restored
#: What a restored run did before it was restored may have been done by a run that it started: nobody knows.
_INHERIT = Statement(
    _restored.insert().from_select(
        ["client", "run", "at"],
        select(_restored.c.client, bindparam("heir", type_=Text), _restored.c.at).where(
            _restored.c.run == bindparam("of")
        ),
    )
)
SUCCESSOR = Statement(select(tables.run.c.id).where(tables.run.c.reprocess_of == bindparam("run")))
_HAND_ON = Statement(
    update(tables.call).where(tables.call.c.child == bindparam("of")).values(child=bindparam("successor"))
)
RESOLVE = Statement(
    update(tables.exception)
    .where(tables.exception.c.run == bindparam("of"), tables.exception.c.state == word("open"))
    .values(
        state=word("resolved"), resolved_at=bindparam("now"), resolved_by=bindparam("by"), note=bindparam("words")
    )
)
_STAND_STILL = {RunState.DEAD, RunState.EXCEPTION, RunState.DONE, RunState.CANCELLED}


@dataclass(frozen=True)
class Entry:
    """A run ready to be written: everything encoded before the writer has it in hand."""

    new: NewRun
    run: dict[str, Any]
    message: dict[str, Any]
    keys: Sequence[dict[str, Any]]
    blobs: Sequence[dict[str, Any]]
    cursor: Mapping[str, Any] | None = None


def entry(client: str, new: NewRun) -> Entry:
    """Raises ``ValueError`` where the body is not JSON (NaN, infinity)."""
    run, message = new_id(), new_id()
    caller = new.caller
    row = {
        "id": run, "client": client, "flow": new.flow, "version": new.version, "release": new.release,
        "message": message, "state": "ready", "source": new.source, "identity": new.identity,
        "finished_at": None, "why": "", "outcome": None, "reply": None,
        "caller_run": caller and caller.run, "caller_node": caller and caller.node,
        "caller_iteration": caller and caller.iteration, "caller_waits": int(caller.waits) if caller else None,
        "reprocess_of": new.reprocess_of, "fence": 0, "signals": 0, "seen": 0, "owner": "", "held_by": "",
        "order_key": new.order_key, "lane": new.lane,
    }  # fmt: skip
    stored = {
        "id": message, "client": client, "raw": new.raw, "content_type": new.content_type,
        "headers": dump(new.headers), "body": dump(new.body), "digest": new.digest,
    }  # fmt: skip
    keys = [{"client": client, "run": run, "name": name, "value": value} for name, value in new.keys]
    blobs = list(references(client, "run", run, [stored["body"]]))
    if new.raw is not None:
        blobs.append({"client": client, "blob": new.raw, "kind": "message", "owner": message})
    return Entry(new, row, stored, keys, blobs, cursor_row(client, new.flow, new.cursor))


def cursor_row(client: str, flow: str, value: Any) -> dict[str, Any] | None:
    """How far the poll of a flow has come, where the message says it."""
    return None if value is None else {"client": client, "name": source_cursor(flow), "value": dump(value)}


def put_cursor(tx: Tx, row: Mapping[str, Any] | None) -> None:
    if row is not None:
        tx.run(PUT_CURSOR, {**row, "changed_at": tx.now})


def create(tx: Tx, entry: Entry, owner: str = "", seconds: float = 0.0) -> Created:
    """Writes the run, leased to ``owner`` if there is one, or finds the first one of its identity.

    Raises ``IdentityConflict``, and ``Refused`` or ``NotFound`` where it would reprocess a run that must not be."""
    new, run, at = entry.new, entry.run, tx.now
    put_cursor(tx, entry.cursor)
    if new.reprocess_of is not None:
        check_reprocess(tx, run["client"], new.reprocess_of, new.carry or NOTHING, to_change=True)
    if new.identity is not None and (first := _claim(tx, entry)) is not None:
        return first
    tx.many(_MESSAGE, [{**entry.message, "created_at": at}])
    in_place = new.reprocess_of is not None and _takes_over(tx, new.reprocess_of, new, run["id"])
    lines_up = new.order_key is not None and not in_place
    before = ahead(tx, run["client"], new.flow, str(new.order_key)) if lines_up else None
    if before is not None:
        how: dict[str, Any] = {**_behind(before, new), "due_at": None}
    elif owner:
        how = {"state": "leased", "fence": 1, "owner": owner, "due_at": until(tx, seconds)}
    else:
        how = {"due_at": at}
    if new.reprocess_of is not None and new.carry is not None:
        how |= carrying.take_over(tx, run["client"], new.reprocess_of, run["id"], new.carry)
    tx.many(_RUN, [{**run, **how, "created_at": at, "checkpoint_at": at}])
    if (parent := new.reprocess_of or (new.caller and new.caller.run)) is not None:
        tx.many(_INHERIT, [{"heir": run["id"], "of": parent}])
    if entry.keys:
        tx.many(KEYS, entry.keys)
    if entry.blobs:
        tx.many(REFERENCE, entry.blobs)
    if new.raw is not None and new.raw_bytes is not None:
        tx.many(_SMALL_BLOB, [{"client": run["client"], "blob": new.raw, "bytes": new.raw_bytes}])
    state = RunState(how.get("state", RunState.READY))
    lease = Lease(run["id"], run["client"], owner, 1) if state is RunState.LEASED else None
    return Created(run["id"], False, state, lease, new.lane)


def _takes_over(tx: Tx, old: str, new: NewRun, run: str) -> bool:
    """Whoever waits for the old run waits for the new one, and nobody works on the old one's exceptions any more.
    True where the new one stands where the old one did among the runs of its key."""
    tx.run(_HAND_ON, {"of": old, "successor": run})
    words = f"the run was reprocessed as {run}"
    tx.run(RESOLVE, {"of": old, "now": tx.now, "by": "orderly", "words": words})
    return hand_on(tx, old, new.order_key)


def _behind(before: str, new: NewRun) -> dict[str, str]:
    """A later run of the same key stands still until the one before it is over, or a person passes it."""
    why = f"waits for run {before}, which is of the same key {new.order_key}"
    return {"state": "held", "held_by": "order", "why": why}


def _claim(tx: Tx, entry: Entry) -> Created | None:
    """Takes the identity for the new run; else the run that has it."""
    new, run = entry.new, entry.run
    name = {"client": run["client"], "flow": new.flow, "identity": new.identity}
    row = {**name, "run": run["id"], "digest": new.digest, "created_at": tx.now}
    if tx.run(_IDENTITY, row):
        return None
    known = tx.one(_FIRST, name)
    assert known is not None
    first, digest, state = known
    if new.reprocess_of is not None and first == new.reprocess_of:
        old = {f"of_{column}": value for column, value in name.items()}
        tx.run(_TAKE_OVER, {**old, "run": run["id"], "digest": new.digest, "created_at": tx.now})
        return None
    if digest != new.digest:
        raise IdentityConflict(str(new.identity), first)
    return Created(first, True, RunState(state or RunState.DONE))


def check_reprocess(tx: Tx, client: str, id: str, carry: Carry = NOTHING, *, to_change: bool = False) -> None:
    """Raises ``NotFound``, ``Refused``."""
    row = tx.one(_OLD_TO_CHANGE if to_change else _OLD, {"client": client, "id": id})
    if row is None:
        raise NotFound(f"run {id} is not known to client {client}, so it cannot be reprocessed")
    if row[0] not in _STAND_STILL:
        raise Refused(f"run {id} is {row[0]} and may still go on: cancel it before it is reprocessed")
    if (successor := tx.one(SUCCESSOR, {"run": id})) is not None:
        raise Refused(f"run {id} was reprocessed before, as {successor[0]}: go on with that one")
    carrying.check(tx, id, carry)
