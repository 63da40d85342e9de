"""What is known of connections over all processes: paused or not, and the breaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from runtime.model.run import Checkpoint, ConnectionState, RunState
from runtime.model.sought import Said
from runtime.store import tables
from runtime.store.audit import keep
from runtime.store.bound import Bound
from runtime.store.holding import hold_until, let_go
from runtime.store.shapes import dump, instant, load, micros
from runtime.store.statements import Row, Statement, Tx, insert
from runtime.store.turns import next_in_line

_state = tables.connection_state
_PUT = insert(_state, otherwise="replace")
_columns = (_state.c.name, _state.c.state, _state.c.why, _state.c.data, _state.c.until, _state.c.changed_at)
_ALL = Statement(select(*_columns).where(_state.c.client == bindparam("client")))
_ONE = Statement(
    select(*_columns).where(_state.c.client == bindparam("client"), _state.c.name == bindparam("name"))
)


def as_it_stands(tx: Tx, client: str, given: Checkpoint) -> Checkpoint:
    """Of a run that is about to stand behind a connection: held or waiting by what is known of that one now. Since
    the run was told, somebody may have resumed it, a pause may have got an end, or the peer has answered; whoever
    let its runs go did not see this one."""
    name = given.held_by.removeprefix("connection:")
    tx.lock(_lock_of(client, name))
    row = tx.one(_ONE, {"client": client, "name": name})
    state = _read(row) if row is not None else ConnectionState(name)
    if state.paused and state.paused_until is None:
        return given
    until = state.stopped_until(instant(tx.now))
    if until is None:
        return replace(given, state=RunState.READY, due_at=None, held_by="", why="")
    return given if given.state is not RunState.HELD else replace(given, state=RunState.WAITING, due_at=until)


def _lock_of(client: str, name: str) -> str:
    return f"connection:{client}:{name}"


class ConnectionStates(Bound):
    def connection_states(self) -> Mapping[str, ConnectionState]:
        rows = self._backend.read(lambda tx: tx.all(_ALL, {"client": self.client}))
        return {row[0]: _read(row) for row in rows}

    def put_connection_state(self, state: ConnectionState, said: Said | None = None) -> Sequence[str]:
        def unit(tx: Tx) -> Sequence[str]:
            tx.lock(_lock_of(self.client, state.name))
            row = tx.one(_ONE, {"client": self.client, "name": state.name})
            known = _read(row) if row is not None else ConnectionState(state.name)
            tx.run(_PUT, _written(self.client, state if said is not None else _with(known, state, tx.now), tx.now))
            return [] if said is None else self._paused_or_resumed(tx, state, said)

        return self._backend.transact(unit)

    def next_in_line(self, holder: str, most: int, due: datetime | None = None) -> Sequence[tuple[str, str]]:
        when = None if due is None else micros(due)
        return self._backend.transact(lambda tx: next_in_line(tx, self.client, holder, most, when), durable=False)

    def _paused_or_resumed(self, tx: Tx, state: ConnectionState, said: Said) -> Sequence[str]:
        holder = f"connection:{state.name}"
        if state.paused:
            if state.paused_until is not None:
                hold_until(tx, self.client, holder, micros(state.paused_until))
            keep(tx, self.client, said, "connection.paused", state.name)
            return []
        freed = let_go(tx, self.client, holder)
        told = replace(said, more={**said.more, "runs": len(freed)})
        keep(tx, self.client, told, "connection.resumed", state.name)
        return freed


def _with(known: ConnectionState, state: ConnectionState, now: int) -> ConnectionState:
    """With the pause that is there or is over, and the longer wait: whoever counts outages may not have heard of
    them yet."""
    waits = [each for each in (known.wait_until, state.wait_until) if each is not None and micros(each) > now]
    return replace(
        state, paused=known.paused, why=known.why, by=known.by, paused_at=known.paused_at,
        paused_until=known.paused_until, wait_until=max(waits, default=None),
    )  # fmt: skip


def _read(row: Row) -> ConnectionState:
    name, state, why, data, until, changed_at = row
    more = load(data) or {}
    return ConnectionState(
        name, state == "paused", why, more.get("by", ""), more.get("failures", 0), more.get("open_for", 0.0),
        _moment(until), instant(changed_at), _moment(more.get("paused_at")), _moment(more.get("paused_until")),
        _moment(more.get("wait_until")),
    )  # fmt: skip


def _written(client: str, state: ConnectionState, now: int) -> dict[str, Any]:
    word = "paused" if state.paused else "open" if state.open_until is not None else "closed"
    data = {"by": state.by, "failures": state.failures, "open_for": state.open_for, **_times(state)}
    return {
        "client": client, "name": state.name, "state": word, "why": state.why, "data": dump(data),
        "until": None if state.open_until is None else micros(state.open_until), "changed_at": now,
    }  # fmt: skip


def _times(state: ConnectionState) -> dict[str, int]:
    times = {"paused_at": state.paused_at, "paused_until": state.paused_until} if state.paused else {}
    times["wait_until"] = state.wait_until
    return {name: micros(at) for name, at in times.items() if at is not None}


def _moment(written: int | None) -> datetime | None:
    return None if written is None else instant(written)
