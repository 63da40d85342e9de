"""A unit's transaction on one session: begun, its statements and their values, ended."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from psycopg.pq.abc import PGresult
from sqlalchemy import make_url

from runtime.store.postgresql_errors import Failed, Lost
from runtime.store.postgresql_session import Session, Text, Value, text
from runtime.store.postgresql_time import DatabaseTime, here
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
    f"WITH unit AS (UPDATE last_unit SET number = %(number)s, at = {_CLOCK}"  # noqa: S608  constants
    " WHERE session = %(session)s RETURNING at)"
    " SELECT set_config('orderly.client', %(client)s, true),"
    " coalesce((SELECT at::text FROM unit), 'forgotten session')::bigint",
    "unit",
)
#: SQLSTATE of a division by zero, and of a text that is no number.
_NO_ROW, _FORGOTTEN = "22012", "22P02"
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
    """What returns nothing to the unit (its beginning, ``many``, ``lock``) is sent with what follows and fails
    there or at COMMIT. ``schema`` keeps the locks of stores in one database apart."""

    def __init__(
        self, session: Session, time: DatabaseTime, clock: Callable[[], datetime] | None, schema: str
    ) -> None:
        self._session = session
        self._time = time
        self._clock = clock
        self._space = b"%d" % (zlib.crc32(schema.encode()) - 2**31)
        self._opening: tuple[Text, int, int] | None = None
        self._refusal: Callable[[], Exception] | None = None
        self._now: int | None = None

    @property
    def now(self) -> int:
        if self._now is None:
            if self._opening is not None:
                self._answer()
            self._now = self._time.now()
        return self._now

    def begin(self, client: str, durable: bool) -> None:
        """``now`` is the time of the database when the unit began, unless there is a clock: reckoned where it was
        heard lately, which may be behind by as long as an answer takes. Of a session that the server has forgotten
        nothing is carried out."""
        session = self._session
        session.number += 1
        session.send(_BEGIN, [])
        if not durable:
            session.send(_RELAXED, [])
        session.send(_UNIT, [b"%d" % session.number, session.mark.encode(), client.encode()])
        self._begin(_UNIT, 1 if durable else 2, exact=False)

    def begin_reading(self, client: str) -> None:
        self._session.send(_BEGIN_READING, [])
        self._session.send(_QUERY, [client.encode()])
        self._begin(_QUERY, 1, exact=True)

    def _begin(self, statement: Text, position: int, exact: bool) -> None:
        """A reckoned time saves a round trip: the answer, at that position, is read with the next one. One that has
        to be exact is asked for when it is used."""
        self._opening = (statement, position, here())
        self._now = (None if exact else self._time.lately()) if self._clock is None else micros(self._clock())

    def _answers(self) -> list[PGresult]:
        """To what was sent since the last ones. Raises the refusal of a row that had to be there."""
        try:
            results = self._session.sync()
        except Failed as error:
            if error.sqlstate == _NO_ROW and self._refusal is not None:
                raise self._refusal() from error
            if error.sqlstate == _FORGOTTEN and self._opening is not None:
                self._session.close()
                raise Lost(f"PostgreSQL at {self._session.where} has forgotten this session") from error
            raise
        if self._opening is not None:
            statement, position, asked_at = self._opening
            self._opening = None
            ((_, said),) = rows(statement, results[position])
            self._time.heard(said, asked_at)
        return results

    def _answer(self) -> PGresult:
        """To the last of what was sent."""
        return self._answers()[-1]

    def commit(self) -> None:
        """Raises ``Failed`` where nothing was stored, ``Lost`` where that is not known, and the refusal of a row
        that had to be there."""
        self._session.send(_COMMIT, [])
        ended = self._answer()
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
        return self._answer().command_tuples or 0

    def surely(self, statement: Statement, parameters: Parameters, refusal: Callable[[], Exception]) -> None:
        """Sent with what follows: the server itself gives up the unit where there is no such row."""
        sql, values = statement.compiled(DIALECT)
        given = {**values, **parameters} if values else parameters
        sent = text(f"WITH changed AS ({sql} RETURNING 1) SELECT 1 / count(*) FROM changed")  # noqa: S608  our own statement
        self._refusal = refusal
        self._session.send(sent, [encoded(given[name]) for name in sent.names])

    def many(self, statement: Statement, rows: Iterable[Parameters]) -> None:
        for row in rows:
            self._send(statement, row)
            if self._session.queued >= _MOST_QUEUED:
                self._answer()

    def one(self, statement: Statement, parameters: Parameters = _NONE) -> Row | None:
        found = self.all(statement, parameters)
        return found[0] if found else None

    def all(self, statement: Statement, parameters: Parameters = _NONE) -> list[Row]:
        sent = self._send(statement, parameters)
        return rows(sent, self._answer())

    def together(self, parameters: Parameters, *statements: Statement) -> list[list[Row]]:
        sent = [self._send(statement, parameters) for statement in statements]
        results = self._answers()[-len(sent) :]
        return [rows(text, result) for text, result in zip(sent, results, strict=True)]

    def _send(self, statement: Statement, parameters: Parameters) -> Text:
        sql, values = statement.compiled(DIALECT)
        given = {**values, **parameters} if values else parameters
        sent = text(sql)
        self._session.send(sent, [encoded(given[name]) for name in sent.names])
        return sent
