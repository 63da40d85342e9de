"""Events that are collected for a partner, until they go to it together.

A row says that an event waits; the event itself has the document. Rows go in the transaction that starts the run
which takes their documents on, so that each goes once, however many clocks there are and wherever one dies; and in
the one that cancels the run which published them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)

from runtime.model.batching import Collection
from runtime.model.run import Created, EventRow, ExceptionRow, NewRun
from runtime.model.sought import Said
from runtime.store import creation, tables
from runtime.store.audit import keep
from runtime.store.bound import Bound
from runtime.store.people import write_exception
from runtime.store.shapes import EVENT, instant, micros
from runtime.store.sources import move_subscription_from
from runtime.store.statements import Statement, Tx, insert, word

_item, _event, _run = tables.batch_item, tables.event, tables.run
_ONE = literal_column("1", Integer)
_MINE = (_item.c.client == bindparam("client"), _item.c.flow == bindparam("flow"))
_FREE = _item.c.restored == literal_column("0")
_OF_RUN = select(_event.c.position).where(_event.c.run == bindparam("of"))
_COLLECT = insert(_item, otherwise="ignore")
#: Of runs that were cancelled before their event was collected.
_NOT_WANTED = Statement(
    delete(_item).where(
        *_MINE,
        _item.c.position.in_(
            select(_event.c.position)
            .join_from(_event, _run, _run.c.id == _event.c.run)
            .where(
                _event.c.client == bindparam("client"), _event.c.position > bindparam("since", type_=BigInteger),
                or_(_run.c.state == word("cancelled"), _run.c.outcome == word("cancelled")),
            )
        ),
    )
)  # fmt: skip


#: Of runs that a restore holds.
_HELD = Statement(
    update(_item)
    .where(
        _item.c.client == bindparam("of_client"), _item.c.flow == bindparam("of_flow"),
        _item.c.position.in_(
            select(_event.c.position)
            .join_from(_event, _run, _run.c.id == _event.c.run)
            .where(
                _event.c.client == bindparam("of_client"), _event.c.position > bindparam("since", type_=BigInteger),
                _run.c.state == word("held"), _run.c.held_by == word("restore"),
            )
        ),
    )
    .values(restored=_ONE)
)  # fmt: skip


def _of_free(value: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((_FREE, value), else_=literal_column("0"))), literal_column("0"))


_COLLECTED = (
    select(
        _item.c.flow, _item.c.partner, _of_free(_ONE), _of_free(_item.c.bytes), _of_free(_item.c.urgent),
        func.coalesce(func.min(case((_FREE, _item.c.at))), func.min(_item.c.at)), func.sum(_item.c.restored),
    )
    .where(_item.c.client == bindparam("client"))
    .group_by(_item.c.flow, _item.c.partner)
    .order_by(_item.c.flow, _item.c.partner)
)  # fmt: skip
_OF_ALL, _OF_FLOW = Statement(_COLLECTED), Statement(_COLLECTED.where(_item.c.flow == bindparam("flow")))
_WANTED = (
    *_MINE, _item.c.partner == bindparam("partner"),
    or_(_item.c.urgent == _ONE, bindparam("urgent", type_=Integer) == literal_column("0")),
    or_(_FREE, bindparam("restored", type_=Integer) == _ONE),
)  # fmt: skip
_SIZES = Statement(
    select(_item.c.bytes).where(*_WANTED).order_by(_item.c.position).limit(bindparam("most", type_=Integer))
)
_ITEMS = Statement(
    select(_item.c.bytes, *EVENT.columns)
    .join_from(_item, _event, _event.c.position == _item.c.position)
    .where(*_WANTED)
    .order_by(_item.c.position)
    .limit(bindparam("most", type_=Integer))
)
_GO = Statement(delete(_item).where(*_MINE, _item.c.position == bindparam("position", type_=BigInteger)))
_WITHDRAW = Statement(delete(_item).where(_item.c.client == bindparam("client"), _item.c.position.in_(_OF_RUN)))
_HOLD = Statement(update(_item).where(_item.c.client == bindparam("of_client")).values(restored=_ONE))
_LET_GO = update(_item).values(restored=literal_column("0"))
_LET_RUN_GO = Statement(_LET_GO.where(_item.c.client == bindparam("of_client"), _item.c.position.in_(_OF_RUN)))
_LET_ALL_GO = Statement(_LET_GO.where(_item.c.client == bindparam("of_client")))


@dataclass(frozen=True)
class Collected:
    """An event that is to wait: for which partner, how large, and whether it is urgent."""

    event: EventRow
    partner: str
    bytes: int
    urgent: bool


@dataclass(frozen=True)
class Waiting:
    """An event that waits, and its size."""

    event: EventRow
    bytes: int


class _Overtaken(Exception):
    """Somebody else sent, or withdrew, some of them: nothing is written."""


def withdraw(tx: Tx, client: str, run: str) -> None:
    """What the run published waits no longer: it was cancelled."""
    _alone(tx, client)
    tx.run(_WITHDRAW, {"client": client, "of": run})


def hold(tx: Tx, client: str) -> None:
    """After a restore nothing goes by itself."""
    tx.run(_HOLD, {"of_client": client})


def let_go(tx: Tx, client: str, run: str | None = None) -> None:
    """Of a run that is released, or of all: they wait as before the restore."""
    of = {"of_client": client}
    if run is None:
        tx.run(_LET_ALL_GO, of)
    else:
        tx.run(_LET_RUN_GO, {**of, "of": run})


def _alone(tx: Tx, client: str) -> None:
    """What is collected meanwhile sees the cancelled run, or is seen by what cancels it."""
    tx.lock(f"batches:{client}")


class Batches(Bound):
    def collect(
        self, subscription: str, flow: str, items: Sequence[Collected], since: int, to: int,
        refused: Sequence[ExceptionRow] = (),
    ) -> bool:  # fmt: skip
        """Keeps them and what could not be collected, and moves the subscription on, in one commit. False, and
        nothing is written, where it is no longer at ``since``: another clock was faster. Of cancelled runs none is
        kept."""
        rows = [self._row(flow, one) for one in items]

        def unit(tx: Tx) -> bool:
            if not move_subscription_from(tx, self.client, subscription, since, to):
                return False
            _alone(tx, self.client)
            tx.many(_COLLECT, rows)
            tx.run(_NOT_WANTED, {"client": self.client, "flow": flow, "since": since})
            tx.run(_HELD, {"of_client": self.client, "of_flow": flow, "since": since})
            for row in refused:
                write_exception(tx, self.client, row)
            return True

        return self._backend.transact(unit)

    def _row(self, flow: str, one: Collected) -> dict[str, object]:
        assert one.event.at is not None, "an event of the store"
        return {
            "client": self.client, "flow": flow, "position": one.event.position, "partner": one.partner,
            "bytes": one.bytes, "urgent": int(one.urgent), "at": micros(one.event.at), "restored": 0,
        }  # fmt: skip

    def collected(self, flow: str | None = None) -> Sequence[Collection]:
        """What waits, by flow and partner."""
        statement = _OF_ALL if flow is None else _OF_FLOW
        of = {"client": self.client} | ({} if flow is None else {"flow": flow})
        return [
            Collection(of_flow, partner, int(count), int(size), int(urgent), instant(int(oldest)), int(restored))
            for of_flow, partner, count, size, urgent, oldest, restored in self._backend.read(
                lambda tx: tx.all(statement, of)
            )
        ]

    def waiting(
        self, flow: str, partner: str, most: int, most_bytes: int, *, urgent: bool = False, restored: bool = False
    ) -> Sequence[Waiting]:
        """Oldest first, no more than that, and one at least. ``urgent``: those alone; ``restored``: also those that
        nobody has let go since a restore."""
        of: dict[str, Any] = {"client": self.client, "flow": flow, "partner": partner}
        of |= {"urgent": int(urgent), "restored": int(restored)}

        def query(tx: Tx) -> Sequence[Waiting]:
            sizes = [int(size) for (size,) in tx.all(_SIZES, {**of, "most": most})]
            fit = sum(1 for total in accumulate(sizes) if total <= most_bytes)
            rows = tx.all(_ITEMS, {**of, "most": max(fit, 1)})
            return [Waiting(EVENT.read(row[1:]), int(row[0])) for row in rows]

        return self._backend.read(query)

    def send(
        self, flow: str, positions: Sequence[int], new: NewRun, said: Said | None = None, subject: str = ""
    ) -> Created | None:
        """Starts the run that takes them on. ``None``, and nothing is written, where somebody else was faster with
        one of them. What is ``said`` is audited as ``batch.sent``. Raises ``IdentityConflict``."""
        entry = creation.entry(self.client, new)

        def unit(tx: Tx) -> Created:
            for position in positions:
                if not tx.run(_GO, {"client": self.client, "flow": flow, "position": position}):
                    raise _Overtaken
            keep(tx, self.client, said, "batch.sent", subject)
            return creation.create(tx, entry)

        try:
            return self._backend.transact(unit)
        except _Overtaken:
            return None
