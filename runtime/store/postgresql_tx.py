"""A unit's transaction on one session: begun, its statements and their values, ended."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from psycopg.pq.abc import PGresult
from sqlalchemy import make_url

from runtime.store.postgresql_errors import Failed, Lost
from runtime.store.postgresql_session import Session, Text, Value, text
from runtime.store.shapes import micros
from runtime.store.statements import Parameters, Row, Statement
from runtime.store.store import StoreError

DIALECT = make_url("postgresql+psycopg://").get_dialect()()
#: The client that sees all: for what is not done on behalf of one.
EVERYBODY = "*"
_NONE: Parameters = {}
_MOST_QUEUED = 200

_CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BEGIN = Text("BEGIN ISOLATION LEVEL READ COMMITTED", "begin")
_BEGIN_READING = Text("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "begin_reading")
_RELAXED = Text("SET LOCAL synchronous_commit = off", "relaxed")
_UNIT = Text(
    f"UPDATE last_unit SET number = %(number)s, at = {_CLOCK} WHERE session = %(session)s"  # noqa: S608  constants
    " RETURNING set_config('orderly.client', %(client)s, true), at",
    "unit",
)
_QUERY = Text(f"SELECT set_config('orderly.client', %(client)s, true), {_CLOCK}", "query")
_LOCK = Text("SELECT pg_advisory_xact_lock(%(space)s::integer, %(name)s::integer)", "lock")
#: Names fall into so many locks: a unit of thousands of events does not fill the lock table of the server.
_LOCKS = 4096
_COMMIT, _ROLLBACK = Text("COMMIT", "commit"), Text("ROLLBACK", "rollback")


def _bytes(hex: bytes) -> bytes:
    return bytes.fromhex(hex[2:].decode())


#: By type OID (``pg_type.dat``): bool, bytea, int8, int2, int4, oid, float4, float8, numeric. All else is text.
_READERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda value: value == b"t", 17: _bytes, 20: int, 21: int, 23: int, 26: int, 700: float, 701: float,
    1700: float,
}  # fmt: skip


def encoded(value: Any) -> Value:
    """In the text format of the wire. Raises ``StoreError`` for what PostgreSQL cannot hold."""
    if value is None:
        return None
    if isinstance(value, str):
        if "\0" in value:
            raise StoreError(f"PostgreSQL holds no text with a NUL character, as {value[:40]!r} has: leave it out")
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise StoreError(f"the text {value[:40]!r} is not Unicode ({error.reason}): correct it") from error
    if isinstance(value, int):
        return b"%d" % value
    return b"\\x" + value.hex().encode() if isinstance(value, bytes) else repr(value).encode()


def rows(statement: Text, result: PGresult) -> list[Row]:
    columns = range(result.nfields)
    if statement.readers is None:
        statement.readers = [_READERS.get(result.ftype(column), bytes.decode) for column in columns]
    readers = list(enumerate(statement.readers))
    value = result.get_value
    return [
        tuple(None if (given := value(row, column)) is None else read(given) for column, read in readers)
        for row in range(result.ntuples)
    ]


class PostgresqlTx:
    """What returns nothing to the unit (``many``, ``lock``) is sent with what follows and fails there or at
    COMMIT. ``schema`` keeps the locks of stores in one database apart."""

    def __init__(self, session: Session, clock: Callable[[], datetime] | None, schema: str) -> None:
        self._session = session
        self._clock = clock
        self._space = b"%d" % (zlib.crc32(schema.encode()) - 2**31)
        self.now = 0
        self.database_now = 0
        self.asked = 0

    def begin(self, client: str, durable: bool) -> None:
        """``now`` is the time of the database when the unit began, unless there is a clock."""
        session = self._session
        session.number += 1
        session.send(_BEGIN, [])
        if not durable:
            session.send(_RELAXED, [])
        session.send(_UNIT, [b"%d" % session.number, session.mark.encode(), client.encode()])
        self._begun(_UNIT)

    def begin_reading(self, client: str) -> None:
        self._session.send(_BEGIN_READING, [])
        self._session.send(_QUERY, [client.encode()])
        self._begun(_QUERY)

    def _begun(self, statement: Text) -> None:
        found = rows(statement, self._session.sync()[-1])
        if not found:
            self._session.close()
            raise Lost(f"PostgreSQL at {self._session.where} has forgotten this session")
        self.now = found[0][1] if self._clock is None else micros(self._clock())
        self.database_now = found[0][1]
        self.asked = time.monotonic_ns()

    def commit(self) -> None:
        """Raises ``Failed`` where nothing was stored, ``Lost`` where that is not known."""
        self._session.send(_COMMIT, [])
        ended = self._session.sync()[-1]
        if ended.command_status != b"COMMIT":
            raise Failed(f"PostgreSQL at {self._session.where} undid the unit at COMMIT", "25P02")

    def leave(self) -> None:
        """Ends it without a word of what became of it: a query's transaction, or a unit that is given up."""
        self._session.send(_ROLLBACK, [])
        self._session.leave()

    def lock(self, name: str) -> None:
        self._session.send(_LOCK, [self._space, b"%d" % (zlib.crc32(name.encode()) % _LOCKS)])

    def run(self, statement: Statement, parameters: Parameters = _NONE) -> int:
        self._send(statement, parameters)
        return self._session.sync()[-1].command_tuples or 0

    def many(self, statement: Statement, rows: Iterable[Parameters]) -> None:
        for row in rows:
            self._send(statement, row)
            if self._session.queued >= _MOST_QUEUED:
                self._session.sync()

    def one(self, statement: Statement, parameters: Parameters = _NONE) -> Row | None:
        found = self.all(statement, parameters)
        return found[0] if found else None

    def all(self, statement: Statement, parameters: Parameters = _NONE) -> list[Row]:
        sent = self._send(statement, parameters)
        return rows(sent, self._session.sync()[-1])

    def _send(self, statement: Statement, parameters: Parameters) -> Text:
        sql, values = statement.compiled(DIALECT)
        given = {**values, **parameters} if values else parameters
        sent = text(sql)
        self._session.send(sent, [encoded(given[name]) for name in sent.names])
        return sent
