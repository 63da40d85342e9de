"""The ``sql`` connector: ``sql.query``, ``sql.write`` and ``sql.poll``."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from connectors.sdk import (
    Accept,
    Call,
    Check,
    Coerced,
    ConnectionContext,
    Connector,
    ConnectorError,
    Context,
    Effect,
    Model,
    Output,
    Parameters,
    Poll,
    Rejected,
)
from connectors.sql.polling import PollParameters, poll
from connectors.sql.rows import rows_of
from connectors.sql.settings import SqlSettings
from connectors.sql.transport import bound, engine, reading, translated, writing

Value = str | int | float | bool | None


class QueryParameters(Parameters):
    statement: str = Field(
        description="one statement that reads, as it is: values only by :name",
        examples=["SELECT number, total FROM orders WHERE supplier = :supplier"],
    )
    values: dict[str, Value] = Field(
        default={},
        description="a value for every :name",
        examples=[{"supplier": "=supplier.code"}, {"supplier": "ACME"}],
    )
    most: int = Field(default=10_000, ge=1, le=1_000_000, description="rows of the longest answer", examples=[100])


class QueryOutput(Output):
    rows: list[dict[str, Any]] = Field(
        description="by the names of their columns; decimals as text, times as ISO 8601",
        examples=[[{"number": 4711, "total": "125.00"}]],
    )


class Query(Call[QueryParameters]):
    """Read rows from a database.

    The transaction is one that may only read, so the effect is none.
    """

    name = "query"
    effect = Effect.NONE
    Parameters = QueryParameters
    Output = QueryOutput
    literal = frozenset({"statement"})

    def run(self, parameters: QueryParameters, context: Context) -> QueryOutput:
        where = _where(context)
        with reading(_engine(context), where) as connection, translated(where):
            result = connection.execute(bound(parameters.statement, parameters.values))
            rows = rows_of(result, parameters.most + 1)
        if len(rows) > parameters.most:
            raise Rejected(
                f"{where} answered with more than {parameters.most} rows",
                next_action="narrow the statement, or raise 'most'",
                code="too_many",
            )
        return QueryOutput(rows=rows)


class Statement(Model):
    """One statement of a transaction."""

    statement: str = Field(
        description="what is run, as it is: values only by :name",
        examples=["INSERT INTO orders (reference, number) VALUES (:reference, :number)"],
    )
    values: Annotated[list[dict[str, Value]], Coerced] = Field(
        default=[],
        description="a value for every :name; several times those, to run it for each",
        examples=[{"reference": "=$run.effect_key", "number": "4711"}, [{"reference": "k1", "number": "4711"}]],
    )
    changes: int | None = Field(
        default=None,
        ge=0,
        description="rows it has to change altogether; with another number all is rolled back",
        examples=[1],
    )


class WriteParameters(Parameters):
    statements: Annotated[list[Statement], Coerced] = Field(
        min_length=1,
        description="run in this order, in one transaction",
        examples=[[{"statement": "UPDATE stock SET quantity = :quantity", "values": {"quantity": 4}}]],
    )


class WriteOutput(Output):
    changed: list[int] = Field(description="rows that each statement changed", examples=[[1]])
    rows: list[dict[str, Any]] = Field(
        description="what statements with RETURNING gave, one after another", examples=[[{"id": 17}]]
    )


class Write(Call[WriteParameters]):
    """Write rows to a database, all or nothing.

    Every statement runs in one transaction. Store ``$run.effect_key`` in a column that is unique, so that a look-up
    finds the row; an upsert by it may say ``effect: idempotent``, and needs none.
    """

    name = "write"
    effect = Effect.ONCE
    Parameters = WriteParameters
    Output = WriteOutput
    literal = frozenset({"statement", "statements"})

    def run(self, parameters: WriteParameters, context: Context) -> WriteOutput:
        where = _where(context)
        changed: list[int] = []
        rows: list[dict[str, Any]] = []
        with writing(_engine(context), where) as connection:
            for number, statement in enumerate(parameters.statements):
                count = 0
                for values in statement.values or [{}]:
                    result = connection.execute(bound(statement.statement, values))
                    if result.returns_rows:
                        found = rows_of(result)
                        rows += found
                        count += len(found)
                    else:
                        count += max(0, result.rowcount)
                if statement.changes not in (None, count):
                    raise Rejected(
                        f"statement {number} would have changed {count} rows in {where}, not {statement.changes}; "
                        "all is rolled back",
                        next_action="see whether the row is there, or was changed by somebody else meanwhile",
                        code="changes",
                        details={"field": f"statements/{number}", "changed": count},
                    )
                changed.append(count)
        return WriteOutput(changed=changed, rows=rows)


class Collect(Poll[PollParameters]):
    """Poll rows that are new, one message for each."""

    name = "poll"
    Parameters = PollParameters
    literal = frozenset({"statement", "mark"})

    def poll(self, parameters: PollParameters, context: Context, accept: Accept) -> int:
        return poll(_engine(context), _where(context), parameters, context.cursor(), accept)


def _settings(context: ConnectionContext) -> SqlSettings:
    settings = context.connection.settings
    assert isinstance(settings, SqlSettings)
    return settings


def _where(context: ConnectionContext) -> str:
    url = _settings(context).address()
    host = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return f"database {url.database} on {host}" if host else f"database {url.database}"


def _engine(context: ConnectionContext) -> sa.Engine:
    return context.resource("sql.engine", lambda: engine(_settings(context)), sa.Engine.dispose)


def check(context: ConnectionContext) -> Check:
    """Connects, signs in and asks for 1."""
    where = _where(context)
    try:
        made = _engine(context)
        with reading(made, where) as connection, translated(where):
            connection.execute(sa.text("SELECT 1"))
            version = made.dialect.server_version_info or ()
    except ConnectorError as error:
        return Check(False, error.message, error.next_action)
    return Check(True, f"{where} answers: {made.dialect.name} {'.'.join(map(str, version))}")


connector = Connector(
    name="sql", title="SQL databases", operations=(Query, Write, Collect), settings=SqlSettings, check=check
)
