"""Which store a running system has: a file, or a PostgreSQL database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from connectors.sdk import Misconfigured
from runtime.store.shared import SharedStore, system_clock
from runtime.store.sqlite import SqliteStore

_POSTGRESQL = ("postgresql://", "postgres://")


def is_shared(where: str) -> bool:
    """Whether several processes may have it open: PostgreSQL, not SQLite."""
    return where.startswith(_POSTGRESQL)


def open_store(
    where: str, data: Path, *, clock: Callable[[], datetime] = system_clock, relaxed: bool = False
) -> SharedStore:
    """``where`` is the path of an SQLite file, ``postgresql://…``, or empty for ``orderly.db`` in ``data``. The
    time is that of ``clock``; without one, PostgreSQL's own. Raises ``Unavailable``, ``Misconfigured``."""
    if not is_shared(where):
        if "://" in where:
            raise Misconfigured(
                f"ORDERLY_STORE={where.partition('://')[0]}://… is no store that Orderly has",
                next_action="give the path of an SQLite file, or postgresql://user:password@host:5432/database",
            )
        return SqliteStore(Path(where) if where else data / "orderly.db", clock=clock, relaxed=relaxed)
    with _driver():
        from runtime.store.postgresql import PostgresqlStore
    data.mkdir(parents=True, exist_ok=True)
    given = None if clock is system_clock else clock
    return PostgresqlStore(where, data=data, clock=given, relaxed=relaxed)


def check_shared_unused(where: str) -> None:
    """Raises ``Unavailable`` where processes are at work in that database, ``Misconfigured``."""
    with _driver():
        from runtime.store.postgresql_address import Address
        from runtime.store.postgresql_schema import check_unused
    check_unused(Address(where))


def upgrade_shared(where: str) -> tuple[str, str | None]:
    """Brings a PostgreSQL database to this version's schema; where it is, and the revision before (``None`` for a
    new one). Raises ``Unavailable`` where a process still works with an older one, ``Misconfigured``."""
    with _driver():
        from runtime.store.postgresql_address import Address
        from runtime.store.postgresql_schema import check_unused, is_current, upgrade
    address = Address(where)
    if not is_current(address):
        check_unused(address)
    return address.where, upgrade(address)


def fill_shared(where: str, folder: Path) -> str:
    """Moves the rows and large blobs that lie in a data folder into an empty PostgreSQL database; where that is.
    Raises ``Refused``, ``Unavailable``, ``Misconfigured``."""
    with _driver():
        from runtime.store.postgresql_address import Address
        from runtime.store.postgresql_copy import fill
    address = Address(where)
    fill(address, folder / "orderly.db", folder / "blobs")
    for path in folder.glob("orderly.db*"):
        path.unlink()
    shutil.rmtree(folder / "blobs", ignore_errors=True)
    return address.where


@contextmanager
def _driver() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise Misconfigured(
            f"ORDERLY_STORE names PostgreSQL, and the program that speaks to it is not installed ({error.name})",
            next_action="pip install 'orderly[postgresql]'",
        ) from error
