"""What an SQLite store holds, read past the process that owns it, or after that process died."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def asked(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def states(database: Path) -> dict[str, int]:
    """How many runs show which state."""
    return dict(asked(database, "SELECT state, count(*) FROM run GROUP BY state"))


def in_flight(database: Path) -> int:
    """Idempotent effects that may have been sent, and of which no outcome is known."""
    return int(asked(database, "SELECT count(*) FROM intent WHERE state = 'open' AND effect = 'idempotent'")[0][0])


def left_open(database: Path) -> int:
    """Intents without an end and runs under a lease."""
    intents = asked(database, "SELECT count(*) FROM intent WHERE state = 'open'")
    return int(intents[0][0]) + states(database).get("leased", 0)
