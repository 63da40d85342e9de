"""How far sources, subscriptions and the clock have come; releases; events from outside; control numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, bindparam, func, literal_column, select, update

from runtime.model.ids import new_id
from runtime.model.run import Created, EventRow, NewRun
from runtime.store import creation, tables
from runtime.store.bound import Bound
from runtime.store.shapes import EVENT, dump, instant, load, micros
from runtime.store.signals import append, meet, signal
from runtime.store.statements import Statement, Tx, insert
from runtime.store.store import NotFound

_event, _subscription, _tick = tables.event, tables.subscription, tables.tick
_series, _number = tables.control_series, tables.control_number
_ONE: Any = literal_column("1", Integer)

_PUT_RELEASE = insert(tables.release, otherwise="ignore")
_RELEASE = Statement(
    select(tables.release.c.content).where(
        tables.release.c.client == bindparam("client"), tables.release.c.hash == bindparam("hash")
    )
)
_OPEN_SUBSCRIPTION = insert(_subscription, otherwise="ignore")
_POSITION = Statement(
    select(_subscription.c.position).where(
        _subscription.c.client == bindparam("client"), _subscription.c.name == bindparam("name")
    )
)
_MOVE = Statement(
    update(_subscription)
    .where(
        _subscription.c.client == bindparam("of_client"),
        _subscription.c.name == bindparam("of_name"),
        _subscription.c.position < bindparam("to_position", type_=BigInteger),
    )
    .values(position=bindparam("to_position", type_=BigInteger))
)
_MOVE_FROM = Statement(
    update(_subscription)
    .where(
        _subscription.c.client == bindparam("of_client"),
        _subscription.c.name == bindparam("of_name"),
        _subscription.c.position == bindparam("since", type_=BigInteger),
    )
    .values(position=bindparam("to_position", type_=BigInteger))
)
_CURSOR = Statement(
    select(tables.cursor.c.value).where(
        tables.cursor.c.client == bindparam("client"), tables.cursor.c.name == bindparam("name")
    )
)
_TICK = insert(_tick, otherwise="ignore")
_TICKED = Statement(
    update(_tick)
    .where(
        _tick.c.client == bindparam("of_client"), _tick.c.flow == bindparam("of_flow"),
        _tick.c.due_at == bindparam("of_due"),
    )
    .values(run=bindparam("run"))
)  # fmt: skip
_LAST_TICK = Statement(
    select(func.max(_tick.c.due_at)).where(_tick.c.client == bindparam("client"), _tick.c.flow == bindparam("flow"))
)
_GIVEN = Statement(
    select(_number.c.number).where(
        *(_number.c[name] == bindparam(name) for name in ("client", "series", "run", "node", "iteration"))
    )
)
_GIVE = insert(_number)
_OPEN_SERIES = insert(_series, otherwise="ignore")
_NEXT = Statement(
    update(_series)
    .where(_series.c.client == bindparam("of_client"), _series.c.series == bindparam("of_series"))
    .values(number=_series.c.number % bindparam("last", type_=BigInteger) + _ONE)
    .returning(_series.c.number)
)


def move_subscription(tx: Tx, client: str, name: str, to: int) -> bool:
    """False where it is there or past it already: somebody else was faster."""
    tx.run(_OPEN_SUBSCRIPTION, {"client": client, "name": name, "position": 0})
    return tx.run(_MOVE, {"of_client": client, "of_name": name, "to_position": to}) > 0


def move_subscription_from(tx: Tx, client: str, name: str, since: int, to: int) -> bool:
    """False where it is not there any more: somebody else was faster."""
    tx.run(_OPEN_SUBSCRIPTION, {"client": client, "name": name, "position": 0})
    of = {"of_client": client, "of_name": name, "since": since, "to_position": to}
    return tx.run(_MOVE_FROM, of) > 0


class Releases(Bound):
    def put_release(self, hash: str, content: Mapping[str, Any]) -> None:
        row = {"client": self.client, "hash": hash, "content": dump(content)}
        self._backend.transact(lambda tx: tx.run(_PUT_RELEASE, {**row, "created_at": tx.now}))

    def release(self, hash: str) -> Mapping[str, Any]:
        """Raises ``NotFound``."""
        row = self._backend.read(lambda tx: tx.one(_RELEASE, {"client": self.client, "hash": hash}))
        if row is None:
            raise NotFound(f"client {self.client} has no release {hash}")
        content: Mapping[str, Any] = load(row[0])
        return content


class Events(Bound):
    def publish(self, event: EventRow) -> Sequence[str]:
        row = EVENT.write(event, client=self.client, id=event.id or new_id())

        def unit(tx: Tx) -> list[str]:
            arrived = {**row, "at": row["at"] or tx.now}
            ring = signal(tx, meet(tx, arrived))
            append(tx, [arrived])
            return ring

        return self._backend.transact(unit)

    def events_after(self, position: int, types: Sequence[str], limit: int = 100) -> Sequence[EventRow]:
        """Oldest first; no types: all."""
        query = select(*EVENT.columns).where(_event.c.client == self.client, _event.c.position > position)
        if types:
            query = query.where(_event.c.type.in_(list(types)))
        statement = Statement(query.order_by(_event.c.position).limit(limit))
        return [EVENT.read(row) for row in self._backend.read(lambda tx: tx.all(statement))]

    def subscription(self, name: str) -> int:
        row = self._backend.read(lambda tx: tx.one(_POSITION, {"client": self.client, "name": name}))
        return 0 if row is None else int(row[0])

    def start_from_event(self, name: str, position: int, new: NewRun | None) -> Created | None:
        """``None`` too where the subscription is past that position already: somebody else was faster."""
        entry = creation.entry(self.client, new) if new is not None else None

        def unit(tx: Tx) -> Created | None:
            moved = move_subscription(tx, self.client, name, position)
            return creation.create(tx, entry) if moved and entry is not None else None

        return self._backend.transact(unit)


class Sources(Bound):
    def cursor(self, name: str) -> Any:
        row = self._backend.read(lambda tx: tx.one(_CURSOR, {"client": self.client, "name": name}))
        return None if row is None else load(row[0])

    def put_cursor(self, name: str, value: Any) -> None:
        row = {"client": self.client, "name": name, "value": dump(value)}
        self._backend.transact(lambda tx: creation.put_cursor(tx, row))

    def last_tick(self, flow: str) -> datetime | None:
        row = self._backend.read(lambda tx: tx.one(_LAST_TICK, {"client": self.client, "flow": flow}))
        return None if row is None or row[0] is None else instant(row[0])

    def tick(self, flow: str, due: datetime, new: NewRun | None) -> Created | None:
        """``None`` too where there is nothing to start: then the tick is only recorded."""
        entry = creation.entry(self.client, new) if new is not None else None
        at = {"client": self.client, "flow": flow, "due_at": micros(due)}

        def unit(tx: Tx) -> Created | None:
            if not tx.run(_TICK, {**at, "run": None}) or entry is None:
                return None
            created = creation.create(tx, entry)
            here = {"of_client": self.client, "of_flow": flow, "of_due": at["due_at"]}
            tx.run(_TICKED, {**here, "run": created.run})
            return created

        return self._backend.transact(unit)

    def allocate(self, series: str, last: int, run: str, node: str, iteration: str) -> int:
        """From 1 to ``last``, then round again."""
        at = {"client": self.client, "series": series, "run": run, "node": node, "iteration": iteration}
        known = self._backend.read(lambda tx: tx.one(_GIVEN, at))
        return int(known[0]) if known is not None else self._backend.transact(lambda tx: _allocate(tx, at, last))


def _allocate(tx: Tx, at: dict[str, str], last: int) -> int:
    if (known := tx.one(_GIVEN, at)) is not None:
        return int(known[0])
    tx.run(_OPEN_SERIES, {"client": at["client"], "series": at["series"], "number": 0})
    row = tx.one(_NEXT, {"of_client": at["client"], "of_series": at["series"], "last": last})
    assert row is not None
    tx.run(_GIVE, {**at, "number": row[0], "state": "given", "created_at": tx.now})
    return int(row[0])
