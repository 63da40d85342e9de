"""CSV (RFC 4180) and its dialects, without I/O: every line comes out as a row or as a fault."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from connectors.sdk import Rejected
from connectors.sdk.text import encoded

_DELIMITERS = ",;\t|"
#: How a spreadsheet knows a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Fault:
    """A line that is no row; ``line`` counts from 1 and is where the row ends."""

    line: int
    message: str


@dataclass
class Table:
    columns: list[str] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    delimiter: str = ","


def read(
    text: str,
    *,
    delimiter: str | None = None,
    quote: str = '"',
    columns: Sequence[str] | None = None,
    header: bool = True,
    skip: int = 0,
    trim: bool = False,
    most: int = 100_000,
) -> Table:
    """Rows by the names of their columns, all values text; blank lines are left out.

    With ``header`` the first line names them and has to have all of ``columns``; without, ``columns`` names them.
    Raises ``Rejected`` for a header that names nothing, a column twice or not all, text that is no CSV, and more
    than ``most`` rows.
    """
    start = _after(text, skip)
    used = delimiter or _delimiter(text, start, quote)
    lines = _lines(text[start:], used, quote, skip)
    table = Table(delimiter=used)
    table.columns = _header(next(lines, None), columns) if header else list(columns or ())
    for line, cells in lines:
        if len(table.rows) + len(table.faults) == most:
            raise Rejected(
                f"the file has more than {most} rows",
                next_action="raise 'most', or have the sender split the file",
                code="too_many",
            )
        if len(cells) == len(table.columns):
            values = (cell.strip() for cell in cells) if trim else cells
            table.rows.append(dict(zip(table.columns, values, strict=True)))
        else:
            table.faults.append(Fault(line, f"{len(cells)} values for {len(table.columns)} columns"))
    return table


def _after(text: str, skip: int) -> int:
    start = 0
    for _ in range(skip):
        end = text.find("\n", start)
        if end < 0:
            return len(text)
        start = end + 1
    return start


def _delimiter(text: str, start: int, quote: str) -> str:
    """The one that stands most often in the first line, outside quotes."""
    end = text.find("\n", start)
    outside = "".join(text[start : end if end >= 0 else len(text)].split(quote)[::2])
    return max(_DELIMITERS, key=outside.count)


def _lines(text: str, delimiter: str, quote: str, before: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            line = before + reader.line_num
            raise Rejected(
                f"line {line} is no CSV with {delimiter!r} between values: {error}",
                next_action="see delimiter and quotes of the file; a quote within quotes is doubled",
                code="not_csv",
                details={"line": line},
            ) from error
        if cells is None:
            return
        if cells:
            yield before + reader.line_num, cells


def _header(first: tuple[int, list[str]] | None, wanted: Sequence[str] | None) -> list[str]:
    names = [name.strip() for name in first[1]] if first else []
    line = first[0] if first else 1
    missing = [name for name in wanted or () if name not in names]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if not names:
        why = "there is no line that names the columns"
    elif missing:
        why = f"line {line} names no column {', '.join(map(repr, missing))}"
    elif twice or "" in names:
        why = f"line {line} names a column twice or not at all: {', '.join(map(repr, twice or ['']))}"
    else:
        return names
    raise Rejected(
        why,
        next_action="see 'delimiter' and 'skip'; for a file without such a line set header: false and columns",
        code="header",
        details={"line": line},
    )


def write(
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str = ",",
    quote_all: bool = False,
    header: bool = True,
    line_end: str = "\r\n",
    charset: str = "utf-8",
    disarm: bool = False,
) -> Iterator[bytes]:
    """The lines, as bytes. A key that a row lacks, and null, are empty.

    Raises ``Rejected`` for a key that is no column, a value that is no text or number, and a character that the
    charset does not have, each with row and column.
    """
    names = list(columns) if columns is not None else list(dict.fromkeys(name for row in rows for name in row))
    line = io.StringIO(newline="")
    # With another terminator the library would leave a lone CR or LF within a value without quotes.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(line, delimiter=delimiter, lineterminator="\r\n", quoting=quoting)

    def printed(cells: list[str], place: str) -> bytes:
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        return encoded(line.getvalue().removesuffix("\r\n") + line_end, charset, place)

    if header:
        yield printed(names, "columns")
    for number, row in enumerate(rows):
        unknown = next((name for name in row if name not in names), None)
        if unknown is not None:
            raise _refused(number, unknown, "is no column", "add it to columns, or leave it out of the rows")
        yield printed([_cell(row.get(name), number, name, disarm) for name in names], f"rows/{number}")


def _cell(value: Any, row: int, name: str, disarm: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return "'" + value if disarm and value.startswith(_FORMULA) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise _refused(row, name, f"is {type(value).__name__}, not text or number", "map it to text first")


def _refused(row: int, name: str, why: str, advice: str) -> Rejected:
    place = f"rows/{row}/{name}"
    return Rejected(f"{place} {why}", next_action=advice, code="value", details={"field": place})


def told(faults: Sequence[Fault]) -> str:
    """The first few, as a sentence."""
    first = "; ".join(f"line {fault.line}: {fault.message}" for fault in islice(faults, 3))
    return f"{len(faults)} bad lines: {first}" if len(faults) > 3 else first
