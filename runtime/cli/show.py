"""How answers look to a person: facts, tables, JSON in colour. A program takes ``--json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from connectors.sdk.visible import visible

_STATES = {
    "done": "green", "approved": "green", "ok": "green", "ready": "cyan", "leased": "cyan", "waiting": "yellow",
    "held": "yellow", "uncertain": "magenta", "dead": "red", "exception": "red", "failed": "red",
    "rejected": "red", "cancelled": "dim", "accepted": "green", "acknowledged": "green", "partly": "red",
    "overdue": "red", "quarantined": "red", "void": "dim",
}  # fmt: skip

#: Of a column that is shown in part, and between two columns.
_LEAST, _GAP = 12, 2


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


def table(
    rows: Sequence[Mapping[str, Any]], *columns: str, none: str = "nothing", less: Sequence[str] = ()
) -> None:  # fmt: skip
    """One line a row; the columns by name, with ``state`` coloured.

    ``less`` are columns that a terminal which is too narrow shows in part, or not at all, the first of them first;
    then a row has one line whatever is in it.
    """
    out = console()
    if not rows:
        out.print(none)
        return
    cells = [{column: _cell(column, row.get(column), one_line=bool(less)) for column in columns} for row in rows]
    widths = _widths(cells, columns, less, out.width) if less and out.is_terminal else {}
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in widths or columns:
        whole = not widths or column not in less
        made.add_column(
            _heading(column),
            overflow="fold" if whole else "ellipsis",
            no_wrap=not whole,
            max_width=widths.get(column),
        )
    for row in cells:
        made.add_row(*(row[column] for column in widths or columns))
    out.print(made)
    if widths:
        _tell_left_out(out, [c for c in columns if c not in widths and any(row[c].plain for row in cells)])


def _tell_left_out(out: Console, columns: Sequence[str]) -> None:
    if columns:
        names = ", ".join(map(_heading, columns))
        out.print(Text(f"left out: {names}; --json has everything", style="dim", overflow="fold"))


def _heading(column: str) -> str:
    return column.replace("_", " ")


def _widths(
    cells: Sequence[Mapping[str, Text]], columns: Sequence[str], less: Sequence[str], room: int
) -> dict[str, int]:  # fmt: skip
    """The columns that are shown, and how wide. Times and ids are whole or not shown, nor is what nobody has."""
    wide = {c: max(cell_len(_heading(c)), *(row[c].cell_len for row in cells)) for c in columns}
    shown = [c for c in columns if any(row[c].plain for row in cells)]
    least = {c: min(wide[c], _LEAST) if c in less and not _is_whole(c) else wide[c] for c in columns}
    for column in less:
        if sum(least[c] for c in shown) + _GAP * (len(shown) - 1) <= room:
            break
        shown = [c for c in shown if c != column]
    left = max(0, room - sum(least[c] for c in shown) - _GAP * (len(shown) - 1))
    for column in reversed(less):
        if column in shown:
            more = min(left, wide[column] - least[column])
            least[column], left = least[column] + more, left - more
    return {c: least[c] for c in shown}


def _is_whole(column: str) -> bool:
    return column.endswith("_at") or column in ("at", "id", "run")


def _cell(column: str, value: Any, *, one_line: bool) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, Mapping):
        return Text(visible(", ".join(_pairs(value))))
    if isinstance(value, list):
        return Text(visible(", ".join(str(inner) for inner in value)))
    text = visible(" ".join(str(value).split()) if one_line else str(value))
    if column.endswith("_at") or column == "at":
        text = text[:19].replace("T", " ")
    return Text(text, style=_STATES.get(text, "") if column in ("state", "result") else "")


def _pairs(value: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _pairs(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}={inner}"
