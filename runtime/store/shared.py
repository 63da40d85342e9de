"""The store over any backend: what SQLite and PostgreSQL have in common is everything but their transactions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Integer, bindparam, select, update

from connectors.sdk import Blobs
from runtime.model.run import (
    LANES,
    Checkpoint,
    Committed,
    ExceptionRow,
    ExpectationRow,
    Lease,
    Loaded,
    OutcomeRow,
    Position,
)
from runtime.store import commits, crash, leases, loading, tables
from runtime.store.audit import Audit
from runtime.store.batches import Batches
from runtime.store.blobs import ClientBlobs
from runtime.store.exchange import Interchanges
from runtime.store.exchange_followed import Late, find, follow_up
from runtime.store.health import Server
from runtime.store.peers import ConnectionStates
from runtime.store.people import Approvals, Exceptions, expire, write_exception
from runtime.store.places import Places, keep_places
from runtime.store.repair import Repair
from runtime.store.runs import Runs
from runtime.store.search import Search
from runtime.store.shapes import EXPECTATION, instant, load
from runtime.store.snapshot import Snapshot
from runtime.store.sources import Events, Releases, Sources
from runtime.store.statements import Backend, Statement, Tx, insert, word

T = TypeVar("T")
_run, _expectation = tables.run, tables.expectation
_CLIENT = insert(tables.client, otherwise="replace")
_CLIENTS = Statement(select(tables.client.c.id).order_by(tables.client.c.id))
_FIND_OVERDUE = (
    select(_expectation.c.client, _expectation.c.run, _run.c.flow, tables.release.c.content, *EXPECTATION.columns)
    .join_from(_expectation, _run, _run.c.id == _expectation.c.run)
    .outerjoin(
        tables.release, (tables.release.c.client == _run.c.client) & (tables.release.c.hash == _run.c.release)
    )
    .where(_expectation.c.state == word("open"), _expectation.c.due_at <= bindparam("now"))
    .order_by(_expectation.c.due_at)
    .limit(bindparam("most", type_=Integer))
)
_OVERDUE = Statement(_FIND_OVERDUE)
_OVERDUE_TO_MARK = Statement(_FIND_OVERDUE.with_for_update(of=_expectation, skip_locked=True))
_EXPIRED = Statement(
    select(tables.approval.c.id)
    .where(tables.approval.c.state == word("open"), tables.approval.c.due_at <= bindparam("now"))
    .limit(1)
)
_MARK = Statement(update(_expectation).where(_expectation.c.id == bindparam("of")).values(state=word("overdue")))


def system_clock() -> datetime:
    return datetime.now(UTC)


class SharedClientStore(
    Runs, Search, Repair, ConnectionStates, Places, Releases, Exceptions, Approvals, Events, Sources, Audit
):
    """``ClientStore`` over a backend."""

    def __init__(self, backend: Backend, client: str, blobs: Blobs) -> None:
        super().__init__(backend, client)
        self.blobs = blobs
        self.interchanges = Interchanges(backend, client)
        self.batches = Batches(backend, client)


class SharedStore(ABC):
    """``Store`` over the two methods that a backend supplies; it is a ``Backend`` itself."""

    def __init__(self, clock: Callable[[], datetime] = system_clock) -> None:
        self._clock = clock

    @abstractmethod
    def transact(self, unit: Callable[[Tx], T], *, durable: bool = True) -> T: ...

    @abstractmethod
    def read(self, query: Callable[[Tx], T]) -> T: ...

    @abstractmethod
    def blobs(self, client: str) -> ClientBlobs: ...

    def server(self) -> Server | None:
        """Of a store that is a server of its own. Raises ``Unavailable``."""
        return None

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """For a backup. Raises ``Unavailable``."""

    @abstractmethod
    def close(self) -> None: ...

    @property
    def waiting(self) -> int:
        """Units that stand in line for a writer."""
        return 0

    def backend(self, client: str) -> Backend:
        """What a client's part of the store stands on; the database may hide all other rows from it."""
        return self

    def for_client(self, client: str) -> SharedClientStore:
        return SharedClientStore(self.backend(client), client, self.blobs(client))

    def client_names(self) -> list[str]:
        """Everyone who was ever served, by id."""
        return [row[0] for row in self.read(lambda tx: tx.all(_CLIENTS))]

    def register_client(self, client: str, name: str) -> None:
        self.transact(lambda tx: tx.run(_CLIENT, {"id": client, "name": name, "created_at": tx.now}))

    def now(self) -> datetime:
        return self._clock()

    def acquire(self, run: str, owner: str, seconds: float) -> Lease | None:
        return self.transact(lambda tx: leases.acquire(tx, run, owner, seconds), durable=False)

    def begin(self, run: str, owner: str, seconds: float) -> tuple[Lease, Loaded] | None:
        lease = self.acquire(run, owner, seconds)
        if lease is None:
            return None
        try:
            return lease, self.load(lease)
        except BaseException:
            self.extend([lease], 0.0)
            raise

    def extend(self, held: Sequence[Lease], seconds: float) -> Sequence[Lease]:
        if not held:
            return []
        return self.transact(lambda tx: leases.extend(tx, held, seconds), durable=False)

    def keep_places(self, owner: str, ids: Sequence[str], seconds: float) -> int:
        if not ids:
            return 0
        return self.transact(lambda tx: keep_places(tx, owner, ids, seconds), durable=False)

    def load(self, lease: Lease) -> Loaded:
        return self.read(lambda tx: loading.read_loaded(tx, lease))

    def read_body(self, lease: Lease) -> Any:
        return self.read(lambda tx: loading.read_body(tx, lease))

    def read_outcome(self, lease: Lease, position: Position) -> OutcomeRow:
        return self.read(lambda tx: loading.read_outcome(tx, lease, position))

    def commit(self, lease: Lease, checkpoint: Checkpoint, seconds: float) -> Committed:
        prepared = commits.prepare(lease, checkpoint)
        return self.transact(crash.checkpoint(lambda tx: commits.commit(tx, lease, prepared, seconds), checkpoint))

    def evidence(self, lease: Lease, outcome: OutcomeRow) -> bool:
        return self.transact(lambda tx: commits.keep_evidence(tx, lease, outcome))

    def due(self, limit: int = 100, grace: float = 0.0, lanes: Sequence[str] = LANES) -> Sequence[str]:
        return self.read(lambda tx: leases.due(tx, limit, grace, lanes))

    def lane(self, run: str) -> str:
        return self.read(lambda tx: leases.lane(tx, run))

    def next_due(self) -> datetime | None:
        found = self.read(leases.next_due)
        return None if found is None else instant(found)

    def overdue(self, limit: int = 100) -> Sequence[tuple[str, ExpectationRow]]:
        if not self.read(_anything_overdue):
            return []
        return self.transact(lambda tx: _overdue(tx, limit))

    def follow_up(self, limit: int = 100) -> Sequence[Late]:
        found = self.read(lambda tx: find(tx, limit))
        return self.transact(lambda tx: follow_up(tx, found)) if found else []


def _anything_overdue(tx: Tx) -> bool:
    return bool(tx.one(_OVERDUE, {"now": tx.now, "most": 1}) or tx.one(_EXPIRED, {"now": tx.now}))


def _overdue(tx: Tx, limit: int) -> list[tuple[str, ExpectationRow]]:
    expire(tx)
    found = []
    for client, run, flow, release, *columns in tx.all(_OVERDUE_TO_MARK, {"now": tx.now, "most": limit}):
        row = EXPECTATION.read(columns)
        tx.run(_MARK, {"of": row.id})
        owner = ((load(release) or {}).get("flow") or {}).get("owner", "")
        due = row.due_at.isoformat(timespec="seconds") if row.due_at else ""
        message = f"{row.event_type} {row.event_key} was expected by {due} and has not come"
        exception = ExceptionRow(
            kind="overdue", owner=owner, message=message, node=row.node, iteration=row.iteration,
            run=run, flow=flow, expectation=row.id,
            details={"event": row.event_type, "key": row.event_key, "within": row.within},
        )  # fmt: skip
        write_exception(tx, client, exception)
        found.append((client, EXPECTATION.read([*columns[:-2], "overdue", row.id])))
    return found
