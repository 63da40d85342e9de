"""Between rows of a table and the immutable values of ``runtime.model.run``; derived from the columns."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Table

from runtime.model.run import (
    NOT_READ,
    ApprovalRow,
    AttemptRow,
    Caller,
    EventRow,
    ExceptionRow,
    ExpectationRow,
    IntentRow,
    OutcomeRow,
    Run,
    TimerRow,
)
from runtime.store import tables
from runtime.store.tables import Flag, Json, Time

R = TypeVar("R")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC of an aware ``datetime``."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(micros: int) -> datetime:
    """Aware UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def dump(value: Any) -> str | None:
    """Compact JSON of ASCII; ``None`` is NULL. Raises ``ValueError`` for NaN and infinity."""
    return None if value is None else _JSON.encode(value)


def load(text: str | None) -> Any:
    """``NOT_READ`` for one that was left where it is."""
    return None if text is None else _json(text)


#: Stands in a column of JSON for a payload that stays where it is; never JSON itself.
ELIDED = ""


def _json(text: str) -> Any:
    return NOT_READ if text == ELIDED else json.loads(text)


def _reader(column: Column[Any]) -> Callable[[Any], Any] | None:
    if column.info.get("tuple"):
        return lambda text: tuple(json.loads(text))
    if "word" in column.info:
        word: Callable[[Any], Any] = column.info["word"]
        return word
    kinds: dict[type, Callable[[Any], Any]] = {Time: instant, Json: _json, Flag: bool}
    return kinds.get(type(column.type))


def _writer(column: Column[Any]) -> Callable[[Any], Any] | None:
    if "word" in column.info:
        return str
    kinds: dict[type, Callable[[Any], Any]] = {Time: micros, Json: dump, Flag: int}
    return kinds.get(type(column.type))


class Shape(Generic[R]):
    """``columns`` to select, in the order ``read`` takes them; ``write`` gives parameters for an insert. Fields
    that are not stored stand last."""

    def __init__(self, row: type[R], table: Table) -> None:
        self._row = row
        fields = dataclasses.fields(row)  # type: ignore[arg-type]
        names = [field.name for field in fields if field.metadata.get("stored", True)]
        self.columns = [table.c[name] for name in names]
        self._readers = [_reader(column) for column in self.columns]
        self._names = names
        self._values: Callable[[R], tuple[Any, ...]] = attrgetter(*names)
        self._writers = [(name, write) for name in names if (write := _writer(table.c[name])) is not None]

    def read(self, values: Sequence[Any]) -> R:
        pairs = zip(self._readers, values, strict=True)
        return self._row(*[value if read is None or value is None else read(value) for read, value in pairs])

    def write(self, row: R, **more: Any) -> dict[str, Any]:
        written = dict(zip(self._names, self._values(row), strict=True))
        for name, write in self._writers:
            if (value := written[name]) is not None:
                written[name] = write(value)
        written.update(more)
        return written


OUTCOME = Shape(OutcomeRow, tables.outcome)
INTENT = Shape(IntentRow, tables.intent)
ATTEMPT = Shape(AttemptRow, tables.attempt)
TIMER = Shape(TimerRow, tables.timer)
EXPECTATION = Shape(ExpectationRow, tables.expectation)
EVENT = Shape(EventRow, tables.event)
EXCEPTION = Shape(ExceptionRow, tables.exception)
APPROVAL = Shape(ApprovalRow, tables.approval)

_RUN = [
    "id", "client", "flow", "version", "release", "message", "state", "source", "identity", "created_at",
    "checkpoint_at", "due_at", "finished_at", "why", "outcome", "reply", "caller_run", "caller_node",
    "caller_iteration", "caller_waits", "reprocess_of", "fence", "signals", "held_by",
    "order_key", "lane",
]  # fmt: skip
RUN_COLUMNS = [tables.run.c[name] for name in _RUN]
_RUN_READERS = [_reader(column) for column in RUN_COLUMNS]
_CALLER = slice(_RUN.index("caller_run"), _RUN.index("caller_waits") + 1)


def read_run(values: Sequence[Any]) -> Run:
    """From ``RUN_COLUMNS``."""
    pairs = zip(_RUN_READERS, values, strict=True)
    read = [value if convert is None or value is None else convert(value) for convert, value in pairs]
    caller = None if read[_CALLER.start] is None else Caller(*read[_CALLER])
    values = [*read[: _CALLER.start], caller, *read[_CALLER.stop :]]
    return Run(*values)
