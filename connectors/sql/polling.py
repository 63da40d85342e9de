"""``sql.poll``: one message for each row that is new, by a column that grows or by a mark in the row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import sqlalchemy as sa
from pydantic import Field, model_validator

from connectors.sdk import Accept, Arrival, Parameters, Rejected, Strings
from connectors.sql.rows import rows_of
from connectors.sql.transport import bound, reading, translated, writing


class PollParameters(Parameters):
    statement: str = Field(
        description="one statement that reads what is new, as it is. With `cursor` it asks for :cursor and "
        "sorts by that column",
        examples=["SELECT * FROM outbox WHERE id > :cursor ORDER BY id"],
    )
    cursor: str | None = Field(
        default=None,
        description="column that grows from one row to the next, such as an id; where rows are committed out of "
        "its order use `mark`",
        examples=["id"],
    )
    first: str | int = Field(
        default=0, description="what :cursor is before anything was collected", examples=[0, "2026-01-01"]
    )
    mark: str | None = Field(
        default=None,
        description="statement that marks a row as taken, once it is stored; :name stands for the row's columns",
        examples=["UPDATE outbox SET taken = 1 WHERE id = :id"],
    )
    identity: Strings = Field(
        default=[],
        description="columns that tell a row from all others, where the flow declares no identity; without them "
        "all columns",
        examples=[["id"]],
    )
    maximum: int = Field(default=100, ge=1, le=10_000, description="rows per poll", examples=[100])

    @model_validator(mode="after")
    def _one_way_on(self) -> Self:
        if (self.cursor is None) is (self.mark is None):
            raise ValueError("say how a row is known to be taken: either cursor: <column> or mark: <statement>")
        return self


def poll(
    engine: sa.Engine, where: str, parameters: PollParameters, reached: str | int | None, accept: Accept
) -> int:
    """Hands over every row; it is marked, or the cursor moves past it, only once it is stored.

    Raises ``NotSent`` where the store or the database cannot go on, ``Rejected`` for rows that have no cursor, do
    not come in its order, or are more of one value than a poll takes.
    """
    values = {"cursor": parameters.first if reached is None else reached} if parameters.cursor else {}
    with reading(engine, where) as connection, translated(where):
        result = connection.execute(bound(parameters.statement, values))
        rows = rows_of(result, parameters.maximum + 1)
    if parameters.cursor is not None:
        return _by_cursor(rows, parameters.cursor, parameters, accept)
    for row in rows[: parameters.maximum]:
        accept(_arrival(row, parameters, None))
        _mark(engine, where, parameters.mark or "", row)
    return len(rows[: parameters.maximum])


def _mark(engine: sa.Engine, where: str, statement: str, row: Mapping[str, Any]) -> None:
    names = sa.text(statement)._bindparams
    with writing(engine, where) as connection:
        connection.execute(bound(statement, {name: row[name] for name in names if name in row}))


def _by_cursor(rows: Sequence[dict[str, Any]], column: str, parameters: PollParameters, accept: Accept) -> int:
    """The poll is past a value only with the last row that has it: a statement that asks for what is greater would
    not give the others again. So rows of the last value are left for the next poll where more may follow."""
    places = [row.get(column) for row in rows]
    taken = len(rows)
    if taken > parameters.maximum:
        taken = next((n for n in range(parameters.maximum, 0, -1) if places[n] != places[n - 1]), 0)
    _refuse_bad_order(places, column, parameters.maximum, taken)
    for index, row in enumerate(rows[:taken]):
        last = index + 1 == taken or places[index + 1] != places[index]
        accept(_arrival(row, parameters, places[index] if last else None))
    return taken


def _refuse_bad_order(places: Sequence[Any], column: str, maximum: int, taken: int) -> None:
    if any(not isinstance(place, str | int) or isinstance(place, bool) for place in places):
        why, advice = f"rows have no number or text in column {column!r}", "select the column, and leave null out"
    elif len(places) > maximum and taken == 0:
        why, advice = f"more than {maximum} rows have the same {column!r}", "raise 'maximum', or use 'mark'"
    elif _falls(places):
        why, advice = f"rows do not come in the order of {column!r}", f"add ORDER BY {column} to the statement"
    else:
        return
    raise Rejected(f"{why}: nothing was taken", next_action=advice, code="cursor")


def _falls(places: Sequence[Any]) -> bool:
    """Of whole numbers only: how a database sorts text is its own matter."""
    numbers = [place for place in places if isinstance(place, int)]
    return len(numbers) == len(places) and numbers != sorted(numbers)


def _arrival(row: Mapping[str, Any], parameters: PollParameters, cursor: Any) -> Arrival:
    known = {name: row.get(name) for name in parameters.identity} if parameters.identity else row
    return Arrival(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(),
        "application/json",
        identity=json.dumps(known, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        cursor=cursor,
    )
