"""How answers look to a person: facts, tables, JSON in colour. A program takes ``--json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from connectors.sdk.visible import visible

_STATES = {
    "done": "green", "approved": "green", "ok": "green", "ready": "cyan", "leased": "cyan", "waiting": "yellow",
    "held": "yellow", "uncertain": "magenta", "dead": "red", "exception": "red", "failed": "red",
    "rejected": "red", "cancelled": "dim",
}  # fmt: skip


def console() -> Console:
    """Standard output as it is now; never wrapped where it is not a terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=10_000, soft_wrap=True)


def fact(name: str, value: str, *, bad: bool = False) -> None:
    console().print(Text.assemble((f"{name:<10} ", "bold red" if bad else "bold"), visible(value)))


def count(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def answer(value: Any, as_json: bool, show: Any) -> None:
    """One JSON document, or ``show(value)`` for a person."""
    if as_json:
        print_json(value)
    else:
        show(value)


def print_json(value: Any) -> None:
    """Exactly one document, in one line."""
    print(json.dumps(value), flush=True)  # noqa: T201 - this is the answer


def document(value: Any) -> None:
    console().print(JSON(json.dumps(value)))


def table(rows: Sequence[Mapping[str, Any]], *columns: str, none: str = "nothing") -> None:
    """One line a row; the columns by name, with ``state`` coloured."""
    out = console()
    if not rows:
        out.print(none)
        return
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        made.add_row(*(_cell(column, row.get(column)) for column in columns))
    out.print(made)


def _cell(column: str, value: Any) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, Mapping):
        return Text(visible(", ".join(f"{name}={inner}" for name, inner in value.items())))
    if isinstance(value, list):
        return Text(visible(", ".join(str(inner) for inner in value)))
    text = visible(str(value))
    if column.endswith("_at") or column == "at":
        text = text[:19].replace("T", " ")
    return Text(text, style=_STATES.get(text, "") if column in ("state", "result") else "")
