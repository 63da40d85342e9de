"""Bringing a database to this version's schema, while nobody else has it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from runtime.store import migrations
from runtime.store.choice import check_shared_unused, is_shared, open_store, upgrade_shared
from runtime.store.restore import Held, hold
from runtime.store.sqlite import SqliteStore, _Lock
from runtime.store.store import NotFound


def upgrade_database(store: str, data: Path) -> tuple[str, str | None]:
    """Where it is, and its revision before; ``None`` for a new one. Raises ``Unavailable``, ``NotFound``,
    ``Misconfigured``."""
    if is_shared(store):
        return upgrade_shared(store)
    path = Path(store) if store else data / "orderly.db"
    return str(path), upgrade_sqlite(path)


def hold_database(store: str, data: Path, backup: str, distance: int, by: str) -> list[Held]:
    """Raises ``Unavailable`` where a process has it, ``NotFound``, ``Misconfigured``."""
    path = Path(store) if store else data / "orderly.db"
    if is_shared(store):
        check_shared_unused(store)
    elif not path.exists():
        raise NotFound(f"there is no database {path}: say --data (ORDERLY_DATA), or --store")
    opened = open_store(store, data)
    try:
        return hold(opened, backup=backup, distance=distance, by=by)
    finally:
        opened.close()


def upgrade_sqlite(path: Path) -> str | None:
    """The schema's revision before; ``None`` for a new database. Raises ``Unavailable`` where a process has it,
    ``NotFound`` where there is no data folder."""
    if not path.parent.is_dir():
        raise NotFound(f"there is no data folder {path.parent}: say --data, or start with `orderly serve`")
    lock = _Lock(path.with_name(path.name + ".lock"))
    try:
        before = _revision(path)
        if before is not None and before < migrations.HEAD:
            _upgrade(path)
    finally:
        lock.release()
    SqliteStore(path).close()
    return before


def _upgrade(path: Path) -> None:
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    try:
        migrations.upgrade(engine)
    finally:
        engine.dispose()


def _revision(path: Path) -> str | None:
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
