"""What one process at a time does: a row says who does it, and since when nothing was heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, bindparam, delete

from runtime.store import tables
from runtime.store.shapes import dump
from runtime.store.statements import Backend, Statement

_cursor = tables.cursor
_HERE = [_cursor.c.client == "", _cursor.c.name == bindparam("name"), _cursor.c.value == bindparam("value")]


def _claim(dialect_insert: Callable[[Table], Any]) -> Any:
    row = dialect_insert(_cursor).values({column.name: bindparam(column.name) for column in _cursor.c})
    return row.on_conflict_do_update(
        index_elements=["client", "name"],
        set_={"value": row.excluded.value, "changed_at": row.excluded.changed_at},
        where=(_cursor.c.value == row.excluded.value) | (_cursor.c.changed_at <= bindparam("silent_since")),
    )


_CLAIM = Statement(_claim)
_GIVE_UP = Statement(delete(_cursor).where(*_HERE))


class Duty:
    """``owner`` has the duty ``name`` from a claim that says so, for ``seconds``, and longer by claiming again."""

    def __init__(self, backend: Backend, name: str, owner: str, seconds: float) -> None:
        self._backend = backend
        self._row = {"client": "", "name": f"duty:{name}", "value": dump(owner)}
        self.seconds = seconds

    def claim(self) -> bool:
        """Whether the duty is the owner's now: nobody had it, whoever had it was not heard of for ``seconds``,
        or the owner had it."""
        silence = int(self.seconds * 1_000_000)
        return self._backend.transact(
            lambda tx: tx.run(_CLAIM, {**self._row, "changed_at": tx.now, "silent_since": tx.now - silence}) > 0
        )

    def give_up(self) -> None:
        """The next one need not wait."""
        of = {"name": self._row["name"], "value": self._row["value"]}
        self._backend.transact(lambda tx: tx.run(_GIVE_UP, of))
