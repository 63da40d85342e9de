"""What the store can say of itself: is it sound, what stands in line, and what it was last told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select

from runtime.store import tables
from runtime.store.leases import RUNNABLE
from runtime.store.shapes import instant
from runtime.store.statements import Backend, Statement, Tx, word

_run, _audit, _cursor = tables.run, tables.audit, tables.cursor
_DUE = Statement(
    select(_run.c.state == word("leased"), func.count(), func.min(_run.c.due_at))
    .where(_run.c.due_at <= bindparam("now"), _run.c.state.in_(RUNNABLE))
    .group_by(_run.c.state == word("leased"))
)
_NEWEST = [
    Statement(select(_run.c.created_at).order_by(_run.c.id.desc()).limit(1)),
    Statement(select(_audit.c.at).order_by(_audit.c.seq.desc()).limit(1)),
]
_KEEPER = Statement(
    select(tables.cursor.c.changed_at).where(
        tables.cursor.c.client == "", tables.cursor.c.name == bindparam("name")
    )
)
_HELD = Statement(
    select(func.count()).where(
        _run.c.client == bindparam("client"), _run.c.state == word("held"), _run.c.held_by == bindparam("holder")
    )
)
_LAST = Statement(
    select(func.max(_audit.c.at)).where(
        _audit.c.client == bindparam("client"), _audit.c.subject == bindparam("subject"),
        _audit.c.action == bindparam("action"),
    )
)  # fmt: skip
_PROBE = {"client": "", "name": "health:probe"}
_UNPROBE = Statement(delete(_cursor).where(*[_cursor.c[name] == bindparam(name) for name in _PROBE]))
_WRITE = Statement(insert(_cursor).values({name: bindparam(name) for name in (*_PROBE, "changed_at")}))


@dataclass(frozen=True)
class Server:
    """A database server, as it describes itself. ``flushes``: what is committed is on its disk; ``open`` are
    connections of everybody; ``private``: nobody on the way can read; ``walled``: row-level security binds us."""

    where: str
    version: str
    flushes: bool
    size: int
    open: int
    most: int
    private: bool
    walled: bool


@dataclass(frozen=True)
class Line:
    """Runs that may be advanced and are not, and runs whose lease ran out; ``since`` is when the first of them came
    due."""

    due: int
    since: datetime | None
    expired: int
    expired_since: datetime | None


def line(backend: Backend) -> Line:
    found = {
        bool(leased): (count, instant(at))
        for leased, count, at in backend.read(lambda tx: tx.all(_DUE, {"now": tx.now}))
    }
    due, expired = found.get(False, (0, None)), found.get(True, (0, None))
    return Line(due[0], due[1], expired[0], expired[1])


def probe(backend: Backend) -> None:
    """Writes a row that means nothing. Raises ``Unavailable`` where nothing can be written."""

    def unit(tx: Tx) -> None:
        tx.run(_UNPROBE, _PROBE)
        tx.run(_WRITE, {**_PROBE, "changed_at": tx.now})

    backend.transact(unit, durable=False)


def newest(backend: Backend) -> datetime | None:
    """When the last run or audit entry was written, by the clock of whoever wrote it."""
    rows = backend.read(lambda tx: [tx.one(statement) for statement in _NEWEST])
    found = [row[0] for row in rows if row is not None]
    return instant(max(found)) if found else None


def keeper(backend: Backend, duty: str) -> datetime | None:
    """When whoever has that duty was last heard of; ``None`` where nobody has it."""
    row = backend.read(lambda tx: tx.one(_KEEPER, {"name": f"duty:{duty}"}))
    return None if row is None else instant(row[0])


def held_by(backend: Backend, client: str, holder: str) -> int:
    """Runs that the holder holds."""
    row = backend.read(lambda tx: tx.one(_HELD, {"client": client, "holder": holder}))
    return int(row[0]) if row else 0


def last(backend: Backend, client: str, action: str, subject: str) -> datetime | None:
    """When that was last done, by the audit."""
    row = backend.read(lambda tx: tx.one(_LAST, {"client": client, "action": action, "subject": subject}))
    return None if row is None or row[0] is None else instant(row[0])
