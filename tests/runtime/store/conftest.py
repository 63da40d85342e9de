"""Fixtures of a PostgreSQL database, where there is one."""

from tests.runtime.store.database import _schema, database, fresh, server

__all__ = ["_schema", "database", "fresh", "server"]
