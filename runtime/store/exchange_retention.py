"""Interchanges that were kept long enough: their runs are gone, and no duplicate is looked for so far back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, and_, bindparam, case, delete, func, literal_column, or_, select, update

from runtime.store import tables
from runtime.store.bound import Bound
from runtime.store.references import forget_small, let_go
from runtime.store.shapes import instant
from runtime.store.statements import Backend, Statement, Tx, word

_interchange, _set, _run, _exception = tables.interchange, tables.interchange_set, tables.run, tables.exception
_later = _interchange.alias("later")
_SAME = ("direction", "standard", "partner", "usage")
_COUNTED = (_interchange.c.direction == word("in")) & _interchange.c.serial.is_not(None)
#: The next number of a partner is compared with the newest that came: that one stays.
_is_not_the_last = or_(
    ~_COUNTED,
    _interchange.c.state == word("quarantined"),
    select(_later.c.id)
    .where(
        *(_later.c[name] == _interchange.c[name] for name in ("client", *_SAME)),
        _later.c.serial.is_not(None), _later.c.state != word("quarantined"), _later.c.id > _interchange.c.id,
    )
    .exists(),
)  # fmt: skip
_is_over = and_(
    _interchange.c.client == bindparam("client"),
    ~select(_run.c.id).where(_run.c.id == _interchange.c.run).exists(),
    _interchange.c.due_at.is_(None),
    ~select(_exception.c.id)
    .where(
        _exception.c.run == _interchange.c.run, _exception.c.state == word("open"),
        _exception.c.expectation == _interchange.c.id,
    )
    .exists(),
    _is_not_the_last,
)  # fmt: skip
#: How many sets it holds; empty where it is not over.
_size = case(
    (_is_over, select(func.count()).where(_set.c.interchange == _interchange.c.id).scalar_subquery()),
    else_=literal_column("NULL", Integer),
)
_OLDEST = Statement(
    select(*(_interchange.c[name] for name in ("id", "standard", "partner", "at")), _size)
    .where(_interchange.c.client == bindparam("client"), _interchange.c.id > bindparam("after"))
    .order_by(_interchange.c.id)
    .limit(bindparam("most", type_=Integer))
)
_OVER = Statement(
    select(*(_interchange.c[name] for name in _SAME))
    .where(_is_over, _interchange.c.id == bindparam("id"))
    .with_for_update(of=_interchange)
)
_REMOVE = Statement(delete(_interchange).where(_interchange.c.id == bindparam("id")))
_REMOVE_SETS = Statement(delete(_set).where(_set.c.interchange == bindparam("id")))
_COUNT_NO_MORE = Statement(
    update(_interchange)
    .where(
        *(_interchange.c[name] == bindparam(f"of_{name}") for name in ("client", *_SAME)),
        _interchange.c.serial.is_not(None), _interchange.c.id < bindparam("of"),
    )
    .values(serial=literal_column("NULL", BigInteger))
)  # fmt: skip
#: So many sets are removed in one unit; those of one interchange in one, however many it has.
_MOST_SETS = 2_000


class OldInterchanges(Bound):
    """One client's. ``window`` rows are looked at in one query, ``batch`` are handed out for one unit."""

    def __init__(self, backend: Backend, client: str, *, window: int = 500, batch: int = 50) -> None:
        super().__init__(backend, client)
        self._window = window
        self._batch = batch

    def old(self, before: datetime, remembered: Callable[[str, str], datetime | None]) -> Iterator[list[str]]:
        """Entered before then, oldest first, in batches. ``remembered`` says of a standard and partner from when on
        duplicates are looked for; ``None``: nothing of them is removed."""
        after, batch, sets = "", list[str](), 0
        while True:
            rows = self._read(after=after, most=self._window)
            for id, standard, partner, at, size in rows:
                limit = None if size is None else remembered(standard, partner)
                if limit is None or instant(at) >= min(limit, before):
                    continue
                if batch and (len(batch) == self._batch or sets + size > _MOST_SETS):
                    yield batch
                    batch, sets = [], 0
                batch.append(id)
                sets += size
            if len(rows) < self._window or instant(rows[-1][3]) >= before:
                break
            after = rows[-1][0]
        if batch:
            yield batch

    def remove(self, ids: Sequence[str]) -> int:
        """Those of them that nobody needs, with their sets and bytes. How many. What is kept of older ones is no
        longer counted: the numbers that were between them would look as if they had never come."""
        return self._backend.transact(lambda tx: sum(self._remove(tx, id) for id in ids))

    def _remove(self, tx: Tx, id: str) -> bool:
        row = tx.one(_OVER, {"client": self.client, "id": id})
        if row is None:
            return False
        tx.run(_REMOVE_SETS, {"id": id})
        tx.run(_REMOVE, {"id": id})
        forget_small(tx, self.client, let_go(tx, self.client, id))
        if row[0] == "in":
            of = dict(zip((f"of_{name}" for name in _SAME), row, strict=True))
            tx.run(_COUNT_NO_MORE, {**of, "of_client": self.client, "of": id})
        return True

    def _read(self, **parameters: Any) -> list[Any]:
        return self._backend.read(lambda tx: tx.all(_OLDEST, {"client": self.client, **parameters}))
