"""What became of what was written: sent or void, acknowledged in time or overdue; and so its control numbers.

A run that ended without an effect, an event or an answer after it was given a number has sent nothing: what it
wrote and its numbers are void. Where something went out afterwards, whatever it was, they are sent: none is called
void that a partner may have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from runtime.model.run import ExceptionRow
from runtime.store import tables
from runtime.store.people import write_exception
from runtime.store.shapes import instant, load
from runtime.store.statements import Statement, Tx, word

#: States of what was sent in which a functional acknowledgement is still to come.
WAITING = ("written", "sent", "arrived")
#: The exception's kind.
OVERDUE = "acknowledgement_overdue"

_out, _set, _number = tables.interchange, tables.interchange_set, tables.control_number
_intent, _outcome, _run, _call = tables.intent, tables.outcome, tables.run, tables.call
_event = tables.event
_child, _expectation, _exception = _run.alias("child"), tables.expectation, tables.exception
_NOW = bindparam("now", type_=BigInteger)
_MOST = bindparam("most", type_=Integer)
_NOTHING: Any = literal_column("NULL", BigInteger)


def _went_out(table: Any, at: Any) -> ColumnElement[bool]:
    """Whether the run did anything at a peer, called a run or published an event since then, or answered whoever
    sent or called it; the effect that the row belongs to began before."""
    mine = and_(_intent.c.node == table.c.node, _intent.c.iteration == table.c.iteration)
    tried = exists(
        select(_intent.c.run).where(
            _intent.c.run == table.c.run, _intent.c.state != word("not_done"), or_(_intent.c.opened_at >= at, mine)
        )
    )
    called = exists(
        select(_call.c.run)
        .join_from(_call, _child, _child.c.id == _call.c.child)
        .where(_call.c.run == table.c.run, _child.c.created_at >= at)
    )
    told = exists(select(_event.c.run).where(_event.c.run == table.c.run, _event.c.at >= at))
    handed_back = exists(
        select(_run.c.id).where(
            _run.c.id == table.c.run,
            or_(_run.c.reply.is_not(None), and_(_run.c.caller_waits == 1, _run.c.state == word("done"))),
        )
    )
    return or_(tried, called, told, handed_back)


def _ended(table: Any) -> ColumnElement[bool]:
    return exists(
        select(_run.c.id).where(_run.c.id == table.c.run, _run.c.state.in_([word("done"), word("cancelled")]))
    )


_written = and_(_out.c.direction == word("out"), _out.c.state == word("written"))
_given = _number.c.state == word("given")
#: When an effect that was handed these very bytes was begun, of those that happened.
_delivered: Any = (
    select(func.min(_intent.c.opened_at))
    .join_from(
        _intent,
        _outcome,
        and_(
            _outcome.c.run == _intent.c.run, _outcome.c.node == _intent.c.node,
            _outcome.c.iteration == _intent.c.iteration, _outcome.c.state == word("done"),
        ),
    )
    .where(_intent.c.run == _out.c.run, _intent.c.parameters.contains(_out.c.blob))
    .correlate(_out)
    .scalar_subquery()
)  # fmt: skip
_gone = ~exists(select(_run.c.id).where(_run.c.id == _out.c.run))
_was_sent = or_(_delivered.is_not(None), _gone, and_(_ended(_out), _went_out(_out, _out.c.at)))
_in_ledger = exists(
    select(_out.c.id).where(
        *(_out.c[name] == _number.c[name] for name in ("client", "run", "node", "iteration")),
        _out.c.direction == word("out"), _out.c.state.not_in([word("written"), word("void")]),
    )
)  # fmt: skip
_sent_at = func.coalesce(_delivered, _NOW)

_SEND = Statement(
    update(_out)
    .where(_out.c.id == bindparam("of"), _written, _was_sent)
    .values(
        state=word("sent"), sent_at=_sent_at, changed_at=_NOW,
        due_at=case((_out.c.overdue_at.is_(None), _sent_at + _out.c.within), else_=_NOTHING),
    )
)  # fmt: skip
_VOID = Statement(
    update(_out)
    .where(_out.c.id == bindparam("of"), _written, _ended(_out))
    .values(state=word("void"), changed_at=_NOW)
)
_NUMBERS = Statement(
    update(_number)
    .where(_number.c.run == bindparam("of"), _given, or_(_ended(_number), _in_ledger))
    .values(
        state=case((or_(_in_ledger, _went_out(_number, _number.c.created_at)), word("sent")), else_=word("void"))
    )
)
_CLEAR = Statement(select(_out.c.id, _out.c.run).where(_written, or_(_was_sent, _ended(_out))).limit(_MOST))
_CLEAR_NUMBERS = Statement(
    select(_number.c.run).where(_given, or_(_ended(_number), _in_ledger)).distinct().limit(_MOST)
)


def _its_expectations(*columns: Any) -> Any:
    """What the run expects as acknowledgement of the interchange, by the key that ``write`` puts out."""
    key, slash = _expectation.c.event_key, word("/")
    group = exists(
        select(_set.c.interchange).where(
            _set.c.interchange == _out.c.id, _set.c.group_number != word(""),
            key == _out.c.partner.concat(slash).concat(_set.c.group_number),
        )
    )  # fmt: skip
    return (
        select(*columns)
        .where(
            _expectation.c.client == _out.c.client, _expectation.c.run == _out.c.run,
            or_(key == _out.c.partner.concat(slash).concat(_out.c.number), group),
        )
        .correlate(_out)
    )  # fmt: skip


_expected = _its_expectations(func.min(_expectation.c.due_at)).scalar_subquery()
_overdue = _its_expectations(_expectation.c.id).where(_expectation.c.state == word("overdue")).exists()


_waits: ColumnElement[bool] = and_(
    _out.c.direction == word("out"), _out.c.state.in_([word(state) for state in WAITING])
)
#: The business answer came, and what its node expects before it did not.
_passed: ColumnElement[bool] = and_(_out.c.direction == word("out"), _out.c.state == word("acknowledged"), _overdue)
#: Whether what was sent is overdue: by its partner's profile, or by what its node expects.
is_overdue: ColumnElement[bool] = or_(and_(_waits, or_(_out.c.overdue_at.is_not(None), _overdue)), _passed)
#: When the acknowledgement was, or is, due, while it is waited for.
due_at = case((or_(_waits, _passed), func.coalesce(_out.c.overdue_at, _out.c.due_at, _expected)), else_=_NOTHING)
_ALERTS = Statement(
    select(_exception.c.id)
    .join_from(_exception, _out, _exception.c.run == _out.c.run)
    .where(
        _out.c.client == bindparam("client"), _out.c.id == bindparam("id"),
        or_(
            _exception.c.expectation == _out.c.id,
            _exception.c.expectation.in_(_its_expectations(_expectation.c.id)),
        ),
    )
    .order_by(_exception.c.id)
)  # fmt: skip

_TOLD = ("id", "client", "run", "node", "iteration", "flow", "partner", "standard", "usage", "number", "sent_at",
         "due_at", "within")  # fmt: skip
_LATE = Statement(
    select(*(_out.c[name] for name in _TOLD), _expected, tables.release.c.content)
    .join_from(_out, _run, _run.c.id == _out.c.run, isouter=True)
    .outerjoin(
        tables.release, (tables.release.c.client == _run.c.client) & (tables.release.c.hash == _run.c.release)
    )
    .where(_out.c.due_at.is_not(None), _out.c.due_at <= _NOW)
    .order_by(_out.c.due_at)
    .limit(_MOST)
)
#: No longer looked at; ``late`` is empty where somebody else tells it.
_MARK = Statement(
    update(_out)
    .where(_out.c.id == bindparam("of"), _out.c.due_at.is_not(None))
    .values(overdue_at=bindparam("late", type_=BigInteger), due_at=_NOTHING)
)
_ANSWERED = Statement(update(_out).where(_out.c.id == bindparam("of")).values(due_at=_NOTHING))
_ARRIVED = Statement(
    update(_exception)
    .where(
        _exception.c.client == bindparam("of_client"), _exception.c.state == word("open"),
        _exception.c.kind == word(OVERDUE), _exception.c.expectation == bindparam("of"),
    )
    .values(
        state=word("resolved"), resolved_at=_NOW, resolved_by=word("orderly"), note=word("the answer has come")
    )
)  # fmt: skip


@dataclass(frozen=True)
class Late:
    """An interchange whose acknowledgement is overdue, and to whom that was told."""

    client: str
    partner: str
    number: str
    exception: str


@dataclass(frozen=True)
class Found:
    """What is clear by now: of interchanges by id and run, of control numbers by run; and rows that are overdue."""

    written: Sequence[Sequence[Any]]
    numbers: Sequence[str]
    late: Sequence[Sequence[Any]]

    def __bool__(self) -> bool:
        return bool(self.written or self.numbers or self.late)


def find(tx: Tx, most: int) -> Found:
    """Read apart, so that nobody waits for it who wants to write: what is found is asked again for each row."""
    return Found(
        tx.all(_CLEAR, {"most": most}),
        [row[0] for row in tx.all(_CLEAR_NUMBERS, {"most": most})],
        tx.all(_LATE, {"now": tx.now, "most": most}),
    )


def follow_up(tx: Tx, found: Found) -> list[Late]:
    for id, _ in found.written:
        if not tx.run(_SEND, {"of": id, "now": tx.now}):
            tx.run(_VOID, {"of": id, "now": tx.now})
    for run in sorted({*(run for _, run in found.written), *found.numbers}):
        tx.run(_NUMBERS, {"of": run})
    return [late for row in found.late if (late := _alert(tx, row)) is not None]


def _alert(tx: Tx, row: Sequence[Any]) -> Late | None:
    """``None`` where the node that sent it expects its acknowledgement itself, or another process was faster."""
    one = dict(zip(_TOLD, row, strict=False))
    covered, release = row[-2], row[-1]
    marked = tx.run(_MARK, {"of": one["id"], "late": None if covered is not None else one["due_at"]})
    if covered is not None or not marked:
        return None
    owner = ((load(release) or {}).get("flow") or {}).get("owner", "")
    return Late(one["client"], one["partner"], one["number"], write_exception(tx, one["client"], _told(one, owner)))


def _told(one: Mapping[str, Any], owner: str) -> ExceptionRow:
    sent, due = (instant(one[name]).isoformat(timespec="seconds") for name in ("sent_at", "due_at"))
    what = f"interchange {one['number']} ({one['standard']}, usage {one['usage']})"
    return ExceptionRow(
        kind=OVERDUE, owner=owner, node=one["node"], iteration=one["iteration"], run=one["run"], flow=one["flow"],
        message=f"{one['partner']} was sent {what} at {sent} and has not acknowledged it by {due}",
        expectation=one["id"],
        details={
            "interchange": one["id"], "partner": one["partner"], "number": one["number"],
            "within": timedelta(microseconds=one["within"]).total_seconds(),
            "next_action": f"ask {one['partner']} whether they have it; where they have not, reprocess the run"
            f" that wrote it; look at `orderly interchanges show {one['id']}`",
        },
    )  # fmt: skip


def alerts(tx: Tx, client: str, id: str) -> list[str]:
    """Exceptions that say it is overdue, or was, by id."""
    return [row[0] for row in tx.all(_ALERTS, {"client": client, "id": id})]


def no_longer_due(tx: Tx, client: str, id: str, state: str) -> None:
    """Where the state says that nothing is waited for; an alert is resolved."""
    if state not in WAITING:
        tx.run(_ANSWERED, {"of": id})
        tx.run(_ARRIVED, {"of_client": client, "of": id, "now": tx.now})
