"""Engines and transactions: what drivers raise becomes what the runtime does next, and shows no value.

Messages of databases repeat values (a key that is there twice, a date that is none), so only their codes, names of
constraints and, where a statement itself is wrong, their words are told.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.types import NullType

from connectors.sdk import CredentialsRefused, Misconfigured, NotSent, OutcomeUnknown, Rejected
from connectors.sql.settings import SqlSettings

#: Rolled back by the database, and sound when tried again: serialization, deadlock, lock wait (SQLSTATE; MariaDB).
_AGAIN = {"40001", "40P01", "55P03", "1205", "1213"}
#: Refused while signing in (SQLSTATE class 28; MariaDB).
_CREDENTIALS = {"28000", "28P01", "1044", "1045", "1698"}
#: No such database (SQLSTATE; MariaDB).
_NO_DATABASE = {"3D000", "1049"}
#: The statement took too long (SQLSTATE; MariaDB).
_TOO_LONG = {"57014", "1969", "3024"}
#: Of a wrong statement: their words are names of tables and columns. 1064 repeats what stands in the statement.
_WORDS = {"1054", "1146", "1305"}
_REFUSED = re.compile(r"password authentication failed|no pg_hba.conf entry", re.IGNORECASE)


def engine(settings: SqlSettings) -> sa.Engine:
    """With a pool; a connection that was lost while idle is replaced. Raises ``Misconfigured`` for a driver that is
    not installed, a database file or an authorities file that is not there."""
    url = settings.address()
    system = url.get_backend_name()
    try:
        made = sa.create_engine(
            url,
            connect_args=_arguments(settings, system, url.database or ""),
            pool_pre_ping=system != "sqlite",
            hide_parameters=True,
        )
    except (exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise Misconfigured(
            f"the driver for {url.drivername} is not installed: {error}",
            next_action="install 'orderly[postgresql]' or 'orderly[mariadb]', or the driver that the address names",
            field="url",
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"authorities {settings.authorities} cannot be read: {error}",
            next_action="name a PEM file that is there",
            field="authorities",
        ) from error
    if system == "sqlite":
        _prepare_sqlite(made, settings)
    return made


def _arguments(settings: SqlSettings, system: str, database: str) -> dict[str, Any]:
    patience = settings.connect_timeout.total_seconds()
    longest = settings.statement_timeout.total_seconds()
    if system == "postgresql":
        return {
            "connect_timeout": max(1, round(patience)),
            "options": f"-c statement_timeout={round(longest * 1000)}",
            "sslmode": "verify-full" if settings.tls == "verify" else "disable",
            **({"sslrootcert": settings.authorities or "system"} if settings.tls == "verify" else {}),
            "application_name": "orderly",
        }
    if system in ("mariadb", "mysql"):
        context = ssl.create_default_context(cafile=settings.authorities or None)
        return {
            "connect_timeout": max(1, round(patience)),
            "read_timeout": longest + patience,
            "write_timeout": longest + patience,
            "init_command": f"SET SESSION max_statement_time={longest:g}" if system == "mariadb" else None,
            "charset": "utf8mb4",
            **({"ssl": context} if settings.tls == "verify" else {"ssl_disabled": True}),
        }
    if system == "sqlite":
        if not Path(database).is_file():
            raise Misconfigured(
                f"there is no database {database}", next_action="create it, or correct the address", field="url"
            )
        return {"timeout": patience}
    return {}


def _prepare_sqlite(made: sa.Engine, settings: SqlSettings) -> None:
    """Foreign keys hold, and a transaction begins where it says so: sqlite3 would begin it at the first change."""

    @sa.event.listens_for(made, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(made, "begin")
    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")


def bound(statement: str, values: Mapping[str, Any]) -> sa.TextClause:
    """Values as parameters of no type of their own, so that the database takes them for what the column is. Raises
    ``Misconfigured`` where names do not fit."""
    text = sa.text(statement)
    names = set(text._bindparams)
    if names != set(values):
        missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
        raise Misconfigured(
            f"the statement and its values do not fit: {', '.join(f':{name} has no value' for name in missing)}"
            f"{'; ' if missing and unknown else ''}{', '.join(f'{name} is not in it' for name in unknown)}",
            next_action="give a value for every :name of the statement, and no other; \\\\: is a plain colon",
            field="values",
        )
    return text.bindparams(*(sa.bindparam(name, value, type_=NullType()) for name, value in values.items()))


@contextmanager
def reading(engine: sa.Engine, where: str) -> Iterator[sa.Connection]:
    """A transaction that the database itself keeps from changing anything, where it can."""
    with _connected(engine, where) as connection:
        system = engine.dialect.name
        with translated(where):
            if system == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            elif system in ("mariadb", "mysql"):
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            elif system == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            try:
                yield connection
            finally:
                if not connection.closed and not connection.invalidated:
                    connection.rollback()
                    if system == "sqlite":
                        connection.exec_driver_sql("PRAGMA query_only = OFF")
                        connection.rollback()


@contextmanager
def writing(engine: sa.Engine, where: str) -> Iterator[sa.Connection]:
    """One transaction: all of the block, or nothing. Raises ``OutcomeUnknown`` where the connection was lost while
    it was committed; before that nothing has happened."""
    with _connected(engine, where) as connection:
        with translated(where):
            transaction = connection.begin()
            try:
                yield connection
            except BaseException:
                if transaction.is_active and not connection.invalidated:
                    transaction.rollback()
                raise
        try:
            transaction.commit()
        except exc.DBAPIError as error:
            if not _is_lost(error):
                raise _meaning(error, where) from error
            raise OutcomeUnknown(
                f"{where} was lost while the transaction was committed",
                next_action="ask the database by a key of yours whether it holds the rows",
            ) from error


@contextmanager
def _connected(engine: sa.Engine, where: str) -> Iterator[sa.Connection]:
    try:
        connection = engine.connect()
    except exc.DBAPIError as error:
        raise _not_connected(error, where) from error
    except exc.TimeoutError as error:
        raise NotSent(f"all connections to {where} are in use", next_action="retried by itself") from error
    try:
        yield connection
    finally:
        connection.close()


def _not_connected(error: exc.DBAPIError, where: str) -> Exception:
    code, said = _code(error), " ".join(str(error.orig).split())
    if code in _CREDENTIALS or _REFUSED.search(said):
        return CredentialsRefused(
            f"{where} refused to sign us in ({code or 'authentication'})",
            next_action="see user and password of the connection, and from where the user may come",
            code=code,
        )
    if code in _NO_DATABASE or (not code and "does not exist" in said and "database" in said):
        return Misconfigured(
            f"{where}: there is no such database",
            next_action="correct the address, or grant the user the right to connect",
            field="url",
        )
    if "SSL" in said or "certificate" in said.lower():
        return Misconfigured(
            f"{where} cannot be reached by TLS: {said}",
            next_action="have the server use TLS, and name its authorities; tls: off only on a protected line",
            field="tls",
        )
    return NotSent(
        f"no connection to {where}: {said}",
        next_action="see that host and port are right, the database is up and no firewall is in between",
    )


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Of all that happens before a commit: nothing has changed."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _meaning(error, where) from error
    except exc.ResourceClosedError as error:
        raise Misconfigured(
            "a statement that gives no rows was asked for rows",
            next_action="write a SELECT, or use sql.write",
            field="statement",
        ) from error


def _meaning(error: exc.DBAPIError, where: str) -> Exception:
    code = _code(error)
    if _is_lost(error):
        return NotSent(
            f"{where} was lost before anything was committed", next_action="retried by itself", code=code
        )
    if code in _AGAIN or (not code and "locked" in str(error.orig)):
        return NotSent(
            f"{where} rolled the transaction back for another one ({code or 'locked'})",
            next_action="retried by itself",
            code=code,
        )
    if code in _TOO_LONG:
        return NotSent(
            f"a statement took longer than {where} allows it ({code}); it was rolled back",
            next_action="see that it has an index, or raise statement_timeout",
            code=code,
        )
    if isinstance(error, exc.IntegrityError | exc.DataError):
        return Rejected(
            f"{where} refused a value ({code or type(error).__name__}{_constraint(error)})",
            next_action="see the document against the table's keys and types; the database's log names the value",
            code=code or "integrity",
        )
    return Rejected(
        f"{where} refused a statement ({code or type(error).__name__}){_words(error, code)}",
        next_action="correct the statement, or have the user granted the right to it",
        code=code or "statement",
    )


def _is_lost(error: exc.DBAPIError) -> bool:
    return (
        error.connection_invalidated or isinstance(error.orig, OSError) or _code(error) in ("2006", "2013", "57P01")
    )


def _code(error: exc.DBAPIError) -> str:
    """The number of MariaDB, else SQLSTATE, else nothing."""
    arguments: Sequence[Any] = getattr(error.orig, "args", ())
    if len(arguments) > 1 and isinstance(arguments[0], int):
        return str(arguments[0])
    return str(getattr(error.orig, "sqlstate", None) or "")


def _constraint(error: exc.DBAPIError) -> str:
    """Its name; SQLite tells kind and columns instead, and never values."""
    if error.orig.__class__.__module__ == "sqlite3":
        return f", {error.orig}"
    name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return f", {name}" if name else ""


def _words(error: exc.DBAPIError, code: str) -> str:
    if code.startswith("42") or code in _WORDS:
        said = str(error.orig.args[-1] if error.orig else "").splitlines()[0]
        return f": {said}"
    return f": {error.orig}" if error.orig.__class__.__module__ == "sqlite3" else ""
