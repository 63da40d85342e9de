"""Statements compiled once per database, and the transaction they run in.

A statement is built with SQLAlchemy Core and executed by the driver itself with its parameters by name; the
values bound are plain (text, numbers, bytes), so nothing remains for SQLAlchemy to do per execution. That is
about six times cheaper than ``Connection.execute`` and keeps one SQL for every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Dialect, Table, bindparam, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

T = TypeVar("T")
Parameters = Mapping[str, Any]
Row = tuple[Any, ...]
_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Statement:
    """Built from a construct, or by a function that is handed the dialect's ``insert``."""

    def __init__(self, source: ClauseElement | Callable[[Callable[[Table], Any]], ClauseElement]) -> None:
        self._source = source
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """The SQL and the values of parameters that were given one."""
        if (found := self._compiled.get(dialect.name)) is not None:
            return found
        source = self._source
        construct = source if isinstance(source, ClauseElement) else source(_INSERTS[dialect.name])
        compiled = construct.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        values = {name: value for name, value in compiled.params.items() if value is not None}
        return self._compiled.setdefault(dialect.name, (str(compiled), values))


class Tx(Protocol):
    """An open transaction. Foreign errors are already translated into ``StoreError``."""

    @property
    def now(self) -> int:
        """Microseconds since 1970 UTC, the same throughout."""

    def lock(self, name: str) -> None:
        """Until the transaction ends nobody else is past this line with the same name. One writer needs none."""

    def run(self, statement: Statement, parameters: Parameters = ...) -> int:
        """Rows changed."""

    def surely(self, statement: Statement, parameters: Parameters, refusal: Callable[[], Exception]) -> None:
        """Changes a row, by a statement that returns nothing. Where there is none the unit ends with the refusal,
        which may show only at its end, and writes nothing."""

    def many(self, statement: Statement, rows: Iterable[Parameters]) -> None: ...

    def one(self, statement: Statement, parameters: Parameters = ...) -> Row | None: ...

    def all(self, statement: Statement, parameters: Parameters = ...) -> list[Row]: ...

    def together(self, parameters: Parameters, *statements: Statement) -> list[list[Row]]:
        """The rows of each, asked for at one time."""


class Backend(Protocol):
    """What a database supplies; everything else is shared."""

    def transact(self, unit: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Runs the unit and returns after its commit. A unit that raises writes nothing and raises here.

        ``durable=False`` allows a power failure to forget it (leases), never a crash of the process.
        Raises ``Unavailable``.
        """

    def read(self, query: Callable[[Tx], T]) -> T:
        """Runs a query on one consistent view."""


def word(value: str) -> Any:
    """A constant that stands in the SQL itself, so that a partial index can be used for it."""
    return literal_column(f"'{value}'")


def insert(table: Table, *, otherwise: str = "raise", omit: Sequence[str] = ()) -> Statement:
    """Every column from a parameter of its name. ``otherwise`` on a known primary key: raise, ignore, or
    replace the rest of the row."""
    names = [column.name for column in table.c if column.name not in omit]

    def build(dialect_insert: Callable[[Table], Any]) -> ClauseElement:
        statement = dialect_insert(table).values({name: bindparam(name) for name in names})
        if otherwise == "ignore":
            statement = statement.on_conflict_do_nothing()
        elif otherwise == "replace":
            keys = [column.name for column in table.primary_key]
            rest = {name: statement.excluded[name] for name in names if name not in keys}
            statement = statement.on_conflict_do_update(index_elements=keys, set_=rest)
        built: ClauseElement = statement
        return built

    return Statement(build)
