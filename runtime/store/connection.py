"""SQLite connections, and what their errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy.dialects import sqlite

from runtime.store.shapes import micros
from runtime.store.statements import Parameters, Row, Statement
from runtime.store.store import StoreError, Unavailable

DIALECT = sqlite.dialect(paramstyle="named")
_NONE: Parameters = {}
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and it goes on by itself",
    sqlite3.SQLITE_IOERR: "the disk gave an error; look at the system log and the file system",
    sqlite3.SQLITE_READONLY: "the database cannot be written; give this user write permission on its folder",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened; check that its folder exists and is writable",
    sqlite3.SQLITE_BUSY: "another process holds the database; stop it and try again",
    sqlite3.SQLITE_LOCKED: "another process holds the database; stop it and try again",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "this file is not a database; choose another data folder",
}


def translated(error: Exception) -> StoreError:
    """``Unavailable`` for what passes or a person can put right, ``StoreError`` for the rest."""
    code = getattr(error, "sqlite_errorcode", None)
    advice = _ADVICE.get(code & 0xFF) if code is not None else None
    if advice is None:
        return StoreError(f"the database refused a statement: {error}")
    return Unavailable(f"{advice} ({error})")


class SqliteTx:
    """One connection; safe to hand from thread to thread, not to share at one time."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._clock = clock
        self.now = 0

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def begin_unit(self) -> None:
        """``now`` is the time of the unit."""
        self.now = micros(self._clock())

    def execute(self, sql: str) -> None:
        """Raises ``sqlite3.Error``."""
        self._execute(sql)

    def lock(self, name: str) -> None:
        """The one writer is alone anyway."""

    def _cursor(self, statement: Statement, parameters: Parameters) -> sqlite3.Cursor:
        sql, values = statement.compiled(DIALECT)
        try:
            return self._execute(sql, {**values, **parameters} if values else parameters)
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise translated(error) from error

    def run(self, statement: Statement, parameters: Parameters = _NONE) -> int:
        return self._cursor(statement, parameters).rowcount

    def surely(self, statement: Statement, parameters: Parameters, refusal: Callable[[], Exception]) -> None:
        if not self.run(statement, parameters):
            raise refusal()

    def many(self, statement: Statement, rows: Iterable[Parameters]) -> None:
        sql, values = statement.compiled(DIALECT)
        given = [{**values, **row} for row in rows] if values else rows
        try:
            self._connection.executemany(sql, given)
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise translated(error) from error

    def one(self, statement: Statement, parameters: Parameters = _NONE) -> Row | None:
        rows = self.all(statement, parameters)
        return rows[0] if rows else None

    def all(self, statement: Statement, parameters: Parameters = _NONE) -> list[Row]:
        try:
            return self._cursor(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    def together(self, parameters: Parameters, *statements: Statement) -> list[list[Row]]:
        return [self.all(statement, parameters) for statement in statements]

    def close(self) -> None:
        self._connection.close()


def connect(path: Path, clock: Callable[[], datetime], *, readonly: bool) -> SqliteTx:
    """Raises ``Unavailable``."""
    mode = "ro" if readonly else "rwc"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            timeout=5.0,
        )
        for pragma in _PRAGMAS_READING if readonly else _PRAGMAS_WRITING:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise translated(error) from error
    return SqliteTx(connection, clock)


def copy(path: Path, to: Path) -> None:
    """The database as it stands at one moment, in one new file, while others go on reading and writing.

    Source: SQLite, "SQLite Backup API"; the open read transaction keeps later commits out, so that it never begins
    again. Raises ``Unavailable``.
    """
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(to, isolation_level=None)) as target,
        ):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(target, pages=2000)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise translated(error) from error


_PRAGMAS_READING = ("query_only=1", "cache_size=-4000")
_PRAGMAS_WRITING = (
    "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=2000", "cache_size=-16000", "temp_store=MEMORY",
)  # fmt: skip
