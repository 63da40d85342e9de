"""What the commands of the EDI standards have in common: how views, faults, segments and refusals are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.sdk.edi import Fault, Judged
from connectors.sdk.errors import ConnectorError
from connectors.sdk.spool import Spool
from connectors.sdk.visible import visible

FILE = click.argument("file", type=click.File("rb"))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@contextmanager
def refusing(as_json: bool) -> Iterator[None]:
    """Exit code 1 where the input cannot be processed: a sentence on standard error, and where a program reads a
    problem document (RFC 9457) on standard output."""
    try:
        yield
    except ConnectorError as error:
        problem = {
            "type": "about:blank",
            "title": "the input cannot be processed",
            "detail": error.message,
            "code": error.code or None,
            "next_action": error.next_action,
            **error.details,
        }
        if as_json:
            click.echo(json.dumps({key: value for key, value in problem.items() if value is not None}))
        click.echo(visible(f"error: {error.message}\n{error.next_action}"), err=True)
        raise click.exceptions.Exit(1) from None


def print_view(view: Callable[[Spool], None], as_json: bool) -> None:
    """What ``view`` writes of a file that passes, once all of it is there; for eyes unless a program reads."""
    with Spool(for_eyes=not as_json) as spool:
        with refusing(as_json):
            view(spool)
        spool.print()


@contextmanager
def listing(name: str, as_json: bool) -> Iterator[tuple[Spool, dict[str, Any]]]:
    """A JSON document that begins with the list ``name``, which is put into the spool; what is put into the dict
    stands behind it. Printed where a program reads and nothing was refused."""
    behind: dict[str, Any] = {}
    with Spool() as spool, refusing(as_json):
        spool.begin("{")
        spool.begin("[", name)
        yield spool, behind
        if as_json:
            spool.end()
            for key, value in behind.items():
                spool.put(value, key)
            spool.print()


def tally(checked: Iterable[Judged], tell: Callable[[Fault], None]) -> tuple[int, bool]:
    """Tells each fault of what was checked; how many there are, and whether none of them rejects."""
    count, ok = 0, True
    for found in (found for one in checked for found in one.faults):
        count, ok = count + 1, ok and found.severity != "reject"
        tell(found)
    return count, ok


def line_of(found: Fault, document: str) -> str:
    """A fault on a line; ``document`` is what the standard calls what has a number of its own in a group."""
    place = found.place
    numbers = {
        "interchange": place.interchange, "group": place.group, document: place.set, "segment": found.segment,
    }  # fmt: skip
    where = ", ".join(f"{name} {number}" for name, number in numbers.items() if number is not None) or "file"
    line = f"{found.severity:6} {where}: {found.message} [{found.code}]"
    return visible(line.replace("\r", "␍").replace("\n", "␊"))


def print_segments(
    checking: Callable[[Callable[[dict[str, Any]], None]], Iterable[Judged]],
    as_json: bool,
    lister: str,
    file: BinaryIO,
) -> None:
    """The segments that ``checking`` shows as they pass, with the names of their elements. Where there are faults,
    ``lister`` is the command that lists them."""
    console = Console(highlight=False)
    with listing("segments", as_json) as (spool, behind):
        shown = checking(spool.put if as_json else lambda segment: _print_segment(console, segment))
        behind["faults"] = count = sum(len(one.faults) for one in shown)
    if count and not as_json:
        many = "1 fault" if count == 1 else f"{count} faults"
        click.echo(f"{many}: `{lister} {getattr(file, 'name', '-')}` lists them")


def _print_segment(console: Console, segment: dict[str, Any]) -> None:
    """Title, then a line for each element that is given: path, names, value."""
    console.print(Text(f"{segment['id']}  {segment['title']}", style="bold"))
    table = Table(show_header=False, box=None, padding=(0, 1))
    for element in segment["elements"]:
        path, *names, value = element.values()
        table.add_row(f"  {path}", *names, Text(visible(value)))
    console.print(table)
