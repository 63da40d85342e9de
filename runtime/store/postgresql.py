"""The store for several processes: one PostgreSQL database, which holds everything that they share."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import text as literal_text

from runtime.model.run import Lease
from runtime.store import crash, leases, postgresql_schema
from runtime.store.blobs import ClientBlobs, FolderBlobs
from runtime.store.database_blobs import DatabaseBlobs
from runtime.store.health import Server
from runtime.store.postgresql_address import Address
from runtime.store.postgresql_copy import DatabaseSnapshot, of_database
from runtime.store.postgresql_errors import CommitUnknown, Failed, Lost
from runtime.store.postgresql_pool import Pool
from runtime.store.postgresql_session import Session, Text
from runtime.store.postgresql_time import DatabaseTime
from runtime.store.postgresql_tx import EVERYBODY, PostgresqlTx, rows
from runtime.store.shapes import instant
from runtime.store.shared import SharedStore
from runtime.store.statements import Statement, Tx
from runtime.store.store import StoreError, Unavailable

T = TypeVar("T")
log = structlog.get_logger()

#: A connection over loopback or a socket file leaves no machine.
_SERVER = Statement(
    literal_text(
        "SELECT current_setting('server_version'),"
        " current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'"
        " AND current_setting('synchronous_commit') <> 'off',"
        " pg_database_size(current_database()), (SELECT count(*) FROM pg_stat_activity WHERE backend_type ="
        " 'client backend'), current_setting('max_connections')::bigint,"
        " inet_client_addr() IS NULL OR inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1'"
        " OR EXISTS (SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl)"
    )
)
_RACES, _LOSSES = 20, 3
#: In microseconds: more than a reckoned time is behind the database's.
_EARLY = 50_000
_END = Text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %(session)s", "end")
_LAST = Text("SELECT number FROM last_unit WHERE session = %(session)s FOR UPDATE", "last")


class PostgresqlStore(SharedStore):
    """Plain transactions with synchronous commit, READ COMMITTED; queries see one snapshot.

    A unit is a function of its transaction, so it is run again where it lost a race (deadlock, a row inserted by
    another unit at the same time) and where the connection broke before COMMIT was sent. Where it broke after
    that, the outcome is found out by reading: each unit counts its session's row of ``last_unit`` on in its own
    transaction, and reading that row waits for the old transaction to end. Transaction ids would not do: those
    that a crash of the server takes back are given out again.

    ``now`` is the time of the database, so that machines whose clocks differ agree on leases and due times; a
    ``clock`` takes its place (tests). Rows of other clients are hidden from a client's transactions by
    row-level security, unless the user is a superuser or has BYPASSRLS (then ``walled`` is false).

    ``data`` is each machine's own; large blobs that an earlier version kept there are still found.
    ``relaxed`` lets a crash of the database forget the last commits. ``patience`` is how many seconds a statement,
    a free session, or an answer about a lost COMMIT may take. Raises ``Unavailable`` where the database cannot be
    reached, or its schema is older, newer or something else; an empty one is set up. ``Misconfigured`` for a bad
    ``url``.
    """

    def __init__(
        self,
        url: str,
        *,
        data: Path,
        clock: Callable[[], datetime] | None = None,
        schema: str = "orderly",
        relaxed: bool = False,
        sessions: int = 16,
        patience: float = 30.0,
    ) -> None:
        super().__init__()
        self._address = Address(url, schema)
        self._given_clock = clock
        self._patience = patience
        self._data = data
        self._blobs: dict[str, ClientBlobs] = {}
        self._closed = False
        self._pool = Pool(lambda: self._address.session(patience, relaxed=relaxed), sessions, patience)
        self.walled = postgresql_schema.prepare(self._address)
        self._time = DatabaseTime()
        self.read(lambda tx: None)
        if not self.walled:
            log.warning(
                "store.no_second_wall", where=self._address.where,
                next_action="connect as a user that is neither superuser nor BYPASSRLS",
            )  # fmt: skip

    def transact(self, unit: Callable[[Tx], T], *, durable: bool = True) -> T:
        return self.transact_for(EVERYBODY, unit, durable)

    def read(self, query: Callable[[Tx], T]) -> T:
        return self.read_for(EVERYBODY, query)

    def transact_for(self, client: str, unit: Callable[[Tx], T], durable: bool) -> T:
        """Raises ``CommitUnknown`` where the database does not come back to be asked."""
        races = losses = 0
        while True:
            try:
                return self._unit(client, unit, durable)
            except Lost as lost:
                losses += 1
                self._pool.forget()
                if losses == _LOSSES:
                    raise Unavailable(f"nothing was stored: {lost}") from lost
            except Failed as error:
                races += 1
                if not error.race or races == _RACES or (error.sqlstate == "23505" and races > 2):
                    raise
                self._pool.pause(random.random() * min(0.001 * 2**races, 0.25))  # noqa: S311  spreads them

    def read_for(self, client: str, query: Callable[[Tx], T]) -> T:
        for _ in range(_LOSSES - 1):
            try:
                return self._query(client, query)
            except Lost:
                self._pool.forget()
        return self._query(client, query)

    def backend(self, client: str) -> ClientBackend:
        return ClientBackend(self, client)

    def blobs(self, client: str) -> ClientBlobs:
        if client not in self._blobs:
            backend, before = self.backend(client), self._blobs_of_before(client)
            self._blobs[client] = ClientBlobs(backend, client, DatabaseBlobs(backend, client), before)
        return self._blobs[client]

    def _blobs_of_before(self, client: str) -> FolderBlobs:
        return FolderBlobs(self._data / "blobs", client)

    def snapshot(self) -> AbstractContextManager[DatabaseSnapshot]:
        return of_database(self._address, self._blobs_of_before)

    def server(self) -> Server:
        row = self.read(lambda tx: tx.one(_SERVER))
        assert row is not None
        version, flushes, size, open, most, private = row
        return Server(self._address.where, version, flushes, size, open, most, private, self.walled)

    def now(self) -> datetime:
        """The database's time, reckoned from when it was last heard."""
        if self._given_clock is not None:
            return self._given_clock()
        return instant(self._time.now())

    def acquire(self, run: str, owner: str, seconds: float) -> Lease | None:
        """Durable, as a crash of the database alone must not give one fence to two workers; a moment early where
        the time is reckoned, as what another machine found due must not be refused here."""
        early = _EARLY if self._given_clock is None else 0
        return self.transact(lambda tx: leases.acquire(tx, run, owner, seconds, early))

    def close(self) -> None:
        """Units under way are finished; nothing new begins."""
        self._pool.close()

    def _unit(self, client: str, unit: Callable[[Tx], T], durable: bool) -> T:
        with self._pool.session() as session:
            tx = PostgresqlTx(session, self._time, self._given_clock, self._address.schema)
            try:
                tx.begin(client, durable)
                result = unit(tx)
            except BaseException:
                _leave(tx)
                raise
            try:
                if crash.armed:
                    crash.before_commit([unit])
                tx.commit()
                if crash.armed:
                    crash.after_commit([unit])
            except Lost as lost:
                number, why = session.number, lost
            except StoreError:
                _leave(tx)
                raise
            else:
                return result
        if self._was_committed(session.mark, number, why):
            return result
        raise why

    def _query(self, client: str, query: Callable[[Tx], T]) -> T:
        with self._pool.session() as session:
            tx = PostgresqlTx(session, self._time, self._given_clock, self._address.schema)
            try:
                tx.begin_reading(client)
                return query(tx)
            finally:
                _leave(tx)

    def _was_committed(self, mark: str, number: int, why: Lost) -> bool:
        """Asks until the database answers. Raises ``CommitUnknown``."""
        until = time.monotonic() + self._patience
        while True:
            self._pool.forget()
            try:
                with self._pool.session() as session:
                    return _last(session, mark) == number
            except StoreError as error:
                if time.monotonic() >= until:
                    raise CommitUnknown(
                        f"{why}. That was at COMMIT, and the database could not be asked for {self._patience:g} s:"
                        " the unit was stored whole or not at all, look before it is repeated"
                    ) from error
            self._pool.pause(0.1)


@dataclass(frozen=True)
class ClientBackend:
    """The store as the transactions of one client see it: no row of another one."""

    store: PostgresqlStore
    client: str

    def transact(self, unit: Callable[[Tx], T], *, durable: bool = True) -> T:
        return self.store.transact_for(self.client, unit, durable)

    def read(self, query: Callable[[Tx], T]) -> T:
        return self.store.read_for(self.client, query)


def _leave(tx: PostgresqlTx) -> None:
    """The session may be lost already: then there is nothing to leave."""
    try:
        tx.leave()
    except Unavailable:
        return


def _last(session: Session, mark: str) -> int:
    """The number of the last unit that the session called so has committed; after this it commits no more."""
    try:
        session.send(_END, [mark.encode()])
        session.sync()
    except Failed as error:
        log.info("store.session_not_ended", session=mark, why=str(error))
    session.send(_LAST, [mark.encode()])
    found = rows(_LAST, session.sync()[-1])
    return int(found[0][0]) if found else 0
