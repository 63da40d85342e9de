"""A whole store out of PostgreSQL into the form that backups have, and from there into PostgreSQL.

The form is the same for every store: an SQLite file and a folder of large blobs. So a backup of one store can be
restored into another, and a system moves from SQLite to PostgreSQL by a backup and a restore.

Rows are streamed by COPY: neither side has a table in memory. Source: PostgreSQL documentation, "COPY".
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table

from runtime.model.ids import new_id
from runtime.store import migrations, tables
from runtime.store.blobs import FolderBlobs
from runtime.store.database_blobs import PART, parts
from runtime.store.postgresql_address import Address
from runtime.store.postgresql_schema import connected, upgrade
from runtime.store.snapshot import copy_blobs, damaged
from runtime.store.store import Refused

Connection = psycopg.Connection[Any]
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_ALONE = (
    "SELECT set_config('search_path', %s, true), set_config('orderly.client', '*', true),"
    " set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)"
)
#: Blobs lie in a folder in a backup.
_ROWS = [table for table in tables.metadata.sorted_tables if table not in (tables.large_blob, tables.blob_part)]
_AT_ONCE = 1000


class DatabaseSnapshot:
    """One transaction, which sees nothing that is committed after its first statement."""

    def __init__(self, connection: Connection, folder: Callable[[str], FolderBlobs]) -> None:
        self._connection = connection
        self._folder = folder

    def rows_to(self, path: Path) -> None:
        migrations.prepare(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as target:
            target.execute("PRAGMA synchronous=OFF")
            target.execute("BEGIN")
            for table in _ROWS:
                self._copy(table, target)
            target.execute("COMMIT")

    def _copy(self, table: Table, target: sqlite3.Connection) -> None:
        names = [column.name for column in table.c]
        marks = ", ".join("?" * len(names))
        put = f'INSERT INTO "{table.name}" ({_quoted(names)}) VALUES ({marks})'  # noqa: S608  declared names
        rows = self._rows(table, names)
        while some := list(islice(rows, _AT_ONCE)):
            target.executemany(put, some)
        if (number := _sequence(table)) is not None:
            target.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])
            last = _last_number(self._connection, table, number)
            target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table.name, last])

    def _rows(self, table: Table, names: list[str]) -> Iterator[tuple[Any, ...]]:
        asked = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT BINARY)").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table.name)
        )
        types = [_oid(self._connection, table, name) for name in names]
        with self._connection.cursor().copy(asked) as copy:
            copy.set_types(types)
            yield from copy.rows()

    def blobs_to(self, root: Path, client: str) -> int:
        copies, copied = FolderBlobs(root, client), 0
        with self._connection.cursor(name="blobs") as found:
            found.execute("SELECT blob, content FROM large_blob WHERE client = %s ORDER BY blob", [client])
            for blob, content in found:
                if copies.put(self._parts(content)).blob != blob:
                    raise damaged(blob, client)
                copied += 1
        return copied + copy_blobs(self._folder(client), root, client)

    def _parts(self, content: str) -> Iterator[bytes]:
        with self._connection.cursor(name="parts", binary=True) as found:
            found.itersize = 8
            found.execute("SELECT bytes FROM blob_part WHERE content = %s ORDER BY number", [content])
            for (part,) in found:
                yield part


@contextmanager
def of_database(address: Address, folder: Callable[[str], FolderBlobs]) -> Iterator[DatabaseSnapshot]:
    """``folder`` is where large blobs of earlier versions lie. Raises ``Unavailable``."""
    with connected(address, "orderly backup") as connection:
        connection.execute(_BEGIN)
        connection.execute(_ALONE, [f'"{address.schema}"'])
        yield DatabaseSnapshot(connection, folder)


def fill(address: Address, database: Path, blobs: Path) -> None:
    """Everything that the SQLite file and the blob folder hold, into an empty schema: all or nothing. Raises
    ``Refused`` where the schema holds rows already, ``Unavailable``."""
    upgrade(address)
    with (
        connected(address, "orderly restore") as connection,
        closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
        connection.transaction(),
    ):
        connection.execute(_ALONE, [f'"{address.schema}"'])
        every = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables.metadata.sorted_tables)
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(every))
        _check_empty(connection, address)
        _wall(connection, "NO FORCE")
        for table in _ROWS:
            _fill_table(connection, source, table)
        _fill_blobs(connection, blobs)
        _wall(connection, "FORCE")


def _check_empty(connection: Connection, address: Address) -> None:
    for table in tables.metadata.sorted_tables:
        name = sql.Identifier(table.name)
        row = connection.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(name)).fetchone()
        if row is None or row[0]:
            raise Refused(
                f"PostgreSQL at {address.where} holds rows already ({table.name}): restore into a database that is"
                " empty (CREATE DATABASE …), and let ORDERLY_STORE name that one"
            )


def _wall(connection: Connection, how: str) -> None:
    """COPY FROM knows no row-level security; nobody else has the tables meanwhile."""
    for table in tables.metadata.sorted_tables:
        name = sql.Identifier(table.name)
        connection.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(name, sql.SQL(how)))


def _fill_table(connection: Connection, source: sqlite3.Connection, table: Table) -> None:
    names = [column.name for column in table.c]
    asked = f'SELECT {_quoted(names)} FROM "{table.name}"'  # noqa: S608  declared names
    with connection.cursor().copy(_into(table.name, names)) as copy:
        for row in source.execute(asked):
            copy.write_row(row)
    if (number := _sequence(table)) is not None:
        found = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table.name]).fetchone()
        if found is not None and found[0]:
            connection.execute(
                "SELECT setval(pg_get_serial_sequence(quote_ident(%s), %s), %s)", [table.name, number, found[0]]
            )


def _fill_blobs(connection: Connection, root: Path) -> None:
    named: list[tuple[str, str, str, int, int]] = []
    with connection.cursor().copy(_into("blob_part", ["client", "content", "number", "bytes", "put_at"])) as copy:
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            blobs = FolderBlobs(root, folder.name)
            for blob in blobs.names():
                content, size, at = new_id(), 0, time.time_ns() // 1000
                with blobs.stream(blob) as stream:
                    pieces = iter(lambda stream=stream: stream.read(PART), b"")  # type: ignore[misc]
                    for number, part in enumerate(parts(pieces, PART)):
                        size += len(part)
                        copy.write_row((folder.name, content, number, part, at))
                named.append((folder.name, blob, content, size, at))
    with connection.cursor().copy(_into("large_blob", ["client", "blob", "content", "size", "put_at"])) as copy:
        for row in named:
            copy.write_row(row)


def _into(table: str, names: list[str]) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _sequence(table: Table) -> str | None:
    """The column whose numbers are given out once."""
    column = table.autoincrement_column
    return None if column is None or column.autoincrement is not True else column.name


def _last_number(connection: Connection, table: Table, column: str) -> int:
    named = connection.execute(
        "SELECT pg_get_serial_sequence(quote_ident(%s), %s)", [table.name, column]
    ).fetchone()
    schema, _, name = (named[0] if named else "").partition(".")
    asked = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}")
    row = connection.execute(asked.format(sql.Identifier(schema.strip('"'), name.strip('"')))).fetchone()
    return int(row[0]) if row else 0


def _oid(connection: Connection, table: Table, column: str) -> int:
    row = connection.execute(
        "SELECT atttypid::int FROM pg_attribute WHERE attrelid = quote_ident(%s)::regclass AND attname = %s",
        [table.name, column],
    ).fetchone()
    assert row is not None
    return int(row[0])
