"""What the parts of a client's store stand on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table

from runtime.store.statements import Backend, Statement
from runtime.store.store import Page


class Bound:
    """A backend seen by one client."""

    def __init__(self, backend: Backend, client: str) -> None:
        self._backend = backend
        self.client = client


def listed(query: Select[Any], table: Table, client: str, before: str | None, limit: int) -> Statement:
    """Newest first by id, one row more than the page holds."""
    query = query.where(table.c.client == client).order_by(table.c.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(table.c.id < before)
    return Statement(query)


def page(rows: list[Any], limit: int) -> Page:
    """Of values that have an ``id``."""
    shown = rows[:limit]
    return Page(shown, shown[-1].id if len(rows) > limit else None)
