"""Values of a database as JSON: what JSON numbers cannot hold exactly becomes text."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult

from connectors.sdk import Rejected
from connectors.sdk.json import LARGEST_WHOLE


def rows_of(result: CursorResult[Any], most: int | None = None) -> list[dict[str, Any]]:
    """At most so many rows by the names of their columns. Decimals and large whole numbers are text, times ISO
    8601.

    Raises ``Rejected`` for a column that is no text, number or time, such as bytes, and for two of one name."""
    names = list(result.keys())
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Rejected(
            f"the statement gives two columns {twice!r}",
            next_action="name one of them otherwise, with AS",
            code="columns",
        )
    rows = result.fetchall() if most is None else result.fetchmany(most)
    return [{name: _value(name, value) for name, value in zip(names, row, strict=True)} for row in rows]


def _value(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | bool | dict | list):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_WHOLE else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta | UUID):
        return str(value)
    raise Rejected(
        f"column {name!r} is {type(value).__name__}, which JSON does not have",
        next_action="leave it out of the statement, or make it text there, such as encode(column, 'base64')",
        code="type",
        details={"column": name},
    )
