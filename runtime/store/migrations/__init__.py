"""The schema and its history, by Alembic; configured here, so that no ini file has to be found."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.store.store import Unavailable

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

#: The newest revision under ``versions``; known here so that a start needs no Alembic.
HEAD = "0008"


def config() -> Config:
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    return made


def upgrade(engine: Engine) -> None:
    """Brings the database to ``HEAD``, in one transaction: a process that dies over it leaves what was there."""
    if engine.dialect.name == "sqlite":
        _in_one_transaction(engine)
    with engine.begin() as connection:
        upgrade_in(connection)


def _in_one_transaction(engine: Engine) -> None:
    """Python's driver would commit before each change of the schema.

    Source: SQLAlchemy documentation, SQLite dialect, *Transactions with SQLite and the sqlite3 driver*."""
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(driver: Any, record: Any) -> None:
        driver.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def upgrade_in(connection: Connection) -> None:
    """Within the caller's transaction."""
    from alembic import command

    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, HEAD)


def prepare(path: Path) -> None:
    """Sets up an empty SQLite file. Raises ``Unavailable`` for one that is older, newer or something else."""
    revision, empty = _look(path)
    if revision == HEAD:
        return
    if revision is None and not empty:
        raise Unavailable(f"{path} is a database, but not one of Orderly: choose another data folder")
    if revision is not None:
        refuse(str(path), revision)
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def refuse(where: str, revision: str) -> None:
    """Raises ``Unavailable`` for a database of another version."""
    if revision > HEAD:
        raise Unavailable(
            f"{where} was written by a newer version of Orderly (schema {revision}, this version knows {HEAD}): "
            "install that version or a newer one, or restore the backup from before the upgrade"
        )
    raise Unavailable(
        f"{where} has the schema {revision} of an older version of Orderly (this version needs {HEAD}): "
        "stop every process of it, make a backup with the version that wrote it, then run `orderly db upgrade`"
    )


def _look(path: Path) -> tuple[str | None, bool]:
    """The revision, if there is one, and whether there are no tables at all."""
    if not path.exists():
        return None, True
    try:
        connection = sqlite3.connect(path)
        try:
            found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "alembic_version" not in found:
                return None, not found
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return (row[0] if row else None), not (found - {"alembic_version"})
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unavailable(f"{path} cannot be read as a database ({error}): choose another data folder") from error
