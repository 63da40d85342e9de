"""Removes what has been kept long enough, in small units, and counts what it removed.

A run goes with everything that is only its own. Identities stay, so that a duplicate stays a duplicate. What is
not over, and what still waits for somebody (an expectation, an exception, an approval, a caller), stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Delete, Integer, Table, bindparam, delete, exists, func, null, select, update

from runtime.model.run import FINISHED, RunState
from runtime.store import tables
from runtime.store.bound import Bound
from runtime.store.exchange_retention import OldInterchanges
from runtime.store.references import NEEDED, forget_small, let_go
from runtime.store.shapes import instant, micros
from runtime.store.statements import Backend, Statement, Tx, insert, word

_run, _event, _tick, _exception = tables.run, tables.event, tables.tick, tables.exception
_item = tables.batch_item
_reference, _number = tables.blob_reference, tables.control_number

T = TypeVar("T")

_most = bindparam("most", type_=Integer)
_OLDEST = Statement(
    select(_run.c.id, _run.c.state, _run.c.created_at, _run.c.finished_at)
    .where(_run.c.client == bindparam("client"), _run.c.flow == bindparam("flow"), _run.c.id > bindparam("after"))
    .order_by(_run.c.id)
    .limit(_most)
)


def _open(table: Table) -> Any:
    return select(table.c.run).where(table.c.run == _run.c.id, table.c.state == word("open")).exists()


def _asked_for() -> Any:
    """By a caller that is not over: it reads what became of the run."""
    caller = _run.alias()
    return (
        select(tables.call.c.run)
        .join_from(tables.call, caller, caller.c.id == tables.call.c.run)
        .where(tables.call.c.child == _run.c.id, caller.c.finished_at.is_(None))
        .exists()
    )


def _asks_for() -> Any:
    """It has started a run that is not over: whose the effects of that one are is known by this one."""
    child = _run.alias()
    return (
        select(tables.call.c.run)
        .join_from(tables.call, child, child.c.id == tables.call.c.child)
        .where(tables.call.c.run == _run.c.id, child.c.finished_at.is_(None))
        .exists()
    )


def _reprocessed() -> Any:
    """As a run that is still there: what may be done again by that one depends on what this one did."""
    successor = _run.alias()
    return select(successor.c.id).where(successor.c.reprocess_of == _run.c.id).exists()


_OVER = Statement(
    select(_run.c.message, tables.message.c.raw, _run.c.created_at, _run.c.flow, _run.c.state, _run.c.outcome)
    .outerjoin_from(_run, tables.message, tables.message.c.id == _run.c.message)
    .where(
        _run.c.id == bindparam("run"),
        _run.c.state.in_([word(state) for state in sorted(FINISHED)]),
        ~_open(tables.expectation),
        ~_open(_exception),
        ~_open(tables.approval),
        ~_asked_for(),
        ~_asks_for(),
        ~_reprocessed(),
    )
    .with_for_update(of=_run)
)


def _of_run(table: Table) -> Delete:
    return delete(table).where(table.c.run == bindparam("run"))


_OWN = [
    Statement(_of_run(table))
    for table in (
        tables.attempt, tables.outcome, tables.intent, tables.expectation, tables.timer, tables.business_key,
        tables.call, tables.approval, tables.restored,
    )
]  # fmt: skip
_ITS_EXCEPTIONS = Statement(_of_run(_exception).returning(_exception.c.id, _exception.c.raw))
_SERIES = Statement(
    select(tables.control_series.c.series).where(tables.control_series.c.client == bindparam("client"))
)
_ITS_NUMBERS = Statement(
    delete(_number).where(
        _number.c.client == bindparam("client"), _number.c.series == bindparam("series"),
        _number.c.run == bindparam("run"),
    )
)  # fmt: skip
_MESSAGE = Statement(delete(tables.message).where(tables.message.c.id == bindparam("id")))
_RUN = Statement(delete(_run).where(_run.c.id == bindparam("run")))
_COUNT = insert(tables.statistic, omit=["seq"])

_OLD_RAW = Statement(
    select(tables.message.c.id, tables.message.c.raw)
    .join_from(tables.message, _run, _run.c.message == tables.message.c.id)
    .where(
        tables.message.c.client == bindparam("client"),
        tables.message.c.content_type == bindparam("type"),
        tables.message.c.raw.is_not(None),
        tables.message.c.id > bindparam("after"),
        _run.c.finished_at < bindparam("before", type_=BigInteger),
        _run.c.state.in_([word(state) for state in sorted(FINISHED)]),
        ~_open(_exception),
    )
    .order_by(tables.message.c.id)
    .limit(_most)
)
_FORGET_RAW = Statement(update(tables.message).where(tables.message.c.id == bindparam("of")).values(raw=null()))

_LET_GO_RAW = Statement(
    delete(_reference).where(
        _reference.c.client == bindparam("client"), _reference.c.blob == bindparam("blob"),
        _reference.c.kind == word("message"), _reference.c.owner == bindparam("owner"),
    )
)  # fmt: skip
_collected = exists(
    select(_item.c.position).where(_item.c.client == _event.c.client, _item.c.position == _event.c.position)
)
_EVENTS = Statement(
    select(_event.c.position, _event.c.id, _event.c.type, _event.c.at, _run.c.id)
    .outerjoin_from(_event, _run, _run.c.id == _event.c.run)
    .where(_event.c.client == bindparam("client"), _event.c.position > bindparam("after"), ~_collected)
    .order_by(_event.c.position)
    .limit(_most)
)
_EVENT = Statement(delete(_event).where(_event.c.position == bindparam("position")))
_RESOLVED = Statement(
    select(_exception.c.id, _exception.c.flow, _exception.c.resolved_at)
    .where(
        _exception.c.client == bindparam("client"), _exception.c.state == word("resolved"),
        _exception.c.run.is_(None), _exception.c.id > bindparam("after"),
    )
    .order_by(_exception.c.id)
    .limit(_most)
)  # fmt: skip
_EXCEPTION = Statement(delete(_exception).where(_exception.c.id == bindparam("id")))
_TICKS = Statement(
    select(_tick.c.due_at)
    .where(
        _tick.c.client == bindparam("client"), _tick.c.flow == bindparam("flow"), _tick.c.due_at < bindparam("to")
    )
    .order_by(_tick.c.due_at)
    .limit(_most)
)
_LAST_TICK = Statement(
    select(func.max(_tick.c.due_at)).where(_tick.c.client == bindparam("client"), _tick.c.flow == bindparam("flow"))
)
_FORGET_TICKS = Statement(
    delete(_tick).where(
        _tick.c.client == bindparam("client"), _tick.c.flow == bindparam("flow"), _tick.c.due_at <= bindparam("to")
    )
)
_stat = tables.statistic
_DAILY = Statement(
    select(_stat.c.day, _stat.c.flow, _stat.c.state, _stat.c.outcome, func.sum(_stat.c.runs))
    .where(_stat.c.client == bindparam("client"))
    .group_by(_stat.c.day, _stat.c.flow, _stat.c.state, _stat.c.outcome)
    .order_by(_stat.c.day, _stat.c.flow, _stat.c.state, _stat.c.outcome)
)


def _next_flow(table: Table) -> Statement:
    """Flows one after the other: each is one step in an index, however many rows it has."""
    return Statement(
        select(func.min(table.c.flow)).where(
            table.c.client == bindparam("client"), table.c.flow > bindparam("after")
        )
    )


_FLOWS = [_next_flow(_run), _next_flow(_tick)]


@dataclass(frozen=True)
class DailyCount:
    """Runs that were removed, by the day (UTC) they were created."""

    day: str
    flow: str
    state: str
    outcome: str
    runs: int


class Retention(Bound):
    """One client's. Each method that removes is one unit. ``window`` rows are looked at in one query, ``batch`` are
    handed out to be removed in one unit."""

    def __init__(self, backend: Backend, client: str, *, window: int = 500, batch: int = 50) -> None:
        super().__init__(backend, client)
        self._window = window
        self._batch = batch
        self.interchanges = OldInterchanges(backend, client, window=window, batch=batch)

    def flows(self) -> list[str]:
        """Every flow that has runs or ticks, also those that are no longer served."""
        return sorted(self._backend.read(lambda tx: {name for each in _FLOWS for name in self._named(tx, each)}))

    def _named(self, tx: Tx, following: Statement) -> Iterator[str]:
        name = ""
        while (row := tx.one(following, {"client": self.client, "after": name})) and row[0] is not None:
            name = str(row[0])
            yield name

    def finished(self, flow: str, before: Mapping[RunState, datetime]) -> Iterator[list[str]]:
        """Runs that finished before the time for their state, oldest first, in batches."""
        if not before:
            return
        limits = {str(state): micros(at) for state, at in before.items()}
        latest, after = max(limits.values()), ""
        while True:
            window = self._read(_OLDEST, flow=flow, after=after, most=self._window)
            yield from self.batches(
                [id for id, state, _, at in window if at is not None and at < limits.get(state, 0)]
            )
            if len(window) < self._window or window[-1][2] >= latest:
                return
            after = window[-1][0]

    def remove_runs(self, runs: Sequence[str]) -> int:
        """Those of them that nobody needs any more, with their messages and everything that is only theirs; what
        is removed is counted. How many."""
        return self._backend.transact(lambda tx: self._remove_runs(tx, runs))

    def _remove_runs(self, tx: Tx, runs: Sequence[str]) -> int:
        series = [row[0] for row in tx.all(_SERIES, {"client": self.client})]
        counted: Counter[tuple[str, str, str, str]] = Counter()
        for run in runs:
            row = tx.one(_OVER, {"run": run})
            if row is None:
                continue
            message, raw, created_at, flow, state, outcome = row
            self._remove_run(tx, run, message, raw, series)
            counted[instant(created_at).date().isoformat(), flow, state, outcome or ""] += 1
        if counted:
            tx.many(_COUNT, [self._counted(key, count, tx.now) for key, count in sorted(counted.items())])
        return counted.total()

    def _remove_run(self, tx: Tx, run: str, message: str, raw: str | None, series: Sequence[str]) -> None:
        of: dict[str, Any] = {"run": run}
        for statement in _OWN:
            tx.run(statement, of)
        owners = [run, *(id for id, _ in tx.all(_ITS_EXCEPTIONS, of))]
        for name in series:
            tx.run(_ITS_NUMBERS, {"client": self.client, "series": name, "run": run})
        tx.run(_MESSAGE, {"id": message})
        tx.run(_RUN, of)
        blobs = [blob for owner in owners for blob in let_go(tx, self.client, owner)]
        if raw is not None:
            tx.run(_LET_GO_RAW, {"client": self.client, "blob": raw, "owner": message})
            blobs.append(raw)
        forget_small(tx, self.client, blobs)

    def old_raw(self, type: str, before: datetime) -> Iterator[list[tuple[str, str]]]:
        """Messages of that media type, with the names of their bytes, of runs finished before then; in batches."""
        after = ""
        while window := self._read(_OLD_RAW, type=type, before=micros(before), after=after, most=self._window):
            after = window[-1][0]
            yield from self.batches([(message, raw) for message, raw in window])

    def remove_raw(self, messages: Sequence[tuple[str, str]]) -> int:
        """The bytes of these messages as they came; what was made of them stays. How many."""

        def unit(tx: Tx) -> int:
            for message, raw in messages:
                tx.run(_FORGET_RAW, {"of": message})
                tx.run(_LET_GO_RAW, {"client": self.client, "blob": raw, "owner": message})
            forget_small(tx, self.client, [raw for _, raw in messages])
            return len(messages)

        return self._backend.transact(unit)

    def _counted(self, key: tuple[str, str, str, str], runs: int, now: int) -> dict[str, Any]:
        named = dict(zip(("day", "flow", "state", "outcome"), key, strict=True))
        return {"client": self.client, **named, "runs": runs, "removed_at": now}

    def old_events(self, before: datetime, passed: Mapping[str, int], others: int) -> Iterator[list[int]]:
        """Positions of events from before then whose run is gone and that every subscription has passed, in
        batches. ``passed`` says how far those of a type have come, ``others`` those of all other types."""
        limit, after = micros(before), 0
        while True:
            window = self._read(_EVENTS, after=after, most=self._window)
            yield from self.batches(
                [
                    position
                    for position, _, type, at, run in window
                    if at < limit and run is None and position <= passed.get(type, others)
                ]
            )
            if len(window) < self._window or window[-1][3] >= limit:
                return
            after = window[-1][0]

    def remove_events(self, positions: Sequence[int]) -> int:
        """How many."""
        return self._backend.transact(lambda tx: self._remove_events(tx, positions))

    def _remove_events(self, tx: Tx, positions: Sequence[int]) -> int:
        query = select(_event.c.id).where(_event.c.client == self.client, _event.c.position.in_(list(positions)))
        owners = [row[0] for row in tx.all(Statement(query))]
        tx.many(_EVENT, [{"position": position} for position in positions])
        forget_small(tx, self.client, [blob for owner in owners for blob in let_go(tx, self.client, owner)])
        return len(owners)

    def resolved(self, after: str) -> list[tuple[str, str, datetime]]:
        """Id, flow and time of resolution of exceptions that have no run, oldest first; some at a time."""
        rows = self._read(_RESOLVED, after=after, most=self._window)
        return [(id, flow, instant(at)) for id, flow, at in rows]

    def remove_exceptions(self, ids: Sequence[str]) -> int:
        def unit(tx: Tx) -> int:
            for id in ids:
                tx.run(_EXCEPTION, {"id": id})
                forget_small(tx, self.client, let_go(tx, self.client, id))
            return len(ids)

        return self._backend.transact(unit)

    def remove_ticks(self, flow: str, before: datetime) -> bool:
        """Some of those from before then, never a flow's last one. Whether there may be more."""

        def unit(tx: Tx) -> bool:
            of: dict[str, Any] = {"client": self.client, "flow": flow}
            last = tx.one(_LAST_TICK, of)
            if last is None or last[0] is None:
                return False
            old = tx.all(_TICKS, {**of, "to": min(last[0], micros(before)), "most": self._window})
            if old:
                tx.run(_FORGET_TICKS, {**of, "to": old[-1][0]})
            return len(old) == self._window

        return self._backend.transact(unit)

    def needed(self, blobs: Collection[str]) -> list[str]:
        """Those of them that some row still names."""

        def query(tx: Tx) -> list[str]:
            return [blob for blob in blobs if tx.one(NEEDED, {"client": self.client, "blob": blob}) is not None]

        return self._backend.read(query)

    def daily_counts(self) -> list[DailyCount]:
        """Of runs that were removed, oldest first."""
        return [
            DailyCount(day, flow, state, outcome, int(runs))
            for day, flow, state, outcome, runs in self._read(_DAILY)
        ]

    def _read(self, statement: Statement, **parameters: Any) -> list[Any]:
        return self._backend.read(lambda tx: tx.all(statement, {"client": self.client, **parameters}))

    def batches(self, found: list[T]) -> Iterator[list[T]]:
        """As many at a time as one unit removes."""
        for start in range(0, len(found), self._batch):
            yield found[start : start + self._batch]
